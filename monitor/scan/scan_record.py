"""What a scan leaves: ``counts.parquet``, small counts withheld; ``breaches.parquet`` if asked for; ``scan.json``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import Refused
from monitor.figures.suppression import WITHHELD, nearest_sql, suppress_rows_sql, suppress_totals_sql
from monitor.rulebook.evaluation import Counts
from monitor.workspace import literal, load_rows, open_workspace

COUNTS, BREACHES, RECORD = "counts.parquet", "breaches.parquet", "scan.json"
UNSUPPRESSED = 0

RAW_TYPES = {
    "authority": "VARCHAR", "measure": "VARCHAR", "met": "BIGINT", "breach": "BIGINT", "cannot_assess": "BIGINT",
}  # fmt: skip
COUNT_TYPES = {
    "authority": "VARCHAR", "rule": "VARCHAR", "asked": "BIGINT", "ok": "BIGINT", "breach": "BIGINT",
    "cannot_assess": "BIGINT", "suppressed": "BOOLEAN", "not_assessed": "VARCHAR",
}  # fmt: skip
"""``authority`` is NULL in the row of all authorities together; a count is NULL where it is suppressed or not there.

Unless every count is asked for, ``asked`` and ``ok`` are to the nearest 5.
"""


@dataclass(frozen=True)
class ToldCounts:
    """What may be told of one rule in one authority, or in all (None); None is a count that is withheld or not there.

    ``not_assessed``: why nobody was asked, or why the rule failed.
    """

    authority: str | None
    rule: str
    asked: int | None = None
    ok: int | None = None
    breach: int | None = None
    cannot_assess: int | None = None
    suppressed: bool = False
    not_assessed: str | None = None

    @property
    def row(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COUNT_TYPES)


def tell_counts(
    counts: Mapping[tuple[str, str], Counts], unasked: Mapping[tuple[str | None, str], str], below: int
) -> list[ToldCounts]:
    """Return a row of each authority and rule, and of each rule in all of them, with counts below ``below`` withheld.

    Then how many were asked, and how many meet it, is to the nearest 5. ``unasked``: by authority (None: in none of
    them) and rule, why nobody was asked.
    """
    raw = [
        (authority, rule, found.ok, found.breach, found.cannot_assess) for (authority, rule), found in counts.items()
    ]
    with open_workspace() as workspace:
        load_rows(workspace, "raw", RAW_TYPES, raw)
        if below == UNSUPPRESSED:
            listed = "authority, measure, met + breach + cannot_assess, met, breach, cannot_assess"
            totals = "NULL, measure, sum(met + breach + cannot_assess), sum(met), sum(breach), sum(cannot_assess)"
            statements = [f"SELECT {listed} FROM raw", f"SELECT {totals} FROM raw GROUP BY measure"]
        else:
            # Rules ask nearly the same people: from how many exactly, who is asked one and not another would follow.
            columns = f"measure, {nearest_sql('asked')}, {nearest_sql('met')}, breach, cannot_assess"
            statements = [
                f"SELECT authority, {columns} FROM ({suppress_rows_sql('raw', below)})",
                f"SELECT NULL, {columns} FROM ({suppress_totals_sql('raw', below)})",
            ]
        found = [row for statement in statements for row in workspace.execute(statement).fetchall()]
    told = [
        ToldCounts(
            authority,
            rule,
            _whole(asked),
            _whole(ok),
            _whole(breach),
            _whole(unknown),
            None in (asked, ok, breach, unknown),
        )
        for authority, rule, asked, ok, breach, unknown in found
    ]
    told += [ToldCounts(authority, rule, not_assessed=why) for (authority, rule), why in unasked.items()]
    return sorted(told, key=lambda row: (row.authority is not None, row.authority or "", row.rule))


def _whole(count: Any) -> int | None:
    return None if count is None else int(count)


def tell_number(count: int, below: int) -> int | str:
    """Return a number of rows or cells: to the nearest ten and small ones withheld, so that it tells no other count."""
    if below == UNSUPPRESSED or count == 0:
        return count
    return WITHHELD if count < below else (count + 5) // 10 * 10


def write_counts(told: Sequence[ToldCounts], path: Path) -> None:
    """Write the counts as Parquet."""
    with open_workspace() as workspace:
        load_rows(workspace, "told", COUNT_TYPES, (row.row for row in told))
        workspace.execute(f"COPY told TO {literal(str(path))} (FORMAT parquet, USE_TMP_FILE false)")


def write_record(record: Mapping[str, Any]) -> str:
    """Return the text of ``scan.json``."""
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def check_out(out: Path) -> None:
    """Raise ``Refused`` where a folder holds what no scan wrote: it would be replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise Refused(f"{out}: is there and is no folder; name with scan.out a folder that the scan alone writes to")
    others = sorted(path.name for path in out.iterdir() if path.name not in (COUNTS, BREACHES, RECORD))
    if others:
        raise Refused(f"{out}: holds {others[0]}, which no scan wrote; name with scan.out a folder of its own")
