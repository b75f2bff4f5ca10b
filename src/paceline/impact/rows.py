"""The rows of the store of impact records, in a transaction that is open."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord, SourceRecord, TestRecord
from paceline.impact.source import Block, Source


def load(connection: sqlite3.Connection, environment: str) -> Records:
    """Return the records of the environment with this digest; empty if there are none."""
    row = connection.execute(
        "SELECT id, files, starts FROM environment WHERE digest = ?", (environment,)
    ).fetchone()
    if row is None:
        return Records()
    number, files, starts = row
    segments = load_segments(connection, number)
    tests = {
        name: TestRecord(status, seconds, segment)
        for name, status, seconds, segment in connection.execute(
            "SELECT name, status, seconds, segment FROM test WHERE environment = ?", (number,)
        )
    }
    used_sources = {number for segment in segments.values() for number in segment.code}
    sources = {
        number: SourceRecord(os.fsdecode(path), sha, _source(_unpacked(blocks)))
        for number, path, sha, blocks in connection.execute("SELECT * FROM source")
        if number in used_sources
    }
    used_needs = {number for segment in segments.values() for number in segment.needs}
    needs = {
        number: NeedRecord(Need(kind), os.fsdecode(name), os.fsdecode(value))
        for number, kind, name, value in connection.execute("SELECT * FROM need")
        if number in used_needs
    }
    return Records(tests, segments, sources, needs, frozenset(names_in(files)), names_in(starts))


def load_segments(
    connection: sqlite3.Connection,
    environment: int,
    known: Mapping[int, SegmentRecord] = MappingProxyType({}),
) -> dict[int, SegmentRecord]:
    """Return all segments of the environment with this number; those `known` are as they are."""
    return {
        number: known[number] if number in known else _segment(kind, name, _unpacked(data))
        for number, kind, name, data in connection.execute(
            "SELECT id, kind, name, data FROM segment WHERE environment = ?", (environment,)
        )
    }


def environment_number(
    connection: sqlite3.Connection, digest: str, detail: str, *, here: bool
) -> int:
    """Return the number of an environment, new or known, and note that it was used.

    `here` says that `detail` names folders of this checkout, and not of where records come from.
    """
    connection.execute(
        "INSERT INTO environment (digest, detail, used_at) VALUES (?, ?, ?)"
        " ON CONFLICT(digest) DO UPDATE SET used_at = excluded.used_at",
        (digest, detail, time.time()),
    )
    if here:
        connection.execute("UPDATE environment SET detail = ? WHERE digest = ?", (detail, digest))
    found: int = connection.execute(
        "SELECT id FROM environment WHERE digest = ?", (digest,)
    ).fetchone()[0]
    return found


def names_in(data: bytes | None) -> tuple[str, ...]:
    """Return the names that `note_files` packed."""
    return tuple(_unpacked(data)) if data else ()


def note_files(
    connection: sqlite3.Connection, environment: int, files: Iterable[str], starts: Sequence[str]
) -> None:
    """Note the files that were there when all tests were collected, and where pytest began."""
    connection.execute(
        "UPDATE environment SET files = ?, starts = ? WHERE id = ?",
        (_packed(sorted(files)), _packed(list(starts)), environment),
    )


def source_number(connection: sqlite3.Connection, record: SourceRecord) -> int:
    """Return the number of a file version, new or known."""
    key = (_storable(record.path), record.sha)
    row = connection.execute("SELECT id FROM source WHERE path = ? AND sha = ?", key).fetchone()
    if row is None:
        data = _packed(_source_data(record.source))
        cursor = connection.execute(
            "INSERT INTO source (path, sha, blocks) VALUES (?, ?, ?)", (*key, data)
        )
        return int(cursor.lastrowid or 0)
    return int(row[0])


def need_number(connection: sqlite3.Connection, record: NeedRecord) -> int:
    """Return the number of an input with this value, new or known."""
    key = (record.need.value, _storable(record.name), _storable(record.value))
    row = connection.execute(
        "SELECT id FROM need WHERE kind = ? AND name = ? AND value = ?", key
    ).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO need (kind, name, value) VALUES (?, ?, ?)", key)
        return int(cursor.lastrowid or 0)
    return int(row[0])


def opened_files(connection: sqlite3.Connection) -> set[str]:
    """Return the paths of all files that code is known to have opened."""
    query = "SELECT DISTINCT name FROM need WHERE kind = ?"
    return {row[0] for row in connection.execute(query, (Need.CONTENT.value,))}


def known_contents(connection: sqlite3.Connection, path: str) -> set[str]:
    """Return the digests of all contents of the file at `path` that are known."""
    query = "SELECT sha FROM source WHERE path = ? UNION SELECT value FROM need WHERE kind = ?"
    name = _storable(path)
    rows = connection.execute(f"{query} AND name = ?", (name, Need.CONTENT.value, name))
    return {row[0] for row in rows}


def insert_segment(
    connection: sqlite3.Connection, environment: int, record: SegmentRecord, number: int
) -> None:
    """Store a segment under `number`."""
    data = {
        "code": {str(source): f"{bits:x}" for source, bits in record.code.items()},
        "needs": record.needs,
        "links": record.links,
        "imports": record.imports,
        "modules": sorted(record.modules),
        "missing": sorted(record.missing),
        "unseen": record.unseen,
        "sees_lines": record.sees_lines,
    }
    connection.execute(
        "INSERT INTO segment VALUES (?, ?, ?, ?, ?)",
        (number, environment, record.kind.value, record.name, _packed(data)),
    )


def mark(
    connection: sqlite3.Connection, environment: int, tests: Iterable[str], status: str
) -> None:
    """Set the status of tests that are about to run, so that a crash leaves no old "passed"."""
    connection.executemany(
        "INSERT INTO test VALUES (?, ?, ?, 0, 0)"
        " ON CONFLICT(environment, name) DO UPDATE SET status = excluded.status",
        [(environment, test, status) for test in tests],
    )


def _segment(kind: str, name: str, data: Any) -> SegmentRecord:
    return SegmentRecord(
        Kind(kind),
        name,
        {int(source): int(bits, 16) for source, bits in data["code"].items()},
        tuple(data["needs"]),
        tuple(data["links"]),
        tuple(data["imports"]),
        frozenset(data["modules"]),
        frozenset(data["missing"]),
        tuple(data["unseen"]),
        data["sees_lines"],
    )


def _source_data(source: Source | None) -> Any:
    if source is None:
        return None
    blocks = [
        [
            *(block.name, block.digest, block.first, block.last, block.inline),
            sorted(block.names),
            *(block.layout, block.head, block.start, block.defaults),
        ]
        for block in source.blocks
    ]
    return [blocks, dict(source.functions), source.docstrings, sorted(source.run_later)]


def _source(data: Any) -> Source | None:
    if data is None:
        return None
    blocks, functions, docstrings, run_later = data
    return Source(
        tuple(
            Block(name, digest, first, last, inline, frozenset(names), *rest)
            for name, digest, first, last, inline, names, *rest in blocks
        ),
        functions,
        docstrings,
        frozenset(run_later),
    )


def _storable(text: str) -> str | bytes:
    """Return the text, or as bytes the name of a file that is no text of its encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _packed(data: Any) -> bytes:
    # Many small rows: level 6 takes twice as long and saves a hundredth.
    text = json.dumps(data, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def _unpacked(blob: bytes) -> Any:
    return json.loads(zlib.decompress(blob).decode("utf-8", "surrogatepass"))
