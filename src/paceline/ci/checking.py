"""Refuses a configuration that a provider would cut, reject or read as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paceline.config.model import Config, Group
from paceline.errors import PacelineError

#: Jobs that GitHub accepts in one matrix.
GITHUB_MATRIX_LIMIT = 256
#: Jobs that GitLab accepts in one `parallel`.
GITLAB_PARALLEL_LIMIT = 200
#: Entries that GitLab accepts in one `needs`.
GITLAB_NEEDS_LIMIT = 50
#: Jobs that Paceline makes itself: a group, step or image of that name would make a second.
_OWN_JOBS = frozenset({"plan", "coverage", "required", "audit", "bench", "test-image"})
# Names become job ids, artifact names and folders: this is what all of them allow, and a
# name without a dot cannot be mistaken for another group's name with a Python version.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PYTHON = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]*")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def check(config: Config) -> None:
    """Raise PacelineError for the first thing that a pipeline file cannot carry."""
    _check_names(config)
    _check_text(config)
    _check_limits(config)


def _check_names(config: Config) -> None:
    jobs: list[str] = []
    for group in config.groups:
        if not _NAME.fullmatch(group.name):
            raise PacelineError(
                f"the group name {group.name!r} cannot name a CI job",
                "use letters, digits, `_` and `-` only, and begin with a letter or digit",
            )
        if group.shards < 1:
            raise PacelineError(
                f"group {group.name!r} has {group.shards} shards", "set `shards` to 1 or more"
            )
        jobs.append(f"tests-{group.name}")
    jobs += [step.name for step in config.steps]
    for image in config.ci.images:
        jobs += [f"build-{image.name}", f"scan-{image.name}"]
    for target in config.ci.deploy:
        jobs += [f"deploy-{target.name}", f"health-{target.name}"]
    for name in jobs:
        if not _NAME.fullmatch(name) or name in _OWN_JOBS or jobs.count(name) > 1:
            raise PacelineError(
                f"{name!r} cannot name a CI job, or names two",
                "use letters, digits, `_` and `-`, and none of the names "
                f"{', '.join(sorted(_OWN_JOBS))}",
            )


def _check_text(config: Config) -> None:
    """Refuse text that a provider would read as something else than text."""
    if not _BRANCH.fullmatch(config.ci.branch):
        # Providers take branches as patterns and inside expressions.
        raise PacelineError(
            f"the branch name {config.ci.branch!r} cannot stand in a pipeline file",
            "use letters, digits, `_`, `-`, `.` and `/` only in `ci.branch`",
        )
    for version in config.python:
        if not _PYTHON.fullmatch(version):
            raise PacelineError(
                f"{version!r} is not a Python version", 'write versions as in "3.13"'
            )
    for where, command in _commands(config):
        if not command:
            raise PacelineError(f"`{where}` is empty", "set it to a command")
        for word in command:
            if "${{" in word or not word.isprintable():
                raise PacelineError(
                    f"`{where}` has the word {word!r}, which a pipeline file cannot carry",
                    "use printable text without `${{`",
                )


def _commands(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each command that goes into a file, with the key it comes from."""
    yield "ci.install", config.ci.install
    for image in config.ci.images:
        for command in image.build or ((),):
            yield f"ci.images.{image.name}.build", command
        for command in image.scan:
            yield f"ci.images.{image.name}.scan", command
    for target in config.ci.deploy:
        for command in target.run or ((),):
            yield f"ci.deploy.{target.name}.run", command
        for command in target.check:
            yield f"ci.deploy.{target.name}.check", command


def _check_limits(config: Config) -> None:
    """Refuse what a provider would cut or reject only after the push."""
    providers = config.ci.providers
    versions = max(1, len(config.python))
    for group in config.groups:
        size = group.shards * versions
        if "github" in providers and size > GITHUB_MATRIX_LIMIT:
            _too_many(config, group, f"{size} jobs", f"GitHub takes {GITHUB_MATRIX_LIMIT} a matrix")
        if "gitlab" in providers and group.shards > GITLAB_PARALLEL_LIMIT:
            limit = f"GitLab takes {GITLAB_PARALLEL_LIMIT} parallel jobs"
            _too_many(config, group, f"{group.shards} shards", limit)
    needs = len(config.groups) * versions
    if "gitlab" in providers and needs > GITLAB_NEEDS_LIMIT:
        raise PacelineError(
            f"the coverage job would need {needs} jobs; GitLab takes {GITLAB_NEEDS_LIMIT}",
            "use fewer groups or Python versions, or take gitlab out of `ci.providers`",
        )


def _too_many(config: Config, group: Group, found: str, limit: str) -> None:
    versions = f" on {len(config.python)} Python versions" if config.python else ""
    raise PacelineError(
        f"group {group.name!r} makes {found} ({group.shards} shards{versions}); {limit}",
        "lower `shards` of the group, or split the group in two",
    )
