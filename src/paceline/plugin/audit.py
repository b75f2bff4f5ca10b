"""Leaves word of each failing test that a selection would have left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from paceline import store
from paceline.impact.run import AUDIT_FILE

if TYPE_CHECKING:
    from paceline.plugin.impact import Impact


class Audit:
    """Compares a run of all tests with the selection; `changes` says what is not as recorded."""

    def __init__(self, impact: Impact, changes: Sequence[str]) -> None:
        self._impact = impact
        self._changes = changes
        self._ran: set[str] = set()
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what ran, and what failed."""
        self._ran.add(report.nodeid)
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write for `invoke impact.audit` how many tests were compared, and the escapes."""
        impact = self._impact
        with impact.watch.aside():
            escapes = dict.fromkeys(sorted(self._failed & impact.unaffected), self._changes)
            compared = len(self._ran & impact.unaffected)
            data = {"version": 2, "compared": compared, "escapes": escapes}
            store.write_json(impact.root / AUDIT_FILE, data)
