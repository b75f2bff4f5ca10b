"""Moves hooks into `[tool.paceline.steps]`, so that one hook is left: Paceline's own."""

from __future__ import annotations

import difflib
import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline import git
from paceline.config import document
from paceline.config.loading import load
from paceline.errors import CheckFailed, UsageError
from paceline.hooks import config, edit, install, patterns
from paceline.hooks.audit import read_command, triggers
from paceline.hooks.config import Hook, HookFile
from paceline.hooks.consolidate import Consolidation, Note
from paceline.prepush.steps import matches

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

STAGE = "pre-push"
EVERYTHING = ("**/*",)
#: Keys of a hook that a step has a counterpart for, or that only show or narrow something.
KNOWN = frozenset(
    """id name entry args language files exclude types types_or exclude_types pass_filenames
    always_run stages verbose require_serial description alias""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Moved:
    """Both files as they would be, and what stays a hook."""

    hooks_before: str
    hooks_after: str
    settings_before: str
    settings_after: str
    names: tuple[str, ...]
    stays: tuple[Note, ...]

    def diff(self) -> str:
        """Return the change of pyproject.toml as a unified diff."""
        pair = (self.settings_before, self.settings_after)
        before, after = (text.splitlines(keepends=True) for text in pair)
        name = document.FILE
        return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))


def move(found: Consolidation, root: Path) -> Moved:
    """Return the project in `root` with its consolidated pre-push hooks as steps.

    Raises CheckFailed if a step would miss a file that starts its hook.
    """
    file = config.parse(found.file.path, found.text)
    broken = {note.id for note in found.broken}
    editable = edit.items(file.text)
    taken = {step.name for step in load(root).steps}
    names = git.project_files(root)
    moved: list[Hook] = []
    tables: list[str] = []
    stays: list[Note] = []
    for hook in file.at(STAGE):
        reason = "it is broken already" if hook.id in broken else _obstacle(hook)
        if hook.id == install.ENTRY_ID:
            continue
        if not reason and hook.place not in editable:
            reason = "it is written in one line with others, or has an anchor"
        if reason:
            stays.append(Note(hook.id, reason))
            continue
        inputs = _inputs(hook, root)
        _demand_inputs(hook, file, inputs, names)
        moved.append(hook)
        tables.append(_table(_name(hook, taken), hook, inputs))
    return Moved(
        found.file.text,
        _with_our_hook(file, moved),
        _settings(root),
        _with_tables(_settings(root), tables),
        tuple(hook.id for hook in moved),
        tuple(stays),
    )


def _obstacle(hook: Hook) -> str:
    unknown = sorted(hook.keys.keys() - KNOWN)
    others = [stage for stage in hook.stages if stage != STAGE]
    if hook.repo != "local":
        return f"it comes from {hook.repo}"
    if hook.keys.get("language") not in ("system", "unsupported"):
        return f"it runs in an environment of its own (language: {hook.keys.get('language')})"
    if hook.keys.get("pass_filenames", True) is not False:
        return "the names of the changed files are added to its command (pass_filenames)"
    if others:
        return f"it also runs at {', '.join(others)}"
    if not isinstance(hook.keys.get("files", ""), str) or patterns.problem(hook.files):
        return "its files are no regular expression"
    return f"a step has nothing like {', '.join(unknown)}" if unknown else ""


def _inputs(hook: Hook, root: Path) -> tuple[str, ...]:
    """Return globs of what can change the verdict of `hook`.

    More than what starts the hook: a step that passed is not run again for the same inputs, so
    the code and settings that it reads must be among them.
    """
    if not hook.files or hook.keys.get("always_run") is True:
        return EVERYTHING
    found = list(patterns.globs(hook.files))
    if EVERYTHING[0] in found:
        return EVERYTHING
    if read_command(hook, root).interpreters:
        found.append("**/*.py")
    for word in shlex.split(_line(hook)):
        path = root / word.split("::")[0]
        if path.exists() and not Path(word).is_absolute():
            place = path if path.is_dir() else path.parent
            folder = place.relative_to(root).as_posix()
            found.append(path.name if folder == "." and path.is_file() else f"{folder}/**")
    found += ["*.toml", "*.ini", "*.cfg"]
    return tuple(dict.fromkeys(EVERYTHING if "./**" in found else found))


def _demand_inputs(hook: Hook, file: HookFile, inputs: Sequence[str], names: Sequence[str]) -> None:
    missed = [name for name in triggers(hook, file, names) if not matches(name, inputs)]
    if missed:
        raise CheckFailed(f"{hook.id}: as a step it would no longer run for {min(missed)}")


def _line(hook: Hook) -> str:
    extra = [str(word) for word in hook.keys.get("args", [])]
    return " ".join(filter(None, [hook.entry, shlex.join(extra)]))


def _name(hook: Hook, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9_-]+", "-", hook.id.lower()).strip("-") or "hook"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name)
    return name


def _table(name: str, hook: Hook, inputs: Sequence[str]) -> str:
    globs = ", ".join(map(_quoted, inputs))
    return f"[tool.paceline.steps.{name}]\nrun = [{_quoted(_line(hook))}]\ninputs = [{globs}]\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML string but for the DEL character


def _settings(root: Path) -> str:
    path = root / document.FILE
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _with_tables(text: str, tables: Sequence[str]) -> str:
    if not tables:
        return text
    after = "\n".join([text.rstrip("\n") + "\n" if text else "", *tables]).lstrip("\n")
    try:
        tomllib.loads(after)
    except ValueError as error:
        raise UsageError(
            f"{document.FILE}: the steps cannot be added at its end: {error}",
            "write [tool.paceline] and its steps as tables of their own",
        ) from error
    return after


def _with_our_hook(file: HookFile, moved: Sequence[Hook]) -> str:
    import yaml

    if not moved:
        return file.text
    there = any(hook.id == install.ENTRY_ID for hook in file.hooks)
    ours = {} if there else yaml.safe_load(install.ENTRY)[0]["hooks"][0]
    places = tuple(hook.place for hook in moved)
    text = edit.replaced(file.text, [edit.Replacement(places, ours)])
    kept = [hook.keys for hook in file.hooks if hook.place not in places]
    after = [hook.keys for hook in config.parse(file.path, text).hooks]
    if [keys for keys in after if there or keys != ours] != kept:
        raise CheckFailed(f"{file.path.name} cannot be rewritten without changing other hooks")
    return text
