"""Finds the starts of pytest and of Python in a hook's command, through what wraps them."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from paceline.hooks.arguments import Arguments, split, words

SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
#: Programs that start what follows `run`.
RUNNERS = frozenset({"uv", "poetry", "pdm", "pipenv", "hatch", "rye", "pixi"})
#: Programs that start the command behind their own options.
PREFIXES = frozenset({"time", "nice", "timeout", "exec", "command", "nohup", "xvfb-run", "stdbuf"})
#: Programs that may start pytest by a configuration of their own, which is not opened.
UNOPENED = frozenset({"make", "nox", "tox", "invoke", "inv", "just", "task", "docker", "podman"})
#: Options of the runners and prefixes whose value is the next word.
RUNNER_VALUES = words("""
    --with --with-editable --with-requirements --group --only-group --no-group --extra
    --python -p --project --directory --env-file --package --index --default-index
    --index-url --cache-dir --config-file --from -n --adjustment -k --kill-after -s --signal
    -e --environment
""")
#: Options of env whose value is the next word.
ENV_VALUES = frozenset({"-u", "--unset", "-C", "--chdir", "-S", "--split-string"})
PYTHON = re.compile(r"python(\d+(\.\d+)*)?(\.exe)?|pypy3?")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
#: What makes a shell's text more than one command with its arguments.
SHELL_SYNTAX = re.compile(r"[;&|<>()$`*?\[\]{}~!#\n]")
#: Scripts that start scripts that start scripts ...
DEEPEST = 4


@dataclass(frozen=True)
class PytestCall:
    """One start of pytest."""

    #: The words up to pytest itself, such as ("uv", "run", "pytest").
    launcher: tuple[str, ...]
    arguments: Arguments
    #: Variables set for it in the command itself.
    environment: tuple[tuple[str, str], ...] = ()
    #: Why the command cannot be rebuilt from these parts; empty if it can.
    obstacle: str = ""

    def command(self, *more: str) -> tuple[str, ...]:
        """Return the whole command; `more` goes between pytest and its own arguments."""
        assignments = tuple(f"{name}={value}" for name, value in self.environment)
        env = ("env", *assignments) if assignments else ()
        return (*env, *self.launcher, *more, *self.arguments.command())


@dataclass(frozen=True)
class Command:
    """What a hook's command starts, as far as it can be seen without running it."""

    pytest: tuple[PytestCall, ...] = ()
    #: Starts of a Python interpreter, those of pytest included.
    interpreters: int = 0
    #: The program that decides by itself what it starts, such as make; empty for none.
    unopened: str = ""


@dataclass
class _Start:
    """One command on the way through what wraps it."""

    #: What is still to be read.
    rest: list[str]
    #: Why it is no plain command line; empty if it is one.
    obstacle: str
    #: How many scripts deep it stands.
    depth: int
    #: What was read, up to the program itself.
    launcher: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        return PurePosixPath(self.rest[0].replace("\\", "/")).name

    def launch(self, count: int) -> None:
        """Move `count` words to the launcher."""
        self.launcher += _cut(self.rest, count)

    def hinder(self, obstacle: str) -> None:
        self.obstacle = self.obstacle or obstacle

    def unwrap(self) -> bool:
        """Take one wrapper off; False if what comes next is none."""
        match = ASSIGNMENT.fullmatch(self.rest[0])
        if match:
            self.environment[match[1]] = match[2]
            self.rest.pop(0)
        elif self.program == "env":
            self.rest.pop(0)
            if self.launcher:
                self.hinder("env behind another program")
            while self.rest and self.rest[0].startswith("-"):
                self.hinder("env with options")
                _cut(self.rest, 2 if self.rest[0] in ENV_VALUES else 1)
        elif self.program in RUNNERS and self.rest[1:2] == ["run"]:
            self.launcher += _taken(self.rest, 2)
        elif self.program in PREFIXES:
            timeout = self.program == "timeout"
            self.launcher += _taken(self.rest, 1)
            self.launch(1 if timeout else 0)
        else:
            return False
        return True


