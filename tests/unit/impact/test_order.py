"""Tests of files that are collected late have the places that they have in a full run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paceline.impact.order import FileOrder

FILES = ["a/test_a.py", "a/test_b.py", "b/test_a.py", "test_a.py", "test_b.py"]
STARTS = [(".",), ("test_b.py", "b", "a", "."), ("b", ".")]


@given(st.sampled_from(STARTS), st.sets(st.sampled_from(FILES)), st.permutations(FILES))
def test_late_files_come_in_between(
    starts: tuple[str, ...], late: set[str], rounds: list[str]
) -> None:
    """Whichever files came at first, and in whichever order the others came."""
    order = FileOrder(starts)
    full = [f"{file}::test_{name}" for file in sorted(FILES, key=order.place) for name in "zay"]
    first = [test for test in full if test.partition("::")[0] not in late]
    others = [test for file in rounds for test in full if test.startswith(f"{file}::")]
    assert order.with_late(first, [test for test in others if test not in first]) == full


def test_an_order_of_their_own_is_kept() -> None:
    """As of tests that a conftest file sorts: a late file comes before the first later one."""
    first = ["test_c.py::test_one", "test_a.py::test_one", "test_c.py::test_two"]
    found = FileOrder((".",)).with_late(first, ["test_d.py::test_one", "test_b.py::test_one"])
    assert found == ["test_b.py::test_one", *first, "test_d.py::test_one"]
