"""Keeps pytest-testmon from crashing on sources that it cannot digest."""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any

import pytest

from paceline import console
from paceline.impact.parsing import Parsing
from paceline.impact.recorder import Kind, Recorder
from paceline.impact.tracer import Tracer
from paceline.impact.watch import Watch
from paceline.plugin.fingerprints import Batch, Executions, Files
from paceline.plugin.options import is_worker


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
        if collector is not None and not isinstance(collector, SharedTrace):
            collector.get_batch_coverage_data = _digestible(collector.get_batch_coverage_data)
            look_again_at_missing_files(session.config.testmon_data)  # type: ignore[attr-defined]


def look_again_at_missing_files(data: Any) -> None:
    """Let testmon record a file that was not there when the run began, as generated code is.

    testmon 2.2 remembers that it was missing, and ends in an AttributeError once it is there.
    """
    original, tree = data.get_tests_fingerprints, data.source_tree

    def is_there(name: str) -> bool:
        if tree.cache.get(name) is not None:
            return True
        # One in an archive cannot even be looked for.
        return os.path.exists(os.path.join(data.rootdir, name)) and tree.get_file(name) is not None

    def get_tests_fingerprints(batch: Batch, reports: Any) -> Any:
        for missing in [name for name, module in tree.cache.items() if module is None]:
            del tree.cache[missing]
        found = {
            test: {name: lines for name, lines in files.items() if is_there(name)}
            for test, files in batch.items()
        }
        return original(found, reports)

    data.get_tests_fingerprints = get_tests_fingerprints


def accept_any_encoding() -> None:
    """Let testmon go on where a recorded file is no text of the encoding that it names.

    testmon 2.2 ends in the SyntaxError of `tokenize.detect_encoding` before any test is collected,
    as for a template of which one byte is damaged.
    """
    process_code = importlib.import_module("testmon.process_code")
    process_code.source_encoding = _encoding  # type: ignore[attr-defined]


def show_root(config: pytest.Config) -> None:
    """Let testmon find the root in a project that does without pytest's old paths.

    testmon 2.2 ends in an AttributeError with `-p no:legacypath`.
    """
    if not hasattr(config, "rootdir"):
        vars(config)["rootdir"] = SimpleNamespace(strpath=str(config.rootpath))


def _encoding(source: bytes) -> str:
    from coverage.phystokens import source_encoding

    try:
        return source_encoding(source)
    except SyntaxError:
        return "utf-8"  # testmon replaces what cannot be decoded


def _digestible(original: Callable[[], Batch]) -> Callable[[], Batch]:
    def filtered() -> Batch:
        return {
            test: {file: lines for file, lines in files.items() if PurePath(file).suffix}
            for test, files in (original() or {}).items()
        }

    return filtered


def set_aside_damaged(root: Path) -> None:
    """Remove testmon's data if it is damaged: testmon would end in an internal error."""
    file = _data_file(root)
    if not file.is_file():
        return
    if damage := _damage(file):
        console.err(f"warning: {file}: damaged data of testmon is removed ({damage})")
        for suffix in ("", "-journal", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def _damage(file: Path) -> str:
    """Return what is wrong with a database, "" if nothing is or if another run holds it."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return "" if "locked" in str(error) else str(error)
    return "" if found == "ok" else "its content is damaged"


def make_data(root: Path) -> None:
    """Make testmon's data file, if there is none, so that another run sees it whole or not at all.

    testmon 2.2 removes a file that has no version yet: of two first runs at once the second
    took the data away that the first was making, and one of them ended in an internal error.
    """
    file = _data_file(root)
    if file.exists():
        return
    database = importlib.import_module("testmon.db")
    with tempfile.TemporaryDirectory(prefix=f"{file.name}-", dir=file.parent) as folder:
        new = Path(folder, file.name)
        database.DB(str(new)).con.close()
        # One run's file stays; where there are no hard links, testmon makes it by itself.
        with contextlib.suppress(OSError):
            os.link(new, file)


def _data_file(root: Path) -> Path:
    return root / os.environ.get("TESTMON_DATAFILE", ".testmondata")


class SharedTrace:
    """Feeds testmon's fingerprints from the recorder's trace.

    It stands in for testmon's own collector (testmon 2.2, `TestmonCollector`), which would
    start a second tracer and silence the first. With `files` it tells what a test ran, as a worker
    has to; else only which test it was, whose segment tells the rest.
    """

    def __init__(self, recorder: Recorder, tracer: Tracer, files: Files | None) -> None:
        self._tracer = tracer
        self._recorder = recorder
        self._test = ""
        self._files = files

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
        if self._files is None:
            return {self._test: None}  # it becomes part of the report, which others write down
        self._recorder.take(segment)
        with self._tracer.aside():
            return {self._test: self._files.of(self._test, segment)}

    def close(self) -> None:
        """Do nothing: the trace is the recorder's."""


def share_trace(config: pytest.Config, watch: Watch, tracer: Tracer, parsing: Parsing) -> None:
    """Let testmon record from the recorder's trace, and neither select nor sort."""
    data = getattr(config, "testmon_data", None)
    if data is not None:

        @contextlib.contextmanager
        def aside() -> Iterator[None]:
            with watch.aside(), tracer.aside():
                yield

        executions = Executions(data, parsing, watch.recorder, aside)
        data.get_tests_fingerprints = executions.of
        data.save_test_execution_file_fps = executions.add
        config.pluginmanager.register(executions, "paceline-testmon-executions")
    collect = config.pluginmanager.get_plugin("TestmonCollect")
    if collect is not None:
        files = Files(watch.recorder, str(config.rootpath)) if is_worker(config) else None
        collect.testmon = SharedTrace(watch.recorder, tracer, files)
    select = config.pluginmanager.get_plugin("TestmonSelect")
    if select is not None:
        config.pluginmanager.unregister(select)


def added_by_testmon(
    config: pytest.Config, unaffected: frozenset[str], overrules: Callable[[str], bool]
) -> list[str]:
    """Return the tests that testmon selects, except where only text changed that cannot matter."""
    data = getattr(config, "testmon_data", None)
    if data is None:
        return []
    # Of records that were imported testmon knows nothing.
    changed = set(data.all_tests) - set(data.stable_test_names or ())
    return [test for test in unaffected if test in changed and not overrules(test)]


def imply_testmon(config: pytest.Config) -> None:
    """Let testmon record as well. It must not select: it would leave out or reorder tests."""
    if not config.pluginmanager.has_plugin("paceline-impact"):
        return
    option = config.option
    accept_any_encoding()
    show_root(config)
    if not is_worker(config):
        set_aside_damaged(config.rootpath)
        make_data(config.rootpath)
    option.testmon = option.testmon_noselect = True
    option.lf = getattr(option, "lf", False)  # testmon needs it, even with -p no:cacheprovider
