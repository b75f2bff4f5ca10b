"""Render the pipeline as a Woodpecker workflow.

Woodpecker's workflows share no files, so the shards are parallel steps of one workflow,
whose workspace they share.
"""

from __future__ import annotations

from collections.abc import Sequence

from paceline.ci.pipeline import SHARDS_FOLDER, UV_VERSION, VENV, Pipeline, venv_command
from paceline.ci.text import HEADER, quote

_IMAGE = f"ghcr.io/astral-sh/uv:{UV_VERSION}-debian"
# The same path in every container: coverage data of two steps then speak of the same files.
_CLONE = '"${TMPDIR:-/tmp}/paceline"'
_TOP = """\
# Set ci/woodpecker.yml as the repository's pipeline path. Every step has a container, and
# works in a clone of its own inside it: in the shared workspace parallel steps would
# rebuild each other's environments. Only the folder of results is shared. The status of the
# workflow is the gate to require: Woodpecker reports a failed step as a failed workflow.
"""


def render(pipeline: Pipeline) -> str:
    """Return the text of the Woodpecker file."""
    lines = [HEADER + _TOP, *_when(pipeline.branch), "", "steps:", *_prepare()]
    shards: list[str] = []
    for shard in pipeline.shards():
        shards.append(f"tests-{shard.artifact}")
        lines += _step(pipeline, shards[-1], shard.python, shard.command, ["prepare"])
    for job in pipeline.checks:
        lines += _step(pipeline, job.name, "", job.command, ["prepare"])
    if pipeline.coverage:
        combine = pipeline.coverage
        lines += _step(pipeline, combine.name, "", combine.command, shards)
    return "\n".join(lines) + "\n"


def _when(branch: str) -> list[str]:
    return [
        "when:",
        "- event: pull_request",
        "- event: push",
        f"  branch: {quote(branch)}",
    ]


def _prepare() -> list[str]:
    """Return the step that all others wait for, so that they start side by side."""
    return [
        "- name: prepare",
        f"  image: {quote(_IMAGE)}",
        "  commands:",
        f"  - {quote(f'mkdir -p {SHARDS_FOLDER}')}",
    ]


def _step(
    pipeline: Pipeline, name: str, python: str, command: str, after: Sequence[str]
) -> list[str]:
    commands = [
        f"git clone --quiet . {_CLONE}",
        f"mkdir -p {_CLONE}/.paceline",
        f'ln -s "${{PWD}}/{SHARDS_FOLDER}" {_CLONE}/{SHARDS_FOLDER}',
        f"cd {_CLONE}",
        venv_command(pipeline.nox_python(python)),
        f". {VENV}/bin/activate",
        pipeline.install,
        command,
    ]
    return [
        f"- name: {quote(name)}",
        f"  image: {quote(_IMAGE)}",
        "  depends_on:",
        *(f"  - {quote(step)}" for step in after),
        "  commands:",
        *(f"  - {quote(_escape(line))}" for line in commands),
        "  when:",
        "  # Without this a failed step keeps the ones that did not start yet from running.",
        "  - status: [success, failure]",
    ]


def _escape(command: str) -> str:
    """Hide variables from Woodpecker, which replaces them before it reads the file."""
    return command.replace("${", "$${")
