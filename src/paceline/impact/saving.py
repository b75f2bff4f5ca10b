"""Writes what a run recorded into the store, in one transaction."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from paceline.impact import rows
from paceline.impact.links import import_places, reachable, reaching
from paceline.impact.nodes import Node
from paceline.impact.recorder import Kind
from paceline.impact.recording import RawTest
from paceline.impact.records import SETTLED, SKIPPED, UNKNOWN_TESTS, SegmentRecord

#: Environments (test group, Python, packages, options) whose records are kept; the oldest go first.
_ENVIRONMENTS = 24


def save(
    connection: sqlite3.Connection,
    environment: int,
    nodes: Sequence[Node],
    tests: Sequence[tuple[RawTest, int]],
    mark: str,
) -> dict[int, tuple[Node, SegmentRecord]]:
    """Replace the records of `tests` and of all imported modules; return by number what was stored.

    A test that does not bear this run's `mark` any more was taken on by another run as well;
    only a failure is certain then.
    """
    imports = _merged_imports(nodes)
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0]
    numbers = {
        place: first + place for place, node in enumerate(nodes) if node.kind is not Kind.IMPORT
    }
    segments = dict(enumerate(nodes))
    by_path = import_places(segments)
    # Imports are all kept, with what they found: they may have run for tests that are left out.
    found = [place for place, node in segments.items() if node.kind is Kind.IMPORT]
    wanted = reachable([*found, *(place for _, place in tests)], segments, by_path)
    stored: dict[int, tuple[Node, SegmentRecord]] = {}
    known = _Known(connection)
    for place in sorted(wanted & numbers.keys()):
        record = _record(known, nodes[place], nodes, numbers)
        rows.insert_segment(connection, environment, record, numbers[place])
        stored[numbers[place]] = nodes[place], record
    next_number = first + len(nodes)
    for offset, (path, node) in enumerate(imports.items()):
        if node.failed and _is_known(connection, environment, path):
            continue  # an import that broke off says less than the one before it
        connection.execute(
            "DELETE FROM segment WHERE environment = ? AND kind = ? AND name = ?",
            (environment, Kind.IMPORT.value, path),
        )
        record = _record(known, node, nodes, numbers)
        rows.insert_segment(connection, environment, record, next_number + offset)
        stored[next_number + offset] = node, record
    marked = {
        row[0]
        for row in connection.execute(
            "SELECT name FROM test WHERE environment = ? AND status = ?", (environment, mark)
        )
    }
    disturbed = reaching(lambda node: bool(node.disturbed), segments, by_path)
    for test, place in tests:
        status = test.status
        if status in ("passed", SKIPPED) and test.name not in marked:
            status = "unfinished"
        if status in SETTLED and place in disturbed:
            status = "unfinished"
        connection.execute(
            "INSERT OR REPLACE INTO test VALUES (?, ?, ?, ?, ?)",
            (environment, test.name, status, test.seconds, numbers[place]),
        )
    return stored


def _is_known(connection: sqlite3.Connection, environment: int, path: str) -> bool:
    key = (environment, Kind.IMPORT.value, path)
    query = "SELECT 1 FROM segment WHERE environment = ? AND kind = ? AND name = ?"
    return connection.execute(query, key).fetchone() is not None


def _merged_imports(nodes: Sequence[Node]) -> dict[str, Node]:
    """Unite what several processes saw when they imported the same module."""
    merged: dict[str, Node] = {}
    for node in nodes:
        if node.kind is not Kind.IMPORT:
            continue
        known = merged.setdefault(node.name, node)
        if known is not node:
            known.absorb(node)
    return merged


class _Known:
    """The numbers of inputs and file versions, each asked for once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.need = functools.cache(functools.partial(rows.need_number, connection))
        self.source = functools.cache(functools.partial(rows.source_number, connection))


def _record(
    known: _Known,
    node: Node,
    nodes: Sequence[Node],
    numbers: Mapping[int, int],
) -> SegmentRecord:
    imports = node.imports | {
        nodes[link].name
        for link in node.links
        if nodes[link].kind is Kind.IMPORT and nodes[link] is not node
    }
    return SegmentRecord(
        node.kind,
        node.name,
        {known.source(source): bits for source, bits in node.blocks.items()},
        tuple(sorted(map(known.need, node.needs))),
        tuple(sorted(numbers[link] for link in node.links if link in numbers)),
        tuple(sorted(imports)),
        node.modules,
        node.missing,
        tuple(sorted(node.unseen)),
        node.sees_lines,
    )


