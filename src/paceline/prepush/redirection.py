"""Proves that the steps of a worktree import its files, not those of another checkout.

`redirect/sitecustomize.py` moves the import path of editable installs. An installation that
finds its modules in another way, such as one with compiled parts, may escape it: then nothing
was checked, and nothing may pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from paceline import process
from paceline.config.discovery import packages
from paceline.config.model import Config
from paceline.errors import IncompleteEvidence
from paceline.prepush.steps import PlannedStep

_PROGRAM = """
import importlib.util, sys
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    if spec is not None:
        for place in [spec.origin, *(spec.submodule_search_locations or [])]:
            print(name, place, sep="\\t")
"""


def verify(config: Config, steps: Sequence[PlannedStep]) -> None:
    """Raise IncompleteEvidence if Python would import the project from `config.home`.

    Asked of each interpreter that a test step runs.
    """
    names = [PurePath(path).stem for path in packages(config.root)]
    if config.home is None or not names:
        return
    for step in steps:
        if step.skip or not step.name.startswith("tests-"):
            continue
        command = [step.commands[0][0], "-c", _PROGRAM, *names]
        # from outside the worktree: its folder must not find what the import path does not
        done = process.run(command, cwd=config.root.parent, env=step.env)
        wrong = [line for line in done.output.splitlines() if _is_outside(line, config)]
        if done.exit_code or wrong:
            found = (wrong or done.output.splitlines()[-1:] or ["python failed"])[0]
            raise IncompleteEvidence(
                [f"{step.name}: another checkout's code would be imported: {found}"],
                "check the commit out, clean, and push again",
            )


def _is_outside(line: str, config: Config) -> bool:
    place = Path(line.partition("\t")[2])
    home = (config.home or config.root).resolve()
    return place.is_relative_to(home) and not place.is_relative_to(config.root.resolve())
