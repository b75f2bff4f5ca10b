"""What tests put into the lists, dicts and sets of other modules is told by who gets at it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from paceline.impact.foreign import Foreign
from paceline.impact.reached import Label

LIBRARY = """
from collections import OrderedDict, defaultdict, deque

class Kinds:
    known = {}

    def find(self, name):
        return self.known.get(name)

class More(Kinds):
    pass

class Table:
    def __init__(self):
        self.rows = []

    def __getattr__(self, name):
        raise AssertionError("asked")

class Shy:
    __dict__ = property(lambda self: 1 / 0)

table = Table()
shy = Shy()
names = ["one"]
numbers = {1, 2}
ordered = OrderedDict(a=1)
many = defaultdict(list)
last = deque([1], maxlen=2)
large = dict.fromkeys(range(500))
cache = {}
_hidden = {"one": 1}

def register(name, value):
    _hidden[name] = value

def find(name):
    return _hidden.get(name)

def find_all(*names):
    return [find(name) for name in names]

def other():
    return None
"""
FINDING = {"_hidden", "register", "find", "find_all"}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that is not the project's."""
    module = ModuleType("library")
    exec(LIBRARY, vars(module))
    for kind in (module.Kinds, module.More, module.Table, module.Shy):
        kind.__module__ = "library"
    for function in (module.register, module.find, module.find_all, module.other):
        function.__module__ = "library"
    monkeypatch.setitem(sys.modules, "library", module)
    return module


@pytest.fixture
def own(library: ModuleType) -> dict[str, ModuleType]:
    """A module of the project that has the library as a global."""
    module = ModuleType("app")
    vars(module)["library"] = library
    return {"app": module}


def changed(foreign: Foreign, own: dict[str, ModuleType]) -> list[set[str]]:
    """Return the labels of what changed since the last call."""
    return [set(label) for label in foreign.changed(own)]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("names.append('two')", {"names"}),
        ("names[0] = 'two'", {"names"}),
        ("names.clear()", {"names"}),
        ("numbers.add(3)", {"numbers"}),
        ("ordered['b'] = 1", {"ordered"}),
        ("many['a'].append(1)", {"many"}),
        ("last.append(2)", {"last"}),
        ("large['a'] = 1", {"large"}),
        ("register('two', 2)", FINDING),
        ("register('one', 2)", FINDING),
        ("_hidden.clear()", FINDING),
        ("Kinds.known['a'] = 1", {"Kinds", "known", "More"}),
        ("table.extra = 1", {"table"}),
        ("table.rows.append(1)", {"table"}),
    ],
)
def test_what_is_put_into_a_container_is_told_once(
    library: ModuleType, own: dict[str, ModuleType], code: str, names: set[str]
) -> None:
    """By its own name and those of the functions and classes that get at it."""
    foreign = Foreign()
    assert changed(foreign, own) == []
    exec(code, vars(library))
    assert changed(foreign, own) == [{"library", *names}]
    assert changed(foreign, own) == []


@pytest.mark.parametrize("code", ["register('one', 1)", "names[:] = ['one']", "cache['a'] = 1"])
def test_what_is_as_it_was_is_not_told(
    library: ModuleType, own: dict[str, ModuleType], code: str
) -> None:
    """Nor is what a cache holds: anybody would get the same."""
    foreign = Foreign()
    foreign.changed(own)
    exec(code, vars(library))
    assert changed(foreign, own) == []


def test_what_was_added_and_lost_is_told(library: ModuleType, own: dict[str, ModuleType]) -> None:
    """So that who only adds is told from who takes away."""
    foreign = Foreign()
    foreign.changed(own)
    library.names.append("two")
    (added,) = foreign.changed(own).values()
    library.names.remove("one")
    (lost,) = foreign.changed(own).values()
    assert (len(added.added), added.lost) == (1, False)
    assert (len(lost.added), lost.lost) == (0, True)


def test_what_changes_all_the_time_is_told_no_more(
    library: ModuleType, own: dict[str, ModuleType]
) -> None:
    """It is a cache by another name: each test that adds to it would affect all others."""
    foreign = Foreign()
    foreign.changed(own)
    told = []
    for number in range(40):
        library.register(str(number), number)
        told.append(len(foreign.changed(own)))
    assert told == [1] * 16 + [0] * 24
    library.names.append("two")
    assert changed(foreign, own) == [{"library", "names"}]


def test_a_new_container_is_compared_from_now_on(
    library: ModuleType, own: dict[str, ModuleType]
) -> None:
    """It was set in the module, which is told by itself."""
    foreign = Foreign()
    foreign.changed(own)
    vars(library)["names"] = ["new"]
    assert changed(foreign, own) == [{"library", "names"}]
    library.names.append("two")
    assert changed(foreign, own) == [{"library", "names"}]


@pytest.mark.parametrize("value", ["register", "Kinds"])
def test_a_function_or_class_as_a_global_is_enough(
    library: ModuleType, own: dict[str, ModuleType], value: str
) -> None:
    """As after `from library import register`: what it gets at is compared."""
    globals_ = vars(own["app"])
    del globals_["library"]
    globals_[value] = vars(library)[value]
    foreign = Foreign()
    foreign.changed(own)
    library.register("two", 2)
    library.Kinds.known["a"] = 1
    found: set[Label] = set(foreign.changed(own))
    expected = {"register": {"library", *FINDING}, "Kinds": {"library", "Kinds", "known", "More"}}
    assert expected[value] in [set(label) for label in found]


def test_a_submodule_that_code_names_is_compared(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, ModuleType]
) -> None:
    """`import library.part` makes only `library` a global."""
    part, other = ModuleType("library.part"), ModuleType("library.unnamed")
    for module in (part, other):
        vars(module)["names"] = []
        monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("def use(): return library.part.names", vars(own["app"]))
    foreign = Foreign()
    foreign.changed(own)
    part.names.append(1)
    other.names.append(1)
    vars(part)["limit"] = 5
    found = sorted(map(sorted, changed(foreign, own)))
    assert found == [["library", "names", "part"], ["limit", "part"]]
