"""Which tests can be left out of a run that measures coverage, and what they would have covered.

What a test itself ran, the fixtures that it used, the modules that were imported for it and the
processes that it started is carried over from the ledger, moved to the present lines. Collecting
tests is not: every run does it anew, for all tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paceline.coverage import ledger
from paceline.coverage.ledger import Arc, Ledger, Settings
from paceline.impact import inputs
from paceline.impact.links import import_places
from paceline.impact.recorder import Kind
from paceline.impact.records import Records, SegmentRecord

if TYPE_CHECKING:
    from coverage import Coverage

    from paceline.coverage.remapping import Remap

#: The name of the segment of a process that pytest itself runs in.
SESSION: Final = "session"

NOT_MEASURED: Final = "its coverage is not known for this configuration"
NOT_MAPPED: Final = "its coverage cannot be carried over"


@dataclass(frozen=True)
class Carried:
    """What tests that were left out would have covered, by absolute file name.

    `arcs` maps coverage's contexts to that; "" is the one of what belongs to no single test.
    """

    arcs: Mapping[str, Mapping[str, set[Arc]]]
    tracers: Mapping[str, str]
    #: What the imports among it ran: path of the module, then absolute file name.
    imports: Mapping[str, Mapping[str, set[Arc]]]


class Carrier:
    """Compares the ledger with the project at `root` as it is now."""

    def __init__(self, known: Records, stored: Ledger, settings: Settings, root: Path) -> None:
        self._records = known
        self._ledger = stored
        self._settings = settings
        self._root = root
        self._imports = import_places(known.segments)
        self._maps: dict[int, Remap | None] = {}

    def obstacles(self, tests: Iterable[str]) -> dict[str, str]:
        """Return which of `tests` cannot be left out, with the reason."""
        reasons = self._spread(self._unusable())
        found: dict[str, str] = {}
        for test in tests:
            segment = self._records.tests[test].segment
            entry = self._ledger.entries.get(segment)
            if entry is None or entry.settings.suite != self._settings.suite:
                found[test] = NOT_MEASURED
            elif segment in reasons:
                found[test] = reasons[segment]
        return found

    def to_import(self, tests: Iterable[str]) -> dict[str, str]:
        """Return the modules that must be imported in this run, each with a quick test.

        Their import defines other functions now, or was not measured when it was last recorded.
        Where collecting all tests does not import such a module, that test does.
        """
        changed = {
            source
            for source in self._changed
            if (moved := self._map(source)) is not None and moved.redefined
        }
        wanted = {
            number: self._path(segment.name)
            for number, segment in self._records.segments.items()
            if segment.kind is Kind.IMPORT
            and (self._sources(number) & changed or not self._is_measured(number))
        }
        found: dict[str, str] = {}
        for test in sorted(tests, key=lambda name: (self._records.tests[name].seconds, name)):
            if not wanted:
                break
            for number in self._reached([self._records.tests[test].segment]) & wanted.keys():
                found[wanted.pop(number)] = test
        return found

    def carried(self, tests: Collection[str], *, contexts: bool = False) -> Carried:
        """Return what `tests` would have covered in the project as it is now.

        With `contexts` what a test did itself is in its own, named as pytest-cov names them.
        """
        reached = self._reached(self._records.tests[test].segment for test in tests)
        segments = set(filter(self._is_measured, reached))  # the rest is imported in this run
        own = {self._records.tests[test].segment: test for test in tests} if contexts else {}
        arcs = {f"{test}|run": self._mapped([number]) for number, test in own.items()}
        arcs[""] = self._mapped(segments - own.keys())
        tracers = {
            self._path(self._ledger.files[source].path): self._ledger.files[source].tracer
            for source in self._ledger.union(segments)
            if self._ledger.files[source].tracer
        }
        imports = {
            self._records.segments[number].name: self._mapped([number])
            for number in segments
            if self._records.segments[number].kind is Kind.IMPORT
        }
        return Carried(arcs, tracers, imports)

    def _mapped(self, segments: Iterable[int]) -> dict[str, set[Arc]]:
        found: dict[str, set[Arc]] = {}
        for source, bits in self._ledger.union(segments).items():
            file = self._ledger.files[source]
            arcs = ledger.chosen(file.arcs, bits)
            moved = self._move(source) if source in self._changed else _same
            found.setdefault(self._path(file.path), set()).update(
                arc for arc in map(moved, arcs) if arc
            )
        return found

    def _move(self, source: int) -> Callable[[Arc], Arc | None]:
        found = self._map(source)

        def move(arc: Arc) -> Arc | None:
            return _moved(found, arc)[0]

        return move

    @cached_property
    def _changed(self) -> frozenset[int]:
        """The measured file versions that are not the present ones."""
        return frozenset(
            number
            for number, file in self._ledger.files.items()
            if self._content(file.path) != file.sha
        )

    def _content(self, path: str) -> str:
        text = ledger.read_text(self._root / path)
        return inputs.ABSENT if text is None else inputs.digest(text)

    def _map(self, source: int) -> Remap | None:
        if source not in self._maps:
            # Imported here: where nothing changed there is nothing to map.
            from paceline.coverage.remapping import remap

            file = self._ledger.files[source]
            text = ledger.read_text(self._root / file.path)
            self._maps[source] = None if text is None else remap(file.text, text)
        return self._maps[source]

    def _unusable(self) -> dict[int, str]:
        """Return the segments that cannot be carried by themselves."""
        lost = {
            number
            for number, one in self._ledger.ran.items()
            if one.source in self._changed and one.bits & self._unmatched[one.source]
        }
        found: dict[int, str] = {}
        for number, segment in self._records.segments.items():
            if not _is_carried(segment):
                continue
            if not self._is_measured(number):
                if segment.kind is not Kind.IMPORT:  # these are imported again, and measured
                    found[number] = NOT_MEASURED
            elif not lost.isdisjoint(self._ledger.entries[number].ran):
                found[number] = NOT_MAPPED
        return found

    def _is_measured(self, number: int) -> bool:
        entry = self._ledger.entries.get(number)
        return entry is not None and entry.settings.measuring == self._settings.measuring

    @cached_property
    def _unmatched(self) -> Mapping[int, int]:
        """The arcs of each changed file version that have no place now, as bits."""
        found: dict[int, int] = {}
        for source in self._changed:
            moved = self._map(source)
            found[source] = sum(
                1 << place
                for place, arc in enumerate(self._ledger.files[source].arcs)
                if not _moved(moved, arc)[1]
            )
        return found

    def _parts(self, number: int) -> list[int]:
        """Return what is carried with a segment: not what other tests did."""
        segment = self._records.segments[number]
        found = [*segment.links, *(self._imports.get(path, 0) for path in segment.imports)]
        known = self._records.segments
        return [part for part in found if part in known and _is_part(known[part])]

    def _reached(self, starts: Iterable[int]) -> set[int]:
        found: set[int] = set()
        queue = list(starts)
        while queue:
            number = queue.pop()
            if number not in found and number in self._records.segments:
                found.add(number)
                queue += self._parts(number)
        return found

    def _spread(self, reasons: dict[int, str]) -> dict[int, str]:
        """Hand each reason on to all segments that are carried with the one it is about."""
        users: defaultdict[int, list[int]] = defaultdict(list)
        for number in self._records.segments:
            for part in self._parts(number):
                users[part].append(number)
        queue = list(reasons)
        while queue:
            number = queue.pop()
            for user in users[number]:
                if user not in reasons:
                    reasons[user] = reasons[number]
                    queue.append(user)
        return reasons

    def _sources(self, number: int) -> set[int]:
        entry = self._ledger.entries.get(number)
        return {self._ledger.ran[one].source for one in entry.ran} if entry else set()

    def _path(self, name: str) -> str:
        return str(self._root / name)


def _same(arc: Arc) -> Arc:
    return arc


def _moved(found: Remap | None, arc: Arc) -> tuple[Arc | None, bool]:
    """Return the arc as it is now if there is one, and whether that could be told."""
    return (None, False) if found is None else found.told(arc)


def _is_carried(segment: SegmentRecord) -> bool:
    return segment.kind is Kind.TEST or _is_part(segment)


def _is_part(segment: SegmentRecord) -> bool:
    if segment.kind is Kind.SESSION:
        return segment.name != SESSION  # a child process
    return segment.kind in (Kind.FIXTURE, Kind.IMPORT)


def add_to(measured: Coverage, carried: Carried, folder: Path, base: Path) -> None:
    """Combine what is carried into the data of `measured`, as if another process had left it.

    `base` is the folder that file names are relative to where the project wants that.
    """
    if not any(arcs for files in carried.arcs.values() for arcs in files.values()):
        return
    from coverage import CoverageData

    data = CoverageData(basename=str(folder / "carried.coverage"))
    relative = bool(measured.get_option("run:relative_files"))
    some = False
    for context, files in carried.arcs.items():
        named = {
            _relative(name, base) if relative else name: arcs
            for name, arcs in files.items()
            if arcs
        }
        some = some or bool(named)
        data.set_context(context)
        if measured.get_option("run:branch"):
            data.add_arcs(named)
        else:
            data.add_lines({name: [line for _, line in arcs] for name, arcs in named.items()})
    data.add_file_tracers(
        {
            _relative(name, base) if relative else name: tracer
            for name, tracer in carried.tracers.items()
        }
    )
    data.close()
    if some:
        measured.combine([str(folder / "carried.coverage")])
        measured.save()


def _relative(name: str, base: Path) -> str:
    path = Path(name)
    return str(path.relative_to(base)) if path.is_relative_to(base) else name
