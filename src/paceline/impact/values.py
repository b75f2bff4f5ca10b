"""Which values never change, which hold others, and which hold nothing that can change."""

from __future__ import annotations

import builtins
import functools
import re
import sys
import weakref
from collections import deque
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
    TracebackType,
    WrapperDescriptorType,
)
from typing import Any, Final

#: Values that are compared by value.
PLAIN: Final[frozenset[type]] = frozenset((int, float, str, bytes, bool, type(None), complex))
#: Values without state of their own.
OPAQUE: Final = frozenset(
    (
        *PLAIN, ModuleType, BuiltinFunctionType, CodeType, FrameType, TracebackType, re.Pattern,
        WrapperDescriptorType, MemberDescriptorType, GetSetDescriptorType, object, weakref.ref,
    )
)  # fmt: skip
#: Of these some hold state after all.
_LEADING_ON: Final = frozenset((ModuleType, BuiltinFunctionType))
#: What only leads on to the object in it.
WRAPPERS: Final = frozenset((classmethod, staticmethod, property, CellType))
#: The class of functions with a cache around them.
CACHE: Final = type(functools.lru_cache(len))
CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_PLAIN_CONTAINERS: Final = frozenset(CONTAINERS)

#: Values that never change, beside the plain ones: they are kept, so that no other takes their
#: place in memory. Of modules in C, which nobody replaces, where they are imported.
_NEVER_CHANGING: Final = frozenset((re.Pattern, CodeType, range))
_IN_C: Final = {
    "_datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "_decimal": ("Decimal",),
}
_FIXED: Final = (tuple, frozenset)
#: Containers with more members are followed no further: only which members they have counts.
LARGEST: Final = 1000
#: So deep is looked whether a tuple of tuples holds nothing but values.
_NESTED: Final = 4

_BUILTINS: Final = builtins.__dict__


def printed(value: object) -> object:
    """Return what is compared of `value` by name: plain values by value, 1 and True apart."""
    kind = type(value)
    return (kind, value) if kind in PLAIN else id(value)


def value_types() -> frozenset[type]:
    """Return the types whose objects never change."""
    found = [
        getattr(sys.modules[module], name)
        for module, names in _IN_C.items()
        if module in sys.modules
        for name in names
    ]
    return _NEVER_CHANGING.union(PLAIN, found)


def is_value(value: object, types: frozenset[type], depth: int = _NESTED) -> bool:
    """Return whether `value`, with all that is in it, never changes: of `types`, or of tuples."""
    kind = type(value)
    if kind in types:
        return True
    if depth == 0 or not issubclass(kind, _FIXED) or kind.__dictoffset__ or size(value) > LARGEST:
        return False
    parts = parts_of(value)
    return types.issuperset(map(type, parts)) or all(
        is_value(part, types, depth - 1) for part in parts
    )


def is_opaque(value: Any) -> bool:
    """Return whether there is no state in `value`, nor behind it.

    A module that code made for itself is an object like others, and so is that of which a method
    in C is kept.
    """
    kind = type(value)
    if kind not in _LEADING_ON:
        return kind in OPAQUE
    if kind is ModuleType:
        return "__file__" in value.__dict__ or value.__dict__.get("__spec__") is not None
    return value.__self__ is None or issubclass(type(value.__self__), (ModuleType, type))


def size(container: Any) -> int:
    """Return the size of a container, whatever its class makes of `len`."""
    kind = type(container)
    return len(container) if kind in _PLAIN_CONTAINERS else int(_base(kind).__len__(container))


def parts_of(container: Any) -> list[object]:
    """Return the members of a container, whatever its class makes of them, and a dict's keys."""
    base = _base(type(container))
    keys = list(base.__iter__(container))
    return [*keys, *dict.values(container)] if base is dict else keys


def _base(kind: type) -> Any:
    for base in CONTAINERS:
        if issubclass(kind, base):
            return base
    raise TypeError(f"{kind} is no container")


def is_namespace_of_module(value: dict[object, object]) -> bool:
    """Return whether `value` holds the globals of a module."""
    return "__builtins__" in value or value is _BUILTINS


def notes_of_copying(value: object) -> object:
    """Return what copying and pickling keep in the namespace of a class, of which it tells all."""
    return value.get("__slotnames__") if type(value) is dict else None


def has_state(function: FunctionType) -> bool:
    """Return whether calls can leave something in the defaults or attributes of a function."""
    attributes = function.__dict__  # made on first use: before references are listed
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
