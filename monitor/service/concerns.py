"""Decides from how the monitor stands what needs a person, and says what that person can do; a function of values."""

import datetime as dt
from dataclasses import dataclass

from monitor.config.secret_ends import REMEDY, find_ends
from monitor.config.settings import Config
from monitor.service.due import SETTLED_WITHIN
from monitor.service.status import DatabaseState, NightAttempt, ServiceStatus
from monitor.store.database import HEAD
from monitor.store.nights import describe_ahead, describe_withdrawal
from monitor.words import write_count, write_date, write_people
from monitor.workdays import london_date

LONGEST_NIGHT = dt.timedelta(hours=3)
"""A night still under way after so long was killed, or hangs."""


@dataclass(frozen=True)
class Concern:
    """Something that needs a person. ``about``: one word for a program that watches."""

    about: str
    what: str
    do: str


def judge(standing: ServiceStatus, config: Config) -> tuple[Concern, ...]:
    """List what needs a person, the gravest first; nothing if the monitor can be left alone."""
    return (
        *_judge_database(standing.database),
        *_judge_nights(standing),
        *_judge_last_night(standing, config),
        *_judge_messages(standing),
        *_judge_what_waits(standing),
        *_judge_secrets(config, london_date(standing.at)),
        *_judge_disk(standing, config.service.least_free_megabytes),
    )


def _judge_secrets(config: Config, today: dt.date) -> list[Concern]:
    return [Concern("secret", end.describe(today), REMEDY) for end in find_ends(config, today)]


def _judge_database(database: DatabaseState) -> list[Concern]:
    version = database.version
    if database.fault is not None:
        return [Concern("database", database.fault, "until then no night can be run, nor anything more be said here")]
    if version is None:
        first = "run the first night: monitor run; or start the service: monitor start"
        return [Concern("night", "no night has been run here yet", first)]
    if version < HEAD:
        # The next night brings it up to date by itself; until then its content cannot be read by this version.
        what = f"the database is of an older version ({version}; this monitor's is {HEAD})"
        return [Concern("database", what, "make a backup of it; then monitor run, or the service, upgrades it")]
    if version > HEAD:
        what = f"the database was made by a newer monitor ({version}; this one's is {HEAD})"
        return [Concern("database", what, "install that version")]
    return []


def _judge_nights(standing: ServiceStatus) -> list[Concern]:
    if not standing.database.is_current:
        return []
    found = _judge_attempt(standing.nights[0], standing) if standing.nights else []
    if standing.taken_back and standing.last_accepted != london_date(standing.at):
        what = f"the night of {write_date(london_date(standing.at))} was taken back, and nobody has run it again"
        found.append(Concern("night", what, "put the sources right, then: monitor run; the service leaves it to you"))
    if standing.last_accepted is None:
        found.append(Concern("night", "no night has been accepted yet", "run one: monitor run"))
    elif standing.last_accepted > (today := london_date(standing.at)):
        found += _judge_night_ahead(standing.last_accepted, today, standing.nights_ahead)
    elif standing.missed:
        days = write_count(standing.missed_working_days, "working day")
        what = f"no accepted night since {write_date(standing.last_accepted)}, {days} ago"
        found.append(Concern("night", what, "see that the service is running and what its log says, or: monitor run"))
    return found


def _judge_night_ahead(last: dt.date, today: dt.date, number: int) -> list[Concern]:
    what = describe_ahead(last, today)
    if number > 1:
        what += f"; {number} accepted nights are of days to come, and the last is taken back first"
    return [Concern("night", what, f"see that the clock is right, then: {describe_withdrawal(last)}")]


def _judge_attempt(newest: NightAttempt, standing: ServiceStatus) -> list[Concern]:
    day, age = write_date(newest.as_at), standing.at - newest.began_at
    is_done = standing.last_accepted is not None and newest.as_at <= standing.last_accepted
    if newest.state in ("refused", "failed") and not is_done:
        why = (newest.reason or "").partition("\n")[0]
        ended = "was refused" if newest.state == "refused" else "failed"
        what = f"the last attempt, for {day}, {ended}" + (f": {why}" if why else "")
        return [Concern("night", what, "put that right, then: monitor run")]
    if newest.state == "running" and age > LONGEST_NIGHT:
        what = f"the night of {day} began {ago(age)} and has not ended"
        return [Concern("night", what, "see whether it is still at work; if it was killed: monitor run")]
    return []


