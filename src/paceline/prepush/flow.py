"""Runs planned steps: fixing ones first and alone, reading ones side by side."""

from __future__ import annotations

import queue
import shlex
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from paceline import process
from paceline.errors import CheckFailed, MissingTool
from paceline.prepush.steps import PlannedStep

Verdict = Literal["passed", "failed", "skipped", "not set up", "could not check"]

#: After an interrupt, how long to wait for the worker threads before leaving them, in seconds.
ABANDON_SECONDS = 1.8


@dataclass(frozen=True)
class StepResult:
    """What came of one step."""

    name: str
    verdict: Verdict
    seconds: float = 0.0
    #: Why the verdict is not "passed", for people.
    reason: str = ""
    #: Everything the step's commands printed, in order.
    output: str = ""
    #: Exit code of the last command that ran; None if none did.
    exit_code: int | None = None
    #: The last command that ran or could not be started.
    command: tuple[str, ...] = ()
    #: The variables the step sets for its commands.
    env: tuple[tuple[str, str], ...] = ()
    #: The command a person would type to run just this step; empty means `command` as it is.
    again: str = ""

    @property
    def rerun(self) -> str:
        """The shell line that repeats the step from the project's folder."""
        if self.again:
            return self.again
        assignments = [f"{key}={shlex.quote(value)}" for key, value in self.env]
        return " ".join([*assignments, shlex.join(self.command)])


@dataclass(frozen=True)
class Event:
    """A step has started, or has finished with `result`."""

    kind: Literal["started", "finished"]
    name: str
    result: StepResult | None = None


class Runner(Protocol):
    """Runs one command to its end, as `paceline.process.run` does."""

    def __call__(
        self, command: tuple[str, ...], *, cwd: Path, env: dict[str, str]
    ) -> process.Result:
        """Return the finished process; raise MissingTool if it cannot be started."""
        ...


def run_steps(
    steps: Sequence[PlannedStep],
    *,
    cwd: Path,
    cores: int,
    runner: Runner = process.run,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[StepResult]:
    """Run `steps` in `cwd`, at most `cores` at once; return results in the order of `steps`.

    Events come from the calling thread, one at a time. If that thread is interrupted (or
    `on_event` raises), every child process is ended before the exception goes on.
    """
    results: dict[int, StepResult] = {}
    fixing: list[int] = []
    reading: list[int] = []
    for place, step in enumerate(steps):
        if (skipped := _not_run(step)) is not None:
            results[place] = skipped
            on_event(Event("finished", step.name, skipped))
        else:
            (fixing if step.kind == "fixes" else reading).append(place)
    for batch in [*([place] for place in fixing), reading]:
        results.update(_Batch(steps, batch, cwd, runner).run(max(1, cores), on_event))
    return [results[place] for place in range(len(steps))]


def exit_code(results: Sequence[StepResult]) -> int:
    """Return 1 if a step failed, 11 if the only trouble is a missing tool, else 0."""
    verdicts = {result.verdict for result in results}
    if "failed" in verdicts:
        return CheckFailed.exit_code
    return MissingTool.exit_code if "could not check" in verdicts else 0


def _not_run(step: PlannedStep) -> StepResult | None:
    if step.skip:
        return StepResult(step.name, step.verdict_if_skipped, reason=step.skip)
    if not step.commands:  # nothing ran, so it must not read as "passed"
        return StepResult(step.name, "not set up", reason="no command is configured")
    return None


class _Batch:
    """Steps that may run at the same time, on threads that never outlive an interrupt."""

    def __init__(
        self, steps: Sequence[PlannedStep], places: Sequence[int], cwd: Path, runner: Runner
    ) -> None:
        self._steps = steps
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for place in places:
            self._waiting.put(place)
        self._count = len(places)
        self._cwd = cwd
        self._runner = runner
        self._stop = threading.Event()
        self._news: queue.Queue[tuple[int, Event | BaseException]] = queue.Queue()

    def run(self, cores: int, on_event: Callable[[Event], None]) -> dict[int, StepResult]:
        # daemon threads, not an executor: Python joins an executor's threads on exit, so one
        # step that holds its output pipe open would keep an interrupted run from ending
        workers = [
            threading.Thread(target=self._work, daemon=True) for _ in range(min(cores, self._count))
        ]
        results: dict[int, StepResult] = {}
        try:
            for worker in workers:
                worker.start()
            while len(results) < self._count:
                place, news = self._next()
                if isinstance(news, BaseException):
                    raise news
                if news.result is not None:
                    results[place] = news.result
                on_event(news)
        except BaseException:
            self._abandon(workers)
            raise
        return results

    def _next(self) -> tuple[int, Event | BaseException]:
        while True:
            try:
                # a timeout, because Windows does not interrupt a wait without one
                return self._news.get(timeout=0.2)
            except queue.Empty:
                continue

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                place = self._waiting.get_nowait()
            except queue.Empty:
                return
            step = self._steps[place]
            self._news.put((place, Event("started", step.name)))
            try:
                result = self._run_step(step)
            except BaseException as error:
                # lost in this thread, it would leave the main thread waiting for ever
                self._news.put((place, error))
                return
            self._news.put((place, Event("finished", step.name, result)))

    def _run_step(self, step: PlannedStep) -> StepResult:
        started = time.monotonic()
        env = dict(step.env)
        verdict: Verdict = "passed"
        reason, output, code, command = "", "", None, step.commands[0]
        for command in step.commands:
            if self._stop.is_set():  # not every command ran: never a pass
                verdict, reason = "could not check", "interrupted"
                break
            try:
                done = self._runner(command, cwd=self._cwd, env=env)
            except MissingTool as error:
                verdict, reason, code = "could not check", error.message, None
                output += f"{error}\n"
                break
            output, code = output + done.output, done.exit_code
            if code != 0:
                verdict, reason = _judge(done)
                break
        seconds = time.monotonic() - started
        shown = tuple(sorted(env.items()))
        return StepResult(
            step.name, verdict, seconds, reason, output, code, command, shown, step.again
        )

    def _abandon(self, workers: Sequence[threading.Thread]) -> None:
        self._stop.set()
        deadline = time.monotonic() + ABANDON_SECONDS
        try:
            process.end_all()
            while any(worker.is_alive() for worker in workers):
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
