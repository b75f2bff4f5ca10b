"""What is read of Python's memory tells whether anything is another object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.impact import memory
from paceline.impact.memory import Versions

KEYS = st.sampled_from("abc")
CHANGES: st.SearchStrategy[Callable[[dict[str, object]], object]] = st.one_of(
    st.builds(lambda key: lambda one: one.__setitem__(key, object()), KEYS),
    st.builds(lambda key: lambda one: one.pop(key, None), KEYS),
    st.builds(lambda key: lambda one: one.setdefault(key, 1), KEYS),
    st.builds(lambda key: lambda one: one.get(key), KEYS),
    st.builds(lambda key: lambda one: one.update({key: 2}), KEYS),
    st.just(lambda one: one.clear()),
    st.just(lambda one: one.popitem() if one else None),
    st.just(lambda one: one.copy()),
)


@pytest.mark.parametrize("numbered", [True, False])
@given(changes=st.lists(st.tuples(st.integers(0, 1), CHANGES)))
def test_each_change_of_a_dict_is_told(
    numbered: bool, changes: list[tuple[int, Callable[[dict[str, object]], object]]]
) -> None:
    """By the number of its last change, or by what it holds, whichever dict it is."""
    dicts: list[dict[str, object]] = [{"a": object()}, {}]
    with pytest.MonkeyPatch.context() as patch:
        if not numbered:
            patch.setattr(memory, "DICTS_HAVE_VERSIONS", False)
        versions = Versions(dicts)
    assert not versions.changed()
    for place, change in changes:
        before = [list(map(id, one.values())) for one in dicts]
        change(dicts[place])
        if before != [list(map(id, one.values())) for one in dicts]:
            assert versions.changed()
        else:
            versions.changed()
        assert not versions.changed()


def test_what_is_set_on_a_module_or_object_is_told() -> None:
    """So their dicts tell as well, which Python lays out in another way."""

    class Thing:
        pass

    thing: Any = Thing()
    thing.first = 1
    versions = Versions([vars(thing), vars(memory)])
    assert not versions.changed()
    thing.first = 2
    assert versions.changed()
    thing.second = 2
    assert versions.changed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_FEW", 1)
        assert versions.changed()
    assert versions.changed()
    assert not versions.changed()


@given(size=st.integers(0, 1000))
def test_identities_are_the_same_of_lists_and_tuples(size: int) -> None:
    """However few or many there are."""
    objects = [object() for _ in range(size)]
    found = memory.identities(objects)
    assert found == memory.identities(tuple(objects))
    assert list(memory.addresses(found)) == list(map(id, objects))
