"""What stands beside the rows on record: what each message told of, and the secrets of the database."""

from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from monitor.store.bulk import load_query
from monitor.store.events import read_rows
from monitor.store.row_statements import digest
from monitor.store.tables import FlagEvent, Message, MessageComing, MessageEscalation, MessageFlag, Seal, table_of
from monitor.workspace import Workspace, drop_tables

TOLD: Mapping[type[SQLModel], tuple[str, Mapping[str, str]]] = {
    MessageFlag: ("flag", {"message_id": "BIGINT", "flag_id": "BIGINT", "severity": "VARCHAR", "state": "VARCHAR"}),
    MessageComing: (
        "coming", {"message_id": "BIGINT", "person_id": "VARCHAR", "rule": "VARCHAR", "opens_on": "VARCHAR"},
    ),
    MessageEscalation: ("escalation", {"message_id": "BIGINT", "escalation_id": "BIGINT"}),
}  # fmt: skip
SAY_SEALS = ("night begun", "record says more from here", "said again")


def load_tellings(workspace: Workspace, store: Connection) -> list[str]:
    """Make ``told_digest``: of each message the SHA-256 of all it told of; return what is told by no message."""
    workspace.execute("CREATE TABLE told_line (message_id BIGINT, line VARCHAR)")
    problems = []
    for model, (word, columns) in TOLD.items():
        table = table_of(model)
        load_query(workspace, "told", columns, store, select(*(table.c[name] for name in columns)))
        rest = ", ".join(name for name in columns if name != "message_id")
        workspace.execute(f"INSERT INTO told_line SELECT message_id, concat_ws(' ', '{word}', {rest}) FROM told")
        message = table_of(Message).c.id
        stray = select(table.c.message_id).where(table.c.message_id.not_in(select(message))).distinct()
        problems += [
            f"{table.name}: says what message {number} told of, and there is none such"
            for number in store.execute(stray.order_by(table.c.message_id)).scalars()
        ]
    workspace.execute("""
        CREATE TABLE told_digest AS
        SELECT message_id, sha256(string_agg(line, chr(10) ORDER BY line)) AS tells FROM told_line GROUP BY message_id
    """)
    drop_tables(workspace, "told", "told_line")
    return problems


def check_seal(store: Connection) -> list[str]:
    """Compare the secrets with the SHA-256 of them that each night says: they never change."""
    event = table_of(FlagEvent)
    telling = event.c.kind.in_(SAY_SEALS) & event.c.payload.contains('"seal":')
    first: dict[str, tuple[int, str]] = {}
    problems = []
    for number, payload in store.execute(select(event.c.id, event.c.payload).where(telling).order_by(event.c.id)):
        for row in read_rows(payload, "seal"):
            told = first.setdefault(row["name"], (number, row["secret"]))
            if row["secret"] != told[1]:
                problems.append(
                    f"seal {row['name']}: event {number} says another secret than event {told[0]}, and it never changes"
                )
    standing = {row.name: digest(row.secret) for row in store.execute(select(table_of(Seal)))} if first else {}
    for name in sorted(first.keys() | standing.keys()):
        if name not in first:
            problems.append(f"seal {name}: stands in the database, and no event ever told of it")
        elif name not in standing:
            problems.append(f"seal {name}: is no longer in the database, and event {first[name][0]} tells of it")
        elif standing[name] != first[name][1]:
            problems.append(
                f"seal {name}: secret is not what event {first[name][0]} said, of which only the SHA-256 is on record"
            )
    return problems
