"""Which words of memory tell of a change in what an object refers to, or in what is read of it.

They are of the object itself, or apart from it, as the items of a list are (CPython's structs, as
in Python 3.10 to 3.12; whether this Python lays out its objects so is tried once).
"""

from __future__ import annotations

import itertools
import logging
import random
import sys
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_char
from functools import partial
from gc import get_referents
from types import (
    BuiltinMethodType,
    CellType,
    FunctionType,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    SimpleNamespace,
)
from typing import Any, Final

from paceline.impact import readers
from paceline.impact.memory import (
    ADDRESS_BYTES,
    DICTS_HAVE_VERSIONS,
    VERSION_AT,
    addresses,
    identities,
)
from paceline.impact.reached import Change
from paceline.impact.readers import READERS, Reader
from paceline.impact.values import CACHE

#: Words of memory, read when they are joined.
Words = Any
#: The words of an object, and those apart from it: to be read only if the first are as they were.
Told = tuple[list[Words], list[Words]]

#: More bytes are not read at once.
MOST: Final = 1 << 19

#: All memory: a part of it is read where it is, and only when it is asked for.
_MEMORY: Final = memoryview((c_char * sys.maxsize).from_address(0))
_HEAD: Final = object.__basicsize__
_TYPE_AT: Final = _HEAD - ADDRESS_BYTES
#: Read without asking the class's own class, which may answer anything.
_flags_of: Final[Callable[[type], int]] = type.__dict__["__flags__"].__get__
_size_of: Final[Callable[[type], int]] = type.__dict__["__basicsize__"].__get__
_dict_at: Final[Callable[[type], int]] = type.__dict__["__dictoffset__"].__get__
_weak_at: Final[Callable[[type], int]] = type.__dict__["__weakrefoffset__"].__get__
#: Flags of a type (object.h): its objects refer to others, of all else `gc.get_referents` lists
#: nothing; from Python 3.11 on, words before the object tell where its attributes are.
_COLLECTED: Final = 1 << 14
_ATTRIBUTES_BEFORE: Final = 1 << 4
_IMMUTABLE: Final = frozenset((tuple, frozenset))
#: All that objects of these types refer to stands in so many bytes of their own words. The last
#: word of a function tells of nothing that is kept.
_IN_PLACE: Final[dict[type, int]] = {
    **{
        kind: _size_of(kind) - _HEAD
        for kind in (
            CellType, MethodType, BuiltinMethodType, MethodDescriptorType, MappingProxyType,
            property, classmethod, staticmethod, type(vars(Change)["steps"]),
        )
    },
    FunctionType: _size_of(FunctionType) - _HEAD - ADDRESS_BYTES,
}  # fmt: skip
#: What a reader reads of these stands in their own words, or in their attributes.
_READ_IN_PLACE: Final = frozenset(
    (type(threading.Lock()), type(threading.RLock()), itertools.count)
)
_READ_IN_ATTRIBUTES: Final = frozenset((random.Random, threading.Event, logging.Logger))
_OF_FUNCTIONS: Final = frozenset((readers.attributes, readers.new_attributes))


class CannotTell(Exception):
    """Something is in reach of which no words tell."""


def placed(objects: Sequence[Any]) -> Iterator[tuple[Any, int]]:
    """Yield each object with its place in memory."""
    return zip(objects, addresses(identities(objects)), strict=True)


def _at(place: int, size: int) -> Words:
    if size > MOST:
        raise CannotTell
    return _MEMORY[place : place + size]


def _number(place: int) -> int:
    return int.from_bytes(_word(place), sys.byteorder)


def _word(place: int) -> Words:
    return _MEMORY[place : place + ADDRESS_BYTES]


def _version(place: int) -> Words:
    return _word(place + VERSION_AT)


def versions(*dicts: dict[Any, Any]) -> list[Words]:
    """Return the number of the last change of each dict."""
    return list(map(_version, addresses(identities(dicts))))


