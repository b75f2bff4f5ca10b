"""The step of a test group: its environment, what is selected, what a run has proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paceline import console, environment, git, store, testrun
from paceline.config.model import AUTO, Config, Group
from paceline.hang import FOLDER_VARIABLE
from paceline.impact import snapshot
from paceline.impact.snapshot import Decision, Selection, Snapshot
from paceline.prepush.result import StepResult
from paceline.prepush.steps import PlannedStep

if TYPE_CHECKING:
    from filelock import FileLock


@dataclass(frozen=True)
class PlannedTests:
    """The test step of a group; `now` is the snapshot that it will have proven if it passes."""

    step: PlannedStep
    state: Path
    now: Snapshot | None = None
    #: Held until the records are stored: two runs at once must not write them both.
    lock: FileLock | None = None


def unchanged(config: Config, group: Group, change: git.Change) -> PlannedStep | None:
    """Return the step as skipped if no file changed at all and no test failed last time."""
    if change.files is None or change.files:
        return None
    before = snapshot.read(_state(config, group) / "snapshot.json")
    if before is not None and not before.passed:
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


def select(config: Config, group: Group, step: PlannedStep, *, full: bool) -> PlannedTests:
    """Return `step` narrowed to the tests that can have changed their verdict.

    The records of earlier runs are the user's checkout's; a worktree, or a second run at the same
    time, reads them and adds none.
    """
    state = _state(config, group)
    settings = f"{step.packages} {group.paths} {group.marker}"
    now = snapshot.take(config.root, git.project_files(config.root), settings)
    decision = _decide(state, now, full=full, worktree=config.home is not None)
    if decision.selection is Selection.NOTHING:
        return PlannedTests(replace(step, skip=decision.reason), state)
    console.err(f"{step.name}: {decision.selection.value}: {decision.reason}")
    lock = None if config.home is not None else _lock(state)
    if lock is None:
        return PlannedTests(step, state)
    selecting = decision.selection is Selection.TESTMON
    option = "--testmon" if selecting else "--testmon-noselect"
    command = (*step.commands[0][:3], option, *step.commands[0][3:])
    # A data file a group: a run of one group must not look like a run of all.
    env: Mapping[str, str] = {**step.env, "TESTMON_DATAFILE": str(state / "testmondata")}
    return PlannedTests(replace(step, commands=(command,), env=env), state, now, lock)


def _lock(state: Path) -> FileLock | None:
    """Take the records of a group for this run; None if another run has them: it adds none."""
    from filelock import FileLock, Timeout  # not needed where nothing runs

    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / "running.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _decide(state: Path, now: Snapshot, *, full: bool, worktree: bool) -> Decision:
    """Return which tests have to run: the one place that asks the records."""
    if full:
        return Decision(Selection.EVERYTHING, "--full")
    if not (state / "testmondata").is_file():
        return Decision(Selection.EVERYTHING, "no record of an earlier run")
    decision = snapshot.decide(snapshot.read(state / "snapshot.json"), now)
    if worktree and decision.selection is Selection.TESTMON:
        return Decision(Selection.EVERYTHING, "records are kept for the user's checkout only")
    return decision


def remember(planned: PlannedTests, result: StepResult, still: Snapshot | None) -> None:
    """Store the snapshot that the run proved; forget it where the run proved nothing.

    `still` is the snapshot after the run. Exit code 1 keeps it: testmon has stored which tests
    failed and runs them again.
    """
    if planned.now is None or planned.step.skip:
        return
    file = planned.state / "snapshot.json"
    # A file edited while the tests ran may be recorded as tested when it was not.
    if result.exit_code in (0, 1) and still is not None and still.files == planned.now.files:
        snapshot.write(file, replace(planned.now, passed=result.verdict == "passed"))
    else:
        file.unlink(missing_ok=True)
    if planned.lock is not None:
        planned.lock.release()


def _state(config: Config, group: Group) -> Path:
    store.ignored_by_git(config.state)
    return config.state / "impact" / group.name


def _name(group: Group) -> str:
    return f"tests-{group.name}"
