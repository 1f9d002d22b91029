"""The rows of a report: the worst flags, and the waivers, of people who may be shown."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection, select

from monitor.flags.priority import WORST_FIRST, priority_sql
from monitor.messages.shown import shown
from monitor.report.contents import FlagList, FlagRow
from monitor.store.bulk import WIDE_READ
from monitor.store.tables import Flag, table_of
from monitor.workspace import Workspace, load_rows

if TYPE_CHECKING:
    from monitor.rulebook.rulebook import Rulebook

MOST_ROWS = 2_000
"""More than a page can be searched by eye; the lists have them all."""
CONFIDENTIAL = "confidential"
"""What a row says in place of an id that may disclose."""
GONE = "A rule no longer in the rulebook"
LOOK = "Look at the record: what this is about stands there alone."


@dataclass(frozen=True, slots=True)
class ListedFlag:
    """What there is to say of a flag; the report's own ``since`` stands for its due date."""

    rule: str
    because: str = ""
    due_on: None = None


def list_flags(
    workspace: Workspace,
    store: Connection,
    rulebook: "Rulebook",
    restricted: Collection[str],
    as_at: dt.date,
    link: Callable[[str], str | None],
) -> FlagList:
    """The worst flags of ``standing``, the worst person first, as the exception lists order them."""
    folding = [(rule.id, folded) for rule in rulebook.rules for folded in rule.folds]
    load_rows(workspace, "report_folding", {"rule": "VARCHAR", "folded": "VARCHAR"}, folding)
    load_rows(workspace, "report_restricted", {"person_id": "VARCHAR"}, [(each,) for each in sorted(restricted)])
    rows = workspace.execute(ORDERED).fetchall()
    (counted,) = workspace.execute("""
        SELECT count(*) FILTER (r.person_id IS NULL), count(DISTINCT r.person_id)
        FROM standing LEFT JOIN report_restricted AS r USING (person_id)
    """).fetchall()
    why = _sentences(store, [row[0] for row in rows])
    shown = tuple(_row(row, why, rulebook, as_at, link) for row in rows)
    return FlagList(shown, total=counted[0], restricted=counted[1])


ORDERED = f"""
    WITH flags AS (
        SELECT *, NOT EXISTS (
            SELECT 1 FROM standing AS other JOIN report_folding AS f ON f.rule = other.rule
            WHERE other.person_id = standing.person_id AND f.folded = standing.rule
        ) AS unfolded
        FROM standing ANTI JOIN report_restricted USING (person_id)
    ), priority AS ({priority_sql("flags", "unfolded")})
    SELECT flag_id, person_id, team, adviser, age, rule, severity, state, in_breach_since
    FROM flags JOIN priority USING (person_id)
    ORDER BY {WORST_FIRST}
    LIMIT {MOST_ROWS}
"""


def _sentences(store: Connection, flags: list[int]) -> Mapping[int, str]:
    flag, found = table_of(Flag), {}
    for start in range(0, len(flags), WIDE_READ):
        wanted = select(flag.c.id, flag.c.because, flag.c.due_on).where(flag.c.id.in_(flags[start : start + WIDE_READ]))
        found.update({number: because for number, because, _ in store.execute(wanted)})
    return found


def _row(
    row: tuple[object, ...],
    why: Mapping[int, str],
    rulebook: "Rulebook",
    as_at: dt.date,
    link: Callable[[str], str | None],
) -> FlagRow:
    """A sensitive rule is what a message may call it and no more, for a page travels as a message does."""
    flag, person, team, adviser, age, rule_id, severity, state, since = row
    words = shown(rulebook.by_id.get(str(rule_id)), ListedFlag(str(rule_id), why.get(flag, "")))  # type: ignore[call-overload]
    return FlagRow(
        str(person), str(team), str(adviser or ""), age, words.rule or CONFIDENTIAL,  # type: ignore[arg-type]
        words.title or GONE, str(severity), state,  # type: ignore[arg-type]
        since, max((as_at - since).days, 0), words.because or "",  # type: ignore[arg-type,operator]
        words.action or LOOK, link(str(person)),
    )  # fmt: skip


def make_link(case_url: str | None, person_id: str) -> str | None:
    return case_url and case_url.replace("{person_id}", quote(person_id, safe=""))
