"""Expected durations, also of tests that were never measured."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from paceline.sharding.durations import Durations
from paceline.sharding.groups import group_of, without_group

FLOOR = 0.0001
UNKNOWN = 1.0
LIMIT = 0.1
"""Above this share of unknown or stale tests the durations no longer fit the suite."""


def unknown(tests: Collection[str], durations: Durations) -> frozenset[str]:
    """Return the tests that have no duration; none where nothing is known at all."""
    if not durations:
        return frozenset()
    stored = {without_group(test) if "@" in test else test for test in durations}
    return frozenset(
        test for test in tests if (without_group(test) if "@" in test else test) not in stored
    )


@dataclass(frozen=True)
class Knowledge:
    """How many of the `tests` have no duration, and how many durations have no test."""

    tests: int
    unknown: int
    stale: int

    @property
    def outdated(self) -> bool:
        """Whether a warning is due; a project that has never stored any needs none."""
        anything = self.unknown < self.tests
        return anything and max(self.unknown, self.stale) > LIMIT * self.tests

    def __str__(self) -> str:
        share = self.unknown / self.tests if self.tests else 0.0
        return (
            f"{self.unknown} of {self.tests} tests ({share:.0%}) have no stored duration, "
            f"{self.stale} stored durations have no test"
        )


def knowledge(tests: Collection[str], durations: Durations) -> Knowledge:
    """Compare `tests` with the durations stored for them."""
    stored = {without_group(test) if "@" in test else test for test in durations}
    wanted = {without_group(test) if "@" in test else test for test in tests}
    return Knowledge(len(wanted), len(wanted - stored), len(stored - wanted))


def estimate(tests: Sequence[str], durations: Durations) -> list[float]:
    """Return the expected seconds of each of `tests`, in the same order.

    An unknown test takes the mean of its file, else of the nearest folder above it with
    a known test, else of the suite, else one second. Nothing is zero, so that a thousand
    tests of zero seconds still weigh something and get spread.
    """
    plain = {without_group(test): test for test in durations if "@" in test and group_of(test)}
    means: Mapping[str, float] | None = None
    seconds: list[float] = []
    for test in tests:
        name = known_as(test, durations, plain)
        if name is None:
            means = _means(durations) if means is None else means
            known = _nearest(file_of(test), means)
        else:
            known = durations[name]
        seconds.append(max(known, FLOOR))
    return seconds


def known_as(test: str, durations: Durations, plain: Mapping[str, str]) -> str | None:
    """Return the id under which the durations know `test`, None if they do not.

    xdist adds "@group" to the id only with `--dist loadgroup`, so either may have one;
    `plain` has the ids with a group, by those without.
    """
    if test in durations:
        return test
    bare = without_group(test) if "@" in test else test
    return bare if bare in durations else plain.get(bare)


def file_of(test: str) -> str:
    """Return the file part of a node id."""
    return test.partition("::")[0]


def _means(durations: Durations) -> dict[str, float]:
    """Return the mean of every file and folder; the key "" is the whole suite."""
    files: defaultdict[str, list[float]] = defaultdict(list)
    for test, seconds in durations.items():
        files[file_of(test)].append(seconds)
    sums: defaultdict[str, list[float]] = defaultdict(list)
    counts: defaultdict[str, int] = defaultdict(int)
    for file, values in files.items():
        total = math.fsum(values)
        for place in _places(file):
            sums[place].append(total)
            counts[place] += len(values)
    # fsum is exact, so the order of the file on disk cannot change a plan.
    return {place: math.fsum(parts) / counts[place] for place, parts in sums.items()}


def _places(file: str) -> list[str]:
    """Return `file`, the folders above it, nearest first, and "" for the suite."""
    places = [file]
    while "/" in file:
        file = file.rpartition("/")[0]
        places.append(file)
    if places[-1]:
        places.append("")
    return places


def _nearest(file: str, means: Mapping[str, float]) -> float:
    return next((means[place] for place in _places(file) if place in means), UNKNOWN)
