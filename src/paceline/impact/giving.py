"""Which tests build on state that an earlier one left behind: those that mention its name.

Only code that mentions a name gets at what is kept under it. Of code without a file, as attrs
makes it for a class, the names are known to the segment in which it was made; whoever builds on
that may run it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from functools import cache

from paceline.impact.links import import_places, own_parts, reachable
from paceline.impact.nodes import Node
from paceline.impact.recorder import (
    RANDOM_NUMBERS,
    SEARCH_FOLDERS,
    WORKING_FOLDER,
    Kind,
    Need,
)
from paceline.impact.recording import RawSegment, Recording, StateChange
from paceline.impact.records import NeedRecord

#: By which a class knows of those that derive from it, in whichever modules were imported.
_SUBCLASSES = "__subclasses__"

_LEFT = {
    kind: RawSegment(kind, kind.value, {}, {}, (), (), (), (), (), (), ())
    for kind in (Kind.STATE, Kind.COUNT)
}


def name_state(one: Recording, start: int, nodes: Sequence[Node]) -> None:
    """Note in the segments what state they changed; those of `one` begin at `start`."""
    found: defaultdict[int, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    counts: Counter[tuple[int, str]] = Counter()
    for change in one.changes:
        labels = list(map(" ".join, change.labels))
        for label, count, added in zip(labels, change.counts, change.added, strict=True):
            counts[change.segment, label] += count
            found[change.segment][label].update(added)
    for number, state in found.items():
        value = as_value(state)
        nodes[start + number].needs.add(NeedRecord(Need.STATE, ".", value))
    for (number, label), count in counts.items():
        if count:
            nodes[start + number].needs.add(NeedRecord(Need.COUNT, label, str(count)))


def as_value(state: Mapping[str, Set[int]]) -> str:
    """Return as text the labels of state that was changed, each with what was added there."""
    return json.dumps({label: sorted(added) for label, added in sorted(state.items())})


def from_value(value: str) -> dict[str, frozenset[int]]:
    """Return what `as_value` wrote; nothing if it is damaged."""
    try:
        return {label: frozenset(added) for label, added in json.loads(value).items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def link_state(one: Recording, start: int, nodes: list[Node]) -> None:
    """Link each test to the tests before it that left state which it mentions.

    State grows: a change builds on the change before it, so one link per name is enough.
    """
    segments = dict(enumerate(nodes))
    by_path = import_places(segments)
    latest = Latest()
    submodules = _submodules(one, start, nodes)
    modules = _link_to_modules(range(start, start + len(one.segments)), nodes)
    #: What code that was left behind mentions: whoever uses that state may run it.
    left: set[str] = set()
    asked = _asked(one, submodules)
    changes = sorted(one.changes, key=lambda change: change.order)[::-1]
    imports = sorted((order, start + place) for place, order in one.imports.items())[::-1]

    def go_on(order: int) -> None:
        """Add the state, and link the imports, that come before `order`."""
        while changes and changes[-1].order < order:
            change = changes.pop()
            _link_imports(imports, change.order, nodes, latest)
            latest.add(change, start + change.segment, nodes)
            left.update(
                _generated(reachable([start + change.segment], segments, by_path), segments)
            )
        _link_imports(imports, order, nodes, latest)

    for test in sorted(one.tests, key=lambda test: test.order):
        go_on(test.order)
        place = start + test.segment
        reached = reachable([place], segments, by_path)
        names = _mentioned(place, segments, asked)
        for name in names & submodules.keys():
            nodes[place].imports |= {
                path
                for package, path in submodules[name]
                if by_path.get(package) in reached or (not package and "modules" in names)
            }
        names |= _generated(reached, segments) | left
        if _SUBCLASSES in names:
            nodes[place].imports |= modules
        nodes[place].links |= latest.of(names)
    go_on(sys.maxsize)


class Latest:
    """The last node of each name's state, and that of each name's counts apart from it."""

    def __init__(self) -> None:
        self._places: dict[Kind, dict[str, int]] = {kind: {} for kind in _LEFT}

    def of(self, names: Set[str]) -> set[int]:
        """Return the places of what is kept under the names."""
        return {places[name] for places in self._places.values() for name in places.keys() & names}

    def add(self, change: StateChange, giver: int, nodes: list[Node]) -> None:
        """Add nodes for the state that the segment `giver` left."""
        rest: set[str] = set()
        for label, count in zip(change.labels, change.counts, strict=True):
            # Of what else counts, such as an import, it is not known after each run how far.
            if count and nodes[giver].kind is Kind.TEST:
                self._add(Kind.COUNT, " ".join(label), label, giver, nodes)
            else:
                rest.update(label)
        if rest:
            self._add(Kind.STATE, Kind.STATE.value, rest, giver, nodes)

    def _add(
        self, kind: Kind, said: str, names: Collection[str], giver: int, nodes: list[Node]
    ) -> None:
        places = self._places[kind]
        node = Node(_LEFT[kind], said)
        node.links = {giver, *(places[name] for name in names if name in places)}
        nodes.append(node)
        places.update(dict.fromkeys(names, len(nodes) - 1))


def _link_imports(
    imports: list[tuple[int, int]], before: int, nodes: Sequence[Node], latest: Latest
) -> None:
    """Link imports to the state that they found, as a cache that an earlier one had filled.

    What an import finds that ran in the same test or file is known only when that has ended.
    `imports` are orders and places, the last one first; those of an order `before` that are taken.
    """
    while imports and imports[-1][0] < before:
        _, place = imports.pop()
        nodes[place].links |= latest.of(frozenset().union(*nodes[place].mentions))


def _link_to_modules(places: Iterable[int], nodes: Sequence[Node]) -> set[str]:
    """Return the paths of all imported modules; link those to them that ask for subclasses."""
    imports = [nodes[place] for place in places if nodes[place].kind is Kind.IMPORT]
    modules = {node.name for node in imports}
    for node in imports:
        if any(_SUBCLASSES in some for some in node.mentions):
            node.imports |= modules - {node.name}
    return modules


def process_names(needs: Iterable[NeedRecord]) -> set[str]:
    """Return by which names of state the process's environment counts for these needs."""
    names = {
        Need.VARIABLE: "",
        Need.FOLDER: WORKING_FOLDER,
        Need.RANDOM: RANDOM_NUMBERS,
    }
    return {names[need.need] or need.name for need in needs if need.need in names}


