"""State is noticed where references, or a look at what is near, would not show it."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.impact import memory, readers, source
from paceline.impact.foreign import Foreign
from paceline.impact.state import State

TEXT = """
import collections
import ctypes
import functools
import json
import mmap
import types
from decimal import Decimal
from datetime import datetime

import numpy.random


class Base:
    class Inner:
        class Innermost:
            kept = []


@functools.lru_cache(maxsize=8)
def boxes(number):
    return [number]


@functools.cache
def made():
    return Base()


def add(item):
    items.append(item)


items = []
nested = {"a": {"b": [{"c": ({"d": [0]},)}]}}
ordered = collections.OrderedDict(a=collections.OrderedDict(b=[0]))
large = [0] * 5000
table = dict.fromkeys(range(5000), 0)
numbers = set(range(5000))
pair = (0, 0)
Point = collections.namedtuple("Point", "x y")
point = Point(0, 0)
when = None
amount = None
array = (ctypes.c_int * 3)()
big_array = (ctypes.c_char * 10_000)()
huge_array = (ctypes.c_int * 2_000_000)()
one = ctypes.c_int(0)
memory = mmap.mmap(-1, 10)
steps = iter({0: 0, 1: 1})
pairs = enumerate("abc")
add_to = items.append
module_made = types.ModuleType("made_up")
drawing = numpy.random.default_rng(1)
drawing_too = numpy.random.RandomState(1)
for number in range(4):
    boxes(number)
"""

CHANGES = [
    ("module.boxes(0)[0] = 7", "boxes"),
    ("module.boxes(99)", "boxes"),
    ("module.made().x = 1", "made"),
    ("module.nested['a']['b'][0]['c'][0]['d'][0] = 1", "nested"),
    ("module.ordered['a']['b'][0] = 1", "ordered"),
    ("module.Base.Inner.Innermost.kept.append(1)", "Base"),
    ("module.large[2500] = 1", "large"),
    ("module.table[2500] = 1", "table"),
    ("module.table[None] = module.table.pop(7)", "table"),
    ("module.numbers.remove(7); module.numbers.add(-7)", "numbers"),
    ("module.array[1] = 1", "array"),
    ("module.big_array[7000] = b'x'", "big_array"),
    ("module.huge_array[1_000_000] = 1", "huge_array"),
    ("module.one.value = 1", "one"),
    ("module.memory[1] = 1", "memory"),
    ("next(module.steps)", "steps"),
    ("next(module.pairs)", "pairs"),
    ("module.add_to(1)", "add_to"),
    ("module.module_made.x = 1", "module_made"),
    ("module.drawing.random()", "drawing"),
    ("module.drawing_too.rand()", "drawing_too"),
]

#: What is put in the place of the last is often where the one before was in memory.
TWICE = [
    "module.pair = ({0}, 1)",
    "module.point = module.Point(0, {0})",
    "module.when = module.datetime(2001 + {0}, 1, 1)",
    "module.amount = module.Decimal({0} + 1000)",
    "module.large[2500] = {0} + 0.5",
    "module.table[2500] = {0} + 1000",
]


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    file = tmp_path / "hidden_state.py"
    file.write_text(TEXT, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("hidden_state", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["hidden_state"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["hidden_state"]


@pytest.fixture
def state(module: ModuleType, tmp_path: Path) -> State:
    watched = State(lambda path: path.startswith(str(tmp_path)))
    watched.add(module)
    assert watched.changed() == {}
    return watched


def names(state: State) -> set[str]:
    """Return the names in what changed."""
    return {name for label in state.changed() for name in label}


@pytest.mark.parametrize(("code", "name"), CHANGES)
def test_a_change_is_seen_by_its_name(
    module: ModuleType, state: State, code: str, name: str
) -> None:
    """It is told once, also where the module's looks are compared together with others."""
    for _ in range(3):
        assert state.changed() == {}
    exec(code, {"module": module})
    assert name in names(state)
    assert state.changed() == {}


@pytest.mark.parametrize("code", TWICE)
def test_a_value_at_the_place_of_another_is_a_change(
    module: ModuleType, state: State, code: str
) -> None:
    """A test that sets a global twice may leave its value where the one before was."""
    for number in range(0, 40, 2):
        exec(code.format(number), {"module": module})
        exec(code.format(number + 1), {"module": module})
        assert names(state), number


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3)))
def test_a_hit_in_a_cache_is_no_change(asked: list[int]) -> None:
    """In whichever order what is there already is asked for."""
    calls: list[list[int]] = []
    cache: Callable[[int], list[int]] = _cached(calls)
    before = memory.identities(readers.in_cache(cache))
    assert [cache(number) for number in asked] == [[number] for number in asked]
    assert memory.identities(readers.in_cache(cache)) == before
    cache(9)
    assert memory.identities(readers.in_cache(cache)) != before


def _cached(calls: list[list[int]]) -> Callable[[int], list[int]]:
    import functools

    @functools.lru_cache(maxsize=6)
    def box(number: int) -> list[int]:
        calls.append([number])
        return calls[-1]

    for number in random.sample(range(4), 4):
        box(number)
    return box


def test_a_closed_memory_map_is_told_apart(module: ModuleType, state: State) -> None:
    """What no longer shows its memory has changed, and is no error."""
    module.memory.close()
    assert names(state) == {"memory"}
    assert state.changed() == {}


