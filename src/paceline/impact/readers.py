"""What can be told of objects without running any of their code: identities and readings."""

from __future__ import annotations

import builtins
import ctypes
import functools
import gc
import io
import itertools
import logging
import operator
import random
import re
import sys
import threading
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
    TracebackType,
    WrapperDescriptorType,
)
from typing import Any, Final

#: Returns what references do not show of objects, as plain values and identities.
Reading = list[object] | bytes
Reader = Callable[[Sequence[Any]], Reading]

#: Containers with more members are followed no further; size and last member count.
LARGEST: Final = 1000

#: Values that are compared by value.
PLAIN: Final = frozenset((int, float, str, bytes, bool, type(None), complex))
#: Values without state of their own.
OPAQUE: Final = frozenset(
    (
        *PLAIN, ModuleType, BuiltinFunctionType, CodeType, FrameType, TracebackType, re.Pattern,
        WrapperDescriptorType, MemberDescriptorType, GetSetDescriptorType, object, weakref.ref,
    )
)  # fmt: skip
#: What only leads on to the object in it.
WRAPPERS: Final = frozenset((classmethod, staticmethod, property, CellType))
CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)


_ATTRIBUTES: Final = operator.attrgetter("__dict__")
_BUILTINS: Final = builtins.__dict__
#: References that asking for their number adds.
_OF_THE_CALL: Final = sys.getrefcount(object())
ADDRESS_BYTES: Final = ctypes.sizeof(ctypes.c_void_p)
#: What comes before the items of a tuple, and before the address of a list's.
_HEAD: Final = tuple.__basicsize__
#: Return a copy of memory: `ctypes.string_at` without the function of Python around it.
_bytes_at: Final[Callable[[int, int], bytes]] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t
)(("PyBytes_FromStringAndSize", ctypes.pythonapi))
#: The same of the memory of an object itself, from its beginning.
_bytes_of: Final[Callable[[object, int], bytes]] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t
)(("PyBytes_FromStringAndSize", ctypes.pythonapi))


def printed(value: object) -> object:
    """Return what is compared of `value` by name: plain values by value, 1 and True apart."""
    kind = type(value)
    return (kind, value) if kind in PLAIN else id(value)


def identities(objects: Sequence[object]) -> bytes:
    """Return the identities of all objects, as an array of addresses.

    Every call of `id` is an audit event, and many times as slow where a hook listens, so the
    addresses are taken from memory: a list points to its items, a tuple ends with them (CPython,
    listobject.h and tupleobject.h).
    """
    if _LISTS_SHOW_ITEMS and type(objects) is list:
        return _identities_in_list(objects)
    items = tuple(objects)
    return _bytes_of(items, tuple.__basicsize__ + len(items) * ADDRESS_BYTES)[_HEAD:]


def _identities_in_list(objects: list[Any]) -> bytes:
    place = int.from_bytes(_bytes_of(objects, _HEAD + ADDRESS_BYTES)[_HEAD:], sys.byteorder)
    return _bytes_at(place, len(objects) * ADDRESS_BYTES) if place else b""


def _lists_show_items() -> bool:
    """Return whether a list is laid out as it has always been: head, place of items, room."""
    some: list[object] = [object(), None, 1]
    laid_out = list.__basicsize__ == tuple.__basicsize__ + 2 * ADDRESS_BYTES
    return laid_out and _identities_in_list(some) == identities(tuple(some))


_LISTS_SHOW_ITEMS = False  # until that was tried
_LISTS_SHOW_ITEMS = _lists_show_items()


def addresses(identities: bytes) -> array[int]:
    """Return the identities one by one."""
    return array("Q" if ADDRESS_BYTES == 8 else "L", identities)


def size(container: Any) -> int:
    """Return the size of a container, whatever its class makes of `len`."""
    base = next(kind for kind in CONTAINERS if issubclass(type(container), kind))
    return int(base.__len__(container))


def container_reader(value: Any) -> Reader | None:
    """Return the reader for a list, dict or the like that need not be followed."""
    if size(value) > LARGEST:
        return sizes if type(value) not in CONTAINERS else _sizes_and_ends
    if type(value) is dict and all(type(part) in PLAIN for item in value.items() for part in item):
        return _items
    return None


def is_namespace_of_module(value: dict[object, object]) -> bool:
    """Return whether `value` holds the globals of a module."""
    return "__builtins__" in value or value is _BUILTINS


def notes_of_copying(value: object) -> object:
    """Return what copying and pickling keep in the namespace of a class, of which it tells all."""
    return value.get("__slotnames__") if type(value) is dict else None


def _items(dicts: Sequence[dict[object, object]]) -> list[object]:
    # References of a dict do not show its keys. Put back, as in os.environ, values are equal only.
    parts = [part for one in dicts for part in (*one, *one.values())]
    kinds = list(map(type, parts))
    if not PLAIN.issuperset(kinds):
        parts = [part if type(part) in PLAIN else id(part) for part in parts]
    return list(itertools.chain.from_iterable(zip(kinds, parts, strict=True)))


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


def _misses(caches: Sequence[Any]) -> list[object]:
    return [cache.cache_info().misses for cache in caches]  # a hit only changes the order


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
        (one.name, one.level, one.disabled, one.propagate, *map(id, one.handlers))
        for one in loggers
    ]


def _states_of_random(sources: Sequence[random.Random]) -> list[object]:
    # As `getstate`, which makes 625 numbers of it (CPython, _randommodule.c).
    size = random.Random.__mro__[1].__basicsize__
    return [
        (_bytes_of(one, size)[object.__basicsize__ :], vars(one).get("gauss_next"))
        for one in sources
    ]


#: What references do not show.
READERS: Final[dict[type, Reader]] = {
    **dict.fromkeys(map(type, (iter([]), iter(()), iter(range(0)), reversed([]))), _steps_left),
    io.StringIO: _texts,
    io.BytesIO: _texts,
    array: lambda arrays: [one.tobytes() for one in arrays],
    threading.Event: lambda events: [one.is_set() for one in events],
    type(threading.Lock()): lambda locks: [one.locked() for one in locks],
    type(threading.RLock()): lambda locks: list(map(repr, locks)),  # owner and count
    logging.Logger: settings_of_loggers,
    random.Random: _states_of_random,
    type(functools.lru_cache(len)): _misses,
    itertools.count: lambda counts: list(map(_next_number, counts)),
    bytearray: lambda arrays: list(map(bytes, arrays)),
    GeneratorType: _positions,
    ContextVar: _context_values,
    weakref.WeakKeyDictionary: _entries,
}


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


def has_state(function: FunctionType) -> bool:
    """Return whether calls can leave something inside the function itself."""
    attributes = function.__dict__  # made on first use: before references are listed
    if function.__closure__:
        return True
    kept = (
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
        *attributes.values(),
    )
    return not all(type(value) in OPAQUE for value in kept)


def keeps_state(function: FunctionType, part: object) -> bool:
    """Return whether `part` is where a function can keep something, unlike its annotations."""
    return part is not None and (
        part is function.__closure__
        or part is function.__defaults__
        or part is function.__kwdefaults__
        or part is function.__dict__
    )
