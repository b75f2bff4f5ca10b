"""The recorded total: read at the merge base, and never guessed where it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paceline.coverage import baseline
from paceline.coverage.changes import Changes, since_base
from paceline.coverage.figures import Total
from paceline.coverage.gates import Unknown
from paceline.testing import Project

BEFORE = Total(100, 90, 10, 5)


def repository(root: Path, record: str | None) -> Project:
    """Return a project on a branch, with `record` in what it branched from."""
    project = Project(root)
    if record is not None:
        project.write({baseline.FILE: record})
    project.git("init", "-q", "-b", "main")
    project.git("add", ".")
    project.git("commit", "-q", "-m", "base")
    project.git("checkout", "-q", "-b", "topic")
    return project


def test_the_record_of_the_base_is_read_not_ones_own(tmp_path: Path) -> None:
    """What a change records for itself does not move the figure it is compared with."""
    baseline.write(tmp_path, BEFORE)
    project = repository(tmp_path, None)
    baseline.write(tmp_path, Total(100, 1, 10, 0))
    project.git("commit", "-q", "-a", "-m", "lower")
    assert baseline.recorded(tmp_path, since_base(tmp_path, "main", {})) == BEFORE


@pytest.mark.parametrize(
    "record",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"version": 2, "lines": 1}),
        json.dumps({"version": 1, "lines": "many"}),
        json.dumps({"version": 1, "other": 1}),
    ],
    ids=["damaged", "list", "empty", "newer", "text", "unknown"],
)
def test_an_unusable_record_is_not_known(tmp_path: Path, record: str) -> None:
    """A damaged record, or one of another version, is not known, and no figure is made up."""
    repository(tmp_path, record)
    found = baseline.recorded(tmp_path, since_base(tmp_path, "main", {}))
    assert isinstance(found, Unknown)
    assert "cannot be used" in found.reason


def test_no_record_and_no_base_are_not_known(tmp_path: Path) -> None:
    """Without a record, or without a base to look at, the reason and what to do are said."""
    repository(tmp_path, None)
    found = baseline.recorded(tmp_path, since_base(tmp_path, "main", {}))
    assert isinstance(found, Unknown)
    assert "has no ci/coverage.json" in found.reason
    assert "--store-coverage" in found.hint
    found = baseline.recorded(tmp_path, Changes(None, "no git"))
    assert isinstance(found, Unknown)
    assert found.reason == "no git"
