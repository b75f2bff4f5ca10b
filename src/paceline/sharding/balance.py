"""After a run: what each shard was predicted to take and took, and what to split first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from paceline.sharding.result import ShardResult

LARGE = 0.25
"""A test longer than this share of a mean shard limits how even the shards can be."""
SHOWN = 3


HEADER = ("shard", "tests", "predicted sum", "measured sum", "predicted wall", "measured wall")


def rows(results: Sequence[ShardResult], durations: Mapping[str, float]) -> list[tuple[str, ...]]:
    """Return a row a shard, with the columns of `HEADER`."""
    found: list[tuple[str, ...]] = []
    for result in results:
        measured = math.fsum(durations.get(test, 0.0) for test in result.selected)
        found.append(
            (
                f"{result.group} {result.name}",
                str(len(result.selected)),
                f"{result.predicted_seconds:.2f} s",
                f"{measured:.2f} s",
                f"{result.predicted_wall_seconds:.2f} s",
                f"{result.wall_seconds:.2f} s",
            )
        )
    return found


def split_first(shards: int, durations: Mapping[str, float]) -> list[str]:
    """Return, longest first, the tests that keep `shards` shards from being even."""
    mean = math.fsum(durations.values()) / max(shards, 1)
    large = [test for test, seconds in durations.items() if seconds > LARGE * mean]
    large.sort(key=lambda test: (-durations[test], test))
    return [f"{test} ({durations[test]:.2f} s)" for test in large[:SHOWN]] if shards > 1 else []
