"""What can be reached from a module or a fixture's value, as a print that can be compared.

`gc.get_referents` lists what many objects refer to without running any of their code
(https://docs.python.org/3/library/gc.html). Level by level these lists are kept as identities;
as long as they are the same byte for byte, nothing in reach has become another object.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import FunctionType, ModuleType
from typing import Any, Final

from paceline.impact import memory, readers, values
from paceline.impact.describing import described, description
from paceline.impact.reached import Label, Level, Look
from paceline.impact.values import CACHE, OPAQUE, PLAIN
from paceline.impact.ways import DEPTH, ROOT, Entry, Ways

#: From so many steps on that are left it is told what is kept, and not only that it is another.
_DIRECTLY: Final = DEPTH - 1

#: Names that Python and test tools give to modules and classes.
_PYTHONS_OWN: Final = frozenset(
    (
        *dir(type("", (), {})), *dir(ModuleType), "__abstractmethods__", "__annotations__",
        "__builtins__", "__cached__", "__classcell__", "__conditional_annotations__", "__file__",
        "__firstlineno__", "__loader__", "__match_args__", "__name__", "__orig_bases__",
        "__package__", "__parameters__", "__path__", "__post_init__", "__pytest_wrapped__",
        "__slotnames__", "__slots__", "__spec__", "__static_attributes__", "__type_params__",
        "__warningregistry__",
    )
)  # fmt: skip

_NONE: Final = frozenset[Label]()


class Explorer:
    """Looks at everything in reach; `counts` tells which files are the project's.

    `is_elsewhere` tells by name and identity which globals are looked at from another root.
    """

    def __init__(
        self, counts: Callable[[str], bool], is_elsewhere: Callable[[str, int], bool]
    ) -> None:
        self._ways = Ways(counts)
        self._is_elsewhere = is_elsewhere
        self._kept: defaultdict[Label, set[int]] = defaultdict(set)

    def look(self, root: Entry, before: Look | None = None) -> Look:
        """Return what can be reached from `root` now; `before` is the last look, if any."""
        self._ways.begin(before.alive if before else ())
        self._kept = defaultdict(set)
        levels: list[Level] = []
        prints: defaultdict[Label, list[object]] = defaultdict(list)
        seen: defaultdict[Label, set[int]] = defaultdict(set)
        entries = [root]
        while entries:
            level, entries = self._look_at(entries, prints, seen)
            levels.append(level)
        return Look(levels, prints, self._kept, self._ways.borrowed, self._ways.alive)

    def _look_at(
        self,
        entries: list[Entry],
        prints: defaultdict[Label, list[object]],
        seen: defaultdict[Label, set[int]],
    ) -> tuple[Level, list[Entry]]:
        """Return one level, and what to look into at the next; add to the prints."""
        referents = [entry.referents() for entry in entries]
        level = Level(memory.identities([*chain.from_iterable(referents)]))
        every = memory.addresses(level.identities)
        known, alive = self._ways.known, self._ways.alive
        below: dict[tuple[int, int], Entry] = {}
        place = -1
        for entry, found in zip(entries, referents, strict=True):
            named = None if entry.names is None else self._named(entry, entry.names, prints)
            noted = values.notes_of_copying(entry.value) if type(entry.value) is dict else None
            if named is None:
                identities = every[place + 1 : place + 1 + len(found)]
                self._show(entry, found, identities, noted, prints)
            for value in found:
                place += 1
                identity = every[place]
                if type(value) in PLAIN or value is noted:
                    continue
                if identity in known:
                    alive.append(value)
                    continue
                if values.is_opaque(value):
                    continue
                labels = entry.labels if named is None else named.get(identity, _NONE)
                fresh = _fresh(labels, identity, seen)
                way = self._ways.follow(value, identity, fresh, entry) if fresh else None
                if way is None:
                    continue
                for label in fresh:
                    seen[label].add(identity)
                if isinstance(way, Entry):
                    _join(below, identity, way, level, place)
                    if not way.closure:
                        continue
                    way = readers.new_attributes
                reading = level.read(way, value, place)
                for label in fresh:
                    prints[label] += readers.shown(value, reading)
                if issubclass(type(value), dict):
                    self._note_kept(entry._replace(value=value, labels=fresh), ())
        following = list(below.values())
        level.closures.extend(number for number, one in enumerate(following) if one.closure)
        level.caches.extend(
            number for number, one in enumerate(following) if type(one.value) is CACHE
        )
        return level, following

    def _show(
        self,
        entry: Entry,
        found: list[Any],
        identities: Sequence[int],
        noted: object,
        prints: Mapping[Label, list[object]],
    ) -> None:
        """Add what an object refers to, but for what is `noted` in it, to the prints."""
        if noted is not None:
            pairs = zip(found, identities, strict=True)
            identities = [identity for value, identity in pairs if value is not noted]
            found = [value for value in found if value is not noted]
        shown = [
            (type(value), value) if type(value) in PLAIN else identity
            for value, identity in zip(found, identities, strict=True)
        ]
        for label in entry.labels:
            prints[label] += shown
        self._note_kept(entry, found)

    def _named(
        self, entry: Entry, names: Mapping[str, Any], prints: defaultdict[Label, list[object]]
    ) -> dict[int, frozenset[Label]]:
        """Return the labels of each member of a namespace by its identity, and note the members."""
        named: dict[int, frozenset[Label]] = {}
        module = names.get("__name__") if entry.labels == ROOT else None
        items = list(names.items())
        # Not by `id`: see `memory.identities`.
        addresses = memory.addresses(memory.identities([value for _, value in items]))
        for (name, value), identity in zip(items, addresses, strict=True):
            # Imports set submodules as attributes; dunder names are Python's own.
            if name in _PYTHONS_OWN or (type(value) is ModuleType and values.is_opaque(value)):
                continue
            labels = frozenset([label | {name} for label in entry.labels])
            shown = (type(value), value) if type(value) in PLAIN else identity
            number = description(value)
            for label in labels:
                prints[label].append(shown)
                if number is not None:
                    self._kept[label].add(number)
            if module is None or not self._is_found_elsewhere(value, module, name, identity):
                named[identity] = named.get(identity, _NONE) | labels
        return named

    def _is_found_elsewhere(self, value: Any, module: str, name: str, identity: int) -> bool:
        """Return whether a global is looked at as that of another module."""
        kind = type(value)
        if issubclass(kind, (type, FunctionType)):
            return _is_of_another(value, module)
        return kind not in OPAQUE and self._is_elsewhere(name, identity)

    def _note_kept(self, entry: Entry, found: Iterable[object]) -> None:
        """Note what is kept under the labels of `entry`, whose value refers to `found`."""
        if entry.steps < _DIRECTLY or entry.labels == ROOT:
            return
        values = found
        if issubclass(type(entry.value), dict):  # its references do not show its keys
            kept: Any = entry.value
            # In one go: another thread may add to it meanwhile.
            values = [*dict.keys(kept), *(found or dict.values(kept))]
        numbers = described(values)
        for label in entry.labels:
            self._kept[label] |= numbers


def _join(
    below: dict[tuple[int, int], Entry], identity: int, way: Entry, level: Level, place: int
) -> None:
    """Add what is looked into next; an object that several names lead to is one entry."""
    key = (identity, way.steps)
    known = below.get(key)
    if known is None or known.names is not None or way.names is not None:
        level.followed.append(place)
        key = key if known is None else (identity, -place)
        below[key] = way
    else:
        below[key] = known._replace(labels=known.labels | way.labels)


def _fresh(
    labels: frozenset[Label], identity: int, seen: Mapping[Label, set[int]]
) -> frozenset[Label]:
    """Return the labels under which the object was not seen yet."""
    if len(labels) == 1:  # as nearly always: no need for another set
        (label,) = labels
        return _NONE if label in seen and identity in seen[label] else labels
    return frozenset([label for label in labels if identity not in seen.get(label, ())])


def _is_of_another(value: Any, module: str) -> bool:
    """Return whether `value`, a class or function, is of another module, and looked at there."""
    if value.__module__ == module:
        return False
    home = sys.modules.get(value.__module__)
    # What a decorator of another module returned cannot be found there.
    return home is None or home.__dict__.get(value.__name__) is value
