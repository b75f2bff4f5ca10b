"""Which blocks of a file ran, told from what was traced: once for all who divide it into blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, reduce
from operator import or_

from paceline.impact.recording import Traced
from paceline.impact.tracer import unpack

#: The blocks of each line, as bits, and those of all lines that are not among them.
Lines = tuple[Mapping[int, int], int]


class Owners:
    """The owners of lines and arcs in a file that is divided in several ways.

    Tests run hundreds of arcs of a file, most of them in few blocks. So all lines that are in the
    same blocks in every division are one cell, and what many tests ran is worked out for one.
    """

    def __init__(self, divisions: Callable[[], Sequence[Lines]]) -> None:
        self._cells = _Cells(divisions)
        self._found: dict[Traced, tuple[int, ...]] = {}

    @property
    def divisions(self) -> Sequence[Lines]:
        """The ways in which the file is divided."""
        return self._cells.divisions

    def of(self, seen: Traced) -> tuple[int, ...]:
        """Return in which blocks lies what was seen, as bits, for each division."""
        found = self._found.get(seen)
        if found is None:
            cells = set(map(self._cells.__getitem__, seen))
            rows = map(self._cells.blocks.__getitem__, cells)
            found = tuple(reduce(or_, column) for column in zip(*rows, strict=True))
            self._found[seen] = found = found or (0,) * len(self.divisions)
        return found


class _Cells(dict[object, int]):
    """The cell of each line or arc: that of its lines, or of both together. `blocks` has theirs."""

    def __init__(self, divisions: Callable[[], Sequence[Lines]]) -> None:
        super().__init__()
        self._divisions = divisions
        self._lines: dict[int, int] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self.blocks: list[tuple[int, ...]] = []

    @cached_property
    def divisions(self) -> Sequence[Lines]:
        """The ways in which the file is divided, worked out when first asked for."""
        return self._divisions()

    def __missing__(self, item: object) -> int:
        first, second = unpack(item)
        one = self._of_line(abs(first or second))
        other = self._of_line(abs(second or first))
        cell = one if one == other else self._both(one, other)
        self[item] = cell
        return cell

    def _of_line(self, line: int) -> int:
        cell = self._lines.get(line)
        if cell is None:
            blocks = tuple(known.get(line, other) if line else 0 for known, other in self.divisions)
            cell = self._lines[line] = self._number(blocks)
        return cell

    def _both(self, *cells: int) -> int:
        first, second = (self.blocks[cell] for cell in cells)
        return self._number(tuple(map(or_, first, second)))

    def _number(self, blocks: tuple[int, ...]) -> int:
        number = self._numbers.setdefault(blocks, len(self.blocks))
        if number == len(self.blocks):
            self.blocks.append(blocks)
        return number
