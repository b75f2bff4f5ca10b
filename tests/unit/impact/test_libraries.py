"""What libraries look at, and who builds on that later."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paceline.impact.askers import Askers
from paceline.impact.libraries import Libraries
from paceline.impact.recorder import Kind, Need, Recorder, Segment
from paceline.impact.scope import Scope

A, B = (Need.CONTENT, "/project/a.txt"), (Need.CONTENT, "/project/b.txt")
GET = "def get(look, *what): return look(*what)"


KEEPING = """
import functools

@functools.lru_cache
def cached(look): return look()

def plain(look): return look()

class Engine:
    def __init__(self, look): self.look = look
    def method(self): return self.look()
    @classmethod
    def of_class(cls, look): return look()
    @staticmethod
    def static(look): return look()
    @property
    def asked(self): return self.look()
    @functools.cached_property
    def once(self): return self.look()
    def __getattr__(self, name): return self.look()
"""


class World:
    """A recorder with its libraries, whose code is made up; one segment a test."""

    def __init__(self, root: Path) -> None:
        self.recorder = Recorder("session")
        self.libraries = Libraries(self.recorder, Askers(Scope(root)))

    def run(self, name: str, text: str, **names: Any) -> dict[str, Any]:
        """Run `text` as the file of that name where packages are installed."""
        found = {"__name__": name.removesuffix(".py").replace("/", "."), **names}
        exec(compile(text, self.file(name), "exec"), found)
        return found

    def file(self, name: str) -> str:
        """Return where an installed file lies."""
        return f"/python/site-packages/{name}"

    def library(self, name: str = "lib/a.py") -> Callable[..., Any]:
        """Return a function of a library that calls what it is given."""
        get: Callable[..., Any] = self.run(name, GET)["get"]
        return get

    def test(self, name: str, *steps: Callable[[], object]) -> Segment:
        """Return the segment in which the steps are done."""
        segment = Segment(Kind.TEST, name)
        with self.recorder.inside(segment):
            for step in steps:
                step()
        return segment

    def ran(self, segment: Segment, name: str = "lib/a.py", line: int = 1) -> Segment:
        """Return the segment, of which the tracer says that it ran a line of a library."""
        file = self.file(name)
        if file in self.libraries:
            self.libraries.ran(segment, file, {line})
        return segment


def needs(segment: Segment) -> set[tuple[Need, str]]:
    """Return what a segment needs, with all that it links to."""
    return segment.needs.union(*map(needs, segment.links))


def test_who_runs_the_function_builds_on_what_it_looked_at(tmp_path: Path) -> None:
    """What the library looks at later, only later tests build on."""
    world = World(tmp_path)
    look, get = world.libraries.look_at, world.library()
    early = world.ran(world.test("early"))
    world.test("first", lambda: get(look, *A))
    second = world.ran(world.test("second"))
    world.test("third", lambda: get(look, *B), lambda: get(look, *A))
    last, line = world.ran(world.test("last")), world.ran(world.test("line"), line=2)
    other = world.ran(world.test("other"), "lib/other.py")
    found = [needs(one) for one in (early, second, last, line, other)]
    assert found == [set(), {A}, {A, B}, set(), set()]
    assert {link.kind for link in last.links} == {Kind.LIBRARY}


def test_what_was_looked_at_before_may_be_kept_by_another_function(tmp_path: Path) -> None:
    """Which a later test runs, and not the first one."""
    world = World(tmp_path)
    look, first, second = world.libraries.look_at, world.library(), world.library("lib/b.py")
    world.test("first", lambda: first(look, *A))
    world.test("second", lambda: second(look, *A))
    assert needs(world.ran(world.test("third"), "lib/b.py")) == {A}
    cached = world.run("lib/c.py", KEEPING)["cached"]
    world.test("fourth", lambda: cached(functools.partial(look, *A)))
    assert [name for _, name in world.libraries.take_shown()] == ["cached"]


def test_files_that_came_to_matter_are_told_once(tmp_path: Path) -> None:
    """So that the tracer asks for them again."""
    world = World(tmp_path)
    get = world.library()
    assert not world.libraries.take_new()
    world.test("first", lambda: get(world.libraries.look_at, *A))
    assert world.libraries.take_new() == {world.file("lib/a.py")}
    world.test("second", lambda: get(world.libraries.look_at, *B))
    assert not world.libraries.take_new()


def test_each_library_on_the_stack_may_keep_it(tmp_path: Path) -> None:
    """The standard library's frames and generated code between them are nobody's."""
    world = World(tmp_path)
    look, inner, outer = world.libraries.look_at, world.library("one.py"), world.library("two.py")
    between = eval("lambda *what: call(*what)", {"call": functools.partial(inner, look)})
    world.test("first", lambda: outer(between, *A))
    found = world.ran(world.ran(world.test("second"), "one.py"), "two.py")
    assert {link.name for link in found.links} == {"one", "two"}
    assert needs(found) == {A}


def test_what_the_project_or_a_test_tool_looks_at_is_kept_by_no_library(tmp_path: Path) -> None:
    """A library that calls one of them is not the one that looks."""
    world = World(tmp_path)
    look, outer = world.libraries.look_at, world.library("two.py")
    tool = world.library("_pytest/python.py")
    world.test("first", lambda: outer(lambda: look(*A)), lambda: outer(tool, look, *A))
    assert not world.libraries.take_new()
    assert not world.ran(world.test("second"), "two.py").links


def test_of_what_the_standard_library_calls_all_of_the_file_counts(tmp_path: Path) -> None:
    """As in a thread, where the function that began it is not on the stack."""
    world = World(tmp_path)
    get = world.library()

    def in_thread() -> None:
        worker = threading.Thread(target=get, args=(world.libraries.look_at, *A))
        worker.start()
        worker.join()

    world.test("first", in_thread)
    assert needs(world.ran(world.test("second"), line=99)) == {A}
    assert not world.ran(world.test("other"), "lib/other.py").links


def test_modules_that_a_library_imports_belong_to_what_it_keeps(tmp_path: Path) -> None:
    """Whether they run for it, or are there already."""
    world = World(tmp_path)
    get, imported = world.library(), Segment(Kind.IMPORT, "/project/urls.py")
    world.test("first", lambda: get(world.libraries.load, imported))
    world.test("second", lambda: get(world.libraries.ask_for, "settings"))
    (kept,) = world.ran(world.test("third")).links
    assert kept.modules == {"settings"}
    assert {link for before in kept.links for link in before.links} == {imported}


def test_who_imports_a_library_builds_on_what_its_import_looked_at(tmp_path: Path) -> None:
    """Also when it was imported long ago, by its name or that of a module around it."""
    world = World(tmp_path)
    inner = compile("look(*what)", world.file("lib/inner.py"), "exec")
    names = {"__name__": "lib.inner", "look": world.libraries.look_at, "what": A}
    text = "exec(inner, names)"
    world.test("first", lambda: world.run("lib.py", text, inner=inner, names=names))
    found = [
        needs(world.test(name, functools.partial(world.libraries.imported, (name, "other"))))
        for name in ("lib", "lib.inner", "elsewhere")
    ]
    assert found == [{A}, {A}, set()]


def test_what_can_be_had_without_a_call_is_known_by_its_name(tmp_path: Path) -> None:
    """A plain function or method runs whenever it is called, a cached one only once.

    Of a static method it is not known where it stands.
    """
    calls = {
        "plain": "plain(look)",
        "method": "Engine(look).method()",
        "of_class": "Engine.of_class(look)",
        "asked": "Engine(look).asked",
        "static": "Engine.static(look)",
        "cached": "cached(look)",
        "once": "Engine(look).once",
        "DEBUG": "Engine(look).DEBUG",
    }
    shown: dict[str, list[str]] = {}
    for name, call in calls.items():
        world = World(tmp_path)
        look = functools.partial(world.libraries.look_at, *A)
        found = {**world.run("lib.py", KEEPING), "look": look}
        world.test("first", functools.partial(eval, call, found))
        shown[name] = [word for _, word in world.libraries.take_shown()]
        assert not world.libraries.take_shown()
    by_name = {name: [name] for name in ("static", "cached", "once", "DEBUG")}
    assert shown == {"plain": [], "method": [], "of_class": [], "asked": [], **by_name}


def test_when_all_tests_have_run_libraries_look_for_nobody(tmp_path: Path) -> None:
    """As a plugin that counts what was used; what the project's own code looks at still counts."""
    world = World(tmp_path)
    look, get = world.libraries.look_at, world.library()
    world.test("first", lambda: get(look, *A))
    world.libraries.ended = True
    assert get(look, *B)
    assert not look(*B)
    assert not world.ran(world.test("end")).links


def test_nothing_is_kept_after_the_run(tmp_path: Path) -> None:
    """A file that ran then means nothing any more."""
    world = World(tmp_path)
    get = world.library()
    world.test("first", lambda: get(world.libraries.look_at, *A))
    world.libraries.forget()
    assert not world.ran(world.test("second")).links
