"""The step of a test group: its environment, and the tests that a change can affect."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from paceline import console, environment, git, store, testrun
from paceline.config.model import AUTO, Config, Group
from paceline.hang import FOLDER_VARIABLE
from paceline.impact import status
from paceline.impact.database import Store
from paceline.impact.run import RECORDS_VARIABLE
from paceline.impact.status import Status
from paceline.prepush.steps import PlannedStep


def unchanged(config: Config, group: Group, change: git.Change) -> PlannedStep | None:
    """Return the step as skipped if no file changed at all and no test has to run again."""
    if change.files is None or change.files:
        return None
    records = _records(config)
    asked = status.ask(config.root, records, group.name, os.environ)
    # Of other packages the records do not tell whether a test failed last time.
    if asked.reasons or (asked.unknown and group.name in status.profiles(records)):
        return None
    return PlannedStep(_name(group), (), skip=f"no file changed {change.reason}")


def whole(config: Config, group: Group, notes: Path) -> PlannedStep:
    """Return the step that runs the whole group; it makes the environment if there is none."""
    version = config.python[0] if config.python else None
    ready = environment.tests(config, version)
    env = {**ready.variables, **testrun.fixed_hash_seed(), FOLDER_VARIABLE: str(notes)}
    command = (str(ready.python), "-m", "pytest", *testrun.common_options(config, group))
    workers = testrun.len_cores() if group.workers == AUTO else int(group.workers)
    return PlannedStep(
        _name(group),
        ((*command, "--no-cov", *group.paths),),
        env,
        settings=testrun.fixed_hash_seed(),
        identity=((*command, *group.paths),),
        packages=ready.fingerprint,
        again=f"nox -s {_name(group)}",
        weight=max(1, workers),
    )


def select(config: Config, group: Group, step: PlannedStep, *, full: bool) -> PlannedStep:
    """Return `step` narrowed to the tests that a change can affect; skipped if there are none.

    The records are the user's checkout's, for a worktree too: they go by the content of files.
    """
    python = Path(step.commands[0][0])
    if not full:
        environ = {**os.environ, **step.env}
        prefix = str(python.parent.parent)
        asked = status.ask(config.root, _records(config), group.name, environ, prefix)
        if asked.nothing_affected:
            return replace(step, skip="the change affects no test")
        console.err(f"{step.name}: {_said(asked)}")
    option = "--impact-noselect" if full else "--impact"
    command = (*step.commands[0][:3], option, *step.commands[0][3:])
    env = {**step.env, **record_variables(config, group)}
    return replace(step, commands=(command,), env=env)


def record_variables(config: Config, group: Group) -> dict[str, str]:
    """Return the variables that say where a group's records are, and testmon's own."""
    records = _records(config).path
    folder = records.parent / group.name
    # A data file a group: for testmon a run of one group must not look like a run of all.
    folder.mkdir(parents=True, exist_ok=True)
    return {RECORDS_VARIABLE: str(records), "TESTMON_DATAFILE": str(folder / "testmondata")}


def _records(config: Config) -> Store:
    store.ignored_by_git(config.state)
    return Store(config.state / "impact" / "records.db")


def _said(asked: Status) -> str:
    """Return how many tests will run and an example of why."""
    if asked.unknown:
        return f"all tests run: {asked.unknown}"
    parts = [f"{name} may hold new tests" for name in asked.unseen_files[:1]]
    if asked.reasons:
        test, reasons = next(iter(asked.reasons.items()))
        total = len(asked.reasons) + len(asked.unaffected)
        parts.insert(0, f"{len(asked.reasons)} of {total} tests run, as {test} ({reasons[0]})")
    return "; ".join(parts)


def _name(group: Group) -> str:
    return f"tests-{group.name}"
