"""Which lines changed, asked of real git in real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.coverage.changes import changed_lines, since_base, statements
from paceline.testing import Project

LONG = "".join(f"x{number} = {number}\n" for number in range(1, 21))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.write({"a.py": LONG, "gone.py": "1\n", "moved.py": LONG.replace("x", "m")})
    project.git("init", "-q", "-b", "main")
    commit(project)
    project.git("checkout", "-q", "-b", "topic")
    return project


def commit(project: Project) -> None:
    project.git("add", "--all")
    project.git("commit", "-q", "-m", "a change")


def lines(project: Project, branch: str = "main") -> dict[str, list[int]]:
    found = since_base(project.root, branch, {})
    assert found.files is not None, found.reason
    return {name: sorted(numbers) for name, numbers in found.files.items()}


def test_changed_added_deleted_and_renamed(project: Project) -> None:
    """Changed and added lines count, deleted ones, deleted files and plain renames do not."""
    text = LONG.replace("x3 = 3\n", "x3 = 4\nnew = 1\n").replace("x9 = 9\n", "")
    project.write({"a.py": text, "new dir/ünï.py": "a\nb\n"})
    (project.root / "gone.py").unlink()
    (project.root / "moved.py").rename(project.root / "other.py")
    commit(project)
    assert lines(project) == {"a.py": [3, 4], "new dir/ünï.py": [1, 2]}


def test_what_is_not_committed_counts_too(project: Project) -> None:
    """Changes in the working tree and files that git does not know are changed lines."""
    project.write({"a.py": LONG.replace("x20 = 20\n", "x20 = 21\n"), "new.py": "a\nb\n"})
    found = lines(project)
    assert found["a.py"] == [20]
    assert found["new.py"][:2] == [1, 2]


def test_only_the_change_counts_when_the_base_moves_on(project: Project) -> None:
    """What the base branch got since is not the change's: the merge base is compared with."""
    project.write({"a.py": LONG.replace("x1 = 1\n", "x1 = 2\n")})
    commit(project)
    project.git("checkout", "-q", "main")
    project.write({"a.py": LONG.replace("x20 = 20\n", "x20 = 21\n")})
    commit(project)
    project.git("checkout", "-q", "topic")
    assert lines(project) == {"a.py": [1]}


def test_configured_diffs_do_not_disturb(project: Project) -> None:
    """A person's own diff settings change nothing."""
    for option in ("diff.noprefix", "diff.mnemonicPrefix", "color.ui=always", "diff.external=no"):
        project.git("config", *(option.split("=") if "=" in option else (option, "true")))
    project.write({"a.py": LONG.replace("x5 = 5\n", "++ b/x = 5\n-- a\n"), ".gitattributes": ""})
    assert lines(project)["a.py"] == [5, 6]


def test_unknown_bases_are_said(project: Project, tmp_path: Path) -> None:
    """Without a repository or a base the changes are not known, and never empty."""
    assert since_base(tmp_path, "main", {}).files is None
    found = since_base(project.root, "main", {"GITHUB_BASE_REF": "release"})
    assert (found.files, found.reason) == (None, "there is no origin/release in this clone")
    found = since_base(project.root, "nowhere", {})
    assert found.files is None


def test_a_shallow_clone_is_said(project: Project, tmp_path: Path) -> None:
    """Where the merge base is out of reach, the reason says so."""
    for branch in ("topic", "main"):
        project.git("checkout", "-q", branch)
        project.git("commit", "-q", "--allow-empty", "-m", f"on {branch}")
    clone = Project(tmp_path / "clone")
    clone.git("init", "-q")
    clone.git("remote", "add", "origin", project.root.as_uri())
    clone.git("fetch", "-q", "--depth=1", "origin", "main", "topic")
    clone.git("fetch", "-q", "--depth=1", "origin", "+refs/heads/*:refs/remotes/origin/*")
    clone.git("checkout", "-q", "-f", "-b", "topic", "origin/topic")
    found = since_base(clone.root, "main", {})
    assert (found.files, found.reason) == (
        None,
        "no common commit with origin/main (a shallow clone?)",
    )


@pytest.mark.parametrize(
    ("variable", "value", "base"),
    [
        ("GITHUB_BASE_REF", "main", "origin/main"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main", "origin/main"),
        ("CI_COMMIT_TARGET_BRANCH", "main", "origin/main"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "main~0", "main~0"),
    ],
)
def test_ci_names_the_base(project: Project, variable: str, value: str, base: str) -> None:
    """Each provider's own word for the base of a pull request is taken."""
    project.git("update-ref", "refs/remotes/origin/main", "main")
    assert since_base(project.root, "other", {variable: value}).reason == f"against {base}"


def test_quoted_names() -> None:
    """git's quoted names, with bytes beyond ASCII and control characters, are read back."""
    diff = '+++ "b/t\\303\\274r\\t.py"\n@@ -0,0 +1,2 @@\n+a\n++++ b/no.py\n'
    diff += "+++ b/b c.py\t\n@@ -1 +1 @@\n-a\n+b"
    assert changed_lines(diff) == {"tür\t.py": {1, 2}, "b c.py": {1}}


def test_a_line_inside_a_statement_belongs_to_its_first_line() -> None:
    """Lines of calls, headers and texts that span several lines mean the statement's first."""
    source = 'f(\n    1,\n    2,\n)\nx = """\na\n"""\n@d(\n    3\n)\ndef g(\n    a,\n): return a\n'
    found = statements(source)
    assert {line: first for line, first in found.items() if line != first} == {
        **dict.fromkeys((2, 3, 4), 1),
        **dict.fromkeys((6, 7), 5),
        **dict.fromkeys((9, 10), 8),
        **dict.fromkeys((12, 13), 11),
    }
    with pytest.raises(ValueError, match="cannot be read"):
        statements("f(\n")
