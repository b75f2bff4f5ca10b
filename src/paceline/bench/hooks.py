"""What consolidating a project's hooks saves: pushes before and after it, by pre-commit itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from paceline import git, store
from paceline.bench.scenario import Measure, Scenario
from paceline.hooks import config
from paceline.hooks.audit import triggers
from paceline.hooks.config import HookFile
from paceline.hooks.consolidate import Consolidation, consolidate
from paceline.hooks.measure import manager

STAGE = "pre-push"
#: Of how many kinds of files one is pushed alone.
KINDS = 3
FULL = "all files"


@dataclass(frozen=True)
class Pair:
    """The same push with the hooks as they are and as they would be."""

    push: str
    before: Measure
    after: Measure

    @property
    def faster(self) -> float:
        """How much less time it takes, as a share of 1."""
        return 1 - self.after.wall / self.before.wall


def scenarios(root: Path) -> tuple[Consolidation, list[Scenario]]:
    """Return the consolidation of the pre-push hooks of `root`, and the pushes to time.

    The consolidated file is written below `.paceline/bench`; the project's own stays.
    """
    file = config.read(root)
    found = consolidate(file, root, STAGE)
    after = store.ignored_by_git(root / ".paceline") / "bench" / "hooks-after.yaml"
    store.write_text(after, found.text)
    pushes = {FULL: ["--all-files"]}
    for name in one_of_each_kind(file, git.project_files(root)):
        pushes[f"only {name}"] = ["--files", name]
    program = str(manager())
    run = (program, "run", "--hook-stage", STAGE, "--color", "never", "--config")
    return found, [
        Scenario(f"hooks {when}: {push}", f"{push} pushed", (*run, str(place), *chosen))
        for push, chosen in pushes.items()
        for when, place in (("before", file.path), ("after", after))
    ]


def one_of_each_kind(file: HookFile, names: Sequence[str]) -> list[str]:
    """Return the file of each suffix that starts the most hooks, the suffixes with most first."""
    starts = Counter(
        name for hook in file.at(STAGE) for name in sorted(triggers(hook, file, names))
    )
    best: dict[str, str] = {}
    for name, _ in starts.most_common():
        best.setdefault(PurePosixPath(name).suffix, name)
    return list(best.values())[:KINDS]


def pairs(measures: Sequence[Measure]) -> list[Pair]:
    """Return the measures of `scenarios` two by two."""
    return [
        Pair(before.scenario.removeprefix("hooks before: "), before, after)
        for before, after in zip(measures[::2], measures[1::2], strict=True)
    ]


def summary(found: Consolidation, measures: Sequence[Measure]) -> list[str]:
    """Return a line a push: how much faster it is, and than the full push before."""
    full = pairs(measures)[0]
    lines = [f"{found.hooks_before} hooks become {found.hooks_after}"]
    for pair in pairs(measures):
        text = f"{pair.push}: {pair.before.wall:.2f} s before, {pair.after.wall:.2f} s after"
        text += f", {pair.faster:.0%} faster"
        if pair.push != FULL:
            whole = replace(pair, before=full.before).faster
            text += f" ({whole:.0%} than all files before)"
        lines.append(text)
    return lines
