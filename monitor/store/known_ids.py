"""What is said of an id that nobody has had: the ids that it may have been meant for."""

from collections.abc import Collection
from difflib import get_close_matches

from sqlalchemy import Connection, select

from monitor.store.tables import Person, table_of

MOST_OFFERED = 3
ALIKE = 0.7
"""How alike two ids are of which one may be meant for the other, from 0 to 1."""


def say_unknown(store: Connection, person_id: str, hidden: Collection[str]) -> str:
    """Return that nobody of that id has been on an accepted night, with up to three ids that look like it.

    An id that differs only by zeros at its start, by spaces or by capitals comes alone. ``hidden`` is never offered.
    """
    known = [row[0] for row in store.execute(select(table_of(Person).c.person_id)) if row[0] not in hidden]
    asked = _bare(person_id)
    offered = [each for each in known if _bare(each) == asked][:MOST_OFFERED]
    offered = offered or get_close_matches(person_id, known, n=MOST_OFFERED, cutoff=ALIKE)
    remedy = f"did you mean {' or '.join(offered)}?" if offered else "check it, leading zeros and all"
    return f"{person_id[:60]}: nobody of that id has been on an accepted night; {remedy}"


def _bare(person_id: str) -> str:
    return "".join(person_id.split()).casefold().lstrip("0")