def test_a_class_that_shows_a_buffer_by_code_of_its_own_is_not_asked(
    module: ModuleType, state: State
) -> None:
    """None of the project's code runs for a comparison (`__buffer__`, from Python 3.12 on)."""

    class Shy:
        def __buffer__(self, flags: int) -> memoryview:
            raise AssertionError("asked")

    module.items.append(Shy())
    assert "items" in names(state)
    assert state.changed() == {}


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("json.extra = 1", {"json", "extra"}),
        ("json.dumps = len", {"json", "dumps"}),
        ("del json.dumps", {"json", "dumps"}),
        ("json.JSONEncoder.default = len", {"json", "JSONEncoder", "default"}),
        ("import builtins; builtins.extra = 1", {"builtins", "extra"}),
        ("Decimal.extra = 1", None),
    ],
)
def test_what_is_set_in_a_foreign_module_is_told(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str, label: set[str] | None
) -> None:
    """By the names of the attribute and of whose it is: any function of that may use it."""
    monkeypatch.setitem(sys.modules, "json", stand_in := ModuleType("json"))
    encoder = type("JSONEncoder", (), {"__module__": "json", "default": None})
    vars(stand_in).update(dumps=json.dumps, JSONEncoder=encoder, __spec__=json.__spec__)
    monkeypatch.setattr(module, "json", stand_in)
    monkeypatch.delattr("builtins.extra", raising=False)
    foreign = Foreign()
    own = {"hidden_state": module}
    assert foreign.changed(own) == {}
    try:
        exec(code, {"json": stand_in, "Decimal": module.Decimal})
    except TypeError:
        assert label is None  # a class in C keeps what it has
    finally:
        found = foreign.changed(own).keys()
        monkeypatch.delattr("builtins.extra", raising=False)
    assert found == (set() if label is None else {frozenset(label)})
    assert foreign.changed(own).keys() <= {frozenset({"builtins", "extra"})}


def test_what_is_set_in_a_foreign_module_is_told_at_once(
    module: ModuleType, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whom it was set, again and again, and who puts back what was there."""
    state.changed()
    for value in (1, 2):
        monkeypatch.setattr(module.json, "extra", value, raising=False)
        assert names(state) == {"json", "extra"}
        assert state.changed() == {}
    monkeypatch.undo()
    assert names(state) == {"json", "extra"}
    assert state.changed() == {}


@pytest.mark.parametrize("stand_in", [None, ModuleType("made_up"), object()])
def test_what_stands_in_for_a_module_is_told(
    state: State, monkeypatch: pytest.MonkeyPatch, stand_in: object
) -> None:
    """Whoever imports it by its name later gets it, and so does who does when it is gone."""
    monkeypatch.setitem(sys.modules, "package.made_up", stand_in)
    assert names(state) == {"package", "made_up"}
    assert state.changed() == {}
    monkeypatch.setitem(sys.modules, "package.made_up", ModuleType("made_up"))
    assert names(state) == {"package", "made_up"}
    monkeypatch.undo()
    assert names(state) == {"package", "made_up"}


def test_what_comes_into_other_things_is_told(state: State) -> None:
    """By the names of the thing and the attribute; keys that are no names go by their owner's."""
    attributes: dict[object, object] = {"failed": 0}
    kept: dict[object, object] = {}
    state.add_namespaces("config", {"": attributes, "stash": kept})
    assert state.changed() == {}
    attributes["failed"] = 1  # as pytest does
    assert state.changed() == {}
    attributes["mode"] = 2
    assert set(state.changed()) == {frozenset({"config", "mode"})}
    attributes["mode"] = 3
    kept[object()] = 1
    found = {frozenset({"config", "mode"}), frozenset({"config", "stash"})}
    assert set(state.changed()) == found
    assert state.changed() == {}


def test_code_that_runs_after_the_import_mentions_names() -> None:
    """Of lambdas and generators outside of functions, wherever they stand."""
    found = source.parse(
        b"from package.names import one as two\n"
        b"TABLE = {'a': lambda: first.attribute}\n"
        b"class Box:\n    get = property(lambda self: second)\n"
        b"    def method(self, key=lambda: third):\n        return lambda: inside\n"
        b"items = (name for name in fourth)\n"
        b"plain = fifth\n"
    )
    assert found is not None
    wanted = {"first", "attribute", "second", "third", "fourth"}
    assert wanted <= found.run_later
    assert found.run_later.isdisjoint({"inside", "fifth", "Box", "TABLE"})
    assert {"package", "names", "two"} <= found.blocks[0].names


def test_a_library_that_a_global_leads_to_only_later_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a function imports it in the place of None, and another module comes after that."""
    import textwrap

    def module(name: str) -> ModuleType:
        found = ModuleType(name)
        found.__file__ = str(tmp_path / f"{name}.py")
        return found

    first, second = module("lazy_first"), module("lazy_second")
    first.library = None  # type: ignore[attr-defined]
    foreign = Foreign()
    foreign.changed({"first": first})
    first.library = textwrap  # type: ignore[attr-defined]
    foreign.changed({"first": first, "second": second})
    with monkeypatch.context() as patch:  # pytest itself uses it to show what fails
        patch.setattr(textwrap, "dedent", len)
        changed = foreign.changed({"first": first, "second": second})
    assert frozenset(("textwrap", "dedent")) in changed
