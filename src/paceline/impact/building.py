"""Makes stored records of what the processes of one run recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline.impact import inputs
from paceline.impact.blocks import Blocks
from paceline.impact.children import reads_named_files_only
from paceline.impact.giving import link_state, name_state
from paceline.impact.links import import_places, own_parts, reachable, reaching
from paceline.impact.looks import Looks, keeps_lines
from paceline.impact.named import Named
from paceline.impact.nodes import Node
from paceline.impact.parsing import IMPORTING, LATER, Parsed, Parsing
from paceline.impact.recorder import PROCESS, Kind, Need
from paceline.impact.recording import RawSegment, RawTest, Recording, Traced
from paceline.impact.records import NEVER_RUN, NeedRecord, SourceRecord
from paceline.impact.scope import Scope
from paceline.impact.shared import is_own_work, name_of, names_of
from paceline.impact.tracer import unpack
from paceline.impact.variables import WSGI


@dataclass(frozen=True, slots=True)
class Declared:
    """What the project declared for a test: patterns of inputs, and whether it always runs."""

    inputs: tuple[str, ...] = ()
    always: bool = False


def _is_child(one: Recording) -> bool:
    """Return whether a test started the process, which does not know what others have made."""
    return one.segments[0].name.startswith(PROCESS)


class _Generated(dict[str, NeedRecord]):
    """The record of each name that generated code mentions."""

    def __missing__(self, name: str) -> NeedRecord:
        record = self[name] = NeedRecord(Need.NAME, name, "")
        return record


class Builder:
    """Turns recordings into rows. `disturbed` are files that changed while the tests ran.

    `environ` and `folder` are the variables and the working folder that the run began with.
    """

    def __init__(
        self,
        scope: Scope,
        parsing: Parsing,
        disturbed: Iterable[str],
        environ: Mapping[str, str],
        folder: str,
    ) -> None:
        self._environ = environ
        self._folder = os.path.relpath(folder, scope.root)
        self._scope = scope
        self._parsing = parsing
        self._disturbed = frozenset(disturbed)
        #: By absolute path, of which several may mean one file, and by the path in the project.
        self._sources: dict[str, SourceRecord | None] = {}
        self._versions: dict[str, SourceRecord] = {}
        self._values: dict[tuple[Need, str], str] = {}
        self._written: set[str] = set()
        #: The places of the segments that wrote to a file.
        self._writers: dict[str, set[int]] = {}
        #: The segments that wrote or made each path, in whichever process.
        self._makers: dict[str, list[RawSegment]] = {}
        self._blocks = Blocks()
        self._generated = _Generated()
        self._modules: dict[tuple[int, str], tuple[str, ...]] = {}
        self._parsed: dict[str, Parsed] = {}

    def build(
        self,
        recordings: Sequence[Recording],
        declared: Mapping[str, Declared],
        opened: Iterable[str] = (),
    ) -> tuple[list[Node], list[tuple[RawTest, int]]]:
        """Return the segments of all processes, and each test with the place of its segment.

        `opened` are files of which it is known that code in Python opens them.
        """
        self._take_values(recordings)
        self._makers, self._writers = {}, {}
        for one in recordings:
            for path, writers in one.written.items():
                self._makers.setdefault(path, []).extend(one.segments[place] for place in writers)
        self._written = set(self._makers)
        offsets: dict[int, int] = {}
        nodes: list[Node] = []
        for one in recordings:
            offsets[one.process] = len(nodes)
            nodes += [Node(raw, self._name(raw)) for raw in one.segments]
            self._note_writers(one, offsets[one.process], nodes)
        tests: list[tuple[RawTest, int]] = []
        for one in recordings:
            start = offsets[one.process]
            for place, raw in enumerate(one.segments, start):
                self._fill(nodes[place], raw, one, offsets)
            tests += [(test, start + test.segment) for test in one.tests]
        self._add_named(recordings, nodes, opened)
        self._add_served(nodes)
        for one in recordings:
            name_state(one, offsets[one.process], nodes)
            link_state(one, offsets[one.process], nodes)
        segments = dict(enumerate(nodes))
        self._add_texts(segments, tests)
        self._declare(segments, tests, declared)
        return nodes, tests

    def _note_writers(self, one: Recording, start: int, nodes: Sequence[Node]) -> None:
        for path, writers in one.written.items():
            self._writers.setdefault(path, set()).update(start + writer for writer in writers)
            name = self._scope.relative(path)
            names = set() if os.path.isabs(name) else {name}
            for writer in writers:
                shared = names_of(path, self._makers, one.segments[writer])
                nodes[start + writer].needs |= {
                    NeedRecord(Need.WRITTEN, one, "") for one in names | shared
                }

    def _name(self, raw: RawSegment) -> str:
        return self._scope.relative(raw.name) if raw.kind is Kind.IMPORT else raw.name

    def _take_values(self, recordings: Sequence[Recording]) -> None:
        for one in recordings:
            for key, value in one.values.items():
                if key[0] in (Need.VARIABLE, Need.FOLDER):
                    continue  # each process has its own
                if self._values.setdefault(key, value) != value:
                    self._disturbed |= {key[1]}

    def _fill(
        self, node: Node, raw: RawSegment, one: Recording, offsets: Mapping[int, int]
    ) -> None:
        start = offsets[one.process]
        node.links |= {start + link for link in raw.links}
        node.needs |= set(map(self._generated.__getitem__, raw.generated))
        self._add_children(node, raw, offsets)
        self._add_what_ran(node, raw)
        for need, name in raw.needs:
            if need is Need.DEFAULTS:
                self._add_defaults(node, name)
            elif need is Need.SHARED:
                self._add_shared(node, name, raw)
            elif not self._is_given(need, name, one):
                self._add_need(node, need, name)
            elif _is_child(one):
                self._add_shared(
                    node, os.path.join(name, "") if need is Need.LISTING else name, raw
                )
                for folder in (name, *map(str, Path(name).parents)):
                    node.links |= self._writers.get(folder, set())
        for name in raw.modules:
            for place in self._places(name, one):
                if place != raw.name:
                    node.imports.add(self._scope.relative(place))

    def _add_what_ran(self, node: Node, raw: RawSegment) -> None:
        for code in (raw.code, raw.early):
            for path, seen in code.items():
                self._add_code(node, path, seen)
        if node.kind is Kind.IMPORT:
            self._add_code(node, raw.name, frozenset())  # of a file without code no line runs
            if node.failed:
                self._add_text(node)  # its lines are in the traceback
        for path, seen in raw.code.items():
            if (record := self.source(path)) is not None:
                node.measure(record, seen)

    def _add_named(
        self, recordings: Sequence[Recording], nodes: Sequence[Node], opened: Iterable[str]
    ) -> None:
        """Add the files that code names which ran; modules may name one for others to open."""
        root = str(self._scope.root)
        named = Named(recordings[0].values.get((Need.FILES, root), "").split("\n"))
        values = (key for one in recordings for key in one.values)
        seen = {*opened, *(self._scope.relative(at) for need, at in values if need is Need.CONTENT)}
        for node in nodes:
            for path in frozenset[str]().union(*map(named.by, node.mentions)):
                place = os.path.join(root, path)
                known = node.kind is Kind.IMPORT and path in seen
                if not known and not is_own_work(place, self._written):
                    self._add_need(node, Need.NAMED, place)

    def _add_served(self, nodes: Iterable[Node]) -> None:
        """Add the variables that `wsgiref` has copied, for code that may have it serve."""
        for node in nodes:
            if any(not WSGI.isdisjoint(names) for names in node.mentions):
                self._add_need(node, Need.VARIABLE, inputs.ALL_VARIABLES)

    def _places(self, name: str, one: Recording) -> tuple[str, ...]:
        """Return the files of a module and the packages around it: importing a.b runs a as well."""
        key = (one.process, name)
        if key not in self._modules:
            parts = name.split(".")
            above = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
            found = (one.modules.get(module) for module in above)
            self._modules[key] = tuple(place for place in found if place is not None)
        return self._modules[key]

    def _is_given(self, need: Need, name: str, one: Recording) -> bool:
        """Return whether the run itself saw to it: a file that was made, what a child was given."""
        own = one.values.get((need, name))
        if need is Need.FOLDER:
            return own != self._folder
        if need is Need.VARIABLE:
            # Where it goes through all of them, some may be the user's.
            return name != inputs.ALL_VARIABLES and own != self._value(need, name)
        if self._scope.holds(name) or not is_own_work(name, self._written):
            return False  # what is left in the project itself, the next run finds
        return _is_child(one) or (own == inputs.ABSENT and os.path.lexists(name))

    def _value(self, need: Need, name: str) -> str:
        key = (need, name)
        if key not in self._values:
            self._values[key] = (
                self._folder if need is Need.FOLDER else inputs.value(need, name, self._environ)
            )
        return self._values[key]

    def _add_children(self, node: Node, raw: RawSegment, offsets: Mapping[int, int]) -> None:
        for child in raw.children:
            if child.process in offsets:
                node.links.add(offsets[child.process])
                continue
            if not reads_named_files_only(child.program):
                node.programs.add(child.program)
            for name in child.files:
                if not is_own_work(name, self._written):
                    self._add_need(node, Need.CONTENT, name)

    def _add_code(self, node: Node, path: str, seen: Traced) -> None:
        record = self.source(path)
        if record is None:
            return
        if path in self._disturbed:
            node.disturbed.add(path)
        if record.source is None:
            self._add_need(node, Need.CONTENT, path)
            return
        imported = node.kind is Kind.IMPORT
        importing = imported and node.name == record.path
        parsed = self._parsed[path]
        bits, names = self._blocks.ran(path, parsed, seen, importing=importing, imported=imported)
        node.blocks[record] |= bits
        node.mentions.add(names)
        if parsed.looks:
            self._add_looks(node, parsed, parsed.looks, seen, importing=importing)

    def _add_looks(
        self,
        node: Node,
        parsed: Parsed,
        looks: Looks,
        seen: Traced,
        *,
        importing: bool,
    ) -> None:
        """Note what the lines that ran look at: texts, or lines of running code."""
        lines = {abs(line) for item in seen for line in unpack(item) if line}
        owners, _ = parsed.owners.divisions[IMPORTING if importing else LATER]
        inside = {line for line in lines if owners.get(line, 1) != 1}
        node.sees_texts |= not looks.texts.isdisjoint(inside)
        node.sees_lines |= not looks.lines.isdisjoint(inside)
        at_import = importing and not (looks.lines | looks.texts).isdisjoint(lines - inside)
        # The module that is being imported is on the stack of all that it calls.
        if at_import or (node.kind is Kind.IMPORT and not looks.lines.isdisjoint(inside)):
            self._add_text(node)

    def _add_text(self, node: Node) -> None:
        """Let an import depend on the text of its module."""
        record = self.source(os.path.join(self._scope.root, node.name))
        if record is not None:
            node.needs.add(NeedRecord(Need.TEXT, record.path, record.sha))

    def source(self, path: str) -> SourceRecord | None:
        """Return the present version of the file at `path`, None if it is gone."""
        if path not in self._sources:
            self._sources[path] = self._read(path)
        return self._sources[path]

    def _read(self, path: str) -> SourceRecord | None:
        try:
            text = Path(path).read_bytes()
        except OSError:
            return None  # made and removed by the run itself
        sha = inputs.digest(text)
        if self._values.get((Need.CONTENT, path), sha) != sha:
            self._disturbed |= {path}
        parsed = self._parsed[path] = self._parsing.of(path, text)
        name = self._scope.relative(path)
        return self._versions.setdefault(name, SourceRecord(name, sha, parsed.source))

    def _add_need(self, node: Node, need: Need, name: str) -> None:
        if name in self._disturbed:
            node.disturbed.add(name)
        stored = name if need is Need.VARIABLE else self._scope.relative(name)
        node.needs.add(NeedRecord(need, stored, self._value(need, name)))

    def _add_shared(self, node: Node, path: str, raw: RawSegment) -> None:
        shared = name_of(path, self._makers, raw)
        if (
            not shared
            and self._scope.holds(path)
            and any(one is not raw for one in self._makers.get(path, ()))
        ):
            shared = self._scope.relative(path)  # a file that the run made has its name in each
        if shared:
            node.needs.add(NeedRecord(Need.SHARED, shared, ""))

    def _add_defaults(self, node: Node, place: str) -> None:
        """Let it depend on the constant defaults of the function at a line, if it has some."""
        path, _, line = place.rpartition(":")
        record = None if is_own_work(path, self._written) else self.source(path)
        if path in self._disturbed:
            node.disturbed.add(path)
        if record is None or record.source is None:
            return  # who imports it depends on all of the file
        if name := record.source.defined_at(int(line)):
            value = record.source.defaults(name)
            node.needs.add(NeedRecord(Need.DEFAULTS, f"{record.path}::{name}", value))

    def _add_texts(self, nodes: Mapping[int, Node], tests: Sequence[tuple[RawTest, int]]) -> None:
        """Let tests that look at texts depend on those of all their sources."""
        by_path = import_places(nodes)
        for _, place in tests:
            # Its own code, its fixtures, its children; what left state for it looked earlier.
            parts = own_parts(place, nodes)
            looking = any(part.sees_lines for part in parts)
            nodes[place].sees_lines = looking or keeps_lines(
                [some for part in parts for some in part.mentions]
            )
            if not any(part.sees_texts for part in parts):
                continue
            reached = reachable([place], nodes, by_path)
            nodes[place].needs |= {
                NeedRecord(Need.POSITIONS, item.path, item.sha)
                for number in reached
                for item in nodes[number].blocks
            }

    def _declare(
        self,
        nodes: Mapping[int, Node],
        tests: Sequence[tuple[RawTest, int]],
        declared: Mapping[str, Declared],
    ) -> None:
        by_path = import_places(nodes)
        starting = reaching(lambda node: bool(node.programs), nodes, by_path)
        for test, place in tests:
            wanted = declared.get(test.name, Declared())
            node = nodes[place]
            if place in starting and not wanted.inputs:
                for number in reachable([place], nodes, by_path):
                    node.unseen |= {
                        f"{name} (left no record; declare the test's inputs)"
                        for name in nodes[number].programs
                    }
            if wanted.always and test.status != NEVER_RUN:
                node.unseen.add("marked to run always")
            for pattern in wanted.inputs:
                self._add_need(node, Need.DECLARED, str(self._scope.root / pattern))
