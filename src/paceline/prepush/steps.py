"""Which steps of the pre-push flow a change needs: the plan, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from paceline.config.model import Step
from paceline.git import Change

Kind = Literal["reads", "fixes"]
SkipVerdict = Literal["skipped", "not set up"]


@dataclass(frozen=True)
class PlannedStep:
    """One step as it will run, or the reason it will not."""

    name: str
    #: Run one after another, each an argument list; the first failure ends the step.
    commands: tuple[tuple[str, ...], ...]
    #: Laid over this process's environment.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Why the step does not run; empty means it runs.
    skip: str = ""
    #: The command a person would type to run just this step; empty means `commands` as they are.
    again: str = ""
    #: "fixes" writes to the working tree, so it runs first and alone.
    kind: Kind = "reads"
    #: What the step counts as when `skip` says why it does not run.
    verdict_if_skipped: SkipVerdict = "skipped"


def plan_step(step: Step, change: Change, full: bool) -> PlannedStep:
    """Plan `step` for `change`; `full` runs it whatever changed.

    An unknown change runs the step: what cannot be told must never look like a pass.
    """
    if not step.run:
        missing = step.missing or "no command is configured"
        return PlannedStep(step.name, (), skip=missing, verdict_if_skipped="not set up")
    if full or change.files is None:
        return PlannedStep(step.name, step.run)
    if any(matches(path, step.inputs) for path in change.files):
        return PlannedStep(step.name, step.run)
    return PlannedStep(step.name, step.run, skip=f"no input changed {change.reason}")


def matches(path: str, globs: Iterable[str]) -> bool:
    """Return whether the project-relative `path` matches one of `globs`.

    `*`, `?` and `[...]` stay within one path component; `**` stands for any number of
    components, none included. A glob that ends in "/" means everything below that folder.
    """
    parts = tuple(path.split("/"))
    return any(_match(parts, _components(glob)) for glob in globs)


def _components(glob: str) -> tuple[str, ...]:
    text = glob.removeprefix("./")
    text = f"{text}**" if text.endswith("/") else text
    kept: list[str] = []
    for part in text.split("/"):
        # "**/**" means "**": collapsed, as each one left multiplies the work of matching
        if not (part == "**" and kept and kept[-1] == "**"):
            kept.append(part)
    return tuple(kept)


def _match(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first != "**":
        return bool(parts) and fnmatchcase(parts[0], first) and _match(parts[1:], rest)
    if not rest:
        return bool(parts)  # "src/**" is what is below src, not src itself
    return any(_match(parts[start:], rest) for start in range(len(parts)))
