"""Where a test was before, and where a new one fits."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from paceline.sharding.groups import without_group
from paceline.sharding.units import Atom


def find_homes(
    atoms: Sequence[Atom], previous: Mapping[str, int], shards: int, room: float
) -> dict[str, int]:
    """Return the shard, counted from 0, of every atom that has one, by the atom's key.

    `previous` counts from 1. A new atom joins its class, or else its file, where most of
    that was before; but not if the new tests of that file add up to more than `room`
    seconds: their durations are guesses, and a stretch of guesses in one shard errs at once.
    """
    before = {without_group(test): shard - 1 for test, shard in previous.items()}
    homes: dict[str, int] = {}
    scopes: defaultdict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    new: defaultdict[str, list[Atom]] = defaultdict(list)
    for atom in atoms:
        places = Counter(before[test] for test in _plain(atom) if test in before)
        home = _most(Counter({k: n for k, n in places.items() if 0 <= k < shards}))
        if home is not None:
            homes[atom.key] = home
            scopes[atom.file, atom.scope][home] += 1
            scopes[atom.file,][home] += 1
        elif not places:
            # A test whose shard is gone is as good as new, but its file need not follow it.
            new[atom.file].append(atom)
    for file, guests in new.items():
        if math.fsum(atom.load for atom in guests) > room:
            continue
        for atom in guests:
            near = scopes.get((file, atom.scope)) or scopes.get((file,))
            home = _most(near) if near else None
            if home is not None:
                homes[atom.key] = home
    return homes


def _plain(atom: Atom) -> list[str]:
    # xdist's suffix comes and goes with `--dist loadgroup`; the test is the same.
    return [without_group(test) if "@" in test else test for test in atom.tests]


def _most(counts: Counter[int]) -> int | None:
    """Return the most frequent shard, the first one of several, None without any."""
    return min(counts, key=lambda shard: (-counts[shard], shard), default=None)
