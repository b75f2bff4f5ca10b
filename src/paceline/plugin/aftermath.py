"""Runs tests that were left out after all, if tests that ran changed what they build on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paceline.impact.aftermath import Traces, also_affected, givers, overwritten, too_early
from paceline.impact.counting import as_before, counts_of
from paceline.impact.shared import Maker, names_of
from paceline.impact.usage import Usage
from paceline.plugin import lasting
from paceline.plugin.choice import Reasons

if TYPE_CHECKING:
    from paceline.impact.records import Records
    from paceline.impact.selection import Selection
    from paceline.plugin.choice import Choice
    from paceline.plugin.engine import Impact

#: Stands for the process that wrote to a file, where that cannot be told.
_PROGRAM = "a program that was started"

#: With nothing to run, what is left out makes a pass of the second (`plugin.engine`).
_GREEN = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Aftermath:
    """Looks at the records once more when the selected tests have run; `known` is from before.

    Tests that wait in the `selection` are left out if those that run count as far as before.
    """

    def __init__(
        self, impact: Impact, choice: Choice, known: Records, selection: Selection
    ) -> None:
        self._impact = impact
        self._choice = choice
        self._known = known
        self._usage = choice.usage or Usage(known)
        self._waiting = selection.waiting
        self._counts = dict(selection.counts)
        #: What was collected before any test ran.
        self._collected_first: tuple[str, ...] = ()
        #: Where those lie that ran, once more are collected.
        self._folders: Mapping[Path, pytest.Collector] = {}
        #: Tests that ran twice, as they had run too early.
        self._repeated: frozenset[str] = frozenset()
        #: Tests that ran once more after others, as they had failed before.
        self._confirmed: set[str] = set()
        #: Tests that had to run and could not, with the reasons, and why at all.
        self._open: Mapping[str, tuple[str, ...]] = {}
        self._why_open = ""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Run what is affected by what was left behind, if it can run in this process."""
        if not (self._impact.runs_here() and self._choice.unaffected):
            result = yield
            self._follow_up(session)
            return result
        with lasting.kept(session):
            result = yield
            self._follow_up(session)
        lasting.tear_down(session)
        return result

    def _follow_up(self, session: pytest.Session) -> None:
        while not (session.config.option.collectonly or session.shouldstop or session.shouldfail):
            traces = self._traces()
            found, why = self._affected(traces), "affected by what these tests left behind"
            if not found and self._impact.runs_here():
                found, why = self._to_confirm(), "as a test that failed last time passes alone"
            if not found and not session.testsfailed:
                found, why = self._to_accompany(), "as a test was skipped that had not been"
            if not found:
                break
            if not self._impact.runs_here():
                self._open, self._why_open = found, why
                self._choice.hold_back([*self._givers(traces, found), *found])
                break
            self._run(session, found, why)  # these may leave something behind as well

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path) -> pytest.Collector | None:
        """Let the tests that run at the end lie in the folders that there are already.

        Since pytest 9.1 the fixtures of a conftest file belong to its folder (fixtures.py).
        """
        return self._folders.get(path)

    def _affected(self, traces: Traces) -> Reasons:
        impact, choice = self._impact, self._choice
        environ, left_out = impact.recorder.environ, choice.without_reason(self._ran())
        found = also_affected(
            self._usage, left_out, traces, impact.scope, environ, waiting=self._waiting
        )
        reasons = found or self._no_longer_waiting(traces)
        asked = self._choice.left_out
        later = {test: why for test, why in reasons.items() if test not in asked}
        if later:  # with those that left something behind: alone they would find nothing
            self._choice.select_also(later)
            self._choice.hold_back([*self._givers(traces, later), *later])
        here = {test: why for test, why in reasons.items() if test in asked}
        return {**here, **self._to_repeat(traces, here)} if found and here else here

    def _givers(self, traces: Traces, users: Reasons) -> frozenset[str]:
        """Return who left newly what these may find, with those that changed it again."""
        again = overwritten(self._usage, traces, self._impact.scope, users)
        return givers(self._usage, traces, self._impact.scope) | again

    def _ran(self) -> set[str]:
        here = self._impact.hooks.order.keys() if self._impact.hooks is not None else ()
        there = (test.name for one in self._impact.recordings() for test in one.tests if test.order)
        return {*here, *there}

    def _to_repeat(self, traces: Traces, others: Reasons) -> Reasons:
        """Return the tests that ran too early, without the `others`; all run again next time."""
        again = too_early(self._usage, traces).intersection(traces.places)
        again |= overwritten(self._usage, traces, self._impact.scope, others)
        again -= self._repeated
        self._repeated |= again
        if again:
            self._choice.hold_back([*again, *others])
        why = "it ran without others that change or use the same state"
        return {test: (*self._choice.reasons.get(test, ()), why) for test in sorted(again)}

    def _to_confirm(self) -> Reasons:
        """Return the tests that failed and pass now without others, with these; each only once."""
        hooks = self._impact.hooks
        if hooks is None:
            return {}
        found = self._choice.to_confirm(hooks.passed() - self._confirmed, hooks.order)
        self._confirmed |= found.keys()
        return found

    def _to_accompany(self) -> Reasons:
        """Return the tests that skipped themselves as they had not before, with all left out.

        They may need one of these: `pytest-dependency` skips a test if another did not run.
        """
        left_out = self._choice.left_out
        alone = self._impact.skipped() - self._choice.skipped if left_out else set[str]()
        # With nothing left out they are confirmed; a run may be interrupted before.
        self._choice.unconfirmed = frozenset(alone)
        if not alone:
            return {}
        others = dict.fromkeys(left_out, (f"{min(alone)} was skipped without it",))
        again = {
            test: (*self._choice.reasons.get(test, ()), "it was skipped without others")
            for test in alone
        }
        place = self._usage.order.place
        found = {**others, **again}
        return dict(sorted(found.items(), key=lambda item: place(item[0].partition("::")[0])))

    def _no_longer_waiting(self, traces: Traces) -> Reasons:
        """Return the tests that waited in vain, or let them be left out for good."""
        waiting, self._waiting = self._waiting, frozenset()
        if not waiting:
            return {}
        if not as_before(self._counts, traces.counts):
            return {test: self._choice.reasons[test] for test in sorted(waiting)}
        self._choice.leave_out_for_good(waiting, self._counts)
        return {}

    def _traces(self) -> Traces:
        impact = self._impact
        changes = list(impact.hooks.changes()) if impact.hooks else []
        counts = impact.hooks.counts() if impact.hooks else {}
        collected = list(impact.hooks.collected) if impact.hooks else []
        for one in impact.recordings():
            collected = collected or list(one.collected)
            changes += [
                (one.segments[item.segment].name, item.labels, item.counts, item.added)
                for item in one.changes
            ]
        written = self._written()
        for path in impact.touched_by_programs():
            written.setdefault(path, frozenset((_PROGRAM,)))
        changed: defaultdict[tuple[str, ...], dict[str, frozenset[int]]] = defaultdict(dict)
        for name, labels, counts_on, added in changes:
            for label, count, new in zip(labels, counts_on, added, strict=True):
                # How far others count is compared by itself.
                more = frozenset[int]() if count else frozenset(new)
                changed[label][name] = changed[label].get(name, frozenset()) | more
        self._collected_first = first = self._collected_first or tuple(collected)
        known = frozenset(first)
        late = [test for test in collected if test not in known]
        tests = self._usage.order.with_late(first, late)
        places = {name: place for place, name in enumerate(tests)}
        lost = frozenset(impact.hooks.lost) if impact.hooks else frozenset()
        ended = frozenset(impact.hooks.ended) if impact.hooks else frozenset()
        return Traces(written, changed, counts, places, self._usage.order, lost, ended)

    def _written(self) -> dict[str, frozenset[str]]:
        """Return who wrote what, as paths and as other runs name it.

        What a process wrote goes by the test or fixture that started it.
        """
        impact = self._impact
        writers: list[tuple[str, Maker, str]] = [
            (path, segment, segment.name)
            for path, segments in impact.recorder.written.items()
            for segment in segments
        ]
        started = impact.started()
        for one in impact.recordings():
            for path, numbers in one.written.items():
                segments = [one.segments[number] for number in numbers]
                starter = started.get(one.process)
                writers += [(path, segment, starter or segment.name) for segment in segments]
        makers: defaultdict[str, list[Maker]] = defaultdict(list)
        for path, segment, _ in writers:
            makers[path].append(segment)
        found: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        for path, segment, name in writers:
            for shown in (path, *names_of(path, makers, segment)):
                found[shown] |= {name}
        return found

    def _run(self, session: pytest.Session, found: Reasons, why: str) -> None:
        _say(session.config, f"{len(found)} more, {why}:")
        before = session.items
        self._choice.select_also(found)
        for test in found:
            known = self._known.tests.get(test)
            segment = self._known.segments.get(known.segment) if known else None
            if segment is not None:
                self._counts[test] = counts_of(segment, self._known.needs)
        files = sorted({test.partition("::")[0] for test in found}, key=self._usage.order.place)
        self._folders = lasting.folders(before)
        _offer_conftests(session, self._folders)
        session.perform_collect([str(session.config.rootpath / file) for file in files])
        items = [item for item in session.items if item.nodeid in found]
        session.items = [*before, *items]
        session.testscollected = len(session.items)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldstop or session.shouldfail:
                break

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What had to run and did not is no pass; a shard's result is written with that."""
        if self._open and session.exitstatus in _GREEN:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what did not run."""
        if self._open:
            test, reasons = next(iter(self._open.items()))
            terminalreporter.write_line(
                f"paceline impact: {len(self._open)} more to run, {self._why_open}, "
                f"such as {test} ({reasons[0]}); run this again"
            )


def _offer_conftests(session: pytest.Session, folders: Collection[Path]) -> None:
    """Let folders of which there is a new node find the fixtures of their conftest files."""
    pending = getattr(session._fixturemanager, "_pending_conftests", None)
    if pending is None:
        return
    root = session.config.rootpath
    for name, plugin in session.config.pluginmanager.list_name_plugin():
        folder = Path(name).parent
        if name.endswith("conftest.py") and root in folder.parents and folder not in folders:
            pending[folder] = plugin


def _say(config: pytest.Config, text: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.get_verbosity() >= 0:
        reporter.ensure_newline()
        reporter.write_line(f"paceline impact: {text}")
