"""The run of `pytest --impact`: it records what each test depends on, and leaves tests out.

Imported as a whole before anything is traced: traced, these imports would take twice as long.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.assertion import rewrite

from paceline import console
from paceline.errors import PacelineError
from paceline.impact.building import Declared
from paceline.impact.children import Children
from paceline.impact.environment import surroundings
from paceline.impact.imports import Imports
from paceline.impact.inputs import CONFIGURATION, SEARCH_PATH
from paceline.impact.parsing import Parsing
from paceline.impact.recorder import Need, Recorder
from paceline.impact.recording import Recording
from paceline.impact.records import SKIPPED
from paceline.impact.replacing import replace
from paceline.impact.run import Run
from paceline.impact.scope import Scope
from paceline.impact.tracer import Tracer
from paceline.impact.watch import Watch
from paceline.plugin import handover
from paceline.plugin.carrying import LEFT_OUT, Carrying, is_measured
from paceline.plugin.choice import Choice
from paceline.plugin.declarations import declarations
from paceline.plugin.narrowing import arguments, asks_for_all, collects_all, is_narrowed
from paceline.plugin.options import is_worker
from paceline.plugin.pauses import Pauses
from paceline.plugin.recording import SegmentHooks
from paceline.plugin.surroundings import options
from paceline.plugin.testmon import share_trace
from paceline.plugin.trees import follow_coverage, follow_pytest

if TYPE_CHECKING:
    from paceline.impact.records import Records
    from paceline.plugin.aftermath import Aftermath
    from paceline.plugin.audit import Audit

#: Under this name a worker gets its instructions.
INPUT = "paceline_impact"


class Impact:
    """Recording and selection in one process of a run."""

    def __init__(self, early_config: pytest.Config) -> None:
        self.config = early_config
        self.root = early_config.rootpath
        #: As with `python -m pytest`: pytest itself adds folders only later.
        self._root_is_searched = str(self.root) in map(os.path.abspath, sys.path)
        self.recorder = Recorder("session")
        self.scope = Scope(self.root)
        self.watch = Watch(self.recorder, self.scope)
        self.tracer = Tracer(
            self.recorder,
            self.scope.counts,
            self._measuring,
            self.watch.aside,
            self.watch.libraries,
        )
        self.parsing = Parsing()
        self.imports = Imports(self.recorder, self.watch, (rewrite.AssertionRewritingHook,))
        self.hooks: SegmentHooks | None = None
        self.choice: Choice
        self._distributed = False
        self._run: Run | None = None
        self._declared: dict[str, Declared] = {}
        self._carrying: Carrying | None = None
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to record; called before any conftest file is imported."""
        self.recorder.take = self.tracer.take
        self.tracer.start()
        self.watch.start()
        self.imports.start()
        # It takes as long as many a suite, and twice that where it is traced.
        self._undo.append(replace(rewrite, "_rewrite_test", self.tracer.untraced))
        if "PYTEST_XDIST_WORKER" not in os.environ:  # the controller takes sources apart
            self._undo.append(follow_pytest(self.parsing))

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Decide what can be left out, once all plugins and options are known."""
        with self.watch.aside():
            try:
                self._configure(config)
            except PacelineError as error:
                raise pytest.UsageError(str(error)) from error

    def _configure(self, config: pytest.Config) -> None:
        self.config = config
        self.hooks = SegmentHooks(config, self.watch, self.tracer)
        self.imports.on_imported = self.hooks.imported
        config.pluginmanager.register(self.hooks, "paceline-segments")
        self.hooks.start()
        pauses = Pauses(config, self.watch, self.tracer)
        pauses.start()
        config.pluginmanager.register(pauses, "paceline-pauses")
        self._undo.append(pauses.stop)
        share_trace(config, self.watch, self.tracer, self.parsing)
        # In a worker too: its tests build on the session of their own process.
        for need in (Need.FILES, Need.CONFIGURATION):
            self.watch.note_in(self.recorder.session, need, str(self.root))
        self.watch.note_in(self.recorder.session, Need.VARIABLE, SEARCH_PATH)
        if config.inipath is not None and config.inipath.name not in CONFIGURATION:
            self.watch.note_in(self.recorder.session, Need.CONTENT, str(config.inipath))
        self._distributed = getattr(config.option, "dist", "no") != "no"
        if is_worker(config):
            self.choice = Choice.told(config.workerinput[INPUT])  # type: ignore[attr-defined]
        else:
            self.choice = self._begin(config)
        if is_worker(config) or not self._distributed:
            folder, watch = self.choice.folder, self.watch
            self.children = Children(
                self.recorder, folder, self.root, watch.askers.is_tool, watch.note_folder
            )
            self.children.start()

    def _begin(self, config: pytest.Config) -> Choice:
        """Choose what this run leaves out."""
        # Only our own work, which is traced for nobody; plugins are announced to the project's.
        with self.tracer.aside():
            self._run = run = Run.begin(
                self.root,
                surroundings(
                    {**options(config), "root in sys.path": repr(self._root_is_searched)},
                    config.option.paceline_group,
                ),
                self.recorder.environ,
                self.recorder.folder,
            )
            known = run.known()
            named = arguments(config)
            starts = named if asks_for_all(config) else known.starts or named
            known = dataclasses.replace(known, starts=starts)
            selecting = not config.option.impact_noselect
            choice = Choice(run.folder, selecting=selecting, narrowed=is_narrowed(config))
            choice.skipped = known.skipped
            if is_measured(config):
                self._undo.append(follow_coverage(self.parsing))
                self._carrying = Carrying(config, run, known)
            has_choice = bool(known.tests) or not selecting
            plugin = self._selecting(config, run, choice, known) if has_choice else None
        if self._carrying is not None:
            config.pluginmanager.register(self._carrying, "paceline-carrying")
        if plugin is not None:
            config.pluginmanager.register(plugin, "paceline-selecting")
        return choice

    def _selecting(
        self, config: pytest.Config, run: Run, choice: Choice, known: Records
    ) -> Aftermath | Audit:
        """Select by what is known; return what looks after the selection while tests run."""
        # Imported here: a first run, which has nothing to select by, pays for none of it.
        from paceline.impact.project import Project
        from paceline.impact.selection import Selector
        from paceline.plugin.aftermath import Aftermath
        from paceline.plugin.audit import Audit

        selector = Selector(known, Project(self.root, self.recorder.environ))
        selection = choice.make(config, selector, known, can_wait=self.runs_here())
        if not choice.selecting:
            return Audit(self, run, selection, selector.changes())
        if self._carrying is not None:
            obstacles = self._carrying.obstacles(choice.unaffected)
            choice.measure_anew(obstacles, self._carrying.company)
        return Aftermath(self, choice, known, selection)

    def _measuring(self) -> Any:
        plugin = self.config.pluginmanager.get_plugin("_cov")
        controller = getattr(plugin, "cov_controller", None)
        if type(controller).__name__ == "DistMaster" and "PYTEST_XDIST_WORKER" in os.environ:
            return None  # pytest-cov begins a worker like that, and drops it for another
        cov = getattr(controller, "cov", None)
        return cov if cov is not None and getattr(cov, "_started", False) else None

    # Hooks, in the order in which they are called.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what to leave out, and where to leave its recording."""
        node.workerinput[INPUT] = self.choice.as_told()

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Do not even import a test file of which every test is left out."""
        if not self.choice.selecting or config.option.paceline_result:
            return None
        name = self.scope.relative(str(collection_path))
        if name not in self.choice.quiet_files:
            return None
        if self.hooks is not None:
            self.hooks.quiet_files.add(name)
        return True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None]:
        """Leave out what the change cannot affect; in a shard, only once it is cut out."""
        yield
        with self.watch.aside():
            self._declared.update(declarations(items, self.root))
        if not config.option.paceline_result:
            if self.hooks is not None and config.option.markexpr and not self.choice.narrowed:
                self.hooks.leave_to(items)
            self.leave_out(config, items)

    def leave_out(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Drop the unaffected tests from `items`."""
        if not self.choice.selecting:
            return
        dropped = self.choice.leave_out_of(items, self.recorder.imported)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
        left_out = [item.nodeid for item in dropped]
        if self._carrying is not None:
            self._carrying.leave_out(left_out)
        elif self.choice.company is not None:
            config.workeroutput[LEFT_OUT] = left_out  # type: ignore[attr-defined]

    def recordings(self) -> list[Recording]:
        """Return what other processes of this run have recorded until now."""
        return self._run.left_behind(os.getpid()) if self._run else []

    def skipped(self) -> set[str]:
        """Return the tests of this run that were skipped by what ran, and not by a mark."""
        here = self.hooks.skipped() if self.hooks is not None else set[str]()
        tests = (test for one in self.recordings() for test in one.tests)
        return here.union(test.name for test in tests if test.status == SKIPPED)

    def touched_by_programs(self) -> set[str]:
        """Return files that changed in this run, if programs ran that cannot be seen through."""
        if self._run is None or self.hooks is None:
            return set()
        return self._run.touched() if self.started() else set()

    def started(self) -> dict[int, str]:
        """Return the processes that were started, by the test or fixture that did."""
        found = self.hooks.started() if self.hooks is not None else {}
        for one in self.recordings():
            for segment in one.segments:
                name = found.get(one.process, segment.name)
                found |= {child.process: name for child in segment.children}
        return found

    def runs_here(self) -> bool:
        """Return whether tests run in this process, and whatever runs is also measured."""
        option = self.config.option
        return not (self._distributed or option.paceline_result or is_measured(self.config))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Mark the tests that are about to run."""
        if session.items and not _only_looks(session.config):
            self._take_on([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Mark the tests that are about to run in the workers."""
        self._take_on(ids)

    def _take_on(self, tests: list[str]) -> None:
        if self._run is None:
            return
        try:
            self._run.take_on(tests)
        except PacelineError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the recording on (worker) or store all of them."""
        if self.hooks is None:
            return
        recording = self.hooks.recording()
        if self._run is None:
            self._hand_over(recording)
            return
        if (
            session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
            and self.choice.leaves_something_out
        ):
            session.exitstatus = pytest.ExitCode.OK
        self.recorder.active = False
        if not _only_looks(session.config):
            try:
                self._store(session, self._run, recording)
            except PacelineError as error:
                console.err(f"{error}\nwhat this run recorded is lost: its tests run again")

    def _store(self, session: pytest.Session, run: Run, recording: Recording) -> None:
        complete, partial = self._collected_files(session.config)
        handed = handover.read(self.choice.folder)
        order = self.hooks.order if self.hooks else {}
        with self.watch.aside(), self.tracer.aside():
            run.finish(
                recording,
                {**self._declared, **handed.declared},
                complete,
                partial,
                self.choice.affected,
                parsing=self.parsing,
                again=self.choice.held_back | self._skipped_in_doubt(session),
                alone=lambda ran: self.choice.ran_alone(ran, order),
                counted=self.choice.counted,
                starts=arguments(session.config) if collects_all(session) else (),
                coverage=self._carrying.measurement() if self._carrying else None,
            )

    def _skipped_in_doubt(self, session: pytest.Session) -> set[str]:
        """Return the tests that may be skipped as others failed, or did not run."""
        if not (session.testsfailed or self.choice.is_partial):
            return set()
        return self.skipped() - self.choice.skipped

    def _hand_over(self, recording: Recording) -> None:
        self.recorder.active = False
        dropped = sorted(self.choice.dropped)
        handover.write(self.choice.folder, recording, self._declared, dropped)

    def _collected_files(self, config: pytest.Config) -> tuple[list[str], list[str]]:
        """Return the files that were collected as a whole, and those asked for in part."""
        partial = sorted(
            {
                self.scope.relative(os.path.abspath(config.invocation_params.dir / file))
                for file, found, _ in (argument.partition("::") for argument in config.args)
                if found
            }
        )
        collected = {
            *(self.hooks.collected if self.hooks else ()),
            *handover.read(self.choice.folder).collected,
        }
        files = {test.partition("::")[0] for test in collected}
        if config.option.lf:  # pytest leaves the other tests of a file out while it collects
            return [], sorted(files)
        return sorted(files - set(partial)), partial

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was left out, and if asked why the rest was not."""
        if self._run is None:
            return
        write = terminalreporter.write_line
        ran = {
            report.nodeid
            for reports in terminalreporter.stats.values()
            for report in reports
            if isinstance(report, pytest.TestReport)
        }
        if self.config.option.impact_explain:
            for test in sorted(ran):
                reasons = self.choice.reasons.get(test) or ("new test",)
                write(f"{test}: {'; '.join(reasons[:5])}")
        unaffected = f"{len(self.choice.unaffected)} unaffected"
        left = f", {unaffected}" if self.choice.selecting else ", all selected"
        write(f"paceline impact: {len(ran)} tests ran{left}")

    def pytest_unconfigure(self) -> None:
        """Give everything back."""
        if self.hooks is not None:
            self.hooks.stop()
            self.config.pluginmanager.unregister(self.hooks)
            self.imports.on_imported = lambda _: None
            self.hooks = None
        self.imports.stop()
        self.watch.stop()
        while self._undo:
            self._undo.pop()()
        if hasattr(self, "children"):
            self.children.stop()
        self.tracer.stop()
        self.recorder.forget()
        self.parsing.forget()
        if self._run is not None:
            self._run.end()


def _only_looks(config: pytest.Config) -> bool:
    """Return whether no test runs: what would run is only shown."""
    option = config.option
    return bool(option.collectonly or getattr(option, "setupplan", False))
