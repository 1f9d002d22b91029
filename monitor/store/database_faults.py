"""What a database says went wrong, as a sentence for the person who looks after it.

Nothing it says is passed on where it could quote a value, which may be about a young person.
"""

import re
from typing import Any

from sqlalchemy.exc import DBAPIError

AWAY = (
    r"connection refused|actively refused|could not connect|No such file or directory|connection reset|broken pipe"
    r"|timeout expired|connection timeout|timed out|server closed the connection|terminating connection"
    r"|connection (?:is |was )?(?:closed|lost)|starting up|shutting down|recovery mode|\[57P0[123]\]|\[08\w{3}\]"
    r"|unexpectedly|no route to host|network is unreachable|too many (?:clients|connections)|\[53300\]"
)
"""It does not answer, and may soon."""

KNOWN: tuple[tuple[str, str], ...] = (
    (r"database or disk is full|No space left|\[53100\]", "the disk is full; make room on it"),
    (
        r"database (?:table )?is locked|\[55P03\]",
        "another program has it locked; close whatever else has it open",
    ),
    (
        r"readonly database|read-only|\[25006\]",
        "cannot be written to; give the account that runs the monitor the right to write to it and to its folder",
    ),
    (
        r"unable to open database file",
        "cannot be opened; check that its folder is there, and this account's to read and write",
    ),
    (
        r"file is not a database|malformed|\[XX00[12]\]",
        "the file is not a database, or is damaged; put the last backup in its place",
    ),
    (r"disk I/O", "the disk cannot be read or written; check that it has room and works"),
    (
        r"password authentication failed|no password supplied|role \"[^\"]*\" does not exist|\[28\w{3}\]"
        r"|authentication failed|no pg_hba.conf entry",
        "the user or the password is not accepted; check the user in database, and what database_password_env or "
        "database_password_file names",
    ),
    (r"database \"[^\"]*\" does not exist|\[3D000\]", "there is no such database; make it first, as the README says"),
    (
        r"translate host name|Name or service not known|resolve host|nodename nor servname|getaddrinfo|No such host",
        "unknown host; correct database in the config",
    ),
    (r"does not support SSL|SSL error|certificate verify", "no secure connection; check sslmode and its certificates"),
    (AWAY, "does not answer; check that it is running and can be reached from this machine"),
    (r"permission denied|must be owner|\[42501\]", "this user may not do that; make it the owner of the database"),
    (r"no schema has been selected|\[3F000\]", "the schema is not there, or not this user's; make it first"),
)
"""What databases say, and what that means; the first that fits."""


def is_away(fault: BaseException) -> bool:
    """Whether the database does not answer at the moment, and might if asked again."""
    return isinstance(fault, DBAPIError) and _known(_said(fault)) == _known("[08000]")


def describe(fault: DBAPIError) -> str:
    return _known(_said(fault)) or _brief(fault)


def _said(fault: DBAPIError) -> str:
    return f"[{getattr(fault.orig, 'sqlstate', None)}] {fault.orig}"


def _known(said: str) -> str | None:
    return next((words for pattern, words in KNOWN if re.search(pattern, said, re.IGNORECASE)), None)


def _brief(fault: DBAPIError) -> str:
    """SQLite names tables and columns only; PostgreSQL may quote a value, but not where the statement is at fault."""
    state = getattr(fault.orig, "sqlstate", None)
    if type(fault.orig).__module__.startswith("sqlite3"):
        return str(fault.orig)
    if state and state.startswith("42"):
        diagnosis: Any = getattr(fault.orig, "diag", None)
        return str(diagnosis.message_primary)
    return f"{type(fault.orig).__name__}{f' ({state})' if state else ''}"
