"""The pytest adapter: inert unless Paceline's sessions and tasks pass it their options.

A plain `pytest` or `pytest --splits N --group K` is left exactly as it is.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from paceline.plugin import declarations, impact
from paceline.plugin.options import add_options, is_worker, settle_options, settle_workers


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare Paceline's options."""
    _leave_ours_as_it_is(pluginmanager)
    add_options(parser)
    impact.add_options(parser)


def _leave_ours_as_it_is(pluginmanager: pytest.PytestPluginManager) -> None:
    """Keep pytest from rewriting Paceline's own modules, in which nothing is asserted.

    It does so with all that belongs to a plugin (`Config._mark_plugins_for_rewrite`). Where no
    bytecode is kept, as in a fresh container, that takes longer than to import them.
    """
    marked = getattr(pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard("paceline")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Measure coverage where neither addopts nor the user asked for it.

    pytest-cov decides here whether it measures xdist workers, so their number is settled first.
    """
    known = early_config.known_args_namespace
    settle_workers(known)
    measured = known.paceline_result or known.paceline_measure
    if measured and hasattr(known, "cov_source") and not known.cov_source:
        known.cov_source = _coverage_source(early_config, known.paceline_source)
    impact.prepare(early_config)
    return (yield)


def _coverage_source(config: pytest.Config, packages: list[str]) -> list[str | bool]:
    from coverage import Coverage

    file = config.known_args_namespace.cov_config or ".coveragerc"
    settings = Coverage(config_file=file, data_file=None)
    chosen = ("run:source", "run:source_pkgs", "run:source_dirs", "run:include")
    # True is pytest-cov's word for "what coverage's own configuration says".
    return [True] if any(settings.get_option(key) for key in chosen) else [*packages] or [True]


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Settle the number of workers before xdist reads it."""
    if not is_worker(config):
        settle_workers(config.option)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register what this run needs; nothing in a run that is not Paceline's."""
    for marker in declarations.MARKERS:
        config.addinivalue_line("markers", marker)
    if impact.is_wanted(config.option):
        from paceline.plugin.testmon import imply_testmon

        imply_testmon(config)
    if not config.option.paceline_group:
        return
    settle_options(config)
    # Imported here, so that a plain pytest run does not pay for them.
    from paceline.plugin.limit import TimeLimit
    from paceline.plugin.testmon import TestmonGuard, accept_any_encoding, show_root

    if getattr(config.option, "testmon", False):
        accept_any_encoding()
        show_root(config)
    config.pluginmanager.register(TimeLimit(config), "paceline-limit")
    config.pluginmanager.register(TestmonGuard(), "paceline-testmon-guard")
    if config.option.paceline_result:
        from paceline.plugin.record import Recorder
        from paceline.plugin.shard import ShardSelection

        selection = ShardSelection(config)
        config.pluginmanager.register(selection, "paceline-shard")
        config.pluginmanager.register(Recorder(config, selection), "paceline-record")
