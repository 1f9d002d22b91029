"""Who is on the roster and is perhaps nobody: a total or a note that an earlier version took for a young person."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from monitor.caseload.nobody_rows import OddRow, explain
from monitor.catalogue.columns import COLUMNS
from monitor.store.tables import Person, table_of

WORKERS = ("personal_adviser", "allocated_worker")


def find_nobodies(store: Connection) -> list[str]:
    """Return the ids on the roster that are unlike those of people with a birth date, or have nothing beside them."""
    person = table_of(Person)
    dated = person.c.date_of_birth.is_not(None)
    lengths = set(store.execute(select(func.length(person.c.person_id)).where(dated).distinct()).scalars())
    undated = select(person.c.person_id, person.c.last_values).where(
        ~dated, person.c.strongest_category.is_(None), person.c.died_on.is_(None)
    )
    rows = [_describe(person_id, json.loads(values or "{}")) for person_id, values in store.execute(undated)]
    return sorted(row.person_id for row in rows if _is_nobody(row, like_others=len(row.person_id) in lengths))


def _is_nobody(row: OddRow, *, like_others: bool) -> bool:
    strange = row.kind == "words" or not like_others
    return not (row.coded or row.dated) and explain(row, strange=strange) is not None


def _describe(person_id: str, values: Mapping[str, Any]) -> OddRow:
    said = {column.name: (column.kind, values.get(column.name)) for column in COLUMNS}
    texts = [str(value) for kind, value in said.values() if kind == "text" and value is not None]
    digits = any(map(str.isdigit, person_id))
    return OddRow(
        number=0,
        person_id=person_id,
        kind="digits" if person_id.isdigit() else "mixed" if digits else "words",
        coded=any(kind == "code" and value not in (None, "0") for kind, value in said.values()),
        dated=any(kind == "date" and value is not None for kind, value in said.values()),
        named=any(any(map(str.isalpha, str(said[name][1] or ""))) for name in WORKERS),
        alone=not texts and not any(kind in ("number", "yes_no") and value for kind, value in said.values()),
        total=any("total" in text.lower() for text in texts),
    )
