"""A night of 153 councils of 650 people: within eight minutes of two cores, and within a gigabyte.

What is judged is the CPU time of all processes over two cores, since a busy machine makes a night longer and not
dearer; the minutes by the clock are printed beside it. Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s
tests/benchmarks``; ``MONITOR_COUNCILS`` makes it a share.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.budget import ALL

from monitor.fleet.children import PROGRAM

COUNCILS = int(os.environ.get("MONITOR_COUNCILS", "153"))
PEOPLE, CORES, MINUTES, MEGABYTES = 650, 2, 8, 1_000
MOST_REFUSED = 0.03
"""The gate refuses a first night with over 80% of a rule's people in breach: by chance one council has as many."""
REFUSED = re.compile(r".*: in breach for \d+ of \d+ asked \(at most 80% is believed .*\(exit code 3\)")

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="a quarter of an hour of CPU: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what all processes hold is read from /proc"),
]


def write_fleet(folder: Path) -> Path:
    lines = ["[fleet]", f"workers = {CORES}"]
    for n in range(COUNCILS):
        code = f"{201 + n}"
        own = folder / code
        own.mkdir()
        sources = "".join(
            f'[[sources]]\nname = "{role}"\nkind = "sample"\nrole = "{role}"\npeople = {PEOPLE}\nseed = {n + 1}\n'
            for role in ("caseload", "detail")
        )
        teams = "".join(
            f'[[teams]]\nname = "Leaving Care {team}"\nlead = "{team.lower()}-{code}@example.gov.uk"\n'
            for team in ("North", "South", "East", "West")
        )
        (own / "monitor.toml").write_text(f'authority = "Council {code}"\n{sources}{teams}', encoding="utf-8")
        lines += ["[[authorities]]", f'code = "{code}"', f'config = "{code}/monitor.toml"']
    path = folder / "fleet.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@contextmanager
def peak_of(pid: int) -> Iterator[list[float]]:
    """Give the most megabytes that a process and those below it held at once, each shared page counted once."""
    most, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.3):
            most[0] = max(most[0], sum(map(held_by, family_of(pid))) / 1024)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def family_of(pid: int) -> set[int]:
    lines = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout.splitlines()
    parents = {int(child): int(parent) for child, parent in map(str.split, lines[1:])}
    family, more = set[int](), {pid}
    while more:
        family |= more
        more = {child for child, parent in parents.items() if parent in more} - family
    return family


def held_by(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.M)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def test_a_night_of_every_council_of_england(tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    began = time.monotonic()
    process = subprocess.Popen([*PROGRAM, "fleet", "run", "--config", str(path)], stdout=subprocess.PIPE, text=True)
    with peak_of(process.pid) as most:
        assert process.stdout
        said = process.stdout.read().splitlines()
        process.stdout.close()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)

    minutes = (used.ru_utime + used.ru_stime) / CORES / 60
    print(f"\n{COUNCILS} councils of {PEOPLE} people: {minutes:.2f} minutes of {CORES} cores ", end="")
    print(f"({minutes * CORES * 60 / COUNCILS:.2f} CPU s a council), {most[0]:,.0f} MB at most, ", end="")
    print(f"{(time.monotonic() - began) / 60:.2f} minutes by the clock")
    print(said[-1])
    refused = [line for line in said[:COUNCILS] if REFUSED.fullmatch(line)]
    print(*refused, sep="\n")
    failed = [line for line in said[:COUNCILS] if re.search(r"\(exit code [2-9]\d*\)", line) and line not in refused]
    assert (len(said), failed) == (COUNCILS + 1, [])
    assert len(refused) <= MOST_REFUSED * COUNCILS
    assert process.returncode in ((3,) if refused else (0, 1)), said[-5:]
    assert minutes <= MINUTES * COUNCILS / 153
    assert most[0] <= MEGABYTES
