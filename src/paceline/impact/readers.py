"""What can be told of objects without running any of their code, and references do not show."""

from __future__ import annotations

import gc
import io
import itertools
import logging
import operator
import random
import sys
import threading
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from types import FunctionType, GeneratorType
from typing import Any, Final

from paceline.impact.memory import addresses, bytes_of, identities
from paceline.impact.values import (
    CACHE,
    CONTAINERS,
    LARGEST,
    OPAQUE,
    PLAIN,
    parts_of,
    printed,
    size,
)

#: Returns what references do not show of objects, as plain values and identities.
Reading = list[object] | bytes
Reader = Callable[[Sequence[Any]], Reading]

#: Of containers with more members only size and last member are compared.
_HUGE: Final = 100_000

#: What only tells how many steps are left.
_ITERATORS: Final[tuple[object, ...]] = (
    iter([]), iter(()), iter(range(0)), reversed([]), iter(set[int]()), iter(dict[int, int]()),
    iter(dict[int, int]().values()), iter(dict[int, int]().items()),
)  # fmt: skip

_ATTRIBUTES: Final = operator.attrgetter("__dict__")
#: References that asking for their number adds.
_OF_THE_CALL: Final = sys.getrefcount(object())


def container_reader(value: Any) -> Reader | None:
    """Return the reader for a list, dict or the like that need not be followed."""
    count = size(value)
    if count > LARGEST:
        if count <= _HUGE:
            return _members
        return sizes if type(value) not in CONTAINERS else _sizes_and_ends
    if type(value) is dict and not value:  # as of nearly each function that has a closure
        return _new_items
    if type(value) is dict and all(type(part) in PLAIN for item in value.items() for part in item):
        return _items
    return None


def _new_items(dicts: Sequence[dict[object, object]]) -> bytes:
    """Read whether anything came into dicts that were empty."""
    return b"items" if any(dicts) else b""


def _items(dicts: Sequence[dict[object, object]]) -> list[object]:
    # References of a dict do not show its keys. Put back, as in os.environ, values are equal only.
    found: list[object] = []
    for one in dicts:
        parts = [*one, *one.values()]
        kinds = [*map(type, parts)]
        if not PLAIN.issuperset(kinds):
            parts = [part if type(part) in PLAIN else id(part) for part in parts]
        found += (kinds, parts)
    return found


def attributes(functions: Sequence[Any]) -> bytes:
    """Read what the attributes of functions are."""
    return identities([value for one in functions for value in one.__dict__.values()])


def thread_attributes(objects: Sequence[Any]) -> list[object]:
    """Read what the attributes that this thread has in a local are and hold."""
    return [part for one in objects for value in one.__dict__.values() for part in _held(value)]


def _held(value: object) -> list[object]:
    """Return what tells the value apart, and its members or attributes."""
    if type(value) in OPAQUE or issubclass(type(value), type):
        return [printed(value)]
    if type(value) in CONTAINERS:
        members: Any = value if size(value) <= LARGEST else ()
    else:
        try:
            found = object.__getattribute__(value, "__dict__")
        except Exception:
            found = None  # it has none, or answers for another object
        members = found if type(found) is dict else ()
    parts = (
        [part for item in members.items() for part in item] if type(members) is dict else members
    )
    return [printed(value), *map(printed, parts)]


def new_attributes(functions: Sequence[FunctionType]) -> bytes:
    """Read whether functions that had no attribute got one."""
    return b"attributes" if any(map(_ATTRIBUTES, functions)) else b""


def _members(containers: Sequence[Any]) -> list[object]:
    return [identities(one if type(one) is list else parts_of(one)) for one in containers]


def sizes(containers: Sequence[Any]) -> list[object]:
    """Read how large containers are."""
    return [size(container) for container in containers]


def _sizes_and_ends(containers: Sequence[Any]) -> list[object]:
    found: list[object] = []
    for container in containers:
        last: object = None
        if type(container) in (list, tuple, deque):
            last = container[-1]
        elif type(container) is dict:
            last = next(reversed(container.values()))
        found += (len(container), printed(last))
    return found


def _context_values(variables: Sequence[ContextVar[Any]]) -> list[object]:
    found: list[object] = []
    for variable in variables:
        try:
            found += _held(variable.get())
        except LookupError:
            found.append(None)
    return found


def _entries(caches: Sequence[weakref.WeakKeyDictionary[Any, Any]]) -> list[object]:
    """Read the entries of each cache, but for those whose key nothing else can bring."""
    found: list[object] = []
    for cache in caches:
        data = cache.data  # type: ignore[attr-defined]
        for key in list(data):
            if key() is not None and _held_elsewhere(key, data):
                found += (id(key()), *_held(data[key]))
        found.append(None)
    return found


