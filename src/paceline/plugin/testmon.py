"""Keeps pytest-testmon from crashing on sources that it cannot digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import pytest

#: What testmon returns for a batch: test, then file, then the lines that ran.
Batch = dict[str, dict[str, Any]]


class TestmonGuard:
    """Leaves files without an extension (templates) out of testmon's fingerprints.

    testmon 2.2 splits the extension off every traced file and ends in an IndexError where
    there is none, as on jinja2's own suite. A change of such a file runs everything (see
    `paceline.impact`), so leaving it out loses nothing.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Wrap the collector, once testmon has made it."""
        collect = session.config.pluginmanager.get_plugin("TestmonCollect")
        collector = getattr(collect, "testmon", None)
        if collector is not None:
            collector.get_batch_coverage_data = _digestible(collector.get_batch_coverage_data)


def _digestible(original: Callable[[], Batch]) -> Callable[[], Batch]:
    def filtered() -> Batch:
        return {
            test: {file: lines for file, lines in files.items() if PurePath(file).suffix}
            for test, files in (original() or {}).items()
        }

    return filtered
