"""`pytest --impact`: record what each test depends on, and run what a change can affect."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from paceline import console
from paceline.errors import PacelineError
from paceline.plugin.obstacles import has_obstacle_of_its_run, obstacle

#: Under this name pytest-cov registers what measures, as soon as it has begun.
_MEASUREMENT = "_cov"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options that people use."""
    group = parser.getgroup("impact", "impact: run only what a change can affect (Paceline)")
    add = group.addoption
    add("--impact", action="store_true", help="run what the change can affect; implies --testmon")
    add("--impact-noselect", action="store_true", help="run every test and record it")
    add("--impact-explain", action="store_true", help="say why each test was selected")


def is_wanted(option: Any) -> bool:
    """Return whether this run records."""
    return bool(option.impact or option.impact_noselect or option.impact_explain)


def prepare(early_config: pytest.Config) -> None:
    """Find out whether this run can record, before pytest-cov begins to measure.

    With a version of testmon or coverage that is not known, or where no record can be written,
    everything runs, and that is said.
    """
    if not is_wanted(early_config.known_args_namespace) or has_obstacle_of_its_run():
        return
    why_not = obstacle(early_config)
    if why_not:
        console.err(f"warning: {why_not}: nothing is recorded or left out, every test runs")
        return
    if sys.version_info >= (3, 14):
        # The default core there reports a line to the first test that reaches it only.
        os.environ.setdefault("COVERAGE_CORE", "ctrace")
    measured = getattr(early_config.known_args_namespace, "cov_source", None)
    if not measured or "PYTEST_XDIST_WORKER" in os.environ:
        _begin(early_config)  # in a worker pytest-cov begins, gives up and begins again
    else:
        early_config.pluginmanager.register(Beginning(early_config), "paceline-impact-beginning")


class Beginning:
    """Begins to record when pytest-cov has begun to measure, before other plugins import much.

    Some import all of a project when conftest files are about to be, as pytest-django does.
    """

    def __init__(self, early_config: pytest.Config) -> None:
        self._config = early_config
        self._has_begun = False

    def pytest_plugin_registered(self, plugin: object, manager: pytest.PytestPluginManager) -> None:
        """Begin if this is what measures."""
        if manager.get_name(plugin) == _MEASUREMENT and not self._has_begun:
            self._has_begun = True
            _begin(self._config)


def _begin(early_config: pytest.Config) -> None:
    """Start recording; raise pytest.UsageError if coverage's core cannot tell tests apart."""
    # Imported here: a plain pytest run pays for none of it.
    from paceline.plugin.engine import Impact

    impact = Impact(early_config)
    try:
        impact.start()
    except PacelineError as error:
        raise pytest.UsageError(str(error)) from error
    early_config.pluginmanager.register(impact, "paceline-impact")
