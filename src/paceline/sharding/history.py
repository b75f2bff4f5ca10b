"""The richer history beside a durations file: several samples of each test, by phase.

Samples are kept apart by where they were taken (Python, platform, machine, number of xdist
workers), and never mixed: workers that share cores make each other slower, so a time taken
beside three others says little about the same test on its own.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from paceline import store
from paceline.sharding.estimation import file_of

VERSION = 1
FILE = "history.json"
"""The name of the history in a shard's result folder."""
KEPT = 5
"""How many samples of a test are kept; the oldest go first."""
SHARED_SECONDS = 0.5
"""A set-up that exceeds those of its file's other tests by less is not told from noise."""


class Sample(NamedTuple):
    """The seconds of one passed run of a test."""

    setup: float
    call: float
    teardown: float


Samples = Mapping[str, tuple[Sample, ...]]
"""The samples of each test, oldest first."""


@dataclass(frozen=True)
class History:
    """The samples of each context; the one measured last is the last in `contexts`."""

    contexts: Mapping[str, Samples]


@dataclass(frozen=True)
class Estimates:
    """What a history says: seconds of each test alone, and each file's shared set-up."""

    durations: Mapping[str, float]
    shared: Mapping[str, float]


def beside(durations_file: Path) -> Path:
    """Return where the history of `durations_file` is kept."""
    return durations_file.with_name(f"{durations_file.name.removesuffix('.json')}.history.json")


def read(path: Path) -> History:
    """Read a history; an absent file is empty, a damaged one warns once and is empty."""
    data = store.read_json(path, "durations history")
    if data is None:
        return History({})
    try:
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']!r} is not {VERSION}")
        return History({name: _samples(tests) for name, tests in data["contexts"]})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        print(f"warning: {path}: damaged durations history is ignored ({error!r})", file=sys.stderr)
        return History({})


def write(path: Path, history: History) -> None:
    """Write `history` atomically."""
    contexts = [
        [name, {test: [list(sample) for sample in taken] for test, taken in tests.items()}]
        for name, tests in history.contexts.items()
    ]
    store.write_json(path, {"version": VERSION, "contexts": contexts})


def add(history: History, context: str, new: Mapping[str, Sample]) -> History:
    """Return `history` with the samples of one run."""
    contexts = dict(history.contexts)
    latest = dict(contexts.pop(context, {}))
    for test, sample in new.items():
        taken = latest.get(test, ())
        if taken[-1:] != (sample,):  # the same run merged again is no second measurement
            latest[test] = (*taken, sample)[-KEPT:]
    return History({**contexts, context: latest} if latest else contexts)


def merge(history: History, new: Iterable[History], collected: Collection[str] | None) -> History:
    """Return `history` with what several shards measured; tests outside `collected` expire."""
    for part in new:
        for context, tests in part.contexts.items():
            for number in range(KEPT):
                samples = {
                    test: taken[number] for test, taken in tests.items() if number < len(taken)
                }
                if samples:
                    history = add(history, context, samples)
    return history if collected is None else _expire(history, collected)


def estimates(history: History) -> Estimates:
    """Derive durations: the median over the samples of the context measured last.

    A test that this context lacks takes the value of another one, scaled by the tests that
    both know. Set-up that a file's tests share is charged to the file, not to whichever
    test came first.
    """
    if not history.contexts:
        return Estimates({}, {})
    *others, latest = history.contexts.values()
    durations, shared = _derive(latest)
    for samples in reversed(others):
        older, _ = _derive(samples)
        both = durations.keys() & older.keys()
        base = math.fsum(older[test] for test in both)
        scale = math.fsum(durations[test] for test in both) / base if base else 1.0
        durations = {test: older[test] * scale for test in older} | durations
    return Estimates(durations, shared)


def indivisible(found: Estimates) -> dict[str, str]:
    """Return the file of each test whose file's shared set-up outweighs the tests themselves.

    Cutting such a file would make two shards pay for what costs most of its time.
    """
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test in found.durations:
        files[file_of(test)].append(test)
    return {
        test: file
        for file, seconds in found.shared.items()
        if seconds > math.fsum(found.durations[test] for test in files[file])
        for test in files[file]
    }


def _expire(history: History, collected: Collection[str]) -> History:
    alive = frozenset(collected)
    contexts = {
        name: {test: taken for test, taken in tests.items() if test in alive}
        for name, tests in history.contexts.items()
    }
    return History({name: tests for name, tests in contexts.items() if tests})


def _derive(samples: Samples) -> tuple[dict[str, float], dict[str, float]]:
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test in samples:
        files[file_of(test)].append(test)
    durations: dict[str, float] = {}
    shared: dict[str, float] = {}
    for file, tests in files.items():
        # The least set-up of a test is its own: at some time another test came first.
        least = {test: min(sample.setup for sample in samples[test]) for test in tests}
        usual = statistics.median(least.values())
        excess = 0.0
        for test in tests:
            own = least[test] if least[test] - usual < SHARED_SECONDS else usual
            excess = max(excess, max(sample.setup for sample in samples[test]) - own)
            rest = statistics.median(sample.call + sample.teardown for sample in samples[test])
            durations[test] = own + rest
        if excess >= SHARED_SECONDS and len(tests) > 1:
            shared[file] = excess
    return durations, shared


def _samples(tests: Mapping[str, Any]) -> Samples:
    return {
        test: tuple(Sample(*_numbers(sample)) for sample in taken) for test, taken in tests.items()
    }


def _numbers(sample: Iterable[Any]) -> list[float]:
    values = [float(value) for value in sample]
    if len(values) != 3 or not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError(f"{values} are not three durations")
    return values
