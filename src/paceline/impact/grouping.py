"""In which groups modules are compared: at once what is quiet in them, the restless one by one.

Modules that have just come are compared by themselves, and so are those that rest otherwise.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from paceline.impact.pulse import Pulse
from paceline.impact.reached import Look, together
from paceline.impact.roots import Parts, of_module
from paceline.impact.ways import Entry

#: A root that has changed so often is compared by itself, until so many comparisons after it last
#: did: what changes has all looked at that is compared with it.
_OFTEN: Final = 5
_A_WHILE: Final = 64

#: Of one that has changed so often small parts are looked at.
_A_FEW_TIMES: Final = 3

#: So many modules are compared together: one comparison of all that is quiet in them takes much
#: less time than many small ones, and what changes has all looked at that are in it.
_TOGETHER: Final = 8

#: So many new modules are compared one by one, and for so many comparisons.
_MANY: Final = 8

#: The keys of modules that are compared together.
Group = tuple[str, ...]


@dataclass(slots=True)
class _Order:
    """The roots that are compared each time: at once what is quiet, the restless one by one.

    `values` are those of the quiet roots, `looks` those at each, `namespaces` the globals of each
    one's module. `divided` tells where among them the values of parts of a module belong: place in
    `values`, number of the part.
    """

    values: list[object] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    namespaces: list[dict[str, Any]] = field(default_factory=list)
    divided: list[tuple[ModuleType, Parts, list[tuple[int, int]]]] = field(default_factory=list)
    restless: list[tuple[str, ModuleType, Parts | None, int]] = field(default_factory=list)
    quiet: Look = field(default_factory=lambda: Look([], {}))
    #: What tells as much in less time, but for the roots at these places.
    pulse: Pulse | None = None
    others: list[int] = field(default_factory=list)
    rest: Look = field(default_factory=lambda: Look([], {}))
    #: How often all has held, and must, before the pulse is taken.
    held: int = 0
    enough: int = 2

    def is_quiet(self) -> bool:
        """Return whether nothing in reach of the quiet roots is another object than before."""
        steady = self.pulse is not None and self.pulse.is_steady()
        if steady and not self.others:
            return True
        values = self._present_values()
        if steady:
            return self.rest.still_holds([values[place] for place in self.others])
        if self.pulse is not None:  # as when something was replaced and put back
            self.pulse, self.held, self.enough = None, 0, 2 * self.enough
        if not self.quiet.still_holds(values):
            return False
        self.held += 1
        if self.held < self.enough:
            return True
        self._take_pulse(values)
        return self.quiet.still_holds(values)  # another thread may have changed something

    def _present_values(self) -> list[object]:
        values = self.values.copy()  # these are the same as long as the roots are
        for module, found, places in self.divided:
            parts = found.values(module)
            for place, number in places:
                values[place] = parts[number]
        return values

    def _take_pulse(self, values: Sequence[object]) -> None:
        self.pulse = Pulse()
        every = enumerate(zip(self.looks, values, self.namespaces, strict=True))
        self.others = [place for place, root in every if not self.pulse.take_in(*root)]
        self.rest = together([self.looks[place] for place in self.others])
        self.pulse.begin()


class Grouping:
    """Knows how each group of modules is compared, and how often each root has changed.

    `looks` are those at all roots, `parts` those of each module, None of one that has none.
    """

    def __init__(self, looks: Mapping[str, Look], parts: Mapping[str, Parts | None]) -> None:
        self._looks = looks
        self._parts = parts
        #: How many comparisons of all there were.
        self.comparisons = 0
        self._orders: dict[Group, _Order] = {}
        self._groups: list[Group] | None = None
        self._young: set[str] = set()
        self._grown_up = sys.maxsize
        #: How often each root has changed, and how many comparisons there were when it last did.
        self._changes: Counter[str] = Counter()
        self._changed: dict[str, int] = {}

    def take_in(self, before: Mapping[str, ModuleType], modules: Mapping[str, ModuleType]) -> None:
        """Compare the modules that have come by themselves until they are many.

        To look at all together anew for each would take longer than to compare them.
        """
        self._young |= modules.keys() - before.keys()
        self._grown_up = self.comparisons + _MANY
        if any(modules.get(key) is not module for key, module in before.items()):
            self._grown_up = 0
            self._orders.clear()

    def leave_out(self, key: str) -> None:
        """Compare the module of that key in no group any more: it rests."""
        self._young.discard(key)
        self._groups = None

    def take_back(self) -> None:
        """Compare again those that rest no more."""
        self._groups = None

    def groups(self, modules: Mapping[str, ModuleType], resting: Collection[str]) -> list[Group]:
        """Return in which groups all `modules` are compared but for those that rest."""
        if self._grown_up <= self.comparisons or len(self._young) > _MANY:
            self._grown_up = sys.maxsize
            self._young.clear()
            self._groups = None
        if self._groups is None:
            keys = [key for key in modules if key not in resting and key not in self._young]
            starts = range(0, len(keys), _TOGETHER)
            self._groups = [tuple(keys[start : start + _TOGETHER]) for start in starts]
            kept = {*self._groups, *((key,) for key in modules)}
            self._orders = {group: one for group, one in self._orders.items() if group in kept}
        return [*self._groups, *((key,) for key in self._young)]

    def restless(self, group: Group) -> dict[str, Entry] | None:
        """Return the restless roots of a group by name; None if what was quiet has changed."""
        order = self._orders.get(group)
        if order is None or not order.is_quiet():
            return None
        return {
            name: of_module(module) if divided is None else divided.entry(module, number)
            for name, module, divided, number in order.restless
        }

    def all_restless(self, names: Iterable[str]) -> bool:
        """Return whether all the roots of these names still change often."""
        return all(map(self._is_restless, names))

    def arrange(self, group: Group, modules: Mapping[str, ModuleType]) -> None:
        """Take the `modules` of a group, just looked at, as quiet but for what changes often."""
        order = _Order()
        for key, module in modules.items():
            divided = self._parts[key]
            of_parts = [key] if divided is None else divided.names(key)
            values = [module.__dict__] if divided is None else divided.values(module)
            places: list[tuple[int, int]] = []
            for number, (name, value) in enumerate(zip(of_parts, values, strict=True)):
                if self._is_restless(name):
                    order.restless.append((name, module, divided, number))
                else:
                    places.append((len(order.values), number))
                    order.values.append(value)
                    order.looks.append(self._looks[name])
                    order.namespaces.append(module.__dict__)
            if divided is not None:
                order.divided.append((module, divided, places))
        order.quiet = together(order.looks)
        self._orders[group] = order

    def arrange_anew(self, name: str) -> None:
        """Forget in which order the root of that name is compared, as it is looked at otherwise."""
        for group in [group for group in self._orders if module_of(name) in group]:
            del self._orders[group]

    def note_change(self, name: str) -> None:
        """Note that the root of that name has changed."""
        self._changes[name] += 1
        self._changed[name] = self.comparisons

    def changed_a_few_times(self, name: str) -> bool:
        """Return whether the root has changed so often that small parts of it are looked at."""
        return self._changes[name] == _A_FEW_TIMES

    def _is_restless(self, name: str) -> bool:
        since = self.comparisons - self._changed.get(name, 0)
        return self._changes[name] >= _OFTEN and since <= _A_WHILE


def module_of(name: str) -> str:
    """Return the key of the module that a root is, or is a part of."""
    return name.partition("\0")[0]
