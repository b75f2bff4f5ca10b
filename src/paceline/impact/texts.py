"""Tests that look at code itself: at its lines, its text or its docstrings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from paceline.impact.links import import_places, own_parts, reachable
from paceline.impact.looks import SEES_DOCSTRINGS
from paceline.impact.project import Project
from paceline.impact.recorder import Need
from paceline.impact.records import NeedRecord, Records


class Texts:
    """Compares what tests saw of code with the present project; `told` says what a need became."""

    def __init__(
        self, records: Records, project: Project, told: Callable[[NeedRecord], str]
    ) -> None:
        self._records = records
        self._project = project
        self._told = told
        self._imports = import_places(records.segments)

    def moved(self, number: int) -> list[str]:
        """Return what changed in the text or the lines of code that the test looks at."""
        segment = self._records.segments.get(number)
        if segment is None:
            return []
        found = [self._position_reasons[n] for n in segment.needs if n in self._position_reasons]
        if segment.sees_lines:
            moved = self._moved_blocks
            found += [
                f"lines that it runs in {self._records.sources[item].path} are not as they were"
                for part in own_parts(number, self._records.segments)
                for item, bits in part.code.items()
                if bits & moved.get(item, 0)
            ]
        return list(dict.fromkeys(found))

    def docstrings(self) -> dict[str, list[str]]:
        """Return the changed docstrings that tests build on whose code looks at docstrings."""
        changed: dict[int, str] = {}
        for number, item in self._records.sources.items():
            if self._project.value(Need.CONTENT, item.path) != item.sha and item.source:
                new = self._project.parsed(item.path)
                if new is not None and new.docstrings != item.source.docstrings:
                    changed[number] = f"a docstring in {item.path} changed"
        if not changed:
            return {}
        segments = self._records.segments
        found: dict[str, list[str]] = {}
        for name, test in self._records.tests.items():
            reached = reachable([test.segment], segments, self._imports)
            if any(map(self._looks_at_docstrings, reached)):
                code = {item for number in reached for item in segments[number].code}
                found[name] = [changed[item] for item in sorted(code & changed.keys())]
        return found

    def _looks_at_docstrings(self, number: int) -> bool:
        segment = self._records.segments[number]
        needs = map(self._records.needs.get, segment.needs)
        return any(
            bits & self._docstring_readers.get(item, 0) for item, bits in segment.code.items()
        ) or any(need and need.need is Need.NAME and need.name in SEES_DOCSTRINGS for need in needs)

    @cached_property
    def _docstring_readers(self) -> dict[int, int]:
        """The blocks of recorded file versions that look at docstrings, as bits."""
        return {
            number: sum(
                1 << index
                for index, block in enumerate(item.source.blocks)
                if any(word in name for name in block.names for word in SEES_DOCSTRINGS)
            )
            for number, item in self._records.sources.items()
            if item.source
        }

    @cached_property
    def _moved_blocks(self) -> dict[int, int]:
        """The blocks of recorded file versions whose lines are not as they were, as bits."""
        found: dict[int, int] = {}
        for number, item in self._records.sources.items():
            if self._project.value(Need.CONTENT, item.path) == item.sha or item.source is None:
                continue
            new = self._project.parsed(item.path)
            now = {block.name: block.layout for block in new.blocks} if new else {}
            for index, block in enumerate(item.source.blocks):
                if now.get(block.name) != block.layout:
                    found[number] = found.get(number, 0) | 1 << index
        return found

    @cached_property
    def _position_reasons(self) -> dict[int, str]:
        return {
            number: reason
            for number, need in self._records.needs.items()
            if need.need is Need.POSITIONS and (reason := self._told(need))
        }
