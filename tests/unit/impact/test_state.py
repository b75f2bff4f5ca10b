"""State that outlives a test is noticed wherever code usually keeps it."""

from __future__ import annotations

import copy
import gc
import importlib.util
import io
import logging
import random
import signal
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from paceline.impact.describing import described
from paceline.impact.inputs import ALL_VARIABLES
from paceline.impact.recorder import SEARCH_FOLDERS, WORKING_FOLDER
from paceline.impact.state import State

TEXT = """
import collections
import contextvars
import functools
import itertools
import threading
import weakref

counter = 0
grouped = collections.defaultdict(list)
found = {}
items = [[]]
fixed = (1, [], "plain")
lazy = None


class Base:
    shared = None
    kept = {}

    @classmethod
    @functools.cache
    def made(cls):
        return object()

    def plain(self):
        return None

    @functools.cached_property
    def slow(self):
        return 1


single = Base()
weak = weakref.WeakKeyDictionary({single: Base()})


def memo(function):
    known = {}

    def inner(value):
        if value not in known:
            known[value] = function(value)
        return known[value]

    return inner


@memo
def square(value):
    return value * value


@functools.lru_cache
def cube(value):
    return value**3


def with_default(value, seen=[]):
    seen.append(value)


def with_attribute():
    with_attribute.last = 1


def numbers():
    while True:
        yield 1


stream = numbers()
ids = itertools.count()
current = contextvars.ContextVar("current")
local = threading.local()
flags = {"one": True}


def with_store():
    return None


with_store.seen = {}


class StandIn:
    # Answers for an object that is not there, as context locals do.
    def __getattribute__(self, name):
        raise RuntimeError("nothing here")


missing = StandIn()
"""


#: So much more that the module is looked at in parts.
MORE = "\n".join(f"more_{number} = [object() for _ in range(200)]" for number in range(9))


