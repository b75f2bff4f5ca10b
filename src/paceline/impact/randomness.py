"""Random numbers that all tests share: those of the functions of `random` and `numpy.random`.

Once such a source was seeded, what a test draws depends on what those before it drew, unless the
test seeds it itself. Drawing is seen by the source's memory, seeding by functions put in the place
of those that do.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from paceline.impact.readers import states_of_numpy, states_of_random

#: Hypothesis puts back what it found, before the test ends.
_PUTTING_BACK: Final = "hypothesis"


@dataclass(slots=True)
class Source:
    """A source of random numbers.

    `left` is its state at the end of the last test, `seeded` whether the project determines it,
    `renewed` whether this test has seeded it before anything was drawn, `drawn` whether it drew
    from what it found.
    """

    name: str
    read: Callable[[], object]
    left: object
    seeded: bool
    renewed: bool = False
    drawn: bool = False

    def seed(self, function: Callable[[], Any], *, by_tool: bool) -> Any:
        """Call what seeds the source; of one that a tool seeds all that was before is gone."""
        if not self.renewed and self.read() != self.left:
            self.drawn = True
        result = function()
        self.renewed = self.renewed or not self.drawn
        self.seeded = not by_tool
        if by_tool:
            self.left = self.read()
        return result

    def end(self) -> tuple[bool, bool]:
        """Return whether the test that ends drew what it found, and left something else."""
        now = self.read()
        moved = now != self.left
        found = self.drawn or (moved and not self.renewed), moved and self.seeded
        self.left, self.renewed, self.drawn = now, False, False
        return found


class Randomness:
    """Watches the sources.

    `owner` returns the package of the code that called a function put in place by `replace`, None
    of none; `is_tool` tells whether that is a test tool.
    """

    def __init__(
        self,
        replace: Callable[[Any, str, Callable[[Any], Any]], None],
        owner: Callable[[int], str | None],
        is_tool: Callable[[int], bool],
    ) -> None:
        self._replace, self._owner, self._is_tool = replace, owner, is_tool
        self._sources: dict[str, Source] = {}

    def start(self) -> None:
        """Begin to watch `random`; `numpy.random` is watched once it is there."""
        shared = random._inst
        self._watch(random, lambda: states_of_random([shared]), ("seed", "setstate"), seeded=False)

    def end(self, *, in_test: bool) -> tuple[set[str], set[str]]:
        """Return of which sources the code that ends drew what it found, and left another.

        That is a test, or what was imported with a file.
        """
        ended = {one.name: one.end() for one in self._sources.values()}
        numpy = sys.modules.get("numpy.random")
        # It may be a stand-in, or on its way to be imported.
        there = isinstance(getattr(numpy, "mtrand", None), ModuleType)
        if there and "numpy.random" not in ended:
            used = self._find(numpy)
            ended["numpy.random"] = used and in_test, used
        return (
            {name for name, (drew, _) in ended.items() if drew},
            {name for name, (_, left) in ended.items() if left},
        )

    def _find(self, numpy: Any) -> bool:
        """Begin to watch a source that was imported meanwhile; return whether it was used."""
        shared = numpy.mtrand._rand
        used = not _is_as_imported(shared)  # whether it was seeded cannot be told then
        self._watch(numpy, lambda: states_of_numpy([shared]), ("seed", "set_state"), seeded=used)
        return used

    def _watch(
        self, module: Any, read: Callable[[], object], functions: tuple[str, ...], *, seeded: bool
    ) -> None:
        source = Source(module.__name__, read, read(), seeded)
        self._sources[module.__name__] = source

        def seeding(original: Callable[..., Any]) -> Callable[..., Any]:
            def seed(*args: Any, **kwargs: Any) -> Any:
                if self._owner(2) == _PUTTING_BACK:
                    return original(*args, **kwargs)
                by_tool = self._is_tool(2)
                return source.seed(lambda: original(*args, **kwargs), by_tool=by_tool)

            return seed

        for name in functions:
            self._replace(module, name, seeding)


def _is_as_imported(shared: Any) -> bool:
    """Return whether nothing was seeded, nor drawn (NumPy, _mt19937.pyx: _legacy_seeding)."""
    state = shared.get_state(legacy=False)["state"]
    return bool(state["pos"] == 623 and state["key"][0] == 0x80000000)
