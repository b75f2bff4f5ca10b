"""What-ifs on a pipeline: each one changes the timing, and is shown with what it brought."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from paceline.ci.schedule import Schedule, simulate
from paceline.ci.timing import TimedJob, Timing
from paceline.errors import UsageError

#: What a verdict on the code is made of: images need not wait for it, deployment must.
_VERDICTS = frozenset({"tests", "check"})
_IMAGES = frozenset({"build", "scan"})
#: How far the search for a target goes.
MOST_SHARDS, MOST_WORKERS = 64, 4
#: A step that saves less is not worth a line.
LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Step:
    """A pipeline after one more change, the change in words."""

    text: str
    timing: Timing
    schedule: Schedule


def step(text: str, timing: Timing) -> Step:
    """Return `timing` simulated, with `text` for the change that led to it."""
    return Step(text, timing, simulate(timing))


def shards(timing: Timing, name: str, count: int) -> Timing:
    """Return `timing` with the job `name` in `count` shards; raise UsageError for no such job."""
    _refuse_less_than_one("shards", count)
    return _with(timing, replace(timing.job(name), shards=count))


def workers(timing: Timing, name: str, count: int) -> Timing:
    """Return `timing` with `count` workers in each shard of `name`; raises as `shards` does."""
    _refuse_less_than_one("workers", count)
    return _with(timing, replace(timing.job(name), workers=count))


def early(timing: Timing) -> Timing:
    """Return `timing` with images built and scanned beside the tests and checks.

    What they waited for, every deployment then waits for itself: nothing is deployed earlier
    than it was allowed to.
    """
    jobs = {job.name: job for job in timing.jobs}
    moved: dict[str, None] = {}

    def without_verdicts(name: str) -> Iterator[str]:
        for need in jobs[name].needs:
            if jobs[need].kind in _VERDICTS:
                moved[need] = None
                yield from without_verdicts(need)
            else:
                yield need

    for job in timing.jobs:
        if job.kind in _IMAGES:
            needs = tuple(dict.fromkeys(without_verdicts(job.name)))
            jobs[job.name] = replace(job, needs=needs)
    for job in timing.jobs:
        if job.kind == "deploy":
            needs = tuple(dict.fromkeys((*jobs[job.name].needs, *moved)))
            jobs[job.name] = replace(job, needs=needs)
    return replace(timing, jobs=tuple(jobs.values()))


def toward(start: Step, target_seconds: float) -> Iterator[Step]:
    """Yield, one by one, the changes that save most, until the wall time is below the target.

    Ends early where no change saves a second: what is left cannot be divided.
    """
    now = start
    while now.schedule.wall_seconds >= target_seconds:
        best = min(
            (step(text, timing) for text, timing in _changes(now)),
            key=lambda found: (found.schedule.wall_seconds, found.schedule.billed_minutes),
        )
        if now.schedule.wall_seconds - best.schedule.wall_seconds < LEAST_SECONDS:
            return
        yield best
        now = best


def _changes(now: Step) -> Iterator[tuple[str, Timing]]:
    """Yield every change that could shorten the critical path, in words and done."""
    timing = now.timing
    yield "images build and scan beside the tests", early(timing)
    if timing.cache_hits < 1:
        yield "every cache is found", replace(timing, cache_hits=1.0)
    for name in now.schedule.critical:
        job = timing.job(name)
        if job.kind != "tests":
            continue
        if job.shards * 2 <= MOST_SHARDS:
            yield f"{name} in {job.shards * 2} shards", shards(timing, name, job.shards * 2)
        if job.workers * 2 <= MOST_WORKERS:
            text = f"{name} with {job.workers * 2} workers"
            yield text, workers(timing, name, job.workers * 2)


def _with(timing: Timing, job: TimedJob) -> Timing:
    return replace(timing, jobs=tuple(job if old.name == job.name else old for old in timing.jobs))


def _refuse_less_than_one(what: str, count: int) -> None:
    if count < 1:
        raise UsageError(f"{what}: found {count}, allowed: a number from 1")


def apply(
    start: Step, counts: Mapping[str, Mapping[str, int]], beside: bool, hits: float, runners: int
) -> Iterator[Step]:
    """Yield a step for each change that was asked for; negative numbers mean "not asked"."""
    timing = start.timing
    change: Callable[[Timing, str, int], Timing]
    for what, change in (("shards", shards), ("workers", workers)):
        for name, count in counts.get(what, {}).items():
            timing = change(timing, name, count)
            yield step(f"{name}: {count} {what}", timing)
    if beside:
        timing = early(timing)
        yield step("images build and scan beside the tests", timing)
    if hits >= 0:
        timing = replace(timing, cache_hits=hits)
        yield step(f"{hits:.0%} of caches are found", timing)
    if runners >= 0:
        timing = replace(timing, runners=runners)
        yield step(f"{runners} runners" if runners else "any number of runners", timing)
