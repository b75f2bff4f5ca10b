"""How long each step took when it last passed: what the order and the time left come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paceline import store
from paceline.prepush.result import StepResult

VERSION = 1


def read(file: Path) -> dict[str, float]:
    """Return the wall seconds of each step in `file`; empty if absent or damaged."""
    data = store.read_json(file, "history of steps")
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return {}
    seconds = data.get("wall_seconds")
    if not isinstance(seconds, dict):
        return {}
    return {str(name): float(value) for name, value in seconds.items() if _is_time(value)}


def add(file: Path, results: Sequence[StepResult]) -> None:
    """Keep in `file` the time of each step that passed."""
    new = {result.name: round(result.seconds, 3) for result in results if _ran(result)}
    if new:
        store.write_json(file, {"version": VERSION, "wall_seconds": {**read(file), **new}})


def _ran(result: StepResult) -> bool:
    return result.verdict == "passed"


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
