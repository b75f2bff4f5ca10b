"""What the pre-push flow says: what is checked, a line a step, the closing table, or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paceline import console
from paceline.git import Change
from paceline.prepush import result as results_
from paceline.prepush.checkout import Checkout
from paceline.prepush.flow import Event
from paceline.prepush.result import StepResult, Verdict

#: The layout of `as_json`; raised when a field changes its meaning or goes away.
JSON_VERSION = 2

STYLES: dict[Verdict, str] = {
    "passed": "green",
    "proven": "green",
    "failed": "bold red",
    "skipped": "dim",
    "not set up": "yellow",
    "unchecked": "bold red",
    "could not check": "bold red",
}
#: Verdicts that leave the push without its proof, the worst first.
TROUBLES: tuple[Verdict, ...] = ("failed", "could not check", "unchecked")


@dataclass(frozen=True)
class Report:
    """What came of checking one checkout."""

    results: tuple[StepResult, ...]
    change: Change
    checkout: Checkout
    #: What an exceeded budget means: "fail" or "pass".
    over_budget: str = "fail"
    #: What to say of tests that hung.
    hung: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the results mean for the push."""
        return results_.exit_code(self.results, over_budget=self.over_budget)


def opening(what: str, checkout: Checkout, change: Change) -> str:
    """Return one line: what is being checked, where and why."""
    commit = checkout.commit[:10] if checkout.commit else "the working tree with its changes"
    where = "in place" if checkout.in_place else f"in a worktree ({checkout.reason})"
    named = f"{what} at {commit}" if what else commit
    return f"checking {named} {where}: {_compared(change)}"


def as_json(report: Report) -> str:
    """Return everything known about the run as JSON, output of all steps included."""
    steps = [
        {
            "name": result.name,
            "verdict": result.verdict,
            "seconds": round(result.seconds, 3),
            "reason": result.reason,
            "exit_code": result.exit_code,
            "command": list(result.command),
            "rerun": result.rerun if result.command else "",
            "output": result.output,
        }
        for result in report.results
    ]
    change = report.change
    data = {
        "version": JSON_VERSION,
        "exit_code": report.exit_code,
        "commit": report.checkout.commit,
        "in_place": report.checkout.in_place,
        "change": {
            "files": None if change.files is None else sorted(change.files),
            "reason": change.reason,
        },
        "steps": steps,
    }
    # ASCII: names of files and output may hold what the reader's encoding does not
    return json.dumps(data, indent=2)


def follow(view: console.View) -> Callable[[Event], None]:
    """Return an `on_event` for `run_steps` that shows each event in `view`."""

    def show(event: Event) -> None:
        if event.result is None:
            view.started(event.step.name, event.step.expected_seconds)
            return
        cells = (part for part in _cells(event.result) if part and part != "-")
        line = console.Line(console.GAP.join(cells), STYLES[event.result.verdict])
        view.finished(event.step.name, line)

    return show


def closing(report: Report) -> None:
    """Print the closing table, then how to go on: the first failure's output comes last."""
    results = report.results
    rows = [console.Row(_cells(result), STYLES[result.verdict]) for result in results]
    table = console.layout(("step", "verdict", "time", "why"), rows, console.width())
    console.out_lines([*table, console.Line(""), console.Line(summary(results, report.change))])
    for message in report.hung:
        console.err(f"error: {message}")
    _say_unchecked(report)
    troubles = [result for kind in TROUBLES for result in results if result.verdict == kind]
    if not troubles or not report.exit_code:
        return
    first, *others = troubles
    lines = [f"to re-run {result.name}: {result.rerun}" for result in [*others, first]]
    console.out("\n" + "\n".join(lines))
    if first.verdict != "unchecked":
        console.out(first.output if first.output.strip() else "(it printed nothing)")


def _say_unchecked(report: Report) -> None:
    names = ", ".join(result.name for result in report.results if result.over_budget)
    if names and report.over_budget == "pass":
        console.out(f"the time budget is used up: left to CI, unchecked here: {names}")
    elif names:
        console.out(f"the time budget is used up: still unchecked: {names}")


def summary(results: Sequence[StepResult], change: Change) -> str:
    """Return one line: how many steps came out how, and what the change was told from."""
    counts = Counter(result.verdict for result in results)
    parts = [f"{counts[verdict]} {verdict}" for verdict in STYLES if counts[verdict]]
    return f"{', '.join(parts) or 'no steps'} ({_compared(change)})"


def _compared(change: Change) -> str:
    if change.files is None:
        return f"everything is checked: {change.reason}"
    number = len(change.files)
    return f"{number} file{'s' if number != 1 else ''} changed {change.reason}"


def age(seconds: float) -> str:
    """Return `seconds` in the largest unit that fits: "3 minutes"."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{int(seconds)} s"


def _cells(result: StepResult) -> tuple[str, str, str, str]:
    ran = bool(result.command)
    seconds = f"{result.seconds:.1f} s" if ran else "-"
    return (result.name, result.verdict, seconds, result.reason)
