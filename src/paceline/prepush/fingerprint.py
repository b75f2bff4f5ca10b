"""What a step's verdict depends on, as one digest: alike digests, alike verdicts.

In it are the content of the step's inputs, its commands and settings, the programs it starts,
the environment's packages, the machine and the environment variables. What is not known to be
without influence is part of it: a needless run is cheap, a receipt too many is a wrong green.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from paceline import __version__
from paceline.prepush.checkout import Checkout
from paceline.prepush.steps import PlannedStep, matches

#: Changes when digests are made in another way, so that older receipts count for nothing.
RECIPE = 1
#: Variables that differ from one terminal, or from one way of starting us, to the next.
VOLATILE = (
    *("_", "SHLVL", "PWD", "OLDPWD", "PATH", "PS1", "PS2", "PRE_COMMIT", "PREK"),
    *("TERM_SESSION_ID", "WINDOWID", "TMUX", "TMUX_PANE", "STY", "WINDOW"),
    *("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "UV", "UV_RUN_RECURSION_DEPTH"),
)
VOLATILE_STARTS = ("GIT_", "SSH_", "PRE_COMMIT_", "PREK_", "XDG_SESSION", "VSCODE_", "KONSOLE_")


def of_step(step: PlannedStep, content: Mapping[str, str], checkout: Checkout) -> str:
    """Return the digest of everything that `step` depends on.

    `content` maps each path of the checked files to what identifies its content. Where the
    files lie makes no difference.
    """
    inputs = sorted(
        f"{entry} {path}" for path, entry in content.items() if matches(path, step.inputs)
    )
    identity = step.identity or step.commands
    parts = {
        "recipe": [RECIPE, __version__],
        "step": [step.name, step.kind, step.needs, step.timeout],
        "commands": [[_relative(word, checkout) for word in words] for words in identity],
        "settings": sorted(step.settings.items()),
        "programs": [program(command[0], step.env.get("PATH")) for command in identity],
        "environment": step.packages,
        "machine": machine(),
        "variables": _variables(),
        "inputs": inputs,
    }
    text = json.dumps(parts, sort_keys=True)  # ASCII, whatever the names hold
    return hashlib.sha256(text.encode()).hexdigest()


def _relative(word: str, checkout: Checkout) -> str:
    return word.replace(str(checkout.root), "<root>").replace(str(checkout.home), "<root>")


def program(name: str, path: str | None) -> str:
    """Identify the program that `name` starts: its file, size and time stand for its version."""
    found = shutil.which(name, path=path)
    if found is None:
        return f"{name}: not installed"
    file = Path(found).resolve()
    stat = file.stat()
    return f"{found} {file} {stat.st_size} {stat.st_mtime_ns}"


@functools.cache
def machine() -> str:
    """Identify this machine, its system and its user."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    uname = platform.uname()
    return f"{uname.node} {uname.system} {uname.release} {uname.machine} {user} {sys.version}"


def _variables() -> list[str]:
    kept = [
        f"{name}={value}"
        for name, value in os.environ.items()
        if name not in VOLATILE and not name.startswith(VOLATILE_STARTS)
    ]
    return sorted([*kept, f"PATH={_path()}"])


def _path() -> str:
    """Return PATH without what git adds for its hooks, and without our own environment."""
    own = {str(Path(sys.executable).parent)}
    entries = os.environ.get("PATH", "").split(os.pathsep)
    kept = [entry for entry in entries if entry not in own and not entry.endswith("git-core")]
    return os.pathsep.join(dict.fromkeys(kept))
