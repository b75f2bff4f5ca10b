"""Which tests build on state that an earlier one left behind: those that mention its name.

Only code that mentions a name gets at what is kept under it. Of code without a file, as attrs
makes it for a class, the names are known to the segment in which it was made; whoever builds on
that may run it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from paceline.impact.links import import_places, own_parts, reachable
from paceline.impact.nodes import Node
from paceline.impact.recorder import SEARCH_FOLDERS, WORKING_FOLDER, Kind, Need
from paceline.impact.recording import RawSegment, Recording
from paceline.impact.records import NeedRecord

_STATE = RawSegment(Kind.STATE, "state", {}, {}, (), (), (), (), (), ())


def name_state(one: Recording, start: int, nodes: Sequence[Node]) -> None:
    """Note in the segments what state they changed; those of `one` begin at `start`."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for change in one.changes:
        found[change.segment].update(" ".join(label) for label in change.labels)
    for number, labels in found.items():
        value = "\n".join(sorted(labels))
        nodes[start + number].needs.add(NeedRecord(Need.STATE, ".", value))


def link_state(one: Recording, start: int, nodes: list[Node]) -> None:
    """Link each test to the tests before it that left state which it mentions.

    State grows: a change builds on the change before it, so one link per name is enough.
    """
    segments = dict(enumerate(nodes))
    by_path = import_places(segments)
    latest: dict[str, int] = {}
    submodules = _submodules(one, start, nodes)
    #: What code that was left behind mentions: whoever uses that state may run it.
    left: set[str] = set()
    changes = sorted(one.changes, key=lambda change: change.order)
    imported: defaultdict[int, list[int]] = defaultdict(list)
    for number, count in one.imports.items():
        imported[min(count, len(changes) - 1)].append(start + number)
    position = 0
    for test in sorted(one.tests, key=lambda test: test.order):
        while position < len(changes) and changes[position].order < test.order:
            change = changes[position]
            _add_state(start + change.segment, change.names, nodes, latest)
            left |= _generated(reachable([start + change.segment], segments, by_path), segments)
            _link_imports(imported[position], nodes, latest)
            position += 1
        place = start + test.segment
        reached = reachable([place], segments, by_path)
        names = _mentioned(place, segments)
        for name in names & submodules.keys():
            nodes[place].imports |= {
                path
                for package, path in submodules[name]
                if by_path.get(package) in reached or (not package and "modules" in names)
            }
        names |= _generated(reached, segments) | left
        nodes[place].links |= {latest[name] for name in names & latest.keys()}


def _add_state(giver: int, names: Iterable[str], nodes: list[Node], latest: dict[str, int]) -> None:
    """Add the state that the segment `giver` left; `latest` has for each name the last one."""
    state = Node(_STATE, "state")
    state.links = {giver} | {latest[name] for name in names if name in latest}
    nodes.append(state)
    latest.update(dict.fromkeys(names, len(nodes) - 1))


def _link_imports(places: Iterable[int], nodes: Sequence[Node], latest: Mapping[str, int]) -> None:
    """Link imports to the state that they found, as a cache that an earlier one had filled.

    What an import finds that ran in the same test or file is known only when that has ended.
    """
    for place in places:
        nodes[place].links |= {latest[name] for name in nodes[place].names & latest.keys()}


def process_names(needs: Iterable[NeedRecord]) -> set[str]:
    """Return by which names of state the process's environment counts for these needs."""
    names = {Need.VARIABLE: "", Need.FOLDER: WORKING_FOLDER}
    return {names[need.need] or need.name for need in needs if need.need in names}


def _mentioned(place: int, nodes: Mapping[int, Node]) -> set[str]:
    names: set[str] = set()
    for part in own_parts(place, nodes):
        names |= part.names | process_names(part.needs)
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
