"""A withdrawal killed at any moment: the same command again completes it, and everything stands as before the night."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.command import monitor
from test_withdraw import SECOND, begin, day, remembered

pytestmark = pytest.mark.simulation

KILLS = 24


def withdraw(config: Path, seconds: float | None = None) -> tuple[float, int, str]:
    """Take the night of 14 January 2026 back in a process of its own, killed after so many seconds."""
    program = "from monitor.cli.command import run_command; run_command()"
    command = [sys.executable, "-c", program, "run", "--withdraw", "2026-01-14", "--by", "A", "--reason", "B"]
    started = time.monotonic()
    with subprocess.Popen(
        [*command, "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        said, _ = process.communicate()
        return time.monotonic() - started, process.returncode, said


def test_a_withdrawal_killed_anywhere_is_completed_by_the_same_command(tmp_path: Path):
    council = begin(tmp_path, None)
    before = remembered(council)
    council.night(day(2), SECOND)
    usual, code, said = withdraw(council.config_path)
    assert code == 0, said

    killed = 0
    for moment in range(KILLS):
        assert council.night(day(2), SECOND).outcome == "accepted"
        killed += withdraw(council.config_path, usual * (0.3 + 0.7 * moment / KILLS))[1] == -9
        _, code, said = withdraw(council.config_path)

        assert code == 0, f"kill {moment}: {said}"
        assert remembered(council) == before, f"kill {moment}"
        assert not list(council.folder.glob("data/snapshots/*2026-01-14*")), f"kill {moment}"
        assert not (council.folder / "data" / "exceptions" / "2026-01-14").exists(), f"kill {moment}"
    audited = monitor(council.folder, "audit", "--config", str(council.config_path))
    assert audited.returncode == 0, audited.stdout
    print(f"{killed} of {KILLS} withdrawals were killed")
    assert killed > KILLS // 2
