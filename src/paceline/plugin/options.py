"""Paceline's pytest options, and how they combine with the project's own."""

from __future__ import annotations

import argparse

import pytest

from paceline.config.model import AUTO


def add_options(parser: pytest.Parser) -> None:
    """Declare the options that sessions and tasks pass."""
    group = parser.getgroup("paceline", "Paceline (set by its nox sessions and invoke tasks)")
    add = group.addoption
    add("--paceline-group", default="", help="the test group that runs")
    add("--paceline-result", default="", help="folder for the shard's results")
    add("--paceline-marker", default="", help="marker expression that belongs to the group")
    add("--paceline-narrow-marker", default="", help="marker expression inside the shard")
    add("--paceline-narrow-keyword", default="", help="keyword expression inside the shard")
    add("--paceline-narrow-path", action="append", default=[], help="path inside the shard")
    add("--paceline-narrow-failed", action="store_true", help="--lf inside the shard")
    add("--paceline-workers", type=int, default=0, help="xdist workers unless -n is given")
    add("--paceline-measure", action="store_true", help="measure coverage, as a shard does")
    add("--paceline-source", action="append", default=[], help="code to measure if none is named")
    add("--paceline-timeout", default=AUTO, help="seconds a test may take")
    add("--paceline-dist", default="", help="set from xdist's --dist; carries it to the workers")
    add("--paceline-shard", default="", help=pytest_split_note())


def pytest_split_note() -> str:
    """Return the help of the one option that people do not set themselves."""
    return "set from pytest-split's --splits and --group; carries them to xdist workers"


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def settle_workers(option: argparse.Namespace) -> None:
    """Set the number of xdist workers, unless addopts or the user chose one or asked for pdb."""
    if not hasattr(option, "numprocesses"):
        return  # -p no:xdist
    chosen = option.numprocesses is not None or option.tx or option.usepdb
    if option.paceline_group and not chosen and option.paceline_workers > 0:
        option.numprocesses = option.paceline_workers


def settle_options(config: pytest.Config) -> None:
    """Take over pytest-split's options and add the group's marker to the project's own.

    pytest-split must not select as well: with tests in random order it loses some.
    """
    # Workers parse the command line again on top of the controller's options, so this must
    # come to the same result the second time.
    option = config.option
    if not is_worker(config):
        option.paceline_dist = getattr(option, "dist", "")
    if option.splits and option.group:
        option.paceline_shard = f"{option.group}/{option.splits}"
    if option.paceline_result:
        option.splits = option.group = None
        # With --lf pytest collects less, and less would be split anew: the shard comes first.
        option.paceline_narrow_failed = option.paceline_narrow_failed or option.lf
        option.lf = False
    if option.paceline_marker and option.paceline_marker not in option.markexpr:
        both = f"({option.markexpr}) and ({option.paceline_marker})"
        option.markexpr = both if option.markexpr else option.paceline_marker
