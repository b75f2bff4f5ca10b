"""The console script `paceline`: the tasks, for a project that has no tasks.py yet."""

from __future__ import annotations

from invoke.program import Program

from paceline import __version__
from paceline.tasks import ns


def main() -> None:
    """Run the program `paceline`."""
    Program(name="paceline", namespace=ns, version=__version__).run()
