"""Runs coverage.py in the interpreter of the tests: `python -m paceline.coverage FOLDER`.

Only there are the project's coverage plugins installed, and only there does coverage parse the
code as it was parsed when it was measured. `measure.py` makes the request and reads the answer.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paceline import store
from paceline.coverage.combine import Part, combine
from paceline.coverage.measure import ANSWER, REQUEST, Request
from paceline.errors import IncompleteEvidence

if TYPE_CHECKING:
    from coverage import Coverage


def main(folder: Path) -> int:
    """Do what `folder`/request.json asks; leave the reports and answer.json in `folder`."""
    raw: Any = store.read_json(folder / REQUEST, "coverage request")
    request = Request(**{**raw, "parts": tuple(_part(part) for part in raw["parts"])})
    answer: dict[str, Any] = {"problems": []}
    try:
        answer |= _report(request, folder)
    except IncompleteEvidence as error:
        answer["problems"] = list(error.problems)
    store.write_json(folder / ANSWER, answer)
    return 0


def _part(raw: dict[str, str]) -> Part:
    return Part(raw["name"], Path(raw["file"]), raw["root"])


def _report(request: Request, folder: Path) -> dict[str, Any]:
    # Imported here, where a failing import of a plugin can be told apart.
    import coverage
    from coverage.exceptions import CoverageException

    data_file = request.data_file or str(folder / ".coverage")
    try:
        measured = coverage.Coverage(
            data_file=data_file, data_suffix=False, config_file=request.config_file
        )
        try:
            if request.data_file is None:
                combine(measured, request.parts, Path(request.root))
            else:
                measured.load()
            return _write_reports(measured, request, folder)
        finally:
            measured.get_data().close()
    except CoverageException as error:
        raise IncompleteEvidence([f"coverage cannot report: {error}"]) from error
    except OSError as error:
        raise IncompleteEvidence([f"the coverage reports cannot be written: {error}"]) from error
    except ImportError as error:
        raise IncompleteEvidence([f"a coverage plugin cannot be imported: {error}"]) from error


def _write_reports(measured: Coverage, request: Request, folder: Path) -> dict[str, Any]:
    templates = sorted(
        name for name in measured.get_data().measured_files() if _is_template(Path(name))
    )
    chosen = measured.get_option("report:omit") or []
    omit = [*(chosen if isinstance(chosen, list) else [str(chosen)]), *templates]
    measured.json_report(outfile=str(folder / "coverage.json"), omit=omit)
    if "xml" in request.formats:
        measured.xml_report(outfile=str(folder / "coverage.xml"), omit=omit)
    if "html" in request.formats:
        measured.html_report(directory=str(folder / "html"), omit=omit)
    return {
        "left_out": [os.path.relpath(name) for name in templates],
        "fail_under": float(str(measured.get_option("report:fail_under") or 0)),
        "precision": int(str(measured.get_option("report:precision") or 0)),
    }


def _is_template(path: Path) -> bool:
    """Whether `path` is a file without an extension that is no Python.

    A template that was compiled under its own name is traced like a module. coverage stops at
    one without an extension, since it could be a script.
    """
    if path.suffix or not path.is_file():
        return False
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
