"""What can be reached from a module or a fixture's value, as a print that can be compared.

`gc.get_referents` lists what many objects refer to without running any of their code
(https://docs.python.org/3/library/gc.html). Level by level these lists are kept as identities;
as long as they are the same byte for byte, nothing in reach has become another object.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from gc import get_referents
from itertools import chain
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact import readers
from paceline.impact.describing import described, description
from paceline.impact.reached import Home, Label, Level, Look
from paceline.impact.readers import CONTAINERS, OPAQUE, PLAIN, READERS, WRAPPERS, Reader

#: Steps from a global or an attribute of one: its items, their attributes ...
DEPTH: Final = 3

#: From so many steps on that are left it is told what is kept, and not only that it is another.
_DIRECTLY: Final = DEPTH - 1

#: Steps from an object of a foreign class: the rest is that library's own business.
FOREIGN_DEPTH: Final = 2

#: Packages whose objects keep books of their own that no test result depends on.
BOOKKEEPING: Final = (
    "logging", "_pytest", "pytest", "typing", "warnings", "threading", "_abc",
    "hypothesis", "_weakrefset", "pluggy",
)  # fmt: skip
#: Of these what a project makes and configures itself.
_CONFIGURED: Final = (
    logging.Handler, logging.Formatter, logging.Filter, logging.LoggerAdapter,
    threading.Semaphore, threading.Condition, threading.Barrier, threading.Timer,
)  # fmt: skip

#: pytest's class around a fixture's function, which may have a cache or a closure.
_FIXTURE: Final = "FixtureFunctionDefinition"

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

#: Containers whose members are always the same.
_FIXED: Final = (tuple, frozenset)

#: The label of a module's globals, to which each adds its name.
ROOT: Final = frozenset((Label(),))
_NONE: Final = frozenset[Label]()


class Entry(NamedTuple):
    """An object that is looked into, the labels its members get, and the steps that are left.

    `names` has its members by name where it is a namespace: they get labels of their own.
    `namespace` is the identity of the dict that only leads on to the object's attributes, and
    `top` tells whether these get labels.
    """

    value: object
    labels: frozenset[Label]
    steps: int
    names: Mapping[str, Any] | None = None
    namespace: int = 0
    top: bool = False


class Explorer:
    """Looks at everything in reach; `counts` tells which files are the project's."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._own_types: dict[type, bool] = {}
        self._borrowed: defaultdict[Home, set[Label]] = defaultdict(set)
        self._kept: defaultdict[Label, set[int]] = defaultdict(set)

    def look(self, root: Entry) -> Look:
        """Return what can be reached from `root` now."""
        self._borrowed = defaultdict(set)
        self._kept = defaultdict(set)
        levels: list[Level] = []
        prints: defaultdict[Label, list[object]] = defaultdict(list)
        seen: defaultdict[Label, set[int]] = defaultdict(set)
        entries = [root]
        while entries:
            level, entries = self._look_at(entries, prints, seen)
            levels.append(level)
        return Look(levels, prints, self._kept, self._borrowed)

    def _look_at(
        self,
        entries: list[Entry],
        prints: defaultdict[Label, list[object]],
        seen: defaultdict[Label, set[int]],
    ) -> tuple[Level, list[Entry]]:
        """Return one level, and what to look into at the next; add to the prints."""
        referents = [get_referents(entry.value) for entry in entries]
        level = Level(readers.identities([*chain.from_iterable(referents)]))
        every = readers.addresses(level.identities)
        below: dict[tuple[int, int], Entry] = {}
        place = -1
        for entry, found in zip(entries, referents, strict=True):
            named = _named(entry, prints, self._kept)
            noted = readers.notes_of_copying(entry.value)
            if named is None:
                start = place + 1
                shown = [
                    (type(value), value) if type(value) in PLAIN else identity
                    for value, identity in zip(
                        found, every[start : start + len(found)], strict=True
                    )
                    if noted is None or value is not noted
                ]
                for label in entry.labels:
                    prints[label] += shown
                self._note_kept(entry, [value for value in found if value is not noted])
            for value in found:
                place += 1
                identity = every[place]
                if type(value) in OPAQUE or (value is noted and noted is not None):
                    continue
                labels = entry.labels if named is None else named.get(identity, _NONE)
                fresh = _fresh(labels, identity, seen)
                way = self._follow(value, identity, fresh, entry) if fresh else None
                if way is None:
                    continue
                for label in fresh:
                    seen[label].add(identity)
                if isinstance(way, Entry):
                    _join(below, identity, way, level, place)
                else:
                    reading = way([value])
                    level.readers.setdefault(way, []).append(place)
                    level.readings[way] = readers.joined(level.readings.get(way), reading)
                    for label in fresh:
                        prints[label] += readers.shown(value, reading)
                    self._note_kept(entry._replace(value=value, labels=fresh), ())
        return level, list(below.values())

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

    def _follow(
        self, value: Any, identity: int, labels: frozenset[Label], entry: Entry
    ) -> Entry | Reader | None:
        """Return how to look into `value`: as an entry of the next level, or by a reader."""
        if identity == entry.namespace:
            return Entry(value, labels, entry.steps, value if entry.top else None)
        kind = type(value)
        if kind in WRAPPERS:
            return Entry(value, labels, entry.steps, top=entry.names is not None)
        if entry.steps == 0 or issubclass(type(entry.value), type):
            return None
        if type(entry.value) is FunctionType and not readers.keeps_state(entry.value, value):
            return None
        return READERS[kind] if kind in READERS else self._into(value, labels, entry)

    def _into(self, value: Any, labels: frozenset[Label], entry: Entry) -> Entry | Reader | None:
        kind = type(value)
        module = kind is dict and readers.is_namespace_of_module(value)
        # The same tuple of plain values holds the same.
        fixed = kind in _FIXED and all(type(part) in OPAQUE for part in value)
        if module or fixed or self._is_borrowed(value, labels, entry):
            return None
        if kind is FunctionType:
            return self._into_function(value, labels, entry)
        if issubclass(kind, threading.local):
            return readers.thread_attributes
        if issubclass(kind, CONTAINERS):
            reader = readers.container_reader(value)
            if reader is not None or kind in CONTAINERS:
                return reader or Entry(value, labels, entry.steps - 1)
        top = entry.names is not None and entry.labels == ROOT
        if issubclass(kind, type):
            return self._into_class(value, labels, entry.steps - 1, top=top)
        return self._into_object(value, labels, entry.steps - 1, top=top)

    def _into_function(
        self, value: FunctionType, labels: frozenset[Label], entry: Entry
    ) -> Entry | Reader | None:
        if readers.has_state(value):
            return None if self._is_stand_in(value) else Entry(value, labels, entry.steps)
        if value.__dict__:
            return readers.attributes
        # It may get attributes: looked at where code finds the function by its name.
        return readers.new_attributes if entry.names is not None else None

    def _is_stand_in(self, function: FunctionType) -> bool:
        """Return whether it only passes calls on, and notes them for the recording."""
        home = function.__globals__
        name = home.get("__name__")
        ours = isinstance(name, str) and name.startswith("paceline.")
        return ours and not self._counts(str(home.get("__file__")))

    def _into_class(
        self, value: type, labels: frozenset[Label], steps: int, *, top: bool
    ) -> Entry | None:
        if not self._is_own(value):
            return None
        (namespace,) = get_referents(value.__dict__)
        return Entry(value, labels, steps, namespace=id(namespace), top=top)

    def _into_object(
        self, value: object, labels: frozenset[Label], steps: int, *, top: bool
    ) -> Entry | None:
        own = self._is_own(type(value))
        if not own:
            kept = (type(value).__module__ or "").startswith(BOOKKEEPING)
            leads_on = type(value).__name__ == _FIXTURE or issubclass(type(value), _CONFIGURED)
            if kept and not leads_on:
                return None
            steps = min(steps, FOREIGN_DEPTH)
        top = top and own
        try:
            attributes = object.__getattribute__(value, "__dict__")
        except Exception:
            return Entry(value, labels, steps)  # it has none, or answers for another object
        if any(part is attributes for part in get_referents(value)):
            return Entry(value, labels, steps, namespace=id(attributes), top=top)
        # From Python 3.13 an object may refer to its attributes itself.
        return Entry(value, labels, steps, attributes if top else None)

    def _is_borrowed(self, value: Any, labels: frozenset[Label], entry: Entry) -> bool:
        """Return whether `value` is looked at elsewhere, and note it: classes are found often."""
        if not issubclass(type(value), (type, FunctionType)) or entry.labels == ROOT:
            return False
        home = self._home(value)
        if home is not None:
            self._borrowed[home] |= labels
        return home is not None

    def _home(self, value: Any) -> Home | None:
        """Return where a class or function is looked at as a global of its own module."""
        # Not by an attribute's name: a class of classes may answer anything.
        get = type.__getattribute__ if issubclass(type(value), type) else getattr
        module, name = get(value, "__module__"), get(value, "__name__")
        home = sys.modules.get(module) if type(module) is str else None
        if type(home) is not ModuleType or home.__dict__.get(name) is not value:
            return None
        path = home.__dict__.get("__file__")
        return (module, name) if isinstance(path, str) and self._counts(path) else None

    def _is_own(self, kind: type) -> bool:
        known = self._own_types.get(kind)
        if known is None:
            module = sys.modules.get(getattr(kind, "__module__", None) or "")
            path = getattr(module, "__file__", None)
            known = self._own_types[kind] = isinstance(path, str) and self._counts(path)
        return known


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


