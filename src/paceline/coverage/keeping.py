"""Puts what a run measured into the ledger, a row for each segment that was stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paceline.coverage import ledger
from paceline.coverage.ledger import Arc, Settings, Writer
from paceline.impact import inputs, rows
from paceline.impact.building import Builder
from paceline.impact.nodes import Node
from paceline.impact.recorder import Kind
from paceline.impact.records import SourceRecord


@dataclass(frozen=True)
class Measurement:
    """How a run measured coverage.

    `tracers` names coverage's plugin of each file that is not Python. `imports` is what is known
    of modules from before: path, then absolute file name, then arcs.
    """

    settings: Settings
    tracers: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, Mapping[str, set[Arc]]] = field(default_factory=dict)


def keep(
    connection: sqlite3.Connection,
    stored: Mapping[int, Node],
    measurement: Measurement,
    builder: Builder,
    root: Path,
) -> None:
    """Add what was measured in the segments `stored`, by their numbers."""
    writer = Writer(connection, measurement.settings)
    usable: dict[SourceRecord, int | None] = {}
    for number, node in stored.items():
        if node.kind in (Kind.STATE, Kind.COUNT):
            continue
        code = dict(node.measured)
        if node.kind is Kind.IMPORT:
            for path, arcs in measurement.imports.get(node.name, {}).items():
                if (record := builder.source(path)) is not None:
                    code[record] = code.get(record, frozenset[object]()) | arcs
        for record in code.keys() - usable.keys():
            tracer = measurement.tracers.get(str(root / record.path), "")
            usable[record] = _source(connection, writer, record, root, tracer)
        found = {usable[record]: arcs for record, arcs in code.items()}
        if None not in found:
            writer.add(number, {number: arcs for number, arcs in found.items() if number})
    writer.close()
    ledger.clean(connection)


def _source(
    connection: sqlite3.Connection, writer: Writer, record: SourceRecord, root: Path, tracer: str
) -> int | None:
    """Return the number of a file version with its text stored, None if the text is not there."""
    number = rows.source_number(connection, record)
    if not writer.knows(number):
        text = ledger.read_text(root / record.path)
        if text is None or inputs.digest(text) != record.sha:
            return None
        writer.add_source(number, tracer, text)
    return number
