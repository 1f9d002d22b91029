"""The list that travels with a message: what a team's list says, as far as it may leave the building."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.csv_text import csv_heading, csv_line
from monitor.workspace import Workspace, load_rows

if TYPE_CHECKING:
    from monitor.messages.parts import FlagLine, MessageContext

COLUMNS = {
    "person_id": "VARCHAR", "team": "VARCHAR", "personal_adviser": "VARCHAR", "title": "VARCHAR", "due_on": "DATE",
    "severity": "VARCHAR", "state": "VARCHAR", "opened_on": "DATE", "because": "VARCHAR", "action": "VARCHAR",
    "waived_until": "DATE",
}  # fmt: skip


def write_travelling(
    workspace: Workspace, lines: Sequence["FlagLine"], night: "MessageContext"
) -> tuple[str, tuple[str, ...]]:
    """Every unresolved flag of ``lines`` as CSV, by person; and who is in it.

    A sensitive rule, and one no longer in the rulebook, is the title an e-mail may use and its due date. People on the
    restricted list are left out, whoever reads it.
    """
    listed = [line for line in lines if line.state != "resolved" and line.person_id not in night.routes.restricted]
    rows = []
    for line in listed:
        rule = night.rules.get(line.rule)
        start = (line.person_id, line.team, line.personal_adviser, night.title(line.rule), line.due_on)
        if rule is None or rule.sensitive:
            rows.append((*start, *(None,) * (len(COLUMNS) - len(start))))
        else:
            told = (line.severity, line.state, line.opened_on, line.because, rule.action, line.waived_until)
            rows.append((*start, *told))
    load_rows(workspace, "travelling", COLUMNS, rows)
    written = workspace.execute(f"SELECT {csv_line(COLUMNS)} FROM travelling ORDER BY person_id, title").fetchall()
    text = csv_heading(COLUMNS).lstrip("\ufeff") + "".join(row[0] for row in written)
    return text, tuple(dict.fromkeys(line.person_id for line in listed))
