"""What the pre-push flow says: a line a step, the closing table, or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

from paceline import console
from paceline.git import Change
from paceline.prepush.flow import Event, StepResult, Verdict, exit_code

#: The layout of `as_json`; raised when a field changes its meaning or goes away.
JSON_VERSION = 1

STYLES: dict[Verdict, str] = {
    "passed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "not set up": "yellow",
    "could not check": "bold red",
}


def as_json(results: Sequence[StepResult], change: Change) -> str:
    """Return everything known about the run as JSON, output of all steps included."""
    steps = [
        {
            "name": result.name,
            "verdict": result.verdict,
            "seconds": round(result.seconds, 3),
            "reason": result.reason,
            "exit_code": result.exit_code,
            "command": list(result.command),
            "output": result.output,
        }
        for result in results
    ]
    files = None if change.files is None else sorted(change.files)
    data = {
        "version": JSON_VERSION,
        "exit_code": exit_code(results),
        "change": {"files": files, "reason": change.reason},
        "steps": steps,
    }
    # ASCII: names of files and output may hold what the reader's encoding does not
    return json.dumps(data, indent=2)


def follow(view: console.View) -> Callable[[Event], None]:
    """Return an `on_event` for `run_steps` that shows each event in `view`."""

    def show(event: Event) -> None:
        if event.result is None:
            view.started(event.name)
            return
        cells = (part for part in _cells(event.result) if part and part != "-")
        line = console.Line(console.GAP.join(cells), STYLES[event.result.verdict])
        view.finished(event.name, line)

    return show


def closing(results: Sequence[StepResult], change: Change) -> None:
    """Print the closing table, then how to go on: the first failure's output comes last."""
    rows = [console.Row(_cells(result), STYLES[result.verdict]) for result in results]
    table = console.layout(("step", "verdict", "time", "why"), rows, console.width())
    console.out_lines([*table, console.Line(""), console.Line(summary(results, change))])
    troubles = [result for result in results if result.verdict == "failed"]
    troubles += [result for result in results if result.verdict == "could not check"]
    if not troubles:
        return
    first, *others = troubles
    lines = [f"to re-run {result.name}: {result.rerun}" for result in [*others, first]]
    console.out("\n" + "\n".join(lines))
    console.out(first.output if first.output.strip() else "(it printed nothing)")


def summary(results: Sequence[StepResult], change: Change) -> str:
    """Return one line: how many steps came out how, and what the change was told from."""
    counts = Counter(result.verdict for result in results)
    parts = [f"{counts[verdict]} {verdict}" for verdict in STYLES if counts[verdict]]
    if change.files is None:
        compared = f"everything was checked: {change.reason}"
    else:
        number = len(change.files)
        compared = f"{number} file{'s' if number != 1 else ''} changed {change.reason}"
    return f"{', '.join(parts) or 'no steps'} ({compared})"


def _cells(result: StepResult) -> tuple[str, str, str, str]:
    ran = result.verdict not in ("skipped", "not set up")
    seconds = f"{result.seconds:.1f} s" if ran else "-"
    return (result.name, result.verdict, seconds, result.reason)
