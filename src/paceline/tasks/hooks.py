"""The tasks `hooks.audit`, `hooks.measure` and `hooks.consolidate`."""

from __future__ import annotations

import datetime
import json as json_format
from dataclasses import replace
from pathlib import Path

from paceline import console, store
from paceline.bench import history
from paceline.config import document
from paceline.errors import UsageError
from paceline.hooks import config, measured, report, steps
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


def run_consolidate(root: Path, *, stage: str, to_steps: bool, write: bool, json: bool) -> int:
    """Print how the hooks of `stage` can be made fewer; write it only if asked to.

    With `to_steps` those that can become steps do, and Paceline's own hook is left.
    """
    if to_steps and stage != steps.STAGE:
        raise UsageError(f"--to-steps: the stage is {stage}, steps run at {steps.STAGE}")
    file = config.read(root)
    console.err("collecting the tests of every hook, before and after ...")
    found = consolidate(file, root, _known(stage))
    moved = steps.move(found, root) if to_steps else None
    if moved is not None:
        found = replace(found, text=moved.hooks_after)
    if json:
        _print(report.consolidation_data(found, moved))
    else:
        diff = found.diff() + (moved.diff() if moved else "")
        if diff:
            console.out(diff)
        console.out_lines(report.consolidation_lines(found, console.width()))
        console.out_lines(report.moved_lines(moved, console.width()) if moved else [])
    files = {file.path: found.text}
    if moved is not None:
        files[root / document.FILE] = moved.settings_after
    _write({path: text for path, text in files.items() if found.diff()}, write)
    return 1 if found.broken else 0


def _write(files: dict[Path, str], write: bool) -> None:
    if files and not write:
        console.err("nothing was written; add --write to do so")
        return
    for path, text in files.items():
        store.write_text(path, text)
        console.err(f"wrote {path.name}")


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
