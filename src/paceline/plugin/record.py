"""Writes what a shard did into its result folder: the tests, their outcomes and durations."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from paceline import git
from paceline.plugin.options import is_worker
from paceline.plugin.shard import ShardSelection
from paceline.sharding import durations, result

#: The name under which a worker hands its selection to the controller.
OUTPUT = "paceline"


class Recorder:
    """Collects the reports of one run; under xdist in the controller, from all workers."""

    def __init__(self, config: pytest.Config, selection: ShardSelection) -> None:
        self._config = config
        self._selection = selection
        self._folder = Path(config.option.paceline_result)
        self._outcomes: dict[str, str] = {}
        self._ran: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._worker = is_worker(config)
        self._differing: set[str] = set()
        root = Path(config.invocation_params.dir)
        self._commit = None if self._worker else git.head(root)
        self._dirty = not self._worker and self._commit is not None and git.dirty(root)
        if not self._worker:
            self._write(None)  # should the run be killed, this says that it did not finish

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count each run of a test once, at its set-up; a re-run is no second run."""
        test = report.nodeid
        # xdist reports the test that a worker died in with the phase "???".
        if report.when == "setup" or str(report.when) == "???":
            self._ran[test] += 1
            self._seconds[test] = 0.0
            self._outcomes[test] = "passed"
        if str(report.outcome) == "rerun":
            self._ran[test] -= 1
            return
        self._seconds[test] += report.duration
        if report.outcome != "passed":
            self._outcomes[test] = report.outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker collected, and note where two workers collected differently.

        xdist compares the shards' selections only, in which a difference may not show.
        """
        handed = getattr(node, "workeroutput", {}).get(OUTPUT)
        if handed:
            known = self._selection.collected
            if known:
                self._differing |= set(known) ^ set(handed["collected"])
            self._selection.collected = tuple(handed["collected"])
            self._selection.selected = tuple(handed["selected"])
            self._selection.digest = handed["digest"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the selection on (worker) or write the result (everything else)."""
        selection = self._selection
        if self._worker:
            session.config.workeroutput[OUTPUT] = {  # type: ignore[attr-defined]
                "collected": selection.collected,
                "selected": selection.selected,
                "digest": selection.digest,
            }
            return
        empty = bool(selection.collected) and not selection.selected
        if empty and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # more shards than tests: nothing is missed
        if self._differing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._write(int(session.exitstatus))
        passed = {test for test, outcome in self._outcomes.items() if outcome == "passed"}
        times = {test: seconds for test, seconds in self._seconds.items() if test in passed}
        durations.write(self._folder / "durations.json", times)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which shard this was, so that two logs can be compared by eye."""
        if self._worker:
            return
        selection = self._selection
        if self._differing:
            terminalreporter.write_line(
                f"paceline: xdist workers collected different tests: {sorted(self._differing)[:10]}"
            )
        terminalreporter.write_line(
            f"paceline: shard {selection.index}/{selection.total} of "
            f"{self._config.option.paceline_group}: {len(selection.selected)} of "
            f"{len(selection.collected)} tests, plan {selection.digest}"
        )

    def _write(self, exit_code: int | None) -> None:
        selection = self._selection
        result.write(
            result.ShardResult(
                group=self._config.option.paceline_group,
                index=selection.index,
                total=selection.total,
                python=f"{sys.version_info.major}.{sys.version_info.minor}",
                commit=self._commit,
                dirty=self._dirty,
                plan_digest=selection.digest,
                collected=selection.collected,
                selected=selection.selected,
                ran=dict(self._ran),
                outcomes=dict(self._outcomes),
                exit_code=exit_code,
                coverage=not self._config.option.no_cov and "COVERAGE_FILE" in os.environ,
                folder=self._folder,
            )
        )
