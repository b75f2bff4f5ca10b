"""The generated pipeline files: their text, writing them, and whether they drifted."""

from __future__ import annotations

import difflib
from pathlib import Path

from paceline import store
from paceline.ci import github, gitlab, woodpecker
from paceline.ci.building import build
from paceline.ci.image import dockerfile
from paceline.ci.kept import keep, regions
from paceline.config.model import Config

_RENDERERS = {"github": github.render, "gitlab": gitlab.render, "woodpecker": woodpecker.render}
# GitHub reads workflows from one folder only; ci/ keeps all pipelines side by side.
_FILES = {
    "github": (Path("ci/github.yml"), Path(".github/workflows/paceline.yml")),
    "gitlab": (Path("ci/gitlab-ci.yml"),),
    "woodpecker": (Path("ci/woodpecker.yml"),),
}
_DOCKERFILE = Path("ci/Dockerfile.test")


def generated(config: Config) -> dict[Path, str]:
    """Return the text of every generated file of `config`, by its path in the project.

    What people wrote into the kept regions of the files that are there is in it. Raises
    PacelineError if a region is damaged, so that nothing written by hand is lost.
    """
    pipeline = build(config)
    files: dict[Path, str] = {}
    for provider, render in _RENDERERS.items():
        if provider in config.ci.providers:
            paths = _FILES[provider]
            found = {path: _found(config.root / path) or "" for path in paths}
            text = keep(render(pipeline), found)
            files.update(dict.fromkeys(paths, text))
    if config.ci.providers:
        files[_DOCKERFILE] = dockerfile(config)
    return files


def kept_by_hand(config: Config) -> dict[str, str]:
    """Return what people wrote into the kept regions, by the project path of the file."""
    kept = {}
    for provider in config.ci.providers:
        path = _FILES[provider][-1]
        lines = regions(_found(config.root / path) or "", path).values()
        kept[path.as_posix()] = "".join(line for region in lines for line in region)
    return kept


def write(config: Config) -> list[Path]:
    """Write the generated files that are missing or differ; return their project paths."""
    changed = [
        (path, text)
        for path, text in generated(config).items()
        if _found(config.root / path) != text
    ]
    for path, text in changed:
        store.write_text(config.root / path, text)
    return [path for path, _ in changed]


def drift(config: Config) -> str:
    """Return a unified diff from the files found to the ones generated; empty if equal.

    A missing file shows as all of its lines added.
    """
    parts: list[str] = []
    for path, text in generated(config).items():
        found = _found(config.root / path)
        name = path.as_posix()
        parts += difflib.unified_diff(
            (found or "").splitlines(keepends=True),
            text.splitlines(keepends=True),
            "/dev/null" if found is None else f"a/{name}",
            f"b/{name}",
        )
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def _found(path: Path) -> str | None:
    """Return the text of `path`, line ends as they are; None if it is missing.

    Bytes that are no UTF-8 count as drift like any other edit.
    """
    try:
        # read_text would turn CRLF into LF, and hide that a file was converted.
        return path.read_bytes().decode("utf-8", errors="backslashreplace")
    except FileNotFoundError:
        return None
