"""Installs the pre-push hook: for plain git, or as an entry for pre-commit or prek."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from paceline import git, store
from paceline.errors import MissingTool, UsageError

MANAGERS = ("git", "pre-commit", "prek")
#: The program that the hook starts, installed beside the interpreter.
PROGRAM = "paceline-prepush"
#: The name that a hook found in our place gets; ours calls it first.
KEPT = "pre-push.before-paceline"
MARK = "Made by `invoke hooks.install` (Paceline)"
SCRIPT = f"""\
#!/bin/sh
# {MARK}. What it starts is noted in this clone's
# git configuration, so that this file is the same everywhere and does nothing elsewhere.
refs=$(cat)
kept=$(dirname "$0")/{KEPT}
if [ -x "$kept" ]; then
    if [ -n "$refs" ]; then printf '%s\\n' "$refs"; fi | "$kept" "$@" || exit
fi
hook=$(git config --local --get paceline.hook)
if [ -z "$hook" ]; then
    grep -qs '^\\[tool\\.paceline' pyproject.toml || exit 0
    echo "error: nothing was checked: Paceline's hook is not set up in this clone" >&2
    echo "       run: invoke hooks.install" >&2
    exit 11
fi
if [ ! -x "$hook" ]; then
    echo "error: nothing was checked: $hook is gone" >&2
    echo "       install Paceline again and run: invoke hooks.install" >&2
    exit 11
fi
exec "$hook" "$@" <<PUSHED
$refs
PUSHED
"""
CONFIG = ".pre-commit-config.yaml"
ENTRY_ID = "paceline-prepush"
ENTRY = f"""\
- repo: local
  hooks:
  - id: {ENTRY_ID}
    name: Paceline checks what is pushed
    entry: {PROGRAM}
    language: system
    stages: [pre-push]
    always_run: true
    pass_filenames: false
    verbose: true
"""


def install(root: Path, manager: str = "git") -> list[str]:
    """Install the hook for the project in `root`; return what was done, a line each.

    Raises UsageError where it cannot be done without losing something, MissingTool if the
    program that the hook starts is not installed.
    """
    if manager not in MANAGERS:
        allowed = ", ".join(MANAGERS)
        raise UsageError(f'--manager: found "{manager}", allowed: {allowed}')
    place = git.place(root)
    if place is None:
        raise UsageError(f"{root}: no git checkout", "run `git init` first")
    program = Path(sys.executable).with_name(f"{PROGRAM}.exe" if _windows() else PROGRAM)
    if not program.is_file():
        raise MissingTool(f"{program} is not there", "install Paceline again")
    git.git(root, "config", "--local", "paceline.hook", program.as_posix())
    git.git(root, "config", "--local", "paceline.project", place.prefix or ".")
    if manager == "git":
        return _install_script(root)
    done = _add_entry(place.top / CONFIG)
    return [*done, f"now run: {manager} install --hook-type pre-push"]


def _install_script(root: Path) -> list[str]:
    text = git.git(root, "rev-parse", "--path-format=absolute", "--git-path", "hooks")
    if text is None:
        raise UsageError(f"{root}: git does not name a folder for hooks", "run `git --version`")
    hook = Path(text.rstrip("\n")) / "pre-push"
    done = []
    if (hook.exists() or hook.is_symlink()) and MARK not in _read(hook):
        kept = hook.with_name(KEPT)
        if kept.exists() or kept.is_symlink():
            raise UsageError(
                f"{hook} is not Paceline's, and {KEPT} beside it is taken",
                "merge the two by hand into one of them, then run this again",
            )
        hook.rename(kept)
        done.append(f"kept the hook that was there as {kept}; it is called first")
    store.write_text(hook, SCRIPT)
    hook.chmod(0o755)
    return [*done, f"installed {hook}"]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # a link to nowhere


def _add_entry(file: Path) -> list[str]:
    """Put our entry first in the list `repos`, leaving every other character as it is."""
    if not file.exists():
        store.write_text(file, "repos:\n" + ENTRY)
        return [f"wrote {file}"]
    text = _read(file)
    if re.search(rf"^\s*(-\s+)?id:\s*['\"]?{ENTRY_ID}\b", text, re.MULTILINE):
        return [f"{file} has the entry already"]
    found = re.search(
        r"^repos:[ \t]*(#.*)?\n((?:[ \t]*(?:#.*)?\n)*)(?P<indent>[ \t]*)-", text, re.M
    )
    if found is None:
        raise UsageError(
            f'{file}: no list "repos:" in lines of its own, so nothing was written',
            f"add this entry by hand:\n\n{ENTRY}",
        )
    start = found.start("indent")
    indented = "".join(found["indent"] + line for line in ENTRY.splitlines(keepends=True))
    store.write_text(file, text[:start] + indented + text[start:])
    return [f"added the entry to {file}"]


def _windows() -> bool:
    return sys.platform == "win32"
