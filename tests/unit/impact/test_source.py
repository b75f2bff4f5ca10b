"""What a Python file consists of, and which changes of it count."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.impact.mentions import mentioning
from paceline.impact.source import MODULE, Source, parse
from paceline.impact.syntax import Walk


def blocks(text: str) -> Source:
    found = parse(text.encode())
    assert found is not None
    return found


def digests(text: str) -> dict[str, str]:
    return {block.name: block.digest for block in blocks(text).blocks}


BASE = '''
import os

LIMIT = 3


class Box:
    size = 1

    def grow(self, by):
        """Make it larger."""
        self.size += by


def plain(value):
    return value + LIMIT
'''


def test_blocks_are_import_time_code_and_function_bodies() -> None:
    """The first block is the module, each function body is one more."""
    assert [block.name for block in blocks(BASE).blocks] == [MODULE, "Box.grow", "plain"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 3  # three"),
        ("LIMIT = 3", "LIMIT   =   3"),
        ("import os\n", "import os\n\n\n# a comment\n"),
        ("return value + LIMIT", "return (\n        value\n        + LIMIT\n    )"),
    ],
)
def test_comments_and_formatting_do_not_count(old: str, new: str) -> None:
    """Text that changes no code leaves every digest alone."""
    assert digests(BASE.replace(old, new)) == digests(BASE)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("LIMIT = 3", "LIMIT = 4", MODULE),
        ("size = 1", "size = 2", MODULE),
        ("self.size += by", "self.size -= by", "Box.grow"),
        ("value + LIMIT", "value - LIMIT", "plain"),
        ("def grow(self, by)", "def grow(self, by, more)", MODULE),
    ],
)
def test_a_change_shows_in_its_block_only(old: str, new: str, changed: str) -> None:
    """Exactly one block differs."""
    before, after = digests(BASE), digests(BASE.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == {changed}


DEFAULTS = """
class Box:
    def grow(self, by=LIMIT, *, name: str = "x", size=(1, -2)):
        def again(name="x"):
            return name

    def other(self, name: str = "x"):
        return lambda name="x": name
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('str = "x", size', 'str = "y", size', {"Box.grow"}),
        ("size=(1, -2)", "size=(1, 2)", {"Box.grow"}),
        ("size=(1, -2)", "size=None", {"Box.grow", MODULE}),  # not as many lists any more
        ('again(name="x")', 'again(name="y")', {"Box.grow.<locals>.again"}),
        ('str = "x"):', 'str = "y"):', {"Box.other"}),
        ('lambda name="x"', 'lambda name="y"', {"Box.other"}),
        ("by=LIMIT", "by=LIMITS", {MODULE}),
        ("by=LIMIT", "by=3", {"Box.grow", MODULE}),
        ('other(self, name: str = "x")', "other(self, name: str)", {"Box.other", MODULE}),
    ],
)
def test_a_constant_default_belongs_to_its_function(old: str, new: str, changed: set[str]) -> None:
    """What is computed when the function is defined, and whether there is one, do not."""
    assert old in DEFAULTS
    before, after = digests(DEFAULTS), digests(DEFAULTS.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == changed


def test_constant_defaults_are_told_apart_from_the_body() -> None:
    """By the function's name, which is found by the line that its definition begins at."""
    found, other = blocks(DEFAULTS), blocks(DEFAULTS.replace("-2", "-3"))
    assert found.defined_at(3) == "Box.grow"
    assert found.defined_at(4) == "Box.grow.<locals>.again"
    assert found.defined_at(5) == ""
    assert found.defaults("Box.grow") != other.defaults("Box.grow")
    assert found.defaults("Box.other") == other.defaults("Box.other") != ""
    assert blocks(BASE).defaults("Box.grow") == ""


def test_a_plain_function_is_kept_apart() -> None:
    """An undecorated top-level function that no import-time code uses is no import-time code."""
    longer = BASE + "\n\ndef more(value):\n    return value\n"
    assert digests(longer)[MODULE] == digests(BASE)[MODULE]
    assert blocks(longer).functions.keys() == {"plain", "more"}


@pytest.mark.parametrize(
    "definition",
    [
        "@decorated\ndef more():\n    return 1\n",
        "def more(value=made()):\n    return 1\n",
        "def more(value):\n    return 1\n\nresult = more(1)\n",
        "class More:\n    def more(self):\n        return 1\n",
    ],
)
def test_a_function_that_the_import_uses_is_import_time_code(definition: str) -> None:
    """A decorator, a computed default, a call or a class make a new function count."""
    assert digests(BASE + definition)[MODULE] != digests(BASE)[MODULE]


def test_docstrings_are_kept_apart() -> None:
    """A docstring changes no block, but the digest of the docstrings."""
    other = BASE.replace("Make it larger.", "Make it grow.")
    assert digests(other) == digests(BASE)
    assert blocks(other).docstrings != blocks(BASE).docstrings


@pytest.mark.parametrize("docstring", ["outer", "inner", "method", "local", "local method"])
def test_docstrings_of_nested_classes_are_kept_apart(docstring: str) -> None:
    """However deep a class stands in others and in functions, its docstring changes no block."""
    text = '''
class Outer:
    """outer"""

    class Inner:
        """inner"""

        def method(self):
            """method"""
            class Local:
                """local"""
                def method(self):
                    """local method"""
            return Local
'''
    other = text.replace(f'"""{docstring}"""', '"""another"""')
    assert digests(other) == digests(text)
    assert blocks(other).docstrings != blocks(text).docstrings
    assert "another" not in frozenset[str]().union(*(one.names for one in blocks(other).blocks))


def test_a_function_that_becomes_a_generator_changes_where_it_is_defined() -> None:
    """Whoever only defines it gets another thing from its call."""
    text = "class Box:\n    def items(self):\n        return 1\n"
    other = text.replace("return", "yield")
    assert digests(other)[MODULE] != digests(text)[MODULE]


RICH = '''"""file"""
import os.path as path
from json import dumps as write
LIMIT: int = 3
left, (right, *rest) = 1, (2, 3, 4)
del left


@marked(kind="a")
class Box(Base, metaclass=Meta, flag=True):
    """box"""
    size = 1

    @property
    def area(self) -> "int":
        """area"""
        return self.size ** 2 if self.size > 0 else -1

    async def wait(self, *values, key=None, **rest):
        async with self.lock as lock, other():
            async for item in values:
                yield await item
        return

    class Inner:
        """inner"""
        table = {"a": [1, 2.5], **rest, "b": {3, 4}}


def outer(first, /, second=2, *, third: str = "c"):
    global LIMIT
    LIMIT += 1
    total = [x * y for x in first if x for y in second]

    class Local:
        """local"""
        def run(self):
            nonlocal total
            raise ValueError(f"{total!r:>{LIMIT}}") from None

    def inner():
        """inner"""

    try:
        with open(path) as file:
            while (line := file.read(1)) not in ("", b"x"):
                if line == "y":
                    continue
                break
            else:
                pass
    except (OSError, ValueError) as error:
        assert error, "why"
    finally:
        return sorted(total, key=lambda value: value[1:2, ::3] or not value)


match LIMIT:
    case {"key": [1, *others], **more} if more:
        print(others)
    case Box(size=0) | None:
        ...
'''


def changes(tree: ast.Module) -> Iterator[str]:
    """Change each node of the tree in turn, and yield the text."""
    other = {ast.Add: ast.Sub, ast.Pow: ast.Mult, ast.Gt: ast.GtE, ast.Eq: ast.NotEq}
    for node in list(ast.walk(tree)):
        for key, value in list(ast.iter_fields(node)):
            changed: object = None
            if isinstance(value, str) and key not in ("type_comment", "kind"):
                changed = f"{value}_x"
            elif isinstance(node, ast.Constant) and isinstance(value, (int, float)):
                changed = value + 1
            elif type(value) in other:
                changed = other[type(value)]()
            elif key in ("body", "orelse", "finalbody") and isinstance(value, list) and value:
                changed = [*value[:-1], ast.Pass(), ast.Pass()]
            if changed is not None:
                setattr(node, key, changed)
                yield ast.unparse(ast.fix_missing_locations(tree))
                setattr(node, key, value)


def test_no_change_of_the_code_is_lost() -> None:
    """Whatever node changes, some digest does: of a block, a signature or the docstrings."""

    def shown(text: str) -> object:
        found = blocks(text)
        return sorted(digests(text).items()), found.functions, found.docstrings

    before = shown(ast.unparse(ast.parse(RICH)))
    texts = list(changes(ast.parse(RICH)))
    assert len(texts) > 140
    assert [text for text in texts if shown(text) == before] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if a:\n b()\n c()\nelse:\n d()", "if a:\n b()\nelse:\n c()\n d()"),
        ("for a in b:\n c()\n d()\nelse:\n e()", "for a in b:\n c()\nelse:\n d()\n e()"),
        (
            "try:\n a()\nexcept E:\n b()\nelse:\n c()\n d()\nfinally:\n e()",
            "try:\n a()\nexcept E:\n b()\nelse:\n c()\nfinally:\n d()\n e()",
        ),
        ("f = lambda a, /, b, c: 0", "f = lambda a, b, /, c: 0"),
        ("class A:\n 'A'\n if a:\n  b()\n  c()\n else:\n  d()",
         "class A:\n 'A'\n if a:\n  b()\n else:\n  c()\n  d()"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["", "def around():"])
def test_where_lists_end_is_not_lost(before: str, after: str, around: str) -> None:
    """A statement that moves to the next branch is a change, which testmon's text does not show."""
    texts = [
        around + "".join(f"\n{' ' * bool(around)}{line}" for line in text.splitlines())
        for text in (before, after)
    ]
    one, other = (Walk(ast.parse(text), text.encode()).testmon_blocks() for text in texts)
    assert [block.text for block in one] == [block.text for block in other]
    assert digests(texts[0]) != digests(texts[1])


def test_where_the_arguments_by_position_end_is_not_lost() -> None:
    """It is part of the signature of a plain function."""
    one, other = blocks("def f(a, /, b, c): 0"), blocks("def f(a, b, /, c): 0")
    assert one.functions != other.functions


def test_a_docstring_under_a_decorator_is_import_time_code() -> None:
    """A decorator may read it, as commands do for their help."""
    text = '@command\ndef run():\n    """One."""\n'
    assert digests(text)[MODULE] != digests(text.replace("One", "Two"))[MODULE]


def test_lines_belong_to_the_innermost_function() -> None:
    """A line of a nested function is not the outer one's."""
    text = "def outer():\n    a = 1\n    def inner():\n        return a\n    return inner\n"
    found = blocks(text)
    names = [found.blocks[index].name for index in sorted(found.executed([4]))]
    assert names == ["outer.<locals>.inner"]


def test_one_line_functions_run_at_the_import_and_at_the_call() -> None:
    """Their line belongs to both, except while a plain one is defined."""
    found = blocks("def f(): return 1\n")
    assert found.executed([1]) == {0, 1}
    assert found.executed([1], importing=True) == {0}


def test_names_hold_what_the_code_mentions() -> None:
    """Names, attributes, arguments and short strings are all mentioned."""
    found = blocks("def f(a):\n    return a.b + getattr(c, 'd')\n").blocks[1]
    assert {"a", "b", "c", "d", "getattr"} <= found.names


def test_what_is_no_python_has_no_blocks() -> None:
    """A syntax error gives None, not an exception."""
    assert parse(b"def (") is None
    assert parse(b"a\0b") is None


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4))
def test_the_order_of_plain_functions_does_not_count(names: list[str]) -> None:
    """Functions that nothing uses may stand in any order."""
    texts = [f"def {name}():\n    return {name!r}\n" for name in names]
    one, other = digests("".join(texts)), digests("".join(reversed(texts)))
    assert one == other


