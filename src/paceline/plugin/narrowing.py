"""Whether a run is asked for some of the tests only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

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


def asked_for(config: pytest.Config) -> Callable[[str], bool]:
    """Return what tells whether a test lies in the files, folders or tests that were named."""
    if config.option.pyargs:
        return lambda _: True  # modules, which may lie anywhere
    places = arguments(config)
    begins = tuple(place + sign for place in places for sign in ("/", "::", "["))

    def is_asked_for(test: str) -> bool:
        return "." in places or test in places or test.startswith(begins)

    return is_asked_for


def arguments(config: pytest.Config) -> tuple[str, ...]:
    """Return the files, folders and tests that were named, relative to the root."""
    places: list[str] = []
    for argument in config.args:
        path, found, rest = argument.partition("::")
        place = os.path.relpath(config.invocation_params.dir / path, config.rootpath)
        places.append(place.replace(os.sep, "/") + found + rest)
    return tuple(places)


def collects_all(session: pytest.Session) -> bool:
    """Return whether the run, now at its end, looked into every file that may hold tests."""
    ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    return session.exitstatus in ended and asks_for_all(session.config)


def asks_for_all(config: pytest.Config) -> bool:
    """Return whether the run begins where the project's own settings say."""
    given = [str(argument) for argument in config.invocation_params.args]
    return (
        not config.option.lf
        and not os.environ.get("PYTEST_ADDOPTS")
        and not any(argument.startswith(("--ignore", "--rootdir")) for argument in given)
        and _begins_as_usual(config)
    )


def _begins_as_usual(config: pytest.Config) -> bool:
    source = config.args_source
    if source is config.ArgsSource.INVOCATION_DIR:  # of a folder below the root, only its tests
        return config.invocation_params.dir == config.rootpath
    return source is config.ArgsSource.TESTPATHS or _is_group(config)


def _is_group(config: pytest.Config) -> bool:
    """Return whether the arguments are the paths of the group that the run is of."""
    name = config.option.paceline_group
    if not name:
        return False
    from paceline.config.loading import load

    groups = load(config.rootpath).groups
    return any(group.name == name and [*group.paths] == config.args for group in groups)