@pytest.fixture(params=["", MORE], ids=["small", "large"])
def module(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    file = tmp_path / "kept_state.py"
    file.write_text(TEXT + request.param, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("kept_state", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["kept_state"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["kept_state"]


@pytest.fixture
def state(module: ModuleType, tmp_path: Path) -> State:
    watched = State(lambda path: path.startswith(str(tmp_path)))
    watched.add(module)
    return watched


def names(state: State) -> set[str]:
    """Return the names in what changed."""
    return {name for label in state.changed() for name in label}


CHANGES = [
    ("module.counter += 1", "counter"),
    ("module.lazy = object()", "lazy"),
    ("module.new = 1", "new"),
    ("del module.flags", "flags"),
    ("module.found['a'] = 1", "found"),
    ("module.items[0].append(1)", "items"),
    ("module.fixed[1].append(1)", "fixed"),
    ("module.Base.shared = 1", "shared"),
    ("module.Base.kept['a'] = 1", "kept"),
    ("module.Base.made()", "made"),
    ("module.single.slow", "single"),
    ("module.single.other = []", "other"),
    ("module.square(3)", "square"),
    ("module.cube(3)", "cube"),
    ("module.with_default(1)", "with_default"),
    ("module.with_attribute()", "with_attribute"),
    ("next(module.stream)", "stream"),
    ("next(module.ids)", "ids"),
    ("module.current.set(1)", "current"),
    ("module.local.value = []", "local"),
    ("module.flags['two'] = module.flags.pop('one')", "flags"),
    ("module.with_store.seen['a'] = 1", "with_store"),
    ("module.Base.plain.calls = 1", "plain"),
    ("module.weak[module.single] = 2", "weak"),
    ("module.weak[module.single].total = 2", "weak"),
    ("module.weak[module.Base] = 2", "weak"),
]


@pytest.mark.parametrize("quiet", [1, 5])
@pytest.mark.parametrize(("code", "name"), CHANGES)
def test_a_change_is_seen_by_its_name(
    module: ModuleType, state: State, code: str, name: str, quiet: int
) -> None:
    """Code that ran in the module left something: the name that leads to it is told, once.

    However long nothing had changed before.
    """
    for _ in range(quiet):
        assert state.changed() == {}
    exec(code, {"module": module})
    assert name in names(state)
    assert state.changed() == {}


@pytest.mark.parametrize(("code", "name"), CHANGES[:4])
def test_the_surface_is_seen_from_outside(
    module: ModuleType, state: State, code: str, name: str
) -> None:
    """A global that code elsewhere changed is seen although nothing ran in the module."""
    assert state.changed() == {}
    exec(code, {"module": module})
    assert name in names(state)


def test_copying_an_object_is_no_change_of_its_class(module: ModuleType, state: State) -> None:
    """What copy and pickle note in a class is worked out from the class alone."""
    assert state.changed() == {}
    copy.copy(module.single)
    assert "__slotnames__" in vars(module.Base)
    assert state.changed() == {}


@pytest.mark.parametrize(
    "code",
    [
        "one = module.Base(); module.weak[one] = one",
        "one = module.Base(); module.weak[one] = [one]",
        "one = module.Base(); module.weak[one] = 1",
    ],
)
def test_an_entry_that_nobody_can_ask_for_is_no_change(
    module: ModuleType, state: State, code: str
) -> None:
    """What a weak cache holds for an object that only its own value keeps alive is not found."""
    assert state.changed() == {}
    exec(code, {"module": module, "one": None})
    gc.collect()
    assert state.changed() == {}


def test_a_kept_stand_in_for_nothing_is_seen(module: ModuleType, state: State) -> None:
    """Of an object that raises when looked into, as an unbound proxy does, the identity counts."""

    class Unbound:
        @property
        def __dict__(self) -> dict[str, object]:  # type: ignore[override]
            raise RuntimeError("nothing here")

    assert state.changed() == {}
    module.current.set(Unbound())
    assert names(state) == {"current"}
    assert state.changed() == {}


def test_a_counter_that_comes_back_is_no_change(module: ModuleType, state: State) -> None:
    """What was undone has not outlived the test."""
    module.found["a"] = 1
    module.found.clear()
    assert state.changed() == {}


def test_fixture_values_are_watched(module: ModuleType, state: State) -> None:
    """What a test does to the value of a wide fixture is told under the fixture's name."""
    value = module.Base()
    state.add_fixture("client", value)
    assert state.changed() == {}
    value.token = "t"
    assert {"client", "token"} & names(state)


def test_the_environment_of_the_process_is_state(
    state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable and the working folder outlive a test; pytest's own variables do not count."""
    assert state.changed() == {}
    monkeypatch.setenv("APP_MODE", "other")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")
    monkeypatch.chdir(tmp_path)
    expected = {"APP_MODE", ALL_VARIABLES, WORKING_FOLDER}
    folder = {"getcwd", "cwd", "abspath", "absolute"}
    assert names(state) == expected | folder
    monkeypatch.undo()
    assert names(state) == expected | folder
    assert state.changed() == {}


def test_what_a_test_sets_for_the_whole_process_is_state(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logger's level, the folders of modules and a signal's handler count, by who looks there."""
    assert state.changed() == {}
    monkeypatch.setattr(logging.getLogger("app"), "level", logging.DEBUG)
    assert names(state) == {"logging", "getLogger", "caplog"}
    monkeypatch.setattr(sys, "path", [*sys.path, "elsewhere"])
    assert names(state) == {SEARCH_FOLDERS}
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert names(state) == {"signal", "getsignal", "raise_signal"}
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_references_do_not_show_is_read(module: ModuleType, state: State) -> None:
    """How far an iterator is, what a stream holds, and whether an event is set."""
    vars(module).update(steps=iter([1, 2]), stream=io.StringIO(), event=threading.Event())
    state.changed()
    next(module.steps)
    assert names(state) == {"steps"}
    module.stream.write("text")
    assert names(state) == {"stream"}
    module.event.set()
    assert names(state) == {"event"}


def test_a_source_of_random_numbers_is_state(module: ModuleType, state: State) -> None:
    """It changes with each number, with a seed, and with what it keeps of a pair; not by itself."""
    source = random.Random(7)
    vars(module).update(source=source)
    state.changed()
    for change in (source.random, lambda: source.seed(1), lambda: source.gauss(0, 1)):
        change()
        assert names(state) == {"source"}
        assert names(state) == set()
    before = source.getstate()
    vars(source).update(gauss_next=None)
    assert names(state) == {"source"}
    source.setstate(before)
    assert names(state) == {"source"}


def test_equal_values_of_another_type_are_another_state(module: ModuleType, state: State) -> None:
    """True is not 1, by itself and in a dict."""
    vars(module).update(counter=1, found={"a": 1})
    state.changed()
    vars(module).update(counter=True)
    assert names(state) == {"counter"}
    module.found["a"] = True
    assert names(state) == {"found"}


BORROWING = """
import kept_state

registry = {"base": kept_state.Base, "square": kept_state.square}
"""


@pytest.fixture
def borrowing(tmp_path: Path, state: State) -> Iterator[ModuleType]:
    """A module that keeps what is a global of another one."""
    file = tmp_path / "borrowing_state.py"
    file.write_text(BORROWING, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("borrowing_state", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["borrowing_state"] = made
    spec.loader.exec_module(made)
    state.add(made)
    state.changed()
    yield made
    del sys.modules["borrowing_state"]


@pytest.mark.parametrize("code", ["module.Base.shared = 1", "module.square(5)"])
def test_who_keeps_a_class_or_function_of_another_module_sees_it_change(
    module: ModuleType, borrowing: ModuleType, state: State, code: str
) -> None:
    """What leads to it there is named as well as where it belongs."""
    exec(code, {"module": module})
    assert {"registry", "Base" if "Base" in code else "square"} <= names(state)
    assert borrowing.registry


def test_what_has_lost_its_module_is_looked_at_where_it_is_kept(
    module: ModuleType, borrowing: ModuleType, state: State
) -> None:
    """A class goes on to be watched when another module has come in the place of its own."""
    kept = borrowing.registry["base"]
    file = Path(str(module.__file__))
    spec = importlib.util.spec_from_file_location("kept_state", file)
    assert spec is not None and spec.loader is not None
    anew = sys.modules["kept_state"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(anew)
    state.add(anew)
    state.changed()
    kept.shared = 1
    assert names(state) == {"registry"}


def test_a_fixture_that_is_made_anew_is_watched_and_the_old_value_given_up(
    module: ModuleType, state: State
) -> None:
    """Of two values of one fixture the present one counts, and only that is kept alive."""

    class Value:
        pass

    old, new = Value(), Value()
    state.add_fixture("box", old)
    state.changed()
    gone = weakref.ref(old)
    state.drop_fixture("box")
    state.add_fixture("box", new)
    del old
    assert gone() is None
    assert state.changed() == {}
    setattr(new, "level", 1)  # noqa: B010 - mypy knows that it has none
    assert names(state) == {"box"}
    assert module


def test_a_module_that_is_taken_from_sys_modules_is_a_change(
    module: ModuleType, state: State
) -> None:
    """Who imports it by its name later gets another one."""
    state.changed()
    del sys.modules["kept_state"]
    found = names(state)
    sys.modules["kept_state"] = module
    assert found == {"kept_state"}


def made(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a module of that text, as Python does."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def resting(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a test module that rests after the first comparison."""
    found = made(tmp_path, "resting_state", "seen = []\nclass Hook:\n    calls = []\n", monkeypatch)
    state.add(found)
    assert state.changed() == {}
    state.rest(found)
    assert state.changed() == {}
    return found


def compare(state: State, times: int) -> None:
    """Compare as after so many tests of another file, which leave nothing."""
    for _ in range(times):
        assert state.wake({"another.py"}) == []
        assert state.changed() == {}


def test_a_module_that_rests_is_not_compared(resting: ModuleType, state: State) -> None:
    """What changes in it is told only when it is woken, as of all since its last comparison."""
    compare(state, 14)
    resting.seen.append(1)
    compare(state, 3)
    ((since, labels),) = state.wake({str(resting.__file__)})
    assert (since, labels) == (15, {frozenset(("seen",))})
    assert state.changed() == {}


def test_what_changes_while_it_rests_is_told_after_some_tests(
    resting: ModuleType, state: State
) -> None:
    """Any test since the last comparison may have done it, and from then on it rests no more."""
    compare(state, 40)
    resting.seen.append(1)
    found = []
    for _ in range(64):
        found += state.wake(set())
        assert state.changed() == {}
    ((since, labels),) = found
    assert labels == {frozenset(("seen",))}
    assert 40 - 16 < since <= 42
    resting.seen.append(2)
    assert names(state) == {"seen"}


SHARING = "from kept_state import single, found\nalias = single\n"


@pytest.fixture
def sharing(
    module: ModuleType, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """Return a module that has globals of `module` by the same names, and by another."""
    state.changed()
    found = made(tmp_path, "sharing_state", SHARING, monkeypatch)
    assert found.single is module.single
    state.add(found)
    assert state.changed() == {}
    return found


def test_what_two_modules_have_by_one_name_is_told_by_each(
    module: ModuleType, state: State, sharing: ModuleType
) -> None:
    """It is looked at once, and told by all names."""
    module.single.other = [1]
    assert names(state) == {"single", "other", "alias"}
    sharing.found["key"] = 1
    assert names(state) == {"found"}
    assert state.changed() == {}


@pytest.mark.parametrize("way", ["replaced", "gone", "rests"])
def test_what_one_module_has_no_longer_is_told_by_the_other(
    module: ModuleType, state: State, sharing: ModuleType, way: str
) -> None:
    """The one that had it has something else, is gone, or is not compared any more."""
    if way == "replaced":
        vars(module)["found"] = {}
        assert names(state) == {"found"}
    elif way == "gone":
        del sys.modules["kept_state"]
        state.changed()
    else:
        state.rest(module)
    compare(state, 2)
    sharing.found["key"] = 1
    assert "found" in names(state)
    sys.modules["kept_state"] = module


def test_a_module_that_was_woken_is_compared_at_once(resting: ModuleType, state: State) -> None:
    """What changes while its own tests run is told as that of any other, and then it rests."""
    file = {str(resting.__file__)}
    for number in range(3):
        assert state.wake(file) == []
        resting.seen.append(number)
        assert names(state) == {"seen"}
    resting.seen.append(3)
    assert state.changed() == {}
    assert [late.since for late in state.wake()] == [5]


@pytest.mark.parametrize("way", ["asked", "borrowed"])
def test_a_module_that_is_used_elsewhere_does_not_rest(
    module: ModuleType, state: State, resting: ModuleType, way: str
) -> None:
    """One that code asks for, or whose classes another module keeps, is compared each time."""
    asked = {"resting_state"} if way == "asked" else set()
    if way == "borrowed":
        module.found["hook"] = [resting.Hook]
        assert names(state) == {"found"}
    assert state.wake(set(), asked) == []
    resting.Hook.calls.append(1)
    assert "calls" in names(state)


def test_modules_that_came_late_are_compared(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and whether or not anybody told of them."""
    assert state.changed() == {}
    late = []
    for number in range(12):
        late.append(made(tmp_path, f"late_{number}", f"late_{number} = []\n", monkeypatch))
        if number % 2:
            state.add(late[-1])
        assert state.changed() == {}
        getattr(late[number // 2], f"late_{number // 2}").append(1)
        assert names(state) == {f"late_{number // 2}"}
        assert state.changed() == {}


ADDITIONS = [
    ("module.found['a'] = 1", "found", ["a", 1]),
    ("module.found['a'] = module.Base()", "found", ["a", "Base"]),
    ("module.items[0].append('b')", "items", ["b"]),
    ("module.items.append(module.memo)", "items", ["memo"]),
    ("module.lazy = 'quick'", "lazy", ["quick"]),
    ("module.Base.kept['a'] = 'b'", "kept", ["a", "b"]),
    ("module.single.other = {'c'}", "other", ["c"]),
    ("module.with_store.seen['a'] = None", "with_store", ["a"]),
    ("module.found['time'] = 1.5", "found", ["time"]),
    ("module.grouped['a'].append(1)", "grouped", ["a"]),
]


@pytest.mark.parametrize(("code", "name", "values"), ADDITIONS)
def test_what_was_added_is_told_alike_in_every_process(
    module: ModuleType, state: State, code: str, name: str, values: list[object]
) -> None:
    """Plain values, keys, functions and kinds of objects; not the object, nor a time."""
    assert state.changed() == {}
    exec(code, {"module": module})
    (added,) = {change.added for label, change in state.changed().items() if name in label}
    kinds: dict[object, object] = {"Base": module.Base(), "memo": module.memo}
    assert described(kinds.get(value, value) for value in values) <= added


def test_a_thread_may_add_to_what_is_looked_at(module: ModuleType, state: State) -> None:
    """What a test left running goes on while its state is compared."""
    state.changed()
    begun, done = threading.Event(), threading.Event()

    def add() -> None:
        while not done.is_set():
            for number in range(900):
                module.grouped[f"key {number}"] = []
                begun.set()
            module.grouped.clear()

    thread = threading.Thread(target=add)
    thread.start()
    try:
        assert begun.wait(60)
        found = set[str]().union(*(names(state) for _ in range(50)))
        deadline = time.monotonic() + 60
        while "grouped" not in found and time.monotonic() < deadline:  # the thread had no turn
            found |= names(state)
    finally:
        done.set()
        thread.join()
    assert "grouped" in found


def test_what_looks_like_chance_is_not_told(module: ModuleType, state: State) -> None:
    """Another run would add another one."""
    state.changed()
    folder = tempfile.gettempdir()
    module.items[0] += [f"{folder}/x", b"0123abcd", "id 12345", 1234567, time.time(), object()]
    (change,) = state.changed().values()
    assert change.added == described([object()])


@pytest.mark.parametrize(("code", "name"), CHANGES)
def test_a_module_that_has_changed_before_shows_each_change(
    module: ModuleType, state: State, code: str, name: str
) -> None:
    """It is looked at in small parts then."""
    assert state.changed() == {}
    for number in range(6):
        module.__dict__["counter"] = -number - 1
        assert names(state) == {"counter"}
    exec(code, {"module": module})
    assert name in names(state)
    assert state.changed() == {}


def test_what_was_put_back_is_no_change(module: ModuleType, state: State) -> None:
    """However often, and what changes then is told."""
    for _ in range(40):
        before, module.__dict__["lazy"] = module.__dict__["lazy"], object()
        module.__dict__["lazy"] = before
        assert state.changed() == {}
    module.__dict__["lazy"] = object()
    assert names(state) == {"lazy"}


def test_what_changes_often_is_told_each_time(module: ModuleType, state: State) -> None:
    """And what else changes as well."""
    assert state.changed() == {}
    for number in range(30):
        module.items[0].append(number)
        module.found[str(number // 20)] = 1
        assert names(state) == ({"items", "found"} if number % 20 == 0 else {"items"})
    assert state.changed() == {}
