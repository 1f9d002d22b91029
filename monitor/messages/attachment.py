"""The list attached to a message: what a team's list says, as far as it may leave the building."""

from collections.abc import Sequence
from operator import attrgetter

from monitor.catalogue.person_ids import show_id
from monitor.csv_text import csv_heading, csv_line
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import show_once
from monitor.workspace import Workspace, load_rows

COLUMNS = {
    "person_id": "VARCHAR", "team": "VARCHAR", "personal_adviser": "VARCHAR", "title": "VARCHAR", "due_on": "DATE",
    "severity": "VARCHAR", "state": "VARCHAR", "opened_on": "DATE", "because": "VARCHAR", "action": "VARCHAR",
    "waived_until": "DATE",
}  # fmt: skip


def write_attachment(
    workspace: Workspace, lines: Sequence[FlagLine], night: MessageContext
) -> tuple[str, tuple[str, ...]]:
    """Write every unresolved flag of ``lines`` as CSV, by person; return it, and who is in it.

    Of a flag that is not shown in full no more stands there than a message says. People on the restricted list are
    left out, for every reader.
    """
    listed = [line for line in lines if line.state != "resolved" and line.person_id not in night.routes.restricted]
    rows = []
    for line in show_once(night.rules, listed, attrgetter("flag_id")):
        words = night.shown(line)
        who = (show_id(line.person_id), line.team, line.personal_adviser)
        stand = map(words.if_full, (line.severity, line.state, line.opened_on))
        why = (words.because, words.action, words.if_full(line.waived_until))
        rows.append((*who, words.title, words.due_on, *stand, *why))
    load_rows(workspace, "attachment", COLUMNS, rows)
    written = workspace.execute(f"SELECT {csv_line(COLUMNS)} FROM attachment ORDER BY person_id, title").fetchall()
    text = csv_heading(COLUMNS).lstrip("\ufeff") + "".join(row[0] for row in written)
    return text, tuple(dict.fromkeys(line.person_id for line in listed))
