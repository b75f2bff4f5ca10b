"""Real pushes to bare remotes: each pushed commit is checked as it is, and as nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paceline import process
from paceline.testing import Project, PushedProject

#: One check that reads code.txt, and a hidden file beside it that must not count.
SETTINGS = """\
[tool.paceline]
environment = "current"

[tool.paceline.groups.unit]
prepush = false

[tool.paceline.steps.deps]
prepush = false

[tool.paceline.steps.words]
run = [["{python}", "check.py"]]
inputs = ["*.txt", "check.py", "lib/**"]
"""
CHECK = """\
from pathlib import Path

words = Path("code.txt").read_text() + "".join(
    file.read_text() for file in sorted(Path("lib").glob("*"))
)
assert "bad" not in words or Path("excuse.txt").exists(), "a bad word"
"""


FILES = {
    "pyproject.toml": SETTINGS.format(python=sys.executable),
    "check.py": CHECK,
    "code.txt": "good\n",
}


def push(project: PushedProject, *arguments: str) -> process.Result:
    """Push; nothing of a checked worktree may be left afterwards."""
    done = project.push(*arguments)
    assert "paceline-push-" not in project.git("worktree", "list")
    return done


@pytest.fixture
def repository(tmp_path: Path) -> PushedProject:
    """Make a pushed project with the hook installed."""
    project = PushedProject(tmp_path / "work")
    project.write(FILES)
    project.publish()
    return project


def refused(done: process.Result) -> None:
    assert done.exit_code != 0, done.output
    assert "a bad word" in done.output
    assert "1 failed" in done.output


def accepted(done: process.Result, verdict: str = "1 passed") -> None:
    assert done.exit_code == 0, done.output
    assert verdict in done.output


def test_a_good_commit_goes_through_and_a_bad_one_does_not(repository: PushedProject) -> None:
    """A clean checkout is checked in place, and its verdict decides the push."""
    good = repository.commit("good", {"code.txt": "fine\n"})
    done = push(repository)
    accepted(done)
    assert "in place: 1 file changed against origin/main" in done.output
    repository.commit("bad", {"code.txt": "bad\n"})
    refused(push(repository))
    assert repository.remote_ref("main") == good


def test_a_bad_commit_whose_fix_is_not_staged(repository: PushedProject) -> None:
    """A fix that lies in the working tree only does not save the commit."""
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.write({"code.txt": "good\n"})
    done = push(repository)
    refused(done)
    assert "in a worktree (the working tree has code.txt)" in done.output


def test_a_bad_commit_whose_fix_is_staged(repository: PushedProject) -> None:
    """A fix that is staged only does not save the commit."""
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.write({"code.txt": "good\n"})
    repository.git("add", "-A")
    refused(push(repository))


def test_a_good_commit_under_bad_changes(repository: PushedProject) -> None:
    """Changes that are not pushed cannot fail the push, and are there afterwards."""
    repository.commit("good", {"code.txt": "fine\n"})
    repository.write({"code.txt": "bad\n"})
    accepted(push(repository))
    assert (repository.root / "code.txt").read_text(encoding="utf-8") == "bad\n"


def test_a_branch_that_is_not_checked_out(repository: PushedProject) -> None:
    """What is pushed is checked, not what is checked out."""
    repository.git("checkout", "-q", "-b", "other")
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.git("checkout", "-q", "main")
    done = push(repository, "origin", "other")
    refused(done)
    assert "in a worktree (it is not checked out)" in done.output


def test_two_refs_the_second_bad(repository: PushedProject) -> None:
    """Every pushed ref is checked; one bad one stops the push."""
    repository.commit("good", {"code.txt": "fine\n"})
    repository.git("checkout", "-q", "-b", "other")
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.git("checkout", "-q", "main")
    done = push(repository, "origin", "main", "other")
    refused(done)
    assert "1 passed" in done.output


def test_two_refs_to_one_commit_are_checked_once(repository: PushedProject) -> None:
    """A commit that two refs carry is checked once, and both are named."""
    repository.commit("good", {"code.txt": "fine\n"})
    done = push(repository, "origin", "main", "main:copy")
    accepted(done)
    assert done.output.count("checking ") == 1
    assert "main -> main, main -> copy" in done.output


def test_an_untracked_file_that_makes_the_check_pass(repository: PushedProject) -> None:
    """A file that is not in the commit does not help it."""
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.write({"excuse.txt": ""})
    refused(push(repository))


def test_a_file_that_git_is_told_not_to_look_at(repository: PushedProject) -> None:
    """A changed file marked assume-unchanged is no clean tree."""
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.git("update-index", "--assume-unchanged", "code.txt")
    repository.write({"code.txt": "good\n"})
    refused(push(repository))


def test_a_new_branch(repository: PushedProject) -> None:
    """A new branch is compared with the newest commit that the remote has of it."""
    repository.git("checkout", "-q", "-b", "new")
    repository.commit("notes", {"notes.md": "x"})
    done = push(repository, "origin", "new")
    assert done.exit_code == 0, done.output
    assert "no input changed against" in done.output
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.git("branch", "newer")
    refused(push(repository, "origin", "newer"))


def test_a_deletion(repository: PushedProject) -> None:
    """Deleting a branch checks nothing and goes through."""
    repository.git("push", "-q", "--no-verify", "origin", "main:old")
    done = push(repository, "origin", "--delete", "old")
    assert done.exit_code == 0, done.output
    assert "no commit is pushed" in done.output
    assert repository.remote_ref("old") == ""


def test_a_deletion_beside_a_bad_branch(repository: PushedProject) -> None:
    """A deletion among the refs hides no other ref."""
    repository.git("push", "-q", "--no-verify", "origin", "main:old")
    repository.commit("bad", {"code.txt": "bad\n"})
    refused(push(repository, "origin", ":old", "main"))


@pytest.mark.parametrize("kind", [["tag"], ["tag", "-a", "-m", "annotated"]])
def test_a_tag(kind: list[str], repository: PushedProject) -> None:
    """The commit that a tag names is checked."""
    repository.commit("bad", {"code.txt": "bad\n"})
    repository.git(*kind, "v1")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    refused(push(repository, "origin", "v1"))


def test_a_tag_of_a_file(repository: PushedProject) -> None:
    """A tag that names no commit has nothing to check."""
    repository.git("tag", "blob", "HEAD:code.txt")
    done = push(repository, "origin", "blob")
    assert done.exit_code == 0, done.output
    assert "no commit is pushed" in done.output


def test_a_forced_push(repository: PushedProject) -> None:
    """A rewritten branch is compared with what it replaces."""
    repository.commit("more", {"code.txt": "fine\n"})
    accepted(push(repository))
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.commit("bad", {"code.txt": "bad\n"})
    refused(push(repository, "--force", "origin", "main"))
    repository.git("commit", "-q", "--amend", "--allow-empty", "-m", "reworded")
    repository.commit("good", {"code.txt": "rewritten\n"})
    done = push(repository, "--force", "origin", "main")
    accepted(done)
    assert "1 file changed against origin/main" in done.output


def test_a_forced_push_over_a_commit_that_is_not_here(
    repository: PushedProject, tmp_path: Path
) -> None:
    """Where the replaced commit was never fetched, what the remote is known to have counts."""
    repository.git("clone", "-q", str(repository.remote), str(tmp_path / "theirs"))
    theirs = Project(tmp_path / "theirs")
    theirs.write({"theirs.txt": "x"})
    theirs.git("add", "-A")
    theirs.git("commit", "-q", "-m", "theirs")
    theirs.git("push", "-q")
    repository.commit("bad", {"code.txt": "bad\n"})
    refused(push(repository, "--force", "origin", "main"))


def test_a_shallow_clone(repository: PushedProject, tmp_path: Path) -> None:
    """A clone without history checks what it pushes, right and wrong."""
    repository.commit("second", {"code.txt": "fine\n"})
    accepted(push(repository))
    clone = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth", "1", repository.remote.as_uri(), str(clone))
    project = PushedProject(clone)
    project.git("checkout", "-q", ".")
    assert project.invoke("hooks.install").exit_code == 0
    project.write({"code.txt": "bad\n"})
    project.git("commit", "-q", "-am", "bad")
    refused(push(project))
    refused(push(project, "origin", "main:new"))
    project.write({"code.txt": "good again\n"})
    project.git("commit", "-q", "-am", "good")
    accepted(push(project))


def test_a_push_from_a_linked_worktree(repository: PushedProject, tmp_path: Path) -> None:
    """The hook of the repository checks what a linked worktree pushes, in place there."""
    linked = tmp_path / "linked"
    repository.git("worktree", "add", "-q", "-b", "side", str(linked))
    project = PushedProject(linked)
    project.git("checkout", "-q", ".")
    project.write({"code.txt": "bad\n"})
    project.git("commit", "-q", "-am", "bad")
    refused(push(project, "origin", "side"))
    project.write({"code.txt": "good again\n"})
    project.git("commit", "-q", "-am", "good")
    done = push(project, "origin", "side")
    accepted(done)
    assert "in place" in done.output
    project.git("commit", "-q", "--allow-empty", "-m", "more")
    project.git("worktree", "list")


def test_a_push_with_submodules(repository: PushedProject, tmp_path: Path) -> None:
    """A submodule counts with the commit that the pushed commit pins."""
    allowed = ("-c", "protocol.file.allow=always")
    library = Project(tmp_path / "library")
    library.git("init", "-q", "-b", "main")
    library.write({"words": "good\n"})
    library.git("add", "-A")
    library.git("commit", "-q", "-m", "good")
    repository.git(*allowed, "submodule", "--quiet", "add", str(library.root), "lib")
    repository.commit("with a submodule")
    accepted(push(repository))
    inside = Project(repository.root / "lib")
    inside.git("checkout", "-q", ".")
    inside.write({"words": "bad\n"})
    inside.git("commit", "-q", "-am", "bad")
    repository.commit("pin the bad one")
    refused(push(repository))
    # The working tree goes back to the good one: what is pinned decides all the same.
    inside.git("checkout", "-q", "HEAD~1")
    done = push(repository)
    refused(done)
    assert "in a worktree (the working tree has lib)" in done.output
    repository.commit("pin the good one", {"code.txt": "fine\n"})
    repository.write({"lib/words": "bad\n"})
    accepted(push(repository))


def test_a_submodule_commit_that_is_not_here(repository: PushedProject, tmp_path: Path) -> None:
    """A pinned commit that nobody fetched is no pass."""
    allowed = ("-c", "protocol.file.allow=always")
    library = Project(tmp_path / "library")
    library.git("init", "-q", "-b", "main")
    library.git("add", "-A")
    library.git("commit", "-q", "-m", "good")
    repository.git(*allowed, "submodule", "--quiet", "add", str(library.root), "lib")
    repository.commit("with a submodule")
    lost = "1" * 40
    repository.git("update-index", "--cacheinfo", f"160000,{lost},lib")
    repository.git("commit", "-q", "-m", "pin what is nowhere")
    done = push(repository)
    assert done.exit_code != 0
    assert "submodule lib: commit 1111111111 is not here" in done.output


def test_a_receipt_makes_the_next_push_instant(repository: PushedProject) -> None:
    """`invoke prepush` before the push proves it, also after a rebase to an equal tree."""
    repository.commit("good", {"code.txt": "fine\n"})
    done = repository.invoke("prepush")
    assert done.exit_code == 0, done.output
    repository.git("commit", "-q", "--amend", "-m", "the same files")
    accepted(push(repository), "1 proven")
    listed = repository.invoke("receipts").output
    assert "words" in listed
    assert "dropped 1 receipt" in repository.invoke("receipts", "--drop", "words").output
    assert "no receipts" in repository.invoke("receipts").output


def test_a_receipt_holds_in_a_worktree_and_not_for_other_content(repository: PushedProject) -> None:
    """What was proven in place is proven for the same commit in a worktree, and only for it."""
    repository.commit("good", {"code.txt": "fine\n"})
    assert repository.invoke("prepush").exit_code == 0
    repository.write({"code.txt": "something else\n"})
    accepted(push(repository), "1 proven")
    accepted_tree = repository.invoke("prepush", "--commit", "HEAD")
    assert "in a worktree" in accepted_tree.output
    repository.commit("other", {"code.txt": "third\n"})
    accepted(push(repository), "1 passed")


def test_a_damaged_receipt_counts_for_nothing(repository: PushedProject) -> None:
    """A receipt with one changed letter is ignored, and the step runs."""
    repository.commit("good", {"code.txt": "fine\n"})
    assert repository.invoke("prepush").exit_code == 0
    (file,) = (repository.root / ".paceline" / "receipts").glob("*.json")
    file.write_text(file.read_text(encoding="utf-8").replace("words", "wards"), encoding="utf-8")
    accepted(push(repository), "1 passed")
    file.write_text("{", encoding="utf-8")
    repository.commit("another", {"code.txt": "finer\n"})
    accepted(push(repository), "1 passed")


def test_a_hook_that_was_there_is_kept_and_called(repository: PushedProject) -> None:
    """A project's own hook runs first with git's arguments and lines, and can refuse."""
    hooks = repository.root / ".git" / "hooks"
    (hooks / "pre-push").unlink()
    own = hooks / "pre-push"
    own.write_text('#!/bin/sh\necho "own: $1 $(cat)"\ntest ! -e refuse\n', encoding="utf-8")
    own.chmod(0o755)
    done = repository.invoke("hooks.install")
    assert "pre-push.before-paceline" in done.output
    assert repository.invoke("hooks.install").exit_code == 0  # twice is once
    repository.commit("good", {"code.txt": "fine\n", ".gitignore": "refuse\n"})
    done = push(repository)
    accepted(done)
    assert "own: origin refs/heads/main " in done.output
    repository.commit("more", {"code.txt": "finer\n"})
    repository.write({"refuse": ""})
    done = push(repository)
    assert done.exit_code != 0
    assert "checking" not in done.output


def test_a_folder_of_hooks_that_is_configured(repository: PushedProject, tmp_path: Path) -> None:
    """`core.hooksPath` is followed, and its hook does nothing in another repository."""
    (repository.root / ".git" / "hooks" / "pre-push").unlink()
    shared = tmp_path / "shared hooks"
    repository.git("config", "core.hooksPath", str(shared))
    assert str(shared) in repository.invoke("hooks.install").output
    repository.commit("bad", {"code.txt": "bad\n"})
    refused(push(repository))
    other = PushedProject(tmp_path / "other")
    (other.root / "pyproject.toml").unlink()
    other.git("init", "-q", "-b", "main")
    other.git("config", "core.hooksPath", str(shared))
    other.git("add", "-A")
    other.git("commit", "-q", "-m", "other")
    other.git("remote", "add", "origin", str(repository.remote))
    assert push(other, "origin", "main:from-other").exit_code == 0


def test_a_project_that_is_a_submodule(repository: PushedProject, tmp_path: Path) -> None:
    """A submodule has a hook of its own, which checks what the submodule pushes."""
    outer = PushedProject(tmp_path / "outer")
    outer.git("init", "-q", "-b", "main")
    allowed = ("-c", "protocol.file.allow=always")
    outer.git(*allowed, "submodule", "--quiet", "add", str(repository.remote), "inner")
    inner = PushedProject(outer.root / "inner")
    inner.git("checkout", "-q", ".")
    assert "modules/inner/hooks" in inner.invoke("hooks.install").output
    inner.commit("bad", {"code.txt": "bad\n"})
    refused(push(inner))
    inner.write({"code.txt": "good\n"})
    refused(push(inner))
    inner.commit("good", {"code.txt": "good again\n"})
    accepted(push(inner))
