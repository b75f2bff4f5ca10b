"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. So after each test all that can be
reached from the project's modules and from wide fixtures is compared with what it was: at once
what has not changed until now, module by module the rest. A test module that nobody imports rests
while other tests run. Nothing but values that never change is kept alive.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact import counting, surroundings
from paceline.impact.foreign import Foreign
from paceline.impact.lending import Lending
from paceline.impact.modules import Modules, file_in, key_of, name_in
from paceline.impact.reach import Explorer
from paceline.impact.reached import Change, Label, Level, Look, together
from paceline.impact.roots import Parts, of_fixture, of_module, parts
from paceline.impact.ways import Entry

#: Larger modules are looked at in parts, so that a change of one does not cost a look at all; of
#: one that changed a few times the parts are small.
_LARGEST = 500
_SMALL = 50
_A_FEW_TIMES = 3

#: A root that has changed so often is compared by itself from then on.
_OFTEN = 5

#: So many new modules are compared one by one, and for so many comparisons.
_MANY = 8

#: After so many comparisons foreign modules are compared.
_NOW_AND_THEN = 16

#: What nothing is like.
_NEVER: Final = [Level(b"nothing")]


class Late(NamedTuple):
    """What changed in a module that rested since its last comparison, of which it has the number.

    Any of the tests that were compared since may have done it.
    """

    since: int
    labels: Set[Label]


