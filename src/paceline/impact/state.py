"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. So after each test all that can be
reached from the project's modules and from wide fixtures is compared with what it was, as a whole
first; only a module in which something differs is looked at name by name. Nothing but plain
values is kept alive.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from gc import get_referents
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from paceline.impact import counting, surroundings
from paceline.impact.reach import Entry, Explorer
from paceline.impact.reached import Label, Look, together
from paceline.impact.readers import identities
from paceline.impact.roots import Parts, of_fixture, of_module, parts

#: Larger modules are looked at in parts, so that a change of one does not cost a look at all.
_LARGEST = 500
#: So many looks are put together first: where one does not hold, the others need not be tried.
_GROUP = 8


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._looks: dict[str, Look] = {}
        #: One look at all modules and fixtures, and which these were; before that in groups.
        self._all = Look([], {})
        self._groups: list[tuple[list[str], Look]] = []
        self._together: tuple[Mapping[str, ModuleType], list[str]] = ({}, [])
        self._explorer = Explorer(counts)
        self._modules_seen = b""
        self._modules: dict[str, ModuleType] = {}
        #: Some are in no list of Python's, as the conftest files of several folders.
        self._imported: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
        #: Values of fixtures that outlive a test, each in a list, by the fixture's name.
        self._fixtures: dict[str, list[object]] = {}
        #: The parts of each module, None of one that is looked at as a whole.
        self._parts: dict[str, Parts | None] = {}
        self._process = surroundings.read()
        self._imported.update(self._project_modules())

    def add(self, module: ModuleType) -> None:
        """Take the state of `module`, just imported, as its first; of one made anew as changed."""
        key = _key(module)
        self._imported[key] = module
        if key not in self._parts:
            self._looks[key] = self._explorer.look(of_module(module))
            self._divide(key, module)

    def add_fixture(self, name: str, value: Any) -> None:
        """Watch what a fixture that outlives its test has returned."""
        self._fixtures[name] = [value]
        self._looks[f"\0{name}"] = self._explorer.look(of_fixture(name, self._fixtures[name]))

    def drop_fixture(self, name: str) -> None:
        """Forget a fixture that was torn down."""
        self._fixtures.pop(name, None)

    def changed(self) -> dict[Label, int]:
        """Return what changed since the last call, and how far each number counted on.

        That is a global or a fixture, or an attribute of one; a variable of the environment; the
        working folder. It has 0 where anything but a number changed, or one that went back.

        What was not there at the last call has not changed.
        """
        found = dict.fromkeys(self._changes_of_process(), 0)
        modules = self._project_modules()
        values = self._values(modules)
        now = (modules, list(self._fixtures))
        # One comparison of everything first: many small ones would cost several times as much.
        if self._together != now:
            _note(found, self._compare_each(self._roots(modules)))
            for key in modules.keys() - self._parts.keys():
                self._divide(key, modules[key])
            self._group(self._roots(modules))
            self._together = now
        elif not self._all.still_holds(values):
            roots = self._roots(modules)
            for number, (names, look) in enumerate(self._groups):
                start = number * _GROUP
                if not look.still_holds(values[start : start + _GROUP]):
                    _note(found, self._compare_each({name: roots[name] for name in names}))
                    looks = [self._looks[name] for name in names]
                    self._groups[number] = (names, together(looks))
            self._all = together([look for _, look in self._groups])
        return found

    def _group(self, roots: Mapping[str, Entry]) -> None:
        """Put the looks at all roots together, in groups and as one."""
        names = list(roots)
        groups = [names[start : start + _GROUP] for start in range(0, len(names), _GROUP)]
        self._groups = [
            (group, together([self._looks[name] for name in group])) for group in groups
        ]
        self._all = together([look for _, look in self._groups])

    def _divide(self, key: str, module: ModuleType) -> None:
        """Replace the look at a large module, just taken, by looks at parts of it."""
        whole = self._looks[key]
        if sum(map(len, whole.prints.values())) <= _LARGEST:
            self._parts[key] = None
            return
        del self._looks[key]
        found = self._parts[key] = parts(whole, list(module.__dict__), _LARGEST)
        for number, root in enumerate(found.entries(module)):
            self._looks[f"{key}\0{number}"] = self._explorer.look(root)

    def _roots(self, modules: Mapping[str, ModuleType]) -> dict[str, Entry]:
        """Return where to begin, by name: the modules or their parts, and the fixtures."""
        roots: dict[str, Entry] = {}
        for key, module in modules.items():
            divided = self._parts.get(key)
            if divided is None:
                roots[key] = of_module(module)
            else:
                entries = enumerate(divided.entries(module))
                roots |= {f"{key}\0{number}": root for number, root in entries}
        fixtures = self._fixtures.items()
        return roots | {f"\0{name}": of_fixture(name, root) for name, root in fixtures}

    def _values(self, modules: Mapping[str, ModuleType]) -> list[object]:
        """Return the values of the same roots."""
        values: list[object] = []
        for key, module in modules.items():
            divided = self._parts.get(key)
            values += [module.__dict__] if divided is None else divided.values(module)
        return values + list(self._fixtures.values())

    def _changes_of_process(self) -> set[Label]:
        before, self._process = self._process, surroundings.read()
        return set() if before == self._process else surroundings.changes(before, self._process)

    def _compare_each(self, roots: Mapping[str, Entry]) -> Iterator[tuple[Label, int]]:
        for name, root in roots.items():
            yield from self._compare(name, root).items()

    def _compare(self, name: str, root: Entry) -> dict[Label, int]:
        known = self._looks.get(name)
        if known is not None and known.still_holds([root.value]):
            return {}
        now = self._looks[name] = self._explorer.look(root)
        return {} if known is None else _differing(known.prints, now.prints)

    def _project_modules(self) -> dict[str, ModuleType]:
        seen = identities(get_referents(sys.modules))
        if seen != self._modules_seen:
            self._modules_seen = seen
            self._modules = {}  # nothing is kept alive that only we know
            self._modules = {
                _key(module): module
                for module in (*self._imported.values(), *sys.modules.values())
                # A stand-in may do anything when it is asked.
                if type(module) is ModuleType
                and isinstance(path := module.__dict__.get("__file__"), str)
                and self._counts(path)
            }
        return self._modules


def _note(found: dict[Label, int], changes: Iterable[tuple[Label, int]]) -> None:
    """Add the changes; what two roots show to have counted differently did not count."""
    for label, count in changes:
        found[label] = count if found.get(label, count) == count else 0


def _key(module: ModuleType) -> str:
    """Return what tells a module apart from others of the same name."""
    return f"{module.__name__} {module.__dict__.get('__file__')}"


def _differing(
    before: Mapping[Label, list[object]], now: Mapping[Label, list[object]]
) -> dict[Label, int]:
    labels = before.keys() | now.keys()
    return {
        label: counting.steps(before.get(label), now.get(label))
        for label in labels
        if before.get(label) != now.get(label)
    }
