"""The order in which pytest collects test files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby

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

    def with_late(self, first: Sequence[str], late: Iterable[str]) -> list[str]:
        """Return all tests as a full run has them: `late` ones of other files come in between.

        The `first` were collected at once. Each late file comes before the first of their files
        that has a later place.
        """
        begins = [
            (next(tests)[0], self.place(file))
            for file, tests in groupby(enumerate(first), lambda item: _file_of(item[1]))
        ]
        found: list[tuple[int, str]] = []
        for test in sorted(late, key=lambda test: self.place(_file_of(test))):
            place = self.place(_file_of(test))
            found.append((next((at for at, one in begins if one > place), len(first)), test))
        tests = list(first)
        for number, (at, test) in enumerate(sorted(found, key=lambda item: item[0])):
            tests.insert(at + number, test)
        return tests


def _file_of(test: str) -> str:
    return test.partition("::")[0]
