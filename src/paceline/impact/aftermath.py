"""Which tests are affected by what the tests of this run have left behind.

A selection is made before any test runs. A test that then writes to a file, or changes state
that none has changed before, may change how a test ends that was left out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from paceline.impact import inputs
from paceline.impact.counting import Counts
from paceline.impact.giving import from_value, process_names
from paceline.impact.links import import_places, own_parts, reachable, reaching
from paceline.impact.project import Project
from paceline.impact.recorder import SEARCH_FOLDERS, Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord
from paceline.impact.scope import Scope
from paceline.impact.selection import Selector

#: Tests, each with the reasons to run it.
Reasons = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the tests of a run left behind.

    `written` are absolute paths of files and folders that they wrote or made, `changed` is
    state by its label, as in `StateChange`, each with the tests (or fixtures) that did it and what
    they added. `counts` has by how much tests moved numbers on. `places` has the place of each
    collected test in the order that they run in.
    """

    written: Mapping[str, frozenset[str]]
    changed: Mapping[tuple[str, ...], Mapping[str, frozenset[int]]]
    counts: Counts
    places: Mapping[str, int]

    def is_before(self, one: str, other: str) -> bool:
        """Return whether the test (or file) `one` comes before `other` in a full run."""
        if one in self.places and other in self.places:
            return self.places[one] < self.places[other]
        # Files of which all is left out are not collected: pytest goes by their names.
        return one.partition("::")[0] < other.partition("::")[0]


def also_affected(
    known: Records,
    left_out: Iterable[str],
    traces: Traces,
    scope: Scope,
    environ: Mapping[str, str],
    *,
    waiting: Collection[str] = (),
) -> Reasons:
    """Return the tests that can no longer be left out, and why; `known` is from before the run.

    Tests `waiting` for how far others count go on waiting if nothing else affects them.
    """
    found = _by_files(known, traces, scope, environ, waiting)
    changes = _new_changes(known, traces)
    found |= _by_state(known, [change.label for change in changes])
    for change in changes:
        found |= dict.fromkeys(change.missing, ("a test changed state that it began",))
    return {test: found[test] for test in sorted(left_out) if test in found}


def givers(known: Records, traces: Traces) -> frozenset[str]:
    """Return the tests that changed state as none had before."""
    return frozenset(change.test for change in _new_changes(known, traces))


def too_early(known: Records, traces: Traces) -> frozenset[str]:
    """Return those of the givers that ran without the ones that began this state before them.

    They have to run once more, after these: which of two set a flag last is what others find.
    """
    return frozenset(change.test for change in _new_changes(known, traces) if change.missing)


def _by_files(
    known: Records,
    traces: Traces,
    scope: Scope,
    environ: Mapping[str, str],
    waiting: Collection[str],
) -> Reasons:
    before = _writers_before(known)
    written = {scope.relative(path): names for path, names in traces.written.items()}
    # What the same test wrote before was read by others before it, or by those that build on it.
    settled = {path for path, names in written.items() if names <= before[path]}
    names = {need.name for need in known.needs.values() if need.need is not Need.WRITTEN}
    names |= {source.path for source in known.sources.values()}
    if not any(
        path in names or os.path.dirname(path) in names or path.endswith(inputs.MODULE_SUFFIXES)
        for path in written.keys() - settled
    ):
        return {}
    selection = Selector(known, Project(scope.root, environ), settled).select()
    still = selection.waiting.intersection(waiting)
    return {test: why for test, why in selection.reasons.items() if test not in still}


def _writers_before(known: Records) -> defaultdict[str, set[str]]:
    """Return for each path the segments that are known to have written to it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, need in _noted(known, Need.WRITTEN):
        found[need.name].add(name)
    return found


def _noted(known: Records, kind: Need) -> Iterator[tuple[str, NeedRecord]]:
    """Yield what segments noted of this kind, each with the segment's name."""
    for segment in known.segments.values():
        for need in map(known.needs.get, segment.needs):
            if need is not None and need.need is kind:
                yield segment.name, need


