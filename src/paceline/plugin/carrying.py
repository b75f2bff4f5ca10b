"""`pytest --impact --cov`: the coverage of tests that are left out is carried over.

pytest-cov's data file gets what the ledger knows of them before pytest-cov reports on it, so
that its reports and its limit are about all tests.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from paceline.coverage import settings as coverage_settings
from paceline.coverage.carrying import Carried, Carrier, add_to
from paceline.coverage.keeping import Measurement
from paceline.coverage.ledger import Settings
from paceline.coverage.order import Order
from paceline.impact.records import Records
from paceline.impact.run import Run
from paceline.plugin.options import is_worker

#: Under this name a worker says which tests it left out.
LEFT_OUT = "paceline_left_out"

#: So many objects are left out of the search for garbage from the start, by Python itself.
_FROZEN_AT_START: Final = gc.get_freeze_count()

#: After so many new objects Python looks for garbage while reports are made, not after 700: most
#: are parts of syntax trees, and gone before.
_SELDOM: Final = 50_000

#: pytest options that choose tests.
_CHOOSING = (
    *("keyword", "markexpr", "lf", "failedfirst", "stepwise", "deselect", "ignore", "ignore_glob"),
    *("paceline_shard", "paceline_narrow_keyword", "paceline_narrow_marker"),
    *("paceline_narrow_path", "paceline_narrow_failed"),
)


def measuring_controller(config: pytest.Config) -> Any:
    """Return pytest-cov's controller if this run measures coverage, else None."""
    plugin = config.pluginmanager.get_plugin("_cov")
    return getattr(plugin, "cov_controller", None)


class Carrying:
    """In the process that controls the run: what can be left out, and what that covers."""

    def __init__(self, config: pytest.Config, run: Run, known: Records) -> None:
        self.config = config
        self._run = run
        self._known = known
        self._controller = measuring_controller(config)
        self.settings = _settings(config, self._controller.cov)
        self._carrier = Carrier(known, run.ledger(), self.settings, run.scope.root)
        self._left_out: set[str] | None = None
        self.carried: Carried | None = None
        self.company: Company | None = None
        #: How often Python looked for garbage before.
        self._frozen: tuple[int, int, int] | None = None
        self._finish = self._controller.finish
        self._controller.finish = self._finish_exactly

    def obstacles(self, unaffected: Iterable[str]) -> dict[str, str]:
        """Return the unaffected tests that have to run all the same, with the reason.

        Leaves a note for the workers: what has to run with what is known after collection only.
        """
        found = self._carrier.obstacles(unaffected)
        rest = [test for test in unaffected if test not in found]
        self.company = Company(Order.of(self._known), self._carrier.to_import(rest))
        self.company.write(self._run.folder)
        return found

    def measurement(self) -> Measurement:
        """Return how this run measured, for the ledger."""
        data = self._controller.cov.get_data()
        names = data.measured_files()
        tracers = {name: tracer for name in names if (tracer := data.file_tracer(name))}
        imports = self.carried.imports if self.carried is not None else {}
        return Measurement(self.settings, tracers, imports)

    def leave_out(self, tests: Iterable[str]) -> None:
        """Remember the tests that this process left out."""
        self._left_out = set(tests)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker left out: all left out the same."""
        found = getattr(node, "workeroutput", {}).get(LEFT_OUT)
        if found is not None:
            self._left_out = {*found} & (self._left_out if self._left_out is not None else {*found})

    def _finish_exactly(self) -> None:
        """Complete the data after pytest-cov has combined it and before it reports."""
        if self._left_out:
            # Later tests, left out now, would have made Python finalise what these left behind.
            gc.collect()
        self._finish()
        measured = self._controller.cov
        self.carried = self._carrier.carried(
            self._left_out or (), contexts=self.config.option.cov_context == "test"
        )
        base = Path(self._controller.topdir)
        add_to(measured, self.carried, self._run.folder, base)
        self._freeze()

    def _freeze(self) -> None:
        """Keep all that is there now out of Python's search for garbage until the session ends.

        To make a report starts it again and again, and it goes through our records each time.
        """
        if gc.get_freeze_count() == _FROZEN_AT_START:  # else the project does so itself
            gc.freeze()
            self._frozen = gc.get_threshold()
            often, *others = self._frozen
            gc.set_threshold(max(_SELDOM, often) if often else 0, *others)  # 0: never

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Let Python find garbage everywhere again."""
        if self._frozen is not None:
            gc.set_threshold(*self._frozen)
            self._frozen = None
            gc.unfreeze()

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much of the figure was carried over, and if it is not that of all tests."""
        if _is_narrowed(self.config):
            terminalreporter.write_line("paceline coverage: that of the chosen tests, not of all")
        if self._left_out:
            count = len(self._left_out)
            terminalreporter.write_line(
                f"paceline coverage: that of {count} tests was carried over"
            )


class Company:
    """What has to run with what, once it is known which tests there are."""

    def __init__(self, order: Order, to_import: Mapping[str, str]) -> None:
        self._order = order
        self._to_import = to_import

    def write(self, folder: Path) -> None:
        """Leave it for the workers in the run's folder."""
        import json

        data = {"order": self._order.as_json(), "to_import": dict(self._to_import)}
        (folder / "company").write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Company:
        """Return what `write` left."""
        import json

        data = json.loads((folder / "company").read_text(encoding="utf-8"))
        return cls(Order.from_json(data["order"]), data["to_import"])

    def unaffected(
        self, chosen: Collection[str], unaffected: frozenset[str], imported: Collection[str]
    ) -> frozenset[str]:
        """Return which of the `chosen` tests can be left out.

        `imported` are the modules that were imported until now.
        """
        known = self._order.starts.keys()
        absent = known - set(chosen)
        running = {test for test in chosen if test in known and test not in unaffected}
        running |= {test for path, test in self._to_import.items() if path not in imported}
        wanted = self._order.with_company(running, {*absent, *running})
        return unaffected.intersection(chosen) - wanted


def _settings(config: pytest.Config, measured: Any) -> Settings:
    names = coverage_settings.MEASURING
    measuring = {name: _option(measured, name) for name in names}
    measuring["context"] = (
        config.option.cov_context,
        _option(measured, "run:dynamic_context"),
    )
    root = config.rootpath
    paths = [
        os.path.relpath(config.invocation_params.dir / argument, root) for argument in config.args
    ]
    suite = [paths, *(getattr(config.option, name, None) for name in _CHOOSING)]
    return Settings.of(measuring, suite)


def _option(measured: Any, name: str) -> Any:
    from coverage.exceptions import ConfigError

    try:
        return measured.get_option(name)
    except ConfigError:
        return None


def _is_narrowed(config: pytest.Config) -> bool:
    """Return whether somebody asked for some of the tests only."""
    option = config.option
    chosen = option.keyword or getattr(option, "lf", False) or option.deselect
    given = config.args_source is config.ArgsSource.ARGS and not option.paceline_group
    return bool(chosen or given)


def is_measured(config: pytest.Config) -> bool:
    """Return whether this process controls a run that measures coverage."""
    return not is_worker(config) and measuring_controller(config) is not None
