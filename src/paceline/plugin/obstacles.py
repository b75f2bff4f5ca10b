"""Why a run cannot record: unknown tools, a place that cannot be written, other measuring."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

#: The major versions whose insides the recording was written for.
_KNOWN = {"pytest-testmon": "2", "coverage": "7"}


#: Tells the workers of a run that cannot record why: its process, and the obstacle.
_VARIABLE = "PACELINE_IMPACT_OBSTACLE"


def obstacle(config: pytest.Config) -> str:
    """Return what keeps this run from recording, "" if nothing does."""
    found = _measured_from_outside() or _unknown_tools() or _unwritable(config.rootpath)
    if found:
        os.environ[_VARIABLE] = f"{os.getpid()} {found}"
        config.add_cleanup(_forget)
    return found


def has_obstacle_of_its_run() -> bool:
    """Return whether this is a worker of a run that cannot record, and has said so."""
    process, _, found = os.environ.get(_VARIABLE, "").partition(" ")
    # A test of a worker may start a pytest of its own.
    return "PYTEST_XDIST_WORKER" in os.environ and process == str(os.getppid()) and bool(found)


def _forget() -> None:
    os.environ.pop(_VARIABLE, None)


def _measured_from_outside() -> str:
    """Return what is in the way where coverage measures pytest itself, as `coverage run` does.

    It would measure only what is not left out, and nothing would say what that lacks. A run that
    is measured because a measured test started it has no report of its own.
    """
    coverage = sys.modules.get("coverage")
    if coverage is None or coverage.Coverage.current() is None:
        return ""
    if coverage.Coverage.current() is getattr(coverage.process_startup, "coverage", None):
        return ""
    return "coverage measures this run from outside, use pytest --cov"


def _unknown_tools() -> str:
    for name, major in _KNOWN.items():
        found = metadata.version(name)
        if found.partition(".")[0] != major:
            return f"{name} {found} is not known to this version of Paceline"
    return ""


def _unwritable(root: Path) -> str:
    from paceline.impact.run import records_file

    records = records_file(root)
    if records.is_dir():
        return f"{records} is a folder"
    above = next(folder for folder in records.parents if folder.exists())
    for place in (root, root / ".testmondata", above, records):
        if place.exists() and not os.access(place, os.W_OK):
            return f"{place} cannot be written"
    return ""
