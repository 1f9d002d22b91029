"""What a finished process cost, by the operating system's own account, as a ratio to the probes beside it.

The probe is a fresh process that imports what every night must import and reads the same file once. It runs before and
after each process that is measured, so that a busy machine slows both: only their ratio is judged.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

ACCOUNTED = hasattr(os, "wait4")
"""Whether the system tells what a finished process and its children used; Windows does not."""

ROUNDS, MORE_ROUNDS = 2, 4

CONFIG = """
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.csv"
[[teams]]
name = "Leaving Care North"
lead = "north@example.gov.uk"
[lists]
workbooks = false
"""
"""One list of a council with one team; no workbooks, which are a choice."""

_BYTES = 1 if sys.platform == "darwin" else 1024

# A small process starts the one that is measured: a forked one's peak memory is never below its parent's.
_LAUNCH = """
import json, os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process, 0)
print()
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
_PROBE = """
import sys, duckdb, sqlmodel, jinja2
duckdb.sql(f"SELECT count(COLUMNS(*)) FROM read_csv('{sys.argv[1]}', all_varchar = true)").fetchall()
"""


@dataclass(frozen=True)
class Spent:
    """CPU seconds of a finished process and its children, its peak memory, and what it printed."""

    seconds: float
    megabytes: float
    printed: str = ""


@dataclass(frozen=True)
class Measured:
    """One thing measured a few times: each time its CPU, the CPU of the probes around it, and its peak."""

    what: str
    seconds: tuple[float, ...]
    probes: tuple[float, ...]
    megabytes: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return median(mine / probe for mine, probe in zip(self.seconds, self.probes, strict=True))

    @property
    def peak(self) -> float:
        return median(self.megabytes)

    def __add__(self, more: "Measured") -> "Measured":
        return Measured(
            self.what, self.seconds + more.seconds, self.probes + more.probes, self.megabytes + more.megabytes
        )


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def monitor(*arguments: object) -> list[str]:
    """The command as its console script runs it."""
    return python("from monitor.cli.command import main; main()", *arguments)


def probe(source: Path) -> list[str]:
    return python(_PROBE, source)


def spent(command: Sequence[str], folder: Path, *, allowed: Sequence[int] = (0,)) -> Spent:
    """Run a process to its end and say what it used; one that ends otherwise than allowed is an error."""
    launched = [sys.executable, "-I", "-S", "-c", _LAUNCH, *command]
    done = subprocess.run(launched, cwd=folder, capture_output=True, text=True, check=True)
    *printed, account = done.stdout.splitlines()
    code, seconds, peak = json.loads(account)
    if code not in allowed:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise AssertionError(f"{' '.join(command[-6:])} ended with {code}:\n{said}")
    return Spent(seconds, peak * _BYTES / 1_048_576, "\n".join(printed).rstrip())


def own_account(account: Spent) -> float:
    """The CPU seconds that a process prints of the part of it that counts."""
    return float(account.printed.splitlines()[-1])


def nothing() -> None:
    pass


@dataclass(frozen=True)
class Step:
    """One process of a round: what it is, the command of the nth round, and what is made ready before it."""

    what: str
    command: Callable[[int], Sequence[str]]
    prepare: Callable[[], None] = nothing
    allowed: Sequence[int] = (0,)
    seconds: Callable[[Spent], float] = field(default=lambda account: account.seconds)


@dataclass(frozen=True)
class Course:
    """Processes that run one after another in a folder, with a probe between any two."""

    folder: Path
    probe: Sequence[str]
    steps: Sequence[Step]

    def measure(self, rounds: range) -> dict[str, Measured]:
        """Run the rounds; the first probe is not counted, since it pays for a file not read before."""
        spent(self.probe, self.folder)
        measured: dict[str, Measured] = {}
        for number in rounds:
            for name, one in self._round(number):
                measured[name] = measured[name] + one if name in measured else one
        return measured

    def _round(self, number: int) -> Iterator[tuple[str, Measured]]:
        accounts, probes = [], [spent(self.probe, self.folder)]
        for step in self.steps:
            step.prepare()
            accounts.append(spent(step.command(number), self.folder, allowed=step.allowed))
            probes.append(spent(self.probe, self.folder))
        for step, account, (before, after) in zip(self.steps, accounts, pairwise(probes), strict=True):
            between = (before.seconds + after.seconds) / 2
            yield step.what, Measured(step.what, (step.seconds(account),), (between,), (account.megabytes,))
