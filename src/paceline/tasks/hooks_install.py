"""The task `hooks.install`."""

from __future__ import annotations

from pathlib import Path

from paceline import console
from paceline.hooks.install import install


def run_install(root: Path, manager: str) -> None:
    """Install the pre-push hook for `manager` and say what was done."""
    for line in install(root, manager):
        console.out(line)
