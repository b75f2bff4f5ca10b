"""A pipeline with times, which the simulation reads: from a TOML or JSON file, or a project's own.

runners = 4                # how many jobs run at once; 0 (the default) means any number
price_per_minute = 0.008   # of one runner

[jobs.backend-tests]
seconds = 3120             # the whole job as measured in one piece, set-up included
setup_seconds = 30         # the part of it that every shard pays again
cached_setup_seconds = 10  # that part when the cache hits
longest_seconds = 20       # the longest test: no shard gets shorter
kind = "tests"             # tests, check, build, scan, deploy or setup
needs = ["clone"]
shards = 1
workers = 1
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from paceline.config.schema import did_you_mean
from paceline.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("tests", "check", "build", "scan", "deploy", "setup")
#: What a further worker adds to the first: they share a machine, and the tests' own waits.
WORKER_GAIN = 0.85


@dataclass(frozen=True)
class TimedJob:
    """One job of the simulation; a job with shards becomes that many equal ones."""

    name: str
    #: Wall seconds of the job in one piece, set-up included.
    seconds: float
    needs: tuple[str, ...] = ()
    kind: str = "check"
    shards: int = 1
    workers: int = 1
    #: Wall seconds at the start that every shard pays, without and with a cache hit.
    setup_seconds: float = 0.0
    cached_setup_seconds: float | None = None
    #: Wall seconds of the longest part that cannot be divided.
    longest_seconds: float = 0.0

    def shard_seconds(self, cache_hits: float) -> float:
        """Return how long one shard takes where the share `cache_hits` of caches is found."""
        whole, cached = self.setup_seconds, self.cached_setup_seconds
        setup = whole if cached is None else cache_hits * cached + (1 - cache_hits) * whole
        speed = self.shards * (1 + (self.workers - 1) * WORKER_GAIN)
        work = max(self.seconds - self.setup_seconds, 0.0)
        return setup + max(work / speed, min(self.longest_seconds, work))


@dataclass(frozen=True)
class Timing:
    """The jobs of one pipeline, and what runs them."""

    jobs: tuple[TimedJob, ...]
    #: How many jobs run at once; 0 means any number.
    runners: int = 0
    price_per_minute: float = 0.0
    #: The share of caches that are found, from 0 to 1.
    cache_hits: float = 0.0

    def job(self, name: str) -> TimedJob:
        """Return the job called `name`; raise UsageError if there is none."""
        for job in self.jobs:
            if job.name == name:
                return job
        raise UsageError(f'there is no job "{name}"', _guess(name, [j.name for j in self.jobs]))


def read(path: Path) -> Timing:
    """Read a pipeline with times; raise UsageError that says what is wrong, and where."""
    data = read_data(path)
    tables = data.pop("jobs", None)
    if not isinstance(tables, Mapping) or not tables:
        raise UsageError(f"{path}: there is no job", "write a table [jobs.NAME] for each")
    jobs = tuple(_job(path, str(name), table) for name, table in tables.items())
    values = _numbers(path, "the file", data, ("runners", "price_per_minute", "cache_hits"))
    timing = Timing(jobs, **values)
    if timing.runners != int(timing.runners) or timing.cache_hits > 1:
        raise UsageError(f"{path}: runners is a whole number, cache_hits lies between 0 and 1")
    for job in jobs:
        for need in job.needs:
            timing.job(need)
    return timing


def read_data(path: Path) -> dict[str, Any]:
    """Return the content of a TOML or JSON file; raise UsageError if it is neither."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise UsageError(f"{path}: not valid {kind}: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: found no table at the top")
    return data


def _job(path: Path, name: str, table: object) -> TimedJob:
    where = f"job {name}"
    if not isinstance(table, Mapping) or "seconds" not in table:
        raise UsageError(f'{path}: {where} has no "seconds"', "write how long it takes")
    table = dict(table)
    needs = table.pop("needs", [])
    kind = table.pop("kind", "check")
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise UsageError(f"{path}: {where}: needs is a list of names")
    if kind not in KINDS:
        raise UsageError(f'{path}: {where}: found kind "{kind}", allowed: {", ".join(KINDS)}')
    numbers = [f.name for f in fields(TimedJob) if f.name not in ("name", "needs", "kind")]
    values = _numbers(path, where, table, numbers)
    for key in ("shards", "workers"):
        if values.get(key, 1) != int(values.get(key, 1)) or values.get(key, 1) < 1:
            raise UsageError(f"{path}: {where}: {key} is a whole number from 1")
    return TimedJob(name, needs=tuple(needs), kind=kind, **values)


def _numbers(
    path: Path, where: str, table: Mapping[str, Any], known: Sequence[str]
) -> dict[str, Any]:
    for key, value in table.items():
        if key not in known:
            raise UsageError(f'{path}: {where}: unknown key "{key}"', _guess(key, known))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise UsageError(f"{path}: {where}: {key} is a number from 0, found {value!r}")
    return dict(table)


def _guess(word: str, known: Sequence[str]) -> str:
    guess = did_you_mean(word, known)
    return f'did you mean "{guess}"?' if guess else f"known: {', '.join(known)}"


def minutes(seconds: float) -> str:
    """Return `seconds` as people write them: 56:59."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def priced(timing: Timing, price_per_minute: float) -> Timing:
    """Return `timing` with another price of a runner's minute."""
    return replace(timing, price_per_minute=price_per_minute)
