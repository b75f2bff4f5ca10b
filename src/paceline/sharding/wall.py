"""How long a shard really takes: xdist runs its tests side by side, the longest unit decides."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paceline.sharding.estimation import file_of
from paceline.sharding.groups import Groups

DISTRIBUTIONS = ("load", "worksteal", "loadscope", "loadfile", "loadgroup")
"""The modes of xdist's --dist that share tests out between workers."""


@dataclass(frozen=True)
class Workers:
    """How a shard runs its tests: xdist workers (0 or 1 run one after another), --dist mode."""

    count: int = 1
    dist: str = "load"


ONE_BY_ONE = Workers()


@dataclass(frozen=True)
class Wall:
    """Predicted seconds of a shard, and the unit that bounds them (empty: the sum does)."""

    seconds: float
    longest: str


def predict(
    tests: Iterable[str],
    weights: Mapping[str, float],
    workers: Workers,
    groups: Groups,
    shared: Mapping[str, float] | None = None,
) -> Wall:
    """Return the wall time of `tests` in this order, each unit going to the first free worker.

    `shared` has the set-up seconds that a file costs on every worker that runs tests of it;
    one of them is counted, which is exact with loadfile and loadscope.
    """
    if workers.count < 2 and not shared:
        return Wall(math.fsum(weights[test] for test in tests), "")
    units: dict[str, float] = {}
    seen: set[str] = set()
    for test in tests:
        seconds = weights[test]
        file = file_of(test)
        if shared and file not in seen:
            seen.add(file)
            seconds += shared.get(file, 0.0)
        unit = _unit(test, workers.dist, groups)
        units[unit] = units.get(unit, 0.0) + seconds
    if not units:
        return Wall(0.0, "")
    ends = [0.0] * max(workers.count, 1)
    for seconds in units.values():
        heapq.heapreplace(ends, ends[0] + seconds)
    longest = max(units, key=lambda name: units[name])
    alone = len(ends) > 1 and units[longest] > math.fsum(units.values()) / len(ends)
    return Wall(max(ends), longest if alone else "")


def _unit(test: str, dist: str, groups: Groups) -> str:
    if dist == "loadfile":
        return file_of(test)
    if dist == "loadscope":
        return test.partition("[")[0].rpartition("::")[0]
    if dist == "loadgroup" and test in groups:
        return f"group {groups[test]}"
    return test
