"""Statistics, verdicts and the table."""

from __future__ import annotations

import dataclasses
import math

import pytest

from paceline.bench import report, stats
from paceline.bench.history import Run
from paceline.bench.scenario import Measure
from paceline.bench.verdict import Judgement, judge

BASE = Measure("warm", wall=1.0, cpu=0.8, noise=0.01, calibration=0.05, rounds=5)


def changed(wall: float = 1.0, cpu: float = 1.0, machine: float = 1.0) -> Measure:
    """Scale BASE by factors; `machine` slows all three times down."""
    return dataclasses.replace(
        BASE,
        wall=BASE.wall * wall * machine,
        cpu=BASE.cpu * cpu * machine,
        calibration=BASE.calibration * machine,
    )


def test_statistics() -> None:
    """One bad round moves neither the median nor the noise."""
    assert stats.median([1, 2, 3, 100]) == 2.5
    assert stats.noise([1, 2, 3, 4, 100]) == 1
    with pytest.raises(ValueError, match="no values"):
        stats.median([])


def test_ratio_with_zero() -> None:
    """A ratio exists where the earlier value is zero."""
    assert (stats.ratio(3, 2), stats.ratio(0, 0), stats.ratio(1, 0)) == (1.5, 1.0, math.inf)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (changed(), "steady"),
        (changed(wall=1.19, cpu=1.19), "steady"),
        (changed(wall=1.3, cpu=1.3), "REGRESSION"),
        (changed(wall=1.3, cpu=1.05), "INCONCLUSIVE"),
        (changed(wall=1.3, cpu=0.5), "INCONCLUSIVE"),
        (changed(wall=0.7, cpu=0.7), "faster"),
        (changed(wall=0.7, cpu=1.0), "INCONCLUSIVE"),
        (changed(machine=2.0), "steady"),
        (changed(wall=1.3, cpu=1.3, machine=0.5), "REGRESSION"),
        (changed(cpu=3.0), "steady"),
    ],
)
def test_verdicts(current: Measure, expected: Judgement) -> None:
    """Only wall and CPU time together, apart from the machine's speed, make a verdict."""
    assert judge(current, BASE) == expected


def test_first_run() -> None:
    """A scenario that was never measured has nothing to compare with."""
    assert judge(BASE, None) == "first run"


def test_table() -> None:
    """The table aligns its columns and compares with the newest run of each scenario."""
    old = Run("2024", (changed(wall=9), dataclasses.replace(BASE, scenario="other")))
    new = Run("2025", (BASE,))
    slow = changed(wall=1.5, cpu=1.5)
    fresh = dataclasses.replace(BASE, scenario="cold start")
    assert [line.text for line in report.table([slow, fresh], [old, new])] == [
        "scenario    median wall  cpu      noise     against last run  verdict",
        "warm        1.500 s      1.200 s  ±0.010 s  +50 %             REGRESSION",
        "cold start  1.000 s      0.800 s  ±0.010 s  -                 first run",
    ]


def test_show_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table goes to standard output."""
    report.show([BASE], [])
    assert "first run" in capsys.readouterr().out
