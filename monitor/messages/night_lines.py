"""The night's flags as the messages tell them: a line each, by the address it goes to."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from monitor.config.id_lists import restricted_sql
from monitor.flags import coming_due, life
from monitor.flags.priority import list_rows_sql
from monitor.messages.parts import LINE_FIELDS, ComingDue, FlagLine, MessageContext
from monitor.messages.routes import Routes
from monitor.workspace import Workspace, literal

LINES_AT_ONCE = 5_000
TEAM = FlagLine._fields.index("team")
SHARED = frozenset({
    "team", "personal_adviser", "eligibility", "rule", "severity", "state", "opened_on", "due_on", "because",
    "in_breach_since",
})  # fmt: skip
"""The words and dates of a line that thousands share. No number or yes or no is among them: 1 equals yes."""


@dataclass(frozen=True)
class NightLines:
    """The night's lines and what comes due, by the address they go to (None: to nobody); the analyst's data flags.

    ``list_rows``: the row in its team's list of each flag of which a message says no more than of its cover.
    """

    by_address: dict[str | None, list[FlagLine]]
    coming: Mapping[str | None, Sequence[ComingDue]]
    data: Sequence[FlagLine]
    list_rows: Mapping[int, int] = field(default_factory=dict)


def _load_coming(workspace: Workspace, routes: Routes) -> dict[str | None, list[ComingDue]]:
    """Return what comes due within days and is not said in another's line, by the address that may be told."""
    fields = ", ".join(ComingDue.__dataclass_fields__)
    rows = workspace.execute(f"""
        SELECT {fields} FROM coming_due
        WHERE days_until <= {coming_due.SOON} AND severity <> 'data' AND NOT inside ORDER BY ALL
    """)
    found: dict[str | None, list[ComingDue]] = {}
    for due in (ComingDue(*row) for row in rows.fetchall()):
        found.setdefault(routes.address(due.team, due.person_id), []).append(due)
    return found


def load_lines(workspace: Workspace, night: MessageContext) -> NightLines:
    """Load every line; restricted people's go to the head of service, or to nobody.

    Leads, and addresses to whom something comes due, are there without a line too.
    """
    coming = _load_coming(workspace, night.routes)
    not_a_spell = ", ".join(map(literal, (*life.NOT_A_SPELL, "handed on")))
    numbered = list_rows_sql("flag_list", "list_contains($alike, rule)", restricted_sql(night.routes.restricted))
    rows = workspace.execute(
        f"""
        SELECT {", ".join(LINE_FIELDS)}, CASE WHEN severity = 'data' THEN 0 ELSE
               count(*) FILTER (severity <> 'data' AND state <> 'quarantined' AND opened_on > $flips_from
                                AND coalesce(resolved_reason, '') NOT IN ({not_a_spell}))
                   OVER (PARTITION BY person_id, rule) END AS flips, list_row
        FROM flag_line LEFT JOIN ({numbered}) USING (flag_id)
        WHERE severity = 'data' OR state <> 'quarantined' ORDER BY person_id, rule
        """,
        {"flips_from": night.as_at - dt.timedelta(night.flip_nights), "alike": sorted(night.alike)},
    )
    unchecked = {night.routes.address(each.team, each.person_id) for each in night.unchecked}
    others = {*coming, *night.routes.names, *unchecked} - {None}
    by_address: dict[str | None, list[FlagLine]] = {address: [] for address in others}
    data = []
    known: dict[object, object] = {}
    list_rows: dict[int, int] = {}
    while chunk := rows.fetchmany(LINES_AT_ONCE):
        list_rows.update((row[0], row[-1]) for row in chunk if row[-1] and night.routes.knows(row[TEAM]))
        for line in make_lines(map(itemgetter(slice(-1)), chunk), known):
            if line.severity == "data":
                data.append(line)
            else:
                by_address.setdefault(night.routes.address(line.team, line.person_id), []).append(line)
    return NightLines(by_address, coming, data, list_rows)


def make_lines(rows: Iterable[tuple[object, ...]], known: dict[object, object]) -> Iterator[FlagLine]:
    """Make lines of rows, with one copy of each word and date, for which ``known`` is kept from rows to rows."""
    columns = zip(FlagLine._fields, zip(*rows, strict=True), strict=True)
    return map(
        FlagLine._make,
        zip(*(map(known.setdefault, column, column) if name in SHARED else column for name, column in columns),
            strict=True),
    )  # fmt: skip
