"""Remembers benchmark runs in `.paceline/bench/history.json`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paceline import console, store
from paceline.bench.scenario import Measure

#: The layout of the file; a file with another number is not understood.
VERSION = 1
#: Older runs are dropped, so that the file stays small.
KEEP = 200


@dataclass(frozen=True)
class Run:
    """One run of the benchmarks."""

    #: When, as ISO 8601 text in UTC.
    when: str
    measures: tuple[Measure, ...]


def path_in(root: Path) -> Path:
    """Return where the history of the project in `root` is kept."""
    return root / ".paceline" / "bench" / "history.json"


def load(root: Path) -> list[Run]:
    """Return the remembered runs, oldest first.

    A damaged file costs one warning and counts as empty.
    """
    path = path_in(root)
    data = store.read_json(path, "benchmark history")
    if data is None:
        return []
    try:
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']!r}, understood is {VERSION}")
        return [_run(entry) for entry in data["runs"]]
    except (KeyError, TypeError, ValueError) as error:
        console.err(f"warning: {path}: damaged benchmark history is ignored ({error!r})")
        return []


def append(root: Path, run: Run) -> None:
    """Add `run` to the history; a damaged history is begun anew with it."""
    add(root, load(root), run)


def add(root: Path, earlier: Sequence[Run], run: Run) -> None:
    """Write `earlier` (as `load` returned it) and then `run` as the history."""
    runs = [*earlier, run][-KEEP:]
    data = {"version": VERSION, "runs": [dataclasses.asdict(entry) for entry in runs]}
    store.write_json(path_in(root), data)


def last(runs: Sequence[Run], scenario: str) -> Measure | None:
    """Return the newest measure of `scenario`, or None if it was never measured."""
    for run in reversed(runs):
        for measure in run.measures:
            if measure.scenario == scenario:
                return measure
    return None


def _run(entry: Any) -> Run:
    when = entry["when"]
    if not isinstance(when, str):
        raise TypeError("`when` is not text")
    return Run(when, tuple(_measure(item) for item in entry["measures"]))


def _measure(item: Any) -> Measure:
    scenario, rounds = item["scenario"], item["rounds"]
    if not isinstance(scenario, str) or not isinstance(rounds, int):
        raise TypeError("`scenario` or `rounds` has the wrong type")
    wall, cpu, noise, calibration = (
        _seconds(item, key) for key in ("wall", "cpu", "noise", "calibration")
    )
    if calibration == 0:
        raise ValueError("`calibration` is 0")  # walls are divided by it
    return Measure(scenario, wall, cpu, noise, calibration, rounds)


def _seconds(item: Any, key: str) -> float:
    value = float(item[key])
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"`{key}` is {value}")
    return value
