"""The properties every assignment must have, and the difficult examples."""

from __future__ import annotations

import cProfile
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.sharding.assignment import assign, expected, lower_bound
from paceline.sharding.estimation import file_of
from paceline.sharding.groups import Groups, group_of

IDS = st.builds(
    lambda folder, file, scope, name, group: (
        f"tests/{folder}/test_{file}.py::{scope}test_{name}{group}"
    ),
    st.sampled_from("ab"),
    st.integers(0, 5),
    st.sampled_from(["", "TestA::", "TestB::"]),
    st.integers(0, 30),
    st.sampled_from(["", "", "", "[x@y]", "@one", "@two"]),
)
SECONDS = st.one_of(st.just(0.0), st.floats(0, 100), st.just(1e6))
TESTS = st.sets(IDS, max_size=60)
KNOWN = st.dictionaries(IDS, SECONDS, max_size=60)
SHARDS = st.integers(1, 12)


def marked(tests: Iterable[str]) -> Groups:
    """Return the groups of `tests`, as marks would say it."""
    return {test: group for test in tests if (group := group_of(test))}


@given(TESTS, KNOWN, SHARDS, st.dictionaries(IDS, st.integers(-1, 14), max_size=60))
def test_every_assignment_is_a_partition(
    tests: set[str], known: dict[str, float], shards: int, previous: dict[str, int]
) -> None:
    """Every test is in exactly one shard, whatever was known before."""
    found = assign(tests, known, shards, previous, marked(tests))
    assert len(found) == shards
    assert sorted(test for shard in found for test in shard) == sorted(tests)


@given(TESTS, KNOWN, SHARDS, st.dictionaries(IDS, st.integers(-1, 14), max_size=60))
def test_no_shard_is_needlessly_empty(
    tests: set[str], known: dict[str, float], shards: int, previous: dict[str, int]
) -> None:
    """A shard is empty only if there are fewer indivisible units than shards."""
    units = {group_of(test) or test for test in tests}
    used = sum(1 for shard in assign(tests, known, shards, previous, marked(tests)) if shard)
    assert used == min(shards, len(units))


@given(TESTS, KNOWN, SHARDS, st.randoms(use_true_random=False))
def test_input_order_does_not_matter(
    tests: set[str], known: dict[str, float], shards: int, rng: random.Random
) -> None:
    """Tests and durations in another order give the same assignment."""
    shuffled = sorted(tests)
    rng.shuffle(shuffled)
    pairs = sorted(known.items())
    rng.shuffle(pairs)
    assert assign(shuffled, dict(pairs), shards) == assign(tests, known, shards)


@given(TESTS, KNOWN, SHARDS)
def test_group_is_never_divided(tests: set[str], known: dict[str, float], shards: int) -> None:
    """All tests of an xdist group are in one shard."""
    found = assign(tests, known, shards, groups=marked(tests))
    for group in ("one", "two"):
        assert sum(any(group_of(test) == group for test in shard) for shard in found) <= 1


@given(TESTS, KNOWN, SHARDS)
def test_longest_shard_is_within_twice_the_bound(
    tests: set[str], known: dict[str, float], shards: int
) -> None:
    """No input, however skewed, gives more than the guarantee of list scheduling."""
    weights = expected(tests, known)
    found = assign(tests, known, shards, groups=marked(tests))
    loads = [math.fsum(weights[t] for t in shard) for shard in found]
    assert max(loads) <= 2 * lower_bound(weights, shards, marked(tests)) * 1.01


def test_hash_seed_does_not_matter() -> None:
    """Processes with different hash seeds find the same assignment."""
    code = (
        "from paceline.sharding.assignment import assign\n"
        "ids = {f'd{i % 3}/f{i % 7}.py::T{i % 2}::t{i}' + '@g' * (i % 50 == 0)"
        " for i in range(300)}\n"
        "known = {t: len(t) % 5 * 0.1 for t in ids if not t.endswith('3')}\n"
        "first = assign(ids, known, 5)\n"
        "old = {t: k for k, s in enumerate(first, 1) for t in s}\n"
        "print(first, assign(ids, {t: 1.0 for t in list(known)}, 6, old))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in range(4)
    }
    assert len(outputs) == 1


