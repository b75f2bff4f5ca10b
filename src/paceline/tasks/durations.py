"""The task `durations.merge`: what shards measured, into the stored durations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from paceline import console
from paceline.config.loading import load
from paceline.errors import IncompleteEvidence, UsageError
from paceline.sharding import result, stored


def merge_folders(root: Path, folders: Sequence[Path], into: str) -> None:
    """Merge all shard results in and below `folders`; nothing else is in the way of two at once.

    Tests that no shard collected expire only where all shards of the group are there. Raises
    UsageError if a folder has no durations.
    """
    parts: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        found = sorted(path.parent for path in folder.rglob(stored.DURATIONS))
        if not found:
            raise UsageError(f"{folder}: no {stored.DURATIONS} in or below it")
        for part in found:
            parts[_group(part)].append(part)
    config = load(root)
    for group, found in parts.items():
        target = Path(into) if into else config.durations_file(group)
        stored.update(target, found, _collected(found))
        console.out(f"{group}: merged {len(found)} results into {target}")


def _group(folder: Path) -> str:
    try:
        return result.read(folder).group
    except IncompleteEvidence:
        return folder.parent.name


def _collected(folders: Sequence[Path]) -> set[str] | None:
    """Return what the group consists of; None where it is unknown, as with a shard missing."""
    try:
        results = [result.read(folder) for folder in folders]
    except IncompleteEvidence:
        return None
    whole = {found.index for found in results} == set(range(1, results[0].total + 1))
    return {test for found in results for test in found.collected} if whole else None
