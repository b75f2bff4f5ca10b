"""Tells the watching process which test runs and how long it may take."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from paceline.config.model import AUTO
from paceline.hang import FOLDER_VARIABLE, Note
from paceline.sharding import durations

#: "auto": a known test may take this many times its stored duration, but not less than ...
FACTOR = 20.0
KNOWN_SECONDS = 120.0
#: ... and a test that was never timed may take this long.
UNKNOWN_SECONDS = 600.0


class TimeLimit:
    """Notes each test's start with its limit in seconds."""

    def __init__(self, config: pytest.Config) -> None:
        folder = os.environ.get(FOLDER_VARIABLE)
        self._note = Note(Path(folder)) if folder else None
        self._setting = config.option.paceline_timeout
        known = self._setting == AUTO and self._note is not None
        self._known: Mapping[str, float] = (
            durations.read(Path(config.option.durations_path)) if known else {}
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note `item` for as long as it runs."""
        if self._note is None:
            return (yield)
        self._note.start(item.nodeid, self._limit(item.nodeid))
        try:
            return (yield)
        finally:
            self._note.stop()

    def _limit(self, test: str) -> float:
        if self._setting != AUTO:
            return float(self._setting)
        if test not in self._known:
            return UNKNOWN_SECONDS
        return max(KNOWN_SECONDS, FACTOR * self._known[test])
