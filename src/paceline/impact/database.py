"""The store of impact records: one SQLite file, one set of records an environment.

Two runs may use it at once: each writes in one transaction. A damaged file or one of another
format is set aside with one warning; then nothing is known, and everything runs.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from paceline.coverage import ledger
from paceline.coverage.ledger import Ledger
from paceline.errors import IncompleteEvidence, UsageError
from paceline.impact import rows
from paceline.impact.records import Records

FORMAT: Final = 14

#: What reading a damaged store raises.
DAMAGE: Final = (sqlite3.DatabaseError, ValueError, KeyError, TypeError, zlib.error)

#: Seconds to wait for another run that writes.
_PATIENCE_SECONDS: Final = 60.0

_TABLES: Final = """
CREATE TABLE environment (id INTEGER PRIMARY KEY, digest TEXT UNIQUE, detail TEXT, used_at REAL,
                          files BLOB, starts BLOB);
CREATE TABLE source (id INTEGER PRIMARY KEY, path TEXT, sha TEXT, blocks BLOB, UNIQUE(path, sha));
CREATE TABLE need (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, value TEXT,
                   UNIQUE(kind, name, value));
CREATE TABLE segment (id INTEGER PRIMARY KEY, environment INTEGER, kind TEXT, name TEXT, data BLOB);
CREATE TABLE test (environment INTEGER, name TEXT, status TEXT, seconds REAL, segment INTEGER,
                   PRIMARY KEY(environment, name));
CREATE INDEX segments_of ON segment (environment);
"""


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
            return rows.load(connection, environment)

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
