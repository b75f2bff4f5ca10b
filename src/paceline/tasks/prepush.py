"""The task `prepush`: plan the steps, run them, remember what the tests proved."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from paceline import console, environment, git, store, testrun
from paceline.config.loading import load
from paceline.config.model import Config, Group
from paceline.hang import FOLDER_VARIABLE, Watch
from paceline.impact import snapshot
from paceline.impact.snapshot import Decision, Selection, Snapshot
from paceline.prepush import flow, report
from paceline.prepush.steps import PlannedStep, plan_step


@dataclass(frozen=True)
class PlannedTests:
    """The test step of a group, and the snapshot that it will have proven if it passes."""

    step: PlannedStep
    state: Path
    now: Snapshot


def run_prepush(root: Path, *, full: bool, json: bool) -> int:
    """Run the flow in `root` and return its exit code."""
    config = load(root)
    store.ignored_by_git(root / ".paceline")
    change = git.Change(None, "--full") if full else git.change_since_upstream(root)
    checks = _planned_checks(config, change, full)
    tests = [
        _planned_tests(config, group, change, full) for group in config.groups if group.prepush
    ]
    steps = [*checks, *(planned.step for planned in tests)]
    notes = root / ".paceline" / "running"
    with Watch(notes) as watch, _view() as view:
        results = flow.run_steps(
            steps, cwd=root, cores=testrun.len_cores(), on_event=report.follow(view)
        )
    for planned in tests:
        _remember(config, planned, next(r for r in results if r.name == planned.step.name))
    for message in watch.hung:
        console.err(f"error: {message}")
    if json:
        console.out(report.as_json(results, change))
    else:
        report.closing(results, change)
    return flow.exit_code(results)


def _view() -> AbstractContextManager[console.View]:
    return console.live()


def _planned_checks(config: Config, change: git.Change, full: bool) -> list[PlannedStep]:
    steps = [
        replace(step, run=(environment.consistency_command(config),))
        if step.name == "deps" and not step.run
        else step
        for step in config.steps
        if step.prepush
    ]
    planned = [plan_step(step, change, full) for step in steps]
    if all(step.skip for step in planned):
        return planned  # nothing will run: the tools need not be installed
    variables = environment.tools(config).variables
    return [
        replace(step, env={**variables, **step.env}, again=f"nox -s {step.name}")
        for step in planned
    ]


def _planned_tests(config: Config, group: Group, change: git.Change, full: bool) -> PlannedTests:
    name = f"tests-{group.name}"
    version = config.python[0] if config.python else None
    state = config.root / ".paceline" / "impact" / group.name
    before = snapshot.read(state / "snapshot.json")
    failed_last = before is not None and not before.passed
    if change.files is not None and not change.files and not full and not failed_last:
        step = PlannedStep(name, (), skip=f"no file changed {change.reason}")
        return PlannedTests(step, state, Snapshot("", {}))
    ready = environment.tests(config, version)
    now = _snapshot(config, group, ready)
    decision = _decide(state, before, now, full)
    if decision.selection is Selection.NOTHING:
        return PlannedTests(PlannedStep(name, (), skip=decision.reason), state, now)
    command = _command(config, group, ready.python, decision)
    env = {
        **ready.variables,
        **testrun.fixed_hash_seed(),
        # A data file a group: a run of one group must not look like a run of all.
        "TESTMON_DATAFILE": str(state / "testmondata"),
        FOLDER_VARIABLE: str(config.root / ".paceline" / "running"),
    }
    state.mkdir(parents=True, exist_ok=True)
    return PlannedTests(
        PlannedStep(name, (tuple(command),), env, again=f"nox -s {name}"), state, now
    )


def _snapshot(config: Config, group: Group, ready: environment.Environment) -> Snapshot:
    settings = f"{ready.fingerprint} {group.paths} {group.marker}"
    return snapshot.take(config.root, git.project_files(config.root), settings)


def _decide(state: Path, before: Snapshot | None, now: Snapshot, full: bool) -> Decision:
    if full:
        return Decision(Selection.EVERYTHING, "--full")
    if not (state / "testmondata").is_file():
        return Decision(Selection.EVERYTHING, "no record of an earlier run")
    return snapshot.decide(before, now)


def _command(config: Config, group: Group, python: Path, decision: Decision) -> list[str]:
    console.err(f"tests-{group.name}: {decision.selection.value}: {decision.reason}")
    selecting = decision.selection is Selection.TESTMON
    options = testrun.common_options(config, group)
    # testmon cannot share its run with pytest-cov; the figures come from the sessions.
    options += ["--testmon" if selecting else "--testmon-noselect", "--no-cov"]
    return [str(python), "-m", "pytest", *options, *group.paths]


def _remember(config: Config, planned: PlannedTests, result: flow.StepResult) -> None:
    """Store the snapshot that the run proved; forget it where the run proved nothing.

    Exit code 1 keeps it: testmon has stored which tests failed and runs them again.
    """
    if planned.step.skip:
        return
    file = planned.state / "snapshot.json"
    names = git.project_files(config.root)
    still = snapshot.take(config.root, names, planned.now.environment)
    # A file edited while the tests ran may be recorded as tested when it was not.
    if result.exit_code in (0, 1) and still.files == planned.now.files:
        snapshot.write(file, replace(planned.now, passed=result.verdict == "passed"))
    else:
        file.unlink(missing_ok=True)
