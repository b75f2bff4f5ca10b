"""Globals that several modules have by one name, as after `from app import settings`.

All of them get at the same object by the same name, so one look at it is enough: the root that
came first has it, the others leave it to that one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

#: A global: its name, and the identity of the object.
_Global = tuple[str, int]


class Sharing:
    """Which root of a look has which global, and who leaves it to that one."""

    def __init__(self) -> None:
        self._owners: dict[_Global, str] = {}
        self._owned: defaultdict[str, set[_Global]] = defaultdict(set)
        self._left: defaultdict[str, set[_Global]] = defaultdict(set)
        self._root = ""
        self._may_own = False
        self._before: set[_Global] = set()

    def begin(self, root: str, *, may_own: bool) -> None:
        """Begin a look at `root`; it `may_own` something only if it is compared each time."""
        self._root, self._may_own = root, may_own
        self._before = self._owned.pop(root, set())
        self._left.pop(root, None)

    def is_elsewhere(self, name: str, identity: int) -> bool:
        """Return whether another root has this global of the one that is looked at."""
        one = (name, identity)
        owner = self._owners.get(one, self._root)
        if owner != self._root:
            self._left[self._root].add(one)
            return True
        if self._may_own:
            self._owners[one] = owner
            self._owned[owner].add(one)
        return False

    def end(self) -> set[str]:
        """End the look; return the roots that left to this one what it has no longer."""
        return self._without(self._before - self._owned.get(self._root, set()))

    def give_up(self, roots: Collection[str]) -> set[str]:
        """Let `roots` have nothing; return the others that had left something to them."""
        given_up = set[_Global]().union(*(self._owned.pop(root, set()) for root in roots))
        for root in roots:
            self._left.pop(root, None)
        return self._without(given_up)

    def _without(self, lost: set[_Global]) -> set[str]:
        for one in lost:
            self._owners.pop(one, None)
        return {root for root, left in self._left.items() if lost and not lost.isdisjoint(left)}
