"""Reading `.pre-commit-config.yaml`, which pre-commit and prek share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paceline.errors import ConfigurationError, Problem

FILES = (".pre-commit-config.yaml", ".pre-commit-config.yml")
#: What a hook runs at when neither it nor the file says so.
ALL_STAGES = (
    "commit-msg",
    "manual",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-rewrite",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
)
#: Names of stages before pre-commit 3.2.
OLD_STAGES = {"commit": "pre-commit", "push": "pre-push", "merge-commit": "pre-merge-commit"}


@dataclass(frozen=True)
class Hook:
    """One hook of the file: its keys as written, and what they come to."""

    id: str
    #: "local", "meta", "builtin" or an address.
    repo: str
    #: Which entry of `repos`, and which of its `hooks`, from 0.
    place: tuple[int, int]
    stages: tuple[str, ...]
    #: Whether `stages` may be set in the hook's own repository instead, which is not read.
    stages_unknown: bool
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> str:
        """The command with its arguments as one line; empty for hooks of other repositories."""
        return str(self.keys.get("entry", ""))

    @property
    def files(self) -> str:
        """The pattern that starts the hook; empty means any file. prek's globs are no text."""
        files = self.keys.get("files", "")
        return files if isinstance(files, str) else ""

    def text(self, key: str, default: str = "") -> str:
        """Return the value of `key` as text."""
        return str(self.keys.get(key, default))


@dataclass(frozen=True)
class HookFile:
    """A hook configuration that was read."""

    path: Path
    text: str
    hooks: tuple[Hook, ...]
    #: The file's own `files` and `exclude`, which hold for every hook.
    files: str = ""
    exclude: str = "^$"

    def at(self, stage: str) -> tuple[Hook, ...]:
        """Return the hooks that run at `stage`, in order."""
        return tuple(hook for hook in self.hooks if stage in hook.stages)


def read(root: Path) -> HookFile:
    """Return the hook configuration of the project in `root`.

    Raises ConfigurationError if there is none, or with every problem found in it.
    """
    for name in FILES:
        path = root / name
        if path.is_file():
            return parse(path, path.read_text(encoding="utf-8"))
    text = "not found: hooks are read from this file, which pre-commit and prek share"
    raise ConfigurationError([Problem(FILES[0], "(file)", text)])


def parse(path: Path, text: str) -> HookFile:
    """Return the hooks in `text`, the content of `path`; raises as `read` does."""
    document = _document(path, text)
    problems: list[Problem] = []
    defaults = _stages(document.get("default_stages"), ALL_STAGES)
    hooks: list[Hook] = []
    repos = document.get("repos")
    if not isinstance(repos, list):
        problems.append(Problem(path.name, "repos", "a list of repositories is needed"))
        repos = []
    for number, repo in enumerate(repos):
        entries = repo.get("hooks") if isinstance(repo, dict) else None
        if not isinstance(entries, list):
            key = f"repos[{number}].hooks"
            problems.append(Problem(path.name, key, "a list of hooks is needed"))
            continue
        for index, keys in enumerate(entries):
            if isinstance(keys, dict) and isinstance(keys.get("id"), str):
                hooks.append(_hook(str(repo.get("repo")), (number, index), keys, defaults))
            else:
                key = f"repos[{number}].hooks[{index}]"
                problems.append(Problem(path.name, key, 'a table with an "id" is needed'))
    if problems:
        raise ConfigurationError(problems)
    everywhere = (str(document.get("files", "")), str(document.get("exclude", "^$")))
    return HookFile(path, text, tuple(hooks), *everywhere)


def _document(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise ConfigurationError([Problem(path.name, "(file)", f"no YAML: {message}")]) from error
    if not isinstance(document, dict):
        raise ConfigurationError([Problem(path.name, "(file)", "a table with repos is needed")])
    return document


def _hook(
    repo: str, place: tuple[int, int], keys: dict[str, Any], defaults: tuple[str, ...]
) -> Hook:
    stages = _stages(keys.get("stages"), defaults)
    unknown = "stages" not in keys and repo not in ("local", "meta", "builtin")
    return Hook(keys["id"], repo, place, stages, unknown, keys)


def _stages(value: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        return default
    return tuple(OLD_STAGES.get(str(stage), str(stage)) for stage in value)
