"""Which tests are affected by what the tests of this run have left behind.

A selection is made before any test runs. A test that then writes to a file, or changes state
that none has changed before, may change how a test ends that was left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from paceline.impact import inputs
from paceline.impact.counting import Counts
from paceline.impact.order import FileOrder
from paceline.impact.project import Project
from paceline.impact.recorder import PROCESS, Need
from paceline.impact.records import Records
from paceline.impact.scope import Scope, folder_of
from paceline.impact.selection import CHANGED_MEANWHILE, Selector
from paceline.impact.usage import Usage

#: Tests, each with the reasons to run it.
Reasons = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the tests of a run left behind.

    `written` are absolute paths of files and folders that they wrote or made, also as `shared`
    names them, `changed` is state by its label, as in `StateChange`, each with the tests (or
    fixtures) that did it and what they added. `lost` are labels, each with one who may have removed
    what was there. `counts` has by how much tests moved numbers on. `places` has the place of each
    collected test in the order that they run in, `order` is that of files of which none was
    collected. `ended` are files, classes and folders of which a fixture ended before tests that
    were left out.
    """

    written: Mapping[str, frozenset[str]]
    changed: Mapping[tuple[str, ...], Mapping[str, frozenset[int]]]
    counts: Counts
    places: Mapping[str, int]
    order: FileOrder
    lost: Set[tuple[tuple[str, ...], str]] = frozenset()
    ended: Set[str] = frozenset()

    def is_before(self, one: str, other: str) -> bool:
        """Return whether the test (or file) `one` comes before `other` in a full run."""
        if one in self.places and other in self.places:
            return self.places[one] < self.places[other]
        place = self.order.place
        return place(one.partition("::")[0]) < place(other.partition("::")[0])

    def has_between(
        self, tests: Iterable[str], some: Collection[str], others: Iterable[str]
    ) -> bool:
        """Return whether one of `tests` comes after one of `some` and before a test of `others`.

        What is no test, as the import of a test file, comes before all of them.
        """
        placed = self.places.keys() & others
        if not (some and placed):
            return False
        first = min(some, key=lambda one: self.places.get(one, -1))
        last = max(placed, key=self.places.__getitem__)
        return any(
            (first not in self.places or self.is_before(first, test)) and self.is_before(test, last)
            for test in tests
        )

    def left_within(self, tests: Iterable[str], users: Sequence[str]) -> set[str]:
        """Return those of `tests` of which a fixture has ended that one of the `users` shares."""
        return {
            test
            for node in self.ended
            for test in tests
            if _is_in(test, node)
            if any(_is_in(user, node) and self.is_before(test, user) for user in users)
        }


def _is_in(test: str, node: str) -> bool:
    return test.startswith((f"{node}::", f"{node}/"))


def also_affected(
    usage: Usage,
    left_out: Iterable[str],
    traces: Traces,
    scope: Scope,
    environ: Mapping[str, str],
    *,
    waiting: Collection[str] = (),
) -> Reasons:
    """Return the tests that can no longer be left out, and why; `usage` is from before the run.

    Tests `waiting` for how far others count go on waiting if nothing else affects them.
    """
    found = _by_files(usage.known, traces, scope, environ, waiting)
    found |= _by_counts(usage, traces, waiting)
    changes = _new_changes(usage, traces)
    found |= _by_state(usage, [change.label for change in changes])
    for change in changes:
        found |= dict.fromkeys(change.missing, ("a test changed state that it began",))
    return {test: found[test] for test in sorted(left_out) if test in found}


def givers(usage: Usage, traces: Traces, scope: Scope) -> frozenset[str]:
    """Return the tests that changed state as none had before, or wrote what is looked at.

    A later run finds no more of that than of state where a fixture makes it anew.
    """
    before = _writers_before(usage.known)
    needs = usage.known.needs.values()
    names = {need.name for need in needs if need.need is not Need.WRITTEN}
    found = {change.test for change in _new_changes(usage, traces)}
    for path, writers in traces.written.items():
        name = scope.relative(path)
        if writers - before[name] and (name in names or folder_of(name) in names):
            found |= writers & traces.places.keys()
    return frozenset(found)


def too_early(usage: Usage, traces: Traces) -> frozenset[str]:
    """Return those of the givers that ran without the ones that began this state before them.

    They have to run once more, after these: which of two set a flag last is what others find.
    """
    return frozenset(change.test for change in _new_changes(usage, traces) if change.missing)


