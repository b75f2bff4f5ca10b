"""Modules that were there before the recording began: what they may have asked for."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from paceline.impact.early import mentioned_early, rebind


@pytest.mark.parametrize(
    ("text", "variables", "files"),
    [
        ("import os\nMODE = os.environ.get('MODE')\n", True, False),
        ("def read():\n    return open('x')\n", False, False),
        ("def read():\n    return open('x')\n\n\nTEXT = read()\n", False, True),
        ("def a():\n    return b()\n\n\ndef b():\n    return open('x')\n\n\na()\n", False, True),
    ],
)
def test_what_import_time_code_may_ask_for_is_known_by_its_names(
    tmp_path: Path, text: str, variables: bool, files: bool
) -> None:
    """The names count that run at the import, those of functions it calls among them."""
    file = tmp_path / "plug.py"
    file.write_text(text, encoding="utf-8")
    found = mentioned_early([str(file)])
    assert (found.variables, found.files) == (variables, files)


def test_every_import_of_a_file_is_known(tmp_path: Path) -> None:
    """Modules count wherever they are imported, whether they are there or not."""
    file = tmp_path / "plug.py"
    file.write_text("import a.b\ntry:\n    from c import d\nexcept ImportError:\n    d = 1\n")
    assert mentioned_early([str(file)]).modules == {"a.b", "c"}


def test_functions_that_a_module_holds_are_replaced_and_put_back() -> None:
    """A module that took a function by name before has the other one until that is undone."""
    module = ModuleType("plug")
    module.__file__ = "plug.py"
    vars(module).update(stat=os.stat, other=os.lstat)
    undo = rebind([module], {os.stat: print})
    assert (module.stat, module.other) == (print, os.lstat)
    undo()
    assert module.stat is os.stat
