"""Segments on their way from a recording into the store."""

from __future__ import annotations

from collections import defaultdict

from paceline.impact.recording import RawSegment, Traced
from paceline.impact.records import NeedRecord, SourceRecord


class Node:
    """A segment on its way into the store: raw data resolved to blocks, inputs and links."""

    def __init__(self, raw: RawSegment, name: str) -> None:
        self.kind = raw.kind
        self.name = name
        self.blocks: defaultdict[SourceRecord, int] = defaultdict(int)
        #: What its code mentions, of each file. Most tests mention what others do: the same sets.
        self.mentions: set[frozenset[str]] = set()
        #: Names that code mentions which has no file: code that was generated.
        self.generated = set(raw.generated)
        self.needs: set[NeedRecord] = set()
        self.links: set[int] = set()
        self.imports: set[str] = set()
        self.modules = frozenset(raw.modules)
        self.missing = frozenset(raw.missing)
        self.unseen = set(raw.unseen)
        self.failed = raw.failed
        #: What the project's own coverage measured.
        self.measured: dict[SourceRecord, Traced] = {}
        self.disturbed: set[str] = set()
        #: Whether its code looks at frames or tracebacks: at lines of the code that runs.
        self.sees_lines = False
        #: Whether it looks at source text or code objects, which need not be of what runs.
        self.sees_texts = False
        #: Programs that were started and cannot be recorded.
        self.programs: set[str] = set()

    def absorb(self, other: Node) -> None:
        """Take over what another process saw of the same segment."""
        for source_record, bits in other.blocks.items():
            self.blocks[source_record] |= bits
        self.mentions |= other.mentions
        self.generated |= other.generated
        self.needs |= other.needs
        self.links |= other.links
        self.imports |= other.imports
        self.modules |= other.modules
        self.missing |= other.missing
        self.unseen |= other.unseen
        self.disturbed |= other.disturbed
        self.programs |= other.programs
        self.sees_lines |= other.sees_lines
        self.sees_texts |= other.sees_texts
        self.failed &= other.failed
        for source_record, seen in other.measured.items():
            self.measure(source_record, seen)

    def measure(self, source_record: SourceRecord, seen: Traced) -> None:
        """Add what the project's own coverage saw in a file."""
        known = self.measured.get(source_record)
        # Most sets belong to many tests: no copy where there is nothing to add to.
        self.measured[source_record] = seen if known is None else known | seen
