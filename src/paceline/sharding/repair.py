"""Evening out an assignment by moving as few tests as possible."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort

from paceline.sharding.units import Unit, split


def fill_empty(contents: list[list[Unit]]) -> None:
    """Give every empty shard something from the longest shard that can spare it."""
    rich = [(-_load(units), k) for k, units in enumerate(contents) if _divisible(units)]
    heapq.heapify(rich)
    for target, shard in enumerate(contents):
        if shard:
            continue
        if not rich:
            return
        _, donor = heapq.heappop(rich)
        units = sorted(contents[donor])
        if len(units) == 1:
            units = sorted(split(units[0]))
        half = _load(units) / 2
        moved = next((unit for unit in reversed(units) if unit.load <= half), units[0])
        units.remove(moved)
        contents[donor] = units
        contents[target] = [moved]
        for k in (donor, target):
            if _divisible(contents[k]):
                heapq.heappush(rich, (-_load(contents[k]), k))


def repair(contents: list[list[Unit]], target: float) -> None:
    """Move units from the longest to the shortest shard until none is over `target`.

    Stops early where no move makes the longest shard shorter. Whole units move if they
    fit; only if none fits is the longest shard taken apart into single tests.
    """
    loads = [_load(shard) for shard in contents]
    if max(loads) <= target:
        return
    for shard in contents:
        shard.sort()
    apart: set[int] = set()
    while True:
        longest = max(range(len(loads)), key=lambda k: (loads[k], -k))
        shortest = min(range(len(loads)), key=lambda k: (loads[k], k))
        if loads[longest] <= target:
            return
        unit = _fitting(contents[longest], loads[longest] - target, target - loads[shortest])
        if unit is None and longest not in apart:
            apart.add(longest)
            contents[longest] = sorted(part for whole in contents[longest] for part in split(whole))
            continue
        if unit is None:
            unit = contents[longest][0]
            if loads[shortest] + unit.load >= loads[longest] * (1 - 1e-9):
                return
        _move(contents[longest], contents[shortest], unit)
        apart.discard(shortest)
        loads[longest] = _load(contents[longest])
        loads[shortest] = _load(contents[shortest])


def _divisible(units: list[Unit]) -> bool:
    return sum(len(unit.atoms) for unit in units) > 1


def _load(units: list[Unit]) -> float:
    return math.fsum(unit.load for unit in units)


def _move(source: list[Unit], target: list[Unit], unit: Unit) -> None:
    del source[bisect_left(source, unit)]
    insort(target, unit)


def _fitting(units: list[Unit], need: float, room: float) -> Unit | None:
    """Return what to move: enough for `need` with the fewest tests, else the longest.

    Nothing longer than `room` is returned, None if there is nothing else.
    """
    end = bisect_right(units, room, key=lambda unit: unit.load)
    if end == 0:
        return None
    start = bisect_left(units, need, hi=end, key=lambda unit: unit.load)
    if start < end:
        return min(units[start:end], key=lambda unit: (unit.size, unit.load, unit.key))
    return units[end - 1]
