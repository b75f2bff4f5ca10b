"""Which test runs in which shard: balanced, deterministic and stable.

Files stay together and are cut only where they are too long for a good balance; a test that
is long itself is placed on its own, since it shares little with its file and errs by the
most seconds. The longest unit goes first, to the shard with the least load (Graham's LPT
rule: at most 4/3 - 1/(3m) of the best for m shards). With an earlier assignment, tests stay
where they were and the fewest possible move until no shard is too long.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from paceline.sharding.durations import Durations
from paceline.sharding.estimation import estimate, unknown
from paceline.sharding.groups import Groups, group_of, in_ids
from paceline.sharding.homes import find_homes
from paceline.sharding.repair import fill_empty, repair
from paceline.sharding.units import Atom, Unit, cut, make_atoms

PIECES = 2
"""A file longer than the bound divided by this is cut."""
GUESSED_PIECES = 8
"""The same for tests whose durations are guesses: a stretch of guesses errs all at once."""
LONG = 85
"""A test longer than the bound divided by this, and ..."""
LONG_MEANS = 3
"""... than this many mean tests, is placed on its own."""
TOLERANCE = 1.01
"""How far over the bound a shard may be before tests move."""
WORTH = 0.98
"""A new assignment replaces a repaired one only if its longest shard is this much shorter."""

Assignment = tuple[tuple[str, ...], ...]
"""The sorted tests of each shard, in the order of the shards."""


def assign(
    tests: Collection[str],
    durations: Durations,
    shards: int,
    previous: Mapping[str, int] | None = None,
    groups: Groups | None = None,
) -> Assignment:
    """Divide `tests` over `shards`; neither input order nor hash seed matters.

    `previous` is the earlier shard of each test, counted from 1. The tests of one of the
    `groups` are one unit; without them the ids are asked. No shard is empty unless there
    are fewer units than shards.
    """
    weights = expected(tests, durations)
    if groups is None:
        groups = in_ids(weights, durations, shards)
    return assign_weighted(weights, shards, previous, groups, unknown(weights, durations))


def expected(tests: Collection[str], durations: Durations) -> dict[str, float]:
    """Return the expected seconds of each test, in the order of the ids."""
    ordered = sorted(set(tests))
    return dict(zip(ordered, estimate(ordered, durations), strict=True))


def lower_bound(weights: Mapping[str, float], shards: int, groups: Groups) -> float:
    """Return the load no assignment can beat: the mean, or the longest indivisible unit."""
    members: defaultdict[str, list[float]] = defaultdict(list)
    for test, group in groups.items():
        if test in weights:
            members[group].append(weights[test])
    mean = math.fsum(weights.values()) / shards
    return max([mean, *weights.values(), *map(math.fsum, members.values())])


def assign_weighted(
    weights: Mapping[str, float],
    shards: int,
    previous: Mapping[str, int] | None = None,
    groups: Groups | None = None,
    guessed: Collection[str] = (),
) -> Assignment:
    """Divide the tests in `weights`, whose expected seconds are given; see `assign`.

    The seconds of the `guessed` tests are estimates from other tests.
    """
    if shards < 1:
        raise ValueError(f"shards must be at least 1, not {shards}")
    atoms = make_atoms(weights, groups or {})
    bound = _bound(atoms, shards)
    chosen = _build(atoms, previous or {}, shards, bound, guessed)
    if previous and _longest(chosen) > bound * TOLERANCE:
        fresh = _build(atoms, {}, shards, bound, guessed)
        if _longest(fresh) < _longest(chosen) * WORTH:
            chosen = _relabel(fresh, previous or {})
    return tuple(
        tuple(sorted(test for unit in shard for atom in unit.atoms for test in atom.tests))
        for shard in chosen
    )


def _bound(atoms: Sequence[Atom], shards: int) -> float:
    mean = math.fsum(atom.load for atom in atoms) / shards
    return max([mean, *(atom.load for atom in atoms)])


def _longest(contents: Sequence[Sequence[Unit]]) -> float:
    return max(math.fsum(unit.load for unit in shard) for shard in contents)


def _build(
    atoms: Sequence[Atom],
    previous: Mapping[str, int],
    shards: int,
    bound: float,
    guessed: Collection[str],
) -> list[list[Unit]]:
    """Keep what has a home, place the rest longest first, then even out."""
    limit, room = bound / PIECES, bound / GUESSED_PIECES
    mean = math.fsum(atom.load for atom in atoms) / (len(atoms) or 1)
    long = max(bound / LONG, LONG_MEANS * mean)
    homes = find_homes(atoms, previous, shards, min(room, long)) if previous else {}
    at_home: list[list[Atom]] = [[] for _ in range(shards)]
    homeless: list[Atom] = []
    guesses: list[Atom] = []
    for atom in atoms:
        home = homes.get(atom.key)
        if home is not None:
            at_home[home].append(atom)
        else:
            (guesses if atom.key in guessed else homeless).append(atom)
    contents = [cut(members, limit, long) for members in at_home]
    _place(cut(homeless, limit, long) + cut(guesses, room, long), contents)
    fill_empty(contents)
    repair(contents, bound * TOLERANCE)
    return contents


def _place(units: Sequence[Unit], contents: list[list[Unit]]) -> None:
    """Give the longest unit first to the shard with the least load.

    Tests of a group that is not kept together share something outside them, a browser or a
    service, and get slower together: these go to the shard with the least of their group.
    """
    loads = [math.fsum(unit.load for unit in shard) for shard in contents]
    of_group = _group_loads(units, contents)
    heap = [(load, index) for index, load in enumerate(loads)]
    heapq.heapify(heap)
    for unit in sorted(units, key=lambda unit: (-unit.load, unit.key)):
        share = of_group.get(_group(unit))
        if share is None:
            while heap[0][0] != loads[heap[0][1]]:
                heapq.heappop(heap)
            index = heap[0][1]
        else:
            index = min(range(len(loads)), key=lambda k: (share[k], loads[k], k))
            share[index] += unit.load
        contents[index].append(unit)
        loads[index] += unit.load
        heapq.heappush(heap, (loads[index], index))


def _group(unit: Unit) -> str:
    return (group_of(unit.key) or "") if "@" in unit.key else ""


def _group_loads(
    units: Sequence[Unit], contents: Sequence[Sequence[Unit]]
) -> dict[str, list[float]]:
    """Return the load of each group in `units` in each shard, so far."""
    loads = {group: [0.0] * len(contents) for unit in units if (group := _group(unit))}
    if loads:
        for index, shard in enumerate(contents):
            for unit in shard:
                if share := loads.get(_group(unit)):
                    share[index] += unit.load
    return loads


def _relabel(contents: list[list[Unit]], previous: Mapping[str, int]) -> list[list[Unit]]:
    """Number the shards so that as many tests as possible keep their number."""
    common: Counter[tuple[int, int]] = Counter()
    for index, shard in enumerate(contents):
        tests = (test for unit in shard for atom in unit.atoms for test in atom.tests)
        common.update((index, previous[test] - 1) for test in tests if test in previous)
    numbers: dict[int, int] = {}
    free = set(range(len(contents)))
    for (index, number), _ in sorted(common.items(), key=lambda item: (-item[1], item[0])):
        if index not in numbers and number in free:
            numbers[index] = number
            free.remove(number)
    rest = iter(sorted(free))
    for index in range(len(contents)):
        if index not in numbers:
            numbers[index] = next(rest)
    relabelled: list[list[Unit]] = [[] for _ in contents]
    for index, number in numbers.items():
        relabelled[number] = contents[index]
    return relabelled
