"""The list attached to a message: what a team's list says, as far as it may leave the building."""

from collections.abc import Sequence
from operator import attrgetter

from monitor.catalogue.person_ids import show_id
from monitor.csv_text import csv_heading, csv_line
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import show_once, shown_id
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
    rows = []
    for line in (listed := _list_flags(lines, night)):
        words = night.shown(line)
        who = (show_id(line.person_id), line.team, line.personal_adviser)
        stand = map(words.if_full, (line.severity, line.state, line.opened_on))
        why = (words.because, words.action, words.if_full(line.waived_until))
        rows.append((*who, words.title, words.due_on, *stand, *why))
    load_rows(workspace, "attachment", COLUMNS, rows)
    written = workspace.execute(f"SELECT {csv_line(COLUMNS)} FROM attachment").fetchall()
    text = csv_heading(COLUMNS).lstrip("\ufeff") + "".join(row[0] for row in written)
    return text, tuple(dict.fromkeys(line.person_id for line in listed))


def number_attached(lines: Sequence[FlagLine], night: MessageContext) -> dict[int, int]:
    """Return the row in what is attached of each flag that is not shown in full; the heading is row 1."""
    listed = enumerate(_list_flags(lines, night), start=2)
    rows = {(line.person_id, shown_id(night.rules, line.rule)): row for row, line in listed if line.rule in night.alike}
    places = ((line.flag_id, (line.person_id, shown_id(night.rules, line.rule))) for line in lines)
    return {flag_id: rows[place] for flag_id, place in places if place in rows}


def _list_flags(lines: Sequence[FlagLine], night: MessageContext) -> list[FlagLine]:
    """Return the unresolved flags in the order of the list, each that a message would say once, once."""
    listed = [line for line in lines if line.state != "resolved" and line.person_id not in night.routes.restricted]
    once = show_once(night.rules, listed, attrgetter("flag_id"))
    titles = {line.flag_id: night.title(line.rule) for line in once}
    return sorted(
        once, key=lambda line: (show_id(line.person_id), titles[line.flag_id] is None, titles[line.flag_id] or "")
    )
