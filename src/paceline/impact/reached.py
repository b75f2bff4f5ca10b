"""What was found in reach of a module or a fixture, so that it can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from gc import get_referents
from operator import itemgetter
from typing import Any, NamedTuple

from paceline.impact import memory, readers
from paceline.impact.readers import Reader, Reading

#: The names by which code gets at an object: of the global, and of the attribute.
Label = frozenset[str]

#: Where a class or function is a global: the name of its module, and its own.
Home = tuple[str, str]

#: Takes the objects at certain places out of a list.
_Picker = Callable[[Sequence[Any]], Sequence[Any]]


class Change(NamedTuple):
    """How state of one label changed: by how many `steps` a number counted on, 0 if it is none.

    `added` is what is kept there now and was not before, as `impact.describing` tells it. `lost`
    tells whether anything that was there may be gone: else the change only added to it.
    """

    steps: int = 0
    added: frozenset[int] = frozenset()
    lost: bool = True


@dataclass(frozen=True, slots=True)
class Level:
    """What all objects at one distance from the root refer to.

    `followed` are the places of those that lead to the next level, `caches` which of these are
    functions with a cache, `closures` those of which only the closure counts. `readers` are given
    the objects at their places, of which references do not show everything; `readings` are what
    they returned.
    """

    identities: bytes
    followed: list[int] = field(default_factory=list)
    caches: list[int] = field(default_factory=list)
    closures: list[int] = field(default_factory=list)
    readers: dict[Reader, list[int]] = field(default_factory=dict)
    readings: dict[Reader, Reading] = field(default_factory=dict)

    def read(self, reader: Reader, value: object, place: int) -> Reading:
        """Have the object at `place` read from now on; return what is read now."""
        reading = reader([value])
        self.readers.setdefault(reader, []).append(place)
        self.readings[reader] = readers.joined(self.readings.get(reader), reading)
        return reading

    def instead(self, followed: Sequence[Any]) -> Sequence[Any]:
        """Return what is looked into in the place of the objects that are followed."""
        if not (self.caches or self.closures):
            return followed
        objects = list(followed)
        for number in self.caches:
            objects[number] = readers.in_cache(objects[number])
        for number in self.closures:
            objects[number] = objects[number].__closure__
        return objects


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Everything in reach of a root, and by label what is seen there.

    `kept` describes by label what is kept there directly, as `impact.describing` does.
    `borrowed` has by their home those classes and functions that were found, but are looked at
    where they are a global of their own module, with the labels that lead to them here.
    `alive` are values that no other may take the place of in memory.
    """

    levels: list[Level]
    prints: Mapping[Label, list[object]]
    kept: Mapping[Label, Set[int]] = field(default_factory=dict)
    borrowed: Mapping[Home, set[Label]] = field(default_factory=dict)
    alive: Sequence[object] = ()
    #: How to take out of each level what is followed and what is read; made when first needed.
    _pickers: list[tuple[_Picker, dict[Reader, _Picker]]] = field(default_factory=list)

    def still_holds(self, roots: Sequence[object]) -> bool:
        """Return whether nothing in reach of the roots is another object than before."""
        objects = roots
        if not self._pickers:
            self._pickers.extend(
                (_picker(level.followed), {read: _picker(at) for read, at in level.readers.items()})
                for level in self.levels
            )
        for level, (followed, pickers) in zip(self.levels, self._pickers, strict=True):
            found = get_referents(*objects)
            if memory.identities(found) != level.identities:
                return False
            for read, pick in pickers.items():
                if read(pick(found)) != level.readings[read]:
                    return False
            objects = level.instead(followed(found))
        return True


def together(looks: Sequence[Look]) -> Look:
    """Return one look at all roots of several."""
    levels: list[Level] = []
    depth = max((len(look.levels) for look in looks), default=0)
    for number in range(depth):
        parts = [look.levels[number] for look in looks if number < len(look.levels)]
        followed: list[int] = []
        caches: list[int] = []
        closures: list[int] = []
        places: dict[Reader, list[int]] = {}
        readings: dict[Reader, Reading] = {}
        start = 0
        for part in parts:
            caches += [len(followed) + number for number in part.caches]
            closures += [len(followed) + number for number in part.closures]
            followed += [start + place for place in part.followed]
            for read, there in part.readers.items():
                places.setdefault(read, []).extend(start + place for place in there)
                readings[read] = readers.joined(readings.get(read), part.readings[read])
            start += len(part.identities) // memory.ADDRESS_BYTES
        identities = b"".join(part.identities for part in parts)
        levels.append(Level(identities, followed, caches, closures, places, readings))
    return Look(levels, {})


def _picker(places: Sequence[int]) -> _Picker:
    """Return what takes the objects at `places`; several times as fast as a loop over them."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda objects: [objects[place] for place in places]
