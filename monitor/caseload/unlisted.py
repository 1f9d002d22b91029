"""The unlisted: people entitled by their care history who are on neither the caseload nor the roster.

They are asked only rules that ask for them; without a care history nobody would see that they were left off.
"""

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from monitor.caseload.intake import Intake
from monitor.catalogue.columns import COLUMNS
from monitor.catalogue.derived import birthday_sql
from monitor.sources.care_history import COLUMNS_SUPPLIED, CareHistory
from monitor.words import write_people
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from monitor.rulebook.evaluation import Evaluation

RULE = "entitled-not-on-caseload"


def add_unlisted(workspace: Workspace, source: str, *, as_at: date) -> None:
    """Add to ``absent`` everyone on neither the caseload nor the roster who is 16 to 24 and was in care at or after 16.

    So too whoever has an unresolved flag, so that it ends when they turn 25, die or prove not to be entitled.
    """
    gaps = ", ".join(
        f"'not supplied' AS {column.name}_gap"
        for column in COLUMNS
        if column.name not in (*COLUMNS_SUPPLIED, "date_of_birth", "allocated_team")
    )
    values = ", ".join(
        f"CASE WHEN NOT doubtful THEN {name} END AS {name}, CASE WHEN doubtful THEN 'unreadable' END AS {name}_gap"
        for name in COLUMNS_SUPPLIED
    )
    turned_16 = birthday_sql("date_of_birth", "16")
    workspace.execute(
        f"""
        INSERT INTO absent BY NAME
        SELECT person_id, date_of_birth, team AS allocated_team, died, $source AS source,
            {values}, {gaps}
        FROM care_history ANTI JOIN tonight USING (person_id) ANTI JOIN roster USING (person_id)
        WHERE (
            NOT died AND {turned_16} <= $as_at AND $as_at < {birthday_sql("date_of_birth", "25")}
            AND (doubtful OR last_day_in_care >= {turned_16})
        ) OR person_id IN (SELECT person_id FROM unresolved)
        """,
        {"source": source, "as_at": as_at},
    )


def describe(care: CareHistory, intake: Intake, evaluated: "Evaluation") -> Intake:
    """Return the intake with how many people the rule found, in a line for the terminal and the analyst."""
    counts = evaluated.totals.get(RULE)
    if counts is None:
        note = f"{RULE} was asked of nobody"
    elif counts.breach:
        note = f"{write_people(counts.breach)} entitled by care history, and never on the caseload ({RULE})"
    else:
        note = "everyone entitled by care history is on the caseload, or was"
    return replace(intake, notes=(*intake.notes, f"{care.source}: {note}"))
