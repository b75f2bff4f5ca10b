"""Child processes: Python ones record like their parent, others are noted by name.

Two environment variables tell a Python child where to leave its recording. It reads them in
`begin_if_asked`, which a .pth file in site-packages calls at the start of every interpreter. A
child that leaves no recording (another program, another environment, killed) counts as unseen.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing.process
import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from paceline.impact.recorder import PROCESS, Child, Recorder
from paceline.impact.replacing import replace
from paceline.impact.scope import Scope

FOLDER_VARIABLE: Final = "PACELINE_IMPACT_FOLDER"
ROOT_VARIABLE: Final = "PACELINE_IMPACT_ROOT"

#: Programs that the standard library itself asks about the machine.
_HARMLESS: Final = frozenset(("uname", "ldconfig", "stty", "tput", "lsb_release"))

_SYSTEM_FOLDERS: Final = ("", "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")

#: Programs that read nothing but their input and the files that their command line names.
_READS_NAMED_FILES: Final = frozenset(
    (
        "cat", "head", "tail", "less", "more", "wc", "sort", "cut", "tr", "echo", "printf", "true",
        "false", "sleep", "cmp", "base64",
    )
)  # fmt: skip


#: Options that name files to read or to write, as those of sort do; they may be shortened.
_TELLING: Final = ("--f", "--r", "--o", "--t", "--co", "-o", "-T")


def _here() -> str:
    """Return the working folder; the root of all where it is gone, as no file is in it."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


