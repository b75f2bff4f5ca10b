"""Changes one after another, a run after each: what fails in a full run fails in that one too.

A probe (`probes/`) tries one change on records of a full run. Here records are what earlier runs
of some of the tests have made of them.
"""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from paceline.testing import Project

FILES = {
    "pyproject.toml": """
        [tool.paceline]
        environment = "current"
        [tool.pytest.ini_options]
        pythonpath = ["."]
        testpaths = ["tests"]
        addopts = "-p no:randomly"
    """,
    "app/__init__.py": "",
    "app/limits.py": "LIMIT = 3\n\n\ndef most(count=LIMIT): return count\n",
    "app/late.py": "BASE = 10\n\n\ndef answer(): return BASE + 1\n",
    "app/work.py": """
        import importlib
        import json
        import os
        from pathlib import Path

        from app import limits

        DATA = Path(__file__).parent.parent / "data"


        def over(value): return value > limits.LIMIT


        def lazily():
            from app import late
            return late.answer()


        def named(): return importlib.import_module("app.limits").LIMIT


        def settings(): return json.loads((DATA / "settings.json").read_text())


        def parts(): return sorted(os.listdir(DATA / "parts"))


        def note(): return (DATA / "note").exists()
    """,
    "app/state.py": """
        import functools

        registry = {}
        stack = []
        made = 0


        class Level:
            now = 0


        @functools.lru_cache
        def cached(value): return [value * 2]


        def register(name, value): registry[name] = value + 0


        def push(value): stack.append(value + 0)


        def set_level(value): Level.now = value + 0


        def make():
            global made
            made += 1
    """,
    "data/settings.json": '{"rate": 1}\n',
    "data/parts/a": "",
    "tests/conftest.py": """
        import pytest
        from app import limits


        @pytest.fixture(scope="session")
        def wide(): return {"limit": limits.LIMIT, "rate": 1}


        @pytest.fixture
        def narrow(): return 3
    """,
    "tests/sub/test_sub.py": """
        from app import limits

        def test_limit(): assert limits.LIMIT == 3
    """,
    "tests/test_fill.py": """
        from app import state

        def test_fill():
            state.register("x", 1)
            state.push(1)
            state.set_level(2)
            state.make()

        def test_cached(): assert len(state.cached(3)) == 1

        class TestClass:
            @classmethod
            def setup_class(cls): cls.value = state.cached(4)[0]

            def test_one(self): assert self.value == 8
            def test_two(self): assert self.value == 8
    """,
    "tests/test_find.py": """
        from app import state

        def test_registry(): assert state.registry.get("x") in (None, 1)
        def test_stack(): assert state.stack in ([], [1])
        def test_level(): assert state.Level.now in (0, 2)
        def test_made(): assert state.made in (0, 1)
        def test_cached_again(): assert state.cached(3) == [6]
    """,
    "tests/test_work.py": """
        import pytest
        from app import limits, work

        def test_over(): assert work.over(4) and not work.over(3)
        def test_most(): assert limits.most() == 3
        def test_lazily(): assert work.lazily() == 11
        def test_named(): assert work.named() == 3
        def test_settings(): assert work.settings()["rate"] == 1
        def test_parts(): assert work.parts() == ["a"]
        def test_note(): assert not work.note()
        def test_wide(wide): assert wide["limit"] == 3
        def test_wide_again(wide): assert wide["rate"] == 1
        def test_narrow(narrow): assert narrow == 3
        @pytest.mark.parametrize("value", range(limits.LIMIT))
        def test_each(value): assert not work.over(value)
    """,
}

#: What can be broken: file, text, and the text that breaks it; a file that is there or not.
BREAKS: dict[str, tuple[str, str, str]] = {
    "constant": ("app/limits.py", "LIMIT = 3", "LIMIT = 2"),
    "default": ("app/limits.py", "count=LIMIT", "count=9"),
    "late constant": ("app/late.py", "BASE = 10", "BASE = 20"),
    "late body": ("app/late.py", "BASE + 1", "BASE + 2"),
    "body": ("app/work.py", "value > limits", "value >= limits"),
    "registry": ("app/state.py", "registry[name] = value + 0", "registry[name] = value + 1"),
    "stack": ("app/state.py", "stack.append(value + 0)", "stack.append(value + 1)"),
    "level": ("app/state.py", "Level.now = value + 0", "Level.now = value + 1"),
    "count": ("app/state.py", "made += 1", "made += 2"),
    "cache": ("app/state.py", "[value * 2]", "[value * 3]"),
    "data": ("data/settings.json", '"rate": 1', '"rate": 2'),
    "wide fixture": ("tests/conftest.py", '"rate": 1', '"rate": 2'),
    "fixture": ("tests/conftest.py", "def narrow(): return 3", "def narrow(): return 4"),
    "new part": ("data/parts/b", "", ""),
    "new note": ("data/note", "", ""),
    "new conftest": ("tests/sub/conftest.py", "", "import app.limits\napp.limits.LIMIT = 9\n"),
}
#: Text that is only looked at, and not run.
NOTES = ("app/work.py", "app/state.py", "tests/test_find.py")

