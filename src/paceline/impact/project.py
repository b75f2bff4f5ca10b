"""The project as it is now, as far as selection asks for it."""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from paceline.impact import inputs, source
from paceline.impact.recorder import Need

#: Words by which code hands docstrings to a library that reads them, and by which other files do.
_DOCSTRINGS_IN_CODE = re.compile(
    rb"\bhelp\(|\b(docopt|doctest|pydoc)\b"
    rb"|\b(import|from)\s+(clize|cmd|fastapi|fire|plac|sphinx|typer|xmlrpc)\b"
)
_DOCSTRINGS_IN_TEXTS = re.compile(rb"__doc__|getdoc|pydoc")
#: What people read: a tool that it names reads no docstrings when tests run.
_PROSE = (".md", ".rst", ".txt", "docs/conf.py")

#: Words by which code looks through a namespace, or for a name that it makes up, where every new
#: name may count; libraries that do so with what they are given.
_ENUMERATES = re.compile(
    rb"\b(dir|vars|globals|locals|getmembers|eval|exec|attrgetter|methodcaller)\s*\("
    rb"|__dict__|import\s+\*|__getattr__"
    rb"|\b(getattr|setattr|hasattr)\b(?!\s*\()"
    rb"|\b([gs]et|has)attr\s*\((?:[^,()]|\([^()]*\))*,(?!\s*r?['\"][^'\"]*['\"]\s*[,)])"
    rb"|\b(import|from)\s+(cmd|fire|xmlrpc)\b"
)


@dataclass
class Project:
    """The present state of the project at `root`, read when asked for and kept."""

    root: Path
    environ: Mapping[str, str]
    #: Code that is used and lies elsewhere, by absolute path.
    outside: frozenset[str] = frozenset()
    _values: dict[tuple[Need, str], str] = field(default_factory=dict)
    _sources: dict[str, source.Source | None] = field(default_factory=dict)

    def absolute(self, name: str) -> str:
        """Return the absolute path of a path as records name it."""
        return os.path.normpath(os.path.join(self.root, name))

    def value(self, need: Need, name: str) -> str:
        """Return the present value of an input."""
        key = (need, name)
        if key not in self._values and need is Need.DEFAULTS:
            path, _, function = name.rpartition("::")
            parsed = self.parsed(path)
            self._values[key] = parsed.defaults(function) if parsed else ""
        elif key not in self._values:
            place = name if need is Need.VARIABLE else self.absolute(name)
            self._values[key] = inputs.value(need, place, self.environ)
        return self._values[key]

    def parsed(self, path: str) -> source.Source | None:
        """Return the blocks of a file as it is now, None if it is gone or no Python."""
        if path not in self._sources:
            try:
                text = Path(self.absolute(path)).read_bytes()
            except OSError:
                text = b"("
            self._sources[path] = source.parse(text)
        return self._sources[path]

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All files of the project but what test runs leave behind, relative to the root."""
        return tuple(inputs.files(self.root))

    @cached_property
    def texts(self) -> Mapping[str, bytes]:
        """The content of all files that may mention a name."""
        found: dict[str, bytes] = {}
        for name in (*self.files, *self.outside):
            path = self.root / name
            try:
                if path.is_file() and path.stat().st_size < 1_000_000:
                    found[name] = path.read_bytes()
            except OSError:
                continue
        return found

    @cached_property
    def docstrings_count(self) -> bool:
        """Whether something may read docstrings that is no code of the project."""
        return any(
            (_DOCSTRINGS_IN_CODE if path.endswith(".py") else _DOCSTRINGS_IN_TEXTS).search(text)
            for path, text in self.texts.items()
            if not path.endswith(_PROSE)
        )

    def is_unused(self, name: str, home: str) -> bool:
        """Return whether nothing can notice that the plain function `name` of `home` exists."""
        if name.lower().startswith(("pytest_", "setup", "teardown", "__", "load_tests")):
            return False
        if Path(home).name == "conftest.py" or hasattr(builtins, name):
            return False
        word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
        definition = re.compile(rb"\bdef\s+" + re.escape(name.encode()) + rb"\b")
        pieces = _quoted_pieces(name)
        for path, text in self.texts.items():
            if path.endswith(".py") and (_ENUMERATES.search(text) or pieces.search(text)):
                return False
            allowed = len(definition.findall(text)) if path == home else 0
            if allowed > 1 or len(word.findall(text)) > allowed:
                return False
        return True


def _quoted_pieces(name: str) -> re.Pattern[bytes]:
    """Match a quoted beginning or end of `name`: how code makes up names, as in f"do_{kind}"."""
    text = name.encode()
    starts = b"|".join(re.escape(text[:length]) for length in range(2, len(text) + 1))
    ends = b"|".join(re.escape(text[length:]) for length in range(len(text) - 1))
    first = text[:1]
    return re.compile(
        rb"""['"](?:%s)(?:['"]|\{|%%)|['"]%s(?:\{|%%)|(?:['"]|\})(?:%s)['"]"""
        % (starts, first, ends)
    )
