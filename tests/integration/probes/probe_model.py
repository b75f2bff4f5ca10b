"""What a probe is, and how the table of probes is read from the TOML files beside this one.

A probe is one small project in which one thing changes. `README.md` explains the keys.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
#: Every probe's project has it, so that pytest finds the project's root by itself.
PYPROJECT = "[tool.pytest.ini_options]\n"
Strings = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """What is done to the files, all names relative to the project."""

    write: Strings = field(default_factory=dict)
    delete: tuple[str, ...] = ()
    rename: Strings = field(default_factory=dict)
    #: Link to target, as given to os.symlink; an existing link is replaced.
    link: Strings = field(default_factory=dict)
    #: Python code, run in the project's folder, for what the keys above cannot say.
    python: str = ""


@dataclass(frozen=True)
class Run:
    """One run of pytest: arguments, variables laid over the environment, working folder."""

    args: tuple[str, ...] = ()
    env: Strings = field(default_factory=dict)
    cwd: str = "."
    #: The exit codes that this run may end with; empty: any.
    exits: tuple[int, ...] = (0,)
    #: When pytest prints this text: kill it, or apply the probe's change and let it go on.
    at: str = ""
    does: str = ""
    #: Arguments of further runs that are started together with this one.
    beside: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Probe:
    """One small project, one change, and what a full run shows afterwards."""

    id: str
    kind: str
    what: str
    files: Strings
    change: Change
    #: Tests (or files that cannot be collected) that a full run shows failing afterwards.
    fails: tuple[str, ...]
    #: The only tests that may be run; None: running more is no error.
    only: tuple[str, ...] | None
    #: Runs before the change, and after it; then comes the run that is measured.
    before: tuple[Run, ...]
    after: tuple[Run, ...]
    measured: Run
    #: What is done before the first run, and after the runs that follow the change.
    start: Change
    then: Change
    #: Whether the standard suite runs it; the whole table is run by `nox -s replay`.
    core: bool = False
    #: The modules and programs without which this probe cannot be run.
    needs: tuple[str, ...] = ()


def load(folder: Path = FOLDER) -> list[Probe]:
    """Return all probes, in the order of the files' names and of the probes in them.

    Raises ValueError if two have the same id or a key is unknown.
    """
    probes = [
        _probe(path.stem, table)
        for path in sorted(folder.glob("*.toml"))
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["probe"]
    ]
    ids = [probe.id for probe in probes]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"probes with the same id: {', '.join(twice)}")
    return probes


def _probe(kind: str, table: dict[str, Any]) -> Probe:
    known = {"id", "what", "files", "start", "change", "then", "before", "after"}
    known |= {"measured", "fails", "only", "core", "needs"}
    if set(table) - known:
        raise ValueError(f"{kind}: {table.get('id')}: unknown {sorted(set(table) - known)}")
    return Probe(
        id=table["id"],
        kind=kind,
        what=table["what"],
        files={"pyproject.toml": PYPROJECT, **_texts(table["files"])},
        change=_change(table.get("change", {})),
        fails=tuple(table.get("fails", ())),
        only=tuple(table["only"]) if "only" in table else None,
        before=tuple(map(_run, table.get("before", [{}]))),
        after=tuple(map(_run, table.get("after", []))),
        measured=_run({"exits": [], **table.get("measured", {})}),
        start=_change(table.get("start", {})),
        then=_change(table.get("then", {})),
        core=table.get("core", False),
        needs=tuple(table.get("needs", ())),
    )


def _change(table: dict[str, Any]) -> Change:
    converted: dict[str, Callable[[Any], Any]] = {
        "write": _texts,
        "delete": tuple,
        "python": textwrap.dedent,
    }
    return Change(**{key: converted.get(key, _same)(value) for key, value in table.items()})


def _run(table: dict[str, Any]) -> Run:
    converted: dict[str, Callable[[Any], Any]] = {
        "args": tuple,
        "exits": tuple,
        "beside": lambda runs: tuple(map(tuple, runs)),
    }
    return Run(**{key: converted.get(key, _same)(value) for key, value in table.items()})


def _same(value: Any) -> Any:
    return value


def _texts(files: Strings) -> dict[str, str]:
    return {name: textwrap.dedent(text) for name, text in files.items()}
