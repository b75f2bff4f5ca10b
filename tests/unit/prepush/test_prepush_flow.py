"""The scheduler: order, parallelism, verdicts and interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import paceline
from paceline.errors import MissingTool
from paceline.prepush.flow import Event, run_steps
from paceline.prepush.result import StepResult, Verdict, exit_code
from paceline.prepush.steps import PlannedStep
from paceline.process import Result


@dataclass
class FakeRunner:
    """Says what it is told to print, fails on "fail", and counts what runs at once."""

    log: list[str] = field(default_factory=list)
    most: int = 0
    running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(
        self, command: tuple[str, ...], *, cwd: Path, env: dict[str, str], timeout: float | None
    ) -> Result:
        """Pretend to run `command`."""
        del cwd, env, timeout
        with self.lock:
            self.log.append(" ".join(command))
            self.running += 1
            self.most = max(self.most, self.running)
        if command[0] == "missing":
            raise MissingTool("missing is not installed", "install missing")
        if command[0] == "bug":
            raise RuntimeError("a bug")
        with self.lock:
            self.running -= 1
        return Result(command, int(command[0] == "fail"), f"{' '.join(command)}\n", 0.0)


def step(name: str, *commands: str, **more: object) -> PlannedStep:
    """Make a step whose commands are given as words."""
    return PlannedStep(name, tuple(tuple(c.split()) for c in commands), **more)  # type: ignore[arg-type]


def run(*steps: PlannedStep, cores: int = 4, runner: FakeRunner | None = None) -> list[StepResult]:
    """Run `steps` with a fake runner."""
    return run_steps(steps, cwd=Path(), cores=cores, runner=runner or FakeRunner())


def test_commands_stop_at_the_first_failure() -> None:
    """A step keeps the output up to its first failing command and runs no further one."""
    runner = FakeRunner()
    (result,) = run(step("lint", "ok 1", "fail 2", "ok 3"), runner=runner)
    assert runner.log == ["ok 1", "fail 2"]
    assert (result.verdict, result.exit_code, result.reason) == ("failed", 1, "exit code 1")
    assert (result.output, result.command) == ("ok 1\nfail 2\n", ("fail", "2"))


def test_fixing_steps_run_first_and_alone() -> None:
    """Fixing steps run before every reading one, yet results keep the plan's order."""
    runner = FakeRunner()
    results = run(
        step("a", "ok a"), step("b", "ok b", kind="fixes"), step("c", "ok c", kind="fixes"),
        step("d", "ok d"), runner=runner,
    )  # fmt: skip
    assert runner.log[:2] == ["ok b", "ok c"]
    assert [result.name for result in results] == ["a", "b", "c", "d"]


def test_one_core_runs_one_step_at_a_time() -> None:
    """Never more steps run at once than there are cores."""
    runner = FakeRunner()
    run(*(step(str(number), "ok") for number in range(20)), cores=1, runner=runner)
    assert (runner.most, len(runner.log)) == (1, 20)


def test_missing_tool_could_not_check() -> None:
    """A tool that is not installed is named and is never a pass."""
    (result,) = run(step("lint", "ok", "missing x", "ok"))
    assert (result.verdict, result.exit_code) == ("could not check", None)
    assert result.reason == "missing is not installed"
    assert "install missing" in result.output


def test_missing_module_could_not_check(tmp_path: Path) -> None:
    """`python -m tool` without the tool is a missing tool, not a failed check."""
    command = (sys.executable, "-m", "no_such_tool_here", "check")
    (result,) = run_steps([PlannedStep("x", (command,))], cwd=tmp_path, cores=1)
    assert result.verdict == "could not check"
    assert "no_such_tool_here is not installed" in result.reason


