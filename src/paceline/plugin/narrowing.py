"""Whether a run is asked for some of the tests only."""

from __future__ import annotations

import os
import re

import pytest

#: An argument with -m, alone or behind other short options, as in -qm.
_MARKS = re.compile(r"-[a-zA-Z]*m")


def is_narrowed(config: pytest.Config) -> bool:
    """Return whether options leave tests out that the project's own settings would run.

    A `-m` in `addopts` is the project's setting; one on the command line is not.
    """
    option = config.option
    chosen = ("keyword", "lf", "deselect", "stepwise")
    if os.environ.get("PYTEST_ADDOPTS"):
        return True  # what stands there holds for this run only
    if getattr(option, "splits", None) and not option.paceline_result:
        return True  # pytest-split divides what is collected: the same in every part
    return any(getattr(option, name, None) for name in chosen) or any(
        _MARKS.match(argument) for argument in map(str, config.invocation_params.args)
    )


def collects_all(session: pytest.Session) -> bool:
    """Return whether the run, now at its end, looked into every file that may hold tests."""
    config = session.config
    ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    given = [str(argument) for argument in config.invocation_params.args]
    return (
        session.exitstatus in ended
        and not config.option.lf
        and not os.environ.get("PYTEST_ADDOPTS")
        and not any(argument.startswith(("--ignore", "--rootdir")) for argument in given)
        and (config.args_source is not config.ArgsSource.ARGS or _is_group(config))
    )


def _is_group(config: pytest.Config) -> bool:
    """Return whether the arguments are the paths of the group that the run is of."""
    from paceline.config.loading import load

    name = config.option.paceline_group
    groups = load(config.rootpath).groups if name else ()
    return any(group.name == name and [*group.paths] == config.args for group in groups)
