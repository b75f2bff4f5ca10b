"""Notes which environment variables the running code looks at."""

from __future__ import annotations

import opcode
import os
from collections.abc import Callable, Iterator
from typing import Any

from paceline.impact.askers import frame_above
from paceline.impact.inputs import ALL_VARIABLES, is_set_by_tools, is_volatile

#: `wsgiref.handlers` copies all variables when it is imported, as by all that imports Django, and
#: gives them to what it serves. Code that mentions one of these may have it serve something.
WSGI = frozenset(
    (
        "BaseCGIHandler", "CGIHandler", "IISCGIHandler", "LiveServerTestCase", "ServerHandler",
        "SimpleHandler", "WSGIRequestHandler", "WSGIServer", "live_server", "make_server",
        "os_environ", "read_environ", "setup_environ",
    )
)  # fmt: skip

#: What `tempfile` looks at when it is first asked for the folder, mostly by pytest itself.
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")

#: How code asks for one item by itself; a copy asks for all of them in one call.
_SUBSCRIPTS = frozenset(("BINARY_SUBSCR", "BINARY_OP"))


class Variables:
    """Makes what stands in for methods of `os.environ`.

    `is_asked` tells whether a method was called by code that counts, `note` takes the variable.
    """

    def __init__(self, is_asked: Callable[[], bool], note: Callable[[str], None]) -> None:
        self._is_asked = is_asked
        self._note = note
        #: The variables that an iteration came to, whose values may be asked for next.
        self._come_to: set[str] = set()

    def one(self, original: Any) -> Any:
        """Return a method that looks at the variable it is given."""

        def one(environ: Any, key: Any) -> Any:
            if isinstance(key, (str, bytes)):
                name = key if isinstance(key, str) else os.fsdecode(key)
                if not is_set_by_tools(name):
                    in_passing = name in self._come_to and is_volatile(name) and _goes_through()
                    if not in_passing and self._is_asked() and not _is_copying_for_wsgi():
                        self._note(name)
            return original(environ, key)

        return one

    def all(self, original: Any) -> Any:
        """Return a method that looks at all variables."""

        def every(environ: Any) -> Any:
            if self._is_asked() and not _is_copying_for_wsgi():
                self._note(ALL_VARIABLES)
            return original(environ)

        return every

    def each(self, original: Any) -> Any:
        """Return a method that goes through all variables."""

        def every(environ: Any) -> Any:
            if self._is_asked() and not _is_copying_for_wsgi():
                self._note(ALL_VARIABLES)
            return self._coming_to(original(environ))

        return every

    def of_temporary_folder(self, original: Any) -> Any:
        """Return a function that tells the folder for temporary files, which variables name.

        Code that only has such a file made is not told: in some shells each run has a folder of
        its own.
        """

        def gettempdir() -> Any:
            caller = frame_above(2)
            inside = caller is not None and caller.f_globals.get("__name__") == "tempfile"
            if not inside and self._is_asked():
                for name in _TEMPORARY:
                    self._note(name)
            return original()

        return gettempdir

    def _coming_to(self, names: Iterator[str]) -> Iterator[str]:
        for name in names:
            self._come_to.add(name)
            yield name


def _is_copying_for_wsgi() -> bool:
    """Return whether `wsgiref` makes its copy of all variables: a few calls above ours."""
    frame = frame_above(3)
    for _ in range(3):
        if frame is None:
            return False
        if frame.f_code.co_name == "read_environ":
            return frame.f_globals.get("__name__") == "wsgiref.handlers"
        frame = frame.f_back
    return False


def _goes_through() -> bool:
    """Return whether the caller's caller asks for all items, and for this as one of them."""
    frame = frame_above(3)
    if frame is None:
        return False
    code = frame.f_code
    if code.co_name == "__iter__" and "_collections_abc" in code.co_filename:
        return True  # of items() and values()
    instructions, at = code.co_code, frame.f_lasti
    while at > 0 and opcode.opname[instructions[at]] == "CACHE":
        at -= 2  # some versions of Python are behind the instruction's cache already
    return opcode.opname[instructions[at]] not in _SUBSCRIPTS
