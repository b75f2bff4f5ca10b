"""Score the sharding on a recorded history of durations.

For each version of the history, its tests are planned with the durations of the version
before and the plan before, and scored with the durations they then really had. Usage:
`python scripts/score_sharding.py HISTORY.json[.xz] [SHARDS]`, with the history as JSON
`{"versions": [{"durations": {node id: seconds}}, ...]}`, oldest first.
"""

from __future__ import annotations

import itertools
import json
import lzma
import math
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from paceline.sharding.assignment import lower_bound
from paceline.sharding.estimation import file_of
from paceline.sharding.plan import Plan, make_plan

History = list[dict[str, float]]
Shards = Sequence[Sequence[str]]


def load(path: Path) -> History:
    """Return the durations of each version."""
    raw = path.read_bytes()
    data = json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)
    return [version["durations"] for version in data["versions"]]


def score(shards: Shards, true: dict[str, float]) -> float:
    """Return the longest shard over the best possible one."""
    longest = max(math.fsum(true[test] for test in tests) for tests in shards)
    return longest / lower_bound(true, len(shards), {})


def spread(shards: Shards) -> float:
    """Return in how many shards the tests of a file are, on average."""
    places: defaultdict[str, set[int]] = defaultdict(set)
    for index, tests in enumerate(shards):
        for test in tests:
            places[file_of(test)].add(index)
    return statistics.mean(len(found) for found in places.values())


def moved(before: Shards | None, after: Shards) -> float | None:
    """Return the share of common tests that changed their shard."""
    if before is None:
        return None
    old = {test: index for index, tests in enumerate(before) for test in tests}
    changed = [
        old[test] != index for index, tests in enumerate(after) for test in tests if test in old
    ]
    return sum(changed) / len(changed)


class _Item:
    """What the algorithms of pytest-split need of a pytest item."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def pytest_split(name: str, tests: Iterable[str], known: dict[str, float], shards: int) -> Shards:
    """Return the groups of one algorithm of pytest-split."""
    from pytest_split.algorithms import Algorithms

    items: list[Any] = [_Item(test) for test in tests]
    groups = Algorithms[name].value(shards, items, known)
    return [[item.nodeid for item in group.selected] for group in groups]


def report(name: str, scores: list[float], moves: list[float], spreads: list[float]) -> None:
    """Print one line of figures."""
    p90 = statistics.quantiles(scores, n=10, method="inclusive")[-1]
    print(
        f"{name:24} ratio median {statistics.median(scores):.3f} p90 {p90:.3f}"
        f" max {max(scores):.3f}  moved median {statistics.median(moves):6.2%}"
        f" mean {statistics.mean(moves):6.2%}  shards per file {statistics.mean(spreads):.2f}"
        f" (last {spreads[-1]:.2f})"
    )


def run(name: str, history: History, shards: int) -> None:
    """Plan and score the whole history with one method."""
    scores: list[float] = []
    moves: list[float] = []
    spreads: list[float] = []
    plan: Plan | None = None
    before: Shards | None = None
    for known, true in itertools.pairwise(history):
        if name.startswith("paceline"):
            plan = make_plan("all", true, known, shards, plan if name == "paceline" else None)
            after: Shards = [shard.tests for shard in plan.shards]
        else:
            after = pytest_split(name, true, known, shards)
        scores.append(score(after, true))
        share = moved(before, after)
        moves.extend([] if share is None else [share])
        spreads.append(spread(after))
        before = after
    report(name, scores, moves, spreads)


def main() -> int:
    """Compare paceline, with and without the plan before, and pytest-split."""
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    history = load(Path(sys.argv[1]))
    shards = int(sys.argv[2]) if len(sys.argv) == 3 else 8
    print(f"{len(history)} versions, {shards} shards, last {len(history[-1])} tests")
    names = ["paceline", "paceline (no plan before)"]
    try:
        from pytest_split.algorithms import Algorithms
    except ImportError:
        print("pytest-split is not installed: not compared")
    else:
        names.extend(Algorithms.names())
    for name in names:
        start = time.perf_counter()
        run(name, history, shards)
        print(f"{'':24} {time.perf_counter() - start:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
