"""The tasks `hooks.audit`, `hooks.measure` and `hooks.consolidate`."""

from __future__ import annotations

import datetime
import json as json_format
from pathlib import Path

from paceline import console, store
from paceline.bench import history
from paceline.errors import UsageError
from paceline.hooks import config, measured, report
from paceline.hooks.audit import audit, start_seconds
from paceline.hooks.config import Hook
from paceline.hooks.consolidate import consolidate
from paceline.hooks.measure import Outcome, measure


def run_audit(root: Path, *, stage: str, json: bool) -> None:
    """Print what the hooks of `stage` start."""
    found = audit(config.read(root), root, _known(stage))
    start = start_seconds(found.started_by, root) if found.started_by else None
    if json:
        _print(report.audit_data(found, start))
    else:
        console.out_lines(report.audit_lines(found, start, console.width()))


def run_consolidate(root: Path, *, stage: str, write: bool, json: bool) -> int:
    """Print how the hooks of `stage` can be made fewer; write it only if asked to."""
    file = config.read(root)
    console.err("collecting the tests of every hook, before and after ...")
    found = consolidate(file, root, _known(stage))
    if json:
        _print(report.consolidation_data(found))
    else:
        if found.diff():
            console.out(found.diff())
        console.out_lines(report.consolidation_lines(found, console.width()))
    if write and found.merged:
        store.write_text(file.path, found.text)
        console.err(f"wrote {file.path.name}")
    elif found.merged:
        console.err("nothing was written; add --write to do so")
    return 1 if found.broken else 0


def run_measure(root: Path, *, stage: str, rounds: int, json: bool) -> int:
    """Time the hooks of `stage`, add them to the history, write the reports, print the table.

    Returns 0 if all of them passed, 1 if one failed, 12 if one did not really run.
    """
    if rounds < 1:
        raise UsageError(f"--rounds: found {rounds}, allowed: a number from 1")
    file = config.read(root)
    hooks = measure(file, root, _known(stage), rounds, _progress)
    earlier = history.load(root)
    measures = [found for hook in hooks if (found := hook.measure(stage)) is not None]
    store.ignored_by_git(root / ".paceline")
    if measures:
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        history.add(root, earlier, history.Run(when, tuple(measures)))
    data = measured.data(stage, hooks, earlier)
    reports = root / ".paceline" / "reports"
    store.write_json(reports / f"hooks-{stage}.json", data)
    store.write_text(reports / f"hooks-{stage}.md", measured.markdown(stage, hooks, earlier))
    if json:
        _print(data)
    else:
        console.out_lines(measured.lines(stage, hooks, earlier, console.width()))
        console.out(f"also in .paceline/reports/hooks-{stage}.md and .json")
    states = {hook.state for hook in hooks}
    return 12 if "did not run" in states or not hooks else 1 if "failed" in states else 0


def _progress(hook: Hook, outcome: Outcome) -> None:
    took = f"{outcome.seconds:.2f} s" if outcome.state != "did not run" else outcome.reason
    console.err(f"{hook.id}: {outcome.state}, {took}")


def _known(stage: str) -> str:
    if stage not in config.ALL_STAGES:
        raise UsageError(f"--stage: found {stage}, allowed: {', '.join(config.ALL_STAGES)}")
    return stage


def _print(data: object) -> None:
    console.out(json_format.dumps(data, indent=1))