class _NewChange(NamedTuple):
    """State by its label, who changed it, and who is known to before it and did not in this run."""

    label: tuple[str, ...]
    test: str
    missing: frozenset[str]


def _new_changes(known: Records, traces: Traces) -> list[_NewChange]:
    """Return what was changed by whom who would not have changed it before.

    A test that runs without those before it may be the first to fill a cache: it only does what
    one before it did then. What none of these added, it would add now.
    """
    gave = _givers_before(known)
    found: list[_NewChange] = []
    for label, changes in traces.changed.items():
        did = gave[" ".join(label)]
        for name, added in changes.items():
            earlier = [one for one in did if traces.is_before(one, name)]
            done = earlier and added.issubset(frozenset().union(*(did[one] for one in earlier)))
            if name not in did and not done:
                missing = frozenset(earlier) - changes.keys()
                found.append(_NewChange(label, name, missing))
    return found


def _givers_before(known: Records) -> defaultdict[str, dict[str, frozenset[int]]]:
    """Return for the label of each state the segments that are known to have changed it.

    Each comes with what it added to what is kept there.
    """
    found: defaultdict[str, dict[str, frozenset[int]]] = defaultdict(dict)
    for name, need in _noted(known, Need.STATE):
        for label, added in from_value(need.value).items():
            found[label][name] = found[label].get(name, frozenset()) | added
    return found


def _by_state(known: Records, labels: Iterable[tuple[str, ...]]) -> Reasons:
    names = {name for label in labels for name in label}
    if not names:
        return {}
    # Which blocks of a file mention one, as bits; what only an import ran is told apart.
    mentioning: dict[int, int] = {}
    run_later: dict[int, int] = {}
    for number, item in known.sources.items():
        for index, block in enumerate(item.source.blocks if item.source else ()):
            if not names.isdisjoint(block.names):
                mentioning[number] = mentioning.get(number, 0) | 1 << index
        if item.source is not None and not names.isdisjoint(item.source.run_later):
            run_later[number] = 1
    elsewhere = _running_generated(known, names) | _importing_late(known, mentioning)
    said = ", ".join(sorted(names)[:3])
    reasons = (f"a test changed state that it may use ({said})",)
    found: Reasons = {
        test: reasons for test, one in known.tests.items() if one.segment in elsewhere
    }
    for test, record in known.tests.items():
        for part in own_parts(record.segment, known.segments):
            needs = (known.needs[number] for number in part.needs if number in known.needs)
            uses = names & process_names(needs)
            if part.modules or part.missing:
                uses |= names & {SEARCH_FOLDERS}
            if uses or _runs(part, mentioning, without=1) or _runs(part, run_later):
                found[test] = reasons
    return found


def _runs(part: SegmentRecord, blocks: Mapping[int, int], without: int = 0) -> bool:
    return any(bits & blocks.get(item, 0) & ~without for item, bits in part.code.items())


def _importing_late(known: Records, mentioning: Mapping[int, int]) -> set[int]:
    """Return the segments that import a module, while tests run, whose import may use the state."""
    by_path = import_places(known.segments)
    early = reachable(
        [number for number, part in known.segments.items() if part.kind is Kind.COLLECTION],
        known.segments,
        by_path,
    )
    late = {
        path
        for path, number in by_path.items()
        if number not in early and _runs(known.segments[number], mentioning)
    }

    def is_late(part: SegmentRecord) -> bool:
        return part.kind is Kind.IMPORT and part.name in late

    return reaching(is_late, known.segments, by_path) if late else set()


def _running_generated(known: Records, names: set[str]) -> set[int]:
    """Return the segments that may run generated code which mentions one of the names."""
    wanted = {
        number
        for number, need in known.needs.items()
        if need.need is Need.NAME and need.name in names
    }

    def makes(part: SegmentRecord) -> bool:
        return not wanted.isdisjoint(part.needs)

    return reaching(makes, known.segments, import_places(known.segments)) if wanted else set()
