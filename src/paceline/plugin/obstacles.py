"""Why a run cannot record: tools of an unknown version, or a place that cannot be written."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

#: The major versions whose insides the recording was written for.
_KNOWN = {"pytest-testmon": "2", "coverage": "7"}


def obstacle(root: Path) -> str:
    """Return what keeps a run in the project at `root` from recording, "" if nothing does."""
    return _unknown_tools() or _unwritable(root)


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
