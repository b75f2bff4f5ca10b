"""Words of memory tell of any change that what objects refer to tells of."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.impact import grouping
from paceline.impact.pulse import Pulse
from paceline.impact.reach import Explorer
from paceline.impact.reached import Label, Look
from paceline.impact.roots import of_module
from paceline.impact.state import State
from paceline.impact.words import IS_KNOWN

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="from 3.13 on a dict has no number of its last change"
)

TEXT = """
import collections
import enum
import functools
import itertools
import logging
import random
import types
import threading

Row = collections.namedtuple("Row", "first second")


class Thing:
    shared = []

    def method(self):
        return None

    @property
    def size(self):
        return None


class Slotted:
    __slots__ = ("first", "second", "__weakref__")


class Other(Thing):
    pass


class Named(dict):
    pass


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Text(str):
    __slots__ = ("kept",)


class Frozen(frozenset):
    pass


class Listed(list):
    pass


class Third:
    pass


class Deriving(Thing):
    pass


def plain():
    return None


def with_default(value, seen=[]):
    seen.append(value)


def with_attribute():
    return None


with_attribute.calls = {}


def counting():
    number = 0
    kept = []

    def count():
        nonlocal number
        number += 1
        kept.append(number)

    return count


count = counting()


@functools.lru_cache(maxsize=2)
def cached(value):
    return [value]


