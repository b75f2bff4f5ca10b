"""The ledger: which lines or arcs each recorded segment ran, kept between runs.

It lies beside the impact records, in the same store. Each version of a file has a list of the
arcs that were ever seen in it; what a segment ran in it is a set of bits over that list, and
equal sets are stored once.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_, xor
from pathlib import Path
from typing import Final

from paceline.impact.tracer import unpack

Arc = tuple[int, int]

#: Of zlib: level 6 takes several times as long.
_LEVEL: Final = 1

TABLES: Final = """
CREATE TABLE measured (source INTEGER PRIMARY KEY, tracer TEXT, text BLOB, arcs BLOB);
CREATE TABLE ran (id INTEGER PRIMARY KEY, source INTEGER, bits BLOB, UNIQUE(source, bits));
CREATE TABLE ledger (segment INTEGER PRIMARY KEY, settings TEXT, suite TEXT, ran BLOB);
"""


@dataclass(frozen=True)
class Settings:
    """How a run measured: digests of coverage's settings, and of what narrowed the tests.

    What tests leave behind for one another depends on which of them run, so the entry of a test
    holds for the same choice only.
    """

    measuring: str
    suite: str

    @classmethod
    def of(cls, measuring: object, suite: object) -> Settings:
        """Return the digests of both descriptions."""
        return cls(_digest(measuring), _digest(suite))


@dataclass(frozen=True)
class Entry:
    """What one segment ran: numbers of sets in `Ledger.ran`, and how that was measured."""

    settings: Settings
    ran: tuple[int, ...]


@dataclass(frozen=True)
class Ran:
    """Arcs that some segment ran in one version of a file, as bits over the file's arcs."""

    source: int
    bits: int


@dataclass(frozen=True)
class Measured:
    """A version of a file: its path, the digest of its content, and the arcs seen in it.

    `tracer` is the coverage plugin that traced it, "" for Python itself.
    """

    path: str
    sha: str
    tracer: str
    arcs: Sequence[Arc] = field(repr=False)
    packed_text: bytes = field(repr=False)

    @property
    def text(self) -> bytes:
        """The content."""
        return zlib.decompress(self.packed_text)


@dataclass(frozen=True)
class Ledger:
    """Everything stored, by number of the segment, of the set, of the file version."""

    entries: Mapping[int, Entry] = field(default_factory=dict)
    ran: Mapping[int, Ran] = field(default_factory=dict)
    files: Mapping[int, Measured] = field(default_factory=dict)

    def union(self, segments: Iterable[int]) -> dict[int, int]:
        """Return what the segments ran together: bits over the arcs of each file version."""
        numbers = {number for segment in segments for number in self.entries[segment].ran}
        bits: dict[int, list[int]] = {}
        for number in numbers:
            one = self.ran[number]
            bits.setdefault(one.source, []).append(one.bits)
        return {source: reduce(or_, found) for source, found in bits.items()}


def chosen(arcs: Sequence[Arc], bits: int) -> list[Arc]:
    """Return those of `arcs` whose bit is set."""
    return [arc for arc, bit in zip(arcs, reversed(f"{bits:b}"), strict=False) if bit == "1"]


def load(connection: sqlite3.Connection, environment: int) -> Ledger:
    """Return the ledger of the segments of one environment, without what is damaged."""
    files = {
        number: Measured(path, sha, tracer, _unpacked_arcs(arcs), text)
        for number, path, sha, tracer, arcs, text in connection.execute(
            "SELECT measured.source, path, sha, tracer, arcs, text FROM measured"
            " JOIN source ON source.id = measured.source"
        )
    }
    ran = {
        number: Ran(source, bits)
        for number, source, stored in connection.execute("SELECT id, source, bits FROM ran")
        if source in files
        and (bits := int.from_bytes(stored, "little")).bit_length() <= len(files[source].arcs)
    }
    entries = {
        segment: Entry(Settings(measuring, suite), numbers)
        for segment, measuring, suite, stored in connection.execute(
            "SELECT ledger.segment, settings, suite, ran FROM ledger"
            " JOIN segment ON segment.id = ledger.segment WHERE environment = ?",
            (environment,),
        )
        if ran.keys() >= set(numbers := tuple(_numbers(stored)))
    }
    return Ledger(entries, ran, files)


