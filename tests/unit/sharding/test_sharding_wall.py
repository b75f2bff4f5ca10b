"""Wall time: what workers make of a shard's sum, and how many shards a target needs."""

from __future__ import annotations

import pytest

from paceline.sharding.plan import make_plan
from paceline.sharding.target import advise
from paceline.sharding.wall import Workers, predict

TESTS = {f"a.py::T::t{i}": 2.0 for i in range(4)} | {f"b.py::t{i}": 1.0 for i in range(4)}


@pytest.mark.parametrize(
    ("workers", "seconds", "longest"),
    [
        (Workers(0), 12.0, ""),
        (Workers(1), 12.0, ""),
        (Workers(2), 6.0, ""),
        (Workers(2, "loadfile"), 8.0, "a.py"),
        (Workers(2, "loadscope"), 8.0, "a.py::T"),
        (Workers(2, "loadgroup"), 8.0, "group g"),
        (Workers(8), 2.0, "a.py::T::t0"),
    ],
)
def test_wall_depends_on_workers_and_their_mode(
    workers: Workers, seconds: float, longest: str
) -> None:
    """Equal sums take longer where xdist must keep a file, a class or a group on one worker."""
    groups = {test: "g" for test in TESTS if test.startswith("a.py")}
    found = predict(TESTS, TESTS, workers, groups)
    assert (found.seconds, found.longest) == (seconds, longest)


def test_shared_set_up_is_part_of_the_wall() -> None:
    """The set-up that a file's tests share is paid once."""
    assert predict(TESTS, TESTS, Workers(), {}, {"a.py": 5.0}).seconds == 17.0


def test_plan_predicts_the_wall_of_each_shard() -> None:
    """A shard takes what its workers make of it, after collecting the whole group."""
    workers = Workers(2, "loadfile")
    plan = make_plan("unit", TESTS, TESTS, 1, workers=workers, collection_seconds=3.0)
    assert [(s.predicted, s.wall, s.longest) for s in plan.shards] == [(12.0, 11.0, "a.py")]


def test_no_tests_take_no_time() -> None:
    """An empty shard is predicted as zero."""
    assert predict([], {}, Workers(4), {}).seconds == 0


def test_target_takes_the_fewest_shards() -> None:
    """The smallest count that meets the target with its overhead is found."""
    tests = {f"test_{i}.py::t": 10.0 for i in range(60)}
    found = advise(tests, {}, 200.0, 50.0, Workers())
    assert (found.shards, found.wall_seconds) == (4, 200.0)
    assert advise(tests, {}, 130.0, 50.0, Workers(2)).shards == 4
    assert advise(tests, {}, 1000.0, 0.0, Workers()).shards == 1


def test_target_out_of_reach_names_the_longest_unit() -> None:
    """Where the longest unit alone takes longer, no count helps, and it is named."""
    tests = {f"test_{i}.py::t": 10.0 for i in range(60)} | {"slow.py::t": 300.0}
    found = advise(tests, {}, 200.0, 0.0, Workers())
    assert found.shards is None
    assert (found.useful, found.longest, found.longest_seconds) == (3, "slow.py::t", 300.0)
    assert found.wall_seconds == 300.0