def test_files_stay_together_when_balance_allows() -> None:
    """Equal files are dealt out whole."""
    tests = [f"test_{file}.py::test_{i}" for file in range(40) for i in range(5)]
    for shard in assign(tests, {}, 4):
        assert len(shard) == 5 * len({file_of(test) for test in shard}) == 50


def test_long_file_is_cut_between_classes() -> None:
    """A file too long for one shard is cut where a class ends."""
    tests = [f"test_a.py::Test{c}::test_{i}" for c in "ABCDEFGH" for i in range(4)]
    for shard in assign(tests, {}, 2):
        assert len({test.split("::")[1] for test in shard}) == 4


def test_one_test_of_99_percent_is_alone() -> None:
    """A test that outweighs all others gets a shard for itself, and the rest is shared."""
    tests = ["a.py::long", *(f"a.py::t{i:03}" for i in range(100))]
    found = assign(tests, {"a.py::long": 9900.0} | dict.fromkeys(tests[1:], 1.0), 4)
    assert ("a.py::long",) in found
    assert all(found)


def test_more_shards_than_tests_leaves_the_rest_empty() -> None:
    """Three tests on five shards use three of them."""
    assert sorted(map(len, assign(["a.py::x", "a.py::y", "b.py::x"], {}, 5))) == [0, 0, 1, 1, 1]


def test_no_tests_give_empty_shards() -> None:
    """Nothing to run is no error."""
    assert assign([], {}, 2) == ((), ())


def test_zero_durations_are_spread() -> None:
    """Tests that all took zero seconds do not all end in one shard."""
    tests = [f"a.py::t{i:03}" for i in range(100)]
    assert [len(shard) for shard in assign(tests, dict.fromkeys(tests, 0.0), 4)] == [25] * 4


def test_no_durations_give_equal_counts() -> None:
    """Without durations the shards have about as many tests each."""
    tests = [f"test_{i % 20}.py::t{i:03}" for i in range(200)]
    sizes = [len(shard) for shard in assign(tests, {}, 4)]
    assert max(sizes) - min(sizes) <= 1


def test_impossible_shard_count_is_refused() -> None:
    """Zero shards cannot run anything."""
    with pytest.raises(ValueError, match="at least 1"):
        assign(["a"], {}, 0)


def test_new_test_joins_its_file() -> None:
    """A new test goes where its file is, and nothing else moves."""
    tests = [f"test_{file}.py::test_{i}" for file in range(40) for i in range(5)]
    old = {test: k for k, shard in enumerate(assign(tests, {}, 4), 1) for test in shard}
    known = dict.fromkeys(tests, 1.0) | {"test_7.py::test_new": 0.1}
    found = assign(known, known, 4, old)
    now = {test: k for k, shard in enumerate(found, 1) for test in shard}
    assert now == old | {"test_7.py::test_new": old["test_7.py::test_0"]}


def test_stretch_of_new_tests_is_spread() -> None:
    """Many new tests of one file, whose durations are guesses, do not all join one shard."""
    tests = [f"test_{file:02}.py::test_{i}" for file in range(40) for i in range(5)]
    old = {test: k for k, shard in enumerate(assign(tests, {}, 4), 1) for test in shard}
    new = {f"test_07.py::test_new{i:02}" for i in range(40)}
    found = assign([*tests, *new], dict.fromkeys(tests, 1.0), 4, old)
    assert max(len(new.intersection(shard)) for shard in found) <= 20
    assert sum(old[t] != k for k, shard in enumerate(found, 1) for t in shard if t in old) <= 10


def test_long_test_leaves_its_file() -> None:
    """A file of a few long tests among many short files is spread, the short ones are whole."""
    tests = {f"test_{file:02}.py::test_{i}": 0.5 for file in range(60) for i in range(10)}
    slow = {f"test_browser.py::test_{i}": 12.0 for i in range(4)}
    found = assign([*tests, *slow], tests | slow, 4)
    assert [len(slow.keys() & set(shard)) for shard in found] == [1, 1, 1, 1]
    files = [{test for test in tests if file_of(test) == f"test_{i:02}.py"} for i in range(60)]
    assert sum(any(file <= set(shard) for shard in found) for file in files) >= 57


