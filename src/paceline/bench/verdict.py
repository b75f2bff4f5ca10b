"""Judges a measure against the last one; says so where the evidence does not suffice."""

from __future__ import annotations

from typing import Literal

from paceline.bench.scenario import Measure
from paceline.bench.stats import ratio

Judgement = Literal["first run", "steady", "REGRESSION", "INCONCLUSIVE", "faster"]

#: Normalised wall time may grow by this factor before it counts.
WALL_LIMIT = 1.2
#: CPU time that changes by less than this factor has not moved.
CPU_MOVED = 1.1


def judge(current: Measure, previous: Measure | None) -> Judgement:
    """Judge `current` against `previous`.

    Both times are divided by the calibration loop's, so a slower machine is no regression.
    Where wall time moved alone, other work on the machine is as likely: INCONCLUSIVE.
    """
    if previous is None:
        return "first run"
    wall = wall_ratio(current, previous)
    cpu = ratio(current.cpu / current.calibration, previous.cpu / previous.calibration)
    if wall > WALL_LIMIT:
        return "REGRESSION" if cpu >= CPU_MOVED else "INCONCLUSIVE"
    if wall < 1 / WALL_LIMIT:
        return "faster" if cpu <= 1 / CPU_MOVED else "INCONCLUSIVE"
    return "steady"


def wall_ratio(current: Measure, previous: Measure) -> float:
    """Return how normalised wall time changed: 1.0 is unchanged, 2.0 twice as slow."""
    return ratio(current.wall / current.calibration, previous.wall / previous.calibration)
