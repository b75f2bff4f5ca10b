"""The benchmark table: a row a scenario, compared with its last run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paceline import console
from paceline.bench import history
from paceline.bench.scenario import Measure
from paceline.bench.verdict import Judgement, judge, wall_ratio

HEADER = ("scenario", "median wall", "cpu", "noise", "against last run", "verdict")

STYLES: dict[Judgement, str] = {
    "first run": "",
    "steady": "green",
    "REGRESSION": "bold red",
    "INCONCLUSIVE": "yellow",
    "faster": "bold green",
}


def table(
    measures: Sequence[Measure], earlier: Sequence[history.Run], limit: int | None = None
) -> list[console.Line]:
    """Return the table's lines, at most `limit` columns wide; `earlier` is what came before."""
    rows = [_row(measure, history.last(earlier, measure.scenario)) for measure in measures]
    return console.layout(HEADER, rows, limit)


def show(measures: Sequence[Measure], earlier: Sequence[history.Run]) -> None:
    """Print the table to standard output."""
    console.out_lines(table(measures, earlier, console.width()))


def regressions(measures: Sequence[Measure], earlier: Sequence[history.Run]) -> list[str]:
    """Return the names of the scenarios that got slower beyond doubt."""
    return [
        measure.scenario
        for measure in measures
        if judge(measure, history.last(earlier, measure.scenario)) == "REGRESSION"
    ]


def _row(measure: Measure, previous: Measure | None) -> console.Row:
    verdict = judge(measure, previous)
    cells = (
        measure.scenario,
        f"{measure.wall:.3f} s",
        f"{measure.cpu:.3f} s",
        f"±{measure.noise:.3f} s",
        _against(measure, previous),
        verdict,
    )
    return console.Row(cells, STYLES[verdict])


def _against(measure: Measure, previous: Measure | None) -> str:
    if previous is None:
        return "-"
    change = wall_ratio(measure, previous)
    return f"{(change - 1) * 100:+.0f} %" if math.isfinite(change) else "from 0"
