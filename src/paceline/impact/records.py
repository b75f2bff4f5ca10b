"""The store of impact records: one SQLite file, one set of records an environment.

Two runs may use it at once: each writes in one transaction. A damaged file or one of another
format is set aside with one warning; then nothing is known, and everything runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from paceline.coverage import ledger
from paceline.coverage.ledger import Ledger
from paceline.errors import IncompleteEvidence, UsageError
from paceline.impact.recorder import Kind, Need
from paceline.impact.source import Block, Source

FORMAT: Final = 6

#: What reading a damaged store raises.
DAMAGE: Final = (sqlite3.DatabaseError, ValueError, KeyError, TypeError, zlib.error)

#: Seconds to wait for another run that writes.
_PATIENCE_SECONDS: Final = 60.0

_TABLES: Final = """
CREATE TABLE environment (id INTEGER PRIMARY KEY, digest TEXT UNIQUE, detail TEXT, used_at REAL,
                          files BLOB);
CREATE TABLE source (id INTEGER PRIMARY KEY, path TEXT, sha TEXT, blocks BLOB, UNIQUE(path, sha));
CREATE TABLE need (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, value TEXT,
                   UNIQUE(kind, name, value));
CREATE TABLE segment (id INTEGER PRIMARY KEY, environment INTEGER, kind TEXT, name TEXT, data BLOB);
CREATE TABLE test (environment INTEGER, name TEXT, status TEXT, seconds REAL, segment INTEGER,
                   PRIMARY KEY(environment, name));
CREATE INDEX segments_of ON segment (environment);
"""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A file version: project-relative path, digest of its content, its blocks if it is Python."""

    path: str
    sha: str
    source: Source | None = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NeedRecord:
    """An input and the value it had."""

    need: Need
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A stored segment.

    `code` maps the number of a source to the bits of the blocks that ran; `needs` are numbers
    of needs, `links` of segments, `imports` paths of modules it builds on. `sees_lines` says
    that a test looks at the line numbers, or the text, of the code that it runs.
    """

    kind: Kind
    name: str
    code: Mapping[int, int]
    needs: tuple[int, ...]
    links: tuple[int, ...]
    imports: tuple[str, ...]
    modules: frozenset[str]
    missing: frozenset[str]
    unseen: tuple[str, ...]
    sees_lines: bool = False


#: The status of a test that the project's own settings leave out, as with -m in addopts, and of
#: what stands for the tests of a file or folder that has none.
NEVER_RUN: Final = "never run"

#: Stands after the id of a file, folder or class for tests of it that are not known.
UNKNOWN_TESTS: Final = "::"


@dataclass(frozen=True, slots=True)
class TestRecord:
    """How a test ended when it last ran, and its segment. Only "passed" can be relied on."""

    __test__ = False

    status: str
    seconds: float
    segment: int


@dataclass(frozen=True)
class Records:
    """All records of one environment. `files` are those that were there when all was collected."""

    tests: Mapping[str, TestRecord] = field(default_factory=dict)
    segments: Mapping[int, SegmentRecord] = field(default_factory=dict)
    sources: Mapping[int, SourceRecord] = field(default_factory=dict)
    needs: Mapping[int, NeedRecord] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


class StoreInUse(IncompleteEvidence):
    """Another run has held the records for longer than any run takes to write them."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            [f"{path}: another run has held these records for {_PATIENCE_SECONDS:.0f} s"],
            "wait for it, or end it if it hangs",
        )


class Store:
    """The file at `path`; made on first use. Reading and writing may raise StoreInUse."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Return whether anything was ever stored."""
        return self.path.is_file()

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in one transaction, written at the end unless an error occurs."""
        try:
            with self._transaction() as connection:
                yield connection
        except sqlite3.OperationalError as error:
            if _is_locked(error):
                raise StoreInUse(self.path) from error
            raise

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._try_connect()
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._try_connect()

    def _set_aside(self, error: Exception) -> None:
        """Remove a damaged store, with a warning; raise `error` if another run only holds it."""
        if _is_locked(error):
            raise error
        if self.path.is_dir():
            raise UsageError(f"{self.path} is a folder", "remove it: a file is kept there")
        _warn(self.path, str(error))
        for leftover in ("", "-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + leftover).unlink(missing_ok=True)

    def _try_connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables == 0:
                connection.execute("BEGIN IMMEDIATE")
                if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in (_TABLES + ledger.TABLES).split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {FORMAT}")
                connection.execute("COMMIT")
            elif version != FORMAT:
                raise sqlite3.DatabaseError(f"format {version}, this is format {FORMAT}")
            elif connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("its content is damaged")
        except BaseException:
            connection.close()
            raise
        return connection

    def load(self, environment: str) -> Records:
        """Return the records of the environment with this digest; empty if there are none."""
        try:
            return self.read(environment)
        except DAMAGE as error:
            self._set_aside(error)
            return Records()

    def read(self, environment: str) -> Records:
        """Return what `load` does; raise one of DAMAGE if it is damaged."""
        if not self.exists():
            return Records()
        with self.open() as connection:
            return _load(connection, environment)

    def load_ledger(self, environment: str) -> Ledger:
        """Return the ledger of the environment with this digest; empty if there is none."""
        if not self.exists():
            return Ledger()
        try:
            with self.open() as connection:
                query = "SELECT id FROM environment WHERE digest = ?"
                row = connection.execute(query, (environment,)).fetchone()
                return Ledger() if row is None else ledger.load(connection, row[0])
        except (sqlite3.DatabaseError, ValueError, TypeError, zlib.error) as error:
            _warn(self.path, str(error))
            return Ledger()


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _warn(path: Path, why: str) -> None:
    from paceline import console

    console.err(f"warning: {path}: damaged impact records are ignored ({why}); everything runs")


def _load(connection: sqlite3.Connection, environment: str) -> Records:
    row = connection.execute(
        "SELECT id, files FROM environment WHERE digest = ?", (environment,)
    ).fetchone()
    if row is None:
        return Records()
    number, files = row
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
    return Records(tests, segments, sources, needs, files_in(files))


def load_segments(connection: sqlite3.Connection, environment: int) -> dict[int, SegmentRecord]:
    """Return all segments of the environment with this number."""
    return {
        number: _segment(kind, name, _unpacked(data))
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


def files_in(data: bytes | None) -> frozenset[str]:
    """Return the files that `note_files` packed."""
    return frozenset(_unpacked(data)) if data else frozenset()


def note_files(connection: sqlite3.Connection, environment: int, files: Iterable[str]) -> None:
    """Note the files that were there when all tests were collected."""
    connection.execute(
        "UPDATE environment SET files = ? WHERE id = ?", (_packed(sorted(files)), environment)
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
            block.layout,
        ]
        for block in source.blocks
    ]
    return [blocks, dict(source.functions), source.docstrings]


def _source(data: Any) -> Source | None:
    if data is None:
        return None
    blocks, functions, docstrings = data
    return Source(
        tuple(
            Block(name, digest, first, last, inline, frozenset(names), layout)
            for name, digest, first, last, inline, names, layout in blocks
        ),
        functions,
        docstrings,
    )


def _storable(text: str) -> str | bytes:
    """Return the text, or as bytes the name of a file that is no text of its encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _packed(data: Any) -> bytes:
    return zlib.compress(
        json.dumps(data, separators=(",", ":")).encode("utf-8", "surrogatepass"), 6
    )


def _unpacked(blob: bytes) -> Any:
    return json.loads(zlib.decompress(blob).decode("utf-8", "surrogatepass"))
