"""The public table of probes: with `pytest --impact` no test that a change breaks is missed.

The representative part of the table runs here; `nox -s replay` runs all of it, and verifies
what each probe says about a full run.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from probe_model import Probe, load
from probe_run import measure, missing_needs

PROBES = load()
CORE = [probe for probe in PROBES if probe.core]


@pytest.mark.parametrize("probe", CORE, ids=[probe.id for probe in CORE])
def test_nothing_is_missed_and_nothing_run_needlessly(probe: Probe, tmp_path: Path) -> None:
    """After the probe's change, `--impact` runs what a full run shows failing, and no excess."""
    lacks = missing_needs(probe)
    if lacks:
        pytest.skip(f"{lacks} is not installed")
    outcome = measure(probe, "--impact", tmp_path, verify=False)
    assert outcome.verdict == "ok", (
        f"{probe.what}: {outcome.broken}\nmissed {outcome.missed}\n"
        f"needless {outcome.needless}\n{outcome.output}"
    )


def test_the_runner_sees_what_a_selection_misses(tmp_path: Path) -> None:
    """A probe that plain testmon is known to miss is reported as missed."""
    probe = next(probe for probe in PROBES if probe.id == "absent-exists")
    assert measure(probe, "--testmon", tmp_path).missed == probe.fails


def test_the_runner_sees_what_is_run_needlessly(tmp_path: Path) -> None:
    """Running everything, with no selection at all, is reported as needless."""
    probe = next(probe for probe in PROBES if probe.id == "test-body")
    assert measure(probe, "", tmp_path).verdict == "needless"
