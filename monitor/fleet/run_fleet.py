"""``monitor fleet run``: starts each council's night as a process of its own, and tells how each went in one line.

What happens when a step fails:

    1. the fleet's file        nothing starts, and every problem is listed
    2. a council's config      that council is not started, and its line says why
    3. a council's night       its line says why; what it has not finished has changed nothing; no other hears of it
    4. a step after all nights its line says why; the nights stay as they are
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.errors import MonitorError
from monitor.fleet.children import ChildEnd
from monitor.fleet.council_end import CouncilEnd, describe_failure, find_worst, read_account
from monitor.fleet.council_log import keep_log, name_log
from monitor.fleet.each_council import CouncilCommand, CouncilsEnd, run_each, summarize
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.fleet.join_letters import join_letters
from monitor.fleet.mailing import find_mailing, tell_nights, write_joined
from monitor.words import write_count, write_date, write_people

OUTCOMES = {
    "accepted": "accepted",
    "put right": "put right",
    "unchanged": "accepted already from the same input",
    "rehearsed": "rehearsed, nothing saved or sent",
}
COUNTS = (
    "as_at", "outcome", "exit_code", "first_night", "believed", "verdict", "people", "rows", "absent", "left",
    "new_deaths", "rules", "flags", "waiting",
)  # fmt: skip


@dataclass(frozen=True)
class FleetRequest:
    """What is asked of every council: nothing that a person must decide for one of them."""

    authorities: tuple[Authority, ...]
    as_at: dt.date | None = None
    dry_run: bool = False
    wait_seconds: float = 5.0


@dataclass(frozen=True)
class StepEnd:
    """How a step after all nights ended: its lines, and its exit code."""

    lines: tuple[str, ...] = ()
    exit_code: int = 0


AfterStep = Callable[[Fleet, FleetRequest, Sequence[CouncilEnd], Mapping[str, str]], StepEnd]


def _join_mail(fleet: Fleet, request: FleetRequest, _ends: Sequence[CouncilEnd], environ: Mapping[str, str]) -> StepEnd:
    """Send what the nights left for readers of several councils."""
    if request.dry_run:
        return StepEnd()
    codes = [authority.code for authority in request.authorities]
    account = join_letters(find_mailing(fleet, environ), environ, lambda: dt.datetime.now(dt.UTC), codes)
    return StepEnd(tuple(write_joined(account)), 0 if account.all_went else 1)


AFTER: tuple[AfterStep, ...] = (_join_mail,)
"""What is done for all councils together, in this order, once every night has ended; not where the fleet is stopped."""


@dataclass(frozen=True)
class FleetNight:
    """How each council's night ended, and what was done for all of them together."""

    nights: CouncilsEnd
    after: tuple[StepEnd, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return the worst of all; that of the signal where one stopped the fleet."""
        if self.nights.signal is not None:
            return self.nights.exit_code
        return find_worst([self.nights.exit_code, *(step.exit_code for step in self.after)])

    def as_dict(self) -> dict[str, Any]:
        after = [asdict(step) for step in self.after]
        return {**self.nights.as_dict(), "exit_code": self.exit_code, "after": after}


def run_fleet(
    fleet: Fleet, request: FleetRequest, environ: Mapping[str, str], told: Callable[[str], None]
) -> FleetNight:
    """Run the night of every council asked for; ``told`` is called with a line as each ends, and at the end."""

    def describe(authority: Authority, child: ChildEnd) -> CouncilEnd:
        return describe_night(authority, child, name_log(fleet, authority.code))

    command = CouncilCommand(arguments_of(request), describe, tell_nights(fleet, environ))
    nights = run_each(fleet, request.authorities, command, environ, told)
    steps = () if nights.signal is not None else AFTER
    after = tuple(_take_step(step, fleet, request, nights.ends, environ) for step in steps)
    for line in (*(line for step in after for line in step.lines), summarize(nights.ends, "done")):
        told(line)
    return FleetNight(nights, after)


def arguments_of(request: FleetRequest) -> tuple[str, ...]:
    """Return the arguments of a council's night, beside its config."""
    return (
        "run",
        "--json",
        f"--wait={request.wait_seconds:g}",
        *((f"--as-at={request.as_at}",) if request.as_at else ()),
        *(("--dry-run",) if request.dry_run else ()),
    )


def _take_step(
    step: AfterStep, fleet: Fleet, request: FleetRequest, ends: Sequence[CouncilEnd], environ: Mapping[str, str]
) -> StepEnd:
    try:
        return step(fleet, request, ends, environ)
    except MonitorError as fault:
        return StepEnd(tuple(str(fault).splitlines()), fault.exit_code)


def describe_night(authority: Authority, child: ChildEnd, log: Path) -> CouncilEnd:
    """Return how a council's night went, and keep what it said in its log."""
    account = read_account(child)
    if account is None or child.exit_code is None:
        exit_code, words = describe_failure(child, str(log))
    else:
        exit_code, words = child.exit_code, write_night(account)
        account = {"authority": authority.name, **_keep_counts(account)}
    if fault := keep_log(log, child, account, words):
        words = f"{words}; {fault}"
    return CouncilEnd(authority.code, authority.name, exit_code, words, round(child.seconds, 1), account)


def _keep_counts(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a region may keep of a night: no file, no team, no words about single messages or cells."""
    messages = {name: value for name, value in account["messages"].items() if isinstance(value, int)}
    return {**{key: account[key] for key in COUNTS}, "messages": messages}


def write_night(account: Mapping[str, Any]) -> str:
    """Return a night's account in one line: counts, and no person."""
    flags, messages, verdict = account["flags"], account["messages"], account["verdict"]
    day = write_date(dt.date.fromisoformat(account["as_at"]))
    parts = [f"night of {day} {OUTCOMES.get(account['outcome'], account['outcome'])}", write_people(account["people"])]
    if verdict["word"] != "trusted":
        parts.append(f"{verdict['word']}: {'; '.join(verdict['doubts'])}" if verdict["doubts"] else verdict["word"])
    opened, standing = flags["changed"].get("opened", 0), flags["standing"].get("open", 0)
    parts.append(f"{write_count(opened, 'new flag')}, {standing:,} open")
    went = messages["delivered"] + messages["taken"]
    parts.append(f"{write_count(went, 'message')} sent")
    if behind := messages["to_retry"] + messages["given_up"] + messages["doubtful"]:
        parts.append(f"{behind:,} not")
    if messages["stopped"]:
        parts.append(f"no more can be sent: {messages['stopped']}")
    if waiting := sum(one["new"] for one in account["waiting"]):
        parts.append(f"{write_count(waiting, 'new flag waits', 'new flags wait')} to be confirmed")
    return ", ".join(parts)
