"""What is handed out to shards: tests of one file that stay together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from paceline.sharding.groups import Groups, group_of


class Atom(NamedTuple):
    """An indivisible piece: one test, or all tests of one xdist group."""

    file: str
    scope: str
    tests: tuple[str, ...]
    load: float

    @property
    def key(self) -> str:
        """The smallest id, which breaks ties."""
        return self.tests[0]


class Unit(NamedTuple):
    """Neighbouring atoms of one file that move together."""

    load: float
    key: str
    atoms: tuple[Atom, ...]
    size: int


def make_atoms(weights: Mapping[str, float], groups: Groups) -> list[Atom]:
    """Return the atoms of the tests in `weights`, ordered by file, class and id."""
    atoms: list[Atom] = []
    members: defaultdict[str, list[str]] = defaultdict(list)
    for test, load in weights.items():
        group = groups.get(test) if groups else None
        if group is None:
            atoms.append(Atom(*_place(test), (test,), load))
        else:
            members[group].append(test)
    for tests in members.values():
        tests.sort()
        load = math.fsum(weights[test] for test in tests)
        atoms.append(Atom(*_place(tests[0]), tuple(tests), load))
    atoms.sort()  # no two have the same tests, so the loads are never compared
    return atoms


def make_unit(atoms: Iterable[Atom]) -> Unit:
    """Return the unit of `atoms`."""
    members = tuple(atoms)
    load = math.fsum(atom.load for atom in members)
    return Unit(load, members[0].key, members, sum(len(atom.tests) for atom in members))


def split(unit: Unit) -> list[Unit]:
    """Return one unit for each atom of `unit`."""
    return [make_unit([atom]) for atom in unit.atoms]


def cut(atoms: Iterable[Atom], limit: float, long: float) -> list[Unit]:
    """Return a unit for each file, cut where a file would take longer than `limit`.

    The cuts fall between classes where that is possible. An atom of at least `long` seconds
    is a unit of its own, and so is one of a group, kept or not. `atoms` must be in order.
    """
    units: list[Unit] = []
    for _, members in groupby(atoms, key=lambda atom: atom.file):
        short: list[Atom] = []
        for atom in members:
            if atom.load >= long or ("@" in atom.key and group_of(atom.key)):
                units.append(make_unit([atom]))
            else:
                short.append(atom)
        if short:
            units.extend(_cut_file(short, limit))
    return units


def _cut_file(atoms: list[Atom], limit: float) -> list[Unit]:
    whole = make_unit(atoms)
    if whole.load <= limit:
        return [whole]
    pieces: list[Unit] = []
    for _, scope in groupby(atoms, key=lambda atom: atom.scope):
        block = make_unit(scope)
        pieces.extend([block] if block.load <= limit else _pack(split(block), limit))
    return _pack(pieces, limit)


def _pack(pieces: Iterable[Unit], limit: float) -> list[Unit]:
    """Join neighbours while the sum stays within `limit`."""
    packed: list[list[Unit]] = []
    load = math.inf
    for piece in pieces:
        if load + piece.load <= limit:
            packed[-1].append(piece)
            load += piece.load
        else:
            packed.append([piece])
            load = piece.load
    return [
        run[0] if len(run) == 1 else make_unit(atom for piece in run for atom in piece.atoms)
        for run in packed
    ]


def _place(test: str) -> tuple[str, str]:
    """Return the file of a node id and its class, empty for a function of the module."""
    file, _, rest = test.partition("::")
    return file, rest.partition("[")[0].rpartition("::")[0]
