"""Versions of source files, each taken apart once for all who ask.

A syntax tree is large and is given up at once, so all that is wanted of it is taken while it is
there: what testmon's fingerprints are made of as well, and where pytest parses a test file to
rewrite its assertions, before it does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from paceline.impact import inputs, source
from paceline.impact.looks import Looks, looks_of
from paceline.impact.source import Source


class Parsed(NamedTuple):
    """A version of a file: its blocks, None if it is no Python; where it looks at itself.

    `further` is what else was asked for.
    """

    source: Source | None
    looks: Looks | None = None
    further: Any = None


class Parsing:
    """Keeps what each version of a file consists of, by its path and its content.

    `further` is given each syntax tree and its text, and returns what else is to be kept of it.
    """

    def __init__(self, further: Callable[[ast.Module, bytes], Any] | None = None) -> None:
        self._further = further
        self._known: dict[tuple[str, str], Parsed] = {}

    def of(self, path: str, text: bytes, tree: ast.Module | None = None) -> Parsed:
        """Take the file at `path` apart, which is `text`; `tree` is its syntax tree if known."""
        key = (path, inputs.digest(text))
        if key not in self._known:
            if tree is None and path.endswith(source.SUFFIXES):
                tree = source.tree_of(text)
            found = None if tree is None else source.read(tree, text)
            if tree is None or found is None:
                self._known[key] = Parsed(None)
            else:
                further = self._further(tree, text) if self._further is not None else None
                self._known[key] = Parsed(found, looks_of(path, tree, found), further)
        return self._known[key]

    def forget(self) -> None:
        """Keep nothing any longer."""
        self._known.clear()
