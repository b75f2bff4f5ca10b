"""What a shard's coverage data was measured with: written beside it, checked before combining.

Data without this evidence, or with evidence that does not fit it, is never combined.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from paceline import store
from paceline.coverage import settings
from paceline.errors import IncompleteEvidence

VERSION = 1
FILE = "measured.json"
DATA = "coverage.data"
#: How many files a message names before it only counts.
SHOWN = 5


@dataclass(frozen=True)
class Evidence:
    """How the data in one shard's folder came about."""

    #: The group's folder and the shard, such as unit/2of4.
    shard: str
    #: SHA-256 of the data file.
    data: str
    #: The folder the tests ran in, as that machine names it.
    root: str
    #: Whether branches were measured; None where the data holds nothing.
    branch: bool | None
    #: coverage's settings that decide what is measured.
    settings: Mapping[str, Any]
    #: SHA-256 of each measured file below `root`, by its path there; empty where it was gone.
    files: Mapping[str, str]


def write(folder: Path, root: Path, arguments: Sequence[str] = ()) -> None:
    """Write the evidence for the data in the shard's `folder`, if there is data.

    `root` is the folder the tests ran in and the working folder, `arguments` are the user's
    own arguments of pytest.
    """
    data_file = folder / DATA
    if not data_file.is_file():
        return
    found = _measured(data_file)
    if found is None:
        return  # unreadable: combining says so, and names the shard
    files, branch = found
    root = root.resolve()  # as coverage names files
    inside = [name for name in map(Path, files) if (root / name).is_relative_to(root)]
    digests = {
        (root / name).relative_to(root).as_posix(): file_digest(root / name) or ""
        for name in inside
    }
    measured_with = _settings(root, arguments)
    if measured_with is None:
        return  # pytest has refused them too
    evidence = Evidence(
        _name(folder), _sha256(data_file), str(root), branch, measured_with, digests
    )
    # pytest's own verdict goes first: without the file, combining refuses the shard by name.
    with contextlib.suppress(OSError):
        store.write_json(folder / FILE, {"version": VERSION, **asdict(evidence)})


def check(folders: Sequence[Path], root: Path) -> list[Evidence]:
    """Return the evidence of all shards' data; it fits the data, each other and this checkout.

    Raises IncompleteEvidence with every problem, each naming its shard.
    """
    problems: list[str] = []
    found: list[Evidence] = []
    for folder in folders:
        try:
            found.append(_read(folder))
        except IncompleteEvidence as error:
            problems += error.problems
    digest = cache(lambda name: file_digest(root / name))
    problems += [text for evidence in found for text in _other_content(evidence, digest)]
    problems += _other_settings(found, root)
    problems += _mixed_kinds(found)
    if problems:
        raise IncompleteEvidence(problems, "run these shards again, on this commit")
    return found


def _settings(root: Path, arguments: Sequence[str]) -> dict[str, Any] | None:
    # Imported here: listing the sessions must not pay for coverage.
    from coverage.exceptions import CoverageException

    try:
        return settings.measuring(root, arguments)
    except CoverageException:
        return None


def absent(found: Sequence[Evidence], root: Path) -> list[str]:
    """Return which measured files are not in this checkout, with the shards that measured them."""
    shards: dict[str, list[str]] = {}
    for evidence in found:
        for name in evidence.files:
            if not (root / name).is_file():
                shards.setdefault(name, []).append(evidence.shard)
    return [
        f"{name} was measured by shard {', '.join(names)}, but is not in this checkout"
        for name, names in sorted(shards.items())[:SHOWN]
    ]


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a source file, whatever its line endings; None if it is not there."""
    try:
        return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    except (OSError, ValueError):
        return None


def _measured(data_file: Path) -> tuple[list[str], bool | None] | None:
    # Imported here: listing the sessions must not pay for coverage.
    from coverage import CoverageData
    from coverage.exceptions import CoverageException

    data = CoverageData(basename=str(data_file))
    try:
        data.read()
        files = sorted(data.measured_files())
        return files, data.has_arcs() if files else None
    except CoverageException:
        return None
    finally:
        data.close()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        digest = hashlib.sha256()
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _read(folder: Path) -> Evidence:
    name = f"shard {folder.name} of {folder.parent.name}"
    if not (folder / DATA).is_file():
        raise IncompleteEvidence([f"{name} left no coverage data (was it run with --no-cov?)"])
    raw = store.read_json(folder / FILE, "coverage evidence")
    if not isinstance(raw, dict) or raw.pop("version", None) != VERSION:
        raise IncompleteEvidence(
            [f"{name}: no usable {FILE}, so nothing says what its coverage data is"]
        )
    try:
        evidence = Evidence(**raw)
    except TypeError as error:
        raise IncompleteEvidence([f"{name}: {FILE} is damaged: {error}"]) from None
    if evidence.shard != _name(folder):
        raise IncompleteEvidence([f"{name}: its coverage data is that of {evidence.shard}"])
    if evidence.data != _sha256(folder / DATA):
        raise IncompleteEvidence(
            [f"{name}: its coverage data is damaged or another's: not what the tests left"]
        )
    return evidence


def _other_content(evidence: Evidence, digest: Callable[[str], str | None]) -> list[str]:
    """Return the files that were measured with another content than this checkout has.

    A file that is not here at all is left to coverage, which may be told to omit it, and one
    that was gone after the tests says nothing.
    """
    differing = [
        name
        for name, measured in sorted(evidence.files.items())
        if measured and digest(name) not in (None, measured)
    ]
    if not differing:
        return []
    names = ", ".join(differing[:SHOWN])
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    return [f"shard {evidence.shard} measured other code than this checkout has: {names}{more}"]


def _other_settings(found: Sequence[Evidence], root: Path) -> list[str]:
    here = _settings(root, ())
    if here is None:
        return ["coverage cannot read its configuration in this checkout"]
    problems: list[str] = []
    for evidence in found:
        # The user's arguments are compared between shards; this process was given none.
        expected = {**here, "pytest": found[0].settings.get("pytest")}
        for key in sorted({*expected, *evidence.settings}):
            value, wanted = evidence.settings.get(key), expected.get(key)
            if value != wanted:
                problems.append(
                    f"shard {evidence.shard} was measured with another configuration: "
                    f"{key} is {value!r} there, {wanted!r} here"
                )
    return problems


def _mixed_kinds(found: Sequence[Evidence]) -> list[str]:
    kinds = {
        kind: ", ".join(evidence.shard for evidence in found if evidence.branch is kind)
        for kind in (True, False)
    }
    if not (kinds[True] and kinds[False]):
        return []
    return [f"branches were measured by shard {kinds[True]}, but only lines by {kinds[False]}"]
