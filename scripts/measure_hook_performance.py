"""Time each hook of a stage of `.pre-commit-config.yaml`, slowest first.

    python scripts/measure_hook_performance.py --stage pre-push

The same as `invoke hooks.measure`, for where there is no tasks.py. Run it in the project's
folder, with Paceline and pre-commit or prek installed. Exit codes: 0 all hooks passed, 1 one
failed, 12 one did not really run, so that its time says nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from paceline.errors import PacelineError
from paceline.tasks.hooks import run_measure


def main() -> int:
    """Measure as the arguments say and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", default="pre-push", help="the hooks to time (pre-push)")
    parser.add_argument("--rounds", type=int, default=3, help="how often to run each hook (3)")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    chosen = parser.parse_args()
    try:
        return run_measure(Path.cwd(), stage=chosen.stage, rounds=chosen.rounds, json=chosen.json)
    except PacelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
