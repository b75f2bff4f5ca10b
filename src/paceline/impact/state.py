"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. So after each test all that can be
reached from the project's modules and from wide fixtures is compared with what it was, as a whole
first; only a module in which something differs is looked at name by name. Nothing but plain
values is kept alive.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from gc import get_referents
from types import ModuleType
from typing import Any, Final
from weakref import WeakValueDictionary

from paceline.impact import counting, surroundings
from paceline.impact.reach import Entry, Explorer
from paceline.impact.reached import Home, Label, Level, Look, together
from paceline.impact.readers import identities
from paceline.impact.roots import Parts, of_fixture, of_module, parts

#: Larger modules are looked at in parts, so that a change of one does not cost a look at all.
_LARGEST = 500
#: So many looks are put together first: where one does not hold, the others need not be tried.
_GROUP = 8


#: What nothing is like.
_NEVER: Final = [Level(b"nothing")]


@dataclass(slots=True)
class _Group:
    """Some roots by name, and one look at all of them together."""

    names: list[str]
    look: Look


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._looks: dict[str, Look] = {}
        #: The looks in groups, one look at all of them, and which roots these were.
        self._groups: list[_Group] = []
        self._all = Look([], {})
        self._together: tuple[Mapping[str, ModuleType], list[str]] = ({}, [])
        #: The values of the roots in that order, and where those of a divided module belong.
        self._known_values: list[object] = []
        self._divided: list[tuple[ModuleType, Parts, list[int]]] = []
        self._explorer = Explorer(counts)
        self._modules_seen = b""
        self._modules: dict[str, ModuleType] = {}
        #: The names under which Python finds them, and those that were taken away.
        self._names: set[str] = set()
        self._taken: set[str] = set()
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
        # Whoever imported it may take it away again before anybody looks.
        self._names.add(module.__name__)
        self._modules_seen = b""
        if key in self._parts:
            self._lose_homes({module.__name__})
        else:
            self._looks[key] = self._explorer.look(of_module(module))
            self._divide(key, module)

    def add_fixture(self, name: str, value: Any) -> None:
        """Watch what a fixture that outlives its test has returned."""
        self.drop_fixture(name)
        self._together = ({}, [])  # one of that name may have been looked at until now
        for group in self._groups:
            group.names = [one for one in group.names if one != f"\0{name}"]
            group.look = together([self._looks[one] for one in group.names])
        self._fixtures[name] = [value]
        self._looks[f"\0{name}"] = self._explorer.look(of_fixture(name, self._fixtures[name]))

    def drop_fixture(self, name: str) -> None:
        """Forget a fixture that was torn down, and keep its value no longer."""
        self._fixtures.pop(name, []).clear()

    def changed(self) -> dict[Label, int]:
        """Return what changed since the last call, and how far each number counted on.

        That is a global or a fixture, or an attribute of one; a variable of the environment; the
        working folder. It has 0 where anything but a number changed, or one that went back.

        What was not there at the last call has not changed.
        """
        found = dict.fromkeys(self._changes_of_process(), 0)
        modules = self._project_modules()
        found |= {Label(name.split(".")): 0 for name in self._taken}
        self._taken = set()
        now = (modules, list(self._fixtures))
        if gone := self._together[0].keys() - modules.keys():
            self._lose_homes({_module_of(key) for key in gone})
        # One comparison of everything first: many small ones would cost several times as much.
        if self._together != now:
            _note(found, self._compare_and_group(modules))
            self._together = now
        elif not self._all.still_holds(self._values()):
            roots = self._roots(modules)
            for group in self._groups:
                _note(found, self._compare_group(group, roots))
            self._all = together([group.look for group in self._groups])
        return found

    def _lend(self, module: str, changes: dict[Label, int]) -> Iterator[tuple[Label, int]]:
        """Yield what changed of a module, and what of others leads to its classes and functions."""
        queue = [(module, label, count) for label, count in changes.items()]
        borrowers: defaultdict[Home, set[tuple[str, Label]]] = defaultdict(set)
        for key, look in self._looks.items() if queue else ():
            for home, labels in look.borrowed.items():
                borrowers[home] |= {(_module_of(key), label) for label in labels}
        seen: set[tuple[str, Label]] = set()
        while queue:
            module, label, count = queue.pop()
            yield label, count
            for name in label:
                new = borrowers.get((module, name), set()) - seen
                seen |= new
                queue += [(*place, count) for place in new]

    def _lose_homes(self, modules: Set[str]) -> None:
        """Have those looked at anew, as if changed, that counted on modules which are gone now."""
        for name, look in self._looks.items():
            if any(home in modules for home, _ in look.borrowed):
                self._looks[name] = replace(look, levels=_NEVER, _pickers=[])
                self._groups = []
                self._together = ({}, [])

    def _compare_group(
        self, group: _Group, roots: Mapping[str, Entry]
    ) -> Iterator[tuple[Label, int]]:
        """Yield what changed below the roots of a group, and look at them anew."""
        if group.look.still_holds([roots[name].value for name in group.names]):
            return
        for name in group.names:
            yield from self._compare(name, roots[name])
        group.look = together([self._looks[name] for name in group.names])

    def _compare_and_group(self, modules: Mapping[str, ModuleType]) -> Iterator[tuple[Label, int]]:
        """Yield what changed where roots have come or gone; put their looks together anew."""
        roots = self._roots(modules)
        for group in self._groups:
            names = [name for name in group.names if name in roots]
            if names != group.names:
                group.names = names
                group.look = together([self._looks[name] for name in names])
            yield from self._compare_group(group, roots)
        known = {name for group in self._groups for name in group.names}
        for name in roots.keys() - known:
            yield from self._compare(name, roots[name])
        for key in modules.keys() - self._parts.keys():
            self._divide(key, modules[key])
        self._group(modules, known)

    def _group(self, modules: Mapping[str, ModuleType], known: Set[str]) -> None:
        """Put the looks together in groups, those of roots that are not `known` in the last."""
        roots = self._roots(modules)
        for name in roots:
            if name not in known:
                if not self._groups or len(self._groups[-1].names) >= _GROUP:
                    self._groups.append(_Group([], Look([], {})))
                self._groups[-1].names.append(name)
        self._groups = [group for group in self._groups if group.names]
        for group in self._groups:
            if not known >= {*group.names}:
                group.look = together([self._looks[name] for name in group.names])
        self._all = together([group.look for group in self._groups])
        order = [name for group in self._groups for name in group.names]
        self._known_values = [roots[name].value for name in order]
        places = {name: place for place, name in enumerate(order)}
        self._divided = [
            (modules[key], found, [places[name] for name in found.names(key)])
            for key, found in self._parts.items()
            if found is not None and key in modules
        ]

    def _divide(self, key: str, module: ModuleType) -> None:
        """Replace the look at a large module, just taken, by looks at parts of it."""
        whole = self._looks[key]
        if sum(map(len, whole.prints.values())) <= _LARGEST:
            self._parts[key] = None
            return
        del self._looks[key]
        found = self._parts[key] = parts(whole, list(module.__dict__), _LARGEST)
        for name, root in zip(found.names(key), found.entries(module), strict=True):
            self._looks[name] = self._explorer.look(root)

    def _roots(self, modules: Mapping[str, ModuleType]) -> dict[str, Entry]:
        """Return where to begin, by name: the modules or their parts, and the fixtures."""
        roots: dict[str, Entry] = {}
        for key, module in modules.items():
            divided = self._parts.get(key)
            if divided is None:
                roots[key] = of_module(module)
            else:
                roots.update(zip(divided.names(key), divided.entries(module), strict=True))
        fixtures = self._fixtures.items()
        return roots | {f"\0{name}": of_fixture(name, root) for name, root in fixtures}

    def _values(self) -> list[object]:
        """Return the present values of the roots, in the order of the groups."""
        values = self._known_values.copy()  # these are the same as long as the roots are
        for module, found, places in self._divided:
            for place, value in zip(places, found.values(module), strict=True):
                values[place] = value
        return values

    def _changes_of_process(self) -> set[Label]:
        before, self._process = self._process, surroundings.read()
        return set() if before == self._process else surroundings.changes(before, self._process)

    def _compare(self, name: str, root: Entry) -> Iterable[tuple[Label, int]]:
        known = self._looks.get(name)
        if known is not None and known.still_holds([root.value]):
            return ()
        now = self._looks[name] = self._explorer.look(root)
        if known is None:
            return ()
        return self._lend(_module_of(name), _differing(known.prints, now.prints))

    def _project_modules(self) -> dict[str, ModuleType]:
        seen = identities(get_referents(sys.modules))
        if seen != self._modules_seen:
            self._modules_seen = seen
            self._modules = {}  # nothing is kept alive that only we know
            names = {
                name for name, module in list(sys.modules.items()) if self._is_of_project(module)
            }
            self._taken |= self._names - names
            self._names = names
            self._modules = {
                _key(module): module
                for module in (*self._imported.values(), *sys.modules.values())
                if self._is_of_project(module)
            }
        return self._modules

    def _is_of_project(self, module: object) -> bool:
        if type(module) is not ModuleType:  # a stand-in may do anything when it is asked
            return False
        path = module.__dict__.get("__file__")
        return isinstance(path, str) and self._counts(path)


def _note(found: dict[Label, int], changes: Iterable[tuple[Label, int]]) -> None:
    """Add the changes; what two roots show to have counted differently did not count."""
    for label, count in changes:
        found[label] = count if found.get(label, count) == count else 0


def _key(module: ModuleType) -> str:
    """Return what tells a module apart from others of the same name."""
    return f"{module.__name__} {module.__dict__.get('__file__')}"


def _module_of(key: str) -> str:
    """Return the name of the module that a key, or that of a part, is of."""
    return key.partition(" ")[0]


def _differing(
    before: Mapping[Label, list[object]], now: Mapping[Label, list[object]]
) -> dict[Label, int]:
    labels = before.keys() | now.keys()
    return {
        label: counting.steps(before.get(label), now.get(label))
        for label in labels
        if before.get(label) != now.get(label)
    }
