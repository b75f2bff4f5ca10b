"""Where a run with records keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.impact.environment import surroundings
from paceline.impact.run import RECORDS_VARIABLE, Run


def begun(root: Path) -> Run:
    return Run.begin(root, surroundings({}, ""), {}, str(root))


def test_git_ignores_the_records(tmp_path: Path) -> None:
    """Else `git add -A` would take in what each run changes."""
    begun(tmp_path).end()
    assert (tmp_path / ".paceline" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_records_elsewhere_leave_the_project_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worktree uses those of the checkout that it belongs to."""
    monkeypatch.setenv(RECORDS_VARIABLE, str(tmp_path / "kept" / "records.db"))
    (tmp_path / "project").mkdir()
    begun(tmp_path / "project").end()
    assert (tmp_path / "kept").is_dir()
    assert list((tmp_path / "project").iterdir()) == []
