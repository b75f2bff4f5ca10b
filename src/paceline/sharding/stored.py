"""The stored durations of a group: pytest-split's file and the history it is derived from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from paceline.sharding import durations, history
from paceline.sharding.groups import Groups
from paceline.sharding.locking import lock

DURATIONS = "durations.json"
"""The name of the durations in a shard's result folder."""


def update(file: Path, folders: Sequence[Path], collected: Collection[str] | None) -> None:
    """Merge what the shards in `folders` measured into `file` and the history beside it.

    Tests outside `collected` expire, where it is known. A lock makes it one step: two merges
    at once lose nothing. A folder without a history still gives its durations.
    """
    richer = history.beside(file)
    with lock(richer):
        parts = [history.read(folder / history.FILE) for folder in folders]
        merged = history.merge(history.read(richer), parts, collected)
        history.write(richer, merged)
        new = durations.merge(durations.read(folder / DURATIONS) for folder in folders)
        measured = {test for part in parts for tests in part.contexts.values() for test in tests}
        found = history.estimates(merged).durations
        new |= {test: found[test] for test in measured if test in found}
        durations.update(file, new, collected)


def units(file: Path, marked: Groups) -> tuple[Groups, Mapping[str, float]]:
    """Return what must stay together, and each file's shared set-up in seconds.

    `marked` are the groups that marks ask for; the history adds files whose shared set-up
    outweighs their tests.
    """
    found = history.estimates(history.read(history.beside(file)))
    grouped = set(marked)
    costly = history.indivisible(found)
    mixed = {unit for test, unit in costly.items() if test in grouped}
    return {
        **{test: unit for test, unit in costly.items() if unit not in mixed},
        **marked,
    }, found.shared
