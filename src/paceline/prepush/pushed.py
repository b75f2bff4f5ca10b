"""What is being pushed: git's ref lines, or what pre-commit and prek make of them.

git hands a pre-push hook one line a ref: `<local ref> <local id> <remote ref> <remote id>`
(githooks(5)); an id of zeros means that there is none. pre-commit and prek read these lines
themselves and export the first ref's range as variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline import git
from paceline.errors import IncompleteEvidence


@dataclass(frozen=True)
class Ref:
    """One ref of a push; an empty id means none: a deletion, or a ref new to the remote."""

    local: str
    local_id: str
    remote: str
    remote_id: str

    def __str__(self) -> str:
        """Say it as git does: `main -> main`."""
        return f"{_short(self.local)} -> {_short(self.remote)}"


@dataclass(frozen=True)
class PushedCommit:
    """A commit that is pushed, once for all the refs that carry it."""

    commit: str
    refs: tuple[Ref, ...]
    #: What it changes against what the remote has.
    change: git.Change


def parse(text: str) -> list[Ref]:
    """Return the refs in git's lines; raise IncompleteEvidence for a line that is none."""
    refs = []
    for line in text.splitlines():
        if not line.strip():
            continue
        words = line.split(" ")
        if len(words) != 4 or not all(map(_is_id, (words[1], words[3]))):
            raise IncompleteEvidence(
                [f"the pre-push hook was given a line that names no ref: {line!r}"],
                "push with plain git, or run `invoke prepush`",
            )
        refs.append(Ref(words[0], _some(words[1]), words[2], _some(words[3])))
    return refs


def from_variables(variables: Mapping[str, str]) -> list[Ref]:
    """Return the ref that pre-commit or prek exported; none if neither runs this.

    Started by hand, as in `pre-commit run --hook-stage pre-push`, they name none: HEAD it is.
    """
    remote = variables.get("PRE_COMMIT_REMOTE_BRANCH", "")
    local = variables.get("PRE_COMMIT_LOCAL_BRANCH", "")
    pushed = variables.get("PRE_COMMIT_TO_REF", "") or local
    if not pushed and variables.keys() & {"PRE_COMMIT", "PREK"}:
        pushed = "HEAD"
    if not pushed:
        return []
    return [Ref(local or pushed, pushed, remote, variables.get("PRE_COMMIT_FROM_REF", ""))]


def commits(root: Path, refs: list[Ref], remote: str) -> list[PushedCommit]:
    """Return each distinct commit among `refs`, in their order, with its change.

    Deletions carry none, nor do tags of something that is no commit. Raises
    IncompleteEvidence if a pushed object cannot be read.
    """
    carried: dict[str, list[Ref]] = {}
    for ref in refs:
        if not ref.local_id:
            continue
        commit = git.commit(root, ref.local_id)
        if commit is None and git.git(root, "cat-file", "-e", ref.local_id) is None:
            raise IncompleteEvidence(
                [f"{ref}: object {ref.local_id} cannot be read"], "run `git fsck`"
            )
        if commit is not None:
            carried.setdefault(commit, []).append(ref)
    return [
        PushedCommit(commit, tuple(found), change(root, commit, found, remote))
        for commit, found in carried.items()
    ]


def change(root: Path, commit: str, refs: list[Ref], remote: str) -> git.Change:
    """Return what `commit` changes against one that `remote` has: replaced, else the newest known.

    Any tree that the remote has will do: what differs from it is what the push changes.
    """
    for ref in refs:
        base = git.commit(root, ref.remote_id) if ref.remote_id else None
        if base is not None:
            where = f"{remote}/{_short(ref.remote)}" if ref.remote else base[:10]
            return _between(root, base, commit, f"against {where}")
    base = git.known_to_remote(root, commit, remote)
    if base is None:
        return git.Change(None, f"nothing of this history is known to be on {remote}")
    return _between(root, base, commit, f"against {base[:10]}, which {remote} has")


def _between(root: Path, base: str, commit: str, reason: str) -> git.Change:
    files = git.changed_between(root, base, commit)
    return git.Change(files, reason if files is not None else f"cannot compare {reason}")


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/")


def _is_id(word: str) -> bool:
    return len(word) in (40, 64) and not word.strip("0123456789abcdef")


def _some(object_id: str) -> str:
    return object_id if object_id.strip("0") else ""