@dataclass(slots=True)
class _Order:
    """The roots that are compared each time: at once what is quiet, the restless one by one.

    `values` are those of the quiet roots. `divided` tells where among them the values of parts of
    a module belong: place in `values`, number of the part.
    """

    quiet: Look
    values: list[object]
    divided: list[tuple[ModuleType, Parts, list[tuple[int, int]]]] = field(default_factory=list)
    restless: list[tuple[str, ModuleType, Parts | None, int]] = field(default_factory=list)

    def is_quiet(self) -> bool:
        """Return whether nothing in reach of the quiet roots is another object than before."""
        values = self.values.copy()  # these are the same as long as the roots are
        for module, found, places in self.divided:
            parts = found.values(module)
            for place, number in places:
                values[place] = parts[number]
        return self.quiet.still_holds(values)


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._looks: dict[str, Look] = {}
        #: How modules are compared: most together, by its key each that rests or has just come.
        self._orders: dict[str, _Order] = {}
        self._young: set[str] = set()
        self._grown_up = sys.maxsize
        #: How often each root has changed.
        self._changes: Counter[str] = Counter()
        self._explorer = Explorer(counts)
        self._modules = Modules(counts)
        #: The modules at the last comparison.
        self._compared: dict[str, ModuleType] = {}
        #: Values of fixtures that outlive a test, each in a list, by the fixture's name.
        self._fixtures: dict[str, list[object]] = {}
        #: The parts of each module, None of one that is looked at as a whole.
        self._parts: dict[str, Parts | None] = {}
        self._lending = Lending(self._looks)
        #: How many comparisons there were, and how many when each module that rests was compared.
        self._comparisons = 0
        self._resting: dict[str, int] = {}
        #: The name and the file of each module that rests.
        self._whose: dict[str, tuple[str, str]] = {}
        self._awake: set[str] = set()
        self._process = surroundings.read()
        self._foreign = Foreign()
        self._foreign_compared = -_NOW_AND_THEN

    def add(self, module: ModuleType) -> None:
        """Take the state of `module`, just imported, as its first; of one made anew as changed."""
        key = key_of(module)
        self._modules.add(module)
        if key in self._parts:
            self._lose_homes({module.__name__})
        else:
            self._keep(key, self._explorer.look(of_module(module)))
            self._divide(key, module)

    def add_fixture(self, name: str, value: Any) -> None:
        """Watch what a fixture that outlives its test has returned."""
        self.drop_fixture(name)
        self._fixtures[name] = [value]
        self._keep(f"\0{name}", self._explorer.look(of_fixture(name, self._fixtures[name])))

    def add_namespaces(self, name: str, namespaces: Mapping[str, Mapping[Any, Any]]) -> None:
        """Watch what tests set in `namespaces` of a thing that is not the project's, by owner."""
        self._foreign.add(name, namespaces)

    def drop_fixture(self, name: str) -> None:
        """Forget a fixture that was torn down, and keep its value no longer."""
        self._fixtures.pop(name, []).clear()

    def rest(self, module: ModuleType) -> None:
        """From now on compare `module` only after it was woken."""
        key = key_of(module)
        if key in self._compared:
            self._resting[key] = self._comparisons
            self._whose[key] = (name_in(key), file_in(key))
            self._young.discard(key)
            self._orders.clear()

    def wake(self, files: Set[str] | None = None, asked: Set[str] = frozenset()) -> list[Late]:
        """Compare the modules that rest if one of `files` is theirs, or `asked` has their name.

        With no `files` all are. Return what changed in them while they rested; what will have
        changed from now on the next call of `changed` tells.
        """
        lenders = self._lending.lenders()
        woken = {
            key
            for key, (name, file) in self._whose.items()
            if files is None or file in files or name in asked or name in lenders
        }
        woken -= self._awake
        self._awake |= woken
        found = self._compare_foreign(at_once=files is None)
        for key in sorted(woken):
            if self._resting[key] == self._comparisons:
                continue
            modules = self._modules.present()
            changes = dict(self._compare_modules(modules, key)) if key in modules else {}
            if changes:
                found.append(Late(self._resting[key], changes.keys()))
        return found

    def _compare_foreign(self, *, at_once: bool) -> list[Late]:
        if not at_once and self._comparisons - self._foreign_compared < _NOW_AND_THEN:
            return []
        since, self._foreign_compared = self._foreign_compared, self._comparisons
        changed = self._foreign.changed(self._modules.present())
        return [Late(max(since, 0), changed)] if changed else []

    def changed(self) -> dict[Label, Change]:
        """Return what changed since the last call, and how.

        That is a global or a fixture, or an attribute of one; a variable of the environment; the
        working folder. What was not there at the last call has not changed.
        """
        found = self._changes_of_process()
        modules = self._modules.present()
        found |= {Label(name.split(".")): Change() for name in self._modules.taken()}
        if gone := self._compared.keys() - modules.keys():
            self._lose_homes({name_in(key) for key in gone})
        if modules != self._compared:
            self._take_in(modules)
        if self._grown_up <= self._comparisons or len(self._young) > _MANY:
            self._grown_up = sys.maxsize
            self._young.clear()
            self._orders.clear()
        _note(found, self._compare_modules(modules))
        for key in self._young:
            _note(found, self._compare_modules(modules, key))
        fixtures = {f"\0{name}": of_fixture(name, root) for name, root in self._fixtures.items()}
        _note(found, self._compare_all(fixtures))
        self._comparisons += 1
        for key in self._awake & modules.keys():
            _note(found, self._compare_modules(modules, key))
            self._resting[key] = self._comparisons
        self._awake.clear()
        return found

    def _take_in(self, modules: dict[str, ModuleType]) -> None:
        """Keep the modules that came since the last comparison by themselves until they are many.

        To look at all together anew for each would take longer than to compare them.
        """
        before, self._compared = self._compared, modules
        self._young |= modules.keys() - before.keys()
        self._grown_up = self._comparisons + _MANY
        if any(modules.get(key) is not module for key, module in before.items()):
            self._grown_up = 0

    def _compare_modules(
        self, modules: Mapping[str, ModuleType], alone: str = ""
    ) -> Iterator[tuple[Label, Change]]:
        """Yield what changed in the one module of that key, or in those that are together."""
        order = self._orders.get(alone)
        # One comparison of all that is quiet: many small ones would cost several times as much.
        if order is not None and order.is_quiet():
            for name, module, divided, number in order.restless:
                root = of_module(module) if divided is None else divided.entry(module, number)
                yield from self._compare(name, root)
            return
        compared = {
            key: module
            for key, module in modules.items()
            if (key == alone if alone else key not in self._resting and key not in self._young)
        }
        yield from self._compare_all(self._roots(compared))
        for key, module in compared.items():
            if key not in self._parts:
                self._divide(key, module)
            elif self._parts[key] is None and self._changes[key] == _A_FEW_TIMES:
                self._divide(key, module, _SMALL)
        self._orders[alone] = self._arrange(compared)

    def _lose_homes(self, modules: Set[str]) -> None:
        """Have those looked at anew, as if changed, that counted on modules which are gone now."""
        for name, look in self._looks.items():
            if any(home in modules for home, _ in look.borrowed):
                self._looks[name] = replace(look, levels=_NEVER, _pickers=[])
                self._orders.clear()

    def _keep(self, name: str, look: Look) -> None:
        known = self._looks.get(name)
        if (known.borrowed if known else {}) != look.borrowed:
            self._lending.forget()
        self._looks[name] = look

    def _compare_all(self, roots: Mapping[str, Entry]) -> Iterator[tuple[Label, Change]]:
        for name, root in roots.items():
            yield from self._compare(name, root)

    def _compare(self, name: str, root: Entry) -> Iterable[tuple[Label, Change]]:
        """Return what changed below a root, and look at it anew."""
        known = self._looks.get(name)
        if known is not None and known.still_holds([root.value]):
            return ()
        now = self._explorer.look(root, known)
        self._keep(name, now)
        if known is None:
            return ()
        self._changes[name] += 1
        return self._lending.spread(name_in(name), _differing(known, now))

    def _arrange(self, modules: Mapping[str, ModuleType]) -> _Order:
        """Return in which order the roots of `modules`, just looked at, are compared."""
        order = _Order(Look([], {}), [])
        names: list[str] = []
        for key, module in modules.items():
            divided = self._parts[key]
            of_parts = [key] if divided is None else divided.names(key)
            values = [module.__dict__] if divided is None else divided.values(module)
            places: list[tuple[int, int]] = []
            for number, (name, value) in enumerate(zip(of_parts, values, strict=True)):
                if self._changes[name] >= _OFTEN:
                    order.restless.append((name, module, divided, number))
                else:
                    places.append((len(names), number))
                    names.append(name)
                    order.values.append(value)
            if divided is not None:
                order.divided.append((module, divided, places))
        order.quiet = together([self._looks[name] for name in names])
        return order

    def _divide(self, key: str, module: ModuleType, largest: int = _LARGEST) -> None:
        """Replace the look at a large module, just taken, by looks at parts of it."""
        whole = self._looks[key]
        if sum(map(len, whole.prints.values())) <= largest:
            self._parts[key] = None
            return
        del self._looks[key]
        self._lending.forget()
        found = self._parts[key] = parts(whole, list(module.__dict__), largest)
        for name, root in zip(found.names(key), found.entries(module), strict=True):
            self._keep(name, self._explorer.look(root))

    def _roots(self, modules: Mapping[str, ModuleType]) -> dict[str, Entry]:
        """Return where to begin, by name: the modules or their parts."""
        roots: dict[str, Entry] = {}
        for key, module in modules.items():
            divided = self._parts.get(key)
            if divided is None:
                roots[key] = of_module(module)
            else:
                roots.update(zip(divided.names(key), divided.entries(module), strict=True))
        return roots

    def _changes_of_process(self) -> dict[Label, Change]:
        before, self._process = self._process, surroundings.read()
        return {} if before == self._process else surroundings.changes(before, self._process)


def _note(found: dict[Label, Change], changes: Iterable[tuple[Label, Change]]) -> None:
    """Add the changes; what two roots show to have counted differently did not count."""
    for label, change in changes:
        known = found.get(label, change)
        steps = change.steps if known.steps == change.steps else 0
        found[label] = Change(steps, known.added | change.added)


def _differing(before: Look, now: Look) -> dict[Label, Change]:
    labels = before.prints.keys() | now.prints.keys()
    found: dict[Label, Change] = {}
    for label in labels:
        old, new = before.prints.get(label), now.prints.get(label)
        if old != new:
            added = now.kept.get(label, set()) - before.kept.get(label, set())
            found[label] = Change(counting.steps(old, new), frozenset(added))
    return found
