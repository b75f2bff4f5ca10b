"""Where a pushed commit is checked: in place if the tree is exactly it, else in a worktree.

A worktree lies in the system's folder for temporary files, so that no tool finds another
configuration above it. Before it is made, a note names it, below a lock that lasts as long as
its process. A lock that is free belongs to a process that was killed, be its note written or
not: the next run removes what it left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paceline import git, store
from paceline.errors import IncompleteEvidence

PREFIX = "paceline-push-"

#: So often a worktree is tried to be made.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Checkout:
    """The files that are checked."""

    #: The project's folder in it.
    root: Path
    #: The project's folder in the user's own checkout, which keeps environments and state.
    home: Path
    #: The commit that the files are; None if they are the working tree with its changes.
    commit: str | None
    #: Why the files are not the user's own; empty if they are.
    reason: str = ""

    @property
    def in_place(self) -> bool:
        """Whether the files are the user's own."""
        return self.root == self.home


@contextlib.contextmanager
def of_commit(home: Path, commit: str) -> Iterator[Checkout]:
    """Give a checkout of exactly `commit` while the block runs.

    `home` is the project's folder in the user's checkout. Raises IncompleteEvidence if
    the commit cannot be checked out.
    """
    place = git.place(home)
    if place is None:
        raise IncompleteEvidence([f"{home}: no git checkout"], "push from a checkout")
    remove_leftovers(home, place.common)
    reason = _why_not_in_place(home, commit)
    if not reason:
        yield Checkout(home, home, commit)
        return
    with _worktree(home, place, commit) as top:
        yield Checkout(top / place.prefix, home, commit, reason)


def working_tree(home: Path) -> Checkout:
    """Return the user's own checkout as it is now."""
    head = git.commit(home, "HEAD")
    return Checkout(home, home, head if head and git.differences(home) == [] else None)


def _why_not_in_place(home: Path, commit: str) -> str:
    if git.commit(home, "HEAD") != commit:
        return "it is not checked out"
    differing = git.differences(home)
    if differing is None:
        return "git cannot tell whether the working tree is clean"
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"the working tree has {', '.join(differing[:3])}{more}" if differing else ""


@contextlib.contextmanager
def _worktree(home: Path, place: git.Place, commit: str) -> Iterator[Path]:
    # Imported here: most pushes need no worktree.
    from filelock import FileLock

    name = f"{PREFIX}{os.urandom(6).hex()}"
    folder = Path(tempfile.gettempdir()).resolve() / name
    notes = _notes(place.common)
    notes.mkdir(parents=True, exist_ok=True)
    note = notes / f"{name}.json"
    with FileLock(note.with_suffix(".lock")):
        store.write_json(note, {"folder": str(folder)})
        try:
            if not _is_added(home, folder, commit):
                raise IncompleteEvidence(
                    [f"{commit[:10]} cannot be checked out in {folder}"],
                    "look at the free space, and run `git fsck`",
                )
            _fill_submodules(place.top, folder, commit)
            yield folder
        finally:
            _remove(home, place.common, note, folder)


def _is_added(home: Path, folder: Path, commit: str) -> bool:
    """Check the commit out in `folder`; return whether that worked.

    git reads what there is of other worktrees, and fails if another push has one half made.
    """
    for _ in range(_ATTEMPTS):
        folder.mkdir(mode=0o700, exist_ok=True)  # git removes it when it fails
        if git.add_worktree(home, folder, commit):
            return True
    return False


def _fill_submodules(source: Path, target: Path, commit: str) -> None:
    """Write the files of every submodule that `source` has, as `commit` pins it."""
    for path, entry in (git.listing(source, commit) or {}).items():
        mode, _, pinned = entry.partition(" ")
        module = source / path
        if mode != git.GITLINK or not (module / ".git").exists():
            continue
        if git.commit(module, pinned) is None or not git.export(module, pinned, target / path):
            raise IncompleteEvidence(
                [f"submodule {path.rstrip('/')}: commit {pinned[:10]} is not here"],
                f"run `git -C {path} fetch`, then push again",
            )
        _fill_submodules(module, target / path, pinned)


def remove_leftovers(home: Path, common: Path) -> list[Path]:
    """Remove the worktrees of processes that are gone; return their folders."""
    notes = _notes(common)
    # The lock comes before the note, and the note is written beside and renamed.
    names = {file.name.lstrip(".").partition(".")[0] for file in notes.glob(f"*{PREFIX}*")}
    if not names:
        return []
    from filelock import FileLock, Timeout

    removed = []
    for name in sorted(names):
        note = notes / f"{name}.json"
        try:
            with FileLock(note.with_suffix(".lock"), timeout=0):
                folder = Path(tempfile.gettempdir()).resolve() / note.stem
                data = store.read_json(note, "note of a worktree")
                if isinstance(data, dict) and Path(str(data.get("folder"))).name == note.stem:
                    folder = Path(str(data["folder"]))
                _remove(home, common, note, folder)
                removed.append(folder)
        except Timeout:
            continue  # its process lives
    return removed


def _remove(home: Path, common: Path, note: Path, folder: Path) -> None:
    if not git.remove_worktree(home, folder):
        # Half made: git does not know it for a worktree, or has lost its folder.
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(common / "worktrees" / folder.name, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    for unfinished in note.parent.glob(f".{note.stem}*"):
        unfinished.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
    note.with_suffix(".lock").unlink(missing_ok=True)


def _notes(common: Path) -> Path:
    return common / "paceline"
