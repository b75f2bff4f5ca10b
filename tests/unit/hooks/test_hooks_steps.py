"""Moving hooks into steps of the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paceline.config.loading import load
from paceline.errors import UsageError
from paceline.hooks import config, report
from paceline.hooks.consolidate import Consolidation, Note
from paceline.hooks.steps import move

HOOKS = """\
# All at the push.
default_stages: [pre-push]
repos:
- repo: https://example.invalid/style
  rev: v1
  hooks:
  - id: style
- repo: local
  hooks:
  # The deployment files.
  - id: Deploy
    name: deployment
    entry: env A=1 pytest tests/deploy/test_a.py
    args: [-q]
    language: system
    files: ^deploy/
    pass_filenames: false
  - {id: lint, name: x, entry: "sh -c 'true \\"a\\"'", language: system, pass_filenames: false}
  - {id: names, name: x, entry: "true", language: system}
  - {id: own, name: x, entry: "true", language: python, pass_filenames: false}
  - {id: both, name: x, entry: "true", language: system, pass_filenames: false,
     stages: [pre-push, manual]}
  - {id: bad, name: x, entry: "true", language: system, pass_filenames: false}
"""
HOOKS_AFTER = """\
# All at the push.
default_stages: [pre-push]
repos:
- repo: https://example.invalid/style
  rev: v1
  hooks:
  - id: style
- repo: local
  hooks:
  # The deployment files.
  - id: paceline-prepush
    name: Paceline checks what is pushed
    entry: paceline-prepush
    language: system
    stages: [pre-push]
    always_run: true
    pass_filenames: false
    verbose: true
  - {id: names, name: x, entry: "true", language: system}
  - {id: own, name: x, entry: "true", language: python, pass_filenames: false}
  - {id: both, name: x, entry: "true", language: system, pass_filenames: false,
     stages: [pre-push, manual]}
  - {id: bad, name: x, entry: "true", language: system, pass_filenames: false}
"""
STEPS = """\
# ours
[tool.paceline]
environment = "current"

[tool.paceline.steps.deploy]
run = ["env A=1 pytest tests/deploy/test_a.py -q"]
inputs = ["deploy/**", "**/*.py", "tests/deploy/**", "*.toml", "*.ini", "*.cfg"]

[tool.paceline.steps.lint-2]
run = ["sh -c 'true \\"a\\"'"]
inputs = ["**/*"]
"""


def consolidation(root: Path, text: str, settings: str) -> Consolidation:
    """Write a project with a file each pattern is about, and nothing to merge."""
    for name in ("deploy/a.yaml", "tests/deploy/test_a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "pyproject.toml").write_text(settings)
    file = config.parse(root / ".pre-commit-config.yaml", text)
    return Consolidation(file, text, 7, 7, (), (), (Note("bad", "collects no test"),))


def test_hooks_become_steps_and_one_is_left(tmp_path: Path) -> None:
    """What a step can do becomes one, with its inputs; the rest stays a hook, and says why."""
    found = consolidation(tmp_path, HOOKS, '# ours\n[tool.paceline]\nenvironment = "current"\n')
    moved = move(found, tmp_path)
    assert moved.hooks_after == HOOKS_AFTER
    assert moved.settings_after == STEPS
    assert {note.id: note.text.split(" ")[1] for note in moved.stays} == {
        "style": "comes",
        "names": "names",
        "own": "runs",
        "both": "also",
        "bad": "is",
    }
    (tmp_path / "pyproject.toml").write_text(moved.settings_after)
    assert load(tmp_path).step("deploy").run[0][-1] == "-q"
    assert report.consolidation_data(found, moved)["to_steps"]["moved"] == ["Deploy", "lint"]
    assert report.moved_lines(moved, None)[-2].text == (
        "2 hooks become steps of pyproject.toml: Deploy, lint"
    )
    again = move(replace(found, text=moved.hooks_after), tmp_path)
    assert (again.hooks_after, again.names) == (HOOKS_AFTER, ())


def test_a_table_that_cannot_be_added_to_is_refused(tmp_path: Path) -> None:
    """Where the settings are written inline, the steps cannot be added, and that is said."""
    found = consolidation(tmp_path, HOOKS, '[tool]\npaceline = {environment = "current"}\n')
    with pytest.raises(UsageError, match="cannot be added at its end"):
        move(found, tmp_path)
