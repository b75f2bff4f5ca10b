"""Paceline: Nox sessions, Invoke tasks and CI files that keep `git push` and CI fast and honest."""

__version__ = "0.1.0"
