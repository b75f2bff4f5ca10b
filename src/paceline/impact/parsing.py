"""Versions of source files, each taken apart once for all who ask.

A syntax tree is large and is given up at once, so all that is wanted of it is taken while it is
there: what testmon's fingerprints are made of as well, and where pytest parses a test file to
rewrite its assertions, before it does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Final, NamedTuple

from paceline.impact import inputs, source
from paceline.impact.looks import Looks, looks_of
from paceline.impact.owners import Lines, Owners
from paceline.impact.source import Source
from paceline.impact.syntax import TestmonBlock

#: The divisions of a file: into our blocks, as lines run later and while the file itself is
#: imported, and into testmon's.
LATER: Final = 0
IMPORTING: Final = 1
TESTMON: Final = 2


class Parsed(NamedTuple):
    """A version of a file: its blocks, None if it is no Python; where it looks at itself.

    `testmon_blocks` are those that testmon divides it into, `owners` tells which blocks ran.
    """

    source: Source | None
    looks: Looks | None = None
    testmon_blocks: list[TestmonBlock] | None = None
    owners: Owners = Owners(list)


class Parsing:
    """Keeps what each version of a file consists of, by its path and its content."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Parsed] = {}

    def of(self, path: str, text: bytes, tree: ast.Module | None = None) -> Parsed:
        """Take the file at `path` apart, which is `text`; `tree` is its syntax tree if known."""
        key = (path, inputs.digest(text))
        if key not in self._known:
            if tree is None and path.endswith(source.SUFFIXES):
                tree = source.tree_of(text)
            walk = None if tree is None else source.walk_through(tree, text)
            if tree is None or walk is None:
                self._known[key] = Parsed(None)
            else:
                found = source.read(walk, text)
                looks = looks_of(path, tree, found)
                blocks = walk.testmon_blocks()
                owners = Owners(partial(_divisions, found, blocks))
                self._known[key] = Parsed(found, looks, blocks, owners)
        return self._known[key]

    def forget(self) -> None:
        """Keep nothing any longer."""
        self._known.clear()


def _divisions(found: Source, testmon_blocks: Sequence[TestmonBlock]) -> list[Lines]:
    lines = lines_of([(block.first, block.last) for block in testmon_blocks])
    return [(found.owners(), 1), (found.owners(importing=True), 1), lines]


def lines_of(blocks: Iterable[tuple[int, int]]) -> Lines:
    """Return which of testmon's `blocks` each line is in, by its first and last line.

    They are numbered in the order of their first lines.
    """
    found: dict[int, int] = {}
    for place, (first, last) in enumerate(sorted(blocks, key=itemgetter(0))):
        for line in range(first, last + 1):
            found[line] = found.get(line, 0) | 1 << place
    return found, 0