ALL = ((), (), (), ("--impact-noselect",))
CHOSEN = (("-k", "fill or find"), ("tests/test_find.py",), ("tests/test_work.py", "-k", "wide"))
COVERAGE = (("--cov", "--cov-branch", "--cov-report="),)


class Walk:
    """A project that is changed step by step. `broken` says what is broken now."""

    def __init__(self, root: Path, seed: int) -> None:
        self.project = Project(root / "project")
        self.project.write(FILES)
        self.copy = Project(root / "copy")
        self.random = random.Random(seed)
        self.broken: set[str] = set()
        self.steps: list[str] = []

    def change(self) -> None:
        """Break or mend something; mend more once much is broken."""
        names = sorted(BREAKS) if len(self.broken) < 4 else sorted(self.broken)
        for name in self.random.sample(names, self.random.choice((1, 1, 2))):
            self._turn(name)
        if not self.random.randrange(4):
            with (self.project.root / self.random.choice(NOTES)).open("a") as file:
                file.write(f"# {len(self.steps)}\n")

    def _turn(self, name: str) -> None:
        path, right, wrong = BREAKS[name]
        place = self.project.root / path
        self.steps.append(("mend " if name in self.broken else "break ") + name)
        if right:
            before, now = (wrong, right) if name in self.broken else (right, wrong)
            text = place.read_text(encoding="utf-8")
            assert before in text
            self.project.write({path: text.replace(before, now)})
        elif name in self.broken:
            place.unlink()
        else:
            self.project.write({path: wrong})
        self.broken ^= {name}

    def run(self, options: tuple[str, ...]) -> set[str]:
        """Return which of the tests fail that do in a plain run of the whole."""
        self.steps.append(" ".join(("run", *options)))
        done = self.project.python("-m", "pytest", "-rA", "--impact", *options)
        self.steps.append(done.output)
        assert done.exit_code in (0, 1, 5), self.told()
        failed = _failed(done.output)
        assert bool(failed) == (done.exit_code == 1), self.told()
        return failed

    def full(self, options: tuple[str, ...]) -> set[str]:
        """Return which tests fail in a plain run that is as much narrowed."""
        shutil.rmtree(self.copy.root)
        ignored = shutil.ignore_patterns(".paceline", ".testmondata*", "__pycache__", ".coverage")
        shutil.copytree(self.project.root, self.copy.root, ignore=ignored)
        plain = [option for option in options if not option.startswith(("--cov", "--impact"))]
        done = self.copy.python("-m", "pytest", "-rA", *plain)
        assert done.exit_code in (0, 1), done.output
        return _failed(done.output)

    def told(self) -> str:
        """Return what was done until now."""
        return "\n".join(self.steps)


def _failed(output: str) -> set[str]:
    return set(re.findall(r"^(?:FAILED|ERROR) (tests/\S+)", output, re.MULTILINE))


@pytest.mark.parametrize(
    ("seed", "count", "options"),
    [
        (1, 5, (*ALL, *CHOSEN)),
        pytest.param(2, 80, (*ALL, *CHOSEN), marks=pytest.mark.long),
        pytest.param(3, 80, (*ALL, *CHOSEN, *COVERAGE), marks=pytest.mark.long),
    ],
)
def test_walk(tmp_path: Path, seed: int, count: int, options: tuple[tuple[str, ...], ...]) -> None:
    """After each change what fails in a plain run of as many tests fails in the selected one."""
    walk = Walk(tmp_path, seed)
    assert walk.run(()) == set()
    for _ in range(count):
        walk.change()
        chosen = walk.random.choice(options)
        missed = walk.full(chosen) - walk.run(chosen)
        assert not missed, f"{missed} of {walk.broken}\n{walk.told()}"
