"""Versions of source files, each taken apart once for all who ask.

A syntax tree is large and is given up at once, so whoever else wants to see it, as testmon's
fingerprints do, sees it while it is there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import NamedTuple

from paceline.impact import inputs, source
from paceline.impact.looks import Looks, looks_of
from paceline.impact.source import Source


class Parsed(NamedTuple):
    """The blocks of a version of a file, None if it is no Python; where it looks at itself."""

    source: Source | None
    looks: Looks | None = None


class Parsing:
    """Keeps what each version of a file consists of, by its path and the digest of its content."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Parsed] = {}

    def of(
        self, path: str, text: bytes, also: Callable[[ast.Module], None] | None = None
    ) -> Parsed:
        """Take the file at `path` apart, which is `text`, and show its tree to `also`."""
        key = (path, inputs.digest(text))
        if also is None and key in self._known:
            return self._known[key]
        tree = source.tree_of(text) if path.endswith(source.SUFFIXES) else None
        if tree is not None and also is not None:
            also(tree)
        if key not in self._known:
            found = None if tree is None else source.read(tree, text)
            looks = None if tree is None or found is None else looks_of(path, tree, found)
            self._known[key] = Parsed(found, looks)
        return self._known[key]
