"""What modules that are not the project's keep in lists, dicts and sets, as registries do.

A test fills them by a call (`mimetypes.add_type`) or by hand (`parse.uses_relative.append`), and
what a library then does for another test is different. They rarely change, so all members are
compared at once. What changes in many tests is a cache, which holds what anybody would get.
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import GetSetDescriptorType, ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact.describing import described
from paceline.impact.memory import Versions, identities
from paceline.impact.mentions import names_of_functions
from paceline.impact.reached import Change, Label
from paceline.impact.values import parts_of, printed

#: Their members are listed without running any code of theirs.
_DICTS: Final = frozenset((dict, OrderedDict, defaultdict))
_KINDS: Final = _DICTS | {list, set, deque}
#: Of larger ones only the size is compared.
_LARGEST: Final = 200
#: In so many tests a registry may change.
_OFTEN: Final = 16
#: Names of caches, and those that Python gives to what it keeps in a module or class.
_PASSED_OVER: Final = re.compile("cache|memo|^__.*__$", re.IGNORECASE)


#: The name of a class, "" for the module itself, and what is in it by name.
Namespace = tuple[str, Mapping[Any, Any]]


class _Place(NamedTuple):
    """Where something is kept: the module, the class in it or "", the name there."""

    module: ModuleType
    owner: str
    name: str


@dataclass(slots=True)
class _Registry:
    """A container and where it is kept; its members, or how many they are; its changes."""

    place: _Place
    container: Any
    members: list[object] | int
    changes: int = 0

    def change(self) -> Change | None:
        """Return how the members changed since the last call, None if they did not."""
        before, now = self.members, _members(self.container)
        if before == now:
            return None
        self.members = now
        self.changes += 1
        if isinstance(before, int) or isinstance(now, int):
            return Change()
        known = set(before)
        added = [one for one in parts_of(self.container) if printed(one) not in known]
        return Change(0, frozenset(described(added)), not known.issubset(now))


class Registries:
    """Compares the containers in the namespaces that it was given."""

    def __init__(self) -> None:
        #: By who has it and the identity of the container, which is kept.
        self._known: dict[str, dict[int, _Registry]] = {}
        self._given: dict[str, tuple[ModuleType, Sequence[Namespace]]] = {}
        self._dicts: list[Any] = []
        self._others: list[Any] = []
        self._large: list[Any] = []
        self._versions = Versions(())
        self._seen: tuple[bytes, list[int]] = b"", []
        self._seen_in_dicts: tuple[bytes, list[int]] = b"", []

    def take_in(self, name: str, module: ModuleType, namespaces: Sequence[Namespace]) -> None:
        """Compare from now on what `name` has in these namespaces of a module and its classes."""
        self._given[name] = module, namespaces
        known = self._known.get(name, {})
        found: dict[int, _Registry] = {}
        for place, container in _containers(module, namespaces):
            key = id(container)
            if key not in found:
                found[key] = known.get(key) or _Registry(place, container, _members(container))
        self._known[name] = found

    def arrange(self) -> None:
        """Take what is there now as the last that was seen, once all was taken in."""
        every = {key: one for found in self._known.values() for key, one in found.items()}
        compared = [one for one in every.values() if one.changes <= _OFTEN]
        small = [one.container for one in compared if not isinstance(one.members, int)]
        self._dicts = [one for one in small if type(one) in _DICTS]
        self._others = [one for one in small if type(one) not in _DICTS]
        self._large = [one.container for one in compared if isinstance(one.members, int)]
        self._versions = Versions(self._dicts)
        self._seen = self._look()
        self._seen_in_dicts = self._look_into_dicts()

    def _look(self) -> tuple[bytes, list[int]]:
        members = [*chain.from_iterable(self._others)]
        return identities(members), [*map(len, self._others), *map(len, self._large)]

    def _look_into_dicts(self) -> tuple[bytes, list[int]]:
        values = chain.from_iterable(map(dict.values, self._dicts))
        members = [*chain.from_iterable(self._dicts), *values]
        return identities(members), [*map(len, self._dicts)]

    def _dicts_changed(self) -> bool:
        if self._versions.numbered and not self._versions.changed():
            return False
        return self._look_into_dicts() != self._seen_in_dicts

    def changed(self) -> dict[Label, Change]:
        """Return what is not as at the last call, by the names that get at it."""
        if self._look() == self._seen and not self._dicts_changed():
            return {}
        found: dict[Label, Change] = {}
        for name, registries in list(self._known.items()):
            changes = [(one, change) for one in registries.values() if (change := one.change())]
            found |= {_label(one.place): change for one, change in changes if one.changes <= _OFTEN}
            if changes:  # of an object's attributes one may keep something now
                self.take_in(name, *self._given[name])
        self.arrange()
        return found


def _containers(
    module: ModuleType, namespaces: Iterable[Namespace]
) -> Iterator[tuple[_Place, Any]]:
    """Yield the containers in the namespaces, and in the package's own objects there."""
    package = module.__name__.partition(".")[0]
    for owner, namespace in namespaces:
        for name, value in list(namespace.items()):
            if type(name) is str and not _PASSED_OVER.search(name):
                found = [value, *_attributes(value, package)]
                yield from ((_Place(module, owner, name), one) for one in found if _is_one(one))


def _attributes(value: Any, package: str) -> list[object]:
    """Return the attributes of an object of the package's, all in one and one by one."""
    module = type.__getattribute__(type(value), "__module__")
    if type(module) is not str or module.partition(".")[0] != package:
        return []
    for kind in type.__getattribute__(type(value), "__mro__"):
        shown = type.__getattribute__(kind, "__dict__").get("__dict__")
        if shown is not None:
            break
    if type(shown) is not GetSetDescriptorType:  # a property may do anything
        return []
    attributes = shown.__get__(value)
    if type(attributes) is not dict:
        return []
    # In one go: another thread may add to it meanwhile.
    parts = [(name, part) for name, part in list(attributes.items()) if type(name) is str]
    return [attributes, *(part for name, part in parts if not _PASSED_OVER.search(name))]


def _is_one(value: object) -> bool:
    return type(value) in _KINDS


def _members(container: Any) -> list[object] | int:
    """Return what tells the members apart, with the keys of a dict; of many only the number."""
    if len(container) > _LARGEST:
        return len(container)
    return list(map(printed, parts_of(container)))


def _label(place: _Place) -> Label:
    """Return the names of what is kept, of all in its module that gets at it, and of the package.

    What other modules of the package do with it is not looked into.
    """
    names = {place.name, place.owner} - {""}
    mentions = names_of_functions(place.module)
    while more := {name for name, some in mentions.items() if names & some} - names:
        names |= more
    module = place.module.__name__
    return Label((module.partition(".")[0], module.rpartition(".")[2], *names))
