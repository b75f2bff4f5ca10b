"""Times each hook of a stage as pre-commit or prek runs it, and tells whether it really ran."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paceline import process
from paceline.bench import sample, stats
from paceline.bench.scenario import Measure
from paceline.errors import MissingTool
from paceline.hooks.audit import read_command
from paceline.hooks.collect import collect
from paceline.hooks.config import Hook, HookFile

State = Literal["passed", "failed", "did not run"]

MANAGERS = ("pre-commit", "prek")
#: Codes by which pytest says that no test was run: interrupted while collecting, internal
#: error, usage error, nothing collected.
PYTEST_DID_NOT_RUN = {
    2: "ended while collecting",
    3: "internal error",
    4: "usage error",
    5: "no test collected",
}
#: Codes by which a shell says that it could not start a program.
NOT_STARTED = {126: "the program may not be started", 127: "the program is not there"}
_LINE = re.compile(
    r"^.*\.{3}(\((?P<note>[^()]*)\))?(?P<state>Passed|Failed|Skipped)$", re.MULTILINE
)
_DETAIL = re.compile(r"^- (exit code|duration): ([\d.]+)s?$", re.MULTILINE)
#: What a program that never came to its work prints last, whatever its exit code.
_START_ERRORS = re.compile(
    r"^\s*(ModuleNotFoundError|ImportError|SyntaxError): .*"
    r"|^.*: No module named .*|^.*: can't open file .*"
    r"|^.*: command not found|^Executable `.*` not found",
    re.MULTILINE,
)
_NOTHING_RAN = re.compile(r"^(=+ )?(no tests ran|\d+ (skipped|deselected)(, \d+ \w+)*) in ", re.M)


@dataclass(frozen=True)
class Outcome:
    """What one run of one hook came to."""

    state: State
    #: Why it did not run or pass; empty if it passed.
    reason: str = ""
    #: Of the hook's command; None if the manager did not start it.
    exit_code: int | None = None
    #: What the hook's command took, as the manager says; 0.0 if it did not run.
    seconds: float = 0.0
    cpu_seconds: float = 0.0


_SEVERAL = Outcome("did not run", "its id stands for several hooks, which run together")


@dataclass(frozen=True)
class HookMeasure:
    """All rounds of one hook."""

    id: str
    outcomes: tuple[Outcome, ...]
    #: The part of the first round that was start-up, from 0 to 1; None where it cannot be told.
    start_share: float | None
    #: Median time of the calibration loop in the same rounds.
    calibration: float

    @property
    def state(self) -> State:
        """The worst of all rounds: one round that did not run makes the time worthless."""
        worst: tuple[State, ...] = ("did not run", "failed", "passed")
        states = {outcome.state for outcome in self.outcomes}
        return next(state for state in worst if state in states)

    @property
    def seconds(self) -> float | None:
        """The median time; None if the hook did not really run in every round."""
        if self.state == "did not run":
            return None
        return stats.median([outcome.seconds for outcome in self.outcomes])

    def measure(self, stage: str) -> Measure | None:
        """Return the entry for the run history; None unless every round passed."""
        if self.seconds is None or self.state != "passed":
            return None
        walls = [outcome.seconds for outcome in self.outcomes]
        return Measure(
            f"hook {stage} {self.id}",
            self.seconds,
            stats.median([outcome.cpu_seconds for outcome in self.outcomes]),
            stats.noise(walls),
            self.calibration,
            len(walls),
        )


def manager() -> Path:
    """Return pre-commit or prek, the one beside this interpreter first.

    Raises MissingTool if neither is installed.
    """
    suffix = ".exe" if os.name == "nt" else ""
    beside = [Path(sys.executable).with_name(name + suffix) for name in MANAGERS]
    found = next((path for path in beside if path.exists()), None)
    if found is not None:
        return found
    for name in MANAGERS:
        try:
            return process.find_tool(name)
        except MissingTool:
            continue
    raise MissingTool("neither pre-commit nor prek is installed", "install one of them")


def measure(
    file: HookFile,
    root: Path,
    stage: str,
    rounds: int,
    on_outcome: Callable[[Hook, Outcome], None] = lambda _hook, _outcome: None,
) -> list[HookMeasure]:
    """Run each hook of `stage` over all files, `rounds` times in turns; slowest first.

    Hooks that did not run come last. Hooks that change files change them: run this where
    nothing is to be lost. Raises MissingTool without pre-commit and prek.
    """
    program = manager()
    hooks = file.at(stage)
    alike = Counter(hook.id for hook in hooks)
    outcomes: list[list[Outcome]] = [[] for _ in hooks]
    loops: list[list[float]] = [[] for _ in hooks]
    shares: list[float | None] = []
    for _ in range(rounds):  # in turns, so that a slow minute hits every hook
        for hook, found, loop in zip(hooks, outcomes, loops, strict=True):
            loop.append(sample.calibrate())
            many = alike[hook.id] > 1
            found.append(_SEVERAL if many else run_hook(program, hook, root, stage))
            on_outcome(hook, found[-1])
            if len(found) == 1:  # right after it: later the machine may be faster or slower
                shares.append(_start_share(hook, root, found[0]))
    measured = [
        HookMeasure(hook.id, tuple(found), share, stats.median(loop))
        for hook, found, share, loop in zip(hooks, outcomes, shares, loops, strict=True)
    ]
    return sorted(measured, key=lambda m: (m.seconds is None, -(m.seconds or 0.0)))


def run_hook(program: Path, hook: Hook, root: Path, stage: str) -> Outcome:
    """Run `hook` once, over all files, and tell what came of it."""
    options = ["--hook-stage", stage, "--all-files", "--verbose", "--color", "never"]
    before = sample.cpu_of_children()
    done = process.run([program, "run", hook.id, *options], cwd=root)
    cpu = sample.cpu_of_children() - before
    calls = read_command(hook, root).pytest
    return judge(done.output, done.exit_code, cpu, pytest=bool(calls))


def judge(output: str, code: int, cpu: float, *, pytest: bool) -> Outcome:
    """Tell from the manager's `output` and exit `code` what one hook did.

    Only a line that says so is taken for a run: silence, with whatever exit code, is none.
    """
    line = _LINE.search(output)
    if line is None:
        last = output.strip().splitlines()[-1:] or ["the manager ran no such hook at this stage"]
        return Outcome("did not run", last[0].strip())
    if line["state"] == "Skipped":
        return Outcome("did not run", f"skipped: {line['note'] or 'SKIP'}")
    details = dict(_DETAIL.findall(output))
    seconds = float(details.get("duration", 0.0))
    hook_code = int(details.get("exit code", 0))
    start = _did_not_start(hook_code, output, pytest=pytest)
    if start:
        return Outcome("did not run", start, hook_code)
    if line["state"] == "Passed" and code == 0:
        return Outcome("passed", "", 0, seconds, cpu)
    changed = "it changed files" if "files were modified by this hook" in output else ""
    reason = changed or f"exit code {hook_code or code}"
    return Outcome("failed", reason, hook_code, seconds, cpu)


def _did_not_start(code: int, output: str, *, pytest: bool) -> str:
    known = {**NOT_STARTED, **(PYTEST_DID_NOT_RUN if pytest else {})}
    if code in known:
        return f"{known[code]} (exit code {code})"
    nothing = _NOTHING_RAN.search(output) if pytest else None
    if nothing:
        return f"pytest ran no test: {nothing[0].strip('= ')}"
    if code:
        errors = list(_START_ERRORS.finditer(output))
        if errors and not (pytest and " passed" in output):
            return errors[-1][0].strip()
    return ""


def _start_share(hook: Hook, root: Path, outcome: Outcome) -> float | None:
    """Return how much of `outcome` is starting and collecting: its pytest, run without tests."""
    calls = read_command(hook, root).pytest
    if outcome.state != "passed" or not outcome.seconds or len(calls) != 1 or calls[0].obstacle:
        return None
    found = collect(calls[0], root)
    return None if found.broken or found.unseen else min(1.0, found.seconds / outcome.seconds)
