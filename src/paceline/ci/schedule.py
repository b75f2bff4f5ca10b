"""When each job of a pipeline starts and ends: a simulation by events.

Every provider works alike here: a job is ready when all jobs it needs have ended, and waits
in the order of becoming ready for a free runner. With runners without limit the wall time is
the longest path through the pipeline.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from paceline.ci.timing import Timing
from paceline.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """One shard of a job in time, in seconds since the start of the pipeline."""

    job: str
    shard: int
    start: float
    end: float


@dataclass(frozen=True)
class Schedule:
    """What a pipeline does over time."""

    slots: tuple[Slot, ...]
    wall_seconds: float
    #: Of all runners together.
    total_seconds: float
    #: As providers charge: each job rounded up to a whole minute.
    billed_minutes: int
    cost: float
    #: The jobs, in order, that determine when the pipeline ends.
    critical: tuple[str, ...]


def simulate(timing: Timing) -> Schedule:
    """Return the schedule of `timing`; raise UsageError if jobs wait for each other."""
    slots = _run(timing)
    last = max(slots, key=lambda slot: slot.end)
    billed = sum(math.ceil(round((slot.end - slot.start) / 60, 9)) for slot in slots)
    return Schedule(
        tuple(slots),
        wall_seconds=last.end,
        total_seconds=sum(slot.end - slot.start for slot in slots),
        billed_minutes=billed,
        cost=billed * timing.price_per_minute,
        critical=_critical(timing, slots, last),
    )


def _run(timing: Timing) -> list[Slot]:
    number = {job.name: place for place, job in enumerate(timing.jobs)}
    missing = {job.name: len(set(job.needs)) for job in timing.jobs}
    waiting_for = _waiting_for(timing)
    left = {job.name: job.shards for job in timing.jobs}
    free = timing.runners or math.inf
    # Ready: since when, place in the file, shard. Running: end, then the same order.
    ready: list[tuple[float, int, int]] = []
    running: list[tuple[float, int, int]] = []
    slots: list[Slot] = []
    now = 0.0

    def make_ready(name: str) -> None:
        for shard in range(1, timing.jobs[number[name]].shards + 1):
            heapq.heappush(ready, (now, number[name], shard))

    for name, count in missing.items():
        if not count:
            make_ready(name)
    while ready or running:
        while ready and free > 0:
            _, place, shard = heapq.heappop(ready)
            job = timing.jobs[place]
            end = now + job.shard_seconds(timing.cache_hits)
            slots.append(Slot(job.name, shard, now, end))
            heapq.heappush(running, (end, place, shard))
            free -= 1
        # All that ends now frees its runner before the next job takes one.
        now = running[0][0]
        while running and running[0][0] <= now:
            _, place, _ = heapq.heappop(running)
            free += 1
            name = timing.jobs[place].name
            left[name] -= 1
            if not left[name]:
                for waiting in waiting_for.get(name, []):
                    missing[waiting] -= 1
                    if not missing[waiting]:
                        make_ready(waiting)
    stuck = [name for name, count in missing.items() if count]
    if stuck:
        raise UsageError(f"these jobs wait for each other: {', '.join(stuck)}")
    return slots


def _waiting_for(timing: Timing) -> Mapping[str, list[str]]:
    """Return the jobs that need each job."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for job in timing.jobs:
        for need in set(job.needs):
            found[need].append(job.name)
    return found


def _critical(timing: Timing, slots: list[Slot], last: Slot) -> tuple[str, ...]:
    """Return the chain of jobs back from the `last` slot, each begun when the next one ended."""
    needs = {job.name: set(job.needs) for job in timing.jobs}
    by_end: defaultdict[float, list[Slot]] = defaultdict(list)
    for slot in slots:
        by_end[slot.end].append(slot)
    chain = [last]
    while chain[-1].start > 0:
        now = chain[-1].start
        wanted = [slot for slot in by_end[now] if slot.job in needs[chain[-1].job]]
        # None that it needs: it waited for a runner, which another job gave back.
        before = wanted or [slot for slot in by_end[now] if slot.start < now]
        chain.append(min(before, key=lambda slot: slot.start))
    return tuple(dict.fromkeys(slot.job for slot in reversed(chain)))
