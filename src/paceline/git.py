"""The only place that calls git. Every function works, or says it cannot, without a repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Exported by git to its hooks; they would point our git calls at another tree.
SCRUBBED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True)
class Change:
    """What differs from `base`: project-relative paths, or None where it cannot be told.

    `reason` says in plain words what was compared, or why nothing could be.
    """

    files: frozenset[str] | None
    reason: str


def git(root: Path, *arguments: str) -> str | None:
    """Return git's output in `root`, or None if git is missing or the command fails."""
    env = {key: value for key, value in os.environ.items() if key not in SCRUBBED}
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            check=False,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError:
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None


def head(root: Path) -> str | None:
    """Return the commit that is checked out, or None (no git, no repository, no commits)."""
    text = git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return text.strip() if text else None


def dirty(root: Path) -> bool:
    """Return whether tracked files differ from HEAD; True when that cannot be told."""
    text = git(root, "status", "--porcelain", "--untracked-files=no")
    return text is None or bool(text.strip())


def files(root: Path) -> list[str] | None:
    """Return tracked and untracked, not ignored files under `root`, sorted; None without git."""
    text = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return None if text is None else sorted({name for name in text.split("\0") if name})


def project_files(root: Path) -> list[str]:
    """Return the project's files, sorted: git's view, else everything but caches.

    Without git, folders that start with a dot and build leftovers do not count.
    """
    known = files(root)
    if known is not None:
        return known
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_cache(name)]
        place = Path(folder).relative_to(root)
        found += [(place / name).as_posix() for name in names if not name.endswith(".pyc")]
    return sorted(name for name in found if not name.startswith("."))


def _is_cache(folder: str) -> bool:
    return folder.startswith(".") or folder in ("__pycache__", "node_modules", "build", "dist")


def change_since_upstream(root: Path) -> Change:
    """Return what the working tree, untracked files too, changes against what is upstream.

    The base is the upstream branch, else the remote's default branch. Without git, without
    commits, without either base, or where a shallow clone hides the merge base, the change
    is unknown and everything must run.
    """
    if git(root, "rev-parse", "--git-dir") is None:
        return Change(None, "no git repository")
    if head(root) is None:
        return Change(None, "the repository has no commits")
    for base in ("@{upstream}", "origin/HEAD", "origin/main", "origin/master"):
        name = git(root, "rev-parse", "--abbrev-ref", "--verify", "--quiet", base)
        if name is not None:
            return _change_against(root, base, name.strip() or base)
    return Change(None, "no upstream branch")


def _change_against(root: Path, base: str, name: str) -> Change:
    merge_base = git(root, "merge-base", base, "HEAD")
    if merge_base is None:
        return Change(None, f"no common commit with {name} (a shallow clone?)")
    listed = [
        git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", merge_base.strip()),
        git(root, "ls-files", "-z", "--others", "--exclude-standard"),
    ]
    return Change(_names(listed), f"against {name}")


def _names(listed: Sequence[str | None]) -> frozenset[str] | None:
    if any(text is None for text in listed):
        return None
    return frozenset(name for text in listed for name in (text or "").split("\0") if name)
