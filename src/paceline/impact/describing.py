"""What values are, told alike in every process, so that two runs can be compared."""

from __future__ import annotations

import os
import re
import tempfile
import zlib
from collections.abc import Iterable
from types import FunctionType
from typing import Any, Final, cast

from paceline.impact.values import CONTAINERS, PLAIN

#: Larger numbers are times, sizes or addresses.
_LARGEST_NUMBER: Final = 99_999
#: What digests, times and unique names look like.
_BY_CHANCE: Final = re.compile(rb"[0-9a-fA-F]{8}|\d{5}")
_TEMPORARY: Final = os.fsencode(tempfile.gettempdir())
_SHORTEST: Final = min(5, len(_TEMPORARY))


def described(values: Iterable[Any]) -> set[int]:
    """Return the numbers of all values that have one."""
    numbers = set(map(description, values))
    numbers.discard(None)
    return cast("set[int]", numbers)


def description(value: Any) -> int | None:
    """Return a number for the value that is the same in any process, of an object for its kind.

    There is none for what looks like chance: a time, a digest, the name of a temporary file.
    """
    kind = type(value)
    if kind is float or (kind is int and abs(value) > _LARGEST_NUMBER):
        return None
    if kind is str or kind is bytes:
        text = value if kind is bytes else value.encode("utf-8", "surrogatepass")
        if len(text) >= _SHORTEST and (_TEMPORARY in text or _BY_CHANCE.search(text)):
            return None
    elif kind in PLAIN:
        text = b"%d" % hash(value) if value is not None else b""
    elif kind is FunctionType:
        text = value.__qualname__.encode("utf-8", "surrogatepass")
    elif issubclass(kind, type):
        text = _name_of(value)
    else:
        text = b""
    return zlib.crc32(text, _begun.get(kind) or _begin(kind))


def _begin(kind: type) -> int:
    """Return the checksum of what comes before the text of a value of that kind."""
    return zlib.crc32(b"%s " % _name_of(kind))


def _name_of(kind: type) -> bytes:
    # Not by the attribute: a class of classes may answer anything.
    name: str = type.__getattribute__(kind, "__name__")
    return name.encode("utf-8", "surrogatepass")


_begun: Final[dict[type, int]] = {
    kind: _begin(kind) for kind in [*PLAIN, *CONTAINERS, FunctionType, type]
}
