"""The only place that prints: results to standard output, progress to standard error."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.spinner import Spinner

#: Between two columns of a table.
GAP = "  "
#: A last column narrower than this moves to a line of its own.
NARROWEST = 24
#: What a style is made of, as a terminal knows it (ECMA-48, select graphic rendition).
CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


@dataclass(frozen=True)
class Row:
    """The cells of one table row, and the style of the whole row: words of `CODES`, or none."""

    cells: tuple[str, ...]
    style: str = ""


@dataclass(frozen=True)
class Line:
    """One line of text and its style: words of `CODES`, or none."""

    text: str
    style: str = ""


class View(Protocol):
    """Shows work while it goes on."""

    def started(self, name: str, expected_seconds: float | None) -> None:
        """Show that `name` is running, and how long it is likely to take."""
        ...

    def finished(self, name: str, line: Line) -> None:
        """Show `line`, which says what came of `name`."""
        ...


def out(text: str) -> None:
    """Write `text` to standard output as it is, ending with a line break."""
    _write(sys.stdout, text)


def err(text: str) -> None:
    """Write `text` to standard error as it is, ending with a line break."""
    _write(sys.stderr, text)


def out_lines(lines: Sequence[Line]) -> None:
    """Write styled `lines` to standard output; never wrapped, cut or padded."""
    _styled(sys.stdout, lines)


def width(stream: TextIO | None = None) -> int | None:
    """Return how many columns `stream` (standard output) shows; None if not a terminal."""
    if not _is_terminal(stream or sys.stdout):
        return None
    return shutil.get_terminal_size().columns


def layout(header: Sequence[str], rows: Sequence[Row], limit: int | None) -> list[Line]:
    """Return `rows` below `header` as aligned lines of at most `limit` columns (None: any).

    Only the last column gives way: it is wrapped below itself, or, where little room is
    left, moves to indented lines of its own.
    """
    table = [Row(tuple(header), "bold"), *rows]
    fixed = len(header) - 1
    widths = [max(len(row.cells[column]) for row in table) for column in range(fixed)]
    lines: list[Line] = []
    for row in table:
        start = "".join(
            cell.ljust(size) + GAP for cell, size in zip(row.cells, widths, strict=False)
        )
        lines += [Line(text, row.style) for text in _fit(start, row.cells[-1], limit)]
    return lines


def _fit(start: str, last: str, limit: int | None) -> list[str]:
    if limit is None or not last or len(start) + len(last) <= limit:
        return [(start + last).rstrip()]
    room = limit - len(start)
    if room >= NARROWEST:
        first, *more = textwrap.wrap(last, room)
        return [start + first, *(" " * len(start) + text for text in more)]
    # words longer than the room (paths) stay whole: broken, they cannot be copied
    below = textwrap.wrap(last, max(limit - 4, 10), break_long_words=False)
    return [start.rstrip(), *(f"    {text}" for text in below)]


@contextlib.contextmanager
def live() -> Iterator[View]:
    """Show work on standard error: spinners on a terminal, nothing elsewhere."""
    if not _is_terminal(sys.stderr):
        yield _QuietView()
        return
    from rich.console import Console
    from rich.live import Live

    view = _LiveView()
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    with Live(get_renderable=view.render, console=console, transient=True, refresh_per_second=8):
        yield view


class _QuietView:
    """Says nothing: in a log, the closing table holds it all."""

    def started(self, name: str, expected_seconds: float | None) -> None:
        pass

    def finished(self, name: str, line: Line) -> None:
        pass


class _LiveView:
    """Finished lines above a spinner for each running step; gone when the work is done."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[float, float | None, Spinner]] = {}
        self._done: list[Line] = []

    def started(self, name: str, expected_seconds: float | None) -> None:
        from rich.spinner import Spinner

        self._running[name] = (time.monotonic(), expected_seconds, Spinner("dots"))

    def finished(self, name: str, line: Line) -> None:
        self._running.pop(name, None)
        self._done.append(line)

    def render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        # copies: rich renders in a thread of its own
        parts: list[RenderableType] = [
            Text(line.text, style=line.style, no_wrap=True, overflow="ellipsis")
            for line in list(self._done)
        ]
        for name, (since, expected, spinner) in list(self._running.items()):
            spinner.update(text=Text(_progress(name, time.monotonic() - since, expected)))
            parts.append(spinner)
        return Group(*parts)


def _progress(name: str, seconds: float, expected: float | None) -> str:
    left = "" if expected is None else f", about {max(0.0, expected - seconds):.0f} s left"
    return f"{name}  {seconds:.0f} s{left}"


def _is_terminal(stream: TextIO) -> bool:
    # asked here, not of rich: there FORCE_COLOR counts as a terminal, and cursor movement
    # would end up in the logs of CI
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _styled(stream: TextIO, lines: Sequence[Line]) -> None:
    # not by rich: loading it takes longer than a push that receipts prove
    coloured = _is_coloured(stream)
    for line in lines:
        codes = ";".join(CODES[word] for word in line.style.split()) if coloured else ""
        _write(stream, f"\x1b[{codes}m{line.text}\x1b[0m" if codes else line.text)


def _is_coloured(stream: TextIO) -> bool:
    """Say what https://no-color.org and https://force-color.org ask for."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or _is_terminal(stream)


def _write(stream: TextIO, text: str) -> None:
    stream.write(_encodable(stream, text if text.endswith("\n") else f"{text}\n"))
    stream.flush()


def _encodable(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