def test_failing_signal_is_named(tmp_path: Path) -> None:
    """A command that a signal ended says which signal."""
    command = (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    (result,) = run_steps([PlannedStep("x", (command,))], cwd=tmp_path, cores=1)
    assert (result.verdict, result.reason) == ("failed", "ended by SIGKILL")


def test_skips_and_empty_steps_do_not_pass() -> None:
    """What did not run never reads as passed."""
    results = run(
        step("a", "ok", skip="why"),
        step("b", skip="nothing", verdict_if_skipped="not set up"),
        step("c"),
    )
    assert [r.verdict for r in results] == ["skipped", "not set up", "not set up"]
    assert run() == []


def test_events_tell_start_and_finish_in_the_calling_thread() -> None:
    """Every step that runs starts and finishes; skipped ones only finish."""
    events: list[tuple[str, str]] = []
    threads: set[int] = set()

    def note(event: Event) -> None:
        events.append((event.kind, event.step.name))
        threads.add(threading.get_ident())

    steps = [step("a", "ok"), step("b", "ok", skip="why")]
    run_steps(steps, cwd=Path(), cores=2, runner=FakeRunner(), on_event=note)
    assert events == [("finished", "b"), ("started", "a"), ("finished", "a")]
    assert threads == {threading.get_ident()}


def test_a_runner_that_raises_does_not_hang() -> None:
    """An unexpected error in a worker thread reaches the caller."""
    with pytest.raises(RuntimeError, match="a bug"):
        run(step("a", "bug"), step("b", "ok"))


def test_rerun_line_can_be_pasted() -> None:
    """The command to re-run holds the step's variables and is quoted for a shell."""
    planned = PlannedStep("a", (("fail", "a b"),), env={"X": "1 2"})
    (result,) = run(planned)
    assert result.rerun == "X='1 2' fail 'a b'"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        (["passed", "skipped", "not set up"], 0),
        (["passed", "could not check"], 11),
        (["failed", "could not check"], 1),
    ],
)
def test_exit_code(verdicts: list[Verdict], code: int) -> None:
    """A failure weighs more than a missing tool, which weighs more than passes."""
    assert exit_code([StepResult("x", verdict) for verdict in verdicts]) == code


BARRIER = """
import sys
mine, other = sys.argv[1:]
# opening a named pipe waits for the other end, so each child needs the other one running
if mine < other:
    open(mine, "w").write("x"); open(other).read()
else:
    open(other).read(); open(mine, "w").write("x")
"""


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
@pytest.mark.timeout(30)
def test_reading_steps_run_at_the_same_time(tmp_path: Path) -> None:
    """Two real children that wait for each other both finish on two cores."""
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    os.mkfifo(first)
    os.mkfifo(second)
    steps = [
        PlannedStep("one", ((sys.executable, "-c", BARRIER, first, second),)),
        PlannedStep("two", ((sys.executable, "-c", BARRIER, second, first),)),
    ]
    assert [r.verdict for r in run_steps(steps, cwd=tmp_path, cores=2)] == ["passed", "passed"]


# a shell's background job starts with SIGINT ignored, which Python then leaves so
GRANDPARENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from paceline.prepush.flow import run_steps
from paceline.prepush.steps import PlannedStep

def child(name):
    return PlannedStep(name, ((sys.executable, "-c", sys.argv[2], sys.argv[1]),))

try:
    run_steps([child("a"), child("b")], cwd=Path(), cores=2)
except KeyboardInterrupt:
    sys.exit(130)
"""

# a child that ignores SIGTERM, with a child of its own that does so too (SIG_IGN is inherited)
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import os, sys, signal; os.write(int(sys.argv[1]), b'%d ' % os.getpid()); signal.pause()"
pipe = os.open(sys.argv[1], os.O_WRONLY)
subprocess.Popen([sys.executable, "-c", code, str(pipe)], pass_fds=[pipe])
os.write(pipe, b"%d " % os.getpid())
signal.pause()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.timeout(60)
def test_interrupt_ends_grandchildren(tmp_path: Path) -> None:
    """Ctrl-C ends stubborn children and their children within two seconds."""
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", GRANDPARENT, str(fifo), STUBBORN]
    env = {**os.environ, "PYTHONPATH": str(Path(paceline.__file__).parents[1])}
    with (
        subprocess.Popen(command, cwd=tmp_path, env=env, start_new_session=True) as flow,
        # every process below writes its id, and holds the pipe open for as long as it lives
        fifo.open("rb", buffering=0) as pipe,
    ):
        said = b""
        while said.count(b" ") < 4:
            said += pipe.read(100) or b""
        started = time.monotonic()
        flow.send_signal(signal.SIGINT)
        assert flow.wait(10) == 130
        assert time.monotonic() - started < 2
        assert pipe.read() == b""  # end of file: no process holds the pipe any more
