"""What CPython keeps in memory of objects, read without running any of their code.

Where objects are tells whether they are the same ones. Arrays in C show their memory as a buffer.
"""

from __future__ import annotations

import ctypes
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import FunctionType
from typing import Any, Final

ADDRESS_BYTES: Final = ctypes.sizeof(ctypes.c_void_p)
#: What comes before the items of a tuple, and before the address of a list's.
_HEAD: Final = tuple.__basicsize__
#: Return a copy of memory: `ctypes.string_at` without the function of Python around it.
_bytes_at: Final[Callable[[int, int], bytes]] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t
)(("PyBytes_FromStringAndSize", ctypes.pythonapi))
#: The same of the memory of an object itself, from its beginning.
bytes_of: Final[Callable[[object, int], bytes]] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t
)(("PyBytes_FromStringAndSize", ctypes.pythonapi))

#: So many items of a list are copied in less time than it takes to find their place.
_FEW: Final = 256

#: Of a larger buffer a checksum is compared.
_LARGE: Final = 1 << 12


def identities(objects: Sequence[object]) -> bytes:
    """Return the identities of all objects, as an array of addresses.

    Every call of `id` is an audit event, and many times as slow where a hook listens, so the
    addresses are taken from memory: a list points to its items, a tuple ends with them (CPython,
    listobject.h and tupleobject.h).
    """
    if type(objects) is list and len(objects) > _FEW and _LISTS_SHOW_ITEMS:
        return _identities_in_list(objects)
    items = tuple(objects)
    return bytes_of(items, tuple.__basicsize__ + len(items) * ADDRESS_BYTES)[_HEAD:]


def _identities_in_list(objects: list[Any]) -> bytes:
    place = int.from_bytes(bytes_of(objects, _HEAD + ADDRESS_BYTES)[_HEAD:], sys.byteorder)
    return _bytes_at(place, len(objects) * ADDRESS_BYTES) if place else b""


def _lists_show_items() -> bool:
    """Return whether a list is laid out as it has always been: head, place of items, room."""
    some: list[object] = [object(), None, 1]
    laid_out = list.__basicsize__ == tuple.__basicsize__ + 2 * ADDRESS_BYTES
    return laid_out and _identities_in_list(some) == identities(some)


_LISTS_SHOW_ITEMS = False  # until that was tried
_LISTS_SHOW_ITEMS = _lists_show_items()


#: Where the number of a dict's last change is: after the head and how many items it has.
VERSION_AT: Final = object.__basicsize__ + ADDRESS_BYTES
_VERSION: Final = ctypes.c_char * ctypes.sizeof(ctypes.c_uint64)


class Versions:
    """Tells whether any of some dicts may have been changed; these are kept.

    Up to Python 3.12 each change of any dict has a number, which stands in the dict itself
    (PEP 509, `ma_version_tag`). Else what the dicts hold is compared, which takes longer: each
    object is touched.
    """

    def __init__(self, dicts: Sequence[Mapping[Any, Any]]) -> None:
        self._dicts = list(dicts)
        self._numbers: list[Any] = []
        if DICTS_HAVE_VERSIONS and all(isinstance(one, dict) for one in dicts):
            places = addresses(identities(self._dicts))
            self._numbers = [_VERSION.from_address(place + VERSION_AT) for place in places]
        self._seen = self._look()

    @property
    def numbered(self) -> bool:
        """Whether numbers are compared, so that new keys of the same values show as well."""
        return bool(self._numbers)

    def changed(self) -> bool:
        """Return whether any of them may have changed since the last call."""
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> bytes:
        return b"".join(self._numbers) or held(self._dicts)


def held(dicts: Iterable[Mapping[Any, Any]]) -> bytes:
    """Return the identities of all values in dicts.

    Not what these refer to: from Python 3.13 objects may do so themselves for their attributes.
    """
    return identities([*chain.from_iterable(one.values() for one in dicts)])


def _dicts_have_versions() -> bool:
    """Return whether all changes of a dict show in its number, and nothing else does."""
    one: dict[str, object] = {"a": 1}
    changes: tuple[Callable[[], object], ...] = (
        lambda: one.update(b=2), lambda: one.update(b=3), lambda: one.pop("b"), one.clear,
        lambda: one.setdefault("c", []), one.popitem,
    )  # fmt: skip
    numbers = [_number_of(one)]
    for change in changes:
        change()
        numbers.append(_number_of(one))
        if _number_of(one) != numbers[-1]:
            return False
    return sys.version_info < (3, 13) and len({*numbers}) == len(numbers)


def _number_of(one: dict[Any, Any]) -> bytes:
    return bytes_of(one, VERSION_AT + ctypes.sizeof(_VERSION))[VERSION_AT:]


DICTS_HAVE_VERSIONS: Final = _dicts_have_versions()


def addresses(identities: bytes) -> array[int]:
    """Return the identities one by one."""
    return array("Q" if ADDRESS_BYTES == 8 else "L", identities)


def has_buffer(value: Any) -> bool:
    """Return whether C code keeps what the object holds in memory that it shows as a buffer."""
    of_python = any(
        type(type.__getattribute__(kind, "__dict__").get("__buffer__")) is FunctionType
        for kind in type.__getattribute__(type(value), "__mro__")
    )
    return not of_python and _buffer(value) is not None


def buffers(values: Sequence[Any]) -> list[object]:
    """Read what is in the memory of arrays."""
    return list(map(_buffer, values))


def _buffer(value: Any) -> object:
    """Return the memory of an array, a checksum of it if it is large, None if it shows none."""
    try:
        with memoryview(value) as view:
            if view.nbytes <= _LARGE:
                return view.tobytes()
            return view.nbytes, zlib.crc32(view if view.c_contiguous else view.tobytes())
    except (TypeError, ValueError, BufferError, NotImplementedError):
        return None
