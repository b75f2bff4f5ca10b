"""The recorded total of a branch: a committed file, so that every clone reads the same figure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from paceline import git, store
from paceline.coverage.changes import Changes
from paceline.coverage.figures import Total
from paceline.coverage.gates import Unknown

VERSION = 1
FILE = "ci/coverage.json"
_RECORD = f"record it on the base branch: nox -s coverage -- --store-coverage, and commit {FILE}"


def write(root: Path, figure: Total) -> Path:
    """Record `figure` as the total of this project's state; return the file."""
    path = root / FILE
    store.write_json(path, {"version": VERSION, **asdict(figure)})
    return path


def recorded(root: Path, changes: Changes) -> Total | Unknown:
    """Return the total that was recorded where `changes` left the base branch."""
    if changes.base is None:
        return Unknown(changes.reason, "the job needs the whole history (fetch-depth: 0)")
    text = git.git(root, "show", f"{changes.base}:./{FILE}")
    if text is None:
        return Unknown(f"{changes.base[:12]} has no {FILE}", _RECORD)
    try:
        raw = json.loads(text)
        if raw.pop("version") == VERSION and all(type(value) is int for value in raw.values()):
            return Total(**raw)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return Unknown(f"{FILE} in {changes.base[:12]} cannot be used", _RECORD)
