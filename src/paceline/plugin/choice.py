"""What a run leaves out: chosen before its tests run, corrected by what they do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paceline.plugin import handover
from paceline.plugin.narrowing import asked_for

if TYPE_CHECKING:
    from paceline.impact.counting import Counts
    from paceline.impact.records import Records
    from paceline.impact.selection import Selection, Selector
    from paceline.impact.usage import Usage
    from paceline.plugin.carrying import Company

_BY_TESTMON = ("testmon selects it",)

#: Tests, each with the reasons to run it.
Reasons = Mapping[str, tuple[str, ...]]


class Choice:
    """The tests that are left out, and why others run. `folder` is that of the run.

    `selecting` says that tests are left out at all, `narrowed` that some were asked for only.
    """

    def __init__(self, folder: Path, *, selecting: bool, narrowed: bool) -> None:
        self.selecting = selecting
        self.narrowed = narrowed
        self.reasons: Reasons = {}
        #: Who may find what others leave behind, where that is known.
        self.usage: Usage | None = None
        self.unaffected: frozenset[str] = frozenset()
        #: Files that are not even imported: all their tests are left out.
        self.quiet_files: frozenset[str] = frozenset()
        #: What has to run with what so that carried coverage is exact.
        self.company: Company | None = None
        #: Tests that skipped themselves when all others ran, too.
        self.skipped: frozenset[str] = frozenset()
        #: Tests that skipped themselves alone, until all that was left out has run.
        self.unconfirmed: frozenset[str] = frozenset()
        #: Tests that run next time, whatever is recorded of this run.
        self.held_back: frozenset[str] = frozenset()
        #: Tests that moved numbers on as before, so that others go on building on them.
        self.counted: frozenset[str] = frozenset()
        self.folder = folder
        #: Tests that were left out where this process had collected them.
        self.dropped: set[str] = set()
        self._measured_anew: frozenset[str] = frozenset()
        self._asked_for: Callable[[str], bool] = lambda _: True

    @classmethod
    def told(cls, given: Mapping[str, Any]) -> Choice:
        """Return the choice that a worker was told of by `as_told`."""
        from paceline.plugin.carrying import Company

        folder = Path(given["folder"])
        choice = cls(folder, selecting=given["selecting"], narrowed=given["narrowed"])
        choice.unaffected = frozenset(given["unaffected"])
        choice.quiet_files = frozenset(given["quiet_files"])
        choice.company = Company.read(folder) if given["carrying"] else None
        return choice

    def as_told(self) -> dict[str, Any]:
        """Return the choice as plain data, for a worker."""
        return {
            "folder": str(self.folder),
            "unaffected": sorted(self.unaffected),
            "quiet_files": sorted(self.quiet_files),
            "selecting": self.selecting,
            "narrowed": self.narrowed,
            "carrying": self.company is not None,
        }

    def make(
        self, config: pytest.Config, selector: Selector, known: Records, *, can_wait: bool
    ) -> Selection:
        """Choose, and return the selection as it is used.

        With `can_wait`, tests are left out for now that only wait for how far others count.
        """
        from paceline.plugin.testmon import added_by_testmon

        self._asked_for = asked_for(config)
        selection = selector.select()
        waiting = selection.waiting if can_wait else frozenset()
        left_out = selection.unaffected | waiting
        self.usage = selector.usage
        added: Reasons = {
            **dict.fromkeys(added_by_testmon(config, left_out, selector.overrules), _BY_TESTMON),
            **({} if can_wait else _company(selector.usage, selector.usage.doubtful, left_out)),
        }
        self.reasons = {**selection.reasons, **added}
        self.unaffected = left_out.difference(added)
        if not self.narrowed:  # else all is collected: a typo in -k is no selection
            self._silence(selector, known, self.unaffected | selection.never_run)
        return replace(selection, unaffected=self.unaffected, waiting=waiting.difference(added))

    def to_confirm(self, passed: Set[str], order: Mapping[str, int]) -> Reasons:
        """Return those of the tests that `passed` which failed last time, and ran alone now.

        With them come those that leave behind what they may find, as far as this run is asked for
        them and they have not run, all as pytest collects them. `order` has the places of all that
        ran.
        """
        if self.usage is None:
            return {}
        left_out = self.left_out
        alone = [
            test
            for test in self.usage.doubtful & passed
            if self.usage.company(test) & left_out or self.usage.is_early(test, order)
        ]
        found = {
            **_company(self.usage, alone, left_out),
            **{test: (*self.reasons.get(test, ()), "it ran without others") for test in alone},
        }
        place = self.usage.order.place
        return dict(sorted(found.items(), key=lambda item: place(item[0].partition("::")[0])))

    def ran_alone(self, ran: Set[str], order: Mapping[str, int]) -> set[str]:
        """Return those of the tests that `ran` which failed last time, and ran alone now.

        A run may end before such a test is repeated after others: `order` has the places of those
        that ran in this process.
        """
        if self.usage is None:
            return set()
        return {
            test
            for test in self.usage.doubtful & ran
            if not self.usage.company(test) <= ran or self.usage.is_early(test, order)
        }

    def _silence(self, selector: Selector, known: Records, idle: frozenset[str]) -> None:
        """Note the files of which every test is idle."""
        files: dict[str, bool] = {}
        leaving = selector.usage.files  # what runs may find what the import of these leaves behind
        for test in known.tests:
            file = test.partition("::")[0]
            quiet = test in idle and file not in leaving and selector.is_as_recorded(file)
            files[file] = files.get(file, True) and quiet
        self.quiet_files = frozenset(file for file, quiet in files.items() if quiet)

    def measure_anew(self, obstacles: Mapping[str, str], company: Company | None) -> None:
        """Let tests run whose coverage cannot be carried; all is collected for the others."""
        self.company = company
        self._measured_anew = frozenset(obstacles)
        self.select_also({test: (why,) for test, why in obstacles.items()})

    def leave_out_of(
        self, items: list[pytest.Item], imported: Collection[str]
    ) -> list[pytest.Item]:
        """Drop the unaffected tests from `items`, and return them.

        `imported` are the modules that were imported until now.
        """
        if self.company is not None:
            chosen = [item.nodeid for item in items]
            self.unaffected = self.company.unaffected(chosen, self.unaffected, imported)
        dropped = [item for item in items if item.nodeid in self.unaffected]
        self.dropped |= {item.nodeid for item in dropped}
        if dropped:
            items[:] = [item for item in items if item.nodeid not in self.unaffected]
        return dropped

    @property
    def left_out(self) -> frozenset[str]:
        """The tests that this run leaves out, as far as it was asked for them."""
        if self.narrowed:
            return self.unaffected & self._dropped_anywhere()
        return frozenset(filter(self._asked_for, self.unaffected))

    @property
    def leaves_something_out(self) -> bool:
        """Whether there were tests to run, of which some were left out."""
        if self.narrowed:
            return bool(self._dropped_anywhere())
        return self.selecting and bool(self.unaffected)

    def _dropped_anywhere(self) -> frozenset[str]:
        return handover.read(self.folder).dropped | self.dropped

    @property
    def affected(self) -> frozenset[str]:
        """The tests that have a reason to run, but for those that only run to be measured."""
        return frozenset(self.reasons.keys() - self._measured_anew)

    def without_reason(self, ran: Set[str]) -> frozenset[str]:
        """Return the tests that are not affected, of those that `ran` only the left out ones.

        Some had to run to be measured and were narrowed away.
        """
        return self.unaffected | (self._measured_anew - ran)

    @property
    def is_partial(self) -> bool:
        """Whether some tests do not run, or not yet."""
        return self.narrowed or bool(self.left_out or self.unconfirmed)

    def select_also(self, reasons: Reasons) -> None:
        """Leave these tests out no longer."""
        self.reasons = {**self.reasons, **reasons}
        self.unaffected -= reasons.keys()
        self.quiet_files = frozenset()

    def leave_out_for_good(self, tests: Collection[str], counts: Counts) -> None:
        """Leave out tests that waited for others to move numbers on by these `counts`."""
        self.reasons = {test: why for test, why in self.reasons.items() if test not in tests}
        self.counted = frozenset(counts)

    def hold_back(self, tests: Iterable[str]) -> None:
        """Let these tests run next time, whatever is recorded of this run."""
        self.held_back |= frozenset(tests)


def _company(usage: Usage, tests: Iterable[str], among: frozenset[str]) -> Reasons:
    """Return those of `among` that leave behind what `tests`, which failed, may find."""
    found: dict[str, tuple[str, ...]] = {}
    for test in sorted(tests):
        why = (f"leaves behind what {test} may find, which failed last time",)
        found |= dict.fromkeys(usage.company(test) & among, why)
    return found
