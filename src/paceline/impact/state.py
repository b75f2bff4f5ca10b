"""State that outlives a test: what a test leaves behind in modules, classes and fixtures.

A later test that uses it did not run the code that made it. So after each test all that can be
reached from the project's modules and from wide fixtures is compared with what it was: at once
what has not changed until now, module by module the rest. A test module that nobody imports rests
while other tests run, until it changes meanwhile. Nothing but values that never change is kept
alive.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from types import ModuleType
from typing import Any, Final, NamedTuple

from paceline.impact import counting, readers, surroundings
from paceline.impact.foreign import Foreign
from paceline.impact.grouping import Group, Grouping, module_of
from paceline.impact.lending import Lending
from paceline.impact.modules import Modules, file_in, key_of, name_in
from paceline.impact.reach import Explorer
from paceline.impact.reached import Change, Label, Level, Look
from paceline.impact.roots import Parts, of_fixture, of_module, parts
from paceline.impact.sharing import Sharing
from paceline.impact.ways import Entry

#: Larger modules are looked at in parts, so that a change of one does not cost a look at all; of
#: one that changed a few times the parts are small.
_LARGEST = 500
_SMALL = 50

#: After so many comparisons modules that rest are compared as well; at first more often.
_NOW_AND_THEN = 64

#: What nothing is like.
_NEVER: Final = [Level(b"nothing")]


class Late(NamedTuple):
    """What changed in a module that rested since its last comparison, of which it has the number.

    Any of the tests that were compared since may have done it.
    """

    since: int
    labels: Set[Label]


class _Resting(NamedTuple):
    """A module that rests: its name and file, and after how many comparisons it was compared.

    When there were `due` comparisons, it is compared whether or not it was woken.
    """

    name: str
    file: str
    compared: int
    due: int


class State:
    """Compares what is reachable from the project's modules and from wide fixtures."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._looks: dict[str, Look] = {}
        #: The parts of each module, None of one that is looked at as a whole.
        self._parts: dict[str, Parts | None] = {}
        self._grouping = Grouping(self._looks, self._parts)
        self._sharing = Sharing()
        self._explorer = Explorer(counts, self._sharing.is_elsewhere)
        self._modules = Modules(counts)
        #: The modules at the last comparison.
        self._compared: dict[str, ModuleType] = {}
        #: Values of fixtures that outlive a test, each in a list, by the fixture's name.
        self._fixtures: dict[str, list[object]] = {}
        self._lending = Lending(self._looks)
        self._resting: dict[str, _Resting] = {}
        #: The keys of those that rest by name and by file, and when the first of them is due.
        self._called: defaultdict[str, set[str]] = defaultdict(set)
        self._first_due = 0
        self._awake: set[str] = set()
        self._process = surroundings.read()
        self._foreign = Foreign()

    def add(self, module: ModuleType) -> None:
        """Take the state of `module`, just imported, as its first; of one made anew as changed."""
        key = key_of(module)
        readers.learn()
        self._modules.add(module)
        if key in self._parts:
            self._lose_homes({module.__name__})
        else:
            self._look(key, of_module(module))
            self._divide(key, module)

    def add_fixture(self, name: str, value: Any) -> None:
        """Watch what a fixture that outlives its test has returned."""
        self.drop_fixture(name)
        self._fixtures[name] = [value]
        self._look(f"\0{name}", of_fixture(name, self._fixtures[name]))

    def add_namespaces(self, name: str, namespaces: Mapping[str, Mapping[Any, Any]]) -> None:
        """Watch what tests set in `namespaces` of a thing that is not the project's, by owner."""
        self._foreign.add(name, namespaces)

    def drop_fixture(self, name: str) -> None:
        """Forget a fixture that was torn down, and keep its value no longer."""
        self._fixtures.pop(name, []).clear()

    def rest(self, module: ModuleType) -> None:
        """From now on compare `module` only after it was woken."""
        key = key_of(module)
        if key in self._compared:
            self._note_compared(key)
            self._grouping.leave_out(key)
            self._let_others_look(key)

    def _let_others_look(self, key: str) -> None:
        """Have others look at what they had left to a module that rests now."""
        names = self._sharing.give_up([name for name in self._looks if module_of(name) == key])
        keys = {module_of(name) for name in names}
        modules = {key: module for key, module in self._compared.items() if key in keys}
        for name, root in self._roots(modules).items():
            if name in names:
                self._look(name, root)
                self._grouping.arrange_anew(name)

    def wake(self, files: Set[str] | None = None, asked: Set[str] = frozenset()) -> list[Late]:
        """Compare the modules that rest if one of `files` is theirs, or `asked` has their name.

        With no `files` all are, and now and then. Return what changed in them while they rested;
        what will have changed from now on the next call of `changed` tells.
        """
        now = self._grouping.comparisons
        woken = ({*self._resting} if files is None else self._woken(files, asked)) - self._awake
        self._awake |= woken
        found: list[Late] = []
        late = sorted(key for key in woken if self._resting[key].compared < now)
        modules = self._modules.present() if late else {}
        for key in late:
            if key not in modules:
                continue
            since = self._resting[key].compared
            if changes := dict(self._compare_modules(modules, (key,))):
                found.append(Late(since, changes.keys()))
                self._rest_no_more(key)
        return found

    def _woken(self, files: Set[str], asked: Set[str]) -> set[str]:
        """Return which modules that rest are of these files or names, or lend, or are due."""
        called = self._called.keys()
        names = (called & files) | (called & asked) | (called & self._lending.lenders())
        woken = set[str]().union(*(self._called[name] for name in names))
        if self._first_due <= (now := self._grouping.comparisons):
            woken |= {key for key, one in self._resting.items() if one.due <= now}
            # Those that are not there now stay due.
            every = (one.due for one in self._resting.values())
            self._first_due = min(every, default=sys.maxsize)
        return woken

    def _note_compared(self, key: str) -> None:
        """Note that a module that rests was compared, and when it is once more, now and then."""
        compared = self._grouping.comparisons
        due = compared + min(max(compared, 1), _NOW_AND_THEN)
        one = self._resting[key] = _Resting(name_in(key), file_in(key), compared, due)
        self._first_due = min(self._first_due, due)
        for called in (one.name, one.file):
            self._called[called].add(key)

    def _rest_no_more(self, key: str) -> None:
        """Compare a module each time that changed while it rested: it is not by itself."""
        one = self._resting.pop(key)
        for called in (one.name, one.file):
            self._called[called].discard(key)
        self._awake.discard(key)
        self._grouping.take_back()

    def changed(self) -> dict[Label, Change]:
        """Return what changed since the last call, and how.

        That is a global or a fixture, or an attribute of one, also of what is not the project's; a
        variable of the environment; the working folder. What was not there at the last call has
        not changed.
        """
        readers.learn()
        found = self._changes_of_process()
        modules = self._modules.present()
        found |= {Label(name.split(".")): Change() for name in self._modules.taken()}
        found |= self._foreign.changed(modules)
        if gone := self._compared.keys() - modules.keys():
            self._lose_homes({name_in(key) for key in gone})
        if modules != self._compared:
            self._grouping.take_in(self._compared, modules)
            self._compared = modules
        for group in self._grouping.groups(modules, self._resting):
            _note(found, self._compare_modules(modules, group))
        fixtures = {f"\0{name}": of_fixture(name, root) for name, root in self._fixtures.items()}
        _note(found, self._compare_all(fixtures))
        self._grouping.comparisons += 1
        for key in self._awake & modules.keys():
            _note(found, self._compare_modules(modules, (key,)))
            self._note_compared(key)
        self._awake.clear()
        return found

    def _compare_modules(
        self, modules: Mapping[str, ModuleType], group: Group
    ) -> Iterator[tuple[Label, Change]]:
        """Yield what changed in the modules of these keys."""
        compared = {key: modules[key] for key in group if key in modules}
        restless = self._grouping.restless(group)
        if restless is not None:
            yield from self._compare_all(restless)
            if self._grouping.all_restless(restless):
                return
        else:
            yield from self._compare_all(self._roots(compared))
            for key, module in compared.items():
                if key not in self._parts:
                    self._divide(key, module)
                elif self._parts[key] is None and self._grouping.changed_a_few_times(key):
                    self._divide(key, module, _SMALL)
        self._grouping.arrange(group, compared)

    def _lose_homes(self, modules: Set[str]) -> None:
        """Have those looked at anew, as if changed, that counted on modules which are gone now.

        These themselves are looked at anew if they come back.
        """
        borrowing = {
            name
            for name, look in self._looks.items()
            if any(home in modules for home, _ in look.borrowed)
        }
        gone = {name for name in self._looks if name_in(name) in modules}
        self._lose(borrowing | gone | self._sharing.give_up(gone))

    def _lose(self, names: Iterable[str]) -> None:
        """Have these roots looked at anew, as if changed."""
        for name in names:
            self._looks[name] = replace(self._looks[name], levels=_NEVER, _pickers=[])
            self._grouping.arrange_anew(name)

    def _look(self, name: str, root: Entry, known: Look | None = None) -> Look:
        """Look at a root, and keep what was found."""
        self._sharing.begin(name, may_own=module_of(name) not in self._resting)
        look = self._explorer.look(root, known)
        self._lose(self._sharing.end())
        before = self._looks.get(name)
        if (before.borrowed if before else {}) != look.borrowed:
            self._lending.forget()
        self._looks[name] = look
        return look

    def _compare_all(self, roots: Mapping[str, Entry]) -> Iterator[tuple[Label, Change]]:
        for name, root in roots.items():
            yield from self._compare(name, root)

    def _compare(self, name: str, root: Entry) -> Iterable[tuple[Label, Change]]:
        """Return what changed below a root, and look at it anew."""
        known = self._looks.get(name)
        if known is not None and known.still_holds([root.value]):
            return ()
        now = self._look(name, root, known)
        if known is None:
            return ()
        self._grouping.note_change(name)
        return self._lending.spread(name_in(name), _differing(known, now))

    def _divide(self, key: str, module: ModuleType, largest: int = _LARGEST) -> None:
        """Replace the look at a large module, just taken, by looks at parts of it."""
        whole = self._looks[key]
        if sum(map(len, whole.prints.values())) <= largest:
            self._parts[key] = None
            return
        del self._looks[key]
        self._lending.forget()
        self._sharing.give_up([key])  # the parts have the same
        found = self._parts[key] = parts(whole, list(module.__dict__), largest)
        for name, root in zip(found.names(key), found.entries(module), strict=True):
            self._look(name, root)

    def _roots(self, modules: Mapping[str, ModuleType]) -> dict[str, Entry]:
        """Return where to begin, by name: the modules or their parts."""
        roots: dict[str, Entry] = {}
        for key, module in modules.items():
            divided = self._parts.get(key)
            if divided is None:
                roots[key] = of_module(module)
            else:
                roots.update(zip(divided.names(key), divided.entries(module), strict=True))
        return roots

    def _changes_of_process(self) -> dict[Label, Change]:
        before, self._process = self._process, surroundings.read(self._process)
        return {} if before == self._process else surroundings.changes(before, self._process)


def _note(found: dict[Label, Change], changes: Iterable[tuple[Label, Change]]) -> None:
    """Add the changes; what two roots show to have counted differently did not count."""
    for label, change in changes:
        known = found.get(label, change)
        steps = change.steps if known.steps == change.steps else 0
        found[label] = Change(steps, known.added | change.added, known.lost or change.lost)


def _differing(before: Look, now: Look) -> dict[Label, Change]:
    labels = before.prints.keys() | now.prints.keys()
    found: dict[Label, Change] = {}
    for label in labels:
        old, new = before.prints.get(label), now.prints.get(label)
        if old != new:
            added = now.kept.get(label, set()) - before.kept.get(label, set())
            found[label] = Change(counting.steps(old, new), frozenset(added), _is_less(old, new))
    return found


def _is_less(before: Sequence[object] | None, now: Sequence[object] | None) -> bool:
    """Return whether something is not there any more, by what is printed of all that was."""
    try:
        return bool(Counter(before or ()) - Counter(now or ()))
    except TypeError:
        return True
