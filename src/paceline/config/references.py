"""Checks that what the configuration names is there: files, groups, extras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paceline.config import document as toml
from paceline.config.model import Config
from paceline.config.schema import did_you_mean, dotted, show
from paceline.errors import Problem

#: Names of sessions and jobs that no step may take.
RESERVED = ("coverage", "bench", "required", "plan")


def problems(config: Config, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a Problem for each path, dependency group or extra that does not exist."""
    for group in config.groups:
        for path in group.paths:
            if not _exists(config.root / path):
                yield _problem(path, "which does not exist", "groups", group.name, "paths")
    yield from _needs(config)
    for step in config.steps:
        if step.name in RESERVED or step.name.startswith("tests-"):
            yield _problem(
                step.name, "which is the name of something else", "steps", step.name, "run"
            )
    if config.constraints and not _exists(config.root / config.constraints, file=True):
        yield _problem(config.constraints, "which is not a file", "constraints")
    for key in ("test_requirements", "tool_requirements"):
        for path in getattr(config, key):
            if not _exists(config.root / path, file=True):
                yield _problem(path, "which is not a file", key)
    groups = toml.table(document, "dependency-groups")
    where = "which is not in [dependency-groups]"
    yield from _unknown(config.test_groups, groups, where, "test_groups")
    yield from _unknown(config.tool_groups, groups, where, "tool_groups")
    if _extras_are_known(document):
        extras = toml.table(document, "project", "optional-dependencies")
        where = "which is not in [project.optional-dependencies]"
        yield from _unknown(config.test_extras, extras, where, "test_extras")


def _needs(config: Config) -> Iterator[Problem]:
    """Yield a Problem for each need that names no step, and for steps that need each other."""
    needs = {step.name: step.needs for step in config.steps}
    for name, wanted in needs.items():
        for other in wanted:
            if other not in needs:
                where = "which is no step"
                meant = did_you_mean(other, needs)
                yield _problem(other, where, "steps", name, "needs", suggestion=meant)
        if name in _reached(needs, name):
            yield _problem(name, "which needs itself in the end", "steps", name, "needs")


def _reached(needs: Mapping[str, tuple[str, ...]], name: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(needs[name])
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting += needs.get(other, ())
    return reached


def _extras_are_known(document: Mapping[str, Any]) -> bool:
    """Whether pyproject.toml is the place that lists the extras.

    Without [project], or with dynamic ones, only the build backend knows them.
    """
    dynamic = toml.table(document, "project").get("dynamic")
    return toml.has(document, "project") and not (
        isinstance(dynamic, list) and "optional-dependencies" in dynamic
    )


def _exists(path: Path, *, file: bool = False) -> bool:
    try:
        return path.is_file() if file else path.exists()
    except (OSError, ValueError):
        # A name too long for the file system, for one.
        return False


def _unknown(
    names: tuple[str, ...], known: Mapping[str, Any], where: str, key: str
) -> Iterator[Problem]:
    normalized = {toml.normalized(name) for name in known}
    for name in names:
        if toml.normalized(name) not in normalized:
            yield _problem(name, where, key, suggestion=did_you_mean(name, known))


def _problem(value: str, text: str, *key: str, suggestion: str = "") -> Problem:
    full = dotted("tool", "paceline", *key)
    return Problem(toml.FILE, full, f"found {show(value)}, {text}", suggestion)
