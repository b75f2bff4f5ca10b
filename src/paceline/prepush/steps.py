"""Which steps of the pre-push flow a change needs: the plan, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from paceline.config.model import Step
from paceline.git import Change

Kind = Literal["reads", "fixes"]
SkipVerdict = Literal["skipped", "not set up", "could not check", "proven"]


@dataclass(frozen=True)
class PlannedStep:
    """One step as it will run, or the reason it will not."""

    name: str
    #: Run one after another, each an argument list; the first failure ends the step.
    commands: tuple[tuple[str, ...], ...]
    #: Laid over this process's environment.
    env: Mapping[str, str] = field(default_factory=dict)
    #: The part of `env` that somebody chose, as opposed to where an environment lies.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Globs of the files that can change the verdict.
    inputs: tuple[str, ...] = ("**/*",)
    #: Commands that stand for the step in its fingerprint, where `commands` vary with what is
    #: selected; empty means `commands`.
    identity: tuple[tuple[str, ...], ...] = ()
    #: Identifies the installed packages that the commands can see.
    packages: str = ""
    #: Why the step does not run; empty means it runs.
    skip: str = ""
    #: The command a person would type to run just this step; empty means `commands` as they are.
    again: str = ""
    #: "fixes" writes to the working tree, so it runs first and alone.
    kind: Kind = "reads"
    #: What the step counts as when `skip` says why it does not run.
    verdict_if_skipped: SkipVerdict = "skipped"
    #: Names of the steps that must not have failed before this one starts.
    needs: tuple[str, ...] = ()
    #: How many cores it keeps busy.
    weight: int = 1
    #: After this many seconds the step is ended and fails; 0 means never.
    timeout: float = 0.0
    #: How long it took when it last passed, in seconds; None if that is not known.
    expected_seconds: float | None = None


def plan_step(step: Step, change: Change, full: bool) -> PlannedStep:
    """Plan `step` for `change`; `full` runs it whatever changed.

    An unknown change runs the step: what cannot be told must never look like a pass.
    """
    if not step.run:
        missing = step.missing or "no command is configured"
        return PlannedStep(step.name, (), skip=missing, verdict_if_skipped="not set up")
    planned = PlannedStep(
        step.name,
        step.run,
        settings=dict(step.env),
        inputs=step.inputs,
        kind="fixes" if step.kind == "fixes" else "reads",
        needs=step.needs,
        weight=step.weight,
        timeout=step.timeout,
    )
    affected = change.files is None or any(matches(path, step.inputs) for path in change.files)
    if full or affected:
        return planned
    return replace(planned, skip=f"no input changed {change.reason}")


def without_tool(step: PlannedStep, tool: str, *, required: bool) -> PlannedStep:
    """Return `step` as it is where its optional `tool` is missing: skipped, unless `required`."""
    if step.skip:
        return step
    if required:
        why = f"{tool} is not installed; in CI it must be"
        return replace(step, skip=why, verdict_if_skipped="could not check")
    return replace(step, skip=f"{tool} is not installed (it is required in CI)")


def matches(path: str, globs: Iterable[str]) -> bool:
    """Return whether the project-relative `path` matches one of `globs`.

    `*`, `?` and `[...]` stay within one path component; `**` stands for any number of
    components, none included. A glob that ends in "/" means everything below that folder. A
    path that ends in "/" is a folder of unknown content: it matches if something in it may.
    """
    parts = tuple(path.removesuffix("/").split("/"))
    match = _may_match_inside if path.endswith("/") else _match
    return any(match(parts, _components(glob)) for glob in globs)


def _may_match_inside(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns or not parts:
        return bool(patterns)
    if patterns[0] == "**":
        return True
    return fnmatchcase(parts[0], patterns[0]) and _may_match_inside(parts[1:], patterns[1:])


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
