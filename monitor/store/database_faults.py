"""What a database's fault means, as a sentence for the person who looks after the store or set a source up.

Nothing the database says is passed on where it could quote a value, which may be about a young person.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.store.roles import write_role

AWAY = "does not answer; check that it is running and can be reached from this machine"
"""Of the store: it may answer if it is asked again."""

NOT_A_DATABASE = "the file is not a database, or is damaged; put the last backup in its place with: monitor restore"
NOT_SQLITE = "{database} cannot be opened as an SQLite database; correct the url"
OUT_OF_TIME = "not finished within {seconds} seconds; raise timeout_seconds, or run when the database is quiet"


@dataclass(frozen=True)
class Cause:
    """A pattern of what databases say, and what it means of the store and of a source that is read.

    Both may name {named}, which the pattern found, and ``source`` {host}, {database} and {seconds} too.
    """

    pattern: str
    store: str | None = None
    source: str | None = None


CAUSES = (
    Cause(
        r"\[2BP01\]|\[0A000\].*used by a view",
        store="views stand on a table that is to change; where they are a fleet's figures, who administers the server "
        "runs DROP SCHEMA figures CASCADE; and, once every council is upgraded, what monitor fleet figures "
        "--print-sql prints",
    ),
    Cause(r"database or disk is full|No space left|\[53100\]", store="the disk is full; make room on it"),
    Cause(
        r"database (?:table )?is locked|\[55P03\]",
        store="another program has it locked; close whatever else has it open",
    ),
    Cause(
        r"readonly database|read-only|\[25006\]|data-modifying statements|\[428C9\]",
        store="cannot be written to; give the account that runs the monitor the right to write to it and to its folder",
        source="the query would write, and nothing may be written; give a query that only reads",
    ),
    Cause(
        r"unable to open",
        store="cannot be opened; check that its folder is there, and this account's to read and write",
        source=NOT_SQLITE,
    ),
    Cause(r"file is not a database", store=NOT_A_DATABASE, source=NOT_SQLITE),
    Cause(r"malformed|\[XX00[12]\]", store=NOT_A_DATABASE, source="{database} is damaged; restore it"),
    Cause(r"disk I/O", store="the disk cannot be read or written; check that it has room and works"),
    Cause(
        r"role \"([^\"]*)\" does not exist",
        store='there is no role "{named}"; correct the user in database, or who administers the server makes it with: '
        + write_role("{named}"),
        source='no user "{named}" at {host}; correct the user in url',
    ),
    Cause(
        r"password authentication failed|no password supplied|role \"[^\"]*\" does not exist|\[28\w{3}\]"
        r"|authentication failed|no pg_hba.conf entry|Login failed",
        store="the user or the password is not accepted; check the user in database, and what database_password_env or "
        "database_password_file names",
        source="wrong user or password at {host}; check the user in url and the variable that password_env names",
    ),
    Cause(
        r"database \"[^\"]*\" does not exist|\[3D000\]|Cannot open database",
        store="there is no such database; make it first, as monitor help it says",
        source='no database "{database}" at {host}; correct the url',
    ),
    Cause(
        r"translate host name|Name or service not known|resolve host|nodename nor servname|getaddrinfo|No such host",
        store="unknown host; correct database in the config",
        source="unknown host {host}; correct the url",
    ),
    Cause(
        r"does not support SSL|SSL error|certificate verify",
        store="no secure connection; check sslmode and its certificates",
    ),
    Cause(
        r"connection refused|No such file or directory\s+Is the server running|could not connect|actively refused",
        store=AWAY,
        source="connection refused by {host}; check that the database is running, and the host and port in url",
    ),
    Cause(r"\[57014\]|^\[\w+\] interrupted|Query timeout expired|\[HYT00\]", source=OUT_OF_TIME),
    Cause(
        r"timeout expired|connection timeout|timed out",
        store=AWAY,
        source="no answer from {host}; check the host, the port and the firewall",
    ),
    Cause(
        r"server closed the connection|connection (?:is |was )?(?:closed|lost)|terminating connection",
        store=AWAY,
        source="{host} broke the connection off; run again, and if it happens again ask who runs the database",
    ),
    Cause(
        r"No such file or directory|connection reset|broken pipe|starting up|shutting down|recovery mode"
        r"|\[57P0[123]\]|\[08\w{3}\]|unexpectedly|no route to host|network is unreachable"
        r"|too many (?:clients|connections)|\[53300\]",
        store=AWAY,
    ),
    Cause(
        r"relation \"([^\"]*)\" does not exist|no such table: (\S+)|Invalid object name '([^']*)'",
        source='no table "{named}"; correct its name, or its schema, in the query',
    ),
    Cause(
        r"column \"?([\w.]+)\"? does not exist|no such column: (\S+)|Invalid column name '([^']*)'",
        source='no column "{named}"; correct its name in the query',
    ),
    Cause(
        r"permission (?:was )?denied (?:for|on) (?:table |view |schema |the object )?'?\"?(\w+)|\[42501\]()",
        store="this user may not do that; make it the owner of the database, or of database_schema",
        source='not allowed to read "{named}"; give the account of the url the right to read it',
    ),
    Cause(
        r"permission denied|must be owner",
        store="this user may not do that; make it the owner of the database, or of database_schema",
    ),
    Cause(
        r"\[(?:42883|42804|22P02|22007|22008|22018|22003)\]|Conversion failed|Operand type clash",
        source="a column is not of the type the query treats it as; compare the query with the table's own column "
        "types",
    ),
    Cause(
        r"syntax error|incomplete input|\[42601\]|Incorrect syntax",
        source="the query is not valid SQL for this database; try it with its own tools",
    ),
    Cause(r"encrypted", source="{database} is damaged; restore it"),
    Cause(r"no schema has been selected|\[3F000\]", store="the schema is not there, or not this user's; make it first"),
)
"""The first that fits, and has words for the reader, is what a fault means."""


def is_away(fault: BaseException) -> bool:
    """Return whether the store's database does not answer at the moment, and might if asked again."""
    return isinstance(fault, DBAPIError) and _explain_to_owner(fault) == AWAY


