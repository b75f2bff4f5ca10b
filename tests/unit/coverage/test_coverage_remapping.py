"""Lines and branches moved to a later version of a text are those that running it would give."""

from __future__ import annotations

import ast
import itertools
import json
import random
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paceline.coverage.remapping import Arc, Unmatched, remap

#: Statements; {0} and {1} are places for further ones.
COMPOUND = (
    "if value > {n}:\n{0}\nelse:\n{1}",
    "if (value > {n} and\n        value < 50\n        ):\n{0}",
    "for item in range(value % 4):\n{0}\nelse:\n{1}",
    "for item in (\n    value,\n    {n},\n):\n    if item == {n}:\n        break\n{0}",
    "count = value % 3\nwhile count:\n    count -= 1\n    if count == 1:\n        continue\n{0}",
    "with manager() as got:\n{0}",
    "with manager() as got, \\\n        manager() as again:\n    if value > {n}:\n{0}",
    "try:\n    1 / (value - {n})\n{0}\nexcept ZeroDivisionError:\n{1}\nfinally:\n    done = {n}",
    "match value:\n    case {n}:\n{0}\n    case _:\n{1}",
)
SIMPLE = (
    "total = {n}",
    "total = sum(\n    part for part in range({n})\n)",
    "chosen = (lambda given:\n    given + {n})(value)",
    "found = [\n    part\n    for part in (1, {n})\n    if part\n]",
    "if value == {n}: return {n}",
    "if value == {n}:\n    return {n}",
    "first = 1; second = {n}",
    "def inner():\n    if value:\n        return {n}\n    return 0\ninner()",
    "text = '''a\nb {n}\n'''",
    "assert value is not None, (\n    'no {n}')",
)
HEAD = '''"""Text."""
import contextlib


@contextlib.contextmanager
def manager():
    """Give one."""
    yield 1
'''


@st.composite
def bodies(draw: st.DrawFn, depth: int = 2) -> str:
    """Return some statements."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(1, 6))
        if depth and draw(st.booleans()):
            inner = [indented(draw(bodies(depth=depth - 1))) for _ in range(2)]
            text = draw(st.sampled_from(COMPOUND)).replace("{n}", str(number))
            parts.append(nested(text, inner))
        else:
            parts.append(draw(st.sampled_from(SIMPLE)).replace("{n}", str(number)))
    return "\n".join(parts)


def nested(text: str, inner: list[str]) -> str:
    """Fill the places in `text` with the bodies, as deep as the line before."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line in {"{0}", "{1}"}:
            deep = len(lines[-1]) - len(lines[-1].lstrip())
            deeper = deep if lines[-1].endswith(":") else max(deep - 4, 0)
            lines.append(textwrap.indent(inner[int(line[1])], " " * deeper))
        else:
            lines.append(line)
    return "\n".join(lines)


def indented(text: str) -> str:
    """Return `text` one level deeper; texts over several lines are left as they are."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    """Return a program as a list of definitions."""
    made = [HEAD]
    for place in range(draw(st.integers(1, 3))):
        made.append(f"def function_{place}(value):\n{indented(draw(bodies()))}\n")
    made.append(
        f"class Kind:\n    sides = 1\n\n    def method(self, value):\n"
        f"{indented(indented(draw(bodies(depth=1))))}\n"
    )
    return made


def edited(parts: list[str], chance: random.Random) -> str:
    """Return the program with its functions moved, written anew, and with other comments."""
    head, *rest = parts
    functions = rest[:-1]
    chance.shuffle(functions)
    texts = [head.replace('"""Text."""', chance.choice(['"""A\n\ntext.\n"""', "# no text", ""]))]
    for part in [*functions, rest[-1]]:
        text = ast.unparse(ast.parse(part)) if chance.random() < 0.6 else part
        texts.append(commented(text, chance))
    return "\n\n".join(texts) + "\n"


def commented(text: str, chance: random.Random) -> str:
    """Put remarks before some statements of `text`."""
    starts = {
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Match)
    }
    lines = text.split("\n")
    for line in sorted(starts, reverse=True):
        before = lines[line - 1]
        if chance.random() < 0.3 and not before.lstrip().startswith(("elif", "first")):
            indent = before[: len(before) - len(before.lstrip())]
            lines[line - 1 : line - 1] = ["", f"{indent}# A remark."]
    return "\n".join(lines)


def measure(path: Path, text: str, values: list[int], *, branch: bool) -> set[Arc]:
    """Run the program in `text`, call all it defines with `values`; return what coverage saw."""
    from coverage import Coverage

    path.write_text(text, encoding="utf-8")
    measured = Coverage(data_file=None, config_file=False, branch=branch, include=[str(path)])
    code = compile(text, str(path), "exec")
    measured.start()
    try:
        names: dict[str, object] = {}
        exec(code, names)
        kind = names["Kind"]
        calls = [found for name, found in names.items() if name.startswith("function_")]
        for call in [*calls, kind().method]:  # type: ignore[operator]
            for value in values:
                call(value)
    finally:
        measured.stop()
    data = measured.get_data()
    if branch:
        return set(data.arcs(str(path)) or ())
    return {(0, line) for line in data.lines(str(path)) or ()}


def report(path: Path, arcs: set[Arc], *, branch: bool) -> object:
    """Return coverage's own report of `arcs` in the file at `path`."""
    from coverage import Coverage, CoverageData

    file = path.with_name("data")
    file.unlink(missing_ok=True)
    data = CoverageData(basename=str(file))
    if branch:
        data.add_arcs({str(path): arcs})
    else:
        data.add_lines({str(path): [line for _, line in arcs]})
    data.close()
    measured = Coverage(data_file=str(file), config_file=False, branch=branch)
    measured.load()
    measured.json_report(outfile=str(path.with_suffix(".json")))
    (found,) = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["files"].values()
    return {key: found.get(key) for key in found if key.endswith(("_lines", "_branches"))}


