"""What one process recorded, put in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from paceline.impact.recording import StateChange, in_order


@given(some.lists(some.integers(0, 9)), some.data())
def test_late_changes_come_where_they_belong(orders: list[int], data: some.DataObject) -> None:
    """Sorted by test, and whatever was noted before an import ended is before it still."""
    changes = [StateChange(order, number, (), (), ()) for number, order in enumerate(orders)]
    count = data.draw(some.integers(0, len(changes)))
    ordered, counts = in_order(changes, {7: count})
    assert list(ordered) == sorted(changes, key=lambda change: change.order)
    assert set(changes[:count]) <= set(ordered[: counts[7]])
    assert counts[7] == 0 or ordered[counts[7] - 1] in changes[:count]


def test_nothing_moves_that_is_in_order() -> None:
    """Without late changes the counts stay what they are."""
    changes = [StateChange(order, 0, (), (), ()) for order in (0, 1, 1, 2)]
    assert in_order(changes, {1: 0, 2: 2, 3: 4}) == (tuple(changes), {1: 0, 2: 2, 3: 4})
