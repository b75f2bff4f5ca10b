"""testmon's data file: made by two first runs at once, and damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paceline.plugin.testmon import make_data, set_aside_damaged

#: Two processes open testmon's data for the first time, at the same moment, again and again.
RACE = """\
import importlib, multiprocessing, os
from pathlib import Path

def run(barrier, folders):
    from paceline.plugin.testmon import make_data
    database = importlib.import_module("testmon.db")
    for folder in folders:
        barrier.wait()
        try:
            make_data(folder)
            opened = database.DB(str(folder / ".testmondata"))
            opened.write_attribute("written by", str(os.getpid()))
            opened.con.close()
        except Exception as error:
            print(folder.name, repr(error), flush=True)

if __name__ == "__main__":
    folders = [Path("rounds", str(number)) for number in range(30)]
    for folder in folders:
        folder.mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2, timeout=60)
    runs = [context.Process(target=run, args=(barrier, folders)) for _ in range(2)]
    for process in runs:
        process.start()
    for process in runs:
        process.join()
    print([process.exitcode for process in runs])
"""


def test_two_first_runs_at_once(tmp_path: Path) -> None:
    """Neither takes away the data that the other makes, and nothing is left beside it."""
    (tmp_path / "race.py").write_text(RACE, encoding="utf-8")
    command = [sys.executable, "race.py"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("[0, 0]\n", "")
    left = {file.name for file in tmp_path.glob("rounds/*/*")}
    assert left == {".testmondata"}


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_data_that_was_cut_off_is_removed(
    part: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one warning, also if its beginning can be read; data that is whole is left alone."""
    monkeypatch.delenv("TESTMON_DATAFILE", raising=False)
    data = tmp_path / ".testmondata"
    make_data(tmp_path)
    whole = data.read_bytes()
    set_aside_damaged(tmp_path)
    assert (data.read_bytes(), capsys.readouterr().err) == (whole, "")
    data.write_bytes(whole[: int(len(whole) * part)])
    set_aside_damaged(tmp_path)
    assert not data.exists()
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: {data}: damaged data of testmon is removed (")
