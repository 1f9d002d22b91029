"""How a command ended for one council, and which of several exit codes is the worst."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.errors import Problems
from monitor.fleet.children import ChildEnd
from monitor.fleet.fleet_settings import Authority
from monitor.words import one_line

RANKED = (0, 1, 4, 2, 3)
"""Exit codes, the worst last: done; done, with something amiss; another run is at work on it; what somebody wrote is
wrong; no night, or nothing that can be read."""
NOTHING_DONE = 3
LONGEST_WORDS = 400


@dataclass(frozen=True)
class CouncilEnd:
    """How a command ended for one council. ``words``: one line of it; ``account``: what it printed, where it did.

    No person is in either.
    """

    code: str
    name: str
    exit_code: int
    words: str
    seconds: float = 0.0
    account: Mapping[str, Any] | None = None

    @property
    def line(self) -> str:
        """Return the one line that is told of this council."""
        name = f" {self.name}" if self.name != self.code else ""
        return f"{self.code}{name}: {self.words}" + (f" (exit code {self.exit_code})" if self.exit_code else "")


def find_worst(codes: Iterable[int]) -> int:
    """Return the worst of the exit codes; 0 of none. One that is no code of the monitor's is as bad as any."""
    return max((code if code in RANKED else NOTHING_DONE for code in codes), key=RANKED.index, default=0)


def describe_unusable(authority: Authority) -> CouncilEnd:
    """Return the end of a council whose config cannot be used: nothing was started."""
    more = f"; and {len(authority.problems) - 1} more" if len(authority.problems) > 1 else ""
    words = f"its config cannot be used: {one_line(authority.problems[0])[:LONGEST_WORDS]}{more}"
    return CouncilEnd(authority.code, authority.name, Problems.exit_code, words)


def read_account(end: ChildEnd) -> dict[str, Any] | None:
    """Return what a child printed as JSON; None where it printed none."""
    try:
        account = json.loads(end.stdout)
    except ValueError:
        return None
    return account if isinstance(account, dict) else None


def describe_failure(end: ChildEnd, log: str) -> tuple[int, str]:
    """Return the exit code of a child that gave no account, and why it did not, in one line."""
    if end.exit_code is None:
        return NOTHING_DONE, f"{end.why}; what it had not finished has changed nothing"
    lines = [one_line(line) for line in end.stderr.splitlines() if line.strip()]
    if not lines or any(line.startswith("Traceback") for line in lines):
        return NOTHING_DONE, f"failed by a defect of the monitor; {log} has the traceback"
    more = f"; and {len(lines) - 1} more in {log}" if len(lines) > 1 else ""
    return end.exit_code or NOTHING_DONE, lines[0][:LONGEST_WORDS] + more