class Children:
    """Notes the processes that the current segment starts.

    `note_folder` is told in which folder each begins.
    """

    def __init__(
        self,
        recorder: Recorder,
        folder: Path,
        root: Path,
        asked_by_tool: Callable[[int], bool],
        note_folder: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._asked_by_tool = asked_by_tool
        self._note_folder = note_folder
        self._folder = folder
        self._root = root
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to note, and ask Python children to record."""
        os.environ[FOLDER_VARIABLE] = str(self._folder)
        os.environ[ROOT_VARIABLE] = str(self._root)
        self._replace(subprocess.Popen, "__init__", self._popen)
        self._replace(multiprocessing.process.BaseProcess, "start", self._process)
        # Where there is fork, os.spawnv and its kin call it.
        spawning = () if hasattr(os, "fork") else ("spawnv", "spawnve")
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", *spawning):
            if hasattr(os, name):
                self._replace(os, name, self._spawn)
        self._replace(os, "_exit", self._exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)
        self._forked: Callable[[], None] | None = None

    def stop(self) -> None:
        """Stop noting."""
        self._recorder.active = False
        while self._undo:
            self._undo.pop()()
        os.environ.pop(FOLDER_VARIABLE, None)
        os.environ.pop(ROOT_VARIABLE, None)

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        self._undo.append(replace(owner, name, make))

    def _note(
        self, process: int, program: str, files: tuple[str, ...] = (), folder: str = "."
    ) -> None:
        if not self._recorder.active or _is_plain(program, _HARMLESS):
            return
        if not self._asked_by_tool(3):
            self._recorder.current.children.add(Child(process, program, files))
            self._note_folder(folder)

    def _popen(self, original: Any) -> Any:
        def __init__(popen: Any, args: Any, *rest: Any, **options: Any) -> None:
            if not isinstance(args, (str, bytes, os.PathLike)):
                args = list(args)  # it may be gone through once only
            original(popen, args, *rest, **options)
            words = args if isinstance(args, list) else [args]
            texts = [os.fsdecode(word) for word in words]
            if options.get("shell"):
                texts = [f"shell: {texts[0]}"]
            elif options.get("executable"):
                texts[0] = os.fsdecode(options["executable"])
            given = os.fsdecode(options.get("cwd") or ".")
            folder = given if os.path.isabs(given) else os.path.join(_here(), given)
            files = {os.path.abspath(os.path.join(folder, text)) for text in texts[1:]}
            files |= {os.path.realpath(file) for file in files}
            program = texts[0]
            if any(text.startswith(_TELLING) for text in texts[1:]):
                program += " with files that its options name"
            if options.get("preexec_fn") is not None:
                program += " after a function of its own"
            if os.sep not in program:  # another may come first
                place = _found(program, options.get("env"))
                program = program if place == "" or _is_system(place) else place
            # Of a program that reads nothing else, one that is absent counts as well.
            if not reads_named_files_only(program):
                files = set(filter(os.path.isfile, files))
            self._note(popen.pid, program, tuple(sorted(files)), given)

        return __init__

    def _process(self, original: Any) -> Any:
        def start(process: Any) -> None:
            original(process)
            self._note(process.pid, "a process of multiprocessing")

        return start

    def _spawn(self, original: Any) -> Any:
        def spawn(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            process = result[0] if isinstance(result, tuple) else result
            if process:
                self._note(process, original.__name__)
            return result

        return spawn

    def _exit(self, original: Any) -> Any:
        def _exit(status: int) -> None:
            try:
                if self._forked is not None:
                    self._forked()
            finally:  # whatever happens: else the child would go on with its parent's work
                original(status)

        return _exit

    def _before_fork(self) -> None:
        if self._recorder.active:
            self._recorder.take(self._recorder.current)

    def _after_fork(self) -> None:
        """Record on our own account in a forked child."""
        if not self._recorder.active or not self._folder.is_dir():
            self._recorder.active = False
            return
        self._recorder.reset(f"{PROCESS}forked by {os.getppid()}")
        self._forked = lambda: write(self._recorder, self._folder)
        announce(self._folder)
        atexit.register(self._forked)


def _found(program: str, environ: Mapping[Any, Any] | None) -> str:
    """Return where `program` is found with the variables that it gets, "" if nowhere."""
    given = os.environ._data if environ is None else environ  # type: ignore[attr-defined]
    path = next((given[name] for name in ("PATH", b"PATH") if name in given), os.defpath)
    return shutil.which(program, path=os.fsdecode(path)) or ""


def _is_system(place: str) -> bool:
    return os.path.dirname(place) in _SYSTEM_FOLDERS


def _is_plain(program: str, names: Collection[str]) -> bool:
    """Return whether `program` is one of the system's that `names` has."""
    folder, name = os.path.split(program)
    return name in names and folder in _SYSTEM_FOLDERS


def reads_named_files_only(program: str) -> bool:
    """Return whether a program needs no record: the files it reads stand in its command line."""
    return _is_plain(program, _READS_NAMED_FILES)


def announce(folder: Path) -> None:
    """Leave a recording that says this process has not ended in order, replaced at its end."""
    data = {"process": os.getpid(), "finished": False}
    (folder / f"{os.getpid()}.json").write_text(json.dumps(data), encoding="utf-8")


def write(recorder: Recorder, folder: Path) -> None:
    """Leave this process's recording in `folder`."""
    from paceline.impact.recording import Numbering

    if not recorder.active:
        return
    recorder.take(recorder.current)
    recorder.active = False
    if not folder.is_dir():
        return  # the run has ended, and nobody waits for it
    data = Numbering(recorder).recording(os.getpid()).as_json()
    place = folder / f"{os.getpid()}.json"
    temporary = place.with_suffix(".new")
    temporary.write_text(json.dumps(data), encoding="utf-8")
    temporary.replace(place)


#: The process that records, once it does.
_begun: list[int] = []


def begin_if_asked() -> None:
    """Record this interpreter's work if its parent asks for it; called by the .pth file."""
    folder = Path(os.environ.get(FOLDER_VARIABLE, ""))
    root = os.environ.get(ROOT_VARIABLE, "")
    # Where lib64 is a link to lib, Python reads each .pth file twice.
    if _begun or not root or not folder.is_dir():
        return
    _begun.append(os.getpid())
    announce(folder)
    # Imported here: an interpreter that is not asked pays nothing.
    from paceline.impact.imports import Imports
    from paceline.impact.tracer import Tracer
    from paceline.impact.watch import Watch

    recorder = Recorder(f"{PROCESS}{os.getpid()}")
    scope = Scope(Path(root))
    watch = Watch(recorder, scope)
    tracer = Tracer(recorder, scope.counts, _measuring, watch.aside, watch.libraries)
    recorder.take = tracer.take
    tracer.start()
    watch.start()
    Imports(recorder, watch).start()
    Children(recorder, folder, Path(root), watch.askers.is_tool, watch.note_folder).start()
    atexit.register(write, recorder, folder)


def _measuring() -> Any | None:
    """Return the Coverage that coverage's own .pth file has started in this child, if any."""
    import coverage

    found = getattr(coverage.process_startup, "coverage", None)
    return found if found is not None and found._started else None
