"""Load what a report counts: flags as spells, people, and the state of each flag on the last night.

State is worked out from dates, so an earlier night is counted from the same rows as the last one. A young person's
team is the one they are in now, on every night.
"""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, Connection, and_, cast, func, or_, select, type_coerce

from monitor.flags.state import is_waiver_in_force, quarantined_sql, state_sql
from monitor.report.contents import NO_TEAM
from monitor.report.report_data import ReportData
from monitor.report.report_nights import Nights
from monitor.store.bulk import load_query
from monitor.store.tables import Flag, FlagEvent, Person, Run, Waiver, table_of
from monitor.workspace import Workspace

SPELL = {
    "flag_id": "BIGINT", "person_id": "VARCHAR", "rule": "VARCHAR", "severity": "VARCHAR", "stood_from": "DATE",
    "opened_on": "DATE", "in_breach_since": "DATE", "due_on": "DATE", "held_since": "DATE", "resolved_on": "DATE",
    "resolved_reason": "VARCHAR", "quarantined_on": "DATE", "released_on": "DATE",
}  # fmt: skip
PERSON = {
    "person_id": "VARCHAR", "date_of_birth": "DATE", "team": "VARCHAR", "adviser": "VARCHAR", "last_contact": "DATE",
    "first_seen_on": "DATE", "absent_since": "DATE", "died_on": "DATE", "ended_on": "DATE",
}  # fmt: skip

COUNTS_ON = """s.stood_from <= {day} AND coalesce(s.resolved_on > {day}, true) AND NOT """ + quarantined_sql(
    "s", "{day}"
)
"""Whether a spell counts on a day: one that waits as a likely data fault does not."""

AGE = "year({day}) - year(p.date_of_birth) - CAST((month({day}), day({day})) < (month(p.date_of_birth), day(p.date_of_birth)) AS INTEGER)"  # noqa: E501


def load_flags(data: ReportData) -> None:
    """Make ``spell``, ``known_person`` and ``report_flag`` (those of the last night), of one team if it is named.

    ``flag_line`` is the same spells as the night's own tables have them, for what is counted in both.
    """
    workspace, store, as_at = data.workspace, data.store, data.as_at
    _load_people(data)
    _load_spells(workspace, store, data.nights)
    if data.team is not None:
        workspace.execute("DELETE FROM known_person WHERE team <> $team", {"team": data.team})
        workspace.execute("DELETE FROM spell WHERE person_id NOT IN (SELECT person_id FROM known_person)")
    held = "s.held_since IS NOT NULL" if data.nights.latest else "s.flag_id IN (SELECT unnest($held::BIGINT[]))"
    waived = "s.flag_id IN (SELECT unnest($waived::BIGINT[]))"
    given = {} if data.nights.latest else {"held": _find_held(store, as_at)}
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE report_flag AS
        SELECT
            s.*, coalesce(p.team, $no_team) AS team, p.adviser, {AGE.format(day="$as_at")} AS age,
            {state_sql(waived=waived, held=held)} AS state
        FROM spell AS s LEFT JOIN known_person AS p USING (person_id)
        WHERE {COUNTS_ON.format(day="CAST($as_at AS DATE)")}
        """,
        {"as_at": as_at, "no_team": NO_TEAM, "waived": _find_waived(store, as_at), **given},
    )
    workspace.execute(FLAG_LINE.format(as_at=as_at))


FLAG_LINE = """
    CREATE OR REPLACE TABLE flag_line AS
    SELECT s.* EXCLUDE (resolved_on, resolved_reason), p.team,
        CASE WHEN s.resolved_on <= DATE '{as_at}' THEN s.resolved_on END AS resolved_on,
        CASE WHEN s.resolved_on <= DATE '{as_at}' THEN s.resolved_reason END AS resolved_reason,
        CASE WHEN s.resolved_on <= DATE '{as_at}' THEN 'resolved' ELSE coalesce(f.state, 'quarantined') END AS state
    FROM spell AS s LEFT JOIN known_person AS p USING (person_id)
    LEFT JOIN (SELECT flag_id, state FROM report_flag) AS f USING (flag_id)
    WHERE s.stood_from <= DATE '{as_at}'
"""


def _load_people(data: ReportData) -> None:
    store, workspace, person = data.store, data.workspace, table_of(Person)
    # SQLite reads JSON out of text as it is; PostgreSQL wants to be told what it is.
    as_json: Any = cast if store.dialect.name == "postgresql" else type_coerce
    values = as_json(person.c.last_values, JSON)
    told = {"adviser": "personal_adviser", "last_contact": "latest_contact_date"}
    columns = [values[told[name]].as_string() if name in told else person.c[name] for name in PERSON]
    load_query(workspace, "known_person", PERSON, store, select(*columns))
    spellings = [row[0] for row in workspace.execute("SELECT DISTINCT team FROM known_person").fetchall()]
    named = {spelt: name for spelt in spellings if (name := data.name_team(spelt)) != spelt}
    if named:
        workspace.execute(RENAME, {"spelt": list(named), "names": list(named.values())})


RENAME = """
    UPDATE known_person SET team = called.name
    FROM (SELECT unnest($spelt::VARCHAR[]) AS spelt, unnest($names::VARCHAR[]) AS name) AS called
    WHERE known_person.team IS NOT DISTINCT FROM called.spelt
"""


def _load_spells(workspace: Workspace, store: Connection, nights: Nights) -> None:
    """A spell stands from the night it was opened, even where it carries on another's date."""
    flag, run = table_of(Flag), table_of(Run)
    earliest = nights.since - dt.timedelta(31)
    given: dict[str, Any] = {"flag_id": flag.c.id, "stood_from": func.coalesce(run.c.as_at, flag.c.opened_on)}
    columns = [given[name] if name in given else flag.c[name] for name in SPELL]
    query = (
        select(*columns)
        .select_from(flag.outerjoin(run, run.c.id == flag.c.opened_run_id))
        .where(
            or_(flag.c.resolved_on.is_(None), flag.c.resolved_on >= earliest),
            or_(flag.c.resolved_reason.is_(None), flag.c.resolved_reason != "corrected"),
        )
    )
    load_query(workspace, "spell", SPELL, store, query)


def _find_held(store: Connection, as_at: dt.date) -> list[int]:
    """Return the flags held on an earlier night than the newest, by their events."""
    event = table_of(FlagEvent)
    told = select(event.c.flag_id, event.c.kind).where(
        and_(event.c.kind.in_(("held", "released")), event.c.as_at <= as_at)
    )
    last: dict[int, str] = {row[0]: row[1] for row in store.execute(told.order_by(event.c.id))}
    return [flag for flag, kind in last.items() if kind == "held"]


def _find_waived(store: Connection, as_at: dt.date) -> list[int]:
    waiver = table_of(Waiver)
    return list(store.execute(select(waiver.c.flag_id).where(is_waiver_in_force(as_at)).distinct()).scalars())
