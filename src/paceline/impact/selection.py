"""Which tests a change can affect, and why.

A test is left out only if it passed and everything it built on is as it was then. Everything
else is selected, each with its reason.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from paceline.impact import counting, inputs, source
from paceline.impact.counting import Counts
from paceline.impact.links import import_places, reachable
from paceline.impact.newfiles import NewFiles
from paceline.impact.project import Project
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NEVER_RUN, SETTLED, NeedRecord, Records, SourceRecord
from paceline.impact.scope import folder_of
from paceline.impact.texts import Texts
from paceline.impact.usage import Usage

#: What to say of an input that is not what it was; of a file more can be said.
_CHANGED = {
    Need.VARIABLE: "variable {} changed",
    Need.CONFIGURATION: "the configuration of pytest or coverage changed",
    Need.FOLDER: "the working folder is another",
    Need.DATA: "a data file of the project changed, and code reads some before a run begins",
    Need.DEFAULTS: "the defaults of {} changed",
    Need.LISTING: "the files in {} changed",
    Need.DECLARED: "declared input {} changed",
}

#: The reason of a test that may have found another file in a full run than is there now.
CHANGED_MEANWHILE = "{} changed meanwhile"

#: Begins the reason of a test that always runs.
_UNSEEN = "cannot see through: "


@dataclass(frozen=True)
class Selection:
    """The reasons for each selected test, and the tests that can be left out.

    `never_run` are tests that the project's own settings leave out, now as before, and what
    stands for tests where there are none. Of the selected tests, those `waiting` are affected only
    if others move a number on by another amount than in `counts`.
    """

    reasons: Mapping[str, tuple[str, ...]]
    unaffected: frozenset[str]
    never_run: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    counts: Counts = field(default_factory=dict)


class Selector:
    """Compares records with the present project.

    What became of `settled` paths is no change; `disturbed` files were others meanwhile.
    """

    def __init__(
        self,
        records: Records,
        project: Project,
        settled: Collection[str] = frozenset(),
        disturbed: Collection[str] = frozenset(),
    ) -> None:
        self._settled = settled
        self._disturbed = disturbed
        self._records = records
        self._project = project
        self._imports = import_places(records.segments)
        self._texts = Texts(records, project, self._need_reason)
        self.new_files = NewFiles(records, project)
        paths = {item.path for item in records.sources.values()}
        project.outside |= frozenset(filter(os.path.isabs, paths))

    def select(self) -> Selection:
        """Return what has to run, of all tests that there are records of."""
        changed = self._reasons_by_segment()
        reasons = self._spread(changed)
        counts = self._counts(changed)
        certain = self._spread(changed, counts) if counts else reasons
        new_modules = self.new_files.reasons()
        docstrings = self._texts.docstrings()
        selected: dict[str, tuple[str, ...]] = {}
        never_run: set[str] = set()
        waiting: set[str] = set()
        for name, test in self._records.tests.items():
            found = [*certain.get(test.segment, {}), *self._texts.moved(test.segment)]
            if name in new_modules:
                found.append(new_modules[name])
            found += docstrings.get(name, ())
            if test.status == "failed":
                found.insert(0, "failed last time")
            elif test.status not in SETTLED:
                found.insert(0, "was not finished last time")
            elif test.segment not in self._records.segments:
                found.insert(0, "its record is missing")
            if found:
                selected[name] = tuple(dict.fromkeys([*found, *reasons.get(test.segment, {})]))
            elif test.segment in reasons:
                selected[name] = tuple(reasons[test.segment])
                waiting.add(name)
            elif test.status == NEVER_RUN:
                never_run.add(name)
        numbers = {self._records.segments[number].name for number in counts}
        self._add_by_state(selected, certain, numbers)
        unaffected = self._records.tests.keys() - selected.keys() - never_run
        return Selection(
            selected,
            frozenset(unaffected),
            frozenset(never_run),
            frozenset(waiting),
            self._expected(counts, certain),
        )

    def _add_by_state(
        self,
        selected: dict[str, tuple[str, ...]],
        certain: Collection[int],
        numbers: Collection[str],
    ) -> None:
        """Add the tests that may find what affected ones leave, but for `numbers` by their labels.

        When they were recorded these may not have run before them, or in another process.
        """
        tests = self._records.tests.items()
        givers = {name for name, test in tests if test.segment in certain}
        segments = (self._records.segments[number] for number in certain)
        givers |= {one.name for one in segments if one.kind is Kind.COLLECTION}
        while givers:
            found = self.usage.finding(givers, numbers, selected.keys())
            for test, giver in found.items():
                selected[test] = (f"may find what {giver} leaves behind, which is affected",)
            givers = {*found}

    def overrules(self, test: str) -> bool:
        """Return whether testmon's wish to run an unaffected test can be set aside.

        It can where all that the test ran of changed files differs only in comments or docstrings
        nobody reads; of what it did not run testmon knows nothing either.
        """
        record = self._records.tests.get(test)
        if record is None:
            return False
        ran: defaultdict[int, int] = defaultdict(int)
        for number in reachable([record.segment], self._records.segments, self._imports):
            for item, bits in self._records.segments[number].code.items():
                ran[item] |= bits
        sources = {item: self._records.sources[item] for item in ran}
        changed = {
            item: self._changed_blocks(source)
            for item, source in sources.items()
            if self._project.value(Need.CONTENT, source.path) != source.sha
        }
        return bool(changed) and not any(
            ran[item] >> index & 1 for item, blocks in changed.items() for index in blocks
        )

    def _reasons_by_segment(self) -> dict[int, dict[str, None]]:
        """Return what changed for each segment by itself; a dict keeps the order."""
        needs = {
            number: reason
            for number, need in self._records.needs.items()
            # What a test looks at itself is not handed on to users of what it left behind.
            if need.need is not Need.POSITIONS and (reason := self._need_reason(need))
        }
        blocks = {
            number: changed
            for number, item in self._records.sources.items()
            if (changed := self._changed_blocks(item))
        }
        reasons: dict[int, dict[str, None]] = {}
        in_another_order = self._in_another_order()
        for number, segment in self._records.segments.items():
            found: dict[str, None] = {}
            if segment.kind is Kind.TEST and segment.name.partition("::")[0] in in_another_order:
                found["the tests of its file are in another order"] = None
            for name in segment.unseen:
                found[f"{_UNSEEN}{name}"] = None
            for need in segment.needs:
                if need in needs:
                    found[needs[need]] = None
                elif need not in self._records.needs:
                    found["its record is damaged"] = None
            for item, bits in segment.code.items():
                if item not in self._records.sources:
                    found["its record is damaged"] = None
                for index, reason in blocks.get(item, {}).items():
                    if bits >> index & 1:
                        found[reason] = None
            if found:
                reasons[number] = found
        return reasons

    def _in_another_order(self) -> set[str]:
        """Return the test files whose tests are not in the order that they ran in.

        One that finds what another leaves behind may come before it now.
        """
        tests: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._records.tests:
            path, _, rest = name.partition("::")
            tests[path].add(rest.partition("[")[0].replace("::", "."))
        found: set[str] = set()
        for item in self._records.sources.values():
            if item.path not in tests or item.source is None:
                continue
            if self._project.value(Need.CONTENT, item.path) == item.sha:
                continue
            new = self._project.parsed(item.path)
            before = [block.name for block in item.source.blocks if block.name in tests[item.path]]
            now = [block.name for block in new.blocks] if new is not None else []
            both = set(before) & set(now)
            if [name for name in before if name in both] != [name for name in now if name in both]:
                found.add(item.path)
        return found

    def _counts(self, changed: Collection[int]) -> frozenset[int]:
        """Return the segments that stand for no more than a number that a test moved on."""
        labels: defaultdict[str, set[int]] = defaultdict(set)
        for number, segment in self._records.segments.items() if changed else ():
            if segment.kind is Kind.COUNT:
                labels[segment.name].add(number)
        if not labels:
            return frozenset()
        texts = self._project.texts.items()
        code = [text for path, text in texts if path.endswith(source.SUFFIXES)]
        only = [label for label in labels if counting.only_counts(label.split(), code)]
        return frozenset().union(*map(labels.__getitem__, only))

    def _expected(self, counts: Collection[int], certain: Collection[int]) -> Counts:
        """Return how far affected tests moved numbers on that others build on."""
        segments = self._records.segments
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for number in counts:
            label = segments[number].name
            for giver in (segments[link] for link in segments[number].links if link in certain):
                count = counting.counts_of(giver, self._records.needs).get(label, counting.NEVER)
                # Two records of one test that differ cannot both be met.
                if found[giver.name].setdefault(label, count) != count:
                    found[giver.name][label] = counting.NEVER
        return found

    def _spread(
        self, changed: Mapping[int, dict[str, None]], stop: Collection[int] = ()
    ) -> dict[int, dict[str, None]]:
        """Hand the reasons on to every segment that builds on a changed one, not through `stop`."""
        reasons = {number: dict(found) for number, found in changed.items()}
        segments = self._records.segments
        by_path = self._imports
        users: defaultdict[int, set[int]] = defaultdict(set)
        for number, segment in segments.items():
            for path in segment.imports:
                if path in by_path:
                    users[by_path[path]].add(number)
                else:
                    reasons.setdefault(number, {})["its record is damaged"] = None
            for link in segment.links:
                users[link].add(number)
                if link not in segments:
                    reasons.setdefault(number, {})["its record is damaged"] = None
        queue = list(reasons)
        while queue:
            number = queue.pop()
            for user in users[number]:
                if user in stop:
                    continue
                known = reasons.setdefault(user, {})
                before = len(known)
                known.update(reasons[number])
                if len(known) > before:
                    queue.append(user)
        return reasons

    def _need_reason(self, need: NeedRecord) -> str:
        if need.need in (Need.FILES, Need.STATE, Need.COUNT, Need.NAME, Need.WRITTEN):
            return ""  # compared file by file, and not at all
        if need.name in self._settled:
            return ""
        if need.need is Need.LISTING:
            others = [path for path in self._disturbed if folder_of(path) == need.name]
        else:
            others = [need.name] if need.name in self._disturbed else []
        if others:
            return CHANGED_MEANWHILE.format(others[0])
        now = self._project.value(need.need, need.name)
        if now == need.value:
            return ""
        if need.need is Need.VARIABLE and need.name == inputs.ALL_VARIABLES:
            return "an environment variable changed"
        said = _CHANGED.get(need.need)
        if said is None and need.value == inputs.ABSENT:
            said = "{} was looked for, and is there now"
        elif said is None and now == inputs.ABSENT:
            said = "{} is gone"
        return (said or "{} changed").format(need.name)

    def _changed_blocks(self, item: SourceRecord) -> dict[int, str]:
        """Return the blocks of a recorded file version that are not the same now."""
        if item.path in self._settled or self._project.value(Need.CONTENT, item.path) == item.sha:
            return {}
        old = item.source
        new = self._project.parsed(item.path)
        if old is None or new is None:
            count = len(old.blocks) if old else 1
            return dict.fromkeys(range(count), f"{item.path} changed or is gone")
        if old.docstrings != new.docstrings and self._project.docstrings_count:
            return dict.fromkeys(range(len(old.blocks)), f"a docstring in {item.path} changed")
        now = {block.name: block.digest for block in new.blocks}
        changed = {
            index: f"{block.name} in {item.path} changed"
            for index, block in enumerate(old.blocks)
            if index and now.get(block.name) != block.digest
        }
        if old.blocks[0].digest != new.blocks[0].digest or self._noticed(item.path, old, new):
            changed[0] = f"import-time code of {item.path} changed"
        return changed

    def _noticed(self, path: str, old: source.Source, new: source.Source) -> bool:
        """Return whether a plain function was added, removed or given another signature."""
        both = old.functions.keys() & new.functions.keys()
        if any(old.functions[name] != new.functions[name] for name in both):
            return True
        return any(
            not self._project.is_unused(name, path)
            for name in old.functions.keys() ^ new.functions.keys()
        )

    def is_as_recorded(self, path: str) -> bool:
        """Return whether the file at `path` has a recorded content: it holds no new test."""
        now = self._project.value(Need.CONTENT, path)
        return (path, now) in self._contents

    @cached_property
    def usage(self) -> Usage:
        """Tells who may find what others leave behind."""
        return Usage(self._records)

    @cached_property
    def _contents(self) -> set[tuple[str, str]]:
        return {(item.path, item.sha) for item in self._records.sources.values()}

    def changes(self) -> list[str]:
        """Return what is not as recorded, whichever test depends on it, and what nobody knows."""
        found = [reason for reasons in self._reasons_by_segment().values() for reason in reasons]
        told = {reason for reason in found if not reason.startswith(_UNSEEN)}
        files = {
            item.path
            for item in self._records.sources.values()
            if self._project.value(Need.CONTENT, item.path) != item.sha
        }
        silent = {path for path in files if not any(path in reason for reason in told)}
        return sorted(
            {
                *told,
                *(f"{path} changed where no test ran it" for path in silent),
                *(f"{path} is new, or has new functions" for path in self.new_files.with_tests()),
            }
        )