def overwritten(
    usage: Usage, traces: Traces, scope: Scope, users: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """Return the tests that left newly what one after some of its `users` put back already.

    In a full run these users come between, and find what was there until then: so all that changed
    it have to run once more, in order with them. So have those that left it in what a fixture made
    which has ended: for the users the fixture begins anew.
    """
    found: set[str] = set()
    for path, writers in traces.written.items():
        reason = CHANGED_MEANWHILE.format(scope.relative(path))
        readers = [user for user, why in users.items() if reason in why]
        if traces.has_between(readers, writers, writers):
            found |= writers
        found |= traces.left_within(writers, readers)
    for label in {change.label for change in _new_changes(usage, traces)}:
        names = frozenset(label)
        last = {test for other, test in traces.lost if not names.isdisjoint(other)}
        changed = (some for other, some in traces.changed.items() if not names.isdisjoint(other))
        changers = {test for some in changed for test in some}
        finding = [user for user in users if usage.may_find(user, names)]
        if len(changers) > 1 and traces.has_between(finding, changers, last):
            found |= changers
        found |= traces.left_within(changers, finding)
    return frozenset(found.intersection(traces.places))


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
        path in names or folder_of(path) in names or path.endswith(inputs.MODULE_SUFFIXES)
        for path in written.keys() - settled
    ):
        return {}
    shared = {need.name for need in known.needs.values() if need.need is Need.SHARED}
    disturbed = _disturbed(written, before, shared)
    selection = Selector(known, Project(scope.root, environ), settled, disturbed).select()
    still = selection.waiting.intersection(waiting)
    return {test: why for test, why in selection.reasons.items() if test not in still}


def _disturbed(
    written: Mapping[str, frozenset[str]], before: Mapping[str, set[str]], shared: Set[str]
) -> set[str]:
    """Return the files that one test wrote newly and another one wrote as well.

    What is there now may be what was there before both, and not what is found between them. Of
    `shared` ones it is not known what was there before.
    """
    return {
        path
        for path, names in written.items()
        if names - before[path] and (len(names) > 1 or path in shared)
    }


def _by_counts(usage: Usage, traces: Traces, waiting: Collection[str]) -> Reasons:
    """Return the tests that may find another number, as one before them moved it on otherwise.

    The `waiting` ones are known to find it. Others were recorded without the ones before them.
    """
    found: Reasons = {}
    users = cache(lambda label: usage.users(frozenset(label.split())))
    for test, label in usage.counted_otherwise(traces.counts):
        reasons = (f"{test} moved a number on otherwise ({label})",)
        for user in users(label):
            if user not in waiting and traces.is_before(test, user):
                found[user] = reasons
    return found


def _writers_before(known: Records) -> defaultdict[str, set[str]]:
    """Return for each path the segments that are known to have written to it.

    What a process wrote counts for those that started it.
    """
    processes = {number for number, one in known.segments.items() if one.name.startswith(PROCESS)}
    starters: defaultdict[int, set[str]] = defaultdict(set)
    for segment in known.segments.values():
        for process in processes.intersection(segment.links):
            starters[process].add(segment.name)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for number, segment in known.segments.items():
        for need in map(known.needs.get, segment.needs):
            if need is not None and need.need is Need.WRITTEN:
                found[need.name] |= {segment.name, *starters[number]}
    return found


class _NewChange(NamedTuple):
    """State by its label, who changed it, and who is known to before it and did not in this run."""

    label: tuple[str, ...]
    test: str
    missing: frozenset[str]


def _new_changes(usage: Usage, traces: Traces) -> list[_NewChange]:
    """Return what was changed by whom who would not have changed it before.

    A test that runs without those before it may be the first to fill a cache: it only does what
    one before it did then. What none of these added, it would add now.
    """
    found: list[_NewChange] = []
    for label, changes in traces.changed.items():
        did = usage.givers.get(" ".join(label), {})
        for name in changes.keys() - did.keys():
            earlier = [one for one in did if traces.is_before(one, name)]
            before = frozenset[int]().union(*(did[one] for one in earlier))
            if not (earlier and changes[name] <= before):
                missing = frozenset(earlier) - changes.keys()
                found.append(_NewChange(label, name, missing))
    return found


def _by_state(usage: Usage, labels: Iterable[tuple[str, ...]]) -> Reasons:
    names = {name for label in labels for name in label}
    said = ", ".join(sorted(names)[:3])
    return dict.fromkeys(usage.users(names), (f"a test changed state that it may use ({said})",))
