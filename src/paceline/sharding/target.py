"""How many shards a wall-time target needs, and from where on more of them are no use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from paceline.sharding.assignment import assign_weighted
from paceline.sharding.groups import Groups
from paceline.sharding.units import make_atoms
from paceline.sharding.wall import Workers, predict

MOST = 1024
"""More shards than any CI provider starts for one matrix."""


@dataclass(frozen=True)
class Advice:
    """The smallest number of `shards` that meets the target (None: none does) and its seconds.

    From `useful` shards on, the `longest` unit alone decides, and more shards do not help.
    """

    shards: int | None
    wall_seconds: float
    useful: int
    longest: str
    longest_seconds: float


def advise(
    weights: Mapping[str, float],
    groups: Groups,
    target_seconds: float,
    overhead_seconds: float,
    workers: Workers,
) -> Advice:
    """Return how many shards end within `target_seconds`, each job costing its overhead."""
    atoms = make_atoms(weights, groups)
    longest = max(atoms, key=lambda atom: (atom.load, atom.key), default=None)
    if longest is None:
        return Advice(1, overhead_seconds, 1, "", 0.0)
    total = math.fsum(weights.values())
    useful = min(math.ceil(total / longest.load / max(workers.count, 1)), len(atoms), MOST)

    def wall(shards: int) -> float:
        assignment = assign_weighted(weights, shards, groups=groups)
        each = (predict(tests, weights, workers, groups).seconds for tests in assignment)
        return max(each) + overhead_seconds

    low, high = 1, max(useful, 1)
    # Past `useful` a few more shards may still help, where the assignment is not perfect.
    for _ in range(3):
        if wall(high) <= target_seconds:
            break
        high = min(math.ceil(high * 1.25), len(atoms), MOST)
    least = wall(high)
    name = groups.get(longest.tests[0], longest.tests[0])
    if least > target_seconds:
        return Advice(None, least, useful, name, longest.load)
    while low < high:
        middle = (low + high) // 2
        if wall(middle) <= target_seconds:
            high = middle
        else:
            low = middle + 1
    return Advice(high, wall(high), useful, name, longest.load)
