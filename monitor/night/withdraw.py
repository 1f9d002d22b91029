"""Takes the last accepted night back, on record: what it changed stands again as it stood before it.

    1. flags, roster, waivers, answers, escalations    as they were before the night; decisions made since stay
    2. figures of the night                            deleted; the gate compares with the nights before it
    3. messages not yet sent                           withheld; those sent are corrected in that reader's next digest
    4. its runs                                        withdrawn, all of the date: it can be run again
    5. kept caseload, lists, latest report             removed; the report written again as at the night before

1 to 4 are one transaction, 5 follows it: the same command again completes what a killed process left. Only how the last
night found things is kept, so a second night can be taken back only after another was accepted.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from monitor.caseload import removed_people
from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.flags import before, carried, carried_waivers
from monitor.messages.parts import DIGESTS
from monitor.messages.templates import open_templates
from monitor.night.context import Tools
from monitor.outbox import attempts
from monitor.outbox.queue import PENDING
from monitor.record.continuity import known_store
from monitor.record.purge_files import SNAPSHOTS, remove_paths
from monitor.report.write import FOLDER as REPORT
from monitor.report.write import write_latest_report
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.store.bulk import delete_rows, is_among, update_rows
from monitor.store.database import WAIT_SECONDS, Database
from monitor.store.events import Event, Stamp
from monitor.store.location import locate
from monitor.store.nights import RequestRefused, find_newest
from monitor.store.row_statements import TELLS, digest_tellings, record_stamped, record_stored, say_gone, say_row
from monitor.store.tables import (
    Answer,
    Escalation,
    Flag,
    FlagBefore,
    FlagEvent,
    Indicator,
    Measure,
    Message,
    MessageEscalation,
    Person,
    PersonBefore,
    Profile,
    Run,
    Waiver,
    table_of,
)
from monitor.words import write_count, write_date

WITHDRAWN = "night withdrawn"
PUT_BACK = "rows put back"
"""The events that say how rows stand again."""
SAVED = ("accepted", "superseded", "withdrawn")
"""The states of runs that have changed what is stored."""
NO_FLAG = "flag corrected"
"""Why a waiver ends of a flag that the night opened."""
CHANGES_A_FLAG = ("held", "released", "resolved", "restored", "changed", "told unconfirmed")


@dataclass(frozen=True)
class WithdrawalRequest:
    """Which night somebody takes back, and why; ``today`` in London."""

    as_at: dt.date
    by: str
    reason: str
    today: dt.date


@dataclass(frozen=True)
class Withdrawal:
    """What became of it, in counts. ``finished``: an earlier withdrawal that was cut off is completed.

    ``last``: the last accepted night now; ``to_correct``: addresses whose next digest says so.
    """

    as_at: dt.date
    last: dt.date | None
    flags: int = 0
    people: int = 0
    withheld: int = 0
    to_correct: int = 0
    finished: bool = False
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0


def withdraw_night(
    config: Config, request: WithdrawalRequest, tools: Tools, *, wait_seconds: float = WAIT_SECONDS
) -> Withdrawal:
    """Take the night back under the lock; raise ``RequestRefused``, with nothing changed, where it cannot be.

    A file that cannot be removed or written undoes nothing: it is among the problems of the account.
    """
    rulebook = open_rulebook(config)
    where = locate(config, tools.environ)
    with known_store(config, where, wait_seconds=wait_seconds) as database:
        with database.writing() as store:
            runs = _load_runs(store, request.as_at)
            if _is_withdrawn(runs, find_newest(store), request.as_at):
                account = Withdrawal(request.as_at, find_newest(store), finished=True)
            else:
                account = _take_back(store, runs, request, tools.clock())
        problems = [*_remove_files(config, request.as_at), *_write_report(config, rulebook, database, request.today)]
    tools.note("night withdrawn", as_at=request.as_at.isoformat(), flags=account.flags, people=account.people)
    return replace(account, problems=tuple(problems))


def describe(account: Withdrawal) -> list[str]:
    """Return what was done, in lines for the person who asked for it."""
    day, last = write_date(account.as_at), account.last
    lines = [f"the night of {day} was taken back before; what was left of its files is removed"]
    if not account.finished:
        lines = [
            f"taken back: the night of {day}; {write_count(account.flags, 'flag')} and "
            f"{write_count(account.people, 'row of the roster', 'rows of the roster')} stand as they did before it",
            f"{write_count(account.withheld, 'message')} not sent will not be; the next digest of "
            f"{write_count(account.to_correct, 'address', 'addresses')} corrects what was sent",
        ]
    standing = f"the last accepted night is that of {write_date(last)}" if last else "no night is accepted"
    lines.append(f"{standing}; to run the date again: monitor run --as-at {account.as_at}")
    if account.problems:
        lines += [
            "NOT FINISHED. Put this right and give the same command again:",
            *(f"  {p}" for p in account.problems),
        ]
    return lines


def _load_runs(store: Connection, as_at: dt.date) -> Sequence[Any]:
    """Load every run that was ever accepted for the date, in order."""
    run = table_of(Run)
    return store.execute(select(run).where(run.c.as_at == as_at, run.c.state.in_(SAVED)).order_by(run.c.id)).all()


def _is_withdrawn(runs: Sequence[Any], last: dt.date | None, as_at: dt.date) -> bool:
    return bool(runs) and last != as_at and runs[-1].state == "withdrawn"


def _take_back(store: Connection, runs: Sequence[Any], request: WithdrawalRequest, now: dt.datetime) -> Withdrawal:
    run_ids = [run.id for run in runs if run.state != "withdrawn"]
    _insist_on_last(store, run_ids, request.as_at)
    stamp = Stamp(request.as_at, now, run_ids[-1])
    flags = before.restore(store, run_ids[-1], stamp)
    carried.take_back(store, run_ids, stamp)
    _restore_waivers(store, run_ids, stamp)
    _delete_escalations(store, run_ids, stamp)
    people = _restore_people(store, stamp)
    _forget_answers_noticed(store, stamp)
    removed_people.forget_returned(store, stamp)
    for model in (Profile, Measure, Indicator):
        store.execute(table_of(model).delete().where(table_of(model).c.run_id.in_(run_ids)))
    withheld, to_correct = _withhold_messages(store, run_ids, request, now)
    run = table_of(Run)
    withdrawn = {"state": "withdrawn", "withdrawn_at": now, "withdrawn_by": request.by, "withdrawn_why": request.reason}
    withdrawn |= {"snapshot": None, "snapshot_sha256": None}
    store.execute(run.update().where(run.c.id.in_(run_ids)).values(withdrawn))
    detail = {"withdrawn": request.as_at, "runs": run_ids, "flags": flags, "people": people, "messages": withheld}
    record_stored(store, PUT_BACK, Run, run.c.id.in_(run_ids), stamp)
    record_stamped(store, [Event(WITHDRAWN, why=request.reason, by=request.by, detail=detail)], stamp)
    return Withdrawal(request.as_at, find_newest(store), flags, people, withheld, to_correct)


def _forget_answers_noticed(store: Connection, stamp: Stamp) -> None:
    """Let the next night notice the answers that this one did."""
    answer = table_of(Answer)
    noticed = list(store.execute(select(answer.c.id).where(answer.c.noticed_on == stamp.as_at)).scalars())
    store.execute(answer.update().where(answer.c.id.in_(noticed)).values(noticed_on=None))
    record_stored(store, PUT_BACK, Answer, answer.c.id.in_(noticed), stamp)


def _insist_on_last(store: Connection, run_ids: Sequence[int], as_at: dt.date) -> None:
    """Refuse any but the last accepted night, and one of which it is no longer known how it found things."""
    run, last = table_of(Run), find_newest(store)
    if last is None:
        raise RequestRefused(f"--withdraw {as_at}: no night is accepted, so there is nothing to take back")
    if last != as_at:
        raise RequestRefused(
            f"--withdraw {as_at}: only the last accepted night can be taken back, and that is {last}; what a night "
            "before it did, the nights since have built on"
        )
    newest = store.execute(select(run.c.id).where(run.c.state.in_(SAVED)).order_by(run.c.id.desc()).limit(1)).scalar()
    if newest != run_ids[-1] or _is_unknown_before(store, run_ids):
        raise RequestRefused(
            f"--withdraw {as_at}: how things stood before that night is no longer known, because it is kept of the "
            "last night only and a later one was taken back, or an earlier version ran it; put it right instead, with "
            '--again --by "YOUR NAME", or take up a backup'
        )


def _is_unknown_before(store: Connection, run_ids: Sequence[int]) -> bool:
    """Return whether the night changed a flag of which it is not kept how it stood: an earlier version ran it."""
    event, flag, kept = table_of(FlagEvent), table_of(Flag), table_of(FlagBefore)
    changed = (
        select(event.c.id)
        .join(flag, flag.c.id == event.c.flag_id)
        .where(
            event.c.run_id.in_(run_ids),
            event.c.kind.in_(CHANGES_A_FLAG),
            flag.c.opened_run_id.not_in(run_ids),
            flag.c.id.not_in(select(kept.c.flag_id)),
        )
    )
    return store.execute(changed.limit(1)).first() is not None


def _restore_waivers(store: Connection, run_ids: Sequence[int], stamp: Stamp) -> None:
    """Put in force again what the night ended, unless another took its place; end those of flags that it opened."""
    waiver = table_of(Waiver)
    reopened = list(store.execute(select(waiver.c.id).where(waiver.c.reopened_on == stamp.as_at)).scalars())
    store.execute(waiver.update().where(waiver.c.id.in_(reopened)).values(reopened_on=None))
    ended = set(store.execute(select(waiver.c.id).where(waiver.c.ended_run_id.in_(run_ids))).scalars())
    carried_waivers.end_unsupported(store, stamp)
    opened = select(table_of(Flag).c.id).where(table_of(Flag).c.opened_run_id.in_(run_ids))
    pointless = select(waiver).where(waiver.c.ended_on.is_(None), waiver.c.flag_id.in_(opened)).order_by(waiver.c.id)
    carried_waivers.end_waivers(store, store.execute(pointless).all(), NO_FLAG, stamp)
    in_force = select(waiver.c.person_id, waiver.c.rule).where(waiver.c.ended_on.is_(None))
    taken = {tuple(row) for row in store.execute(in_force)}
    wanted = ended - carried_waivers.find_unsupported(store)
    back = []
    for row in store.execute(select(waiver).where(waiver.c.id.in_(wanted)).order_by(waiver.c.id.desc())).all():
        if (row.person_id, row.rule) not in taken:
            taken.add((row.person_id, row.rule))
            back.append(row)
    nothing = dict.fromkeys(("ended_on", "ended_why", "ended_by", "ended_note", "ended_run_id"))
    store.execute(waiver.update().where(waiver.c.id.in_([row.id for row in back])).values(nothing))
    happened = []
    for row in back:
        detail = {"waiver_id": row.id, "until_on": row.until_on, **say_row(Waiver, id=row.id, **nothing)}
        happened.append(Event("waiver restored", row.flag_id, row.person_id, row.rule, detail=detail))
    record_stamped(store, happened, stamp)
    record_stored(store, PUT_BACK, Waiver, waiver.c.id.in_(reopened), stamp)


def _delete_escalations(store: Connection, run_ids: Sequence[int], stamp: Stamp) -> None:
    """Take back every step of the night, told or not; which message told of one is forgotten with it."""
    step, told = table_of(Escalation), table_of(MessageEscalation)
    rows = store.execute(select(step).where(step.c.run_id.in_(run_ids)).order_by(step.c.id)).all()
    theirs = told.c.escalation_id.in_(select(step.c.id).where(step.c.run_id.in_(run_ids)))
    telling = list(store.execute(select(told.c.message_id).where(theirs).distinct()).scalars())
    store.execute(told.delete().where(theirs))
    delete_rows(store, Escalation, (row.id for row in rows))
    why = "the night was withdrawn"
    record_stamped(store, [
        Event(
            "escalation withdrawn", row.flag_id, why=why,
            detail={"step": row.step, **say_gone(Escalation, [row.id])},
        )
        for row in rows
    ], stamp)  # fmt: skip
    if telling:
        tells = [{"id": id_, TELLS: telling_now} for id_, telling_now in digest_tellings(store, telling).items()]
        record_stamped(store, [Event(PUT_BACK, detail={"rows": {"message": tells}})], stamp)


def _restore_people(store: Connection, stamp: Stamp) -> int:
    """Put the roster back; return how many rows. Who was confirmed as alive since stays alive."""
    person, kept = table_of(Person), table_of(PersonBefore)
    stored = store.execute(
        select(kept.c.person_id, kept.c.row, person.c.died_on)
        .outerjoin(person, person.c.person_id == kept.c.person_id)
        .where(kept.c.run_id == stamp.run_id)
        .order_by(kept.c.person_id)
    ).all()
    new = [person_id for person_id, row, _ in stored if row is None]
    delete_rows(store, Person, new)
    happened = [Event(PUT_BACK, person_id=person_id, detail=say_gone(Person, [person_id])) for person_id in new]
    for person_id, row, died_on in stored:
        if row is None:
            continue
        was = _read_person(row)
        if was["died_on"] is None and died_on is not None:
            happened.append(Event("death withdrawn", person_id=person_id))
        store.execute(person.update().where(person.c.person_id == person_id).values(was))
    # Who had died or reached 25 stands in no caseload: that they went is noted beside the roster.
    quiet = list(store.execute(select(person.c.person_id).where(person.c.absent_since == stamp.as_at)).scalars())
    update_rows(store, Person, ("absent_since", "left_reason"), ((None, None, person_id) for person_id in quiet))
    store.execute(kept.delete())
    record_stamped(store, happened, stamp)
    changed = sorted({*quiet, *(person_id for person_id, row, _ in stored if row is not None)})
    record_stored(store, PUT_BACK, Person, is_among(store, person.c.person_id, changed), stamp)
    return len(stored) + len(quiet)


def _read_person(row: str) -> dict[str, Any]:
    columns, kept = table_of(Person).c, json.loads(row)
    dates = {column.name for column in columns if column.type.python_type is dt.date}
    return {
        name: dt.date.fromisoformat(value) if value is not None and name in dates else value
        for name, value in kept.items()
        if name in columns
    }


def _withhold_messages(
    store: Connection, run_ids: Sequence[int], request: WithdrawalRequest, now: dt.datetime
) -> tuple[int, int]:
    """Withhold what has not gone; return how many, and to how many addresses something went."""
    message = table_of(Message)
    digests = message.c.run_id.in_(run_ids) & message.c.kind.in_(DIGESTS)
    waiting = store.execute(select(message).where(digests, message.c.state.in_(PENDING)).order_by(message.c.id)).all()
    why = f"the night of {write_date(request.as_at)} was taken back before it went"
    for row in waiting:
        attempts.withhold(store, row, why, now)
    numbers = [row.id for row in waiting]
    if numbers:
        attempts.note_told(store, numbers, now)
    readers = select(message.c.recipient).where(digests, message.c.accepted_at.is_not(None)).distinct()
    return len(numbers), len(store.execute(readers).all())


# Files


def _remove_files(config: Config, as_at: dt.date) -> Sequence[str]:
    """Remove the kept caseload and the lists of the date, the leads' copies too; return what would not go."""
    day = as_at.isoformat()
    paths = [*(config.data_folder / SNAPSHOTS).glob(f"{day}-run-*.parquet"), config.data_folder / "exceptions" / day]
    if config.lists.lists_folder:
        paths.append(config.lists.lists_folder / day)
    return remove_paths(paths)


def _write_report(config: Config, rulebook: Rulebook, database: Database, today: dt.date) -> Sequence[str]:
    """Write the latest report as at the night before; remove it where there is none."""
    folder = config.data_folder / REPORT
    with database.reading() as store:
        last = find_newest(store)
    if last is None:
        return remove_paths([folder])
    if not folder.is_dir():
        return []
    try:
        write_latest_report(config, rulebook, open_templates(config.templates), database, made_on=today)
    except MonitorError as fault:
        return str(fault).splitlines()
    return []
