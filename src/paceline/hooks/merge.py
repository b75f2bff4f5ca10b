"""Which pytest hooks can become one: equal in everything but targets and files."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from paceline.hooks import patterns
from paceline.hooks.arguments import prune
from paceline.hooks.command import PytestCall, targets_of
from paceline.hooks.config import Hook

#: Keys that a merged hook has words of its own for; all others must be equal.
OWN = frozenset({"id", "name", "entry", "args", "files", "description", "alias", "stages"})
#: Words at the start of an id that say nothing about what is tested.
EMPTY_WORDS = frozenset(
    {"test", "tests", "pytest", "check", "checks", "run", "validate", "verify", "hook"}
)
#: A word that this many ids of a folder begin with is a domain of its own.
DOMAIN_SIZE = 3
#: A hook on more domains is named after the folder they share.
NAMED = 3


@dataclass(frozen=True)
class Candidate:
    """A hook that starts pytest once, by a command that can be rebuilt."""

    hook: Hook
    call: PytestCall
    #: Where pytest takes its root and its configuration from, once that is known.
    rootdir: str = ""
    configuration: str = ""


Traits = dict[str, str]


def obstacle(hook: Hook, calls: Sequence[PytestCall]) -> str:
    """Return why `hook` must stay as it is; empty if it need not.

    `calls` are its starts of pytest, at least one.
    """
    if len(calls) > 1:
        return f"it starts pytest {len(calls)} times"
    return calls[0].obstacle or _of_hook(hook) or calls[0].arguments.of_the_whole


def _of_hook(hook: Hook) -> str:
    if hook.keys.get("language") not in ("system", "unsupported"):
        return f"it runs in an environment of its own (language: {hook.keys.get('language')})"
    if hook.keys.get("pass_filenames", True) is not False:
        return "the names of the changed files are added to its command (pass_filenames)"
    if not isinstance(hook.keys.get("files", ""), str):
        return "its files are no regular expression"
    if not patterns.joinable(hook.files):
        return patterns.problem(hook.files) or "its files pattern refers to its own groups"
    return ""


def traits(candidate: Candidate) -> Traits:
    """Return what must be equal in two hooks that become one, by name."""
    call, hook = candidate.call, candidate.hook
    found = {
        "stages": " ".join(sorted(hook.stages)),
        "program": shlex.join(call.launcher),
        "environment": shlex.join(f"{name}={value}" for name, value in call.environment),
        "options": shlex.join(call.arguments.options),
        "marker": call.arguments.marker,
        "keyword": call.arguments.keyword,
        "targets": "named" if call.arguments.targets else "all",
        "trigger": "some files" if _filtered(hook) else "every file",
        "rootdir": candidate.rootdir,
        "configuration": candidate.configuration,
    }
    found.update({key: repr(hook.keys[key]) for key in sorted(hook.keys.keys() - OWN)})
    return found


def groups(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return the candidates that could become one hook, together; order is kept.

    Those that differ in a trait stay apart. The others are divided by domain, so that a
    changed file still starts only the tests that are about it; domains that the same
    patterns start run together anyway, and become one.
    """
    names = domains(candidates)
    by_domain: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in candidates:
        key = (names[candidate.hook.place], *_values(candidate))
        by_domain.setdefault(key, []).append(candidate)
    found: dict[object, list[Candidate]] = {}
    for group in by_domain.values():
        key_of_group = (frozenset(c.hook.files for c in group), *_values(group[0]))
        found.setdefault(key_of_group, []).extend(group)
    return [sorted(group, key=lambda candidate: candidate.hook.place) for group in found.values()]


def title(names: Sequence[str]) -> str:
    """Return a name for what is in all the domains `names`."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) == 1:
        return distinct[0]
    last = [name.rpartition("/")[2] for name in distinct]
    return "-".join(last) if len(last) <= NAMED else os.path.commonpath(distinct) or "several"


def _values(candidate: Candidate) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in traits(candidate).items())


def domains(candidates: Sequence[Candidate]) -> dict[tuple[int, int], str]:
    """Return what each hook is about, by its place in the file.

    That is the folder of its targets; in a folder with tests of several kinds, the first
    word of the id, if enough ids begin with it.
    """
    places = {
        c.hook.place: (_folder(c.call.arguments.targets), _word(c.hook.id)) for c in candidates
    }
    sizes = Counter(places.values())
    found = {}
    for place, (folder, word) in places.items():
        in_folder = [other for other in sizes if other[0] == folder and sizes[other] >= DOMAIN_SIZE]
        shared = len(in_folder) > 1 and (folder, word) in in_folder
        found[place] = word if shared else folder
    return found


def difference(candidate: Candidate, others: Iterable[Candidate]) -> str:
    """Return in what `candidate` differs from the nearest of `others`; empty without any."""
    mine = traits(candidate)
    nearest: tuple[int, str] | None = None
    for other in others:
        theirs = traits(other)
        keys = [key for key in mine | theirs if mine.get(key) != theirs.get(key)]
        told = "; ".join(f"{key}: {_shown(mine, key)} and {_shown(theirs, key)}" for key in keys)
        if keys and (nearest is None or len(keys) < nearest[0]):
            nearest = (len(keys), f"differs from {other.hook.id} in {told}")
    return nearest[1] if nearest else ""


def merged(candidates: Sequence[Candidate]) -> PytestCall:
    """Return the one call that stands for those of all `candidates`."""
    targets = [name for c in candidates for name in c.call.arguments.targets]
    return targets_of(candidates[0].call, prune(targets))


def _shown(values: Traits, key: str) -> str:
    return (
        repr(values[key])
        if key in ("marker", "keyword") and key in values
        else (values.get(key) or "none")
    )


def _filtered(hook: Hook) -> bool:
    return bool(hook.files) and hook.keys.get("always_run") is not True


def _folder(targets: Sequence[str]) -> str:
    if not targets:
        return "all"
    files = [target.split("::")[0] for target in targets]
    folders = [name if not PurePosixPath(name).suffix else os.path.dirname(name) for name in files]  # noqa: PTH120
    return os.path.commonpath(folders) if all(folders) else "."


def _word(identity: str) -> str:
    words = [word for word in re.split(r"[-_.\s]+", identity.lower()) if word]
    return next((word for word in words if word not in EMPTY_WORDS), identity)