def _held_elsewhere(key: weakref.ref[Any], data: Any) -> bool:
    """Return whether anything but the key's own value keeps it alive.

    A cache of streams whose values are the streams themselves grows with every test, and no test
    ever finds the entry of another.
    """
    references = sys.getrefcount(key()) - _OF_THE_CALL
    value = data[key]
    if value is key():
        return references > 1
    return references > sum(part is key() for part in gc.get_referents(value))


def _positions(generators: Sequence[GeneratorType[Any, Any, Any]]) -> list[object]:
    frames = [one.gi_frame for one in generators]
    return [
        part
        for frame in frames
        for part in ((frame.f_lasti, *map(printed, frame.f_locals.values())) if frame else (None,))
    ]


def misses(caches: Sequence[Any]) -> list[object]:
    """Read how often caches did not have what was asked for."""
    return [CACHE.cache_info(cache).misses for cache in caches]


def in_cache(function: Any) -> list[object]:
    """Return what a function with a cache refers to, in an order that a hit does not change."""
    found = gc.get_referents(function)
    places = addresses(identities(found))
    return [found[number] for number in sorted(range(len(found)), key=places.__getitem__)]


def _steps_left(iterators: Sequence[Any]) -> list[object]:
    return list(map(operator.length_hint, iterators))


def _next_number(numbers: itertools.count[Any]) -> object:
    text = repr(numbers).removeprefix("count(").removesuffix(")")
    return (itertools.count, int(text)) if text.isdecimal() else text


def _texts(streams: Sequence[Any]) -> list[object]:
    return [None if one.closed else (one.tell(), one.getvalue()) for one in streams]


def settings_of_loggers(loggers: Sequence[logging.Logger]) -> list[object]:
    """Read what decides on what becomes of a message."""
    return [
        (one.name, one.level, one.disabled, one.propagate, identities(one.handlers))
        for one in loggers
    ]


def states_of_random(sources: Sequence[random.Random]) -> list[object]:
    """Read as `getstate` does, which makes 625 numbers of it (CPython, _randommodule.c)."""
    size = random.Random.__mro__[1].__basicsize__
    return [
        (bytes_of(one, size)[object.__basicsize__ :], vars(one).get("gauss_next"))
        for one in sources
    ]


def states_of_numpy(sources: Sequence[Any]) -> list[object]:
    """Read what NumPy's sources of random numbers keep in C, and what they draw their bits from."""
    found: list[object] = []
    for one in sources:
        bits = getattr(one, "bit_generator", None) or getattr(one, "_bit_generator", None)
        found.append([_memory(part) for part in (one, bits) if part is not None])
    return found


def _memory(thing: Any) -> bytes:
    """Return what an object made in C keeps, without how often it is referred to."""
    return bytes_of(thing, type(thing).__basicsize__)[object.__basicsize__ :]


#: What references do not show.
READERS: Final[dict[type, Reader]] = {
    **dict.fromkeys(map(type, _ITERATORS), _steps_left),
    enumerate: lambda iterators: [one.__reduce__()[1][1] for one in iterators],
    io.StringIO: _texts,
    io.BytesIO: _texts,
    array: lambda arrays: [one.tobytes() for one in arrays],
    threading.Event: lambda events: [one.is_set() for one in events],
    type(threading.Lock()): lambda locks: [one.locked() for one in locks],
    type(threading.RLock()): lambda locks: list(map(repr, locks)),  # owner and count
    logging.Logger: settings_of_loggers,
    random.Random: states_of_random,
    itertools.count: lambda counts: list(map(_next_number, counts)),
    bytearray: lambda arrays: list(map(bytes, arrays)),
    GeneratorType: _positions,
    ContextVar: _context_values,
    weakref.WeakKeyDictionary: _entries,
}


def learn() -> None:
    """Take in what is to be read of libraries that were imported meanwhile."""
    numpy = sys.modules.get("numpy.random")
    if numpy is None or getattr(numpy, "Generator", None) in READERS:
        return
    for name in ("Generator", "RandomState", "MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        if isinstance(kind := getattr(numpy, name, None), type):
            READERS[kind] = states_of_numpy


def shown(value: Any, reading: Reading) -> list[object]:
    """Return what is compared by name: equal plain values are equal, whichever object."""
    if type(value) is dict and len(value) <= LARGEST:
        return [printed(part) for item in value.items() for part in item]
    return [reading] if isinstance(reading, bytes) else reading


def joined(first: Reading | None, second: Reading) -> Reading:
    """Return what a reader gives for the objects of two readings together."""
    if isinstance(first, bytes) and isinstance(second, bytes):
        return first + second
    return second if first is None else [*first, *second]
