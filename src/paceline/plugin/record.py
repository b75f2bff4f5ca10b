"""Writes what a shard did into its result folder: the tests, their outcomes and durations."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from paceline import git, store
from paceline.plugin.options import is_worker
from paceline.plugin.shard import ShardSelection
from paceline.sharding import durations, groups, history, result
from paceline.sharding.estimation import knowledge

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
        self._phases: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._rerun: set[str] = set()
        self._started = time.monotonic()
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
            self._phases[test] = {}
            self._outcomes[test] = "passed"
        if str(report.outcome) == "rerun":
            self._ran[test] -= 1
            self._rerun.add(test)
            return
        self._phases[test][str(report.when)] = report.duration
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
            self._selection.groups = handed["groups"]
            self._selection.predicted = handed["predicted"]
            self._selection.predicted_wall = handed["predicted_wall"]
            self._selection.idle = handed["idle"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the selection on (worker) or write the result (everything else)."""
        selection = self._selection
        if self._worker:
            session.config.workeroutput[OUTPUT] = {  # type: ignore[attr-defined]
                "collected": selection.collected,
                "selected": selection.selected,
                "digest": selection.digest,
                "groups": selection.groups,
                "predicted": selection.predicted,
                "predicted_wall": selection.predicted_wall,
                "idle": selection.idle,
            }
            return
        if selection.idle and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # nothing is missed
        if self._differing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._drop_suffixes()
        self._write(int(session.exitstatus))
        samples = self._samples()
        times = {test: sum(sample) for test, sample in samples.items()}
        durations.write(self._folder / "durations.json", times)
        found = history.add(history.History({}), self._context(), samples)
        history.write(self._folder / history.FILE, found)
        if selection.groups:
            store.write_json(self._folder / groups.FILE, selection.groups)

    def _drop_suffixes(self) -> None:
        """Name the tests as they were collected; only now the controller knows the groups."""
        plain = self._selection.plain
        self._outcomes = {plain(test): outcome for test, outcome in self._outcomes.items()}
        phases = {plain(test): found for test, found in self._phases.items()}
        self._phases = defaultdict(dict, phases)
        self._rerun = {plain(test) for test in self._rerun}
        ran = self._ran
        self._ran = Counter()
        for test, times in ran.items():
            self._ran[plain(test)] += times

    def _samples(self) -> dict[str, history.Sample]:
        """Return the phases of each test that passed at once; others say nothing about it."""
        return {
            test: history.Sample(
                *(round(phases.get(name, 0.0), 6) for name in history.Sample._fields)
            )
            for test, phases in self._phases.items()
            if self._outcomes[test] == "passed" and test not in self._rerun
        }

    def _context(self) -> str:
        workers = len(getattr(self._config.option, "tx", None) or ()) or 1
        return (
            f"Python {sys.version_info.major}.{sys.version_info.minor}, {sys.platform}, "
            f"{platform.machine()} with {os.cpu_count()} cores, workers {workers}"
        )

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
        known = knowledge(
            selection.collected, durations.read(Path(self._config.option.durations_path))
        )
        if known.outdated:
            terminalreporter.write_line(f"paceline: warning: {known}; store them anew")

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
                predicted_seconds=selection.predicted,
                predicted_wall_seconds=selection.predicted_wall,
                wall_seconds=time.monotonic() - self._started,
            )
        )
