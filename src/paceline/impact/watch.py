"""Notes which files, folders and variables the running code looks at.

Opening and listing are seen by an audit hook; stat and its kin, os.environ and linecache raise
no audit event, so these functions are replaced by ones that note the question and pass it on
(list of events: https://docs.python.org/3/library/audit_events.html).
"""

from __future__ import annotations

import linecache
import os
import pathlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from paceline.impact import inputs, rebinding
from paceline.impact.askers import Askers, frame_above
from paceline.impact.libraries import Libraries
from paceline.impact.mentions import names_in
from paceline.impact.randomness import Randomness
from paceline.impact.rebinding import Rebinding
from paceline.impact.recorder import WORKING_FOLDER, Need, Recorder, Segment
from paceline.impact.replacing import replace
from paceline.impact.scope import Scope
from paceline.impact.shared import is_own_work
from paceline.impact.source import SUFFIXES
from paceline.impact.variables import Variables

#: A test may put something else in their place.
_folder, _is_absolute, _joined, _normal = os.getcwd, os.path.isabs, os.path.join, os.path.normpath

#: What other programs put there is chance.
_TEMPORARY: Final = os.path.abspath(tempfile.gettempdir())

#: The event of reading an attribute that shows how Python works, and those that count.
_READING: Final = "object.__getattr__"
_DEFAULTS: Final = frozenset(("__defaults__", "__kwdefaults__"))

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Notes inputs in the recorder's current segment, from `start` until `stop`."""

    def __init__(self, recorder: Recorder, scope: Scope) -> None:
        self.recorder = recorder
        self.scope = scope
        self._busy = threading.local()
        self._undo: list[Callable[[], None]] = []
        #: Each function that was replaced, with what stands in for it.
        self.replaced: dict[Any, Any] = {}
        self.askers = Askers(scope)
        self.libraries = Libraries(recorder, self.askers)
        self.randomness = Randomness(self._replace, self.askers.owner, self.askers.is_tool)
        self.rebinding = Rebinding(scope.counts)
        self._handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._open,
            "os.listdir": self._list,
            "os.scandir": self._scan,
            "os.mkdir": self._made,
            "os.rename": self._moved,
            "os.link": self._moved,
            "os.symlink": self._linked,
            "os.chdir": self._gone_to,
            "os.remove": self._removed,
            "os.rmdir": self._removed,
            "sqlite3.connect": self._database,
            "ctypes.dlopen": self._library_loaded,
            "os.system": self._system,
            "sys.settrace": self._traced,
            "exec": self._generated,
            _READING: self._looked_into,
            **dict.fromkeys(rebinding.EVENTS, self.rebinding.note),
            "_thread.start_new_thread": self._thread_begun,
            "_thread.start_joinable_thread": self._thread_begun,
        }

    def start(self) -> None:
        """Begin to note."""
        sys.addaudithook(self._hook())
        for module, name in (
            (os, "stat"), (os, "lstat"), (os, "access"), (os, "readlink"),
        ):  # fmt: skip
            self._replace(module, name, self._asking)
        accessor = getattr(pathlib, "_NormalAccessor", None)
        if accessor is not None:  # Python 3.10 keeps its own reference to os.stat
            self._replace(accessor, "stat", lambda _: staticmethod(os.stat))
        for name in ("getcwd", "getcwdb"):
            self._replace(os, name, self._asking_where)
        self._replace(os, "open", self._opening)
        self._replace(linecache, "getlines", self._reading_source)
        variables = Variables(
            lambda: self._listening() and not self.askers.is_tool(3),
            lambda name: self.note(Need.VARIABLE, name),
        )
        for name in ("__getitem__", "__delitem__"):
            self._replace(type(os.environ), name, variables.one)
        for name in ("__len__", "__repr__", "copy"):
            self._replace(type(os.environ), name, variables.all)
        self._replace(type(os.environ), "__iter__", variables.each)
        for name in ("gettempdir", "gettempdirb"):
            self._replace(tempfile, name, variables.of_temporary_folder)
        self.randomness.start()

    def stop(self) -> None:
        """Stop noting. The audit hook stays, since Python has no way to remove one."""
        self.recorder.active = False
        self.libraries.forget()
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Note nothing in this block: it is our own work."""
        before = getattr(self._busy, "on", False)
        self._busy.on = True
        try:
            yield
        finally:
            self._busy.on = before

    def pause(self) -> None:
        """Note nothing that this thread does until `resume` is called."""
        self._busy.on = True

    def resume(self) -> None:
        """Go on after a pause."""
        self._busy.on = False

    def _listening(self) -> bool:
        return self.recorder.active and not getattr(self._busy, "on", False)

    def note(self, need: Need, path: str) -> None:
        """Note that the current segment needs `path` (or variable) in this way."""
        made = "" if need is Need.VARIABLE else self._made_at(path)
        if made:
            shared = os.path.join(path, "") if need is Need.LISTING else path
            self.recorder.current.needs.add((Need.SHARED, shared))
        if made and not os.path.lexists(path):
            self._note_here(need, path)  # made and removed: absent as before
        elif made:
            # A link that the run made may lead to what it did not make.
            folder, name = os.path.split(made)
            place = os.path.join(os.path.realpath(folder), name) + os.sep
            path = os.path.realpath(path)
            if f"{path}{os.sep}".startswith(place) or not self.scope.counts(path):
                return
            made = self._made_at(path)
        if not made:
            self._note_here(need, path)

    def _note_here(self, need: Need, path: str) -> None:
        if not self.libraries.look_at(need, path):
            self.note_in(self.recorder.current, need, path)

    def note_in(self, segment: Segment, need: Need, path: str) -> None:
        """Note that `segment` needs `path`, and the value it has now."""
        segment.needs.add((need, path))
        self.note_value(need, path)

    def note_value(self, need: Need, path: str) -> None:
        """Keep the value that the input has now, if it was not asked for before."""
        recorder = self.recorder
        key = (need, path)
        if key not in recorder.values:
            recorder.values[key] = inputs.value(need, path, recorder.environ)

    def own_work(self, path: str) -> bool:
        """Return whether this run made `path`; link to the segments that did."""
        return bool(self._made_at(path))

    def _made_at(self, path: str) -> str:
        """Return the file or folder that the run made and `path` lies in, "" if there is none."""
        written = self.recorder.written
        place = path if written else ""
        while place:
            if place in written:
                current = self.recorder.current
                current.links.update(one for one in written[place] if one is not current)
                return place
            above = os.path.dirname(place)
            place = above if above != place else ""
        return ""

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        self._undo.append(replace(owner, name, make))
        replacement = getattr(owner, name)
        self.replaced[original] = replacement
        for known in (os.supports_dir_fd, os.supports_follow_symlinks, os.supports_fd):
            if original in known:
                known.add(replacement)

    def _hook(self) -> Callable[[str, tuple[Any, ...]], None]:
        """Return what Python calls at each event; there are hundreds of thousands.

        Not a method: Python asks the hook for an attribute each time (PySys_AddAuditHook), and a
        method takes three times as long to say that it has none.
        """
        handler_of = self._handlers.get

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            handler = handler_of(event)
            if handler is None or (event == _READING and arguments[1] not in _DEFAULTS):
                return
            if not self._listening():
                return
            self._busy.on = True
            try:
                handler(arguments)
            except Exception as error:
                # What cannot be told must not be taken for nothing.
                self.recorder.current.unseen.add(f"{event}: {error!r}")
            finally:
                self._busy.on = False

        return hook

    def _path(self, path: Any, folder: int | None = None) -> str | None:
        """Return the absolute path; `folder` is the descriptor that a relative one begins at."""
        if isinstance(path, int) or path is None:
            return None
        text = os.fsdecode(path)
        if folder is not None and not _is_absolute(text):
            text = _joined(self._opened(folder) or "", text)
        return _normal(text if _is_absolute(text) else _joined(_folder(), text)) if text else None

    def _opened(self, descriptor: int) -> str | None:
        """Return the path of an open folder; what the system does not tell cannot be seen."""
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            self.recorder.current.unseen.add("a folder that was opened by its descriptor")
            return None

    def _open(self, arguments: tuple[Any, ...]) -> None:
        path = self._path(arguments[0])
        if path is None or not self.scope.counts(path):
            return
        mode, flags = arguments[1], arguments[2] or 0
        writing = any(sign in mode for sign in "wax+") if mode else bool(flags & _WRITING)
        overwriting = writing and (mode or "").startswith(("w", "x"))
        if writing and not self.askers.is_tool(3):
            self.note(Need.EXISTS, os.path.dirname(path))
            if flags & os.O_EXCL:
                self.note(Need.EXISTS, path)
        if not overwriting and not self.askers.is_import(path) and not self.askers.is_tool(3):
            self.note(Need.CONTENT, path)
            self.note_folder(arguments[0])
        # A folder is opened for writing to get a file without a name (O_TMPFILE).
        if writing and not os.path.isdir(path):
            self.recorder.written[path].add(self.recorder.current)

    def note_folder(self, path: Any) -> None:
        """Note that a relative path was used: in the folder that the run began in, or another."""
        recorder = self.recorder
        if os.path.isabs(path):
            return
        try:
            folder = _folder()
        except OSError:  # it is gone, which a process that starts there need not mind
            folder = ""
        if folder != recorder.folder:
            recorder.current.generated.add(WORKING_FOLDER)
        else:
            key = (Need.FOLDER, str(self.scope.root))
            recorder.current.needs.add(key)
            recorder.values.setdefault(key, os.path.relpath(recorder.folder, self.scope.root))

    def _list(self, arguments: tuple[Any, ...]) -> None:
        self._listed(arguments)

    def _scan(self, arguments: tuple[Any, ...]) -> None:
        path = self._listed(arguments)
        # What the entries are asked raises no event.
        if path is not None and self.askers.look_at_entries():
            entries = [os.path.join(path, entry) for entry in os.listdir(path)]
            for entry in filter(self.scope.counts, entries):
                self.note(Need.STAT, entry)

    def _listed(self, arguments: tuple[Any, ...]) -> str | None:
        """Note that a folder is listed; return its path if that counts."""
        given = arguments[0]
        if isinstance(given, int):
            given = self._opened(given)
        path = self._path("." if given is None or given == "" else given)
        if path is None or not self.scope.counts(path):
            return None
        if path == _TEMPORARY and not self.scope.holds(path):
            return None
        frame = frame_above(4)
        if frame is None or frame.f_code.co_filename.startswith("<frozen importlib"):
            return None
        if self.askers.is_tool(4):
            return None
        self.note(Need.LISTING, path)
        self.note_folder(given or ".")
        return path

    def _made(self, arguments: tuple[Any, ...]) -> None:
        path = self._path(arguments[0])
        if path and self.scope.counts(path) and not self.askers.is_tool(3):
            self.note(Need.EXISTS, path)
            self.note(Need.EXISTS, os.path.dirname(path))
        if path and not os.path.lexists(path):
            self.recorder.written[path].add(self.recorder.current)

    def _moved(self, arguments: tuple[Any, ...]) -> None:
        source, path = self._path(arguments[0]), self._path(arguments[1])
        if source and self.scope.counts(source) and not self.askers.is_tool(3):
            self.note(Need.CONTENT, source)
            self._taken_away(source)
        if path and self.scope.counts(path):
            self.recorder.written[path].add(self.recorder.current)

    def _removed(self, arguments: tuple[Any, ...]) -> None:
        path = self._path(arguments[0])
        if path and self.scope.counts(path):
            if not self.askers.is_tool(3):
                self.note(Need.EXISTS, path)
            self._taken_away(path)

    def _taken_away(self, path: str) -> None:
        """Note what is removed as written: that it is for all others."""
        written = self.recorder.written
        # Whoever removes it, as pytest does at the end, builds on nobody who made it.
        if os.path.lexists(path) and (self.scope.holds(path) or is_own_work(path, written)):
            written[path].add(self.recorder.current)

    def _gone_to(self, arguments: tuple[Any, ...]) -> None:
        path = self._path(arguments[0])
        if path and self.scope.counts(path) and not self.askers.is_tool(3):
            self.note(Need.EXISTS, path)
            self.note_folder(arguments[0])

    def _linked(self, arguments: tuple[Any, ...]) -> None:
        path = self._path(arguments[1])
        if path and self.scope.counts(path):
            if not self.askers.is_tool(3):
                self.note(Need.EXISTS, path)
            self.recorder.written[path].add(self.recorder.current)

    def _database(self, arguments: tuple[Any, ...]) -> None:
        name = os.fsdecode(arguments[0])
        if name in (":memory:", "") or self.askers.is_tool(3):
            return
        if name.startswith("file:"):
            name = unquote(urlsplit(name).path)
        path = os.path.abspath(name)
        if self.scope.counts(path):
            self.note(Need.CONTENT, path)
            if self.own_work(path) or not os.path.exists(path):
                self.recorder.written[path].add(self.recorder.current)

    def _library_loaded(self, arguments: tuple[Any, ...]) -> None:
        name = arguments[0]
        # Without a folder it is looked for where those of the system are.
        path = self._path(name) if name and os.path.dirname(name) else None
        if path and self.scope.counts(path) and not self.askers.is_tool(3):
            self.note(Need.CONTENT, path)
            self.note_folder(name)

    def _system(self, arguments: tuple[Any, ...]) -> None:
        self.recorder.current.unseen.add(f"os.system({os.fsdecode(arguments[0])!r})")

    def _traced(self, _: tuple[Any, ...]) -> None:
        frame = frame_above(3)
        if frame is not None and frame.f_globals.get("__name__") == "paceline.impact.tracer":
            return  # as for each test
        while frame is not None and frame.f_code.co_filename.endswith(("threading.py", "bdb.py")):
            frame = frame.f_back
        if frame is None:
            return  # a new thread that installs the tracer it was given
        if "settrace" not in frame.f_code.co_names and type(sys.gettrace()).__name__ == "CTracer":
            return  # put back from Python, coverage's tracer installs itself at the next call
        module = frame.f_globals.get("__name__", "")
        # doctest only puts back what was there before an example.
        if not module.startswith(("coverage.", "paceline.", "_pytest.", "testmon.", "doctest")):
            self.recorder.current.unseen.add("replaces the tracer (sys.settrace)")

    def _thread_begun(self, arguments: tuple[Any, ...]) -> None:
        # Only `threading` hands the tracer on.
        own = getattr(arguments[0], "__module__", "") == "threading"
        if not own and not self.askers.is_tool(3):
            self.recorder.current.unseen.add("a thread that was begun with _thread")

    def _generated(self, arguments: tuple[Any, ...]) -> None:
        code = arguments[0]
        name = code.co_filename
        if not (name.endswith(SUFFIXES) and os.path.exists(name)):
            self.recorder.current.generated |= names_in(code)

    def _looked_into(self, arguments: tuple[Any, ...]) -> None:
        """Note that a function's defaults are read, as `inspect.signature` does."""
        function = arguments[0]
        if type(function) is not FunctionType:
            return
        if not (function.__defaults__ or function.__kwdefaults__):
            return  # most have none
        path = self._path(function.__code__.co_filename)
        if path and self.scope.counts(path):
            place = f"{path}:{function.__code__.co_firstlineno}"
            if not self.libraries.look_at(Need.DEFAULTS, place):
                self.recorder.current.needs.add((Need.DEFAULTS, place))

    def _asking(self, original: Any) -> Any:
        def ask(path: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if self._listening():
                self._busy.on = True
                try:
                    by_tool = self.askers.is_tool(2)  # first: pytest asks for each test
                    name = None if by_tool else self._path(path, kwargs.get("dir_fd"))
                    if name and self.scope.counts(name):
                        self.note(self.askers.question(sys._getframe(1)), name)
                        self.note_folder(path)
                except (TypeError, ValueError):
                    pass  # the original says what is wrong with the argument
                except Exception as error:  # a test may have put anything in place of os
                    self.recorder.current.unseen.add(f"{original.__name__}: {error!r}")
                finally:
                    self._busy.on = False
            return original(path, *args, **kwargs)

        return ask

    def _asking_where(self, original: Any) -> Any:
        def getcwd() -> Any:
            if self._listening() and not self.askers.is_tool(2):
                with self.aside():
                    self.note_folder(".")
            return original()

        return getcwd

    def _opening(self, original: Any) -> Any:
        def open_at(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if dir_fd is not None and self._listening():
                # The audit event names the path without the folder it begins at.
                with self.aside():
                    name = self._path(path, dir_fd)
                    if name and self.scope.counts(name) and not self.askers.is_tool(2):
                        if flags & _WRITING:
                            self.recorder.written[name].add(self.recorder.current)
                        elif not os.path.isdir(name):
                            self.note(Need.CONTENT, name)
            return int(original(path, flags, mode, dir_fd=dir_fd))

        # It stands between the audit event of the original and the code that asks.
        open_at.__code__ = open_at.__code__.replace(co_filename="<frozen os>")
        return open_at

    def _reading_source(self, original: Any) -> Any:
        def getlines(filename: str, module_globals: Any = None) -> Any:
            if self._listening():
                self._busy.on = True
                try:
                    path = self._path(filename)
                    if path and self.scope.counts(path) and not self.askers.is_tool(2):
                        self.note(Need.TEXT, path)
                finally:
                    self._busy.on = False
            return original(filename, module_globals)

        return getlines
