"""Leaves word of each failing test that a selection would have left out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from paceline import store
from paceline.impact import status
from paceline.impact.counting import as_before
from paceline.impact.project import Project
from paceline.impact.run import AUDIT_FILE, Run
from paceline.impact.selection import Selection, Selector

if TYPE_CHECKING:
    from paceline.plugin.engine import Impact

#: What changed since it was recorded, for each test that a selection would leave out.
LeftOut = Mapping[str, Sequence[str]]


class Audit:
    """Compares a run of all tests with the `selection` that could have been made of it.

    `changes` are said of an escape: what is not as it was recorded.
    """

    def __init__(
        self, impact: Impact, run: Run, selection: Selection, changes: Sequence[str]
    ) -> None:
        self._impact = impact
        self._selection = selection
        self._changes = changes
        self._elsewhere = _left_out_by_plain_pytest(run)
        self._ran: set[str] = set()
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what ran, and what failed."""
        self._ran.add(report.nodeid)
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write for `invoke impact.audit` how many tests were compared, and the escapes."""
        left_out = self._left_out()
        escapes = {test: left_out[test] for test in sorted(self._failed) if test in left_out}
        data = {"version": 2, "compared": len(self._ran & left_out.keys()), "escapes": escapes}
        with self._impact.watch.aside():
            store.write_json(self._impact.root / AUDIT_FILE, data)

    def _left_out(self) -> LeftOut:
        names = self._selection.unaffected
        found = self._impact.hooks.counts() if self._impact.hooks else {}
        if not as_before(self._selection.counts, found):
            names -= self._selection.waiting
        return {**self._elsewhere, **dict.fromkeys(names, self._changes)}


def _left_out_by_plain_pytest(run: Run) -> LeftOut:
    """Return what a plain `pytest --impact` with the same Python would leave out."""
    last = status.last_surroundings(run.store, "", run.surroundings.prefix)
    if last is None or last.profile == run.surroundings.profile:
        return {}
    known = run.store.load(last.digest(os.environ))
    selector = Selector(known, Project(run.scope.root, run.environ))
    changes = selector.changes() if known.tests else ()
    return dict.fromkeys(selector.select().unaffected, changes)
