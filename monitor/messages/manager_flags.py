"""One night's escalations: decided from the flags as the night leaves them, saved, and listed for the messages."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from monitor.flags import escalation
from monitor.flags.backlog import Backlog
from monitor.flags.escalation import EscalationTerms, PutRight
from monitor.messages.manager import Raised
from monitor.messages.parts import LINE_FIELDS, FlagLine
from monitor.messages.routes import Routes
from monitor.store.events import Stamp
from monitor.workspace import Workspace, step


@dataclass(frozen=True)
class EscalationBasis:
    """What a night's escalations rest on.

    ``terms``: what escalates; ``told``: the escalations that a reader has had; ``corrects``: runs put right.
    """

    terms: EscalationTerms
    routes: Routes
    as_at: dt.date
    told: Collection[int]
    corrects: Collection[int] = ()


@step(reads=("settled", "flag_line"))
def escalate_flags(
    workspace: Workspace,
    store: Connection,
    basis: EscalationBasis,
    *,
    run_id: int | None = None,
    recorded_at: dt.datetime | None = None,
) -> tuple[Raised, ...]:
    """Return every step reached that no reader has had yet, tonight's among them, of flags that are open tonight.

    With a ``run_id``, tonight's are saved inside the caller's transaction.
    """
    as_at, told = basis.as_at, basis.told
    new, back = escalation.decide(workspace, store, basis.terms, as_at, PutRight(basis.corrects, told))
    untold = escalation.load_standing(store, told, basis.terms.rules)
    if run_id is not None and recorded_at is not None and (new or back):
        recipients = {step.number: basis.routes.escalate(step.step, step.team, step.person_id) for step in new}
        escalation.save(store, new, back, recipients, Stamp(as_at, recorded_at, run_id))
    gone = {step.number for step in back}
    waiting = [step for step in untold if step.number not in gone] + new
    return _list_raised(workspace, waiting, basis.terms.backlog)


def _list_raised(
    workspace: Workspace, waiting: Collection[escalation.Escalated], backlog: Backlog
) -> tuple[Raised, ...]:
    if not waiting:
        return ()
    columns = zip(*((step.number, step.flag_id, step.step, step.working_days) for step in waiting), strict=True)
    found = workspace.execute(
        f"""
        SELECT number, step, working_days, {", ".join(f"line.{name}" for name in LINE_FIELDS)}
        FROM (SELECT unnest($1::BIGINT[]) AS number, unnest($2::BIGINT[]) AS flag_id, unnest($3::VARCHAR[]) AS step,
            unnest($4::INTEGER[]) AS working_days)
        JOIN flag_line AS line USING (flag_id) WHERE line.state = 'open' ORDER BY number
        """,
        [list(column) for column in columns],
    ).fetchall()
    return tuple(
        Raised(number, step, days, line := FlagLine(*fields), backlog.holds(line.flag_id, line.rule, line.opened_on))
        for number, step, days, *fields in found
    )
