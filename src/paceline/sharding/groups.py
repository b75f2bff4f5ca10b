"""Tests that belong together: pytest-xdist's mark `xdist_group`, and a notebook's cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

FILE = "groups.json"
"""The name of the file in a result folder that has the groups of the collected tests."""

Groups = Mapping[str, str]
"""The name of the indivisible group that a test belongs to, by node id."""


def group_of(test: str) -> str | None:
    """Return the xdist group in a node id, None if it has none.

    xdist adds "@group" to the ids with `--dist loadgroup`. As there, an "@" inside the
    brackets of a parameter is no group.
    """
    at = test.rfind("@")
    if at > max(test.rfind("]"), test.rfind("::")) and "::" in test:
        return test[at + 1 :] or None
    return None


def without_group(test: str) -> str:
    """Return the node id without its xdist group."""
    group = group_of(test)
    return test if group is None else test[: -len(group) - 1]


def of_notebooks(tests: Iterable[str]) -> dict[str, str]:
    """Return the notebook of each test that is a cell of one: cells build on those before."""
    return {test: test.partition("::")[0] for test in tests if ".ipynb::" in test}


def in_ids(weights: Mapping[str, float], durations: Mapping[str, float], shards: int) -> Groups:
    """Return the groups that the ids of the tests in `weights` name, where they hold.

    Who has collected the tests knows their marks. In a bare list of ids a group is a hint:
    its tests stay together, unless the durations show that they passed apart (all that are
    known were timed without the group), or the group alone is longer than a mean shard.
    """
    members: defaultdict[str, list[str]] = defaultdict(list)
    for test in weights:
        if "@" in test and (group := group_of(test)):
            members[group].append(test)
    cells = of_notebooks(weights)
    if not members:
        return cells
    mean = math.fsum(weights.values()) / shards
    return cells | {
        test: group
        for group, tests in members.items()
        if not _timed_apart(tests, durations)
        and (shards == 1 or math.fsum(weights[test] for test in tests) <= mean)
        for test in tests
    }


def _timed_apart(tests: list[str], durations: Mapping[str, float]) -> bool:
    together = any(test in durations for test in tests)
    return not together and any(without_group(test) in durations for test in tests)
