"""Who may find what others leave behind, told by the names that code mentions."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from paceline.impact import inputs, source
from paceline.impact.giving import as_value
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord, SourceRecord, TestRecord
from paceline.impact.usage import Usage

TEXT = """
import app
def test_early(): return app.KEPT
def test_first(): app.KEPT.add(1)
def test_second(): app.KEPT.add(app.MADE)
def test_user(): return app.KEPT
def test_other(): return app.THINGS
class TestClass:
    def test_method(self): return app.KEPT
"""
#: By test what it leaves: labels, and by how much it counts.
LEFT = {"test_first": ["KEPT"], "test_second": ["KEPT", "MADE"]}
BLOCKS = ("test_early", "test_first", "test_second", "test_user", "test_other")


def usage(
    *,
    left: Mapping[str, list[str]] = LEFT,
    counts: Mapping[str, int] | None = None,
    statuses: Mapping[str, str] | None = None,
    file: str = "test_app.py",
) -> Usage:
    """Return what is known of the functions of TEXT, none of which has a link to another."""
    text = TEXT.encode()
    parsed = source.parse(text)
    assert parsed is not None
    blocks = {block.name: place for place, block in enumerate(parsed.blocks)}
    tests: dict[str, TestRecord] = {}
    segments: dict[int, SegmentRecord] = {}
    needs: dict[int, NeedRecord] = {}
    for number, function in enumerate((*BLOCKS, "TestClass.test_method"), 1):
        test = f"{file}::{function.replace('.', '::')}"
        mine: list[int] = []
        if function in left:
            value = as_value({label: set() for label in left[function]})
            needs[number] = NeedRecord(Need.STATE, ".", value)
            mine.append(number)
        if counts and function in counts:
            needs[number + 100] = NeedRecord(Need.COUNT, "KEPT", str(counts[function]))
            mine.append(number + 100)
        code = {1: 1 << blocks[function]}
        segments[number] = SegmentRecord(
            Kind.TEST, test, code, tuple(mine), (), (), frozenset(), frozenset(), ()
        )
        tests[test] = TestRecord((statuses or {}).get(function, "passed"), 0.1, number)
    sources = {1: SourceRecord(file, inputs.digest(text), parsed)}
    return Usage(Records(tests, segments, sources, needs))


def name(function: str) -> str:
    return f"test_app.py::{function}"


def test_users_are_those_whose_code_mentions_the_name() -> None:
    """Whether or not they come after those who leave something there."""
    named = {*map(name, ("test_early", "test_first", "test_second", "test_user"))}
    assert usage().users({"KEPT"}) == named | {name("TestClass::test_method")}
    assert usage().users({"THINGS", "nobody"}) == {name("test_other")}
    assert usage().users(set()) == set()


def test_only_those_after_a_giver_may_find_what_it_leaves() -> None:
    """Those before it find what was there without it."""
    found = usage().finding({name("test_first")}, (), set())
    assert found.keys() == {*map(name, ("test_second", "test_user", "TestClass::test_method"))}
    assert set(found.values()) == {name("test_first")}
    assert usage().finding({name("test_user")}, (), set()) == {}


@pytest.mark.parametrize(("numbers", "found"), [((), True), (("KEPT",), False)])
def test_who_only_moves_a_number_on_is_compared_later(
    numbers: tuple[str, ...], found: bool
) -> None:
    """How far it moved it on can be told when it has run."""
    counting = usage(left={"test_first": ["KEPT"]}, counts={"test_first": 1})
    assert bool(counting.finding({name("test_first")}, numbers, set())) is found


@pytest.mark.parametrize(("now", "told"), [({"KEPT": 1}, False), ({"KEPT": 2}, True), ({}, True)])
def test_a_number_that_is_moved_on_otherwise(now: dict[str, int], told: bool) -> None:
    """Further, less far or not at all, as compared with the record."""
    counting = usage(counts={"test_first": 1})
    expected = [(name("test_first"), "KEPT")] if told else []
    assert counting.counted_otherwise({name("test_first"): now}) == expected
    assert counting.counted_otherwise({name("test_user"): now}) == []


def test_company_is_all_that_leave_something_before_it() -> None:
    """With what these may find themselves, and nobody that comes later."""
    known = usage()
    assert known.company(name("test_user")) == {name("test_first"), name("test_second")}
    assert known.company(name("test_second")) == {name("test_first")}
    assert known.company(name("test_early")) == frozenset()
    assert known.company(name("test_other")) == frozenset()
    assert known.company("test_app.py::test_unknown") == frozenset()


def test_one_that_ran_before_its_company_is_early() -> None:
    """Only the places of what ran in this process are known."""
    known = usage()
    first, second, user = map(name, ("test_first", "test_second", "test_user"))
    assert known.is_early(user, {user: 2, first: 1, second: 3})
    assert not known.is_early(user, {user: 3, first: 1, second: 2})
    assert not known.is_early(user, {user: 1, name("test_other"): 2})
    assert not known.is_early(user, {first: 1, second: 2})


def test_doubtful_are_those_that_did_not_pass() -> None:
    """Those that are never run are no such tests, and leave nothing behind."""
    known = usage(
        statuses={"test_user": "failed", "test_early": "running 1a", "test_other": "never run"}
    )
    assert known.doubtful == {name("test_user"), name("test_early")}
    never = usage(statuses={"test_first": "never run"})
    assert never.company(name("test_user")) == {name("test_second")}


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [
        ("a/test_b.py::test_x", "a/test_c.py::test_a", True),
        ("b/test_a.py::test_x", "a/test_c.py::test_a", False),
        ("a/sub/test_a.py::test_x", "a/test_a.py::test_x", True),
        ("a-b/test_a.py::test_x", "a/test_a.py::test_x", False),
        ("test_app.py::test_user", "test_app.py::TestClass::test_method", True),
        ("test_app.py::test_user", "test_app.py::test_first", False),
        ("test_app.py::test_user[1]", "test_app.py::test_user[2]", True),
        ("test_app.py::test_user[2]", "test_app.py::test_user[1]", True),
        ("test_app.py::test_user", "test_app.py::test_user", False),
        ("test_unknown.py::test_b", "test_unknown.py::test_a", True),
    ],
)
def test_order_is_that_in_which_pytest_collects(one: str, other: str, before: bool) -> None:
    """Folder by folder, and function by function; where it is not known, it may be before."""
    assert usage().is_before(one, other) is before
