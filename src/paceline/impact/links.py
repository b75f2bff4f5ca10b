"""Which segments build on which: along their links, and along the modules that they import."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from paceline.impact.recorder import Kind

#: Imports and what left something behind for a test ran for themselves.
_FOR_THEMSELVES = (Kind.IMPORT, Kind.LIBRARY, Kind.STATE, Kind.COUNT)


class Part(Protocol):
    """A segment that names the segments that it builds on: by number, modules by path."""

    @property
    def kind(self) -> Kind:
        """What it is."""

    @property
    def name(self) -> str:
        """Its name; of an import the path of the module."""

    @property
    def links(self) -> Collection[int]:
        """The numbers of segments that it builds on."""

    @property
    def imports(self) -> Collection[str]:
        """The paths of modules that it builds on."""


AnyPart = TypeVar("AnyPart", bound=Part)


def import_places(segments: Mapping[int, Part]) -> dict[str, int]:
    """Return the number of each module's import segment."""
    return {part.name: number for number, part in segments.items() if part.kind is Kind.IMPORT}


def reachable(
    starts: Iterable[int], segments: Mapping[int, Part], by_path: Mapping[str, int]
) -> set[int]:
    """Return the numbers of all segments that those at `starts` build on, themselves too."""
    found: set[int] = set()
    queue = list(starts)
    while queue:
        number = queue.pop()
        if number not in found and number in segments:
            found.add(number)
            queue += segments[number].links
            queue += [by_path[path] for path in segments[number].imports if path in by_path]
    return found


def reaching(
    wanted: Callable[[AnyPart], bool], segments: Mapping[int, AnyPart], by_path: Mapping[str, int]
) -> set[int]:
    """Return the numbers of all segments that build on one that is `wanted`."""
    users = _users(segments, by_path)
    found: set[int] = set()
    queue = [number for number, part in segments.items() if wanted(part)]
    while queue:
        number = queue.pop()
        if number not in found:
            found.add(number)
            queue += users[number]
    return found


def bits_reached(
    bits: Mapping[int, int], segments: Mapping[int, Part], by_path: Mapping[str, int]
) -> dict[int, int]:
    """Return by its number what `bits` the segments have together that each one builds on."""
    users = _users(segments, by_path)
    found = dict(bits)
    queue = list(bits)
    while queue:
        number = queue.pop()
        for user in users[number]:
            known = found.get(user, 0)
            if known | found[number] != known:
                found[user] = known | found[number]
                queue.append(user)
    return found


def _users(segments: Mapping[int, Part], by_path: Mapping[str, int]) -> defaultdict[int, list[int]]:
    """Return by its number the segments that build directly on each one."""
    users: defaultdict[int, list[int]] = defaultdict(list)
    for number, part in segments.items():
        for link in part.links:
            users[link].append(number)
        for path in part.imports:
            if path in by_path:
                users[by_path[path]].append(number)
    return users


def own_parts(start: int, segments: Mapping[int, AnyPart]) -> list[AnyPart]:
    """Return what ran for the segment numbered `start`: itself, its fixtures, its children."""
    found: dict[int, AnyPart] = {}
    queue = [start]
    while queue:
        number = queue.pop()
        part = segments.get(number)
        if part is None or number in found or part.kind in _FOR_THEMSELVES:
            continue
        found[number] = part
        queue += part.links
    return list(found.values())