def test_renamed_by_xdist_is_the_same_test() -> None:
    """The suffix that xdist adds to the id of a grouped test does not make it a new test."""
    tests = [f"test_{file}.py::test_{i}" for file in range(8) for i in range(5)]
    first = assign(tests, {}, 4)
    old = {test: k for k, shard in enumerate(first, 1) for test in shard}
    now = assign([f"{test}@g" for test in tests], dict.fromkeys(tests, 1.0), 4, old)
    assert now == tuple(tuple(f"{test}@g" for test in shard) for shard in first)


def test_suffix_in_a_bare_id_is_a_hint() -> None:
    """A group known by ids only is kept, unless it passed apart or is longer than a shard."""
    tests = [f"test_{i:02}.py::test{'@g' if i < 8 else ''}" for i in range(80)]
    members = {test for test in tests if test.endswith("@g")}

    def places(known: dict[str, float]) -> int:
        return sum(bool(members & set(shard)) for shard in assign(tests, known, 4))

    assert places({}) == 1
    assert places(dict.fromkeys(tests, 1.0)) == 1
    assert places({test.removesuffix("@g"): 1.0 for test in tests}) == 4
    assert places(dict.fromkeys(tests, 1.0) | dict.fromkeys(members, 9.0)) == 4


def test_group_that_is_not_kept_is_spread_evenly() -> None:
    """Tests that share a browser get slower together: no shard has more of them than its share."""
    shop = [f"shop/test_browser.py::test_{i:02}@browser" for i in range(14)]
    forum = [f"forum/test_browser.py::test_{i:02}@browser" for i in range(10)]
    others = {f"test_{i % 40:02}.py::test_{i:03}": 1.0 + i % 7 for i in range(400)}
    # Timed before the tests were marked, so that the suffix is no more than a hint.
    seconds = {test.removesuffix("@browser"): 5.0 + i % 5 for i, test in enumerate(shop + forum)}
    found = assign([*shop, *forum, *others], others | seconds, 8)
    counts = [sum(test.endswith("@browser") for test in shard) for shard in found]
    assert (min(counts), max(counts)) == (3, 3)


def test_cells_of_a_notebook_stay_together() -> None:
    """The cells of a notebook build on each other: they are one unit."""
    tests = [f"doc/a.ipynb::Cell {i}" for i in range(9)] + ["test_a.py::x", "test_b.py::x"]
    found = assign(tests, {}, 3)
    assert tuple(sorted(tests[:9])) in found


def test_poor_assignment_is_replaced_not_kept() -> None:
    """If moving single units cannot help, the tests are divided anew."""
    known = {"a.py::t": 5.0, "b.py::t": 5.0, "c.py::t": 4.0, "d.py::t": 4.0}
    old = {"a.py::t": 1, "b.py::t": 1, "c.py::t": 2, "d.py::t": 2}
    assert [sum(known[t] for t in shard) for shard in assign(known, known, 2, old)] == [9, 9]


def test_large_suite_is_planned_quickly() -> None:
    """100,000 tests over 256 shards take seconds, not minutes, on a slow machine too."""
    rng = random.Random(1)
    known = {
        f"d{i // 5000}/test_{i // 40}.py::test_{i}": rng.lognormvariate(-2, 1.5)
        for i in range(100_000)
    }
    start = time.process_time()
    found = assign(known, known, 256)
    assert time.process_time() - start < 10
    loads = [math.fsum(known[test] for test in shard) for shard in found]
    assert max(loads) <= 1.02 * lower_bound(known, 256, {})


def test_work_grows_no_faster_than_n_log_n() -> None:
    """Ten times the tests make no more function calls than n log n allows, with a plan before too.

    Calls are counted, not seconds: they are the same on a loaded machine.
    """

    def calls(size: int, previous: bool) -> int:
        rng = random.Random(size)
        ids = [f"d{i // 5000}/test_{i // 40}.py::test_{i}" for i in range(size)]
        known = {test: rng.lognormvariate(-2, 1.5) for test in ids}
        old: dict[str, int] = {}
        if previous:
            old = {test: k for k, shard in enumerate(assign(ids, known, 64), 1) for test in shard}
            known = {test: seconds * rng.uniform(0.8, 1.2) for test, seconds in known.items()}
        profile = cProfile.Profile()
        profile.runcall(assign, ids, known, 64, old)
        return sum(entry.callcount for entry in profile.getstats())

    allowed = 10 * math.log(20_000) / math.log(2_000)
    for previous in (False, True):
        assert calls(20_000, previous) <= allowed * calls(2_000, previous)
