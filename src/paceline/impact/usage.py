"""Who may find what others leave behind: those that mention its name.

Links in the records say it of the run in which a test was recorded. There it may have run without
others that come before it in a full run, or in another process than they.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Set
from functools import cache, cached_property

from paceline.impact.counting import Counts, counts_of
from paceline.impact.giving import from_value, process_names
from paceline.impact.links import bits_reached, import_places, own_parts, reachable, reaching
from paceline.impact.order import FileOrder
from paceline.impact.recorder import SEARCH_FOLDERS, Kind, Need
from paceline.impact.records import NEVER_RUN, SETTLED, NeedRecord, Records, SegmentRecord
from paceline.impact.source import Source, indices


class Usage:
    """Tells by the names of state which tests leave it, and which may find it."""

    def __init__(self, known: Records) -> None:
        self.known = known
        self.order = FileOrder(known.starts)
        self._by_path = import_places(known.segments)
        self._names = cache(self._names_of)
        self._mentioned = cache(self._mentioned_by)
        self._before = cache(self._givers_before)

    @cached_property
    def givers(self) -> Mapping[str, Mapping[str, frozenset[int]]]:
        """By the label of each state, in words, the segments that are known to have changed it.

        Each comes with what it added to what is kept there.
        """
        found: defaultdict[str, dict[str, frozenset[int]]] = defaultdict(dict)
        for segment in self.known.segments.values():
            for label, added in self._left_by(segment).items():
                found[label][segment.name] = found[label].get(segment.name, frozenset()) | added
        return found

    @cached_property
    def files(self) -> frozenset[str]:
        """The test files whose import leaves something behind."""
        return frozenset(
            segment.name.partition("::")[0]
            for segment in self.known.segments.values()
            if segment.kind is Kind.COLLECTION and self._left_by(segment)
        )

    def users(self, names: Set[str]) -> set[str]:
        """Return the tests that may find what is kept under one of the `names`."""
        if not names:
            return set()
        known = self.known
        # Which blocks of a file mention one, as bits; what only an import ran is told apart.
        mentioning: dict[int, int] = {}
        run_later: dict[int, int] = {}
        for number, item in known.sources.items():
            for index, block in enumerate(item.source.blocks if item.source else ()):
                if not names.isdisjoint(block.names):
                    mentioning[number] = mentioning.get(number, 0) | 1 << index
            if item.source is not None and not names.isdisjoint(item.source.run_later):
                run_later[number] = 1
        elsewhere = self._running_generated(names) | self._importing_late(mentioning)
        found = {test for test, one in known.tests.items() if one.segment in elsewhere}
        for test, record in known.tests.items():
            for part in own_parts(record.segment, known.segments):
                if (
                    names & self._of_process(part)
                    or _runs(part, mentioning, without=1)
                    or _runs(part, run_later)
                ):
                    found.add(test)
        return found

    def may_find(self, test: str, names: Set[str]) -> bool:
        """Return whether `test` may find what is kept under one of the `names`."""
        return not names.isdisjoint(self._mentioned(test))

    def finding(
        self, givers: Collection[str], numbers: Collection[str], known: Set[str]
    ) -> dict[str, str]:
        """Return the tests that may find what some of the `givers` leave, each with one of them.

        `numbers` are labels of what is only ever moved on: how far is compared after the run. Of
        `known` tests it need not be told.
        """
        labels: dict[str, list[str]] = {}
        for label, some in self._states.items():
            affected = [test for test in some if test in givers]
            if label in numbers:
                affected = [test for test in affected if label not in self._counts(test)]
            if affected:
                labels[label] = affected
        found: dict[str, str] = {}
        for test in self.users({name for label in labels for name in label.split()}) - known:
            names = self._mentioned(test)
            before = (
                giver
                for label, some in labels.items()
                if not names.isdisjoint(label.split())
                for giver in some
                if self.is_before(giver, test)
            )
            giver = next(before, None)
            if giver is not None:
                found[test] = giver
        return found

    def counted_otherwise(self, now: Counts) -> list[tuple[str, str]]:
        """Return each test that did not move a number on as far as when it was recorded.

        With it comes the number's label.
        """
        return [
            (test, label)
            for test in sorted(now.keys() & self._leaving)
            for label, count in sorted(self._counts(test).items())
            if now[test].get(label) != count
        ]

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """The tests that did not pass last time: alone, one may pass that fails in a full run."""
        tests = self.known.tests.items()
        return frozenset(name for name, one in tests if one.status not in SETTLED)

    def company(self, test: str) -> frozenset[str]:
        """Return the tests before `test` that leave what it may find, and so on for these.

        Among them are test files whose import does.
        """
        found: set[str] = set()
        queue = [test]
        while queue:
            new = self._before(queue.pop()) - found
            found |= new
            queue += new
        return frozenset(found - {test})

    def is_early(self, test: str, order: Mapping[str, int]) -> bool:
        """Return whether `test` ran before one of its company, by the places in `order`."""
        return test in order and any(order.get(one, 0) > order[test] for one in self.company(test))

    def _givers_before(self, test: str) -> frozenset[str]:
        names = self._mentioned(test)
        return frozenset(
            giver
            for label, some in self._states.items()
            if not names.isdisjoint(label.split())
            for giver in some
            if self.is_before(giver, test)
        )

    def is_before(self, one: str, other: str) -> bool:
        """Return whether the test (or file) `one` comes before `other`, or may, in a full run."""
        (file, _, name), (file2, _, name2) = one.partition("::"), other.partition("::")
        if not name:  # all files are imported before the first test
            return True
        if file != file2:
            return self.order.place(file) < self.order.place(file2)
        places = self._places.get(file, {})
        # Of those that parameters make of one function the order is not known.
        return one != other and places.get(_function(name), 0) <= places.get(_function(name2), 0)

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """The places of all functions in each test file."""
        files = {test.partition("::")[0] for test in self.known.tests}
        return {
            item.path: {block.name: place for place, block in enumerate(item.source.blocks)}
            for item in self.known.sources.values()
            if item.source is not None and item.path in files
        }

    @cached_property
    def _leaving(self) -> frozenset[str]:
        """The tests that leave something behind."""
        return frozenset().union(*self._states.values())

    @cached_property
    def _states(self) -> Mapping[str, Collection[str]]:
        """By each label the tests, and test files by their import, that leave state there."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for test, record in self.known.tests.items():
            segment = self.known.segments.get(record.segment)
            if segment is not None and record.status != NEVER_RUN:
                for label in self._left_by(segment):
                    found[label].add(test)
        for segment in self.known.segments.values():
            if segment.kind is Kind.COLLECTION:
                for label in self._left_by(segment):
                    found[label].add(segment.name)
        return found

    def _counts(self, test: str) -> dict[str, int]:
        """Return by how much the test moved numbers on when it was recorded."""
        record = self.known.tests.get(test)
        segment = self.known.segments.get(record.segment) if record is not None else None
        return counts_of(segment, self.known.needs) if segment is not None else {}

    def _left_by(self, segment: SegmentRecord) -> dict[str, frozenset[int]]:
        found: dict[str, frozenset[int]] = {}
        for need in self._needs(segment):
            if need.need is Need.STATE:
                found |= from_value(need.value)
        return found

    def _needs(self, segment: SegmentRecord) -> Iterator[NeedRecord]:
        return (need for need in map(self.known.needs.get, segment.needs) if need is not None)

    def _mentioned_by(self, test: str) -> Set[str]:
        """Return the names that the code of a test mentions, as `users` understands it."""
        known = self.known
        record = known.tests.get(test)
        if record is None:
            return frozenset()
        names: set[str] = set()
        for part in own_parts(record.segment, known.segments):
            names |= self._of_process(part)
            for item, bits in part.code.items():
                names |= self._names(item, bits & ~1)
                if bits & 1 and (source := self._source(item)) is not None:
                    names |= source.run_later
        sets, reached = self._run_elsewhere
        return names.union(*(sets[place] for place in indices(reached.get(record.segment, 0))))

    @cached_property
    def _run_elsewhere(self) -> tuple[list[set[str]], Mapping[int, int]]:
        """What generated code mentions, and late imports; by segment which of it, as bits."""
        sets: list[set[str]] = []
        bits: dict[int, int] = {}
        for number, part in self.known.segments.items():
            names = {need.name for need in self._needs(part) if need.need is Need.NAME}
            if part.kind is Kind.IMPORT and number not in self._early:
                names.update(*(self._names(item, code) for item, code in part.code.items()))
            if names:
                bits[number] = 1 << len(sets)
                sets.append(names)
        return sets, bits_reached(bits, self.known.segments, self._by_path)

    def _source(self, item: int) -> Source | None:
        record = self.known.sources.get(item)
        return record.source if record is not None else None

    def _names_of(self, item: int, bits: int) -> frozenset[str]:
        source = self._source(item)
        blocks = source.blocks if source is not None else ()
        return frozenset().union(
            *(blocks[place].names for place in indices(bits) if place < len(blocks))
        )

    def _of_process(self, part: SegmentRecord) -> set[str]:
        """Return by which names the state of the process counts for a segment."""
        names = process_names(self._needs(part))
        return names | {SEARCH_FOLDERS} if part.modules or part.missing else names

    @cached_property
    def _early(self) -> set[int]:
        """The segments that all run before the first test."""
        return reachable(
            [
                number
                for number, part in self.known.segments.items()
                if part.kind is Kind.COLLECTION
            ],
            self.known.segments,
            self._by_path,
        )

    def _importing_late(self, mentioning: Mapping[int, int]) -> set[int]:
        """Return the segments that import a module, while tests run, which may use the state."""
        segments = self.known.segments
        late = {
            path
            for path, number in self._by_path.items()
            if number not in self._early and _runs(segments[number], mentioning)
        }

        def is_late(part: SegmentRecord) -> bool:
            return part.kind is Kind.IMPORT and part.name in late

        return reaching(is_late, segments, self._by_path) if late else set()

    def _running_generated(self, names: Set[str]) -> set[int]:
        """Return the segments that may run generated code which mentions one of the names."""
        wanted = {
            number
            for number, need in self.known.needs.items()
            if need.need is Need.NAME and need.name in names
        }

        def makes(part: SegmentRecord) -> bool:
            return not wanted.isdisjoint(part.needs)

        return reaching(makes, self.known.segments, self._by_path) if wanted else set()


def _runs(part: SegmentRecord, blocks: Mapping[int, int], without: int = 0) -> bool:
    return any(bits & blocks.get(item, 0) & ~without for item, bits in part.code.items())


def _function(name: str) -> str:
    """Return as a block's name the function behind what follows the file in a test's id."""
    return name.partition("[")[0].replace("::", ".")