cached(1)
cached(2)
value = None
items = [1, [2, [3]]]
found = {"a": {"b": []}, "plain": 1}
numbered = {1: [], 2: []}
empty = {}
members = {"a", "b", "c"}
many = {str(number) for number in range(100)}
row = deque_ = collections.deque([object() for _ in range(150)])
grouped = collections.defaultdict(list, a=[1])
ordered = collections.OrderedDict(a=[], b=[])
named = Row([], 1)
thing = Thing()
thing.first = []
bare = Thing()
slotted = Slotted()
slotted.first = []
lock = threading.Lock()
source = random.Random(1)
happened = threading.Event()
ids = itertools.count()
logger = logging.Logger("quiet")
space = types.SimpleNamespace(first=[])
partly = functools.partial(print, [1], kept=[])
level = Level.LOW
text = Text("a")
text.kept = "first"
of_frozen = Frozen([1])
of_dict = Named(a=[])
of_list = Listed([[]])
bound = thing.method
frozen = frozenset([(1, 2)])
"""

CHANGES = [
    "value = 1", "value = []", "new = 1", "del empty", "items[0] = 2", "items.append(1)",
    "items[1][1][0] = 4", "items[1][1].append(4)", "items[:] = [1]", "found['a']['b'].append(1)",
    "found['a']['c'] = 1", "found['a'] = {'b': []}", "found['plain'] = 2", "numbered[1].append(1)",
    "numbered[3] = numbered.pop(1)", "empty['a'] = 1", "members.remove('a'); members.add('d')",
    "members.clear()", "many.remove('7'); many.add('x')", "many.add('y')", "row[100] = None",
    "row.append(1)", "row.rotate(1)", "row.popleft()", "grouped['b']", "grouped['a'].append(2)",
    "ordered['a'].append(1)", "ordered['c'] = 1", "named.first.append(1)", "thing.first = 1",
    "thing.first.append(1)", "thing.second = 1", "thing.__dict__ = {}", "del thing.first",
    "thing.__class__ = Other", "bare.first = 1", "slotted.first = 1", "slotted.first.append(1)",
    "slotted.second = 1", "Thing.shared = 1", "Thing.shared.append(1)", "Thing.method = None",
    "Thing.method.calls = 1", "Thing.new = 1", "del Thing.shared", "plain.calls = 1",
    "plain.__dict__ = {'calls': 1}", "with_default(1)", "with_default.__defaults__ = ([1],)",
    "with_attribute.calls['a'] = 1", "with_attribute.calls = 1", "count()", "cached(3)",
    "cached(1).append(1)", "cached.cache_clear()", "cached.calls = 1",
    "lock.acquire(False)",
    "Deriving.__bases__ = (Third,)", "of_dict['a'].append(1)", "of_dict['b'] = 1",
    "of_dict.first = 1", "of_list.append(1)", "of_list[0] = 1", "of_list[0].append(1)",
    "of_list.first = 1", "source.random()", "source.seed(2)",
    "happened.set()", "next(ids)", "logger.setLevel(10)", "logger.handlers.append(1)",
    "logger.propagate = False", "space.second = 1", "space.first.append(1)",
    "partly.args[0].append(1)", "partly.keywords['kept'].append(1)", "partly.first = 1",
    "text.kept = 1", "del text.kept", "of_frozen.kept = []",
    "level.seen = 1", "Level.HIGH.seen = []",
]  # fmt: skip


def new_module(file: str) -> ModuleType:
    """Return a module of TEXT."""
    made = ModuleType("quiet_module")
    made.__file__ = file
    exec(compile(TEXT, file, "exec"), made.__dict__)
    return made


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    made = new_module(str(tmp_path / "quiet_module.py"))
    sys.modules["quiet_module"] = made
    yield made
    del sys.modules["quiet_module"]


def looked_at(module: ModuleType) -> Look:
    """Return a look that has been found to hold, as those are of which a pulse is taken."""
    explorer = Explorer(lambda path: path == module.__file__, lambda _name, _identity: False)
    look = explorer.look(of_module(module))
    assert look.still_holds([module.__dict__])
    return look


def taken(module: ModuleType, look: Look) -> Pulse:
    """Return the pulse of all that is in reach of the module."""
    pulse = Pulse()
    assert pulse.take_in(look, module.__dict__, module.__dict__)
    pulse.begin()
    return pulse


def test_the_layout_of_objects_is_known() -> None:
    """Where it is not no pulse is taken, and all takes longer."""
    assert IS_KNOWN


@pytest.mark.parametrize("code", CHANGES)
def test_a_change_shows_in_the_words(module: ModuleType, code: str) -> None:
    """Whatever is changed, and in whichever way."""
    look = looked_at(module)
    pulse = taken(module, look)
    assert pulse.is_steady()
    exec(code, module.__dict__)
    assert not look.still_holds([module.__dict__])
    assert not pulse.is_steady()


def test_what_only_looks_changes_no_word(module: ModuleType) -> None:
    """Calls, reads and references that come and go leave all as it was."""
    pulse = taken(module, looked_at(module))
    module.plain()
    copies = [dict(module.found), list(module.items), set(module.many), list(module.row)]
    assert module.thing.size is module.thing.method() is None
    assert len(copies) == 4
    del copies
    assert pulse.is_steady()


@pytest.mark.parametrize(
    "value",
    [
        "(number for number in [1])", "__import__('threading').local()",
        "__import__('contextvars').ContextVar('one')", "__import__('array').array('i', [1])",
        "type('Of', (ValueError,), {'__module__': 'quiet_module'})()", "bytearray(3)",
    ],
)  # fmt: skip
def test_of_what_no_words_tell_no_pulse_is_taken(module: ModuleType, value: str) -> None:
    """The rest of a module may be in other roots."""
    module.__dict__["odd"] = eval(value, {})
    assert not Pulse().take_in(looked_at(module), module.__dict__, module.__dict__)


def test_objects_that_are_gone_are_not_read(module: ModuleType) -> None:
    """Large ones, too, of which the memory was given back."""
    module.__dict__["large"] = [[object() for _ in range(900)] for _ in range(900)]
    pulse = taken(module, looked_at(module))
    module.__dict__["large"] = None
    assert not pulse.is_steady()


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.integers(), st.text(max_size=3), st.none(), st.builds(object)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), inner, max_size=4),
        st.builds(deque, st.lists(inner, max_size=4)),
        st.builds(tuple, st.lists(inner, max_size=3)),
        st.sets(st.integers(), max_size=12),
    ),
    max_leaves=12,
)


def containers(value: Any) -> list[Any]:
    """Return all containers in `value` that can be changed."""
    found = [value] if isinstance(value, (list, dict, deque, set)) else []
    members = value.values() if isinstance(value, dict) else value
    if isinstance(value, (list, dict, deque, tuple)):
        found += [one for member in members for one in containers(member)]
    return found


def changes(value: Any) -> list[Callable[[], object]]:
    """Return what can be done to a container, of which some leaves it as it was."""
    if isinstance(value, dict):
        return [
            lambda: value.update(new=1),
            lambda: value.pop(next(iter(value), None), None),
            lambda: value.update(list(value.items())),
            value.clear,
        ]
    if isinstance(value, set):
        return [lambda: value.add(77), value.clear, lambda: value.symmetric_difference_update({1})]
    return [
        lambda: value.append(None),
        lambda: value.__setitem__(0, []) if value else None,
        lambda: value.__setitem__(-1, value[-1]) if value else None,
        value.reverse,
        value.clear,
    ]


@given(value=VALUES, data=st.data())
def test_no_change_is_kept_from_view(value: Any, data: st.DataObject) -> None:
    """What the words say is steady is so by all that the objects refer to."""
    module = ModuleType("quiet_module")
    module.__file__ = "quiet_module.py"
    module.__dict__["value"] = value
    look = looked_at(module)
    pulse = taken(module, look)
    for container in data.draw(st.lists(st.sampled_from(containers([value])), max_size=2)):
        data.draw(st.sampled_from(changes(container)))()
    if pulse.is_steady():
        assert look.still_holds([module.__dict__])


#: What leaves all as it was, or puts it back.
LOOKS = [
    "value", "thing.method()", "value, value_ = None, value; value = value_; del value_",
    "Thing.shared, shared_ = 1, Thing.shared; Thing.shared = shared_; del shared_",
    "items.append(1); items.pop()", "found['x'] = 1; del found['x']", "thing.x = 1; del thing.x",
    "row.append(1); row.pop()", "members.add('x'); members.remove('x')",
]  # fmt: skip


class Deaf(Pulse):
    """Tells of nothing, so that all is compared each time."""

    def is_steady(self) -> bool:
        """Return what makes the caller compare all."""
        return False


def told(state: State, pulse: type[Pulse]) -> set[Label]:
    """Return what has changed, by that kind of pulse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "Pulse", pulse)
        return set(state.changed())


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(st.sampled_from(CHANGES + LOOKS), max_size=15))
def test_the_same_is_told_with_words_and_without(steps: list[str]) -> None:
    """After each step, whatever was changed or put back before, and how long ago."""
    with pytest.MonkeyPatch.context() as patch:
        made = new_module("quiet_module.py")
        patch.setitem(sys.modules, "quiet_module", made)
        hearing, deaf = (State(lambda path: path == made.__file__) for _ in range(2))
        for state in (hearing, deaf):
            state.add(made)
        for step in [*LOOKS[:2], *steps]:
            with contextlib.suppress(Exception):  # done before, or what it needs is gone
                exec(step, made.__dict__)
            assert told(hearing, Pulse) == told(deaf, Deaf)
            assert told(hearing, Pulse) == told(deaf, Deaf) == set()
