"""Which files count as inputs: the project's, and others that are not part of Python itself."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Final

#: Folders that tools fill; what is in them is no input.
CACHES: Final = frozenset(
    (
        "__pycache__", ".git", ".hg", ".nox", ".tox", ".venv", ".paceline", ".pytest_cache",
        ".hypothesis", ".mypy_cache", ".ruff_cache", ".eggs", "node_modules", "htmlcov",
    )
)  # fmt: skip

#: Of these the ones that are no input at any place in the project.
CACHES_ANYWHERE: Final = frozenset(("__pycache__", "node_modules"))

#: Files that a test run itself leaves behind, in the root: data of coverage and testmon ...
_DATA: Final = re.compile(r"\.coverage(\..+)?|\.testmondata(-(shm|wal|journal))?")
#: ... and reports, which tests may read as well.
_REPORTS: Final = frozenset(("coverage.xml", "coverage.json", "junit.xml"))

#: Device and process files have no content of their own.
_SYSTEM: Final = ("/dev/", "/proc/", "/sys/", "/run/")

#: Where Paceline itself lies.
PACKAGE: Final = str(Path(__file__).resolve().parents[1]) + os.sep


def is_leftover(name: str) -> bool:
    """Return whether a file of this name is data that coverage or testmon left behind."""
    return _DATA.fullmatch(name) is not None


def folder_of(path: str) -> str:
    """Return the folder of a file, both as records name them: the root is "."."""
    return os.path.dirname(path) or "."


class Scope:
    """Tells the files that count; `root` is pytest's rootdir."""

    def __init__(self, root: Path) -> None:
        self.root: Final = root
        self._inside: Final = str(root) + os.sep
        self._real_root: Final = os.path.realpath(root)
        self._installed: Final = tuple(
            folder for folder in _installed_folders() if not self._inside.startswith(folder)
        )
        self.counts = lru_cache(maxsize=None)(self._counts)

    def _counts(self, path: str) -> bool:
        """Return whether the file or folder at the absolute `path` is an input."""
        if path.startswith(self._installed):
            return False
        if path.startswith(self._inside):
            parts = path[len(self._inside) :].split(os.sep)
            # Below another folder such names are the project's data.
            caches = not CACHES_ANYWHERE.isdisjoint(parts) or parts[0] in CACHES
            leftover = is_leftover(parts[0]) or parts[0] in _REPORTS
            return not caches and not (len(parts) == 1 and leftover)
        if path.startswith((PACKAGE, *_SYSTEM)):
            return False
        parts = path.split(os.sep)
        return CACHES.isdisjoint(parts) and not is_leftover(parts[-1])

    def real(self, path: str) -> str:
        """Return where `path` lies if nothing below the root is a symbolic link."""
        return self._real_root + path[len(self._inside) - 1 :] if self.holds(path) else path

    def holds(self, path: str) -> bool:
        """Return whether `path` lies below the root."""
        return path.startswith(self._inside)

    def relative(self, path: str) -> str:
        """Return `path` as records name it: relative to the root where it lies inside."""
        if path.startswith(self._inside):
            return path[len(self._inside) :].replace(os.sep, "/")
        return "." if path == str(self.root) else path


def _installed_folders() -> list[str]:
    found = {sys.prefix, sys.exec_prefix} if sys.prefix != sys.base_prefix else set()
    found.update(sysconfig.get_paths().values())
    found.update(site.getsitepackages())
    found.add(site.getusersitepackages())
    # The base installation's library; "/usr" itself would be far too much.
    found.update(str(Path(module.__file__).parent) for module in (os,) if module.__file__)
    found.update(
        path for path in sys.path if path.endswith((".zip", "lib-dynload", "site-packages"))
    )
    folders = {os.path.realpath(path) for path in found} | {os.path.abspath(path) for path in found}
    return sorted(
        folder + os.sep for folder in folders if folder not in ("/", "/usr", "/usr/local")
    )
