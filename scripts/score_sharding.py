"""Score the sharding on a recorded history of durations, beside pytest-split's algorithms.

`python scripts/score_sharding.py SOURCE [SHARDS] [--later N]`, SOURCE being one of

- a durations file in a git repository (`ci/durations/unit.json`, `.test_durations`): every
  version that git log knows of it;
- a JSON file (or .json.xz) `{"versions": [{"durations": {node id: seconds}}, ...]}`, oldest first.

Each version's tests are planned with the durations of the version before (and, for paceline,
the plan before), and scored by what they then really took: longest shard over the best possible,
which is the mean or the longest test. `later` plans with durations that are N versions old;
`perfect` with the very durations that it is scored by, at 32 shards.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paceline import process
from paceline.sharding.assignment import assign
from paceline.sharding.estimation import file_of

Durations = dict[str, float]
History = list[Durations]
Shards = Sequence[Sequence[str]]
Planner = Callable[[Iterable[str], Durations, int, Shards | None], Shards]

PERFECT_SHARDS = 32


def load(path: Path) -> History:
    """Return the durations of each version, oldest first."""
    if not path.is_file():
        raise SystemExit(f"error: {path}: no such file")
    raw = path.read_bytes()
    data = json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)
    if isinstance(data, dict) and isinstance(data.get("versions"), list):
        return [version["durations"] for version in data["versions"]]
    return from_git(path)


def from_git(path: Path) -> History:
    """Return each version of the durations file at `path` that git knows and that differs."""
    where = ["git", "-C", str(path.parent)]
    log = process.run([*where, "log", "--reverse", "--format=%H", "--", path.name], cwd=Path.cwd())
    history: History = []
    for commit in log.output.split() if not log.exit_code else []:
        show = [*where, "show", f"{commit}:./{path.name}"]
        shown = process.run(show, cwd=Path.cwd())
        try:
            found = dict(json.loads(shown.output)) if not shown.exit_code else {}
        except ValueError:
            continue
        if found and history[-1:] != [found]:
            history.append(found)
    return history


def score(shards: Shards, true: Durations) -> float:
    """Return the longest shard over the best possible one."""
    bound = max(math.fsum(true.values()) / len(shards), *true.values())
    return max(math.fsum(true[test] for test in tests) for tests in shards) / bound


def spread(shards: Shards) -> float:
    """Return in how many shards the tests of a file are, on average."""
    places: defaultdict[str, set[int]] = defaultdict(set)
    for index, tests in enumerate(shards):
        for test in tests:
            places[file_of(test)].add(index)
    return statistics.mean(len(found) for found in places.values())


def moved(before: Shards, after: Shards) -> float:
    """Return the share of common tests that changed their shard."""
    old = {test: index for index, tests in enumerate(before) for test in tests}
    changed = [
        old[test] != index for index, tests in enumerate(after) for test in tests if test in old
    ]
    return sum(changed) / len(changed) if changed else 0.0


def paceline(tests: Iterable[str], known: Durations, shards: int, before: Shards | None) -> Shards:
    """Plan as `invoke plan --previous` does."""
    old = {test: index for index, found in enumerate(before or (), 1) for test in found}
    return assign(list(tests), known, shards, old)


def paceline_afresh(
    tests: Iterable[str], known: Durations, shards: int, before: Shards | None
) -> Shards:
    """Plan as a shard without a plan does."""
    del before
    return assign(list(tests), known, shards)


class _Item:
    """What the algorithms of pytest-split need of a pytest item."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid

    def __str__(self) -> str:
        # least_duration sorts equals by it; pytest's own items look like this.
        return f"<Function {self.nodeid.rpartition('::')[2]}>"


def planners() -> dict[str, Planner]:
    """Return what is compared; pytest-split only where it is installed."""
    found: dict[str, Planner] = {
        "paceline": paceline,
        "paceline, no plan before": paceline_afresh,
    }
    try:
        from pytest_split.algorithms import Algorithms
    except ImportError:
        print("pytest-split is not installed: not compared", file=sys.stderr)
        return found
    for name in Algorithms.names():
        found[name] = _pytest_split(Algorithms[name].value)
    return found


def _pytest_split(algorithm: Any) -> Planner:
    def plan(tests: Iterable[str], known: Durations, shards: int, before: Shards | None) -> Shards:
        del before
        groups = algorithm(shards, [_Item(test) for test in tests], known)
        return [[item.nodeid for item in group.selected] for group in groups]

    return plan


@dataclass(frozen=True)
class Figures:
    """What one planner did on a history."""

    scores: Sequence[float]
    moves: Sequence[float]
    spreads: Sequence[float]


def run(planner: Planner, history: History, shards: int, later: int) -> Figures:
    """Plan each version with the durations from `later` versions before, in a chain of plans."""
    before: Shards | None = None
    scores, moves, spreads = [], [], []
    for known, true in zip(history, history[later:], strict=False):
        after = planner(true, known, shards, before)
        scores.append(score(after, true))
        moves += [] if before is None else [moved(before, after)]
        spreads.append(spread(after))
        before = after
    return Figures(scores, moves or [0.0], spreads)


def percentile(scores: Sequence[float]) -> float:
    """Return the 90th percentile, interpolated between neighbours."""
    tenths = statistics.quantiles(scores, n=10, method="inclusive") if scores[1:] else scores
    return tenths[-1]


def summary(scores: Sequence[float]) -> str:
    """Return median, 90th percentile and largest."""
    return f"{statistics.median(scores):.3f} {percentile(scores):.3f} {max(scores):.3f}"


def main() -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("shards", type=int, nargs="?", default=8)
    parser.add_argument("--later", type=int, default=20)
    options = parser.parse_args()
    history = load(options.source)
    if len(history) < 2:
        print(f"error: {options.source}: fewer than two versions", file=sys.stderr)
        return 1
    print(f"{len(history)} versions, {options.shards} shards; median, 90th percentile, largest")
    print(
        f"{'':26}{'next version':20}{'moved':8}{f'{options.later} later':20}"
        f"{f'perfect, {PERFECT_SHARDS}':20}shards a file"
    )
    for name, planner in planners().items():
        near = run(planner, history, options.shards, 1)
        far = run(planner, history, options.shards, options.later).scores
        perfect = [score(planner(true, true, PERFECT_SHARDS, None), true) for true in history]
        print(
            f"{name:26}{summary(near.scores):20}{statistics.median(near.moves):<8.2%}"
            f"{summary(far) if far else 'too few versions':20}"
            f"{summary(perfect):20}{statistics.mean(near.spreads):.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
