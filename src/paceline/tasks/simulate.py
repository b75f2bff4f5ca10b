"""The task `ci.simulate`: the schedule of a pipeline, and what changes to it would bring."""

from __future__ import annotations

import json as json_format
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from paceline import console, store
from paceline.ci import chart, timing, whatif
from paceline.ci.measured import project_timing
from paceline.ci.timing import minutes
from paceline.ci.whatif import Step
from paceline.config.loading import load
from paceline.errors import UsageError


@dataclass(frozen=True)
class Wishes:
    """What the task was asked for, as it was written."""

    file: str = ""
    times: str = ""
    shards: str = ""
    workers: str = ""
    early: bool = False
    cache: str = ""
    runners: int = -1
    price: str = ""
    target: str = ""
    svg: str = ""
    json: bool = False


def run_simulate(root: Path, wishes: Wishes) -> None:
    """Simulate the pipeline in a file, else the project's own, and print every step."""
    found = timing.read(Path(wishes.file)) if wishes.file else _own(root, wishes.times)
    if wishes.price:
        found = timing.priced(found, _number("--price", wishes.price))
    steps = [whatif.step("as it is", found)]
    counts = {"shards": _counts("--shards", wishes.shards)}
    counts["workers"] = _counts("--workers", wishes.workers)
    hits = _number("--cache", wishes.cache) if wishes.cache else -1.0
    if wishes.runners < -1:
        raise UsageError(f"--runners: found {wishes.runners}, allowed: a number from 0")
    if hits > 1:
        raise UsageError(f"--cache: found {wishes.cache}, allowed: a share from 0 to 1")
    steps += whatif.apply(steps[0], counts, wishes.early, hits, wishes.runners)
    if wishes.target:
        steps += whatif.toward(steps[-1], parse_seconds(wishes.target))
    if wishes.svg:
        store.write_text(Path(wishes.svg), chart.as_svg(steps[-1].schedule, steps[-1].text))
    if wishes.json:
        console.out(json_format.dumps([_as_data(step) for step in steps], indent=1))
    else:
        _show(steps, wishes.target)


def _own(root: Path, times: str) -> timing.Timing:
    known = timing.read_data(Path(times)) if times else {}
    found, assumed = project_timing(load(root), known)
    if assumed:
        console.err(f"no time is known for {', '.join(assumed)}: 30 s each is assumed")
    return found


def parse_seconds(text: str) -> float:
    """Return the seconds of "10m", "90s" or "1h"; a plain number is minutes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise UsageError(f'--target: found "{text}", allowed: a time like 10m or 90s')
    return float(match[1]) * {"s": 1, "": 60, "m": 60, "h": 3600}[match[2]]


def _number(option: str, text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise UsageError(f'{option}: found "{text}", allowed: a number from 0')
    return float(text)


def _counts(option: str, text: str) -> dict[str, int]:
    counts = {}
    for part in filter(None, text.split(",")):
        name, _, count = part.rpartition("=")
        if not name or not count.isdecimal():
            raise UsageError(f'{option}: found "{part}", allowed: job=number[,job=number]')
        counts[name] = int(count)
    return counts


def _as_data(step: Step) -> Mapping[str, object]:
    schedule = step.schedule
    return {
        "step": step.text,
        "wall_seconds": schedule.wall_seconds,
        "total_seconds": schedule.total_seconds,
        "billed_minutes": schedule.billed_minutes,
        "cost": schedule.cost,
        "critical": list(schedule.critical),
        "jobs": [
            {"job": s.job, "shard": s.shard, "start": s.start, "end": s.end} for s in schedule.slots
        ],
    }


def _show(steps: Sequence[Step], target: str) -> None:
    width = console.width()
    for step in steps[:1] if len(steps) == 1 else (steps[0], steps[-1]):
        console.out(f"{step.text}: {minutes(step.schedule.wall_seconds)}")
        console.out(chart.as_text(step.schedule, width or 100) + "\n\n")
    saved = ["", *(_saved(before, after) for before, after in pairwise(steps))]
    table = [
        console.Row(
            (
                minutes(step.schedule.wall_seconds),
                change,
                minutes(step.schedule.total_seconds),
                str(step.schedule.billed_minutes),
                f"{step.schedule.cost:.2f}",
                step.text,
            )
        )
        for step, change in zip(steps, saved, strict=True)
    ]
    header = ("wall", "saved", "all runners", "billed min", "cost", "step")
    console.out_lines(console.layout(header, table, width))
    console.out(f"critical path: {' > '.join(steps[-1].schedule.critical)}")
    if target and steps[-1].schedule.wall_seconds >= parse_seconds(target):
        console.out(f"no further change saves a second: {target} is not reached")


def _saved(before: Step, after: Step) -> str:
    saved = before.schedule.wall_seconds - after.schedule.wall_seconds
    return minutes(saved) if saved >= 0 else f"-{minutes(-saved)}"
