"""Makes few hooks of many that start pytest, and proves that nothing is lost.

A hook is merged only on evidence: each hook's own command is made to collect its tests, and
the merged command must collect exactly the same ones, under the same root and configuration.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paceline import git
from paceline.errors import CheckFailed
from paceline.hooks import config, edit, merge, patterns
from paceline.hooks.audit import read_command, triggers
from paceline.hooks.collect import Collected, collect_all
from paceline.hooks.command import PytestCall
from paceline.hooks.config import Hook, HookFile
from paceline.hooks.merge import Candidate

Collect = Callable[[Sequence[PytestCall], Path], list[Collected]]


@dataclass(frozen=True)
class Member:
    """A hook that becomes part of another one, and the proof that it loses nothing."""

    id: str
    tests: int
    pattern: str
    #: How many files of the project start the hook; the merged hook starts on all of them.
    files: int


@dataclass(frozen=True)
class Merged:
    """A hook that stands for several."""

    id: str
    call: PytestCall
    keys: dict[str, Any]
    places: tuple[tuple[int, int], ...]
    members: tuple[Member, ...]
    #: What all members collect together, which is what the merged command collects.
    tests: frozenset[tuple[str, str, str]]


@dataclass(frozen=True)
class Note:
    """What is said about a hook that stays."""

    id: str
    text: str


@dataclass(frozen=True)
class Consolidation:
    """What became of the hooks of a stage."""

    file: HookFile
    #: The whole file as it would be.
    text: str
    hooks_before: int
    hooks_after: int
    merged: tuple[Merged, ...]
    #: Hooks that start pytest and stay as they are, each with the reason.
    apart: tuple[Note, ...]
    #: Hooks that check nothing, or less than they say, already now.
    broken: tuple[Note, ...]

    def diff(self) -> str:
        """Return the change of the file as a unified diff; empty if there is none."""
        before, after = (text.splitlines(keepends=True) for text in (self.file.text, self.text))
        name = self.file.path.name
        return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))


def consolidate(
    file: HookFile, root: Path, stage: str, collect: Collect = collect_all
) -> Consolidation:
    """Return how the hooks of `stage` can be made fewer; nothing is written.

    Raises CheckFailed if the file could not be rewritten without touching other hooks.
    """
    work = _Work(file, root, collect)
    candidates = work.candidates(stage)
    work.domains = merge.domains(candidates)
    merged = [m for group in merge.groups(candidates) for m in work.merge(group)]
    for group in merged:
        work.demand_triggers(group)
    work.explain(candidates, merged)
    named = _named(merged, {hook.id for hook in file.hooks})
    text = edit.replaced(file.text, [edit.Replacement(m.places, m.keys) for m in named])
    _demand_same_others(file, text if named else file.text, named)
    before = len(file.at(stage))
    gone = sum(len(m.places) - 1 for m in named)
    return Consolidation(
        file,
        text if named else file.text,
        before,
        before - gone,
        tuple(named),
        tuple(work.apart),
        tuple(work.broken),
    )


class _Work:
    def __init__(self, file: HookFile, root: Path, collect: Collect) -> None:
        self.file, self.root, self.collect = file, root, collect
        self.names = git.project_files(root)
        self.editable = edit.items(file.text)
        self.apart: list[Note] = []
        self.broken: list[Note] = []
        #: What each hook that can be merged is about, by its place.
        self.domains: dict[tuple[int, int], str] = {}
        self.collected: dict[tuple[int, int], Collected] = {}

    def candidates(self, stage: str) -> list[Candidate]:
        """Return the hooks that work and could be merged; note the others."""
        calls: list[tuple[Hook, PytestCall, str]] = []
        for hook in self.file.at(stage):
            found = read_command(hook, self.root).pytest
            if found:
                reason = merge.obstacle(hook, found) or self._not_editable(hook)
                calls.append((hook, found[0], reason))
        sure = [(hook, call, reason) for hook, call, reason in calls if not call.obstacle]
        results = self.collect([call for _, call, _ in sure], self.root)
        self.collected = {hook.place: r for (hook, _, _), r in zip(sure, results, strict=True)}
        return [c for hook, call, reason in calls for c in self._judged(hook, call, reason)]

    def _judged(self, hook: Hook, call: PytestCall, reason: str) -> list[Candidate]:
        found = self.collected.get(hook.place, Collected())
        if found.broken:
            self.broken.append(Note(hook.id, found.broken))
        elif reason or found.unseen:
            self.apart.append(Note(hook.id, reason or found.unseen))
        else:
            return [Candidate(hook, call, found.rootdir, found.configuration)]
        return []

    def _not_editable(self, hook: Hook) -> str:
        if hook.place in self.editable:
            return ""
        return "it is written in one line with others, or has an anchor that others may use"

    def merge(self, group: Sequence[Candidate]) -> list[Merged]:
        """Return what `group` can be merged into: all in one, or, where that changes what is

        collected, each half by itself.
        """
        if len(group) < 2:
            return []
        wanted = frozenset[tuple[str, str, str]]().union(
            *(self.collected[c.hook.place].whole for c in group)
        )
        call = merge.merged(group)
        found = self.collect([call], self.root)[0]
        if not (found.broken or found.unseen) and found.whole == wanted:
            return [self._merged(group, call, wanted)]
        middle = len(group) // 2
        return [*self.merge(group[:middle]), *self.merge(group[middle:])]

    def _merged(
        self, group: Sequence[Candidate], call: PytestCall, tests: frozenset[tuple[str, str, str]]
    ) -> Merged:
        hooks = [candidate.hook for candidate in group]
        first = hooks[0]
        title = merge.title([self.domains[hook.place] for hook in hooks])
        keys = {key: value for key, value in first.keys.items() if key not in DROPPED}
        keys |= {"id": title, "name": f"{title} ({len(group)} hooks)"}
        keys["entry"] = shlex.join(call.command())
        if "files" in keys:
            keys["files"] = patterns.join([hook.files for hook in hooks])
        members = tuple(
            Member(
                hook.id,
                len(self.collected[hook.place].tests),
                hook.files,
                len(triggers(hook, self.file, self.names)),
            )
            for hook in hooks
        )
        return Merged(title, call, keys, tuple(hook.place for hook in hooks), members, tests)

    def demand_triggers(self, merged: Merged) -> None:
        """Raise CheckFailed unless every file that started a member starts `merged`."""
        first = merged.places[0]
        hooks = {hook.place: hook for hook in self.file.hooks}
        whole = replace(hooks[first], keys=merged.keys)
        starting = triggers(whole, self.file, self.names)
        for place in merged.places:
            lost = triggers(hooks[place], self.file, self.names) - starting
            if lost:
                raise CheckFailed(f"{merged.id}: would no longer start on {min(lost)}")

    def explain(self, candidates: Sequence[Candidate], merged: Sequence[Merged]) -> None:
        """Note why each candidate that was merged with nothing stays."""
        places = {place for group in merged for place in group.places}
        names = self.domains
        for lone in (c for c in candidates if c.hook.place not in places):
            near = [c for c in candidates if c is not lone]
            same = [c for c in near if names[c.hook.place] == names[lone.hook.place]]
            reason = merge.difference(lone, same) or f"the only one of {names[lone.hook.place]}"
            if any(merge.traits(lone) == merge.traits(other) for other in same):
                reason = "together with the others it would not collect the same tests"
            self.apart.append(Note(lone.hook.id, reason))


#: Keys of a hook that say nothing of the merged one.
DROPPED = frozenset({"args", "description", "alias"})


def _named(merged: Sequence[Merged], taken: set[str]) -> list[Merged]:
    """Return `merged` with ids of their own: no two alike, none of a hook of the file."""
    found = []
    for group in merged:
        words = re.sub(r"[^a-z0-9]+", "-", group.id.lower()).strip("-") or "all"
        base = words if words.startswith("tests") else f"tests-{words}"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        title = f"{name} ({len(group.members)} hooks)"
        found.append(replace(group, id=name, keys={**group.keys, "id": name, "name": title}))
    return found


def _demand_same_others(file: HookFile, text: str, merged: Sequence[Merged]) -> None:
    """Raise CheckFailed unless `text` holds all other hooks unchanged, in the same order."""
    gone = {place for group in merged for place in group.places}
    new = {group.id for group in merged}
    kept = [hook.keys for hook in file.hooks if hook.place not in gone]
    after = config.parse(file.path, text).hooks
    if [hook.keys for hook in after if hook.id not in new] != kept:
        raise CheckFailed(
            f"{file.path.name} cannot be rewritten without changing other hooks",
            "write one hook an entry, in block style",
        )
    written = {hook.id: dict(hook.keys) for hook in after if hook.id in new}
    if written != {group.id: group.keys for group in merged}:
        raise CheckFailed(f"{file.path.name}: a merged hook would not be read as it was written")
