"""Coverage as numbers: lines and branches of files, and sums over them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

#: From a line to a line; negative lines are the exits of functions, as coverage numbers them.
Branch = tuple[int, int]


@dataclass(frozen=True)
class FileFigures:
    """One file: the first lines of its statements, and its branches."""

    path: str
    executed: frozenset[int]
    missing: frozenset[int]
    excluded: frozenset[int] = frozenset()
    taken: frozenset[Branch] = frozenset()
    not_taken: frozenset[Branch] = frozenset()
    #: All lines of the file that begin a statement, also where this is only a part of it.
    statements: frozenset[int] = frozenset()

    def on_lines(self, lines: Collection[int]) -> FileFigures:
        """Return the part of the file that begins on `lines`."""
        chosen = frozenset(lines)
        return FileFigures(
            self.path,
            self.executed & chosen,
            self.missing & chosen,
            self.excluded & chosen,
            frozenset(branch for branch in self.taken if branch[0] in chosen),
            frozenset(branch for branch in self.not_taken if branch[0] in chosen),
            self.statements,
        )


@dataclass(frozen=True)
class Total:
    """A sum over files. `percent` is coverage's own: lines and branches count alike."""

    lines: int = 0
    covered_lines: int = 0
    branches: int = 0
    covered_branches: int = 0

    @property
    def percent(self) -> float:
        """What is covered, from 0 to 100; 100 where there is nothing to cover."""
        whole = self.lines + self.branches
        return 100.0 * (self.covered_lines + self.covered_branches) / whole if whole else 100.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to cover."""
        return not (self.lines or self.branches)


def total(files: Iterable[FileFigures]) -> Total:
    """Return the sum over `files`."""
    listed = list(files)
    return Total(
        lines=sum(len(file.executed) + len(file.missing) for file in listed),
        covered_lines=sum(len(file.executed) for file in listed),
        branches=sum(len(file.taken) + len(file.not_taken) for file in listed),
        covered_branches=sum(len(file.taken) for file in listed),
    )


def shown(percent: float, digits: int = 2) -> str:
    """Return `percent` as text, such as 92.31 %; 100 and 0 are shown only where they are exact.

    Cut, never rounded up: a figure below a limit must not look as if it had reached it.
    """
    step = 10.0**digits
    # The small addition undoes the noise of binary fractions, as in 0.29 * 100.
    cut = int(percent * step + 1e-6) / step
    return f"{cut:.{digits}f} %" if 0.0 < percent < 100.0 else f"{percent:.{digits}f} %"


def ranges(lines: Iterable[int], statements: Iterable[int]) -> list[tuple[int, int]]:
    """Return `lines` as runs (first, last): no other of the `statements` lies between."""
    wanted = set(lines)
    found: list[tuple[int, int]] = []
    before = False
    for line in sorted({*statements, *wanted}):
        if line in wanted:
            found[-1:] = [(found[-1][0], line)] if before else [*found[-1:], (line, line)]
        before = line in wanted
    return found


def named(file: FileFigures) -> str:
    """Return what is not covered in `file` for people, such as `3-5, 9, 12->14`."""
    texts = [
        str(first) if first == last else f"{first}-{last}"
        for first, last in ranges(file.missing, file.statements)
    ]
    texts += [f"{start}->{end if end > 0 else 'exit'}" for start, end in partial(file)]
    return ", ".join(texts)


def partial(file: FileFigures) -> list[Branch]:
    """Return the branches not taken between lines that ran: the others, the lines tell already."""
    return sorted(branch for branch in file.not_taken if not file.missing.intersection(branch))
