"""A recorder's content as plain data, to cross from one process to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from paceline.impact.recorder import Child, Kind, Need, Recorder, Segment
from paceline.impact.tracer import unpack

#: Arcs or lines as coverage's tracer notes them, for `tracer.unpack` to read.
Traced = frozenset[object]
Code = Mapping[str, Traced]


@dataclass(frozen=True, slots=True)
class RawSegment:
    """A segment with its links as numbers in the recording's list.

    `code` is what the project's own coverage measured and `early` what ran before it began;
    both map an absolute file name to what the tracer saw in it.
    `generated` are names that code mentions which was made at run time.
    """

    kind: Kind
    name: str
    code: Code
    early: Code
    needs: tuple[tuple[Need, str], ...]
    modules: tuple[str, ...]
    missing: tuple[str, ...]
    links: tuple[int, ...]
    children: tuple[Child, ...]
    unseen: tuple[str, ...]
    generated: tuple[str, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class RawTest:
    """How one test ended, and what it builds on.

    `status` is "passed", "failed", "unfinished" or as `impact.records` names it.

    `order` is its place in the process it ran in, 0 if it did not run.
    """

    name: str
    status: str
    seconds: float
    segment: int
    order: int


@dataclass(frozen=True, slots=True)
class StateChange:
    """State that the segment changed and left behind: all of a later `order` may find it.

    Each of `labels` names a global, or a global and its attribute, or a fixture: code that mentions
    one of the names may use that state. `counts` has by how much each was moved on if it is a
    number, and 0 if it is not, or was changed in another way; `added` what is kept there now and
    was not before, as `impact.describing` tells it.
    """

    order: int
    segment: int
    labels: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]
    added: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything one process saw. Segment 0 is its session."""

    process: int
    segments: tuple[RawSegment, ...]
    values: Mapping[tuple[Need, str], str]
    modules: Mapping[str, str]
    tests: tuple[RawTest, ...] = ()
    changes: tuple[StateChange, ...] = ()
    #: The order of each import, by the number of its segment: it may find changes up to that one.
    imports: Mapping[int, int] = field(default_factory=dict)
    collected: tuple[str, ...] = ()
    #: Ids of files, folders and classes that were looked into for tests.
    collectors: tuple[str, ...] = ()
    #: Files and folders that were written, with the numbers of the segments that did.
    written: Mapping[str, Sequence[int]] = field(default_factory=dict)
    finished: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["segments"] = list(map(_as_json, self.segments))
        data["values"] = [[need, name, value] for (need, name), value in self.values.items()]
        data["tests"] = list(map(asdict, self.tests))
        data["changes"] = list(map(asdict, self.changes))
        return data


def from_json(data: Any) -> Recording:
    """Return what `as_json` wrote; raise ValueError, KeyError or TypeError if it is damaged."""
    return Recording(
        process=data["process"],
        segments=tuple(_segment(entry) for entry in data["segments"]),
        values={(Need(need), name): value for need, name, value in data["values"]},
        modules=data["modules"],
        tests=tuple(RawTest(**entry) for entry in data["tests"]),
        changes=tuple(
            StateChange(
                entry["order"],
                entry["segment"],
                tuple(map(tuple, entry["labels"])),
                tuple(entry["counts"]),
                tuple(map(tuple, entry["added"])),
            )
            for entry in data["changes"]
        ),
        imports={int(number): order for number, order in data["imports"].items()},
        collected=tuple(data["collected"]),
        collectors=tuple(data["collectors"]),
        written=data["written"],
        finished=data["finished"],
    )


def _as_json(segment: RawSegment) -> dict[str, Any]:
    data = asdict(segment)
    for name in ("code", "early"):
        data[name] = {path: sorted(map(unpack, seen)) for path, seen in data[name].items()}
    return data


def _segment(entry: Any) -> RawSegment:
    return RawSegment(
        kind=Kind(entry["kind"]),
        name=entry["name"],
        code={path: frozenset((a, b) for a, b in arcs) for path, arcs in entry["code"].items()},
        early={path: frozenset((a, b) for a, b in arcs) for path, arcs in entry["early"].items()},
        needs=tuple((Need(need), name) for need, name in entry["needs"]),
        modules=tuple(entry["modules"]),
        missing=tuple(entry["missing"]),
        links=tuple(entry["links"]),
        children=tuple(
            Child(child["process"], child["program"], tuple(child["files"]))
            for child in entry["children"]
        ),
        unseen=tuple(entry["unseen"]),
        generated=tuple(entry["generated"]),
        failed=entry["failed"],
    )


class Numbering:
    """Gives the recorder's segments numbers and turns them into plain data."""

    def __init__(self, recorder: Recorder) -> None:
        self._numbers: dict[Segment, int] = {}
        self._order: list[Segment] = []
        self._recorder = recorder
        self.number(recorder.session)

    def number(self, segment: Segment) -> int:
        """Return the number of `segment`; it and all it links to become part of the recording."""
        if segment not in self._numbers:
            self._numbers[segment] = len(self._order)
            self._order.append(segment)
            for linked in segment.links:
                self.number(linked)
        return self._numbers[segment]

    def recording(
        self,
        process: int,
        *,
        tests: Sequence[RawTest] = (),
        changes: Sequence[StateChange] = (),
        imports: Mapping[Segment, int] | None = None,
        collected: Sequence[str] = (),
        collectors: Sequence[str] = (),
    ) -> Recording:
        """Return everything that was recorded."""
        for segment in self._recorder.imported.values():
            self.number(segment)
        written = {
            path: sorted(map(self.number, segments))
            for path, segments in self._recorder.written.items()
        }
        numbered = {self.number(segment): order for segment, order in (imports or {}).items()}
        for segment in self._order:  # which grows meanwhile: links come after a number was given
            for linked in segment.links:
                self.number(linked)
        return Recording(
            process,
            tuple(self._raw(segment) for segment in self._order),
            dict(self._recorder.values),
            {name: segment.name for name, segment in self._recorder.by_name.items()},
            tuple(tests),
            tuple(sorted(changes, key=lambda change: change.order)),
            numbered,
            tuple(collected),
            tuple(collectors),
            written,
        )

    def _raw(self, segment: Segment) -> RawSegment:
        return RawSegment(
            segment.kind,
            segment.name,
            segment.code,
            segment.early,
            tuple(sorted(segment.needs)),
            tuple(sorted(segment.modules)),
            tuple(sorted(segment.missing)),
            tuple(sorted(self._numbers[linked] for linked in segment.links)),
            tuple(sorted(segment.children, key=lambda child: child.process)),
            tuple(sorted(segment.unseen)),
            tuple(sorted(segment.generated)),
            segment.failed,
        )
