"""The pulse of what is quiet: words of memory that are others as soon as anything in reach is.

To ask objects what they refer to touches each object that they do, which takes long where those
are many. What an object refers to stands in few words of its own (CPython's structs), and of a dict
one number tells of any change. So these words are compared, from the root on: what is read is
still where it was, as what refers to it was found unchanged. Where words differ nothing is told:
then what the objects refer to is compared as ever.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from gc import get_referents
from operator import eq
from typing import Any, Final

from paceline.impact.reached import Look
from paceline.impact.words import (
    IS_KNOWN,
    MOST,
    CannotTell,
    Told,
    Words,
    placed,
    versions,
    words_of,
    words_of_cache,
    words_read,
)

_joined: Final[Callable[[Sequence[Words]], bytes]] = b"".join


class Pulse:
    """Compares roots that have not changed for a while; nothing in their reach is kept alive."""

    def __init__(self) -> None:
        self._levels: defaultdict[int, list[Words]] = defaultdict(list)
        self._words: list[list[Words]] = []
        self._seen: list[bytes] = []

    def take_in(self, look: Look, root: Any, namespace: dict[str, Any]) -> bool:
        """Take in what is in reach of `root`: a module's `namespace`, or some of what is in it.

        Return whether words tell of all. The `look` must hold, and `namespace` be kept.
        """
        if not IS_KNOWN:
            return False
        levels: defaultdict[int, list[Words]] = defaultdict(list)
        try:
            levels[0] += versions(namespace)
            _take(look, root, levels)
        except CannotTell:
            return False
        for depth, words in levels.items():
            self._levels[depth] += words
        return True

    def begin(self) -> None:
        """Take the words as they are now for those that are to stay."""
        for _, words in sorted(self._levels.items()):
            size = MOST
            for one in words:
                if size + len(one) > MOST:
                    self._words.append([])
                    size = 0
                self._words[-1].append(one)
                size += len(one)
        self._seen = list(map(_joined, self._words))

    def is_steady(self) -> bool:
        """Return whether all words are as they were, as far as they are read: up to the first.

        Nothing of Python runs meanwhile, nor another thread: they might take away what is about to
        be read.
        """
        return all(map(eq, map(_joined, self._words), self._seen))


def _take(look: Look, root: Any, levels: defaultdict[int, list[Words]]) -> None:
    """Add the words of all in reach of `root`, by the distance to it.

    Of each distance there are two levels, as what stands apart from an object is read only after
    the object itself.
    """
    bases: dict[type, type | None] = {}

    def add(distance: int, found: Told) -> None:
        for apart, words in enumerate(found):
            levels[2 * distance + apart] += words

    objects: Sequence[Any] = [root]
    told: set[int] = {0}  # by the namespace
    for distance, level in enumerate(look.levels):
        for number, (value, place) in enumerate(placed(objects)):
            if number not in told:
                add(distance, words_of(value, place, bases))
        found = get_referents(*objects)
        for reader, places in level.readers.items():
            for value, place in placed([found[place] for place in places]):
                add(distance + 1, words_read(reader, value, place))
                if type(value) is logging.Logger:
                    ((handlers, at),) = placed([value.handlers])
                    add(distance + 2, words_of(handlers, at, bases))
        followed = [found[place] for place in level.followed]
        for number in level.caches:
            add(distance + 1, words_of_cache(followed[number]))
        objects = level.instead(followed)
        told = {*level.caches, *level.closures}  # what stands in their place is not there for good
