"""The order in which pytest collects test files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

#: The number of the argument under which a file is collected, and the parts of its path.
Place = tuple[int, list[str]]


class FileOrder:
    """The places of test files in a run of all: by argument, below it folder by folder by name.

    `starts` are the arguments, as `testpaths` or the command line has them, relative to the root.
    """

    def __init__(self, starts: Sequence[str] = ()) -> None:
        self._starts = starts
        self.place = cache(self._place_of)

    def _place_of(self, file: str) -> Place:
        holding = (
            number
            for number, start in enumerate(self._starts)
            if start in (".", file) or file.startswith(f"{start}/")
        )
        return next(holding, len(self._starts)), file.split("/")