def _asked(one: Recording, submodules: Collection[str]) -> Callable[[frozenset[str]], Set[str]]:
    """Return what takes of names those that matter here: each set once, as most tests share them.

    What code mentions that was generated, or left behind, counts apart.
    """
    labels = (label for change in one.changes for label in change.labels)
    asked = frozenset().union(*labels, submodules, (_SUBCLASSES, "modules"))
    return cache(asked.intersection)


def _mentioned(
    place: int, nodes: Mapping[int, Node], asked: Callable[[frozenset[str]], Set[str]]
) -> set[str]:
    """Return which of the names that are asked for the code of a test mentions."""
    names: set[str] = set()
    for part in own_parts(place, nodes):
        names.update(*map(asked, part.mentions), process_names(part.needs))
        if part.modules or part.missing:
            names.add(SEARCH_FOLDERS)
    return names


def _generated(numbers: Iterable[int], nodes: Mapping[int, Node]) -> set[str]:
    return set().union(*(found for number in numbers if (found := nodes[number].generated)))


def _submodules(
    one: Recording, start: int, nodes: Sequence[Node]
) -> defaultdict[str, list[tuple[str, str]]]:
    """Return by its last name each imported module's path, with that of its package or "".

    `package.module` needs no import where another test has made one; nor does `sys.modules`.
    """
    paths = {raw.name: nodes[place].name for place, raw in enumerate(one.segments, start)}
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, file in one.modules.items():
        package, _, last = name.rpartition(".")
        if file in paths and (not package or one.modules.get(package) in paths):
            found[last].append((paths[one.modules[package]] if package else "", paths[file]))
    return found
