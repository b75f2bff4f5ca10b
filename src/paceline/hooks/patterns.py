"""The patterns that start a hook: joining them, and what they match.

pre-commit runs a hook if a file's path is found (`re.search`) by `files` and not by `exclude`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: Matches no path: pre-commit's default of `exclude`.
NOTHING = "^$"
_FLAGS = re.compile(r"\(\?([aiLmsux]+)\)")
#: Refers to a group by number or name, which joining may change.
_REFERENCE = re.compile(r"\\[1-9]|\(\?P|\(\?\(")


def problem(pattern: str) -> str:
    """Return why `pattern` cannot be used, empty if it can."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return ""


def joinable(pattern: str) -> bool:
    """Return whether `pattern` means the same inside a larger expression."""
    return not problem(pattern) and not _REFERENCE.search(pattern)


def join(patterns: Sequence[str]) -> str:
    """Return one pattern that finds exactly what any of `patterns`, which are joinable, finds.

    Written over several lines where that changes no pattern's meaning.
    """
    distinct = list(dict.fromkeys(patterns))
    if len(distinct) == 1:
        return distinct[0]
    if any(re.search(r"\s|#|\(\?[aiLmsux]+\)", pattern) for pattern in distinct):
        return "|".join(_scoped(pattern) for pattern in distinct)
    return "(?x)\n" + "\n| ".join(["", *distinct]).removeprefix("\n| ")


def _scoped(pattern: str) -> str:
    flags = _FLAGS.match(pattern)
    if flags is None:
        return f"(?:{pattern})"
    rest = pattern[flags.end() :]
    # A comment at the end of a verbose pattern would swallow the bracket.
    return f"(?{flags[1]}:{rest}{chr(10) if 'x' in flags[1] else ''})"


def triggering(files: Iterable[str], pattern: str, exclude: str) -> frozenset[str]:
    """Return which of `files` start a hook with `pattern` and `exclude`."""
    wanted, unwanted = re.compile(pattern), re.compile(exclude or NOTHING)
    return frozenset(name for name in files if wanted.search(name) and not unwanted.search(name))


def globs(pattern: str) -> tuple[str, ...]:
    """Return globs that match at least the paths that `pattern` finds.

    Anchored folders, files and suffixes become themselves; whatever is not understood
    becomes `**/*`, which matches too much and never too little.
    """
    body = pattern.removeprefix("(?x)")
    if body != pattern:
        body = re.sub(r"\s+", "", body)
    found = [_glob(part) for part in _alternatives(body)]
    if not found or any(not glob for glob in found):
        return ("**/*",)
    return tuple(dict.fromkeys(glob for glob in found if glob))


def _alternatives(body: str) -> list[str]:
    """Split at the bars outside brackets, and multiply out one plain group."""
    depth, start, parts = 0, 0, []
    escaped = False
    for place, char in enumerate(body):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "|" and depth == 0:
            parts.append(body[start:place])
            start = place + 1
    parts.append(body[start:])
    return [whole for part in parts for whole in _multiplied(part)]


def _multiplied(part: str) -> list[str]:
    optional = re.search(r"(?<!\\)(\w)\?", part)
    if optional:
        without = part[: optional.start()] + part[optional.end() :]
        having = part[: optional.end(1)] + part[optional.end() :]
        return [*_multiplied(having), *_multiplied(without)]
    group = re.search(r"\((?:\?:)?([^()\[\]\\?*+]*(?:\\\.[^()\[\]\\?*+]*)*)\)(?![?*+{])", part)
    if group is None:
        return [part]
    return [
        whole
        for choice in group[1].split("|")
        for whole in _multiplied(part[: group.start()] + choice + part[group.end() :])
    ]


def _glob(part: str) -> str:
    """Return the glob for one alternative without groups; empty if it is not understood."""
    anchored, ended = part.startswith("^"), part.endswith("$") and not part.endswith("\\$")
    body = part[1 if anchored else 0 : len(part) - (1 if ended else 0)]
    text = body.replace("\\.", "\0").replace("\\-", "-").replace("\\/", "/")
    text = re.sub(r"\.\*", "\1", text)
    if re.search(r"[^\w\0\1/\-@ ]", text):
        return ""
    text = text.replace("\0", ".")
    return _anywhere(text, anchored, ended)


def _anywhere(text: str, anchored: bool, ended: bool) -> str:
    if "\1" in text:
        # `.*` crosses folders: keep only what comes before it, and a suffix without a folder.
        head, tail = text.split("\1", maxsplit=1)[0], text.rsplit("\1", maxsplit=1)[-1]
        folder = head.rpartition("/")[0] if anchored else ""
        suffix = tail if ended and "/" not in tail else ""
        return f"{folder}/**/*{suffix}" if folder else f"**/*{suffix}"
    if anchored and ended:
        return text
    if anchored:
        folder, _, start = text.rpartition("/")
        if not start:
            return f"{folder}/**"
        return ""  # a path that merely starts so: a file, or any folder
    if ended and "/" not in text:
        return f"**/*{text}"
    return ""
