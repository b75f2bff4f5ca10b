"""The figures of coverage data: asks coverage.py in the tests' own interpreter, reads its answer.

The data is an ordinary coverage file, whether combined from shards or kept from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from paceline import process, store
from paceline.coverage import settings
from paceline.coverage.combine import Part
from paceline.coverage.figures import FileFigures
from paceline.errors import IncompleteEvidence

REQUEST = "request.json"
ANSWER = "answer.json"
#: coverage's own JSON report.
REPORT = "coverage.json"


@dataclass(frozen=True)
class Request:
    """What the child is asked: to combine `parts`, or to report on `data_file` as it is."""

    #: The project's folder, which is also the working folder.
    root: str
    config_file: str | bool
    parts: tuple[Part, ...] = ()
    data_file: str | None = None
    #: Reports besides JSON: "xml" and "html".
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What coverage says about one data file."""

    #: Each reported file, by its path in the project.
    files: Mapping[str, FileFigures]
    #: The project's own `fail_under` in percent, 0 without, and digits shown after the point.
    fail_under: float
    precision: int
    #: Files that were traced but are no Python.
    left_out: tuple[str, ...]


def measure(
    root: Path,
    staging: Path,
    python: Path,
    variables: Mapping[str, str],
    *,
    parts: Sequence[Part] = (),
    data_file: Path | None = None,
    formats: Sequence[str] = (),
) -> Measured:
    """Return the figures of `data_file`, or of `parts` combined into `staging`/.coverage.

    `python` and `variables` are the tests' environment. The reports asked for in `formats`
    and coverage.json are left in the folder `staging`. Raises IncompleteEvidence if coverage
    cannot combine or report.
    """
    request = Request(
        str(root),
        settings.config_file(root),
        tuple(parts),
        str(data_file) if data_file else None,
        tuple(formats),
    )
    raw = asdict(request)
    raw["parts"] = [{**asdict(part), "file": str(part.file)} for part in parts]
    store.write_json(staging / REQUEST, raw)
    (staging / ANSWER).unlink(missing_ok=True)
    # COVERAGE_FILE would win over the data file that is asked for.
    env = {**variables, "COVERAGE_FILE": str(data_file or staging / ".coverage")}
    done = process.run([python, "-m", "paceline.coverage", staging], cwd=root, env=env)
    answer = store.read_json(staging / ANSWER, "coverage answer")
    if done.exit_code or not isinstance(answer, dict):
        raise IncompleteEvidence(
            [f"coverage could not be reported (exit code {done.exit_code}):\n{done.output.strip()}"]
        )
    if answer["problems"]:
        raise IncompleteEvidence(answer["problems"])
    return _measured(answer, store.read_json(staging / REPORT, "coverage report"))


def _measured(answer: Mapping[str, Any], report: Any) -> Measured:
    if not isinstance(report, dict):
        raise IncompleteEvidence(["coverage left no report"])
    files = {
        PurePath(name).as_posix(): _file(PurePath(name).as_posix(), raw)
        for name, raw in report["files"].items()
    }
    return Measured(files, answer["fail_under"], answer["precision"], tuple(answer["left_out"]))


def _file(path: str, raw: Mapping[str, Any]) -> FileFigures:
    executed, missing = frozenset(raw["executed_lines"]), frozenset(raw["missing_lines"])
    return FileFigures(
        path,
        executed,
        missing,
        excluded=frozenset(raw["excluded_lines"]),
        taken=frozenset(map(tuple, raw.get("executed_branches", ()))),
        not_taken=frozenset(map(tuple, raw.get("missing_branches", ()))),
        statements=executed | missing,
    )