class _Places(dict[object, int]):
    """The bit of each arc of a file, packed as coverage has it or not; new arcs are added."""

    def __init__(self, known: Sequence[Arc]) -> None:
        super().__init__()
        self.arcs = {arc: 1 << place for place, arc in enumerate(known)}
        self.known = len(known)
        self._last: tuple[frozenset[object], int] = frozenset(), 0

    def __missing__(self, item: object) -> int:
        arc = unpack(item)
        bit = self[item] = self.arcs.setdefault(arc, 1 << len(self.arcs))
        return bit

    def bits(self, items: frozenset[object]) -> int:
        """Return the bits of all items; they are much the same from one call to the next."""
        before, bits = self._last
        bits = reduce(xor, map(self.__getitem__, items ^ before), bits)
        self._last = items, bits
        return bits


class Writer:
    """Adds what segments ran, in the transaction of `connection`."""

    def __init__(self, connection: sqlite3.Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._places: dict[int, _Places] = {}
        #: The numbers of the sets that were stored.
        self._sets: dict[tuple[int, frozenset[object]], int] = {}

    def knows(self, source: int) -> bool:
        """Return whether this version of a file has been stored."""
        query = "SELECT 1 FROM measured WHERE source = ?"
        return self._connection.execute(query, (source,)).fetchone() is not None

    def add_source(self, source: int, tracer: str, text: bytes) -> None:
        """Store a version of a file."""
        self._connection.execute(
            "INSERT OR IGNORE INTO measured VALUES (?, ?, ?, ?)",
            (source, tracer, zlib.compress(text, _LEVEL), _packed_arcs([])),
        )

    def add(self, segment: int, code: Mapping[int, frozenset[object]]) -> None:
        """Store what `segment` ran: arcs, packed or not, by number of the file version."""
        numbers: list[int] = []
        for one in code.items():
            number = self._sets.get(one)
            if number is None:
                number = self._sets[one] = self._set(one[0], self._bits(*one))
            numbers.append(number)
        self._connection.execute(
            "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)",
            (
                segment,
                self._settings.measuring,
                self._settings.suite,
                array("I", sorted(numbers)).tobytes(),
            ),
        )

    def close(self) -> None:
        """Store the arcs that are new."""
        self._connection.executemany(
            "UPDATE measured SET arcs = ? WHERE source = ?",
            [
                (_packed_arcs([*places.arcs]), source)
                for source, places in self._places.items()
                if len(places.arcs) > places.known
            ],
        )

    def _bits(self, source: int, items: frozenset[object]) -> int:
        places = self._places.get(source)
        if places is None:
            query = "SELECT arcs FROM measured WHERE source = ?"
            row = self._connection.execute(query, (source,)).fetchone()
            places = self._places[source] = _Places(_unpacked_arcs(row[0]))
        return places.bits(items)

    def _set(self, source: int, bits: int) -> int:
        key = (source, bits.to_bytes((bits.bit_length() + 7) // 8, "little"))
        insert = "INSERT OR IGNORE INTO ran (source, bits) VALUES (?, ?)"
        cursor = self._connection.execute(insert, key)
        if cursor.rowcount:
            return int(cursor.lastrowid or 0)
        query = "SELECT id FROM ran WHERE source = ? AND bits = ?"
        return int(self._connection.execute(query, key).fetchone()[0])


def clean(connection: sqlite3.Connection) -> None:
    """Drop what belongs to segments that are gone."""
    connection.execute("DELETE FROM ledger WHERE segment NOT IN (SELECT id FROM segment)")
    used = {
        number
        for (ran,) in connection.execute("SELECT ran FROM ledger")
        for number in _numbers(ran)
    }
    known = {number for (number,) in connection.execute("SELECT id FROM ran")}
    connection.executemany("DELETE FROM ran WHERE id = ?", [(one,) for one in known - used])
    connection.execute("DELETE FROM measured WHERE source NOT IN (SELECT source FROM ran)")


def read_text(path: Path) -> bytes | None:
    """Return the content of a file, None if it is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _digest(description: object) -> str:
    return hashlib.blake2b(repr(description).encode(), digest_size=9).hexdigest()


def _numbers(data: bytes) -> array[int]:
    found = array("I")
    found.frombytes(data)
    return found


def _packed_arcs(arcs: Sequence[Arc]) -> bytes:
    return zlib.compress(array("i", [line for arc in arcs for line in arc]).tobytes(), _LEVEL)


def _unpacked_arcs(data: bytes) -> list[Arc]:
    flat = array("i")
    flat.frombytes(zlib.decompress(data))
    return list(zip(flat[::2], flat[1::2], strict=True))
