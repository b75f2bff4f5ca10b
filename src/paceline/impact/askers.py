"""Who looks at something: the stack tells a test tool from the project's own code.

How many frames lie between is fixed: the watch's own function and its hook.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final

from paceline.impact.recorder import Need
from paceline.impact.scope import Scope

_getframe = sys._getframe  # a test may take it away

#: What these packages look at is their own business, not the test's.
TOOLS: Final = frozenset(
    (
        "_pytest", "pytest", "pluggy", "coverage", "testmon", "xdist", "execnet", "paceline",
        "pytest_cov", "pytest_split", "pytest_randomly", "pytest_rerunfailures", "_hypothesis",
        "hypothesis", "pytest_timeout",
    )
)  # fmt: skip

#: Of pytest, what looks at something because the test told it to: a file, and functions that call
#: what they were given, which may be one of the standard library's.
_ON_BEHALF: Final = tuple(
    os.path.join("_pytest", name) for name in ("monkeypatch.py", "pytester.py")
)
_CALLING: Final = frozenset(
    (
        ("fixtures.py", "call_fixture_func"), ("fixtures.py", "finish"),
        ("python.py", "pytest_pyfunc_call"), ("runner.py", "teardown_exact"),
        ("unittest.py", "runtest"), ("unittest.py", "pytest_pyfunc_call"),
    )
)  # fmt: skip

#: Functions of os.path and pathlib that ask no more than what a path is.
_EXISTENCE: Final = frozenset(
    (
        "exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink",
        "realpath", "resolve",
    )
)  # fmt: skip
#: Modules that keep what they once read of a file, and then only look whether it is there.
_KEEPING: Final = frozenset(("filecmp", "gettext"))
_IMPORTED: Final = (".py", ".pyc", ".pyo", ".so", ".pyd")


class Askers:
    """Tells who asks, by the files of the frames."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._stdlib = tuple(
            {os.path.dirname(path) + os.sep for path in (os.__file__, threading.__file__)}
        )
        self._owners: dict[str, str | None] = {}
        #: Whether a module's text mentions `stat`.
        self._stats: dict[str, bool] = {}

    def is_tool(self, depth: int) -> bool:
        """Return whether the nearest code outside the standard library is a test tool.

        The code that asks is `depth` frames above this one.
        """
        frame = frame_above(depth + 1)
        while frame is not None:
            filename = frame.f_code.co_filename
            owner = self._owner_of(filename)
            if owner is not None:
                if (os.path.basename(filename), frame.f_code.co_name) in _CALLING:
                    return False
                return owner in TOOLS and not self._scope.counts(os.path.abspath(filename))
            frame = frame.f_back
        # A thread that runs nothing else does so for the project, as asyncio.to_thread does.
        return threading.current_thread() is threading.main_thread()

    def owner(self, depth: int) -> str | None:
        """Return the package of the nearest code outside the standard library, as `is_tool`."""
        frame = frame_above(depth + 1)
        while frame is not None:
            owner = self._owner_of(frame.f_code.co_filename)
            if owner is not None:
                return owner
            frame = frame.f_back
        return None

    def libraries(self) -> tuple[list[tuple[str, FrameType]], bool]:
        """Return the frames of libraries below the nearest code of the project or a test tool.

        Each comes with the name of its library, the innermost first. The last one may have been
        called by the standard library for another, which is not on the stack, as in a thread:
        that is said as well.
        """
        found: list[tuple[str, FrameType]] = []
        indirect = False
        frame = frame_above(1)
        while frame is not None:
            filename = frame.f_code.co_filename
            # Between the code that looks and this are our own frames. Generated code has no owner.
            owner = None if filename.startswith("<") else self._owner_of(filename)
            if owner == "project" or (owner in TOOLS and (owner != "paceline" or found)):
                break
            if owner is not None and owner != "paceline":
                found.append((owner, frame))
                indirect = False
            elif not filename.startswith("<"):
                indirect = True
            frame = frame.f_back
        return found, indirect

    def _owner_of(self, filename: str) -> str | None:
        owner = self._owners.get(filename, "")
        if owner == "":
            owner = self._owners[filename] = self._owner(filename)
        return owner

    def _owner(self, filename: str) -> str | None:
        """Return the package a file belongs to, None for the standard library."""
        for folder in self._stdlib:
            if filename.startswith(folder) and "-packages" not in filename[len(folder) :]:
                return None
        if filename.startswith("<frozen") or filename.endswith(_ON_BEHALF):
            return None
        _, found, rest = filename.rpartition("-packages" + os.sep)
        if found:
            return rest.partition(os.sep)[0].removesuffix(".py")
        return "paceline" if os.sep + "paceline" + os.sep in filename else "project"

    def is_import(self, path: str) -> bool:
        """Return whether the import system opens `path` to run it."""
        if not path.endswith(_IMPORTED):
            return False
        frame = frame_above(4)
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            if frame.f_code.co_name in ("get_code", "create_module", "_load_unlocked"):
                return True
            frame = frame.f_back
        return False

    def look_at_entries(self) -> bool:
        """Return whether project code that lists a folder may ask for more than names and kinds.

        The entries may be handed to any of its functions.
        """
        frame = frame_above(4)
        while frame is not None:
            owner = self._owner_of(frame.f_code.co_filename)
            if owner in TOOLS:
                return False
            if owner == "project":
                return any(map(self._mentions_stat, list(sys.modules.values())))
            frame = frame.f_back
        return False

    def _mentions_stat(self, module: object) -> bool:
        path = module.__dict__.get("__file__") if type(module) is ModuleType else None
        if not isinstance(path, str) or not self._scope.counts(path):
            return False
        known = self._stats.get(path)
        if known is None:
            try:
                text = Path(path).read_bytes()
            except OSError:
                text = b"stat"
            known = self._stats[path] = re.search(rb"\bstat\b", text) is not None
        return known

    def question(self, frame: FrameType | None) -> Need:
        """Return whether the standard library only wants to know if a path exists."""
        asked = Need.STAT
        while frame is not None and self._owners.get(frame.f_code.co_filename, "") is None:
            if frame.f_globals.get("__name__") in _KEEPING:
                return Need.CONTENT
            if frame.f_code.co_name in _EXISTENCE:
                asked = Need.EXISTS
            frame = frame.f_back
        return asked


def frame_above(depth: int) -> FrameType | None:
    """Return the frame that many steps above this one, None if the stack ends before."""
    try:
        return _getframe(depth)
    except ValueError:
        return None
