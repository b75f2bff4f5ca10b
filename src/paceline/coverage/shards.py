"""From the shards' folders to the combined data file and the reports in .paceline/reports."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from paceline import store
from paceline.coverage import evidence
from paceline.coverage.combine import Part
from paceline.coverage.measure import REPORT, Measured, measure
from paceline.errors import IncompleteEvidence

#: In the order in which they are put in place: all others derive from the data.
RESULTS = (".coverage", REPORT, "coverage.xml", "html")
_STAGING = ".combining-"


def combine_shards(
    root: Path,
    folders: Sequence[Path],
    reports: Path,
    python: Path,
    variables: Mapping[str, str],
) -> Measured:
    """Combine the data of the shards in `folders` into `reports` and return its figures.

    The shards' own data is kept, and what `reports` held before stays until all of the new
    is there. `python` and `variables` are the tests' environment. Raises IncompleteEvidence,
    with the shards named, if some data is absent, damaged, foreign or of another kind.
    """
    # Imported here: listing the sessions must not pay for it.
    from filelock import FileLock

    found = evidence.check(folders, root)
    parts = [
        Part(each.shard, folder / evidence.DATA, each.root)
        for each, folder in zip(found, folders, strict=True)
    ]
    try:
        reports.mkdir(parents=True, exist_ok=True)
        with FileLock(reports / ".lock"):
            for left in reports.glob(f"{_STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=reports))
            try:
                measured = measure(
                    root, staging, python, variables, parts=parts, formats=("xml", "html")
                )
                for name in RESULTS:
                    store.adopt(staging / name, reports / name)
            except IncompleteEvidence as error:
                # coverage itself cannot know which shard brought a file that is not here.
                problems = [*error.problems, *evidence.absent(found, root)]
                raise IncompleteEvidence(problems, error.hint) from error
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise IncompleteEvidence(
            [f"the combined coverage cannot be written: {error}"],
            "what was there before is unchanged; make room, and run this again",
        ) from error
    return measured
