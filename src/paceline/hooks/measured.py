"""What the measurement of hooks says: a table, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paceline.bench import history
from paceline.bench.stats import noise
from paceline.bench.verdict import judge, wall_ratio
from paceline.console import Line, Row, layout
from paceline.hooks.measure import HookMeasure, State

#: The layout of the JSON; raised when a field changes its meaning or goes away.
VERSION = 1
HEADER = ("hook", "median", "noise", "start-up", "exit codes", "trend", "state")
STYLES: dict[State, str] = {"passed": "", "failed": "bold red", "did not run": "yellow"}


def lines(
    stage: str, hooks: Sequence[HookMeasure], earlier: Sequence[history.Run], limit: int | None
) -> list[Line]:
    """Return the table, slowest hook first; `earlier` is the history before this run."""
    rows = [Row(_cells(stage, hook, earlier), STYLES[hook.state]) for hook in hooks]
    return [*layout(HEADER, rows, limit), Line(""), Line(total(hooks))]


def markdown(stage: str, hooks: Sequence[HookMeasure], earlier: Sequence[history.Run]) -> str:
    """Return the table as Markdown."""
    rows = [HEADER, ("---",) * len(HEADER), *(_cells(stage, hook, earlier) for hook in hooks)]
    text = "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
    return f"# Hooks at {stage}\n\n{text}\n\n{total(hooks)}\n"


def data(
    stage: str, hooks: Sequence[HookMeasure], earlier: Sequence[history.Run]
) -> dict[str, Any]:
    """Return everything that was measured as plain data."""
    return {
        "version": VERSION,
        "stage": stage,
        "hooks": [
            {
                "id": hook.id,
                "state": hook.state,
                "seconds": hook.seconds,
                "start_share": hook.start_share,
                "trend": _trend(stage, hook, earlier),
                "rounds": [vars(outcome) for outcome in hook.outcomes],
            }
            for hook in hooks
        ],
    }


def total(hooks: Sequence[HookMeasure]) -> str:
    """Return one line: what the hooks take together, and which of them count for nothing."""
    ran = [hook for hook in hooks if hook.seconds is not None]
    seconds = sum(hook.seconds or 0.0 for hook in ran)
    text = f"{len(ran)} of {len(hooks)} hooks ran, {seconds:.1f} s one after another"
    parts = [text]
    failed = sum(hook.state == "failed" for hook in hooks)
    if failed:
        parts.append(f"{failed} failed")
    if len(ran) < len(hooks):
        parts.append(f"{len(hooks) - len(ran)} did not really run and have no time")
    return "; ".join(parts)


def _cells(stage: str, hook: HookMeasure, earlier: Sequence[history.Run]) -> tuple[str, ...]:
    spread = noise([outcome.seconds for outcome in hook.outcomes])
    reasons = dict.fromkeys(outcome.reason for outcome in hook.outcomes if outcome.reason)
    codes = dict.fromkeys(_code(outcome.exit_code) for outcome in hook.outcomes)
    return (
        hook.id,
        "-" if hook.seconds is None else f"{hook.seconds:.2f} s",
        "-" if hook.seconds is None else f"±{spread:.2f} s",
        "-" if hook.start_share is None else f"{hook.start_share:.0%}",
        ", ".join(codes),
        _trend(stage, hook, earlier),
        ": ".join([hook.state, *(["; ".join(reasons)] if reasons else [])]),
    )


def _code(code: int | None) -> str:
    return "-" if code is None else str(code)


def _trend(stage: str, hook: HookMeasure, earlier: Sequence[history.Run]) -> str:
    now = hook.measure(stage)
    if now is None:
        return "-"
    before = history.last(earlier, now.scenario)
    verdict = judge(now, before)
    return verdict if before is None else f"{(wall_ratio(now, before) - 1) * 100:+.0f} % {verdict}"
