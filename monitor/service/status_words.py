"""How the monitor stands, in lines for a person and as values for a program."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from monitor.service.concerns import Concern, ago
from monitor.service.status import ENDING_DAYS, NightAttempt, ServiceStatus
from monitor.words import write_count, write_date
from monitor.workdays import LONDON

WIDTH = 12


def describe(standing: ServiceStatus, concerns: Sequence[Concern]) -> list[str]:
    """Write what needs a person, then how things are."""
    lines = ["Needs a person:" if concerns else "Nothing needs a person."]
    for concern in concerns:
        lines += [f"  - {concern.what}", f"    {concern.do}"]
    return [*lines, "", *(f"{name:<{WIDTH}}{words}" for name, words in _facts(standing))]


def _facts(standing: ServiceStatus) -> list[tuple[str, str]]:
    found = [("Nights" if n == 0 else "", _write_night(night)) for n, night in enumerate(standing.nights)]
    found.append(("Next night", f"{_write_moment(standing.next_night)}, if the service is running"))
    if standing.database.is_current:
        flags = dict(standing.flags)
        unresolved = flags.pop("unresolved", 0)
        aside = ", ".join(f"{number:,} {state}" for state, number in flags.items())
        found.append(("Flags", f"{unresolved:,} unresolved, of these {aside}"))
        found.append(("Waivers", f"{write_count(standing.waivers_ending, 'ends', 'end')} within {ENDING_DAYS} days"))
        piles = [
            f"{pile.messages:,} {name}"
            + ("" if name == "not due yet" else f" (due {ago(standing.at - pile.oldest_due_at)})")
            for name, pile in standing.piles.items()
        ]
        found.append(("Messages", ", ".join(piles) or "none waiting, none in trouble"))
    if standing.extracted_on and standing.source_age is not None:
        age = write_count(standing.source_age, "working day")
        found.append(("Sources", f"of {write_date(standing.extracted_on)}, {age} old"))
    if standing.left_overs:
        files = write_count(standing.left_overs, "file")
        found.append(("Left-overs", f"{files} of a run that was killed; the next run, or monitor purge, removes them"))
    found.append(("Database", _write_database(standing)))
    found.append(("Disk", f"{standing.free_megabytes:,} MB free"))
    return found


def _write_night(night: NightAttempt) -> str:
    verdict = f" ({night.verdict})" if night.verdict and night.verdict != night.state else ""
    seconds, took = night.took_seconds, ""
    if seconds is not None:
        took = f", took {seconds} s" if seconds < 120 else f", took {seconds // 60} min"
    return f"{write_date(night.as_at)}: {night.state}{verdict}, begun {_write_moment(night.began_at)}{took}"


def _write_database(standing: ServiceStatus) -> str:
    database = standing.database
    if database.fault is not None:
        words = "cannot be read"
    elif database.version is None:
        words = "none yet"
    else:
        size = f"{database.size_bytes / 1e6:,.1f} MB, " if database.size_bytes is not None else ""
        words = f"{size}version {database.version}"
    return f"{database.kind}, {database.place}: {words}"


def _write_moment(moment: dt.datetime) -> str:
    there = moment.astimezone(LONDON)
    return f"{write_date(there.date())} {there:%H:%M}"


def as_dict(standing: ServiceStatus, concerns: Sequence[Concern]) -> dict[str, Any]:
    """Return the same as values for ``--json``; moments in UTC."""
    return {
        "at": _stamp(standing.at),
        "ok": not concerns,
        "needs_a_person": [vars(concern) for concern in concerns],
        "nights": [{**vars(night), "began_at": _stamp(night.began_at)} for night in standing.nights],
        "last_accepted": standing.last_accepted,
        "nights_ahead": standing.nights_ahead,
        "taken_back": standing.taken_back,
        "working_days_missed": standing.missed_working_days,
        "next_night": _stamp(standing.next_night),
        "failed_rules": list(standing.failed_rules),
        "snapshot_missing": standing.snapshot_missing,
        "flags": dict(standing.flags),
        "quarantined_by_rule": dict(standing.quarantined),
        "waivers_ending_within_14_days": standing.waivers_ending,
        "undelivered": {
            name: {"messages": pile.messages, "oldest_due_at": _stamp(pile.oldest_due_at)}
            for name, pile in standing.piles.items()
        },
        "sources": {"extracted_on": standing.extracted_on, "working_days_old": standing.source_age},
        "database": vars(standing.database),
        "free_megabytes": standing.free_megabytes,
        "back_after_removal": standing.back_after_removal,
        "recorded_as_died_and_alive": standing.alive_again,
        "removals_unfinished": standing.unfinished_removals,
        "left_overs": standing.left_overs,
        "bounces_not_read": standing.bounces_not_read and vars(standing.bounces_not_read),
    }


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")