def _judge_last_night(standing: ServiceStatus, config: Config) -> list[Concern]:
    found = []
    if standing.failed_rules:
        rules = standing.failed_rules
        what = f"{write_count(len(rules), 'rule')} failed on the last night: {', '.join(rules)}; their flags are held"
        found.append(Concern("rules", what, "see what is wrong with them: monitor rules test, and monitor check"))
    if standing.verdict == "degraded" and not standing.believed_on_request:
        what = "a part of the last night's data was not believed; what rests on it is held"
        found.append(Concern("source", what, "the analyst's e-mail says which part and why; put the source right"))
    oldest = config.gate.oldest_extract_working_days
    if standing.source_age is not None and standing.source_age > oldest and standing.extracted_on:
        days = write_count(standing.source_age, "working day")
        what = f"the sources are of {write_date(standing.extracted_on)}, {days} old; more than {oldest} is too old"
        found.append(Concern("source", what, "see that the extracts are made and copied each day"))
    if standing.snapshot_missing:
        what = f"the caseload kept of the last night is missing: snapshots/{standing.snapshot_missing}"
        do = "put it back from a backup; flags do not need it, monitor explain, backtest and audit do"
        found.append(Concern("snapshot", what, do))
    return found


def _judge_messages(standing: ServiceStatus) -> list[Concern]:
    piles, found = standing.piles, []
    fates = {
        "given up": ("given up", "correct the address in the config; the next digest has all that it said"),
        "in doubt": ("in doubt: nobody knows whether they arrived", "ask the reader; the next digest says so too"),
        "withheld": ("withheld, since something they said is true no more", "the next night writes them anew"),
    }
    for fate, (words, do) in fates.items():
        if pile := piles.get(fate):
            found.append(Concern("messages", f"{write_count(pile.messages, 'message')} {words}", do))
    for waiting in ("waiting", "to be tried again", "being sent"):
        pile = piles.get(waiting)
        if pile and standing.at - pile.oldest_due_at > SETTLED_WITHIN:
            late = ago(standing.at - pile.oldest_due_at)
            what = f"{write_count(pile.messages, 'message')} {waiting}, the oldest due {late}"
            found.append(Concern("messages", what, "try now, and see why not: monitor deliver --now"))
    if unread := standing.bounces_not_read:
        what = f"what came back is not heard since {write_date(unread.day)}: {unread.why}"
        found.append(Concern("messages", what, "put it right, then: monitor deliver; until then messages go as usual"))
    return found


def _judge_what_waits(standing: ServiceStatus) -> list[Concern]:
    found = []
    for rule, number in standing.quarantined.items():
        what = f"{write_count(number, 'flag')} of {rule} waiting as a likely fault of the data"
        found.append(Concern("flags", what, f"look into it; if they are true: monitor confirm {rule} --by NAME"))
    if standing.alive_again:
        what = f"{write_people(standing.alive_again)} recorded as died, and alive on the caseload since"
        found.append(Concern("people", what, "the analyst's e-mail names them: monitor confirm ID --by NAME"))
    if standing.back_after_removal:
        what = f"{write_people(standing.back_after_removal)} removed on request, and back from a source"
        do = "the analyst's e-mail names them; see whether the source should have them"
        found.append(Concern("people", what, do))
    if standing.unfinished_removals:
        what = f"{write_count(standing.unfinished_removals, 'removal')} of a person not finished"
        found.append(Concern("people", what, "give the same monitor purge --person command again"))
    return found


def _judge_disk(standing: ServiceStatus, least: int) -> list[Concern]:
    if standing.free_megabytes >= least:
        return []
    what = f"{standing.free_megabytes:,} MB free on the disk; less than {least:,} MB is too little"
    return [Concern("disk", what, "make room; monitor purge removes what is past its time")]


def ago(age: dt.timedelta) -> str:
    """Write a time that has passed, like "3 hours ago"."""
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return f"{write_count(max(int(age.total_seconds() // 60), 0), 'minute')} ago"
    return f"{write_count(hours, 'hour')} ago" if hours < 48 else f"{write_count(hours // 24, 'day')} ago"
