"""Checks one checkout: plans the steps, takes what receipts prove, runs the rest, keeps proof."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paceline import console, environment, git, process, store, testrun
from paceline.config.loading import load
from paceline.config.model import Config, Group, Step
from paceline.errors import UsageError
from paceline.hang import Watch
from paceline.prepush import covering, fingerprint, flow, grouptests, history, redirection, report
from paceline.prepush.checkout import Checkout
from paceline.prepush.receipts import Receipt, Receipts
from paceline.prepush.result import StepResult
from paceline.prepush.steps import PlannedStep, plan_step, without_tool


@dataclass(frozen=True)
class Wish:
    """What the user asked for beside the checkout."""

    #: Run every step and every test, whatever changed and whatever receipts there are.
    full: bool = False
    #: Run this step only; empty means all.
    only: str = ""
    #: Monotonic time when the run began: the budget counts from here.
    started: float = 0.0
    #: Raises when the program that started us is gone.
    check_alive: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Plan:
    """What will run, and what a pass will prove."""

    steps: tuple[PlannedStep, ...]
    #: Fingerprints by step; a step without one gets no receipt.
    fingerprints: Mapping[str, str]
    #: The groups whose coverage is to be judged; empty where nothing is measured.
    covering: tuple[Group, ...] = ()
    #: What came of the coverage already, if that is known before anything runs.
    coverage: StepResult | None = None


def check(checkout: Checkout, change: git.Change, wish: Wish) -> report.Report:
    """Check the files of `checkout` and return what came of each step.

    Raises ConfigurationError, MissingTool or CheckFailed if nothing could be run.
    """
    home = None if checkout.in_place else checkout.home
    config = load(checkout.root, home)
    store.ignored_by_git(config.state)
    receipts = Receipts(config.state / "receipts", config.prepush.receipt_days)
    before = _expected(checkout)
    plan = _Planner(config, checkout, change, wish, receipts, before).plan()
    tree = _Tree(checkout, before)
    results, hung = _run(config, checkout, plan, wish, tree)
    results = tree.verified(plan.steps, results)
    if plan.covering:
        results.append(covering.judge(config, plan.covering, results))
    elif plan.coverage is not None:
        results.append(plan.coverage)
    if tree.is_as_it_was:
        _keep_receipts(receipts, checkout, plan, results)
    history.add(_history(config), results)
    return report.Report(tuple(results), change, checkout, config.prepush.over_budget, tuple(hung))


def _expected(checkout: Checkout) -> dict[str, str] | None:
    """Return the files to check: in place those of the commit, whatever was edited since."""
    if checkout.in_place and checkout.commit:
        return _by_path(checkout, lambda top: git.listing(top, checkout.commit or ""))
    return _files(checkout)


def _files(checkout: Checkout) -> dict[str, str] | None:
    """Return the files as they are now; None if it cannot be told."""
    return _by_path(checkout, git.content)


def _by_path(
    checkout: Checkout, entries: Callable[[Path], dict[str, str] | None]
) -> dict[str, str] | None:
    """Return what identifies the content of each file, by its path from the project's folder.

    Files of the repository outside the project start with "../".
    """
    place = git.place(checkout.root)
    found = entries(place.top) if place is not None else None
    if place is None or found is None:
        return None
    return {_below(path, place.prefix): entry for path, entry in found.items()}


def _below(path: str, prefix: str) -> str:
    return path.removeprefix(prefix) if path.startswith(prefix) else f"../{path}"


@dataclass(frozen=True)
class _Planner:
    config: Config
    checkout: Checkout
    change: git.Change
    wish: Wish
    receipts: Receipts
    content: dict[str, str] | None

    def plan(self) -> Plan:
        groups = [group for group in self.config.groups if group.prepush]
        names = [step.name for step in self.config.steps if step.prepush]
        names += [f"tests-{group.name}" for group in groups]
        if self.wish.only and self.wish.only not in names:
            raise UsageError(f"there is no step {self.wish.only}", f"steps: {', '.join(names)}")
        prints: dict[str, str] = {}
        steps = [self._proven(step, prints) for step in self._checks()]
        coverage = self._coverage(groups, prints)
        for group in groups:
            if self._wanted(f"tests-{group.name}"):
                steps.append(self._tests(group, prints, measuring=coverage is None))
        known = history.read(_history(self.config))
        timed = (replace(step, expected_seconds=known.get(step.name)) for step in steps)
        measured = tuple(groups) if coverage is None else ()
        shown = coverage if coverage and coverage.reason else None
        return Plan(tuple(map(self._again, timed)), prints, measured, shown)

    def _wanted(self, name: str) -> bool:
        return self.wish.only in ("", name)

    @property
    def _full(self) -> bool:
        return self.wish.full or bool(self.wish.only)

    def _checks(self) -> list[PlannedStep]:
        steps = [s for s in self.config.steps if s.prepush and self._wanted(s.name)]
        planned = [self._planned(step) for step in steps]
        if all(step.skip for step in planned):
            return planned  # nothing will run: the tools need not be installed
        ready = environment.tools(self.config)
        return [
            self._ready(step, configured.optional_tool, ready)
            for step, configured in zip(planned, steps, strict=True)
        ]

    def _planned(self, step: Step) -> PlannedStep:
        if step.name != "deps" or step.run:
            return plan_step(step, self.change, self._full)
        named = replace(step, run=(("uv", "pip", "check"),))
        planned = plan_step(named, self.change, self._full)
        if planned.skip:
            return planned
        # only now: the real command needs the tests' environment, which may have to be made
        return replace(planned, commands=(environment.consistency_command(self.config),))

    def _ready(self, step: PlannedStep, tool: str, ready: environment.Environment) -> PlannedStep:
        env = {**ready.variables, **step.settings}
        step = replace(step, env=env, packages=ready.fingerprint)
        if tool and shutil.which(tool, path=env.get("PATH")) is None:
            return without_tool(step, tool, required=bool(os.environ.get("CI")))
        return step

    def _coverage(self, groups: Sequence[Group], prints: dict[str, str]) -> StepResult | None:
        """Return what is known of the coverage before anything runs; None: it is to be judged."""
        if self.wish.only or not groups or not covering.is_limited(self.config):
            return StepResult(covering.NAME, "skipped")
        if why := covering.left_to_ci(self.config):
            return StepResult(covering.NAME, "skipped", reason=why)
        notes = self.config.state / "running" / str(os.getpid())
        steps = [grouptests.whole(self.config, group, notes) for group in groups]
        step = self._proven(covering.planned(steps), prints)
        if not covering.keeps_proof(self.config):
            prints.pop(covering.NAME, None)
            return None
        return StepResult(step.name, "proven", reason=step.skip) if step.skip else None

    def _tests(self, group: Group, prints: dict[str, str], *, measuring: bool) -> PlannedStep:
        notes = self.config.state / "running" / str(os.getpid())
        if measuring:
            step = grouptests.whole(self.config, group, notes)
            if self.content is not None:
                prints[step.name] = fingerprint.of_step(step, self.content, self.checkout)
            return covering.measuring(self.config, group, step, full=self.wish.full)
        skipped = None if self._full else grouptests.unchanged(self.config, group, self.change)
        if skipped is not None:
            return skipped
        step = self._proven(grouptests.whole(self.config, group, notes), prints)
        return step if step.skip else grouptests.select(self.config, group, step, full=self._full)

    def _proven(self, step: PlannedStep, prints: dict[str, str]) -> PlannedStep:
        """Note the fingerprint of `step`; return it as skipped if there is a receipt for it."""
        if step.skip or not (step.commands or step.identity) or self.content is None:
            return step
        prints[step.name] = fingerprint.of_step(step, self.content, self.checkout)
        receipt = None if self._full else self.receipts.find(prints[step.name])
        if receipt is None:
            return step
        age = report.age(receipt.age_seconds(time.time()))
        return replace(step, skip=f"receipt from {age} ago", verdict_if_skipped="proven")

    def _again(self, step: PlannedStep) -> PlannedStep:
        if self.checkout.in_place or not self.checkout.commit:
            return replace(step, again=f"invoke prepush --only {step.name}")
        commit = self.checkout.commit[:10]
        return replace(step, again=f"invoke prepush --commit {commit} --only {step.name}")


class _Tree:
    """The checked files while steps run: who changed them?"""

    def __init__(self, checkout: Checkout, before: dict[str, str] | None) -> None:
        self._checkout = checkout
        self._before = before
        self._expected = before

    @property
    def is_as_it_was(self) -> bool:
        """Whether nothing changed since the beginning, and that is known."""
        return self._before is not None and self._before == self._expected

    def changed(self) -> list[str]:
        """Return which files differ from the last look, and expect them so from now on."""
        now = _files(self._checkout)
        old, self._expected = self._expected, now
        if old is None or now is None:
            return [] if old is now else ["something that git cannot tell"]
        return sorted(name for name in old.keys() | now.keys() if old.get(name) != now.get(name))

    def verified(
        self, steps: Sequence[PlannedStep], results: Sequence[StepResult]
    ) -> list[StepResult]:
        """Return `results` without a pass that other files than the checked ones gave."""
        reading = {step.name for step in steps if step.kind == "reads"}
        ran = [result for result in results if result.verdict == "passed"]
        changed = self.changed() if ran else []
        if not changed:
            return list(results)
        named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if changed[5:] else "")
        reason = f"{named} changed while it ran"
        return [
            replace(result, verdict="failed", reason=reason)
            if result.verdict == "passed" and result.name in reading
            else result
            for result in results
        ]


def _run(
    config: Config, checkout: Checkout, plan: Plan, wish: Wish, tree: _Tree
) -> tuple[list[StepResult], list[str]]:
    budget = config.prepush.budget_seconds
    limits = flow.Limits(
        wish.started + budget if budget is not None and not wish.full else None,
        config.prepush.budget,
        config.prepush.fail_fast,
    )
    if all(step.skip for step in plan.steps):
        return flow.run_steps(plan.steps, cwd=checkout.root, cores=1), []
    if not checkout.in_place:
        redirection.verify(config, plan.steps)
    with process.guarded(), _notes(config) as notes, Watch(notes) as watch, console.live() as view:
        results = flow.run_steps(
            plan.steps,
            cwd=checkout.root,
            cores=testrun.len_cores(),
            limits=limits,
            changed_files=tree.changed,
            on_event=report.follow(view),
            check_alive=wish.check_alive,
        )
    return results, watch.hung


@contextlib.contextmanager
def _notes(config: Config) -> Iterator[Path]:
    """Give the folder in which this run's tests note what they do."""
    running = config.state / "running"
    for folder in running.glob("*"):
        if folder.name.isdigit() and not process.is_alive(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    own = running / str(os.getpid())
    own.mkdir(parents=True, exist_ok=True)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _keep_receipts(
    receipts: Receipts, checkout: Checkout, plan: Plan, results: Sequence[StepResult]
) -> None:
    for result in results:
        if result.verdict == "passed" and result.name in plan.fingerprints:
            receipts.add(
                Receipt(
                    plan.fingerprints[result.name],
                    result.name,
                    time.time(),
                    checkout.commit or "",
                    round(result.seconds, 3),
                )
            )


def _history(config: Config) -> Path:
    return config.state / "prepush" / "history.json"
