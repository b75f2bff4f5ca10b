"""Classes and functions that are looked at as a global of their own module, and found elsewhere.

What changes of them has changed for everyone who finds them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

from paceline.impact.modules import name_in
from paceline.impact.reached import Change, Home, Label, Look


class Lending:
    """Who finds what in the looks, which are given by key; made anew when asked after `forget`."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = looks
        self._borrowers: dict[Home, set[tuple[str, Label]]] | None = None
        self._lenders: set[str] = set()

    def forget(self) -> None:
        """Take note that a look has changed in what it finds."""
        self._borrowers = None

    def lenders(self) -> Set[str]:
        """Return the names of modules of which anything is found in another one."""
        self._found()
        return self._lenders

    def _found(self) -> dict[Home, set[tuple[str, Label]]]:
        """Return by whom and under which label each class or function is found."""
        if self._borrowers is None:
            found: defaultdict[Home, set[tuple[str, Label]]] = defaultdict(set)
            self._lenders = set()
            for key, look in self._looks.items():
                module = name_in(key)
                for home, labels in look.borrowed.items():
                    found[home] |= {(module, label) for label in labels}
                    if home[0] != module:
                        self._lenders.add(home[0])
            self._borrowers = found
        return self._borrowers

    def spread(
        self, module: str, changes: Mapping[Label, Change]
    ) -> Iterator[tuple[Label, Change]]:
        """Yield what changed of a module, and what of others leads to its classes and functions."""
        queue = [(module, label, change) for label, change in changes.items()]
        found = self._found()
        seen: set[tuple[str, Label]] = set()
        while queue:
            module, label, change = queue.pop()
            yield label, change
            for name in label:
                new = found.get((module, name), set()) - seen
                seen |= new
                queue += [(*place, change) for place in new]