def describe(fault: DBAPIError) -> str:
    """Return what is wrong with the store, and what would be right."""
    return _explain_to_owner(fault) or _brief(fault)


def is_damage(fault: DBAPIError) -> bool:
    """Return whether the file, or what a server keeps, is damaged."""
    return _explain_to_owner(fault) == NOT_A_DATABASE


def explain_to_reader(fault: SQLAlchemyError) -> tuple[str, str]:
    """Return what is wrong with a source's database or query, as words to be filled in, and the name they tell of."""
    said = _said(fault)
    for cause in CAUSES:
        match = re.search(cause.pattern, said, re.IGNORECASE | re.DOTALL) if cause.source else None
        if match and cause.source:
            return cause.source, next((group for group in match.groups() if group), "")[:80]
    state = _state_of(fault)
    kind = type(getattr(fault, "orig", None) or fault).__name__
    kind += f", {state}" if state else ""
    return f"the database refused the query ({kind}); try it with the database's own tools", ""


def _explain_to_owner(fault: DBAPIError) -> str | None:
    said = _said(fault)
    for cause in CAUSES:
        if cause.store and (match := re.search(cause.pattern, said, re.IGNORECASE)):
            return cause.store.replace("{named}", match[1]) if "{named}" in cause.store else cause.store
    return None


def _state_of(fault: SQLAlchemyError) -> str | None:
    return getattr(getattr(fault, "orig", None), "sqlstate", None)


def _said(fault: SQLAlchemyError) -> str:
    return f"[{_state_of(fault)}] {fault.orig if isinstance(fault, DBAPIError) else ''}"


def _brief(fault: DBAPIError) -> str:
    """SQLite names tables and columns only; PostgreSQL may quote a value, but not where the statement is at fault."""
    state = _state_of(fault)
    if type(fault.orig).__module__.startswith("sqlite3"):
        return str(fault.orig)
    if state and state.startswith("42"):
        diagnosis: Any = getattr(fault.orig, "diag", None)
        return str(diagnosis.message_primary)
    return f"{type(fault.orig).__name__}{f' ({state})' if state else ''}"
