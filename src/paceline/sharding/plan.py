"""A plan: the shards of a test group with what they are expected to take."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paceline import store
from paceline.sharding.assignment import Assignment, assign_weighted, expected, lower_bound
from paceline.sharding.durations import Durations
from paceline.sharding.estimation import unknown
from paceline.sharding.groups import Groups, in_ids
from paceline.sharding.wall import ONE_BY_ONE, Workers, predict

VERSION = 3


@dataclass(frozen=True)
class Shard:
    """One shard: its number from 1, its tests and their expected seconds in sum.

    `wall` is the predicted time with collection and workers, `longest` the unit that bounds
    it, empty if the sum does.
    """

    index: int
    tests: tuple[str, ...]
    predicted: float
    wall: float
    longest: str


@dataclass(frozen=True)
class Plan:
    """How the tests of a group are divided.

    `digest` identifies the assignment, `collected` the set of tests, `durations` those it was
    made from. `bound` is the load no plan can beat, `ratio` the largest load over it, `moved`
    the share of tests known before whose shard changed.
    """

    version: int
    group: str
    digest: str
    collected: str
    durations: str
    shards: tuple[Shard, ...]
    bound: float
    ratio: float
    moved: float


def make_plan(
    group: str,
    tests: Collection[str],
    durations: Durations,
    shards: int,
    previous: Plan | None = None,
    *,
    groups: Groups | None = None,
    workers: Workers = ONE_BY_ONE,
    shared: Mapping[str, float] | None = None,
    collection_seconds: float = 0.0,
) -> Plan:
    """Divide the `tests` of `group` over `shards`, moving little against `previous`.

    `groups` are the tests that must stay together, None asks their ids. `workers`, the `shared`
    set-up seconds of files and those that each shard needs to collect the whole group tell how
    long a shard will really take.
    """
    weights = expected(tests, durations)
    groups = in_ids(weights, durations, shards) if groups is None else groups
    if previous is not None and _unchanged(previous, weights, shards):
        # Not even a plan that could be better may move when nothing is new.
        assignment: Assignment = tuple(shard.tests for shard in previous.shards)
    else:
        assignment = assign_weighted(
            weights, shards, _places(previous), groups, unknown(weights, durations)
        )
    loads = [_load(members, weights) for members in assignment]
    walls = [predict(members, weights, workers, groups, shared) for members in assignment]
    bound = lower_bound(weights, shards, groups)
    return Plan(
        version=VERSION,
        group=group,
        digest=_digest(assignment),
        collected=collection_digest(weights),
        durations=_hash(sorted(durations.items())),
        shards=tuple(
            Shard(index, members, load, wall.seconds + collection_seconds, wall.longest)
            for index, (members, load, wall) in enumerate(
                zip(assignment, loads, walls, strict=True), start=1
            )
        ),
        bound=bound,
        ratio=max(loads) / bound if bound else 1.0,
        moved=_moved(_places(previous), assignment),
    )


def collection_digest(tests: Iterable[str]) -> str:
    """Return 16 hex digits that identify a set of tests."""
    return _hash(sorted(tests))


def to_json(plan: Plan) -> dict[str, Any]:
    """Return `plan` as JSON data."""
    return {
        "version": plan.version,
        "group": plan.group,
        "digest": plan.digest,
        "collected": plan.collected,
        "durations": plan.durations,
        "shards": [
            {
                "index": shard.index,
                "tests": list(shard.tests),
                "predicted": shard.predicted,
                "wall": shard.wall,
                "longest": shard.longest,
            }
            for shard in plan.shards
        ],
        "bound": plan.bound,
        "ratio": plan.ratio,
        "moved": plan.moved,
    }


def from_json(data: Any) -> Plan:
    """Return the plan in JSON data; ValueError if it is damaged or of another version."""
    try:
        plan = Plan(
            version=data["version"],
            group=data["group"],
            digest=data["digest"],
            collected=data["collected"],
            durations=data["durations"],
            shards=tuple(
                Shard(
                    item["index"],
                    tuple(item["tests"]),
                    _number(item["predicted"]),
                    _number(item["wall"]),
                    item["longest"],
                )
                for item in data["shards"]
            ),
            bound=_number(data["bound"]),
            ratio=_number(data["ratio"]),
            moved=_number(data["moved"]),
        )
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a plan: {error!r}") from error
    _validate(plan)
    return plan


def write_plans(path: Path, plans: Mapping[str, Plan]) -> None:
    """Write the plans of all groups to `path` atomically."""
    store.write_json(path, {group: to_json(plan) for group, plan in plans.items()})


def read_plans(path: Path) -> dict[str, Plan]:
    """Read the plan of each group; an absent file is empty, a damaged one warns and is empty."""
    data = store.read_json(path, "plan file")
    if data is None:
        return {}
    try:
        if not isinstance(data, dict):
            raise ValueError("not an object")
        plans = {group: from_json(item) for group, item in data.items()}
        for group, plan in plans.items():
            if plan.group != group:
                raise ValueError(f"the plan of {group!r} names the group {plan.group!r}")
    except ValueError as error:
        print(f"warning: {path}: damaged plan file is ignored ({error})", file=sys.stderr)
        return {}
    return plans


def _validate(plan: Plan) -> None:
    if plan.version != VERSION:
        raise ValueError(f"version {plan.version!r} is not {VERSION}")
    if not isinstance(plan.group, str):
        raise ValueError("the group is not a text")
    if not plan.shards or [s.index for s in plan.shards] != [*range(1, len(plan.shards) + 1)]:
        raise ValueError("the shards are not numbered from 1")
    if not all(isinstance(shard.longest, str) for shard in plan.shards):
        raise ValueError("the longest unit is not a text")
    tests = [test for shard in plan.shards for test in shard.tests]
    if not all(isinstance(test, str) for test in tests) or len(set(tests)) != len(tests):
        raise ValueError("a test is in two shards or is not a text")
    if not isinstance(plan.durations, str) or plan.collected != collection_digest(tests):
        raise ValueError("the digests of tests and durations do not match")
    if plan.digest != _digest(tuple(shard.tests for shard in plan.shards)):
        raise ValueError("the digest does not match the tests")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _load(members: Iterable[str], weights: Mapping[str, float]) -> float:
    # fsum is exact whatever the order, so equal input gives equal predictions.
    return math.fsum(weights[test] for test in members)


def _places(plan: Plan | None) -> dict[str, int]:
    if plan is None:
        return {}
    return {test: shard.index for shard in plan.shards for test in shard.tests}


def _unchanged(previous: Plan, weights: Mapping[str, float], shards: int) -> bool:
    if len(previous.shards) != shards or _places(previous).keys() != weights.keys():
        return False
    return all(_load(shard.tests, weights) == shard.predicted for shard in previous.shards)


def _moved(before: Mapping[str, int], assignment: Assignment) -> float:
    common = moved = 0
    for index, members in enumerate(assignment, start=1):
        for test in members:
            if test in before:
                common += 1
                moved += before[test] != index
    return moved / common if common else 0.0


def _digest(assignment: Assignment) -> str:
    return _hash([sorted(members) for members in assignment])


def _hash(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
