"""The image that test jobs can run in: its recipe, and the tag that names what is in it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

from paceline.ci.pipeline import UV_VERSION
from paceline.ci.text import HEADER
from paceline.config import document
from paceline.config.model import Config
from paceline.errors import PacelineError

_HEAD = f"""\
{HEADER}#
# The image that CI jobs can run in (`ci.test_image`). Its tag is a digest of this file and of
# the dependencies, so it is built only when they change. Built by hand:
#   docker build --file ci/Dockerfile.test --tag tests .
# What changes least comes first: a layer is built anew only if it or one above it changed.
FROM ghcr.io/astral-sh/uv:{UV_VERSION}-debian

# GitHub's runners work under this number, and so own the checkout that jobs write to.
RUN useradd --create-home --uid 1001 tests \\
 && install --directory --owner tests /paceline/cache /paceline/python /paceline/project
ENV UV_CACHE_DIR=/paceline/cache \\
    UV_PYTHON_INSTALL_DIR=/paceline/python \\
    UV_LINK_MODE=copy
USER tests
WORKDIR /paceline/project
"""
_FILL = """
# Only what names dependencies: a change of code leaves every layer as it is.
"""
_WARM = "/paceline/warm"
# COPY expands `$` and patterns, which no path of a requirements file needs.
_PATH = re.compile(r"[A-Za-z0-9._/ @+-]+")


def test_image(config: Config) -> str:
    """Return the test image with the tag of these dependencies; empty if none is configured."""
    return f"{config.ci.test_image}:deps-{digest(config)}" if config.ci.test_image else ""


def digest(config: Config) -> str:
    """Return 16 hexadecimal digits that change when what goes into the image changes."""
    parts = [dockerfile(config), json.dumps(_dependency_tables(config.root), sort_keys=True)]
    for name in dependency_files(config):
        if name != document.FILE:
            parts += [name, (config.root / name).read_text(encoding="utf-8", errors="replace")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def dockerfile(config: Config) -> str:
    """Return the text of ci/Dockerfile.test.

    The image holds the interpreters, and uv's cache filled with all dependencies, so that jobs
    make their environments without the network. It runs without root and holds no secret.
    """
    files = dependency_files(config)
    lines = [_HEAD]
    if config.python:
        lines.append(f"RUN uv python install {shlex.join(config.python)}\n")
    lines.append(_FILL)
    for folder in sorted({str(PurePosixPath(name).parent) for name in files}):
        names = [name for name in files if str(PurePosixPath(name).parent) == folder]
        lines.append(f"COPY --chown=tests {json.dumps([*names, f'{folder}/'])}\n")
    if files:
        lines += [_fill(config, version) for version in config.python or ("",)]
    return "".join(lines)


def _fill(config: Config, version: str) -> str:
    python = f" --python {version}" if version else ""
    commands = [f"uv venv --clear{python} {_WARM}"]
    constraints = ["--constraints", config.constraints] if config.constraints else []
    if not constraints and (config.root / "uv.lock").is_file():
        export = "uv export --quiet --frozen --all-groups --all-extras --no-hashes --no-header"
        commands.append(f"{export} --no-annotate --no-emit-project --output-file locked.txt")
        constraints = ["--constraints", "locked.txt"]
    wanted = _requirements(config)
    if wanted:
        install = ["uv", "pip", "install", "--quiet", "--python", _WARM, *constraints, *wanted]
        commands.append(shlex.join(install))
    # The wheels stay in the cache, which is what the jobs use.
    commands.append(f"rm -r {_WARM}")
    return "RUN " + " \\\n && ".join(commands) + "\n"


def _requirements(config: Config) -> list[str]:
    project = document.table(document.read(config.root), "project")
    found: list[str] = []
    # Dependencies that only the build backend knows cannot be had without the source.
    if isinstance(project.get("dependencies"), list):
        found += ["--requirements", document.FILE]
        found += [f"--extra={extra}" for extra in config.test_extras]
    found += [f"--group={group}" for group in (*config.test_groups, *config.tool_groups)]
    for file in (*config.test_requirements, *config.tool_requirements):
        found += ["--requirements", file]
    return [*found, *config.tools]


def dependency_files(config: Config) -> list[str]:
    """Return the dependency files that are there, pyproject.toml last, as paths in the project.

    Raises PacelineError for a path that a pipeline file or a recipe cannot carry.
    """
    names = ["uv.lock", config.constraints, *config.test_requirements, *config.tool_requirements]
    names = list(dict.fromkeys([*names, document.FILE]))
    found = [name for name in names if name and (config.root / name).is_file()]
    for name in found:
        if (
            not _PATH.fullmatch(name)
            or PurePosixPath(name).is_absolute()
            or ".." in Path(name).parts
        ):
            raise PacelineError(
                f"the dependency file {name!r} cannot be copied into an image",
                "give it a path inside the project, of plain letters and digits",
            )
    return found


def _dependency_tables(root: Path) -> dict[str, Any]:
    """Return what pyproject.toml says about dependencies, and nothing else of it."""
    table = document.read(root)
    project = document.table(table, "project")
    keys = ("requires-python", "dependencies", "optional-dependencies", "dynamic")
    return {
        "project": {key: project.get(key) for key in keys},
        "groups": document.table(table, "dependency-groups"),
        "build": document.table(table, "build-system"),
        "uv": document.table(table, "tool", "uv"),
    }