def moved(old: str, new: str, arcs: set[Arc]) -> set[Arc] | None:
    """Return `arcs` of `old` in `new`, None if that cannot be told."""
    found = remap(old.encode(), new.encode())
    assert found is not None
    try:
        return {arc for arc in map(found.arc, arcs) if arc is not None}
    except Unmatched:
        return None


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    parts=programs(),
    seed=st.integers(0, 2**20),
    values=st.lists(st.integers(0, 60), min_size=1, max_size=3),
    branch=st.booleans(),
)
def test_moved_coverage_is_that_of_the_edited_program(
    tmp_path: Path, parts: list[str], seed: int, values: list[int], branch: bool
) -> None:
    """What ran before a random edit of the layout, moved, reports as what runs after it."""
    old = "\n\n".join(parts) + "\n"
    new = edited(parts, random.Random(seed))
    path = tmp_path / f"program_{next(_numbers)}.py"
    before = measure(path, old, values, branch=branch)
    after = measure(path, new, values, branch=branch)
    found = moved(old, new, before)
    if found is not None:
        assert report(path, found, branch=branch) == report(path, after, branch=branch)


_numbers = itertools.count()


def test_the_same_text_maps_to_itself() -> None:
    """Without an edit every line stays."""
    text = f"{HEAD}\n\ndef f(value):\n    if (value\n            or 1):\n        return 2\n"
    found = remap(text.encode(), text.encode())
    assert found is not None
    assert all(line == place for line, place in found.lines.items())
    assert not found.redefined


@pytest.mark.parametrize(
    ("old", "new", "arc", "expected"),
    [
        ("x = 1\ny = 2\n", "# a\nx = 1\n\ny = 2\n", (1, 2), (2, 4)),
        ("x = 1\n", "# a\nx = 1\n", (1, -1), (2, -1)),
        ("def f():\n    g()\n", "a = 1\n", (-1, 2), Unmatched),
        ("def f():\n    g()\n", "\n\n@d\ndef f():\n    g()\n", (1, -1), Unmatched),
        ("@d\ndef f():\n    g()\n", "\n@d\ndef f():\n    g()\n", (-1, 3), (-2, 4)),
        ("def f():\n    g()\n", "def f():\n    h()\n", (-1, 2), Unmatched),
        ("def f(): g()\n", "def f():\n    g()\n", (0, 1), Unmatched),
        ("def f():\n    g()\n", "def f(): g()\n", (0, 2), Unmatched),
        ("if a:\n    b\nc\n", "if a: b\nc\n", (1, 2), Unmatched),
        ('"""T."""\nx = 1\n', "x = 1\n", (1, 2), None),
        ("def f():\n    g()\ndef h():\n    g()\n", "def h():\n    g()\n", (-3, 4), (-1, 2)),
        ("class A:\n    x = 1\n", "\nclass A:\n    x = 1\n", (2, -1), (3, -2)),
        (
            "with a as b, c as d:\n    e\n",
            "with a as b, \\\n    c as d:\n    e\n",
            (2, 1),
            Unmatched,
        ),
        ("f(a, b)\n", "f(a,\n  b)\n", (0, 1), (0, 1)),
    ],
)
def test_single_arcs(old: str, new: str, arc: Arc, expected: object) -> None:
    """One arc in one edit: its place, None where there is nothing to carry, or no answer."""
    found = remap(old.encode(), new.encode())
    assert found is not None
    if expected is Unmatched:
        with pytest.raises(Unmatched):
            found.arc(arc)
    else:
        assert found.arc(arc) == expected


def test_functions_added_or_taken_away_are_told() -> None:
    """A top-level function more or less means that the import of the file ran other lines."""
    one, two = b"def f():\n    pass\n", b"def f():\n    pass\ndef g():\n    pass\n"
    for old, new in ((one, two), (two, one)):
        found = remap(old, new)
        assert found is not None
        assert found.redefined


def test_text_that_is_no_python() -> None:
    """Nothing is told of a text that cannot be parsed."""
    assert remap(b"a = 1\n", b"a = (\n") is None
    assert remap(b"a = \xff\n", b"a = 1\n") is None
