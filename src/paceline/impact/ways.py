"""How to look into a value, by what it is: what it refers to, what can be read of it, or not.

What a library keeps for itself is left alone after a few steps.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from gc import get_referents
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact import memory, readers, values
from paceline.impact.reached import Home, Label
from paceline.impact.readers import READERS, Reader
from paceline.impact.values import CACHE, CONTAINERS, LARGEST, PLAIN, WRAPPERS

#: Steps from a global or an attribute of one: its items, their attributes ...
DEPTH: Final = 8

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

#: The label of a module's globals, to which each adds its name.
ROOT: Final = frozenset((Label(),))


class Entry(NamedTuple):
    """An object that is looked into, the labels its members get, and the steps that are left.

    `names` has its members by name where it is a namespace: they get labels of their own.
    `namespace` is the identity of the dict that only leads on to the object's attributes, and
    `top` tells whether these get labels. Of a function, `closure` tells that it keeps nothing but
    there.
    """

    value: object
    labels: frozenset[Label]
    steps: int
    names: Mapping[str, Any] | None = None
    namespace: int = 0
    top: bool = False
    closure: bool = False

    def referents(self) -> list[Any]:
        """Return what the object refers to, as far as something may be kept there."""
        value: Any = self.value
        if self.closure:
            return get_referents(value.__closure__)
        return get_referents(readers.in_cache(value) if type(value) is CACHE else value)


class Ways:
    """Tells how to look into values; `counts` tells which files are the project's.

    `borrowed` are the classes and functions that were found and belong to another module, `alive`
    the values that are told apart by their identity, `known` those of the look before. All are of
    one look.
    """

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._own_types: dict[type, bool] = {}
        self.begin()

    def begin(self, known: Sequence[object] = ()) -> None:
        """Begin a new look, where some values are `known` to be nothing but values."""
        self.known = frozenset(memory.addresses(memory.identities(known)))
        self.borrowed: defaultdict[Home, set[Label]] = defaultdict(set)
        self.alive: list[object] = []
        self._value_types = values.value_types()

    def follow(
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
        if type(entry.value) is FunctionType and not values.keeps_state(entry.value, value):
            return None
        return READERS[kind] if kind in READERS else self._into(value, labels, entry)

    def _into(self, value: Any, labels: frozenset[Label], entry: Entry) -> Entry | Reader | None:
        kind = type(value)
        if kind is dict and values.is_namespace_of_module(value):
            return None
        if issubclass(kind, (type, FunctionType)) and self._is_borrowed(value, labels, entry):
            return None
        if values.is_value(value, self._value_types):
            self.alive.append(value)
            return None
        if kind is FunctionType:
            return self._into_function(value, labels, entry)
        return self._by_reader(value) or self._into_object(value, labels, entry)

    def _by_reader(self, value: Any) -> Reader | None:
        """Return the reader that tells all of `value`, if there is one."""
        kind = type(value)
        if kind is CACHE:
            return readers.misses if CACHE.cache_info(value).currsize > LARGEST else None
        if issubclass(kind, threading.local):
            return readers.thread_attributes
        if issubclass(kind, CONTAINERS):
            if values.size(value) > LARGEST:
                self.alive += [part for part in values.parts_of(value) if type(part) in PLAIN]
            return readers.container_reader(value)
        return memory.buffers if memory.has_buffer(value) else None

    def _into_function(
        self, value: FunctionType, labels: frozenset[Label], entry: Entry
    ) -> Entry | Reader | None:
        has_state = values.has_state(value)
        if has_state or value.__closure__:
            if self._is_stand_in(value):
                return None
            closure = not has_state and not value.__dict__
            return Entry(value, labels, entry.steps, closure=closure)
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

    def _into_object(self, value: object, labels: frozenset[Label], entry: Entry) -> Entry | None:
        kind, steps = type(value), entry.steps - 1
        if kind is CACHE:
            return Entry(value, labels, entry.steps)
        if kind in CONTAINERS:
            return Entry(value, labels, steps)
        top = entry.names is not None and entry.labels == ROOT
        if issubclass(kind, type):
            return self._into_class(value, labels, steps, top=top)  # type: ignore[arg-type]
        own = self._is_own(kind)
        if not own and self._keeps_books(kind):
            return None
        if not own and not issubclass(kind, CONTAINERS):
            steps = min(steps, FOREIGN_DEPTH)
        return _attributes(value, labels, steps, top=top and own)

    def _into_class(
        self, value: type, labels: frozenset[Label], steps: int, *, top: bool
    ) -> Entry | None:
        if not self._is_own(value):
            return None
        (namespace,) = get_referents(value.__dict__)
        return Entry(value, labels, steps, namespace=id(namespace), top=top)

    def _keeps_books(self, kind: type) -> bool:
        kept = (kind.__module__ or "").startswith(BOOKKEEPING)
        return kept and not (kind.__name__ == _FIXTURE or issubclass(kind, _CONFIGURED))

    def _is_borrowed(self, value: Any, labels: frozenset[Label], entry: Entry) -> bool:
        """Return whether `value` is looked at elsewhere, and note it: classes are found often."""
        if entry.labels == ROOT:
            return False
        home = self._home(value)
        if home is not None:
            self.borrowed[home] |= labels
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


def _attributes(value: object, labels: frozenset[Label], steps: int, *, top: bool) -> Entry:
    """Return how to look into an object, where its attributes get labels if it is at the `top`."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:
        return Entry(value, labels, steps)  # it has none, or answers for another object
    if any(part is attributes for part in get_referents(value)):
        return Entry(value, labels, steps, namespace=id(attributes), top=top)
    # From Python 3.13 an object may refer to its attributes itself.
    return Entry(value, labels, steps, attributes if top else None)