def test_layouts_tell_where_the_text_of_a_function_stands() -> None:
    """A line above moves what is below it, a comment changes its own function, and the file."""
    before = {block.name: block.layout for block in blocks(BASE).blocks}
    moved = {block.name: block.layout for block in blocks(BASE.replace("class", "\nclass")).blocks}
    text = BASE.replace("+= by", "+= by  # more")
    commented = {block.name: block.layout for block in blocks(text).blocks}
    assert {name for name in before if moved[name] != before[name]} == before.keys()
    assert {name for name in before if commented[name] != before[name]} == {MODULE, "Box.grow"}


def test_mentions_are_found_by_their_statements() -> None:
    """A plain statement counts whole, of one that holds others its beginning."""
    text = """
import sys
if sys.exc_info(
)[2].tb_lineno:
    plain()
else:
    found = (
        1,
        getattr(sys, "tb_lineno"),
    )
def where(tb_lineno):
    return 1
"""
    words = frozenset(("tb_lineno",)), frozenset(("absent",))
    assert mentioning(ast.parse(text), *words) == [{3, 4, 7, 8, 9, 10, 11}, set()]


@pytest.mark.parametrize(
    "body", ['"""Only a docstring."""', "...", "global LIMIT", "value: int", '"""One."""; ...']
)
@pytest.mark.parametrize("head", ["def stub():", "@made\ndef stub(\n    value=1\n):"])
def test_the_call_of_a_function_without_lines_is_seen_by_its_head(head: str, body: str) -> None:
    """Where no line of a body runs, every line of the definition may be a call, or an import."""
    found = blocks(f"LIMIT = 1\n{head}\n    {body}\n")
    lines = range(2, 3 + head.count("\n"))
    assert all(found.executed([line]) == {0, 1} for line in lines)


def test_the_head_of_a_function_with_lines_is_its_definition() -> None:
    """Of any other function only the body tells of a call."""
    assert blocks("def work():\n    return 1\n").executed([1]) == {0}
