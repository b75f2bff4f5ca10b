"""The history file: round trip, damage, growth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from paceline.bench import history
from paceline.bench.history import Run
from paceline.bench.scenario import Measure

MEASURE = Measure("warm", wall=1.0, cpu=0.8, noise=0.01, calibration=0.05, rounds=5)
RUN = Run("2025-01-01T00:00:00+00:00", (MEASURE,))


def test_round_trip(tmp_path: Path) -> None:
    """Runs come back in the order they were added."""
    assert history.load(tmp_path) == []
    later = Run("2026", (dataclasses.replace(MEASURE, wall=2.0),))
    history.append(tmp_path, RUN)
    history.append(tmp_path, later)
    runs = history.load(tmp_path)
    assert runs == [RUN, later]
    assert history.last(runs, "warm") == later.measures[0]
    assert history.last(runs, "unknown") is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"version": 2, "runs": []}',
        '{"version": 1}',
        '{"version": 1, "runs": [{"when": 3, "measures": []}]}',
        json.dumps({"version": 1, "runs": [{"when": "x", "measures": [{"scenario": 1}]}]}),
        json.dumps(
            {
                "version": 1,
                "runs": [
                    {"when": "x", "measures": [{**dataclasses.asdict(MEASURE), "calibration": 0}]}
                ],
            }
        ),
        json.dumps(
            {
                "version": 1,
                "runs": [
                    {"when": "x", "measures": [{**dataclasses.asdict(MEASURE), "wall": "NaN"}]}
                ],
            }
        ),
    ],
)
def test_damage_costs_a_warning(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged history is named in a warning and begun anew."""
    path = history.path_in(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    history.append(tmp_path, RUN)
    warning = capsys.readouterr().err
    assert warning.startswith(f"warning: {path}: damaged benchmark history")
    assert warning.count("\n") == 1
    assert history.load(tmp_path) == [RUN]


def test_old_runs_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds only the newest runs."""
    monkeypatch.setattr(history, "KEEP", 2)
    for when in ("1", "2", "3"):
        history.append(tmp_path, Run(when, ()))
    assert [run.when for run in history.load(tmp_path)] == ["2", "3"]
