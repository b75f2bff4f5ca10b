"""Leaves word of each failing test that a selection would have left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paceline import store
from paceline.impact.run import AUDIT_FILE

if TYPE_CHECKING:
    from paceline.plugin.impact import Impact


class Audit:
    """Compares a run of all tests with the selection; `changed` are the files that changed."""

    def __init__(self, impact: Impact, changed: list[str]) -> None:
        self._impact = impact
        self._changed = changed
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what failed."""
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the escapes for `invoke impact.audit`."""
        impact = self._impact
        with impact.watch.aside():
            escapes = dict.fromkeys(sorted(self._failed & impact.unaffected), self._changed)
            store.write_json(impact.root / AUDIT_FILE, {"version": 1, "escapes": escapes})
