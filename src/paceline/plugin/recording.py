"""Cuts a pytest run into segments and tells how each test ended."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Set
from types import ModuleType
from typing import Any

import pytest
from _pytest.fixtures import FixtureDef

from paceline.impact.counting import NEVER, Counts
from paceline.impact.reached import Change, Label
from paceline.impact.recorder import RANDOM_NUMBERS, SEARCH_FOLDERS, Kind, Need, Segment
from paceline.impact.recording import Numbering, RawTest, Recording, StateChange
from paceline.impact.records import NEVER_RUN, SKIPPED, UNKNOWN_TESTS
from paceline.impact.source import SUFFIXES
from paceline.impact.state import Late, State
from paceline.impact.tracer import Tracer
from paceline.impact.watch import Watch
from paceline.plugin.options import is_worker
from paceline.plugin.skips import is_by_hook, is_skipped_by_itself

#: Labels of state: names of a global, of a global and its attribute, or of a fixture.
Labels = tuple[tuple[str, ...], ...]
#: What was added to the state of each label.
Added = tuple[tuple[int, ...], ...]

_PHASES = frozenset(("setup", "call", "teardown"))


class SegmentHooks:
    """Enters and leaves the recorder's segments as pytest goes along."""

    def __init__(self, config: pytest.Config, watch: Watch, tracer: Tracer) -> None:
        self._tracer = tracer
        self._config = config
        self._watch = watch
        self._recorder = watch.recorder
        self.state = State(watch.scope.counts)
        self._collections: dict[str, Segment] = {}
        self._fixtures: dict[FixtureDef[Any], Segment] = {}
        self._tests: dict[str, Segment] = {}
        #: The moment each test last began, as `_moment` tells it.
        self.order: dict[str, int] = {}
        self._phases: dict[str, dict[str, set[str]]] = {}
        self._seconds: dict[str, float] = {}
        self._skipped: set[str] = set()
        #: Tests that a plugin skipped that knows only of those in this process.
        self._in_doubt: set[str] = set()
        self._changes: list[tuple[int, Segment, Labels, tuple[int, ...], Added]] = []
        #: Labels of state, with the segments that may have removed what was there.
        self.lost: set[tuple[tuple[str, ...], str]] = set()
        #: What each comparison of state was made after, and its moment.
        self._compared: list[tuple[int, Segment]] = []
        self._imports: dict[Segment, int] = {}
        self._numbering = Numbering(watch.recorder)
        self.collected: list[str] = []
        #: Files that are not even looked into: all their tests are left out.
        self.quiet_files: set[str] = set()
        #: The nodes of which a fixture has ended before all tests came that a full run has there.
        self.ended: set[str] = set()
        self._collectors: dict[str, tuple[pytest.Collector, bool]] = {}
        self._items: list[pytest.Item] = []
        self._never_run: list[pytest.Item] = []
        #: All tests that are to run, and what runs now, with the file of its module.
        self._running: set[str] = set()
        self._present: tuple[Segment, Set[str]] = self._recorder.session, frozenset()
        self._looked_before_end: tuple[Segment, Set[str]] | None = None
        self._execute: Any = FixtureDef.execute
        self._finish: Any = FixtureDef.finish

    def start(self) -> None:
        """Watch which tests use which fixtures, cached ones too: pytest has no hook for that."""
        hooks = self

        def execute(fixturedef: FixtureDef[Any], request: Any) -> Any:
            __tracebackhide__ = True
            result = hooks._execute(fixturedef, request)
            segment = hooks._fixtures.get(fixturedef)
            if segment is not None and segment is not hooks._recorder.current:
                hooks._recorder.current.links.add(segment)
            return result

        def finish(fixturedef: FixtureDef[Any], request: Any) -> None:
            __tracebackhide__ = True
            segment = hooks._fixtures.get(fixturedef)
            if segment is None or fixturedef.cached_result is None:
                hooks._finish(fixturedef, request)
                return
            hooks._compare_at_end(request.node)
            ending = hooks._ending(segment)
            try:
                with hooks._recorder.inside(ending):
                    hooks._finish(fixturedef, request)
            finally:
                segment.take_over(ending)
            hooks.state.drop_fixture(fixturedef.argname)

        self._patch(execute, finish)

    def _compare_at_end(self, node: pytest.Collector) -> None:
        """See what a test has changed before fixtures end that others would still use."""
        name = node.nodeid.removesuffix("/__init__.py")
        if isinstance(node, pytest.Session) or not self._leaves_out_more(name):
            return
        self.ended.add(name)
        if self._looked_before_end is not self._present:  # once, before the first of them ends
            self._looked_before_end = self._present
            self._note_state(*self._present)

    def _leaves_out_more(self, node: str) -> bool:
        """Return whether tests of this node are left out that come after the present one."""
        if any(file.startswith(f"{node}/") for file in self.quiet_files):
            return True
        present = max(self.order, key=self.order.__getitem__, default="")
        later = self.collected[self.collected.index(present) + 1 :] if present else []
        return any(
            test.startswith((f"{node}::", f"{node}/")) and test not in self._running
            for test in later
        )

    def _ending(self, fixture: Segment) -> Segment:
        """Return the segment of a fixture's end, of which the links count for the test run last.

        It finds what all tests until then have left. Else any user may be the last to run.
        """
        ending = Segment(Kind.FIXTURE, fixture.name, links={fixture})
        test = max(self.order, key=self.order.__getitem__, default=None)
        last = self._tests[test] if test is not None else self._recorder.session
        last.links.add(ending)
        return ending

    def stop(self) -> None:
        """Give pytest its own functions back, and keep nothing: pytest keeps all plugins.

        It looks through all that is there for garbage, five times.
        """
        self._patch(self._execute, self._finish)
        for known in (self._tests, self._collections, self._fixtures, self._imports, self._phases):
            known.clear()
        self._changes.clear()
        self.lost.clear()
        self._compared.clear()
        self._numbering = Numbering(self._recorder)
        self.state = State(self._watch.scope.counts)

    def _patch(self, execute: Any, finish: Any) -> None:
        setattr(FixtureDef, "execute", execute)  # noqa: B010
        setattr(FixtureDef, "finish", finish)  # noqa: B010

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Take the state of what conftest files have imported as the first.

        They were imported before this plugin came, and what is collected may change it.
        """
        self._compared.append((self._moment, self._recorder.session))
        with self._watch.aside(), self._tracer.aside():
            self.state.changed()
            self._watch.rebinding.changed()
            self._watch.randomness.end(in_test=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Record what collecting this node needs: every test below it builds on that."""
        segment = self._collections.setdefault(
            collector.nodeid, Segment(Kind.COLLECTION, collector.nodeid)
        )
        if isinstance(collector, pytest.File) and collector.path.suffix not in SUFFIXES:
            # pytest and its plugins read it for the tests in it, as doctest does a text.
            self._watch.note_in(segment, Need.CONTENT, str(collector.path))
        with self._recorder.inside(segment):
            report = yield
        if isinstance(collector, pytest.Module):
            self._note_state(segment)
        if not isinstance(collector, pytest.Session):
            self._collectors[collector.nodeid] = (collector, bool(report.failed))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember what there is, before anything is left out."""
        self.collected = [*dict.fromkeys([*self.collected, *(item.nodeid for item in items)])]
        self._items = list(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Watch from now on what tests put into pytest's own objects."""
        self._running = {item.nodeid for item in session.items}
        config = session.config
        of_config = {"": vars(config), "option": vars(config.option), "stash": _kept_in(config)}
        self.state.add_namespaces("config", of_config)
        self.state.add_namespaces("session", {"": vars(session)})

    @property
    def _moment(self) -> int:
        """The number of the comparison that comes next: what runs until then is one stretch."""
        return len(self._compared) + 1

    def imported(self, module: ModuleType) -> None:
        """Take note of a project module whose import has ended."""
        segment = self._recorder.by_name.get(module.__name__)
        if segment is not None:
            self._imports[segment] = self._moment
        with self._watch.aside(), self._tracer.aside():
            self.state.add(module)

    def leave_to(self, kept: Iterable[pytest.Item]) -> None:
        """Record the tests but for `kept` as left out by the project's own settings."""
        names = {item.nodeid for item in kept}
        self._never_run = [item for item in self._items if item.nodeid not in names]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record what this test does."""
        segment = self._tests.get(item.nodeid)
        if segment is None:
            segment = self._tests[item.nodeid] = Segment(Kind.TEST, item.nodeid)
        if hasattr(item, "dtest"):  # the examples in a docstring
            segment.generated.add("__doc__")
        self.order[item.nodeid] = self._moment
        files = {str(getattr(getattr(item, "module", None), "__file__", None))}
        with self._watch.aside(), self._tracer.aside():
            self._link(segment, item)
            self._note_late(self.state.wake(files))
        self._present = segment, files
        with self._recorder.inside(segment):
            result = yield
        self._note_state(segment, files)
        if len(self.order) == 1:
            self._let_rest(item.session.items)
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Record also what is not to be measured."""
        with self._tracer.going_on(self._recorder.current):
            return (yield)

    def _link(self, segment: Segment, item: pytest.Item | pytest.Collector) -> None:
        segment.links.add(self._recorder.session)
        for node in item.listchain():
            if node.nodeid in self._collections:
                segment.links.add(self._collections[node.nodeid])
        imported = self._recorder.imported
        # That of a collector may be one that cannot be imported.
        modules = [getattr(item, "module", None)] if isinstance(item, pytest.Item) else []
        modules += self._config.pluginmanager._getconftestmodules(item.path)
        for module in modules:
            path = os.path.abspath(getattr(module, "__file__", None) or "")
            if path in imported:
                segment.links.add(imported[path])

    def _let_rest(self, items: Iterable[pytest.Item]) -> None:
        """Let test modules rest while others' tests run, if nothing of the project asks for them.

        Called after the first comparison in which all of them had their part.
        """
        for node in {node for item in items if (node := item.getparent(pytest.Module))}:
            module = getattr(node, "_obj", None)
            collection = self._collections.get(node.nodeid)
            if type(module) is ModuleType and collection is not None:
                segment = self._recorder.by_name.get(module.__name__)
                if segment in collection.links and module.__name__ not in self._recorder.asked:
                    self.state.rest(module)

    def _note_state(self, segment: Segment, files: Set[str] = frozenset()) -> None:
        moment = self._moment
        self._compared.append((moment, segment))
        with self._watch.aside(), self._tracer.aside():
            used = {*files, *segment.code, *segment.early}
            self._note_late(self.state.wake(used, self._recorder.asked))
            changed = self._watch.rebinding.changed() | self.state.changed()
            drawn_from, moved = self._watch.randomness.end(in_test=segment.kind is Kind.TEST)
            for name in drawn_from:
                self._watch.note_in(segment, Need.RANDOM, name)
            if moved:
                changed[Label((RANDOM_NUMBERS,))] = Change()
            if segment.kind is Kind.COLLECTION:  # pytest itself adds the folders of tests
                changed.pop(frozenset((SEARCH_FOLDERS,)), None)
            self.lost |= {
                (tuple(sorted(label)), segment.name)
                for label, change in changed.items()
                if change.lost and not change.steps
            }
            found = sorted(
                (tuple(sorted(label)), change.steps, tuple(sorted(change.added)))
                for label, change in changed.items()
            )
        if found:
            labels, counts, added = zip(*found, strict=True)
            self._changes.append((moment, segment, labels, counts, added))
        for library, name in self._watch.libraries.take_shown():
            self._changes.append((moment, library, ((name,),), (0,), ((),)))

    def _note_late(self, found: Iterable[Late]) -> None:
        """Note what changed in modules that rested as a change of all who ran meanwhile."""
        for since, changed in found:
            labels = tuple(sorted(tuple(sorted(label)) for label in changed))
            for moment, segment in self._compared[since:]:
                self.lost.update((label, segment.name) for label in labels)
                nothing = ((),) * len(labels)
                self._changes.append((moment, segment, labels, (0,) * len(labels), nothing))

    def changes(self) -> Iterator[tuple[str, Labels, tuple[int, ...], Added]]:
        """Yield what state was changed: by which segment, how far it counted, what was added."""
        with self._watch.aside(), self._tracer.aside():
            self._note_late(self.state.wake())
        for _, segment, labels, counts, added in self._changes:
            yield segment.name, labels, counts, added

    def passed(self) -> set[str]:
        """Return the tests that passed."""
        return {name for name in self.order if self._status(name) == "passed"}

    def skipped(self) -> set[str]:
        """Return the tests that were skipped by what ran, and not by a mark."""
        return {name for name in self.order if self._status(name) == SKIPPED}

    def started(self) -> dict[int, str]:
        """Return the processes that tests and wide fixtures started, by whom."""
        own = (*self._tests.values(), *self._fixtures.values())
        return {child.process: one.name for one in own for child in one.children}

    def counts(self) -> Counts:
        """Return how far each test moved numbers on."""
        # Of all that ran: one may have stopped to move a number on.
        found: defaultdict[str, dict[str, int]] = defaultdict(dict, {one: {} for one in self.order})
        for name, labels, counts, _ in self.changes():
            for label, count in zip(map(" ".join, labels), counts, strict=True):
                known = found[name].get(label, 0)
                found[name][label] = known + count if count and known != NEVER else NEVER
        return found

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Record what makes a fixture that outlives the test, for all its users."""
        if fixturedef.scope == "function":
            return (yield)
        segment = Segment(Kind.FIXTURE, f"{fixturedef.baseid}::{fixturedef.argname}")
        self._fixtures[fixturedef] = segment
        with self._recorder.inside(segment):
            value = yield
        with self._watch.aside(), self._tracer.aside():
            self.state.add_fixture(fixturedef.argname, value)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Remember which tests skip themselves."""
        by_hook = call.excinfo is not None and is_by_hook(call.excinfo.value)
        report = yield  # pytest puts the exceptions of unittest's tests into the call
        if call.when == "setup":
            self._skipped.discard(item.nodeid)
            self._in_doubt.discard(item.nodeid)
        if call.excinfo is not None and is_skipped_by_itself(item, call.excinfo.value):
            self._skipped.add(item.nodeid)
            if by_hook and is_worker(self._config):
                self._in_doubt.add(item.nodeid)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how each phase of each test ended."""
        if report.when == "setup":
            earlier = set[str]().union(*self._phases.get(report.nodeid, {}).values())
            self._phases[report.nodeid] = {"earlier": {"rerun"}} if "rerun" in earlier else {}
            self._seconds[report.nodeid] = 0.0
        # Subtests report a call each, under the test's own name.
        phases = self._phases.setdefault(report.nodeid, {})
        phases.setdefault(str(report.when), set()).add(str(report.outcome))
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Let what plugins do at the end make no test depend on what they use."""
        self._recorder.take(self._recorder.current)
        self._watch.libraries.ended = True

    def recording(self) -> Recording:
        """Return what this process recorded; ends the recording."""
        recorder = self._recorder
        recorder.take(recorder.current)
        session = recorder.session
        for plugin in self._config.pluginmanager.get_plugins():
            path = os.path.abspath(getattr(plugin, "__file__", None) or "")
            if path in recorder.imported and not path.endswith("conftest.py"):
                session.links.add(recorder.imported[path])
        tests = [
            RawTest(
                name,
                self._status(name),
                self._seconds.get(name, 0.0),
                self._numbering.number(segment),
                self.order[name],
            )
            for name, segment in self._tests.items()
        ]
        tests += [self._placeholder(item.nodeid, NEVER_RUN, item) for item in self._never_run]
        if not self._config.option.lf:  # files are skipped then that have tests
            tests += self._unknown_tests()
        with self._watch.aside(), self._tracer.aside():
            self._note_late(self.state.wake())
        changes = [
            StateChange(moment, self._numbering.number(segment), labels, counts, added)
            for moment, segment, labels, counts, added in self._changes
        ]
        return self._numbering.recording(
            os.getpid(),
            tests=tests,
            changes=changes,
            imports=self._imports,
            collected=self.collected,
            collectors=list(self._collectors),
        )

    def _unknown_tests(self) -> Iterator[RawTest]:
        """Yield what stands for the tests of files without any, and of what cannot be collected.

        A variable or another content may bring tests there.
        """
        holders = {"", "."}
        for name in (*self.collected, *self.quiet_files):
            above = name.partition("::")[0]
            while above not in holders:
                holders.add(above)
                above = above.rpartition("/")[0]
        for name, (collector, failed) in self._collectors.items():
            if failed:
                yield self._placeholder(name + UNKNOWN_TESTS, "failed", collector)
            elif isinstance(collector, (pytest.File, pytest.Directory)) and name not in holders:
                yield self._placeholder(name + UNKNOWN_TESTS, NEVER_RUN, collector)

    def _placeholder(self, name: str, status: str, node: pytest.Item | pytest.Collector) -> RawTest:
        segment = Segment(Kind.TEST, name)
        self._link(segment, node)
        return RawTest(name, status, 0.0, self._numbering.number(segment), order=0)

    def _status(self, name: str) -> str:
        phases = self._phases.get(name, {})
        outcomes = set[str]().union(*phases.values())
        if "failed" in outcomes:
            return "failed"
        # A skip in the set-up leaves out the call. A re-run test is flaky.
        skipped = "skipped" in phases.get("setup", ())
        complete = phases.keys() >= ({"setup", "teardown"} if skipped else _PHASES)
        if not complete or "rerun" in outcomes or name in self._in_doubt:
            return "unfinished"
        return SKIPPED if name in self._skipped else "passed"


def _kept_in(config: pytest.Config) -> Mapping[Any, Any]:
    """Return what plugins and tests keep in the stash, which shows nobody its keys."""
    kept = getattr(config.stash, "_storage", None)
    return kept if isinstance(kept, dict) else {}