def words_of(value: Any, place: int, bases: dict[type, type | None]) -> Told:
    """Return the words that tell what an object refers to; raise CannotTell if none do.

    `bases` are noted, for each class what it derives from that was made in C.
    """
    kind = type(value)
    if kind is dict:
        return [_version(place)], []
    if kind in _IMMUTABLE or not _flags_of(kind) & _COLLECTED:
        return [], []
    if kind in _IN_PLACE:
        return [_at(place + _HEAD, _IN_PLACE[kind])], []
    if issubclass(kind, type):
        return [_word(place + offset) for offset in _BASES_AT], []
    if kind not in bases:
        bases[kind] = _base_in_c(kind)
    base = bases[kind]
    if base in _VALUES:
        return _words_of_value(value, base, place), []
    if base not in _APART:
        raise CannotTell
    return _words_of_object(kind, place), list(_APART[base](place))


def _items(place: int) -> Iterator[Words]:
    """Yield the items of a list, which has their number and place (listobject.h)."""
    if size := _number(place + 16):
        yield _at(_number(place + 24), size * ADDRESS_BYTES)


def _members(place: int) -> Iterator[Words]:
    """Yield the table of a set, each entry of two words, as many as its mask has (setobject.h)."""
    yield _at(_number(place + 40), (_number(place + 32) + 1) * 2 * ADDRESS_BYTES)


def _blocks(place: int) -> Iterator[Words]:
    """Yield the blocks that a deque keeps its items in, each linked to the next (_collections.c).

    How many changes there were is in the deque itself, but for items that were replaced.
    """
    block, last = _number(place + 24), _number(place + 32)
    while True:
        yield _at(block, 66 * 8)
        if block == last:
            return
        block = _number(block + 65 * 8)


def _nothing(_: int) -> Iterator[Words]:
    return iter(())


#: What stands apart from objects of these classes, or of those made in Python that derive from
#: them. A dict has the number of its last change in its own words.
_APART: Final[dict[type | None, Callable[[int], Iterator[Words]]]] = {
    **dict.fromkeys(
        (
            object, dict, OrderedDict, defaultdict, SimpleNamespace, partial, property,
            str, float, frozenset,  # what is in these never changes
        ),
        _nothing,
    ),
    list: _items,
    set: _members,
    deque: _blocks,
}  # fmt: skip
#: What is in objects of these never changes, and has no fixed size: what derives from them has
#: attributes, but no slots.
_VALUES: Final[frozenset[type | None]] = frozenset((int, bytes, tuple))


def _words_of_object(kind: type, place: int) -> list[Words]:
    """Return the words of the object itself: its class, slots or the like, and attributes."""
    size, weak = _size_of(kind), _weak_at(kind)
    ends = [_TYPE_AT, size]
    if weak > 0:  # who refers to it weakly changes nothing
        ends[1:1] = [weak, weak + ADDRESS_BYTES]
    own = [
        _at(place + start, end - start)
        for start, end in zip(ends[::2], ends[1::2], strict=True)
        if end > start
    ]
    return own + _words_before(kind, place)


