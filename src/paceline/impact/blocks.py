"""Which blocks of a file ran, and what they mention."""

from __future__ import annotations

from collections.abc import Mapping

from paceline.impact import source
from paceline.impact.recording import Traced
from paceline.impact.records import SourceRecord
from paceline.impact.tracer import unpack


class _Owners(dict[object, int]):
    """The blocks of each arc or line as bits, worked out once for all tests."""

    def __init__(self, lines: Mapping[int, int]) -> None:
        super().__init__()
        self._lines = lines

    def __missing__(self, item: object) -> int:
        bits = 0
        for line in unpack(item):
            if line:
                bits |= self._lines.get(abs(line), 1)
        self[item] = bits
        return bits


class Blocks:
    """Works out blocks from what was traced; of tests that ran the same only for one."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, bool], Mapping[int, int]] = {}
        self._owners: dict[tuple[str, bool], _Owners] = {}
        self._ran: dict[tuple[str, Traced, bool, bool], tuple[int, frozenset[str]]] = {}
        self._names: dict[tuple[str, int, bool], frozenset[str]] = {}

    def ran(
        self, record: SourceRecord, seen: Traced, *, importing: bool, imported: bool
    ) -> tuple[int, frozenset[str]]:
        """Return the blocks in which lies what was seen, as bits, and the names they mention.

        `importing` tells that it is the file's own import, `imported` that it is any.
        """
        key = (record.path, seen, importing, imported)
        known = self._ran.get(key)
        if known is None:
            bits = self._executed(record, seen, importing=importing) | importing
            known = self._ran[key] = bits, self._mentioned(record, bits, imported=imported)
        return known

    def _executed(self, record: SourceRecord, seen: Traced, *, importing: bool) -> int:
        place = (record.path, importing)
        if place not in self._owners:
            self._owners[place] = _Owners(self.owners(record, importing=importing))
        bits = 0
        for blocks in set(map(self._owners[place].__getitem__, seen)):
            bits |= blocks
        return bits

    def owners(self, record: SourceRecord, *, importing: bool) -> Mapping[int, int]:
        """Return the blocks of each line as bits, as `Source.owners` does."""
        place = (record.path, importing)
        if place not in self._lines:
            source = record.source
            self._lines[place] = source.owners(importing=importing) if source else {}
        return self._lines[place]

    def _mentioned(self, record: SourceRecord, bits: int, *, imported: bool) -> frozenset[str]:
        """Return the names that these blocks mention.

        What a file mentions when it is imported is its own doing, not that of who runs it later.
        """
        key = (record.path, bits, imported)
        if key not in self._names and record.source is not None:
            own = bits if imported else bits & ~1
            names = [record.source.blocks[index].names for index in source.indices(own)]
            if bits & 1:
                names.append(record.source.run_later)
            self._names[key] = frozenset().union(*names)
        return self._names.get(key, frozenset())
