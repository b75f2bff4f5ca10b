"""Combines the coverage data of proven shards with coverage.py itself."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paceline.errors import IncompleteEvidence

if TYPE_CHECKING:
    from coverage import Coverage


@dataclass(frozen=True)
class Combined:
    """The combined coverage: the data file, coverage's report text, the total in percent."""

    data_file: Path
    report: str
    total: float
    fail_under: float


def combine(folders: Sequence[Path], data_file: Path, fail_under: float) -> Combined:
    """Combine the data of the shards in `folders` into `data_file` and report on it.

    The shards' own data is kept. `fail_under` 0 means the project's own setting. Raises
    IncompleteEvidence naming the shards whose data is absent, damaged or of another kind.
    """
    # Imported here: listing the sessions must not pay for coverage.
    import coverage
    from coverage.exceptions import CoverageException

    files = _data_files(folders)
    data_file.parent.mkdir(parents=True, exist_ok=True)
    temporary = data_file.with_name(f"{data_file.name}.new")
    temporary.unlink(missing_ok=True)
    measured = coverage.Coverage(data_file=str(temporary), data_suffix=False)
    try:
        # One by one, so that the shard with unusable data is named.
        for file in files:
            try:
                measured.combine([str(file)], strict=True, keep=True)
            except CoverageException as error:
                raise IncompleteEvidence([f"{file.parent.name}: {error}"]) from error
        measured.save()
        text = io.StringIO()
        omit = _omit(measured, text)
        total = measured.report(file=text, omit=omit)
        measured.xml_report(outfile=str(data_file.parent / "coverage.xml"), omit=omit)
    except CoverageException as error:
        raise IncompleteEvidence([f"coverage cannot report: {error}"]) from error
    finally:
        measured.get_data().close()
    temporary.replace(data_file)
    wanted = fail_under or float(str(measured.get_option("report:fail_under") or 0))
    return Combined(data_file, text.getvalue(), total, wanted)


def _omit(measured: Coverage, text: io.StringIO) -> list[str]:
    """Return what the report leaves out: the project's own `omit`, and files that are no Python.

    A template that was compiled under its own name is traced like a module. coverage stops at
    one without an extension, since it could be a script; here it is left out and said so.
    """
    templates = sorted(
        name for name in measured.get_data().measured_files() if _is_template(Path(name))
    )
    for name in templates:
        text.write(f"{Path(name).name}: traced, but not Python: left out\n")
    chosen = measured.get_option("report:omit") or []
    return [*(chosen if isinstance(chosen, list) else [str(chosen)]), *templates]


def _is_template(path: Path) -> bool:
    if path.suffix or not path.is_file():
        return False
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return True
    return False


def _data_files(folders: Sequence[Path]) -> list[Path]:
    missing = [
        f"shard {folder.name} of {folder.parent.name} left no coverage data"
        for folder in folders
        if not (folder / "coverage.data").is_file()
    ]
    if missing:
        raise IncompleteEvidence(missing, "run these shards again, without --no-cov")
    return [folder / "coverage.data" for folder in folders]
