"""What the hooks of a project start, seen without running them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline import git, process
from paceline.errors import MissingTool, PacelineError
from paceline.hooks import command, merge, patterns
from paceline.hooks.arguments import target_exists
from paceline.hooks.command import Command, PytestCall
from paceline.hooks.config import ALL_STAGES, Hook, HookFile


@dataclass(frozen=True)
class HookAudit:
    """One hook of a stage, and what it starts."""

    hook: Hook
    command: Command
    #: Files of the project that start the hook; None if that cannot be told.
    files: int | None
    #: What is wrong with the hook already, as far as it shows without running it.
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """The hooks of a project, and what one run of `stage` starts."""

    stage: str
    #: How many hooks each stage has, only stages with any.
    stages: tuple[tuple[str, int], ...]
    hooks: tuple[HookAudit, ...]
    #: How many starts of pytest would do: one for all that may become one hook.
    needed: int

    @property
    def pytest_starts(self) -> int:
        """How often pytest is started when every hook runs."""
        return sum(len(hook.command.pytest) for hook in self.hooks)

    @property
    def started_by(self) -> tuple[str, ...]:
        """The program that starts pytest in most of the hooks; empty if none does."""
        calls = [call.launcher for hook in self.hooks for call in hook.command.pytest]
        return Counter(calls).most_common(1)[0][0] if calls else ()

    @property
    def interpreter_starts(self) -> int:
        """How often Python is started when every hook runs, as far as can be seen."""
        return sum(hook.command.interpreters for hook in self.hooks)


def audit(file: HookFile, root: Path, stage: str) -> Audit:
    """Return what the hooks of `file` start at `stage` in the project in `root`."""
    names = git.project_files(root)
    hooks = tuple(_one(hook, file, root, names) for hook in file.at(stage))
    counts = tuple((name, len(file.at(name))) for name in ALL_STAGES if file.at(name))
    candidates = [found for hook in hooks for found in candidate(hook)]
    starts = sum(len(hook.command.pytest) for hook in hooks)
    needed = starts - len(candidates) + len(merge.groups(candidates))
    return Audit(stage, counts, hooks, needed)


def start_seconds(launcher: Sequence[str], root: Path) -> float | None:
    """Return the seconds that `launcher` takes to start pytest and its plugins, without tests.

    None if it cannot be started. The least of three: a start is never faster than it can be.
    """
    try:
        tries = [process.run([*launcher, "--version"], cwd=root) for _ in range(3)]
    except MissingTool:
        return None
    return None if any(t.exit_code for t in tries) else min(t.seconds for t in tries)


def read_command(hook: Hook, root: Path) -> Command:
    """Return what `hook` starts; nothing for hooks of other repositories."""
    try:
        words = [*shlex.split(hook.entry), *map(str, hook.keys.get("args", []))]
    except ValueError:
        words = hook.entry.split()
    if hook.repo != "local" or not words:
        return Command()
    return command.read(words, root)


def candidate(hook: HookAudit) -> list[merge.Candidate]:
    """Return `hook` as a candidate for merging, if it is one: a list of one or none."""
    calls = hook.command.pytest
    if not calls or merge.obstacle(hook.hook, calls):
        return []
    return [merge.Candidate(hook.hook, calls[0])]


def _one(hook: Hook, file: HookFile, root: Path, names: Iterable[str]) -> HookAudit:
    found = read_command(hook, root)
    problems = [problem for call in found.pytest for problem in _gone(call, root)]
    broken = [p for p in (hook.files, hook.text("exclude")) if patterns.problem(p)]
    problems += [patterns.problem(pattern) for pattern in broken]
    files = None if broken or hook.repo != "local" else len(triggers(hook, file, names))
    if files == 0 and hook.keys.get("always_run") is not True:
        problems.append(f"never starts: its files pattern {hook.files!r} matches no file")
    return HookAudit(hook, found, files, tuple(problems))


def triggers(hook: Hook, file: HookFile, names: Iterable[str]) -> frozenset[str]:
    """Return which of `names` start `hook` by the patterns of the hook and of the file.

    Types (`types`, `types_or`) are not looked at. Raises PacelineError for the file's own
    patterns if they are no regular expressions.
    """
    for pattern in (file.files, file.exclude):
        if patterns.problem(pattern):
            raise PacelineError(f"{file.path.name}: {patterns.problem(pattern)}")
    inside = patterns.triggering(names, file.files, file.exclude)
    return patterns.triggering(inside, hook.files, hook.text("exclude"))


def _gone(call: PytestCall, root: Path) -> Sequence[str]:
    names = call.arguments.targets
    return [f"names a file that is gone: {name}" for name in names if not target_exists(name, root)]
