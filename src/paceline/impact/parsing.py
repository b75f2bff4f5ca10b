"""Versions of source files, each taken apart once for all who ask.

A syntax tree is large and is given up at once, so all that is wanted of it is taken while it is
there: what testmon's fingerprints are made of as well, and where pytest parses a test file to
rewrite its assertions, before it does.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from paceline.impact import inputs, source
from paceline.impact.looks import Looks, looks_of
from paceline.impact.source import Source
from paceline.impact.syntax import TestmonBlock


class Parsed(NamedTuple):
    """A version of a file: its blocks, None if it is no Python; where it looks at itself.

    `testmon_blocks` are those that testmon divides it into.
    """

    source: Source | None
    looks: Looks | None = None
    testmon_blocks: list[TestmonBlock] | None = None


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
                self._known[key] = Parsed(found, looks, walk.testmon_blocks())
        return self._known[key]

    def forget(self) -> None:
        """Keep nothing any longer."""
        self._known.clear()
