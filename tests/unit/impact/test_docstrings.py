"""Which docstrings something may read while their file is imported."""

from __future__ import annotations

import pytest

from paceline.impact.source import parse

KEPT = {
    "no base": "class A:\n    'One.'\n",
    "builtin base": "class A(ValueError, dict):\n    'One.'\n",
    "base of this file": "class B(Exception):\n    x = 1\nclass A(B):\n    'One.'\n",
    "imported base": "from enum import Enum as E\nclass A(E):\n    'One.'\n",
    "base by its module": "import typing as t\nclass A(t.Generic[T], t.Protocol):\n    'One.'\n",
    "metaclass": "from abc import ABCMeta\nclass A(metaclass=ABCMeta):\n    'One.'\n",
    "option": "from typing import TypedDict\nclass A(TypedDict, total=False):\n    'One.'\n",
    "called base": (
        "from collections import namedtuple\nclass A(namedtuple('B', 'c')):\n    'One.'\n"
    ),
    "property": "class A:\n    @property\n    def b(self):\n        'One.'\n",
    "setter": (
        "class A:\n    @property\n    def b(self): 1\n"
        "    @b.setter\n    def b(self, value):\n        'One.'\n"
    ),
    "called decorator": "import functools\n@functools.lru_cache(maxsize=1)\ndef a():\n    'One.'\n",
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    'One.'\n"
    ),
    "fixture": "import pytest\n@pytest.fixture\ndef a():\n    'One.'\n",
    "mark": "import pytest\n@pytest.mark.parametrize('b', [1])\ndef test_a(b):\n    'One.'\n",
    "inner class": "class B:\n    class A(Exception):\n        'One.'\n",
}
SHOWN = {
    "decorator": "import click\n@click.command()\ndef a():\n    'One.'\n",
    "decorator of this file": "def command(f): return f\n@command\ndef a():\n    'One.'\n",
    "class that decorates": "class B:\n    x = 1\n@B\ndef a():\n    'One.'\n",
    "decorator that is kept": (
        "from flask import Flask\napp = Flask()\n@app.get('/')\ndef a():\n    'One.'\n"
    ),
    "imported base": "from pydantic import BaseModel\nclass A(BaseModel):\n    'One.'\n",
    "base of another file": "from .base import Base\nclass A(Base):\n    'One.'\n",
    "base with such a base": (
        "from pydantic import BaseModel\nclass B(BaseModel): 1\nclass A(B):\n    'One.'\n"
    ),
    "metaclass": "from x import Meta\nclass A(metaclass=Meta):\n    'One.'\n",
    "metaclass of this file": "class M(type): 1\nclass A(metaclass=M):\n    'One.'\n",
    "metaclass of a metaclass": (
        "class L(type): 1\nclass M(L): 1\nclass A(metaclass=M):\n    'One.'\n"
    ),
    "base that sees it": (
        "class B:\n    def __init_subclass__(cls): register(cls)\nclass A(B):\n    'One.'\n"
    ),
    "base that derives from itself": "class A(A):\n    'One.'\n",
    "builtin name that is bound": "Exception = other()\nclass A(Exception):\n    'One.'\n",
    "builtin name that is imported": "from x import property\n@property\ndef a():\n    'One.'\n",
    "builtin name of a method": (
        "class A:\n    def property(f): return f\n    @property\n    def b(self):\n        'One.'\n"
    ),
    "builtin name of an inner class": (
        "class B:\n    class Error(Base): 1\n    class ValueError(Base): 1\n"
        "    class A(ValueError):\n        'One.'\n"
    ),
    "all names imported": "from x import *\nclass A(Exception):\n    'One.'\n",
    "one of two imports": (
        "try:\n    from enum import StrEnum\nexcept ImportError:\n    from strenum import StrEnum\n"
        "class A(StrEnum):\n    'One.'\n"
    ),
    "two classes of a name": ("if x:\n    class B(Base): 1\nclass B: 1\nclass A(B):\n    'One.'\n"),
    "partial": "import functools\n@functools.partial(command)\ndef a():\n    'One.'\n",
    "in a function": "def f(property):\n    @property\n    def a():\n        'One.'\n",
    "library that reads": "from cmd import Cmd\nclass A(Cmd):\n    'One.'\n",
}


def changes(text: str) -> tuple[bool, bool]:
    """Return whether another docstring changes the import-time code, and that of docstrings."""
    one, other = parse(text.encode()), parse(text.replace("One.", "Two.").encode())
    assert one is not None and other is not None
    return (
        one.blocks[0].digest != other.blocks[0].digest,
        one.docstrings != other.docstrings,
    )


@pytest.mark.parametrize("case", KEPT)
def test_a_docstring_that_nothing_reads_at_import_is_no_code(case: str) -> None:
    """Python's own library and pytest keep the docstrings of what they decorate or derive."""
    assert changes(KEPT[case]) == (False, True)


@pytest.mark.parametrize("case", SHOWN)
def test_a_docstring_that_may_be_read_at_import_is_code(case: str) -> None:
    """A decorator or a base class may take it as a help text."""
    assert changes(SHOWN[case]) == (True, False)
