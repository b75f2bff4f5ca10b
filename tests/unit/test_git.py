"""Every question to git has an answer, also where there is no repository to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline import git
from paceline.testing import Project


def repository(root: Path) -> Project:
    project = Project(root)
    project.git("init", "-q", "-b", "main")
    return project


def commit(project: Project, message: str = "change") -> None:
    project.git("add", "-A")
    project.git("commit", "-q", "-m", message)


def with_upstream(tmp_path: Path, folder: str = "work") -> Project:
    project = repository(tmp_path / folder)
    commit(project)
    project.git("init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    project.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    project.git("push", "-q", "-u", "origin", "main")
    return project


def test_no_repository(tmp_path: Path) -> None:
    """Outside a repository the change is unknown, and every other question says so."""
    assert git.change_since_upstream(tmp_path) == git.Change(None, "no git repository")
    assert git.head(tmp_path) is None
    assert git.files(tmp_path) is None
    assert git.dirty(tmp_path)


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git is as a folder without a repository."""
    repository(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert git.git(tmp_path, "status") is None
    assert git.change_since_upstream(tmp_path).files is None


def test_no_commits(tmp_path: Path) -> None:
    """A repository without a commit has files, but no known change."""
    project = repository(tmp_path)
    assert git.change_since_upstream(tmp_path) == git.Change(None, "the repository has no commits")
    assert git.head(tmp_path) is None
    assert "noxfile.py" in (git.files(project.root) or [])


def test_no_upstream(tmp_path: Path) -> None:
    """Without a remote there is nothing to compare with."""
    commit(repository(tmp_path))
    assert git.change_since_upstream(tmp_path) == git.Change(None, "no upstream branch")
    assert len(git.head(tmp_path) or "") == 40


def test_nothing_changed(tmp_path: Path) -> None:
    """Right after a push no file differs, and the reason names the upstream branch."""
    project = with_upstream(tmp_path)
    assert git.change_since_upstream(project.root) == git.Change(frozenset(), "against origin/main")
    assert not git.dirty(project.root)


def test_every_kind_of_change_counts(tmp_path: Path) -> None:
    """Committed, edited, staged, deleted, renamed and untracked files are all in the change."""
    project = repository(tmp_path / "seed")
    project.write({"old.txt": "1" * 99, "gone.txt": "", "edited.txt": "", ".gitignore": "junk\n"})
    project = with_upstream(tmp_path, "seed")
    project.write({"committed.txt": ""})
    project.git("mv", "old.txt", "new.txt")
    commit(project)
    project.write({"staged.txt": "", "edited.txt": "2", "untracked ä.txt": "", "junk": ""})
    project.git("add", "staged.txt")
    (project.root / "gone.txt").unlink()
    assert git.change_since_upstream(project.root).files == frozenset(
        {
            "committed.txt",
            "old.txt",
            "new.txt",
            "staged.txt",
            "edited.txt",
            "untracked ä.txt",
            "gone.txt",
        }
    )
    assert git.dirty(project.root)


def test_what_upstream_added_is_no_change_of_ours(tmp_path: Path) -> None:
    """The base is the common commit, so others' later work does not count."""
    project = with_upstream(tmp_path)
    project.write({"theirs.txt": ""})
    commit(project)
    project.git("push", "-q")
    project.git("reset", "-q", "--hard", "HEAD~1")
    project.write({"ours.txt": ""})
    assert git.change_since_upstream(project.root).files == frozenset({"ours.txt"})


def test_a_detached_head_is_compared_with_the_default_branch(tmp_path: Path) -> None:
    """Without a branch there is no upstream, but the remote's main branch is known."""
    project = with_upstream(tmp_path)
    project.git("checkout", "-q", "--detach")
    project.write({"new.txt": ""})
    change = git.change_since_upstream(project.root)
    assert change == git.Change(frozenset({"new.txt"}), "against origin/main")


def test_no_common_commit(tmp_path: Path) -> None:
    """Where the histories do not meet, as in a shallow clone, the change is unknown."""
    project = with_upstream(tmp_path)
    project.git("checkout", "-q", "--orphan", "other")
    commit(project, "another root")
    project.git("branch", "-q", "--set-upstream-to", "origin/main")
    change = git.change_since_upstream(project.root)
    assert change.files is None
    assert "no common commit with origin/main" in change.reason


def test_a_project_below_the_repository(tmp_path: Path) -> None:
    """Paths are relative to the project, and changes beside it are not its own."""
    outer = repository(tmp_path / "seed")
    inner = Project(outer.root / "in ner")
    with_upstream(tmp_path, "seed")
    inner.write({"mine.txt": "", "sub/deep.txt": ""})
    outer.write({"other.txt": ""})
    assert git.change_since_upstream(inner.root).files == frozenset({"mine.txt", "sub/deep.txt"})
    assert "mine.txt" in (git.files(inner.root) or [])


def test_a_hooks_variables_do_not_point_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git exports its own folders to a hook; the project's folder decides all the same."""
    project = with_upstream(tmp_path)
    head = git.head(project.root)
    for name in git.SCRUBBED:
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert git.head(project.root) == head
    assert git.change_since_upstream(project.root).files == frozenset()


def test_project_files_without_git(tmp_path: Path) -> None:
    """Without git every file counts but hidden ones, bytecode and build leftovers."""
    project = Project(tmp_path)
    project.write({"a.py": "", "data/x.json": "", "m.pyc": "", ".hidden": "", ".tox/a.py": ""})
    project.write({"build/a.py": "", "__pycache__/b.py": "", "pkg/__pycache__/b.py": ""})
    assert git.project_files(tmp_path) == [
        "a.py",
        "data/x.json",
        "noxfile.py",
        "pyproject.toml",
        "tasks.py",
    ]


def test_content_is_what_a_commit_of_everything_would_hold(tmp_path: Path) -> None:
    """Edits and untracked files count, ignored files and bytecode do not; nothing is written."""
    project = repository(tmp_path)
    project.write({"a.txt": "1", ".gitignore": "junk\n", "pkg/__pycache__/a.pyc": "x"})
    project.git("add", "a.txt", ".gitignore")
    project.git("commit", "-q", "-m", "first")
    project.git("add", "noxfile.py", "tasks.py", "pyproject.toml")
    project.git("commit", "-q", "-m", "rest")
    assert git.differences(tmp_path) == []
    assert git.content(tmp_path) == git.listing(tmp_path, "HEAD")
    project.write({"a.txt": "2", "new ä.txt": "3", "junk": "4"})
    now = git.content(tmp_path)
    assert git.differences(tmp_path) == ["a.txt", "new ä.txt"]
    status = project.git("status", "--porcelain")
    project.git("add", "a.txt", "new ä.txt")
    project.git("commit", "-q", "-m", "all of it")
    assert now == git.listing(tmp_path, "HEAD")
    assert "?? " in status  # the index was left alone


def test_content_is_unknown_where_git_looks_away(tmp_path: Path) -> None:
    """A file marked assume-unchanged differs by definition, and the content is unknown."""
    project = repository(tmp_path)
    commit(project)
    project.git("update-index", "--assume-unchanged", "tasks.py")
    assert git.differences(tmp_path) == ["tasks.py"]
    assert git.content(tmp_path) is None
    assert git.content(tmp_path / "..") is None
