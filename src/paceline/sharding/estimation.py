"""Expected durations, also of tests that were never measured."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from paceline.sharding.durations import Durations

FLOOR = 0.0001
UNKNOWN = 1.0


def estimate(tests: Sequence[str], durations: Durations) -> list[float]:
    """Return the expected seconds of each of `tests`, in the same order.

    An unknown test takes the mean of its file, else of the nearest folder above it with
    a known test, else of the suite, else one second. Nothing is zero, so that a thousand
    tests of zero seconds still weigh something and get spread.
    """
    means: Mapping[str, float] | None = None
    seconds: list[float] = []
    for test in tests:
        known = durations.get(test)
        if known is None:
            # xdist adds "@group" to the id only with --dist loadgroup.
            known = durations.get(without_group(test))
        if known is None:
            if means is None:
                means = _means(durations)
            known = _nearest(file_of(test), means)
        seconds.append(max(known, FLOOR))
    return seconds


def file_of(test: str) -> str:
    """Return the file part of a node id."""
    return test.partition("::")[0]


def group_of(test: str) -> str | None:
    """Return the xdist group in a node id, None if it has none.

    As in xdist, an "@" inside the brackets of a parameter is no group.
    """
    at = test.rfind("@")
    if at > max(test.rfind("]"), test.rfind("::")) and "::" in test:
        return test[at + 1 :] or None
    return None


def without_group(test: str) -> str:
    """Return the node id without its xdist group."""
    group = group_of(test)
    return test if group is None else test[: -len(group) - 1]


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