def hand_on_counts(
    connection: sqlite3.Connection, environment: int, tests: Collection[str]
) -> None:
    """Let counts that build on older records of `tests` build on those of now."""
    if not tests:
        return
    known_tests = connection.execute(
        "SELECT name, segment FROM test WHERE environment = ?", (environment,)
    )
    present = {name: segment for name, segment in known_tests if name in tests}
    known = rows.load_segments(connection, environment)
    newer = {
        number: present[segment.name]
        for number, segment in known.items()
        if segment.kind is Kind.TEST and segment.name in present
    }
    for number, segment in known.items():
        if segment.kind is Kind.COUNT and not newer.keys().isdisjoint(segment.links):
            links = {newer.get(link, link) for link in segment.links}
            connection.execute("DELETE FROM segment WHERE id = ?", (number,))
            moved = replace(segment, links=tuple(sorted(links)))
            rows.insert_segment(connection, environment, moved, number)


def hold_back(connection: sqlite3.Connection, environment: int, tests: Iterable[str]) -> None:
    """Let `tests`, affected but not run, run next time whatever is recorded until then."""
    connection.executemany(
        "UPDATE test SET status = 'unfinished'"
        " WHERE environment = ? AND name = ? AND status IN ('passed', ?)",
        [(environment, test, SKIPPED) for test in tests],
    )


def givers(connection: sqlite3.Connection, environment: int, tests: Collection[str]) -> set[str]:
    """Return the tests that left something behind which `tests` build on."""
    if not tests:
        return set()
    known = rows.load_segments(connection, environment)
    query = "SELECT name, segment FROM test WHERE environment = ?"
    starts = [
        segment for name, segment in connection.execute(query, (environment,)) if name in tests
    ]
    reached = (known[number] for number in reachable(starts, known, {}))
    return {segment.name for segment in reached if segment.kind is Kind.TEST}


def importing(connection: sqlite3.Connection, environment: int, modules: set[str]) -> list[str]:
    """Return the tests that build on the import of one of the modules, given by path."""
    if not any(_is_known(connection, environment, path) for path in modules):
        return []
    known = rows.load_segments(connection, environment)
    reached = reaching(
        lambda part: part.kind is Kind.IMPORT and part.name in modules, known, import_places(known)
    )
    tests = connection.execute(
        "SELECT name, segment FROM test WHERE environment = ?", (environment,)
    )
    return [name for name, segment in tests if segment in reached]


def settle_files(
    connection: sqlite3.Connection,
    environment: int,
    collected: set[str],
    complete: Iterable[str],
    partial: Iterable[str],
) -> None:
    """Bring the list of known tests in line with what was collected.

    Of a `complete` file every collected test gets a row, so that one that did not run is not
    forgotten, and tests that are gone lose theirs. A `partial` file without an earlier complete
    collection gets a row that stands for its unknown tests and never passes.
    """
    known: dict[str, set[str]] = {}
    for (name,) in connection.execute(
        "SELECT name FROM test WHERE environment = ?", (environment,)
    ):
        known.setdefault(file_of(name), set()).add(name)
    wanted: dict[str, set[str]] = {}
    for name in collected:
        wanted.setdefault(file_of(name), set()).add(name)
    for file in complete:
        gone = known.get(file, set()) - wanted.get(file, set())
        connection.executemany(
            "DELETE FROM test WHERE environment = ? AND name = ?",
            [(environment, name) for name in gone],
        )
        new = wanted.get(file, set()) - known.get(file, set())
        rows.mark(connection, environment, new, "unfinished")
    for file in partial:
        if not known.get(file, set()) - wanted.get(file, set()):
            rows.mark(connection, environment, [file + UNKNOWN_TESTS], "unfinished")


def forget(connection: sqlite3.Connection, environment: int, gone: Callable[[str], bool]) -> None:
    """Drop the tests that are gone."""
    tests = connection.execute("SELECT name FROM test WHERE environment = ?", (environment,))
    connection.executemany(
        "DELETE FROM test WHERE environment = ? AND name = ?",
        [(environment, name) for (name,) in tests.fetchall() if gone(name)],
    )


def file_of(test: str) -> str:
    """Return the file part of a test id."""
    return test.partition("::")[0]


def clean(
    connection: sqlite3.Connection,
    environment: int,
    known: Mapping[int, SegmentRecord] = MappingProxyType({}),
) -> None:
    """Drop segments that no test builds on, and all that only they used.

    `known` are segments that need not be read again.
    """
    connection.execute(
        "DELETE FROM environment WHERE id NOT IN"
        " (SELECT id FROM environment ORDER BY used_at DESC LIMIT ?)",
        (_ENVIRONMENTS,),
    )
    for statement in (
        "DELETE FROM segment WHERE environment NOT IN (SELECT id FROM environment)",
        "DELETE FROM test WHERE environment NOT IN (SELECT id FROM environment)",
    ):
        connection.execute(statement)
    _drop_unreached(connection, environment, known)


def _drop_unreached(
    connection: sqlite3.Connection, environment: int, known: Mapping[int, SegmentRecord]
) -> None:
    segments = rows.load_segments(connection, environment, known)
    used = connection.execute("SELECT segment FROM test WHERE environment = ?", (environment,))
    reached = reachable([row[0] for row in used], segments, import_places(segments))
    connection.executemany(
        "DELETE FROM segment WHERE id = ?", [(number,) for number in segments.keys() - reached]
    )
