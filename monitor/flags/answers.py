"""What leads answer on the exception lists, and what becomes of each answer.

    done                 remembered and shown; only the record closes a flag
    waive until          makes a waiver, under the same limits as ``monitor waive``
    not ours             listed to the analyst
    the record is wrong  listed to the analyst

The latest answer of a flag stands beside it in ``flag_line`` (``answer``, ``answered_on``, ``answered_by``) until the
flag is resolved. ``answer_noticed_on`` is the first accepted night that knew of it: an answer is news to a reader whose
last digest is older than that.
"""

from typing import Literal, get_args

from sqlalchemy import Connection, or_, select

from monitor.flags.carried import Lineage, load_lineage
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_rows
from monitor.store.tables import Answer, Flag, FlagCarried, table_of
from monitor.workspace import Workspace, load_rows

Word = Literal["done", "waive until", "not ours", "the record is wrong"]
WORDS: tuple[Word, ...] = get_args(Word)


LATEST = {
    "flag_id": "BIGINT",
    "person_id": "VARCHAR",
    "rule": "VARCHAR",
    "answer": "VARCHAR",
    "until_on": "DATE",
    "reason": "VARCHAR",
    "note": "VARCHAR",
    "list_as_at": "DATE",
    "answered_on": "DATE",
    "answered_by": "VARCHAR",
    "noticed_on": "DATE",
}


def load(workspace: Workspace, store: Connection) -> None:
    """Make ``lead_answer``: the newest answer of each unresolved flag, or of those that it carries on."""
    answer, flag, link = table_of(Answer), table_of(Flag), table_of(FlagCarried)
    concerned = or_(
        answer.c.flag_id.in_(select(flag.c.id).where(flag.c.resolved_on.is_(None))),
        answer.c.flag_id.in_(select(link.c.flag_id)),
    )
    columns = [answer.c[name] for name in LATEST]
    rows = store.execute(select(*columns).where(concerned).order_by(answer.c.id)).all()
    lineage = load_lineage(store) if rows else Lineage({})
    heirs = lineage.find_heirs()
    latest = {flag: (flag, *row[1:]) for row in rows for flag in heirs.get(row.flag_id, [row.flag_id])}
    load_rows(workspace, "lead_answer", LATEST, latest.values())


def notice(store: Connection, stamp: Stamp) -> None:
    """Record that an accepted night now knows of every answer, inside the caller's transaction."""
    answer = table_of(Answer)
    new = store.execute(select(answer.c.id).where(answer.c.noticed_on.is_(None)).order_by(answer.c.id)).scalars().all()
    if new:
        store.execute(answer.update().where(answer.c.noticed_on.is_(None)).values(noticed_on=stamp.as_at))
        said = say_rows({Answer: [{"id": number, "noticed_on": stamp.as_at} for number in new]})
        record_stamped(store, [Event("answers noticed", detail=said)], stamp)
