"""Runs planned steps, each on a thread of its own, as the schedule allows."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from paceline import process
from paceline.errors import MissingTool
from paceline.prepush.result import StepResult, Verdict
from paceline.prepush.schedule import spoiled, startable
from paceline.prepush.steps import PlannedStep

#: After an interrupt, how long to wait for the worker threads before leaving them, in seconds.
ABANDON_SECONDS = 1.8


@dataclass(frozen=True)
class Event:
    """A step has started, or has finished with `result`."""

    kind: Literal["started", "finished"]
    step: PlannedStep
    result: StepResult | None = None


class Runner(Protocol):
    """Runs one command to its end, as `paceline.process.run` does."""

    def __call__(
        self, command: tuple[str, ...], *, cwd: Path, env: dict[str, str], timeout: float | None
    ) -> process.Result:
        """Return the finished process; raise MissingTool if it cannot be started."""
        ...


@dataclass(frozen=True)
class Limits:
    """When to stop before everything is checked."""

    #: Monotonic time when the budget is used up; None means never.
    deadline: float | None = None
    #: The budget as the user wrote it, for messages.
    budget: str = ""
    fail_fast: bool = False


def run_steps(
    steps: Sequence[PlannedStep],
    *,
    cwd: Path,
    cores: int,
    limits: Limits = Limits(),
    runner: Runner = process.run,
    changed_files: Callable[[], Sequence[str]] = tuple,
    on_event: Callable[[Event], None] = lambda _: None,
    check_alive: Callable[[], None] = lambda: None,
) -> list[StepResult]:
    """Run `steps` in `cwd` on `cores` cores; return results in the order of `steps`.

    `changed_files` says, after a fixing step, which files differ from before it. Events come
    from the calling thread, one at a time. If that thread is interrupted, or `on_event` or
    `check_alive` (asked a few times a second) raises, every child process is ended first.
    """
    run = _Run(cwd, max(1, cores), limits, runner, changed_files)
    try:
        run.all(steps, on_event, check_alive)
    except BaseException:
        run.abandon()
        raise
    return [run.results[step.name] for step in steps]


def _not_run(step: PlannedStep) -> StepResult | None:
    if step.skip:
        return StepResult(step.name, step.verdict_if_skipped, reason=step.skip)
    if not step.commands:  # nothing ran, so it must not read as "passed"
        return StepResult(step.name, "not set up", reason="no command is configured")
    return None


class _Run:
    """One run of the flow; its threads never outlive an interrupt."""

    def __init__(
        self,
        cwd: Path,
        cores: int,
        limits: Limits,
        runner: Runner,
        changed_files: Callable[[], Sequence[str]],
    ) -> None:
        self.results: dict[str, StepResult] = {}
        self._cwd = cwd
        self._cores = cores
        self._limits = limits
        self._runner = runner
        self._changed_files = changed_files
        self._running: dict[str, PlannedStep] = {}
        self._workers: list[threading.Thread] = []
        #: Why nothing more is to start; what still runs is being ended.
        self._stopped = ""
        self._over_budget = False
        self._news: queue.Queue[tuple[PlannedStep, StepResult | BaseException]] = queue.Queue()

    def all(
        self,
        steps: Sequence[PlannedStep],
        on_event: Callable[[Event], None],
        check_alive: Callable[[], None],
    ) -> None:
        waiting = []
        for step in steps:
            if (skipped := _not_run(step)) is None:
                waiting.append(step)
            else:
                self._finish(step, skipped, on_event)
        while waiting or self._running:
            for step in self._start(waiting, on_event):
                waiting.remove(step)
            if self._running:
                self._wait(on_event, check_alive)

    def _start(
        self, waiting: Sequence[PlannedStep], on_event: Callable[[Event], None]
    ) -> list[PlannedStep]:
        """Start what may start, give up what never can; return both."""
        finished = {name: result.verdict for name, result in self.results.items()}
        done = []
        for step in waiting:
            bad = spoiled(step, finished)
            if why := self._stopped or (f"it needs {bad}, which did not pass" if bad else ""):
                result = StepResult(
                    step.name, "unchecked", reason=why, over_budget=self._over_budget
                )
                self._finish(step, result, on_event)
                done.append(step)
        if done or self._stopped:
            return done
        started = startable(waiting, list(self._running.values()), finished, self._cores)
        for step in started:
            # a daemon, not an executor's: Python joins those on exit, so one step that holds
            # its output pipe open would keep an interrupted run from ending
            worker = threading.Thread(target=self._work, args=(step,), daemon=True)
            self._running[step.name] = step
            self._workers.append(worker)
            on_event(Event("started", step))
            worker.start()
        return started

    def _wait(self, on_event: Callable[[Event], None], check_alive: Callable[[], None]) -> None:
        """Wait until a step has finished, or the run has to stop."""
        while True:
            check_alive()
            self._heed_budget()
            try:
                # a timeout, because Windows does not interrupt a wait without one
                step, news = self._news.get(timeout=0.2)
                break
            except queue.Empty:
                if self._stopped:  # a child may have been starting when the others were ended
                    process.end_all(grace=0.0)
                continue
        if isinstance(news, BaseException):
            raise news
        del self._running[step.name]
        self._finish(step, self._judged(step, news), on_event)

    def _heed_budget(self) -> None:
        deadline = self._limits.deadline
        if deadline is not None and time.monotonic() > deadline and not self._stopped:
            self._over_budget = True
            self._stop(f"the budget of {self._limits.budget} is used up")

    def _stop(self, why: str) -> None:
        self._stopped = why
        process.end_all()

    def _judged(self, step: PlannedStep, result: StepResult) -> StepResult:
        """Return `result`, or what it has become: it was ended by us, or it changed files."""
        if self._stopped and result.verdict != "passed":
            return replace(
                result, verdict="unchecked", reason=self._stopped, over_budget=self._over_budget
            )
        if step.kind == "fixes" and (changed := self._changed_files()):
            reason = f"it changed {', '.join(changed)}"
            return replace(result, verdict="failed", reason=reason)
        return result

    def _finish(
        self, step: PlannedStep, result: StepResult, on_event: Callable[[Event], None]
    ) -> None:
        self.results[step.name] = result
        on_event(Event("finished", step, result))
        if result.verdict == "failed" and self._limits.fail_fast and not self._stopped:
            self._stop(f"{step.name} failed, and fail_fast is set")

    def _work(self, step: PlannedStep) -> None:
        try:
            self._news.put((step, self._run_step(step)))
        except BaseException as error:
            # lost in this thread, it would leave the main thread waiting for ever
            self._news.put((step, error))

    def _run_step(self, step: PlannedStep) -> StepResult:
        started = time.monotonic()
        env = dict(step.env)
        verdict: Verdict = "passed"
        reason, output, code, command = "", "", None, step.commands[0]
        for command in step.commands:
            left = step.timeout - (time.monotonic() - started) if step.timeout else None
            if self._stopped:  # not every command ran: never a pass
                verdict, reason = "unchecked", self._stopped
                break
            try:
                done = self._runner(command, cwd=self._cwd, env=env, timeout=left)
            except MissingTool as error:
                verdict, reason, code = "could not check", error.message, None
                output += f"{error}\n"
                break
            output, code = output + done.output, done.exit_code
            if done.timed_out:
                verdict, reason = "failed", f"ended after its limit of {step.timeout:g} s"
                break
            if code != 0:
                verdict, reason = _judge(done)
                break
        seconds = time.monotonic() - started
        shown = tuple(sorted(env.items()))
        return StepResult(
            step.name, verdict, seconds, reason, output, code, command, shown, step.again
        )

    def abandon(self) -> None:
        self._stopped = "interrupted"
        deadline = time.monotonic() + ABANDON_SECONDS
        try:
            process.end_all()
            while any(worker.is_alive() for worker in self._workers):
                if time.monotonic() > deadline:
                    break
                # again: a worker may have been starting a child during the first call
                process.end_all(grace=0.1)
                time.sleep(0.01)
        except KeyboardInterrupt:
            process.end_all(grace=0.0)  # asked twice: no grace
            raise


def _judge(done: process.Result) -> tuple[Verdict, str]:
    """Tell a check that failed from one that never started, as `python -m tool` hides it."""
    command, code = done.command, done.exit_code
    as_module = command[2] if len(command) > 2 and command[1] == "-m" else ""
    if as_module and done.output.rstrip().endswith(f": No module named {as_module}"):
        return "could not check", f"{as_module} is not installed for {command[0]}"
    if code < 0:
        return "failed", f"ended by {_signal_name(-code)}"
    return "failed", f"exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
