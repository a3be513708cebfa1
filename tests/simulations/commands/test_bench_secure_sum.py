import subprocess
import sys

import pytest

from simulations.bench.secure_sum import time_secure_sum


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulations.cli", "bench", "secure-sum", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_row_for_each_roster_and_the_machine():
    done = bench("--clinics", "2,5", "--length", "3")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("│")]
    assert [row[1] for row in rows] == ["2", "5"]
    assert "3 coordinates" in done.stdout
    assert "cores, Python" in done.stdout


@pytest.mark.parametrize("clinics", ["1", "8,x", "", "8,,9"])
def test_a_roster_nobody_can_have_is_refused(clinics):
    done = bench("--clinics", clinics)
    assert done.returncode == 2
    assert f"--clinics {clinics!r} asked" in done.stderr


def test_parts_make_the_whole():
    timing = time_secure_sum(20, 2, repeats=3)
    assert (timing.clinics, timing.length) == (20, 2)
    assert 0 < timing.noise_ms < timing.contribution_ms
    assert 0 < timing.masks_ms < timing.contribution_ms
    assert timing.first_contribution_ms > 0
    assert timing.server_sum_s > 0
