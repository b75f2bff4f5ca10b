"""Seeded random single changes of a Python project, for scripts/replay_mutations.py."""

from __future__ import annotations

import ast
import difflib
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import code_changes

LEFT_OUT = {".git", ".paceline", ".venv", ".nox", "__pycache__", ".hypothesis", "docs", "build"}


@dataclass(frozen=True)
class Mutation:
    """One change: for each path, relative to the project, its new content; None: deleted."""

    kind: str
    what: str
    after: Mapping[str, bytes | None]

    def apply(self, root: Path) -> Callable[[], None]:
        """Make the change in `root`; return what takes it back, times of change included."""
        before = {name: _kept(root / name) for name in self.after}
        for name, content in self.after.items():
            _put(root / name, content)

        def undo() -> None:
            for name, kept in before.items():
                kept(root / name)

        return undo

    def diff(self, root: Path) -> str:
        """Return the change of the unchanged project in `root` as a unified diff."""
        parts: list[str] = []
        for name, content in self.after.items():
            path = root / name
            old = _lines(path.read_bytes() if path.is_file() else b"")
            gone = "" if content is not None else " (deleted)"
            parts += difflib.unified_diff(
                old, _lines(content or b""), name, name + gone, lineterm=""
            )
        return "\n".join(parts[:60])


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines()


def _kept(path: Path) -> Callable[[Path], None]:
    if not path.is_file():
        return lambda place: place.unlink(missing_ok=True)
    content, stat = path.read_bytes(), path.stat()

    def restore(place: Path) -> None:
        import os

        _put(place, content)
        os.utime(place, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return restore


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Project:
    """The files that changes are chosen from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = sorted(p for p in root.rglob("*") if p.is_file() and not self._is_left_out(p))
        self.names = [path.relative_to(root).as_posix() for path in files]
        code = [name for name in self.names if name.endswith(".py")]
        self.tests = [name for name in code if _is_test(name)]
        self.code = [name for name in code if not _is_test(name) and "/" in name]
        folders = ("src/", "tests/", "test/")
        text = (".py", ".pyi", ".pyc", ".typed")
        self.data = [n for n in self.names if n.startswith(folders) and not n.endswith(text)]

    def _is_left_out(self, path: Path) -> bool:
        return bool(LEFT_OUT & set(path.relative_to(self.root).parts))


def _is_test(name: str) -> bool:
    return "tests" in Path(name).parts or "test" in Path(name).parts


Chooser = Callable[[Project, random.Random], "Mutation | None"]


def choose(project: Project, seed: int, index: int) -> Mutation:
    """Return change number `index` of the sequence of `seed`: the same for the same project."""
    chance = random.Random(f"{seed}-{index}")
    while True:
        kind = chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        # Most constants are in few files: a kind gets many draws before another one is taken.
        for _ in range(100):
            mutation = KINDS[kind][1](project, chance)
            if mutation is not None:
                return mutation


def _code(kind: str) -> Chooser:
    def choose_code(project: Project, chance: random.Random) -> Mutation | None:
        where = project.code if chance.random() < 0.8 else project.tests
        if not where:
            return None
        name = chance.choice(where)
        found = code_changes.changed((project.root / name).read_bytes(), kind, chance)
        if found is None:
            return None
        line, after = found
        return Mutation(kind, f"{name}:{line}", {name: after})

    return choose_code


def _data(project: Project, chance: random.Random) -> Mutation | None:
    if not project.data:
        return None
    name = chance.choice(project.data)
    content = (project.root / name).read_bytes()
    if not content:
        return Mutation("data", f"{name}: text added", {name: b"x\n"})
    place = chance.randrange(len(content))
    how = chance.choice(["character", "line", "cut"])
    if how == "character":
        after = content[:place] + (b"X" if content[place : place + 1] != b"X" else b"Y")
        after += content[place + 1 :]
    elif how == "line":
        lines = content.splitlines(keepends=True)
        del lines[chance.randrange(len(lines))]
        after = b"".join(lines)
    else:
        after = content[:place]
    return Mutation("data", f"{name}: {how}", {name: after})


def _delete(project: Project, chance: random.Random) -> Mutation:
    name = chance.choice([*project.code, *project.tests, *project.data])
    return Mutation("delete", name, {name: None})


def _rename(project: Project, chance: random.Random) -> Mutation:
    name = chance.choice([*project.code, *project.tests, *project.data])
    path = Path(name)
    new = path.with_name(f"{path.stem}_renamed{path.suffix}").as_posix()
    content = (project.root / name).read_bytes()
    return Mutation("rename", f"{name} to {new}", {name: None, new: content})


def _new(project: Project, chance: random.Random) -> Mutation | None:
    how = chance.choice([_new_conftest, _new_shadow, _new_copy, _new_test])
    return how(project, chance)


def _new_conftest(project: Project, chance: random.Random) -> Mutation | None:
    folders = {Path(name).parent for name in project.tests}
    free = sorted(f.as_posix() for f in folders if not (project.root / f / "conftest.py").exists())
    folder = chance.choice(free) if free else "."
    name = f"{folder}/conftest.py" if free else "conftest.py"
    if (project.root / name).exists():
        return None
    text = (
        "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef _new(request):\n"
        f"    assert len(request.node.name) % 7 != {chance.randrange(7)}\n"
    )
    return Mutation("new file", name, {name: text.encode()})


def _new_shadow(project: Project, chance: random.Random) -> Mutation | None:
    """A module beside the tests that takes the name of one that they import."""
    imported = set()
    for name in project.tests:
        imported |= _imported(project.root / name)
    folder = chance.choice([Path(name).parent.as_posix() for name in project.tests])
    name = f"{folder}/{chance.choice(sorted(imported | {'speedups'}))}.py"
    if (project.root / name).exists() or Path(name).stem in sys.builtin_module_names:
        return None
    return Mutation("new file", name, {name: b"raise ImportError('shadowed')\n"})


def _imported(path: Path) -> set[str]:
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except SyntaxError:
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in names}


def _new_copy(project: Project, chance: random.Random) -> Mutation | None:
    if not project.data:
        return None
    name = chance.choice(project.data)
    new = Path(name).with_name(f"new_{Path(name).name}").as_posix()
    return Mutation("new file", new, {new: (project.root / name).read_bytes()})


def _new_test(project: Project, chance: random.Random) -> Mutation:
    folder = Path(chance.choice(project.tests)).parent.as_posix()
    name = f"{folder}/test_new_{chance.randrange(1000)}.py"
    return Mutation("new file", name, {name: b"def test_new():\n    assert 0\n"})


#: Each kind of change with its weight.
KINDS: dict[str, tuple[int, Chooser]] = {
    "body": (45, _code("body")),
    "constant": (12, _code("constant")),
    "default": (8, _code("default")),
    "import-time": (10, _code("import-time")),
    "data": (9, _data),
    "delete": (5, _delete),
    "rename": (4, _rename),
    "new file": (7, _new),
}
