"""Which steps may start now: a pure decision, asked again whenever a step has finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paceline.prepush.result import Verdict
from paceline.prepush.steps import PlannedStep

#: After these a step that needs the finished one is of no use.
SPOILED: frozenset[Verdict] = frozenset({"failed", "unchecked", "could not check"})


def startable(
    waiting: Sequence[PlannedStep],
    running: Sequence[PlannedStep],
    finished: Mapping[str, Verdict],
    cores: int,
) -> list[PlannedStep]:
    """Return the steps to start now, beside those that are `running`.

    A fixing step runs alone, and before every reading one that does not have to come first.
    Reading steps share the cores: the longest known first, one of unknown length before all
    others, and a step that is too heavy for what is free lets lighter ones pass. A step
    heavier than the machine runs when nothing else does.
    """
    if any(step.kind == "fixes" for step in running):
        return []
    names = {step.name for step in (*waiting, *running)}
    ready = [step for step in waiting if not names.intersection(step.needs)]
    ready = [step for step in ready if not spoiled(step, finished)]
    fixing = [step for step in ready if step.kind == "fixes"]
    if fixing:
        return [] if running else fixing[:1]
    chosen: list[PlannedStep] = []
    free = cores - sum(step.weight for step in running)
    for step in sorted(ready, key=_longest_first):
        alone = not running and not chosen
        if step.weight <= free or alone:
            chosen.append(step)
            free -= step.weight
    return chosen


def spoiled(step: PlannedStep, finished: Mapping[str, Verdict]) -> str:
    """Return the name of a step that `step` needs and that did not pass; empty if none."""
    return next((name for name in step.needs if finished.get(name) in SPOILED), "")


def _longest_first(step: PlannedStep) -> float:
    return float("-inf") if step.expected_seconds is None else -step.expected_seconds
