"""Which lines a change touches, against the point where it left its base branch."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline import git

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True)
class Changes:
    """The lines changed in each file since `base`; `files` is None where it cannot be told.

    `reason` says in plain words what was compared, or why nothing could be.
    """

    files: Mapping[str, frozenset[int]] | None
    reason: str
    #: The commit where the change left its base branch.
    base: str | None = None


def since_base(root: Path, branch: str, environ: Mapping[str, str]) -> Changes:
    """Return what the working tree changes since it left its base branch.

    The base is what CI says a pull request goes to, else `branch` of origin, else the default
    branch of origin, else the local `branch`. In a shallow clone the point may be out of reach.
    """
    if git.head(root) is None:
        return Changes(None, "no git repository with a commit")
    named = _named_by_ci(environ)
    names = [named] if named else [f"origin/{branch}", "origin/HEAD", branch]
    for name in names:
        if git.commit(root, name) is None:
            continue
        base = git.git(root, "merge-base", name, "HEAD")
        if base is None:
            return Changes(None, f"no common commit with {name} (a shallow clone?)")
        base = base.strip()
        files = _files(root, base)
        text = f"against {name}" if files is not None else f"git cannot compare with {name}"
        return Changes(files, text, base)
    return Changes(None, f"there is no {' and no '.join(names)} in this clone")


def _named_by_ci(environ: Mapping[str, str]) -> str:
    """Return the base of the pull request, as GitHub, GitLab and Woodpecker tell their jobs."""
    if environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"):
        return environ["CI_MERGE_REQUEST_DIFF_BASE_SHA"]
    for variable in (
        *("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_COMMIT_TARGET_BRANCH"),
    ):
        if environ.get(variable):
            return f"origin/{environ[variable]}"
    return ""


def _files(root: Path, base: str) -> Mapping[str, frozenset[int]] | None:
    # Whatever a person has configured, the text is the same: a program reads it.
    diff = git.git(
        root,
        *("diff", "--unified=0", "--inter-hunk-context=0", "--find-renames", "--relative"),
        *("--no-color", "--no-ext-diff", "--no-textconv", "--text", "--ignore-submodules"),
        *("--src-prefix=a/", "--dst-prefix=b/", base, "--"),
    )
    new = git.git(root, "ls-files", "-z", "--others", "--exclude-standard")
    if diff is None or new is None:
        return None
    # A new file that git does not know yet is changed as a whole.
    whole = {name: _all_lines(root / name) for name in new.split("\0") if name}
    return {**whole, **changed_lines(diff)}


def _all_lines(path: Path) -> frozenset[int]:
    try:
        return frozenset(range(1, path.read_bytes().count(b"\n") + 2))
    except OSError:
        return frozenset()


def changed_lines(diff: str) -> dict[str, frozenset[int]]:
    """Return the added and changed lines of each file in `diff`, which has no context lines."""
    found: dict[str, set[int]] = {}
    name, skip = "", 0
    for line in diff.split("\n"):
        # What a hunk holds may look like a header, so it is counted and skipped.
        if skip and line[:1] in ("+", "-"):
            skip -= 1
        elif line.startswith("+++ "):
            name = _path(line[4:])
        elif name and (hunk := _HUNK.match(line)):
            removed, first, added = (int(part or 1) for part in hunk.groups())
            skip = removed + added
            found.setdefault(name, set()).update(range(first, first + added))
    return {path: frozenset(lines) for path, lines in found.items() if lines}


def _path(text: str) -> str:
    """Return the path of a `+++` line; git ends names that hold a space with a tab."""
    text = text.removesuffix("\t")
    if text.startswith('"') and text.endswith('"'):
        # git quotes names with control characters as C does, byte by byte.
        plain = text[1:-1].encode("utf-8").decode("unicode_escape")
        text = plain.encode("latin-1").decode("utf-8", "surrogateescape")
    return "" if text == "/dev/null" else text.removeprefix("b/")


def statements(source: str) -> dict[int, int]:
    """Return for each line of a statement over several lines the statement's first line.

    coverage counts a statement at its first line, so a change further down counts there too.
    Raises ValueError if `source` cannot be taken apart.
    """
    found: dict[int, int] = {}
    first = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
                continue
            first = first or token.start[0]
            if token.type == tokenize.NEWLINE:
                found |= dict.fromkeys(range(first, token.end[0] + 1), first)
                first = 0
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"cannot be read as Python: {error}") from error
    return found
