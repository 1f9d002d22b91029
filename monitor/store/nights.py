"""The ledger of nights: one accepted run per date, never backwards, and every attempt on record."""

import datetime as dt
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, select

from monitor.errors import Refused
from monitor.store.bulk import next_id
from monitor.store.database import Database
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_row, say_rows, say_seal
from monitor.store.tables import Run, load_first, table_of
from monitor.words import write_date


@dataclass(frozen=True)
class Request:
    """How a person, or the service, asked for a night. ``accept``: why a refused night is to be believed.

    ``unattended``: the service ran it by itself, so its messages wait for the next send hour of a working day.
    """

    as_at: dt.date
    today: dt.date
    dry_run: bool = False
    again: bool = False
    by: str | None = None
    accept: str | None = None
    unattended: bool = False


LONGEST_STEP = dt.timedelta(7)
"""A night later than this after the last accepted one is a jump: perhaps of the clock, and not of time."""
CUT_OFF = "the process ended before it was finished"
"""Why a run failed that a later one found still at work."""


@dataclass(frozen=True)
class Ledger:
    """The accepted nights, as far as a new one must know them.

    ``tonight``: the accepted run of the date asked for, where there is one; ``same_date``: every run that was ever
    accepted for it; ``before``: the last accepted night before it.
    """

    last: dt.date | None
    tonight: Run | None
    same_date: tuple[int, ...]
    before: Run | None

    def is_jump(self, as_at: dt.date) -> bool:
        """Return whether a night is the first after a jump, on which nothing is done that no later night can undo."""
        return self.before is not None and is_jump(self.before.as_at, as_at)


def is_jump(last: dt.date, as_at: dt.date) -> bool:
    """Return whether a night is so long after the last accepted one that the clock may be ahead."""
    return as_at - last > LONGEST_STEP


class RequestRefused(Refused):
    """The request itself is refused: the analyst who typed it is the one who reads why."""


class NightAhead(RequestRefused):
    """A night of a day that has not come was accepted, so no night can be run: the clock was ahead."""


def describe_ahead(last: dt.date, today: dt.date) -> str:
    """Say that the last accepted night is of a day to come."""
    return (
        f"the last accepted night is of {write_date(last)}, which has not come (today is {write_date(today)}): the "
        "clock was ahead when it was run; no night is run until that day has passed, or the night is taken back"
    )


def describe_withdrawal(last: dt.date) -> str:
    """Write the command that takes a night back."""
    return f'monitor run --withdraw {last} --by "YOUR NAME" --reason "the clock was ahead"'


def find_newest(store: Connection) -> dt.date | None:
    """Return the date of the last accepted night."""
    run = table_of(Run)
    return store.execute(select(func.max(run.c.as_at)).where(run.c.state == "accepted")).scalar()


def list_accepted(store: Connection, *, before: dt.date) -> Sequence[dt.date]:
    """List the dates of the accepted nights before a date, in order."""
    run = table_of(Run)
    accepted = select(run.c.as_at).where(run.c.state == "accepted", run.c.as_at < before).order_by(run.c.as_at)
    dates: Sequence[dt.date] = store.execute(accepted).scalars().all()
    return dates


def find_jump(store: Connection) -> dt.date | None:
    """Return the date of the last accepted night where it was the first after a jump."""
    run = table_of(Run)
    accepted = select(run.c.as_at).where(run.c.state == "accepted").order_by(run.c.as_at.desc()).limit(2)
    nights: Sequence[dt.date] = store.execute(accepted).scalars().all()
    return nights[0] if len(nights) == 2 and is_jump(nights[1], nights[0]) else None


def read_ledger(database: Database, as_at: dt.date) -> Ledger:
    run = table_of(Run)
    accepted = select(run).where(run.c.state == "accepted").order_by(run.c.as_at.desc())
    tried = select(run.c.id).where(run.c.as_at == as_at, run.c.state.in_(("accepted", "superseded")))
    with database.reading() as store:
        return Ledger(
            last=find_newest(store),
            tonight=load_first(store, Run, accepted.where(run.c.as_at == as_at)),
            same_date=tuple(store.execute(tried).scalars()),
            before=load_first(store, Run, accepted.where(run.c.as_at < as_at)),
        )


def check_date(request: Request, ledger: Ledger) -> None:
    if request.as_at > request.today:
        raise RequestRefused(
            f"--as-at {request.as_at}: is after today ({request.today}); a night is about a day that has come"
        )
    if ledger.last is None or request.as_at >= ledger.last:
        return
    refused = f"--as-at {request.as_at}: is before the last accepted night ({ledger.last}); "
    if ledger.last > request.today:
        raise NightAhead(f"{refused}{describe_ahead(ledger.last, request.today)}: {describe_withdrawal(ledger.last)}")
    raise RequestRefused(f"{refused}look back with --dry-run, which changes nothing")


