"""Which blocks of a file ran, and what they mention."""

from __future__ import annotations

from paceline.impact.parsing import IMPORTING, LATER, Parsed
from paceline.impact.recording import Traced
from paceline.impact.source import Source, indices


class Blocks:
    """Works out blocks and names from what was traced; of tests that ran the same only for one."""

    def __init__(self) -> None:
        self._ran: dict[tuple[str, Traced, bool, bool], tuple[int, frozenset[str]]] = {}
        self._names: dict[tuple[str, int, bool], frozenset[str]] = {}

    def ran(
        self, path: str, parsed: Parsed, seen: Traced, *, importing: bool, imported: bool
    ) -> tuple[int, frozenset[str]]:
        """Return the blocks in which lies what was seen, as bits, and the names they mention.

        `parsed` is the Python file at `path`. `importing` tells that it is the file's own import,
        `imported` that it is any.
        """
        key = (path, seen, importing, imported)
        known = self._ran.get(key)
        if known is None:
            bits = parsed.owners.of(seen)[IMPORTING if importing else LATER] | importing
            names = self._mentioned(path, parsed.source, bits, imported=imported)
            known = self._ran[key] = bits, names
        return known

    def _mentioned(
        self, path: str, source: Source | None, bits: int, *, imported: bool
    ) -> frozenset[str]:
        """Return the names that these blocks mention.

        What a file mentions when it is imported is its own doing, not that of who runs it later.
        """
        key = (path, bits, imported)
        if key not in self._names and source is not None:
            own = bits if imported else bits & ~1
            names = [source.blocks[index].names for index in indices(own)]
            if bits & 1:
                names.append(source.run_later)
            self._names[key] = frozenset().union(*names)
        return self._names.get(key, frozenset())
