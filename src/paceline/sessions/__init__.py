"""The nox adapter. A noxfile needs two lines:

from paceline.sessions import register

register()
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import nox

from paceline.config.loading import load
from paceline.config.model import Config, Group
from paceline.errors import PacelineError

#: What the sessions that are not test groups do; each is one line of `nox -l`.
DESCRIPTIONS = {
    "coverage": "Prove that every test ran exactly once, combine coverage and durations.",
    "lint": "Check the code's style.",
    "types": "Check the types.",
    "security": "Look for insecure code.",
    "deps": "Check that the installed dependencies fit together.",
    "hooks": "Run the commit hooks over all files.",
    "bench": "Time the pipeline and say whether it got slower.",
}


def register(root: str | Path = ".") -> None:
    """Define Paceline's sessions for the project in `root` (nox's own working folder).

    A wrong configuration is printed whole and ends nox with exit code 10.
    """
    try:
        config = load(Path(root).resolve())
    except PacelineError as error:
        _stop(error)
    for group in config.groups:
        for version in config.python or (None,):
            _add_tests(config, group, version)
    own = {step.name: f"Run the project's step {step.name}." for step in config.steps}
    for name, description in {**own, **DESCRIPTIONS}.items():
        _add(name, description, _later(name, config), default=name == "coverage")


def _add_tests(config: Config, group: Group, version: str | None) -> None:
    name = f"tests-{group.name}-{version}" if version else f"tests-{group.name}"
    suffix = f" on Python {version}" if version else ""

    def run(session: nox.Session) -> None:
        from paceline.sessions.tests import run_tests

        run_tests(session, config, group, version)

    _add(name, f"Run the {group.name} tests{suffix}; -- --shard k/N runs one shard.", run)


def _later(name: str, config: Config) -> Callable[[nox.Session], None]:
    # The parts are imported when a session runs: `nox -l` must not pay for them.
    def run(session: nox.Session) -> None:
        from paceline.sessions import bench, checks, coverage

        if name == "coverage":
            coverage.run_coverage(session, config)
        elif name == "bench":
            bench.run_bench(session, config)
        else:
            checks.run_check(session, config, name)

    return run


def _add(
    name: str, description: str, run: Callable[[nox.Session], None], default: bool = True
) -> None:
    def session(session: nox.Session) -> None:
        try:
            run(session)
        except PacelineError as error:
            if error.exit_code == 1:
                session.error(str(error))
            _stop(error)

    session.__doc__ = description
    # Paceline makes the environments itself: nox would make one a session.
    nox.session(name=name, venv_backend="none", default=default)(session)


def _stop(error: PacelineError) -> NoReturn:
    # nox knows one exit code for every failed session; these must stay distinct.
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code)
