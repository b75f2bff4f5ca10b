"""Show what dividing tests by old durations can attain at best on a recorded history.

`python scripts/sharding_frontier.py SOURCE [SHARDS] [--later N] [--copies N]`, SOURCE as for
`score_sharding.py`. One history is one draw: a change of a thousandth in the durations gives other
plans that are as good, but score differently. So each row is planned on several copies of the
history, with durations changed at random by 0.1 %, and scored on the true ones; it shows the mean
of the copies' medians, their range, and the mean of their 90th percentiles.

The first rows spread tests ever wider, from whole files to every test on its own. The last rows
are told beforehand what no planner can know, and so show where the rest of the error comes from.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from score_sharding import (
    Durations,
    Figures,
    History,
    Shards,
    load,
    moved,
    paceline,
    paceline_afresh,
    percentile,
    planners,
    score,
    spread,
)

from paceline.sharding import assignment
from paceline.sharding.assignment import expected

NOISE = 0.001
WORST = 10

Told = Callable[[Durations, Durations], Durations]
"""From the known and the true durations, those that a planner is given."""


class Row(NamedTuple):
    """A way to plan: in how many pieces a mean shard's file is cut, and what it is told."""

    name: str
    planner: Callable[[Iterable[str], Durations, int, Shards | None], Shards]
    told: Told
    pieces: float = assignment.PIECES


def nothing(known: Durations, true: Durations) -> Durations:
    """Tell nothing that is not known."""
    del true
    return known


def new_tests(known: Durations, true: Durations) -> Durations:
    """Tell the true durations of tests that are not known."""
    return true | known


def worst_tests(known: Durations, true: Durations) -> Durations:
    """Tell the true durations of the tests that are estimated worst, all having grown alike."""
    guess = expected(true, known)
    growth = statistics.median(true[test] / max(guess[test], 1e-4) for test in true)
    worst = sorted(true, key=lambda test: (-abs(true[test] - growth * guess[test]), test))
    return known | {test: true[test] / growth for test in worst[:WORST]}


def rows() -> list[Row]:
    """Return what is compared."""
    alone = float("inf")
    found = [
        Row("paceline", paceline, nothing),
        Row("paceline, no plan before", paceline_afresh, nothing),
        Row("files cut in 4 times the pieces", paceline, nothing, assignment.PIECES * 4),
        Row("files cut in 16 times the pieces", paceline, nothing, assignment.PIECES * 16),
        Row("every test on its own", paceline, nothing, alone),
    ]
    split = {name: plan for name, plan in planners().items() if "paceline" not in name}
    found += [Row(name, plan, nothing) for name, plan in split.items()]
    return [
        *found,
        Row("paceline, told the new tests", paceline, new_tests),
        Row(f"paceline, told the {WORST} worst tests", paceline, worst_tests),
        Row("paceline, told both", paceline, lambda k, t: worst_tests(new_tests(k, t), t)),
    ]


def copy_of(history: History, number: int) -> History:
    """Return `history` with durations changed a little; number 0 is the history itself."""
    if not number:
        return history
    rng = random.Random(number)
    return [
        {test: seconds * (1 + NOISE * rng.uniform(-1, 1)) for test, seconds in version.items()}
        for version in history
    ]


def run(row: Row, history: History, copy: History, shards: int, later: int) -> Figures:
    """Plan the versions of `copy` in a chain of plans, score on the true ones of `history`."""
    before: Shards | None = None
    scores, moves, spreads = [], [], []
    usual = assignment.PIECES, assignment.GUESSED_PIECES
    if row.pieces != usual[0]:
        assignment.PIECES = assignment.GUESSED_PIECES = row.pieces  # type: ignore[assignment]
    try:
        for known, true in zip(copy, history[later:], strict=False):
            after = row.planner(true, row.told(known, true), shards, before)
            scores.append(score(after, true))
            moves += [] if before is None else [moved(before, after)]
            spreads.append(spread(after))
            before = after
    finally:
        assignment.PIECES, assignment.GUESSED_PIECES = usual
    return Figures(scores, moves or [0.0], spreads)


def summary(found: list[Figures]) -> str:
    """Return the mean of the medians, their range, and the mean of the 90th percentiles."""
    medians = [statistics.median(figures.scores) for figures in found]
    tenths = [percentile(figures.scores) for figures in found]
    return (
        f"{statistics.mean(medians):.3f} ({min(medians):.3f}-{max(medians):.3f}) "
        f"{statistics.mean(tenths):.3f}"
    )


def main() -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("shards", type=int, nargs="?", default=8)
    parser.add_argument("--later", type=int, default=20)
    parser.add_argument("--copies", type=int, default=10)
    options = parser.parse_args()
    history = load(options.source)
    if len(history) <= options.later:
        print(f"error: {options.source}: at most {options.later} versions", file=sys.stderr)
        return 1
    copies = [copy_of(history, number) for number in range(options.copies)]
    print(f"{len(history)} versions, {options.shards} shards, {len(copies)} copies")
    print(f"{'':36}{'next version':30}{'moved':8}{f'{options.later} later':30}shards a file")
    for row in rows():
        near = [run(row, history, copy, options.shards, 1) for copy in copies]
        far = [run(row, history, copy, options.shards, options.later) for copy in copies]
        moves = statistics.mean(statistics.median(figures.moves) for figures in near)
        files = statistics.mean(value for figures in near for value in figures.spreads)
        print(
            f"{row.name:36}{summary(near):30}{moves:<8.2%}{summary(far):30}{files:.2f}", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
