"""One night's escalations: decided from the flags as the night leaves them, saved, and laid out for the messages."""

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from monitor.flags import escalation
from monitor.flags.escalation import EscalationTerms, PutRight
from monitor.messages.manager import Raised
from monitor.messages.parts import LINE_FIELDS, FlagLine
from monitor.messages.routes import Routes
from monitor.outbox.told import load_told_escalations
from monitor.store.events import Stamp
from monitor.store.tables import Run, table_of
from monitor.workspace import Workspace, load_rows, step

if TYPE_CHECKING:
    from monitor.config.escalation_settings import EscalationSettings
    from monitor.rulebook.rulebook import Rulebook


@step(reads=("settled", "flag_line"), makes=("escalating_rule", "escalation_limit", "raised"))
def settle(
    workspace: Workspace,
    store: Connection,
    settings: "EscalationSettings",
    rulebook: "Rulebook",
    routes: Routes,
    as_at: dt.date,
    *,
    corrects: Collection[int] = (),
    run_id: int | None = None,
    recorded_at: dt.datetime | None = None,
) -> tuple[Raised, ...]:
    """Every step reached that no reader has had yet, tonight's among them, of flags that are open tonight.

    With a ``run_id``, tonight's are saved inside the caller's transaction.
    """
    told = load_told_escalations(store)
    rules = [rule.id for rule in rulebook.rules if rule.escalate]
    terms, put_right = EscalationTerms(settings.steps, rules), PutRight(corrects, told)
    new, back = escalation.decide(workspace, store, terms, as_at, put_right)
    standing = escalation.load_standing(store, told)
    if run_id is not None and recorded_at is not None and (new or back):
        recipients = {one.number: routes.escalate(one.step, one.team, one.person_id) for one in new}
        escalation.save(store, new, back, recipients, Stamp(as_at, recorded_at, run_id))
    gone = {one.number for one in back}
    waiting = [one for one in standing if one.number not in gone] + new
    return _lay_out(workspace, waiting, _first_night(store) or as_at)


def _first_night(store: Connection) -> dt.date | None:
    run = table_of(Run)
    first: dt.date | None = store.execute(
        select(func.min(run.c.as_at)).where(run.c.state.in_(("accepted", "superseded")))
    ).scalar()
    return first


def _lay_out(
    workspace: Workspace, waiting: Collection[escalation.Escalated], first_night: dt.date
) -> tuple[Raised, ...]:
    columns = {"number": "BIGINT", "flag_id": "BIGINT", "step": "VARCHAR", "working_days": "INTEGER"}
    rows = [(one.number, one.flag_id, one.step, one.working_days) for one in waiting]
    load_rows(workspace, "raised", columns, rows)
    found = workspace.execute(f"""
        SELECT number, step, working_days, {", ".join(f"line.{name}" for name in LINE_FIELDS)}
        FROM raised JOIN flag_line AS line USING (flag_id) WHERE line.state = 'open' ORDER BY number
    """).fetchall()
    return tuple(
        Raised(number, step, days, line := FlagLine(*fields), line.opened_on <= first_night)
        for number, step, days, *fields in found
    )
