"""Keeps pytest-testmon from crashing on sources that it cannot digest."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest

from paceline import console
from paceline.impact.recorder import Kind, Recorder, Segment
from paceline.impact.tracer import Tracer, lines

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


def set_aside_damaged(root: Path) -> None:
    """Remove testmon's data if it is no database: testmon would end in an internal error."""
    file = root / os.environ.get("TESTMON_DATAFILE", ".testmondata")
    if not file.is_file():
        return
    try:
        connection = sqlite3.connect(file)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        console.err(f"warning: {file}: damaged data of testmon is removed ({error})")
        for suffix in ("", "-journal", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


class SharedTrace:
    """Feeds testmon's fingerprints from the recorder's trace.

    It stands in for testmon's own collector (testmon 2.2, `TestmonCollector`), which would
    start a second tracer and silence the first.
    """

    def __init__(self, recorder: Recorder, root: str, tracer: Tracer) -> None:
        self._tracer = tracer
        self._recorder = recorder
        self._root = root
        self._test = ""

    def start_testmon(self, test_name: str, next_test_name: str | None = None) -> None:
        """Begin a test; the recorder is in its segment already."""
        self._test = test_name

    def discard_current(self) -> None:
        """Forget the interrupted test."""
        self._test = ""

    def get_batch_coverage_data(self) -> Batch:
        """Return the lines that the test and the fixtures it uses ran, by relative file name."""
        segment = self._recorder.current
        if not self._test or segment.kind is not Kind.TEST:
            return {}
        self._recorder.take(segment)
        with self._tracer.aside():
            return self._files(segment)

    def _files(self, segment: Segment) -> Batch:
        files: dict[str, set[int]] = {self._test.partition("::")[0]: {1}}
        parts = [segment, *(link for link in segment.links if link.kind is Kind.FIXTURE)]
        for part in parts:
            for code in (part.code, part.early):
                for path, seen in code.items():
                    name = os.path.relpath(path, self._root).replace(os.sep, "/")
                    if PurePath(name).suffix:
                        files.setdefault(name, set()).update(lines(seen))
        return {self._test: files}

    def close(self) -> None:
        """Do nothing: the trace is the recorder's."""


def share_trace(config: pytest.Config, recorder: Recorder, tracer: Tracer) -> None:
    """Let testmon record from `recorder`, and neither select nor sort."""
    data = getattr(config, "testmon_data", None)
    if data is not None:
        for name in ("get_tests_fingerprints", "save_test_execution_file_fps"):
            setattr(data, name, _untraced(getattr(data, name), tracer))
    collect = config.pluginmanager.get_plugin("TestmonCollect")
    if collect is not None:
        collect.testmon = SharedTrace(recorder, str(config.rootpath), tracer)
    select = config.pluginmanager.get_plugin("TestmonSelect")
    if select is not None:
        config.pluginmanager.unregister(select)


def _untraced(original: Callable[..., Any], tracer: Tracer) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        with tracer.aside():
            return original(*args, **options)

    return call
