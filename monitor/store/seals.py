"""The secret of a database, with which the keys of its exception lists and of its readers' answers are sealed."""

from sqlalchemy import Connection, select

from monitor.store.tables import Seal, table_of


def read_secret(store: Connection) -> bytes:
    """Return the secret, which was drawn when the database was made."""
    seal = table_of(Seal)
    return bytes.fromhex(store.execute(select(seal.c.secret).where(seal.c.name == "lists")).scalar_one())