def _named(
    entry: Entry,
    prints: defaultdict[Label, list[object]],
    kept: defaultdict[Label, set[int]],
) -> dict[int, frozenset[Label]] | None:
    """Return the labels of each member of a namespace by its identity, and note the members."""
    if entry.names is None:
        return None
    named: dict[int, frozenset[Label]] = {}
    module = entry.names.get("__name__") if entry.labels == ROOT else None
    items = list(entry.names.items())
    # Not by `id`: see `readers.identities`.
    addresses = readers.addresses(readers.identities([value for _, value in items]))
    for (name, value), identity in zip(items, addresses, strict=True):
        # Imports set submodules as attributes; dunder names are Python's own.
        if name in _PYTHONS_OWN or type(value) is ModuleType:
            continue
        labels = frozenset(label | {name} for label in entry.labels)
        shown = (type(value), value) if type(value) in PLAIN else identity
        number = description(value)
        for label in labels:
            prints[label].append(shown)
            if number is not None:
                kept[label].add(number)
        if module is None or not _is_found_elsewhere(value, module):
            named[identity] = named.get(identity, _NONE) | labels
    return named


def _is_found_elsewhere(value: Any, module: str) -> bool:
    """Return whether `value` is a class or function of another module, and looked at there."""
    if not issubclass(type(value), (type, FunctionType)) or value.__module__ == module:
        return False
    home = sys.modules.get(value.__module__)
    # What a decorator of another module returned cannot be found there.
    return home is None or home.__dict__.get(value.__name__) is value
