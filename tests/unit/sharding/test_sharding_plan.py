"""Plans: what they state, how they are kept, and that a refresh moves little."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.sharding.plan import (
    Plan,
    collection_digest,
    from_json,
    make_plan,
    read_plans,
    to_json,
    write_plans,
)

IDS = st.builds(
    "tests/test_{}.py::test_{}{}".format,
    st.integers(0, 9),
    st.integers(0, 99),
    st.sampled_from(["", "", "", "@one", "@two"]),
)
KNOWN = st.dictionaries(IDS, st.one_of(st.floats(0, 100), st.just(1e6)), max_size=60)


def example(seed: int = 1) -> dict[str, float]:
    """Return 1,000 durations of a usual shape."""
    rng = random.Random(seed)
    return {f"t/test_{i // 20}.py::test_{i}": rng.lognormvariate(-1, 1.5) for i in range(1000)}


@given(KNOWN, st.sets(IDS, max_size=10), st.integers(1, 9), st.integers(1, 9))
def test_refresh_without_news_moves_nothing(
    known: dict[str, float], unknown: set[str], shards: int, before: int
) -> None:
    """The same tests and durations again give the same plan, even after a poor one."""
    tests = known.keys() | unknown
    poor = make_plan("unit", tests, {}, before)
    plan = make_plan("unit", tests, known, shards, poor)
    again = make_plan("unit", tests, known, shards, plan)
    assert again.moved == 0
    assert (again.digest, again.shards) == (plan.digest, plan.shards)


@given(KNOWN, st.integers(1, 9))
def test_plan_survives_json(known: dict[str, float], shards: int) -> None:
    """A plan is the same after writing and reading."""
    plan = make_plan("unit", known, known, shards)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


@given(KNOWN, st.integers(1, 9))
def test_ratio_is_never_better_than_the_bound(known: dict[str, float], shards: int) -> None:
    """The bound is a bound: the ratio is at least 1."""
    assert make_plan("unit", known, known, shards).ratio >= 1 - 1e-9


def test_small_changes_move_few_tests() -> None:
    """Noise, one new file and a removed test move under a twentieth of the tests."""
    known = example()
    plan = make_plan("unit", known, known, 8)
    rng = random.Random(2)
    later = {test: seconds * rng.uniform(0.8, 1.25) for test, seconds in known.items()}
    later |= {f"t/test_new.py::test_{i}": 1.0 for i in range(20)}
    del later["t/test_0.py::test_0"]
    refreshed = make_plan("unit", later, later, 8, plan)
    assert refreshed.ratio <= 1.011
    assert 0 <= refreshed.moved <= 0.05


@pytest.mark.parametrize("shards", [1, 3, 7, 9, 20])
def test_other_shard_count_is_balanced_again(shards: int) -> None:
    """More or fewer shards than before still give a good balance."""
    known = example()
    plan = make_plan("unit", known, known, shards, make_plan("unit", known, known, 8))
    assert plan.ratio <= 1.02
    assert plan.moved < 1


def test_plan_states_what_it_is() -> None:
    """Numbers from 1, predictions and bound are those of the tests."""
    plan = make_plan("unit", ["a.py::x", "b.py::x"], {"a.py::x": 3.0, "b.py::x": 1.0}, 2)
    assert [(s.index, s.tests, s.predicted) for s in plan.shards] == [
        (1, ("a.py::x",), 3.0),
        (2, ("b.py::x",), 1.0),
    ]
    assert (plan.version, plan.group, plan.bound, plan.ratio, plan.moved) == (3, "unit", 3, 1, 0)


def test_digest_is_of_the_assignment_only() -> None:
    """Other durations with the same assignment keep the digest; other shards change it."""
    tests = ["a.py::x", "b.py::x"]
    one = make_plan("unit", tests, dict.fromkeys(tests, 1.0), 2)
    assert one.digest == make_plan("unit", tests, dict.fromkeys(tests, 2.0), 2).digest
    assert one.digest != make_plan("unit", tests, {}, 1).digest
    assert len(one.digest) == 16


def test_plan_names_what_it_was_made_from() -> None:
    """The digests of the tests and of the durations change with them and with nothing else."""
    tests = ["a.py::x", "b.py::x"]
    one = make_plan("unit", tests, {"a.py::x": 1.0, "b.py::x": 2.0}, 2)
    same = make_plan("unit", tests[::-1], {"b.py::x": 2.0, "a.py::x": 1.0}, 1)
    other = make_plan("unit", [*tests, "c.py::x"], {"a.py::x": 1.5}, 2)
    assert (one.collected, one.durations) == (same.collected, same.durations)
    assert one.collected != other.collected
    assert one.durations != other.durations


def test_collection_digest_ignores_order() -> None:
    """The digest of a collection is of the set, and of ids not of their joined text."""
    assert collection_digest(["a", "b"]) == collection_digest(["b", "a"])
    assert collection_digest(["a", "b"]) != collection_digest(["a,b"])
    assert len(collection_digest([])) == 16


def test_plans_are_kept_in_a_file(tmp_path: Path) -> None:
    """All plans that are written are read."""
    known = example()
    plans: dict[str, Plan] = {g: make_plan(g, known, known, 3) for g in ("unit", "slow")}
    path = tmp_path / ".paceline" / "plan.json"
    write_plans(path, plans)
    assert read_plans(path) == plans


def test_absent_plan_file_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No plans yet is no damage."""
    assert read_plans(tmp_path / "plan.json") == {}
    assert capsys.readouterr().err == ""


def damage(change: str, plan: dict[str, Any]) -> Any:
    """Return the file with one thing wrong."""
    shard = plan["shards"][0]
    if change == "moved test":
        plan["shards"][1]["tests"].append(shard["tests"].pop())
    elif change == "test twice":
        plan["shards"][1]["tests"].append(shard["tests"][0])
    elif change == "numbers":
        shard["index"] = 2
    elif change == "list":
        return [plan]
    elif change == "other group":
        return {"slow": plan}
    elif change == "no plan":
        return {"unit": 3}
    else:
        key, value = change.split("=")
        (shard if key in shard else plan)[key] = json.loads(value)
    return {"unit": plan}


@pytest.mark.parametrize(
    "change",
    [
        "moved test",
        "test twice",
        "numbers",
        "list",
        "other group",
        "no plan",
        "version=1",
        "version=null",
        "bound=NaN",
        "ratio=true",
        'digest="x"',
        'collected="x"',
        "durations=1",
        "shards=[]",
        "shards=3",
        "tests=[1]",
        "tests=[[]]",
        "tests=null",
        'predicted="1"',
        "wall=NaN",
        "longest=1",
        "group=1",
    ],
)
def test_damaged_plan_file_warns_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """A plan that was changed or damaged is not used, and one warning names the file."""
    tests = ["a.py::x", "a.py::y", "b.py::x", "b.py::y"]
    path = tmp_path / "plan.json"
    data = damage(change, to_json(make_plan("unit", tests, {}, 2)))
    path.write_text(json.dumps(data), encoding="utf-8")
    assert read_plans(path) == {}
    error = capsys.readouterr().err
    assert error.count("warning") == 1
    assert str(path) in error