def _words_of_value(value: Any, base: Any, place: int) -> list[Words]:
    """Return the words of an object that only its attributes can change, and its class."""
    own = [_word(place + _TYPE_AT), *_words_before(type(value), place)]
    if len(own) == 1 and _dict_at(type(value)):  # after what it is, as long as that may be
        end = -(-base.__sizeof__(value) // ADDRESS_BYTES) + 2
        at = _where(place, object.__getattribute__(value, "__dict__"), end * ADDRESS_BYTES)
        if at < 0:
            raise CannotTell
        own.append(_word(place + at))
    return own


def _words_before(kind: type, place: int) -> list[Words]:
    """Return the word that tells where an object's attributes are, if it stands before it.

    Attributes that have no dict yet change where they are. Then the word before has their place
    in Python 3.11, and the last bit of the word itself is set in 3.12 (pycore_object.h).
    """
    if not _flags_of(kind) & _ATTRIBUTES_BEFORE:
        return []
    if _number(place - 32) if sys.version_info < (3, 12) else _number(place - 24) & 1:
        raise CannotTell
    return [_word(place - 24)]


def words_of_cache(function: Any) -> Told:
    """Return the words of a function with a cache: of its dicts, of which one is the cache."""
    (place,) = addresses(identities([function]))
    dicts = [one for one in get_referents(function) if type(one) is dict]
    return [_word(place + CACHE.__dictoffset__)], versions(*dicts)


def words_read(reader: Reader, value: Any, place: int) -> Told:
    """Return the words that tell what a reader would read; raise CannotTell if none do."""
    kind = type(value)
    if kind is FunctionType and reader in _OF_FUNCTIONS:
        kept = _number(place + _ATTRIBUTES_AT)
        return [_word(place + _ATTRIBUTES_AT)], [_version(kept)] if kept else []
    if kind is dict:
        return [_version(place)], []
    if READERS.get(kind) is reader and kind in _READ_IN_PLACE:
        return [_at(place + _HEAD, _size_of(kind) - _HEAD)], []
    if READERS.get(kind) is reader and kind in _READ_IN_ATTRIBUTES:
        attributes = vars(value)  # made on first use: before its place is read
        return _words_of_object(kind, place), versions(attributes)
    raise CannotTell


def _base_in_c(kind: type) -> type | None:
    """Return what a class is, or derives from, that was not made by a `class` statement.

    Those that were have the same function that takes objects apart (typeobject.c,
    subtype_dealloc). There may be several in C only if one derives from the other.
    """
    mro = type.__getattribute__(kind, "__mro__")
    in_c = [one for one, place in placed(mro) if _number(place + _DEALLOC_AT) != _DEALLOC]
    return in_c[0] if all(issubclass(in_c[0], one) for one in in_c) else None


def _where(place: int, sought: object, size: int) -> int:
    """Return where among the words of an object there is the place of another; -1: nowhere."""
    words = addresses(bytes(_at(place, size)))
    (address,) = addresses(identities([sought]))
    numbers = [number for number, word in enumerate(words) if word == address]
    return numbers[0] * ADDRESS_BYTES if numbers else -1


class _Sample:
    """A class as any other, to see how Python lays out what is made like it."""


#: Where a class keeps how its objects are taken apart: after its head, name and two sizes.
_DEALLOC_AT: Final = tuple.__basicsize__ + 3 * ADDRESS_BYTES
_SAMPLE_AT, _FUNCTION_AT = addresses(identities([_Sample, _base_in_c]))
_DEALLOC: Final = _number(_SAMPLE_AT + _DEALLOC_AT)
#: Where it has what it derives from.
_BASES_AT: Final = tuple(
    _where(_SAMPLE_AT, sought, _size_of(type))
    for sought in (_Sample.__base__, _Sample.__bases__, _Sample.__mro__)
)
#: Where a function has its attributes.
_ATTRIBUTES_AT: Final = _where(_FUNCTION_AT, vars(_base_in_c), _IN_PLACE[FunctionType])


def _tells(value: Any, change: Callable[[], object]) -> bool:
    """Return whether a change of `value` shows in its words."""
    (place,) = addresses(identities([value]))
    own, apart = words_of(value, place, {})
    before = b"".join(own), b"".join(apart)
    change()
    return before[0] != b"".join(own) or before[1] != b"".join(apart)


def _is_known() -> bool:
    """Return whether Python lays out its objects as is supposed here."""
    if not DICTS_HAVE_VERSIONS or ADDRESS_BYTES != 8 or _HEAD != 16:
        return False
    if -1 in (*_BASES_AT, _ATTRIBUTES_AT) or CACHE.__dictoffset__ <= 0:
        return False
    items: list[object] = [object()]
    members: set[object] = {1, 2, 3}
    row: deque[object] = deque(range(200))
    one: Any = _Sample()
    vars(one)["first"] = 1

    def function(given: list[object] = []) -> None:  # noqa: B006 - what it keeps is looked at
        pass

    return all(
        _tells(value, change)
        for value, change in (
            (items, lambda: items.__setitem__(0, object())),
            (items, lambda: items.append(1)),
            (members, lambda: members.symmetric_difference_update((1, "1"))),
            (members, lambda: members.update(range(100))),
            (row, lambda: row.append(1)),
            (row, lambda: row.__setitem__(100, object())),
            (function, lambda: setattr(function, "__defaults__", ([],))),
            (vars(one), lambda: setattr(one, "first", 2)),
            (one, lambda: setattr(one, "__dict__", {"first": 1})),
        )
    )


IS_KNOWN: Final = _is_known()
