"""Takes sources apart while pytest or coverage has parsed them, so that no tree is made twice."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _pytest.assertion import rewrite

from paceline.impact.parsing import Parsing
from paceline.impact.replacing import replace


def follow_pytest(parsing: Parsing) -> Callable[[], None]:
    """Take what pytest rewrites assertions in, before it changes the tree; return what ends it."""

    def reading(original: Callable[..., None]) -> Callable[..., None]:
        def rewrite_asserts(mod: Any, source: bytes, *args: Any, **options: Any) -> None:
            path = args[0] if args else options.get("module_path")
            if isinstance(path, str):
                parsing.of(path, source, mod)
            original(mod, source, *args, **options)

        return rewrite_asserts

    return replace(rewrite, "rewrite_asserts", reading)


def follow_coverage(parsing: Parsing) -> Callable[[], None]:
    """Take what coverage analyses for its reports; return what ends that.

    It keeps the tree until it has found all arcs (coverage 7.6 to 7.17, parser.py).
    """
    from coverage.parser import PythonParser

    def reading(original: Callable[..., None]) -> Callable[..., None]:
        def parse_source(self: Any) -> None:
            original(self)
            tree = getattr(self, "_ast_root", None)
            path = os.path.abspath(self.filename)
            text = _as_parsed(Path(path), self.text)
            if isinstance(tree, ast.Module) and text is not None:
                parsing.of(path, text, tree)

        return parse_source

    return replace(PythonParser, "parse_source", reading)


def _as_parsed(path: Path, parsed: str) -> bytes | None:
    """Return the content of a file if it is what was parsed."""
    try:
        text = path.read_bytes()
    except OSError:
        return None
    return text if parsed.encode() in (text, text + b"\n") else None
