"""Notes which module asked for which, and gives each import a segment of its own.

A module's import-time code runs once, for whoever came first; recorded with the module, it
counts for everyone who asks for it.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import threading
import zipimport
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final, cast
from weakref import WeakValueDictionary

from paceline.impact import inputs
from paceline.impact.early import early_modules, mentioned_early, rebind
from paceline.impact.recorder import Kind, Need, Recorder, Segment
from paceline.impact.replacing import replace
from paceline.impact.watch import Watch

#: warnings leaves out frames of the import system when it counts stack levels; ours stand
#: between them and must be left out as well.
_INTERNAL: Final = "<frozen importlib._bootstrap>"

EXTENSIONS: Final = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Imports:
    """Watches imports from `start` until `stop`; `loaders` are further classes of loaders."""

    def __init__(self, recorder: Recorder, watch: Watch, loaders: tuple[type, ...] = ()) -> None:
        self._recorder = recorder
        self._watch = watch
        self._loaders = (
            importlib.machinery.SourceFileLoader,
            importlib.machinery.SourcelessFileLoader,
            importlib.machinery.ExtensionFileLoader,
            zipimport.zipimporter,
            *loaders,
        )
        self._undo: list[Callable[[], None]] = []
        #: Each function that was replaced, with what stands in for it.
        self._replaced: dict[Any, Any] = {}
        #: Modules that are not the project's, by the name that they were asked for.
        self._foreign: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
        #: Called with each project module whose import has ended.
        self.on_imported: Callable[[ModuleType], None] = lambda _: None

    def start(self) -> None:
        """Begin to watch; project modules that are there already count as a whole."""
        self._already_imported()
        for loader in self._loaders:
            self._replace(loader, "exec_module", self._executing)
        self._replace(builtins, "__import__", self._importing)
        self._replace(importlib, "__import__", self._importing)
        self._replace(importlib, "import_module", self._by_name)
        self._replace(importlib.metadata, "import_module", self._by_name)  # of entry points
        self._replace(importlib.util, "find_spec", self._finding)
        replaced = {**self._watch.replaced, **self._replaced}
        early = [module for module, _ in early_modules(self._watch.scope)]
        self._undo.append(rebind(early, replaced))

    def stop(self) -> None:
        """Stop watching."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        def hidden(original: Any) -> Any:
            made = make(original)
            made.__code__ = made.__code__.replace(co_filename=_INTERNAL)
            return made

        original = getattr(owner, name)
        self._undo.append(replace(owner, name, hidden))
        self._replaced[original] = getattr(owner, name)

    def _already_imported(self) -> None:
        """Take modules as a whole that ran before the watch began, as plugins named with -p do.

        What they looked at while they were imported is worked out from what their code mentions.
        """
        session, early = self._recorder.session, early_modules(self._watch.scope)
        for module, path in early:
            segment = self._segment(path, module.__name__)
            segment.needs.add((Need.CONTENT, segment.name))
            session.links.add(segment)
        mentioned = mentioned_early(path for _, path in early)
        if mentioned.variables:
            self._watch.note_in(session, Need.VARIABLE, inputs.ALL_VARIABLES)
        if mentioned.files:
            self._watch.note_in(session, Need.DATA, str(self._watch.scope.root))
        for name in mentioned.modules:
            (session.modules if name in sys.modules else session.missing).add(name)
        session.missing.update({"sitecustomize", "usercustomize"} - sys.modules.keys())

    def _segment(self, path: str, name: str) -> Segment:
        recorder = self._recorder
        segment = recorder.imported.get(path)
        if segment is None:
            segment = recorder.imported[path] = Segment(Kind.IMPORT, path)
        recorder.by_name[name] = segment
        return segment

    def _note_unseen(self, path: str, name: str) -> None:
        """Note an import that has no segment to itself: users build on whoever it ran for."""
        segment = self._segment(path, name)
        self._watch.note_in(segment, Need.CONTENT, path)
        current = self._recorder.current
        if segment is not current:
            segment.links.add(current)
            current.links.add(segment)

    def _note_modules(self, names: Iterable[str]) -> None:
        """Note modules of the project that were made in a way nobody watches, as by own loaders."""
        for name in names:
            module = sys.modules.get(name)
            if name in self._recorder.by_name or module is None:
                continue
            if self._foreign.get(name) is module:
                continue  # asked for by one test after another
            path = _origin(module)
            if not self._is_in_project(path):
                if isinstance(module, ModuleType):
                    self._foreign[name] = module
                continue
            path = os.path.abspath(path)
            if path in self._recorder.imported:
                self._recorder.by_name[name] = self._recorder.imported[path]
            elif not self._watch.own_work(path):
                with self._watch.aside():
                    self._note_unseen(path, name)

    def _is_in_project(self, path: str) -> bool:
        known = path and os.path.abspath(path)
        return bool(known) and (known in self._recorder.imported or self._watch.scope.counts(known))

    def _executing(self, original: Any) -> Any:
        recorder, watch = self._recorder, self._watch

        def exec_module(loader: Any, module: Any) -> Any:
            __tracebackhide__ = True
            path = os.path.abspath(getattr(module, "__file__", None) or "")
            if not recorder.active or not watch.scope.counts(path) or watch.own_work(path):
                return original(loader, module)
            if threading.current_thread() is not threading.main_thread():
                self._note_unseen(path, module.__name__)
                return original(loader, module)
            segment = self._segment(path, module.__name__)
            with watch.aside():
                watch.note_value(Need.CONTENT, path)
                linked = os.path.realpath(path) != watch.scope.real(path)
            recorder.current.links.add(segment)
            with watch.aside():
                watch.libraries.load(segment)
            watch.note_in(segment, Need.EXISTS, path)  # of an empty file nothing runs
            unseen = linked or recorder.paused
            if unseen or path.endswith((*EXTENSIONS, *importlib.machinery.BYTECODE_SUFFIXES)):
                watch.note_in(segment, Need.CONTENT, path)
            if isinstance(loader, zipimport.zipimporter):
                watch.note_in(segment, Need.CONTENT, os.path.abspath(loader.archive))
            recorder.enter(segment)
            try:
                result = original(loader, module)
            except BaseException:
                segment.failed = True
                raise
            else:
                segment.failed = False
                return result
            finally:
                recorder.leave(segment)
                self.on_imported(module)

        return exec_module

    def _importing(self, original: Any) -> Any:
        recorder = self._recorder

        def __import__(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Any = (),
            level: int = 0,
        ) -> Any:
            __tracebackhide__ = True
            if not recorder.active:
                return original(name, globals, locals, fromlist, level)
            try:
                result = original(name, globals, locals, fromlist, level)
            except ImportError as error:
                recorder.current.missing.add(error.name or name)
                raise
            asked = _asked(name, _package(globals) if level else "", level, tuple(fromlist or ()))
            known = recorder.current.modules
            if not known.issuperset(asked):
                known.update(asked)
                recorder.asked.update(asked)
                self._watch.libraries.imported(asked)
                self._note_modules(asked)
            return result

        return __import__

    def _by_name(self, original: Any) -> Any:
        recorder = self._recorder

        def import_module(name: str, package: str | None = None) -> Any:
            __tracebackhide__ = True
            try:
                module = original(name, package)
            except ImportError as error:
                if recorder.active:
                    recorder.current.missing.add(error.name or name)
                raise
            if recorder.active:
                known = importlib.util.resolve_name(name, package) if package else name
                recorder.current.modules.add(known)
                if recorder.current.kind is not Kind.COLLECTION:
                    recorder.asked.add(known)
                self._watch.libraries.imported((known,))
                if known in recorder.by_name:
                    self._watch.libraries.ask_for(known)
                self._note_modules([known])
            return module

        return import_module

    def _finding(self, original: Any) -> Any:
        recorder, watch = self._recorder, self._watch

        def find_spec(name: str, package: str | None = None) -> Any:
            spec = original(name, package)
            if recorder.active and spec is None:
                recorder.current.missing.add(name)
            elif recorder.active and spec.origin and watch.scope.counts(spec.origin):
                archive = getattr(spec.loader, "archive", None)
                if isinstance(archive, str):  # read once and kept for all (zipimport)
                    watch.note(Need.CONTENT, os.path.abspath(archive))
                else:
                    watch.note(Need.EXISTS, spec.origin)
            return spec

        return find_spec


def _origin(module: object) -> str:
    """Return where a module was loaded from, "" if that is no file."""
    spec = getattr(module, "__spec__", None)
    for path in (getattr(module, "__file__", None), getattr(spec, "origin", None)):
        if isinstance(path, str) and os.path.isabs(path):
            return path
    return ""


def _package(namespace: Any) -> str:
    known = namespace or {}
    return cast(str, known.get("__package__") or known.get("__name__", ""))


@functools.cache  # functions import in loops
def _asked(name: str, package: str, level: int, fromlist: tuple[object, ...]) -> tuple[str, ...]:
    """Return the modules that `from name import ...` may mean, `level` dots above `package`."""
    if level:
        above = package.split(".")
        parts = [*above[: len(above) - level + 1], *([name] if name else [])]
        name = ".".join(parts)
    return (name, *(f"{name}.{part}" for part in fromlist if isinstance(part, str)))
