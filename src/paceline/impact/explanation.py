"""What a test depends on, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paceline.impact.inputs import ALL_VARIABLES
from paceline.impact.links import import_places, reachable
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import SETTLED, Records

_SAID: Mapping[Need, str] = {
    Need.CONTENT: "reads",
    Need.NAMED: "names",
    Need.TEXT: "looks at the text of",
    Need.POSITIONS: "looks at source text or code objects of",
    Need.DEFAULTS: "looks at the defaults of",
    Need.LISTING: "lists",
    Need.EXISTS: "asks for",
    Need.STAT: "asks for the size of",
    Need.VARIABLE: "reads variable",
    Need.DECLARED: "declares",
    Need.SHARED: "looks at",
    Need.RANDOM: "draws what others left of the random numbers of",
}

#: How a test can have ended; a run that died leaves its own mark.
_ENDS = (*SETTLED, "failed")


@dataclass(frozen=True)
class Explanation:
    """A test's record: how it ended, code that it ran, imports, inputs, and what is unseen."""

    test: str
    status: str
    seconds: float
    runs: tuple[str, ...]
    imports: tuple[str, ...]
    inputs: tuple[str, ...]
    unseen: tuple[str, ...]


def explain(records: Records, test: str) -> Explanation | None:
    """Return what `test` depends on; None if there is no record of it."""
    record = records.tests.get(test)
    if record is None:
        return None
    runs: set[str] = set()
    imports: set[str] = set()
    said: set[str] = set()
    unseen: set[str] = set()
    for number in reachable([record.segment], records.segments, import_places(records.segments)):
        segment = records.segments[number]
        unseen.update(segment.unseen)
        if segment.kind is Kind.IMPORT:
            imports.add(segment.name)
        for item, bits in segment.code.items():
            source = records.sources[item]
            for index, block in enumerate(source.source.blocks if source.source else ()):
                if index and bits >> index & 1:
                    runs.add(f"{source.path}: {block.name}")
        for item in segment.needs:
            need = records.needs[item]
            handed_on = need.need is not Need.POSITIONS or number == record.segment
            if need.need in _SAID and handed_on:
                name = "all variables" if need.name == ALL_VARIABLES else need.name
                said.add(f"{_SAID[need.need]} {name}")
    own = records.segments.get(record.segment)
    if own is not None and own.sees_lines:
        said.add("looks at lines of the code that it runs")
    return Explanation(
        test,
        record.status if record.status in _ENDS else "not finished",
        record.seconds,
        tuple(sorted(runs)),
        tuple(sorted(imports)),
        tuple(sorted(said)),
        tuple(sorted(unseen)),
    )
