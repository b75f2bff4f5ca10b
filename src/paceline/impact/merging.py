"""Brings records from elsewhere into the store: from shards, or from a pipeline's run.

Records name files relative to the project and inputs by their content, so they hold in any
checkout with the same Python and packages.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from paceline.errors import UsageError
from paceline.impact import rows, saving
from paceline.impact.database import DAMAGE, FORMAT, Store
from paceline.impact.recorder import Kind
from paceline.impact.records import SETTLED, Records, SegmentRecord, TestRecord


def export(store: Store, target: Path) -> None:
    """Write a copy of the store to `target`; raise UsageError if there is nothing or no place."""
    if not store.exists():
        raise UsageError(
            f"{store.path}: there are no impact records", "run `pytest --impact` first"
        )
    if target.exists():
        raise UsageError(f"{target} is there already", "name a file that is not")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(store.path)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
    except (OSError, sqlite3.DatabaseError) as error:
        raise UsageError(f"{target} cannot be written: {error}", "name another place") from None


def merge(store: Store, others: list[Path]) -> int:
    """Take over the records of the stores at `others`; return how many tests they told of.

    Where two tell of the same test, one that did not pass wins: it will run again. Raises
    UsageError if a file is no store of this format.
    """
    count = 0
    for path in others:
        _check(path)
        other = Store(path)
        with other.open() as connection:
            environments = connection.execute("SELECT digest, detail FROM environment").fetchall()
        for digest, detail in environments:
            try:
                found = other.read(digest)
            except DAMAGE as error:
                raise UsageError(
                    f"{path}: damaged: {error}", "nothing was merged from it"
                ) from None
            with store.open() as connection:
                number = rows.environment_number(connection, digest, detail, here=False)
                count += _add(connection, number, found)
                saving.clean(connection, number)
    return count


def _check(path: Path) -> None:
    problem = "there is no such file"
    if path.is_file():
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            finally:
                connection.close()
            problem = "" if found == "ok" else str(found)
            if version != FORMAT:
                problem = f"it has format {version}, this is format {FORMAT}"
        except sqlite3.DatabaseError as error:
            problem = str(error)
    if problem:
        raise UsageError(f"{path}: no impact records: {problem}", "nothing was merged from it")


def _add(connection: sqlite3.Connection, environment: int, found: Records) -> int:
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0]
    numbers = {old: first + place for place, old in enumerate(found.segments)}
    sources = {old: rows.source_number(connection, item) for old, item in found.sources.items()}
    needs = {old: rows.need_number(connection, item) for old, item in found.needs.items()}
    known = rows.load_segments(connection, environment)
    present = {item.name: number for number, item in known.items() if item.kind is Kind.IMPORT}
    for old, segment in found.segments.items():
        moved = replace(
            segment,
            code={sources[item]: bits for item, bits in segment.code.items()},
            needs=tuple(sorted(needs[item] for item in segment.needs)),
            links=tuple(sorted(numbers[link] for link in segment.links if link in numbers)),
        )
        if segment.kind is Kind.IMPORT and segment.name in present:
            number = present[segment.name]
            moved = _united(known[number], moved)
            connection.execute("DELETE FROM segment WHERE id = ?", (number,))
            numbers[old] = number
        rows.insert_segment(connection, environment, moved, numbers[old])
    known_tests = connection.execute(
        "SELECT name, status, seconds, segment FROM test WHERE environment = ?", (environment,)
    )
    tests = {
        name: TestRecord(status, seconds, segment) for name, status, seconds, segment in known_tests
    }
    for name, test in found.tests.items():
        one = replace(test, segment=numbers.get(test.segment, 0))
        both = _decided(tests.get(name, one), one)
        connection.execute(
            "INSERT OR REPLACE INTO test VALUES (?, ?, ?, ?, ?)",
            (environment, name, both.status, both.seconds, both.segment),
        )
    query = "SELECT files, starts FROM environment WHERE id = ?"
    files, starts = map(rows.names_in, connection.execute(query, (environment,)).fetchone())
    rows.note_files(connection, environment, found.files.union(files), starts or found.starts)
    return sum(test.segment in numbers for test in found.tests.values())


def _decided(one: TestRecord, other: TestRecord) -> TestRecord:
    """Return which of two holds: one that tells of a run, and of these what did not pass."""
    if not one.segment or not other.segment:
        return one if one.segment else other
    return replace(other, status=other.status if one.status in SETTLED else one.status)


def _united(one: SegmentRecord, other: SegmentRecord) -> SegmentRecord:
    """Return what both saw of the import of the same module."""
    code = dict(one.code)
    for item, bits in other.code.items():
        code[item] = code.get(item, 0) | bits
    return replace(
        one,
        code=code,
        needs=tuple(sorted({*one.needs, *other.needs})),
        links=tuple(sorted({*one.links, *other.links})),
        imports=tuple(sorted({*one.imports, *other.imports})),
        modules=one.modules | other.modules,
        missing=one.missing | other.missing,
        unseen=tuple(sorted({*one.unseen, *other.unseen})),
    )
