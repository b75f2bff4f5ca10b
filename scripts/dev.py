"""Run a command in the project's own environment `.venv`, made on first use.

    python3 scripts/dev.py invoke prepush
    python3 scripts/dev.py nox -s tests-unit

Needs nothing but Python with venv and pip.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PROGRAMS = FOLDER / ("Scripts" if os.name == "nt" else "bin")


def ready() -> None:
    """Make the environment, unless it was made from these very files by this interpreter."""
    parts = [sys.version, *map(_text, ("pyproject.toml", "ci/constraints.txt"))]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    stamp = FOLDER / "made-from.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    print("making .venv (once) ...", file=sys.stderr)
    venv.create(FOLDER, clear=True, with_pip=True)
    # uv, because pip refuses an editable install beside pinned hashes.
    pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", "uv"], check=True)
    uv = [str(PROGRAMS / "uv"), "pip", "install", "--quiet", "--python", str(PROGRAMS / "python")]
    constraints = str(ROOT / "ci" / "constraints.txt")
    subprocess.run([*uv, "--constraints", constraints, "--editable", str(ROOT)], check=True)
    stamp.write_text(digest, encoding="utf-8")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def main() -> int:
    """Run the command that the arguments name and return its exit code."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    ready()
    env = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(
        [PROGRAMS / sys.argv[1], *sys.argv[2:]], check=False, cwd=ROOT, env=env
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