def unchanged(request: Request, ledger: Ledger, *, source_fingerprint: str, rules_fingerprint: str) -> bool:
    """Return whether this date was accepted from the very same input; refuse one that differs, unless asked again."""
    if ledger.tonight is None:
        return False
    changed = ["the sources"] if ledger.tonight.source_fingerprint != source_fingerprint else []
    changed += ["the rulebook"] if ledger.tonight.rules_fingerprint != rules_fingerprint else []
    if changed and not request.again:
        raise RequestRefused(
            f"{request.as_at} was accepted already, and {' and '.join(changed)} changed since; nothing has been "
            'changed: put the night right with --again --by "YOUR NAME", or wait for the next night'
        )
    # A night believed only in part may be asked for again, to be believed whole.
    anew = request.again and request.accept is not None and ledger.tonight.reason is None
    return not changed and not anew


def find_reworded(ledger: Ledger, sentences: Mapping[str, str]) -> frozenset[str]:
    """Find the rules whose sentence differs from that of the night the stored flags are of."""
    last = ledger.tonight or ledger.before
    wordings = json.loads(last.rule_wordings or "{}") if last else {}
    return frozenset(rule for rule, text in sentences.items() if rule in wordings and wordings[rule][1] != text)


def find_changed(
    store: Connection, ledger: Ledger, meanings: Mapping[str, str], held_since: Iterable[dt.date]
) -> frozenset[str]:
    """Find the rules that ask something else than on the night before; return their ids.

    For flags held since a day, whom no later night has found in breach, also ``id day`` where the rule asks something
    else than on the last night before that day.
    """
    run = table_of(Run)
    accepted = run.c.state == "accepted"
    nights = sorted(store.execute(select(run.c.as_at).where(accepted)).scalars()) if (days := set(held_since)) else []
    before = {day: nights[at - 1] for day in days if (at := bisect_left(nights, day))}
    said = select(run.c.as_at, run.c.rule_meanings).where(accepted, run.c.as_at.in_(set(before.values())))
    then = {as_at: json.loads(text or "{}") for as_at, text in store.execute(said)} if before else {}
    last = json.loads(ledger.before.rule_meanings or "{}") if ledger.before else {}
    changed = {rule for rule, meaning in meanings.items() if last.get(rule, meaning) != meaning}
    for day, night in before.items():
        changed |= {f"{rule} {day}" for rule, meaning in meanings.items() if then[night].get(rule, meaning) != meaning}
    return frozenset(changed)


def find_withdrawn(ledger: Ledger, in_force: Iterable[str]) -> tuple[str, ...]:
    """Find the rules that were in force on the night before and are not now; return what messages may call them."""
    wordings = json.loads(ledger.before.rule_wordings or "{}") if ledger.before else {}
    return tuple(wordings[rule][0] for rule in sorted(wordings.keys() - set(in_force)))


def begin(database: Database, request: Request, now: dt.datetime) -> int:
    table = table_of(Run)
    with database.writing() as store:
        interrupted = {"state": "failed", "reason": CUT_OFF, "finished_at": now}
        cut_off = store.execute(select(table.c.id).where(table.c.state == "running")).scalars().all()
        store.execute(table.update().where(table.c.state == "running").values(interrupted))
        run_id = next_id(store, Run)
        row = {"id": run_id, "as_at": request.as_at, "state": "running", "started_at": now, "by": request.by}
        store.execute(table.insert().values(row))
        stand = say_rows({Run: [*({"id": number, **interrupted} for number in cut_off), row]})["rows"]
        detail = {"rows": {**stand, "seal": say_seal(store)}}
        record_stamped(store, [Event("night begun", by=request.by, detail=detail)], Stamp(request.as_at, now, run_id))
    return run_id


def was_accepted_anyway(ledger: Ledger, source_fingerprint: str) -> bool:
    """Return whether somebody said of this very input, with ``--accept``, that it is to be believed."""
    tonight = ledger.tonight
    return tonight is not None and tonight.reason is not None and tonight.source_fingerprint == source_fingerprint


def was_said(database: Database, run_id: int) -> bool:
    """Return whether an earlier try at the same date ended for the same reason, so that the analyst knows."""
    run = table_of(Run)
    with database.reading() as store:
        as_at, reason = store.execute(select(run.c.as_at, run.c.reason).where(run.c.id == run_id)).one()
        ended = run.c.state.in_(("refused", "failed"))
        same = select(run.c.id).where(run.c.as_at == as_at, run.c.reason == reason, run.c.id < run_id, ended)
        return store.execute(same.limit(1)).first() is not None


@dataclass(frozen=True)
class RunEnding:
    """How a night that was not accepted ended. ``state``: refused, failed or unchanged; ``verdict``: of the gate."""

    state: str
    reason: str
    verdict: str | None = None


def close(database: Database, run_id: int, ending: RunEnding, now: dt.datetime) -> None:
    table = table_of(Run)
    with database.writing() as store:
        changes = {**asdict(ending), "finished_at": now}
        running = select(table.c.as_at).where(table.c.id == run_id, table.c.state == "running")
        as_at = store.execute(running).scalar()
        if as_at is None:
            return
        store.execute(table.update().where(table.c.id == run_id).values(changes))
        happened = Event(f"night {ending.state}", detail=say_row(Run, id=run_id, **changes))
        record_stamped(store, [happened], Stamp(as_at, now, run_id))
