"""Where the database is, and whether a lock can be relied on there."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from monitor.errors import Problems

if TYPE_CHECKING:
    from monitor.config.settings import Config

SCHEMA = "database_schema"
"""The part of a URL's query that names the schema to work in; it is ours, and no driver sees it."""

LOCAL = ("localhost", "127.0.0.1", "::1")

SHARED_KINDS = (
    "9p", "afs", "ceph", "cifs", "davfs", "drvfs", "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
)  # fmt: skip
"""File systems of another machine, as Linux names them; on these a lock may be held by two."""


def locate(config: "Config", environ: Mapping[str, str]) -> URL:
    """Return the configured database with the password it needs; raise ``Problems`` where that cannot be read."""
    if config.database is None or config.database.startswith("sqlite:"):
        path = (config.database or "").removeprefix("sqlite:///") or str(config.data_folder / "monitor.db")
        return URL.create("sqlite", database=path)
    where = locate_server(config.database, config, environ)
    return where.update_query_dict({SCHEMA: config.database_schema}) if config.database_schema else where


class DatabasePassword(Protocol):
    """Where the password of a database is kept, by the keys of the settings."""

    @property
    def database_password_env(self) -> str | None: ...

    @property
    def database_password_file(self) -> Path | None: ...


def locate_server(database: str, kept: DatabasePassword, environ: Mapping[str, str]) -> URL:
    """Return a database of PostgreSQL with its password; raise ``Problems`` where that cannot be read."""
    where = make_url(database).set(drivername="postgresql+psycopg")
    where = where.set(password=_read_password(kept, environ))
    # Records of people never cross a network in the clear because a setting was left out.
    if where.host and where.host not in LOCAL and "sslmode" not in where.query:
        where = where.update_query_dict({"sslmode": "require"})
    return where


def _read_password(kept: DatabasePassword, environ: Mapping[str, str]) -> str | None:
    """None leaves it to PostgreSQL's own ways: a password file, a certificate, the account's own name."""
    name, file = kept.database_password_env, kept.database_password_file
    if name:
        if password := environ.get(name):
            return password
        unset = f"the environment variable {name} is not set; set it for the account that runs the monitor"
        raise Problems([f"database_password_env: {unset}"])
    if file is None:
        return None
    try:
        password = file.read_text(encoding="utf-8-sig").strip("\r\n")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or type(fault).__name__
        remedy = "let the account that runs the monitor read it"
        raise Problems([f"database_password_file: {file} cannot be read ({reason}); {remedy}"]) from None
    if not password:
        raise Problems([f"database_password_file: {file} is empty; write it there"])
    return password


def name_place(where: URL) -> str:
    """Return how messages name the database: never with its password or its settings."""
    if where.get_backend_name() == "sqlite":
        return f"database {where.database}"
    host = f"{where.host or 'local socket'}{f':{where.port}' if where.port else ''}"
    schema = f", schema {where.query[SCHEMA]}," if SCHEMA in where.query else ""
    return f'database "{where.database}"{schema} at {host}'


def refuse_share(path: Path, *, mounts_file: Path = Path("/proc/mounts")) -> None:
    """Raise ``Problems`` where ``path`` lies on a network share; only Linux says so."""
    try:
        mounts = mounts_file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux
        return
    share = find_share(Path(os.path.realpath(path)), mounts)
    if share:
        raise Problems([
            f"database {path}: lies on a network share ({share}), where two machines can hold one lock; "
            "keep it on a disk of this machine, or use PostgreSQL"
        ])  # fmt: skip


def find_share(path: Path, mounts: str) -> str | None:
    """Return the share ``path`` lies on, by the lines of /proc/mounts: its kind and where it is mounted; or None."""
    deepest: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        _, mounted, kind, *_ = [*line.split(" "), "", "", ""]
        folder = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mounted))  # a space stands as \040
        # Of two mounts in one place the later hides the earlier.
        if folder.is_absolute() and path.is_relative_to(folder) and len(folder.parts) >= deepest[0]:
            deepest = (len(folder.parts), f"{kind} at {folder}" if kind in SHARED_KINDS else None)
    return deepest[1]
