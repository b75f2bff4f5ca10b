"""Data files that code names: what is written in C may open them, which nobody sees.

So do parsers of XML and readers of tables and pictures, for one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from paceline.impact.inputs import MODULE_SUFFIXES


class Named:
    """Tells which of the project's `files`, by their paths, some words name."""

    def __init__(self, files: Iterable[str]) -> None:
        self._paths: defaultdict[str, list[str]] = defaultdict(list)
        for path in files:
            name = _last(path)
            # Any word may be the name of a file without an ending.
            if "." in name and not name.endswith(MODULE_SUFFIXES):
                self._paths[name].append(path)
        self.by = cache(self._by)

    def _by(self, words: frozenset[str]) -> frozenset[str]:
        """Return the paths of files whose name is one of the words, or at the end of one."""
        names = {_last(word) for word in words if "." in word}
        return frozenset(path for name in names & self._paths.keys() for path in self._paths[name])


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
