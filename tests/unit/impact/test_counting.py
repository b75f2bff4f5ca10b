"""Numbers that only count: how far they moved on, and whether code only ever adds to them."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.impact.counting import as_before, only_counts, steps


@given(st.integers(), st.integers(1, 9))
def test_a_number_that_moved_on_is_told_by_its_amount(start: int, by: int) -> None:
    """A print of one whole number, which grew, gives the difference; so does an iterator's next."""
    assert steps([(int, start)], [(int, start + by)]) == by
    assert steps([8, (count, start)], [8, (count, start + by)]) == by


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([(int, 2)], [(int, 1)]),
        ([(int, 1)], [(float, 2.0)]),
        ([7, (int, 1)], [7, (int, 2)]),
        ([7, (count, 1)], [8, (count, 2)]),
        ([(int, 1)], [(count, 2)]),
        ([(int, 1), (int, 1)], [(int, 2), (int, 3)]),
        ([(int, 1)], [(int, 2), (int, 2)]),
        ([1], [2]),
        ([(bool, False)], [(bool, True)]),
        (None, [(int, 1)]),
        ([(int, 1)], None),
    ],
)
def test_anything_else_is_no_counting(
    before: list[object] | None, now: list[object] | None
) -> None:
    """Numbers that go back, other values and other members give 0."""
    assert steps(before, now) == 0


@pytest.mark.parametrize(
    "text",
    [
        b"made = 0\ndef f():\n    global made\n    made += 1\n",
        b"class C:\n    made = 0\n    def __init__(self): C.made += 1; self.n = C.made\n",
        b"def f(): 'How many C were made so far.'\n",
        b"__all__ = ['C']\n",
        b"def f(): globals()['made'] += 1\n",
        b"def f(made): return made\n",
        b"remade = 1\ndef f(): remade = 2\n",
    ],
)
def test_code_that_only_adds_only_counts(text: bytes) -> None:
    """Adding a constant, reading, and other names leave a number one that counts."""
    assert only_counts(["C", "made"], [text])


@pytest.mark.parametrize(
    "text",
    [
        b"def f():\n    global made\n    made = 3\n",
        b"def f(): C.made = 3\n",
        b"def f(x): x.made += x.size\n",
        b"def f(x): x.made -= 1\n",
        b"def f(x): del x.made\n",
        b"def f(x):\n    for x.made in 1, 2: pass\n",
        b"def f(x):\n    with x as x.made: pass\n",
        b"def f(x): setattr(x, 'made', 2)\n",
        b"def f(patch): patch.setattr('app.C.made', 2)\n",
        b"async def f():\n    if (made := 3): pass\n",
        b"def f():\n    class C: pass\n",
        b"def f():\n    def made(): pass\n",
        b"def f(x): vars(x).update(made=3)\n",
        b"def f(): globals()['made'] = 3\n",
        b"import app\napp.made = 3\n",
        b"exec('made = 3')\n",
        b"made = (\n",
    ],
)
def test_code_that_sets_a_number_does_not(text: bytes) -> None:
    """Any other way to set one of the names is more than counting, and so is unreadable code."""
    assert not only_counts(["C", "made"], [b"def f(x): x.made += 1\n", text])


def test_every_test_must_count_as_far_as_before() -> None:
    """Less, more, and none at all is not as before; what nobody expects does not matter."""
    expected = {"a": {"n": 2}, "b": {"n": 1, "m": 3}}
    found = {"a": {"n": 2}, "b": {"n": 1, "m": 3}, "c": {"n": 9}}
    assert as_before(expected, found)
    assert not as_before(expected, {**found, "a": {"n": 1}})
    assert not as_before(expected, {**found, "b": {"n": 1}})
    assert not as_before(expected, {"a": {"n": 2}})
