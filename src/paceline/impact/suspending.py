"""Suspends tracing in the current thread, while the tracer stays where it is.

To take the tracer away and put it back is costly: from Python 3.12 on all code that runs
afterwards is prepared for tracing once more. To suspend it is to count one number up
(https://docs.python.org/3/c-api/init.html#c.PyThreadState_EnterTracing, new in Python 3.11).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, Final

#: Whether tracing can be suspended by thread.
IS_KNOWN: Final = sys.version_info >= (3, 11) and sys.implementation.name == "cpython"


def _of_thread(name: str) -> Callable[[], None]:
    """Return what calls a function of Python's C interface for the current thread."""
    current: Any = ctypes.pythonapi["PyThreadState_Get"]
    current.restype = ctypes.c_void_p
    function: Any = ctypes.pythonapi[name]
    function.argtypes = [ctypes.c_void_p]
    function.restype = None
    return lambda: function(current())


def _unknown() -> None:
    raise NotImplementedError("this Python cannot suspend tracing by thread")


#: Each `suspend` needs one `go_on` in the same thread; they may be nested.
suspend: Final = _of_thread("PyThreadState_EnterTracing") if IS_KNOWN else _unknown
go_on: Final = _of_thread("PyThreadState_LeaveTracing") if IS_KNOWN else _unknown
