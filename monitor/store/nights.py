"""The ledger of nights: one accepted run per date, never backwards, and every attempt on record."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from monitor.errors import Refused
from monitor.store.bulk import next_id
from monitor.store.database import Database
from monitor.store.tables import Run, table_of


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


CUT_OFF = "the process ended before it was finished"
"""Why a run failed that a later one found still at work."""


@dataclass(frozen=True)
class Ledger:
    """The accepted nights, as far as a new one must know them.

    ``tonight``: the accepted run of the date asked for, where there is one; ``same_date``: every run that was ever
    accepted for it; ``before``: the last accepted night before it.
    """

    last: dt.date | None
    tonight: Any | None
    same_date: tuple[int, ...]
    before: Any | None


class RequestRefused(Refused):
    """The request itself is refused: the analyst who typed it is the one who reads why."""


def find_newest(store: Connection) -> dt.date | None:
    """Return the date of the last accepted night."""
    run = table_of(Run)
    return store.execute(select(func.max(run.c.as_at)).where(run.c.state == "accepted")).scalar()


def read_ledger(database: Database, as_at: dt.date) -> Ledger:
    table = table_of(Run)
    with database.reading() as store:
        accepted = store.execute(select(table).where(table.c.state == "accepted").order_by(table.c.as_at)).all()
        same = store.execute(
            select(table.c.id).where(table.c.as_at == as_at, table.c.state.in_(("accepted", "superseded")))
        )
        same_date = tuple(row[0] for row in same)
    return Ledger(
        last=accepted[-1].as_at if accepted else None,
        tonight=next((one for one in accepted if one.as_at == as_at), None),
        same_date=same_date,
        before=next((one for one in reversed(accepted) if one.as_at < as_at), None),
    )


def check_date(request: Request, ledger: Ledger) -> None:
    if request.as_at > request.today:
        raise RequestRefused(
            f"--as-at {request.as_at}: is after today ({request.today}); a night is about a day that has come"
        )
    if ledger.last and request.as_at < ledger.last:
        raise RequestRefused(
            f"--as-at {request.as_at}: is before the last accepted night ({ledger.last}); "
            "look back with --dry-run, which changes nothing"
        )


def unchanged(request: Request, ledger: Ledger, *, source_fingerprint: str, rules_fingerprint: str) -> bool:
    """Whether this date was accepted already from the very same input; refused where the input differs unasked."""
    if ledger.tonight is None:
        return False
    sources_same = ledger.tonight.source_fingerprint == source_fingerprint
    rules_same = ledger.tonight.rules_fingerprint == rules_fingerprint
    # A night believed only in part may be asked for again, to be believed whole.
    anew = request.again and request.accept is not None and ledger.tonight.reason is None
    if sources_same and rules_same and not anew:
        return True
    if not request.again:
        what = " and ".join(
            name for name, same in (("the sources", sources_same), ("the rulebook", rules_same)) if not same
        )
        raise RequestRefused(
            f"{request.as_at} was accepted already, and {what} changed since; nothing has been changed: "
            'put the night right with --again --by "YOUR NAME", or wait for the next night'
        )
    return False


def find_reworded(ledger: Ledger, sentences: Mapping[str, str]) -> frozenset[str]:
    """The rules whose sentence is other than on the night the stored flags are of."""
    last = ledger.tonight or ledger.before
    said = json.loads(last.rule_wordings or "{}") if last else {}
    return frozenset(rule for rule, text in sentences.items() if rule in said and said[rule][1] != text)


def find_withdrawn(ledger: Ledger, in_force: Iterable[str]) -> tuple[str, ...]:
    """What messages may call the rules that were in force on the night before and are not now."""
    said = json.loads(ledger.before.rule_wordings or "{}") if ledger.before else {}
    return tuple(said[rule][0] for rule in sorted(said.keys() - set(in_force)))


def begin(database: Database, request: Request, now: dt.datetime) -> int:
    table = table_of(Run)
    with database.writing() as store:
        interrupted = {"state": "failed", "reason": CUT_OFF, "finished_at": now}
        store.execute(table.update().where(table.c.state == "running").values(interrupted))
        run_id = next_id(store, Run)
        store.execute(
            table.insert().values(id=run_id, as_at=request.as_at, state="running", started_at=now, by=request.by)
        )
    return run_id


def was_accepted_anyway(ledger: Ledger, source_fingerprint: str) -> bool:
    """Whether somebody has said already that this very input is to be believed."""
    tonight = ledger.tonight
    return tonight is not None and tonight.reason is not None and tonight.source_fingerprint == source_fingerprint


def was_said(database: Database, run_id: int) -> bool:
    """Whether an earlier try at the same date ended for the very same reason, which the analyst knows then."""
    run = table_of(Run)
    with database.reading() as store:
        this = store.execute(select(run.c.as_at, run.c.reason).where(run.c.id == run_id)).one()
        same = (run.c.as_at == this.as_at, run.c.reason == this.reason, run.c.id < run_id)
        ended = run.c.state.in_(("refused", "failed"))
        return store.execute(select(run.c.id).where(*same, ended).limit(1)).first() is not None


def close(
    database: Database, run_id: int, state: str, reason: str, now: dt.datetime, *, verdict: str | None = None
) -> None:
    table = table_of(Run)
    with database.writing() as store:
        changes = {"state": state, "reason": reason, "finished_at": now, "verdict": verdict}
        store.execute(table.update().where(table.c.id == run_id, table.c.state == "running").values(changes))