@dataclass
class _Reader:
    root: Path
    calls: list[PytestCall] = field(default_factory=list)
    interpreters: int = 0
    unopened: str = ""

    def command(self, command: Sequence[str], obstacle: str = "", depth: int = 0) -> None:
        """Read one command; `obstacle` is why it stands in more than a plain command line."""
        start = _Start(list(command), obstacle, depth)
        while start.rest and start.unwrap():
            pass
        if start.rest:
            self._program(start)

    def _program(self, start: _Start) -> None:
        program, rest = start.program, start.rest
        is_python = PYTHON.fullmatch(program) is not None
        module = _module(rest) if is_python or program == "-m" else 0
        if program in ("pytest", "py.test", "pytest.exe"):
            self._pytest(start, 1)
        elif module and rest[module] == "pytest":
            self._pytest(start, module + 1)
        elif "coverage" in (program, rest[module]) and _under_coverage(rest):
            start.hinder("its coverage is that of its own tests")
            end = next(i for i in range(len(rest)) if rest[i : i + 2] == ["-m", "pytest"])
            self._pytest(start, end + 2)
        elif program in SHELLS:
            self._shell(start)
        elif is_python:
            self.interpreters += 1
            self._script(next((w for w in rest[1:] if not w.startswith("-")), ""), start.depth)
        elif program in UNOPENED:
            self.unopened = program
        else:
            self.interpreters += _is_python_script(rest[0])
            self._script(rest[0], start.depth)

    def _pytest(self, start: _Start, count: int) -> None:
        self.interpreters += 1
        start.launch(count)
        if "PYTEST_ADDOPTS" in start.environment:
            start.hinder("it sets PYTEST_ADDOPTS")
        if "" in start.rest:
            start.hinder("it has an empty argument")
        found = tuple(sorted(start.environment.items()))
        arguments = split(start.rest, self.root)
        self.calls.append(PytestCall(tuple(start.launcher), arguments, found, start.obstacle))

    def _shell(self, start: _Start) -> None:
        rest = start.rest
        inline = next((word for word in rest[1:] if re.fullmatch(r"-[a-z]*c", word)), "")
        if not inline:
            self._script(next((w for w in rest[1:] if not w.startswith("-")), ""), start.depth)
            return
        if start.launcher or start.environment:
            start.hinder("a shell behind another program")
        if "l" in inline or "i" in inline:
            start.hinder("a login or interactive shell")
        for script in rest[rest.index(inline) + 1 :][:1]:
            self._text(script, start.obstacle, start.depth)

    def _text(self, text: str, obstacle: str, depth: int) -> None:
        """Read shell text; anything but one plain command is an obstacle."""
        if not SHELL_SYNTAX.search(text.strip()):
            self._line(text, obstacle, depth)
            return
        for line in _commands(text):
            self._line(line, obstacle or "a shell line that is more than one command", depth)

    def _line(self, text: str, obstacle: str, depth: int) -> None:
        try:
            line = shlex.split(text, comments=True)
        except ValueError:
            line = text.split()
        self.command(line, obstacle, depth)

    def _script(self, name: str, depth: int) -> None:
        """Look into a script of the project for starts of pytest."""
        path = self.root / name
        if not name or depth >= DEEPEST or not path.is_file():
            return
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return  # a binary program, or not ours to read
        obstacle = f"it starts pytest in the script {name}"
        if path.suffix == ".py" or re.match(r"#!.*python", text):
            if re.search(r"^[^#\n]*\bpytest\b", text, re.MULTILINE):
                self.calls.append(PytestCall((name,), Arguments(), (), obstacle))
            return
        for line in _commands(text):
            self._line(line, obstacle, depth + 1)


def read(command: Sequence[str], root: Path) -> Command:
    """Return what `command` starts in the project in `root`; nothing is run."""
    reader = _Reader(root)
    reader.command(command)
    return Command(tuple(reader.calls), reader.interpreters, reader.unopened)


def targets_of(call: PytestCall, targets: Sequence[str]) -> PytestCall:
    """Return `call` with other targets."""
    return replace(call, arguments=replace(call.arguments, targets=tuple(targets)))


def _cut(rest: list[str], count: int) -> list[str]:
    head = rest[:count]
    del rest[:count]
    return head


def _taken(rest: list[str], count: int) -> list[str]:
    """Take `count` words and the options behind them off `rest`, up to a module or program."""
    words = _cut(rest, count)
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        option = rest[0]
        words += _cut(rest, 2 if option in RUNNER_VALUES and "=" not in option else 1)
        if option == "--":
            break
    return words


def _module(rest: Sequence[str]) -> int:
    """Return where in `python ... -m module` the module stands; 0 if there is none."""
    for index, word in enumerate(rest):
        if word == "-m":
            return index + 1 if index + 1 < len(rest) else 0
        if index and not word.startswith("-") and rest[index - 1] not in ("-X", "-W"):
            return 0
    return 0


def _is_python_script(program: str) -> bool:
    """Return whether `program` on the search path is a script that starts Python."""
    found = shutil.which(program)
    if found is None:
        return False
    try:
        with Path(found).open("rb") as file:
            return bool(re.match(rb"#!.*(python|pypy)", file.readline(400)))
    except OSError:
        return False


def _under_coverage(rest: Sequence[str]) -> bool:
    return "run" in rest and any(pair == ("-m", "pytest") for pair in itertools.pairwise(rest))


def _commands(text: str) -> list[str]:
    """Return the simple commands in shell text, roughly: enough to find programs by name."""
    joined = text.replace("\\\n", " ")
    parts = re.split(r"\n|;|&&|\|\|?|\bthen\b|\bdo\b|\belse\b|(?<![<>&])&(?![>&])", joined)
    return [part.strip(" \t(){}!") for part in parts if part.strip() and part.strip()[0] != "#"]
