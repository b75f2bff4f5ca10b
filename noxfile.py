"""Paceline's own sessions: the two lines that any user writes, and a long proof."""

from __future__ import annotations

from pathlib import Path

import nox

from paceline.sessions import register

register()


@nox.session(venv_backend="none", default=False)
def long(session: nox.Session) -> None:
    """Run the tests that take too long for every check: a real suite, executed pipelines."""
    from paceline import environment
    from paceline.config.loading import load

    python = str(environment.tests(load(Path.cwd())).python)
    command = [python, "-m", "pytest", "-m", "long", "-n", "2", "tests/integration"]
    session.run(*command, *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def replay(session: nox.Session) -> None:
    """Prove the impact selection by all probes and by random changes of real test suites."""
    from paceline import environment
    from paceline.config.loading import load

    python = str(environment.tests(load(Path.cwd())).python)
    session.run(python, "scripts/probe_table.py", "--write", "docs/probes.md", external=True)
    suites = session.posargs or ["jinja2", "click", "attrs"]
    session.run(python, "scripts/replay_mutations.py", *suites, external=True)
