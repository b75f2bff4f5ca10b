"""The project's own pipeline with times: from stored durations, and from measured jobs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from paceline.ci.building import build
from paceline.ci.pipeline import Job, TestsJob
from paceline.ci.timing import TimedJob, Timing
from paceline.config.model import Config
from paceline.errors import UsageError
from paceline.sharding import durations

ASSUMED_SECONDS = 30.0
_PREFIXES = ("build", "scan")
#: How the GitHub file calls the jobs of a matrix: "tests unit 2/4 on Python 3.13".
_MATRIX_NAME = re.compile(r"tests (\S+) \d+/\d+( on Python \S+)?")


def project_timing(config: Config, times: Mapping[str, Any]) -> tuple[Timing, list[str]]:
    """Return the pipeline of `config` with times, and the jobs whose time had to be assumed.

    `times` has the seconds of each job by its name, or is GitHub's list of the jobs of a run
    (`gh api repos/OWNER/NAME/actions/runs/ID/jobs`). Without it, tests take what their stored
    durations add up to. Raises UsageError for times that make no sense.
    """
    known = dict(_measured(times))
    assumed: list[str] = []
    jobs: list[TimedJob] = []
    for job in build(config).jobs:
        if isinstance(job, Job) and job.when.value not in ("every run", "the branch"):
            continue
        seconds = known.get(job.name)
        if seconds is None and isinstance(job, TestsJob):
            seconds = sum(durations.read(config.durations_file(job.group)).values()) or None
        if seconds is None:
            assumed.append(job.name)
        shards = job.size if isinstance(job, TestsJob) else 1
        value = ASSUMED_SECONDS if seconds is None else seconds
        jobs.append(TimedJob(job.name, value, job.needs, _kind(job), shards))
    return Timing(tuple(jobs)), assumed


def _kind(job: TestsJob | Job) -> str:
    if isinstance(job, TestsJob):
        return "tests"
    prefix = job.name.split("-")[0]
    if prefix in _PREFIXES:
        return prefix
    if job.environment or prefix == "health":
        return "deploy"
    return "setup" if job.name in ("plan", "test-image") else "check"


def _measured(times: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if isinstance(times.get("jobs"), list):
        yield from _from_github(times["jobs"])
        return
    for name, value in times.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise UsageError(f"--times: {name}: found {value!r}, allowed: seconds from 0")
        yield name, float(value)


def _from_github(jobs: list[Any]) -> Iterator[tuple[str, float]]:
    """Yield the seconds of each job, all shards of a group together."""
    sums: dict[str, float] = {}
    for job in jobs:
        try:
            begin, end = (datetime.fromisoformat(job[key].replace("Z", "+00:00")) for key in _KEYS)
            name = str(job["name"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"--times: a job without name, start and end: {error}") from error
        match = _MATRIX_NAME.fullmatch(name)
        name = f"tests-{match[1]}" if match else name
        sums[name] = sums.get(name, 0.0) + (end - begin).total_seconds()
    yield from sums.items()


_KEYS = ("started_at", "completed_at")
