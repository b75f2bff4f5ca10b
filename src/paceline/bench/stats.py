"""The few statistics a benchmark needs; medians, because one bad round must not count."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the median of `values`; raise ValueError if there are none."""
    if not values:
        raise ValueError("the median of no values")
    return statistics.median(values)


def noise(values: Sequence[float]) -> float:
    """Return the median absolute deviation of `values`: how far a typical round is off."""
    middle = median(values)
    return median([abs(value - middle) for value in values])


def ratio(current: float, previous: float) -> float:
    """Return `current` divided by `previous`: 1.0 where both are 0, infinity from 0 up."""
    if previous > 0:
        return current / previous
    return 1.0 if current <= 0 else math.inf
