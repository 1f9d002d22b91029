"""Lets one process at a time write to a database, and says which one does.

SQLite: an operating-system lock on a file beside the database. PostgreSQL: an advisory lock of a connection of its
own. Either ends with the process, however that ends. The holder also writes a token into the database, and each of its
transactions checks it before it saves anything: a process that lost its lock without noticing (its connection was cut,
and another run took over) saves nothing.
"""

import datetime as dt
import hashlib
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from monitor.errors import LockHeld, MonitorError, StoreError
from monitor.files import make_private_file
from monitor.store.location import name_place
from monitor.store.tables import Holder, load_first, table_of

LOOK_EVERY_SECONDS = 0.2
MAY_WAIT, STILL_THERE, ACCESS_DENIED = 0x00100000, 0x102, 5
"""Windows' names for these are SYNCHRONIZE, WAIT_TIMEOUT and ERROR_ACCESS_DENIED."""


def hold_lock(engine: Engine, *, wait_seconds: float = 0) -> AbstractContextManager[None]:
    """Be the only process at work on this database; raise ``LockHeld`` with who is, after ``wait_seconds``."""
    if engine.dialect.name == "sqlite":
        return _hold_file(engine, wait_seconds)
    return _hold_advisory(engine, wait_seconds)


@contextmanager
def _hold_file(engine: Engine, wait_seconds: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    database = engine.url.database
    if not database:  # in memory: nobody else can see it
        yield
        return
    beside = Path(f"{database}.lock")
    lock = FileLock(beside, mode=0o600)
    try:
        if beside.exists() and not beside.is_file():
            raise StoreError(f"{beside}: is there and is no file; take it away: the lock of the database is kept there")
        make_store_file(beside)
        lock.acquire(timeout=wait_seconds, poll_interval=LOOK_EVERY_SECONDS)
    except Timeout:
        raise _held(engine) from None
    except OSError as fault:
        what = f"cannot be locked ({fault.strerror or type(fault).__name__})"
        raise StoreError(f"{beside}: {what}; check that it is a file on a disk of this machine") from None
    try:
        yield
    finally:
        lock.release()


def make_store_file(path: Path) -> None:
    """Make a file of the database, open to its owner alone; raise ``StoreError`` where that cannot be done."""
    try:
        make_private_file(path)
    except MonitorError as fault:
        raise StoreError(str(fault)) from None


@contextmanager
def _hold_advisory(engine: Engine, wait_seconds: float) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as store:
        store.detach()  # closed at the end, never handed to another with the lock still on it
        schema = store.execute(text("SELECT current_schema()")).scalar()
        # The same in every process at work on this schema, and nobody else's by chance.
        digest = hashlib.sha256(f"care-leaver-monitor {schema}".encode()).digest()
        key = int.from_bytes(digest[:8], signed=True)
        deadline = time.monotonic() + wait_seconds
        while not store.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            if time.monotonic() >= deadline:
                raise _held(engine)
            time.sleep(LOOK_EVERY_SECONDS)
        try:
            yield
        finally:
            with suppress(DBAPIError):  # a connection that was cut holds it no more
                store.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


def save_holder(store: Connection) -> str:
    """Save this process as the one at work; return its token."""
    holder = table_of(Holder)
    token = secrets.token_hex(16)
    row = {"token": token, "host": socket.gethostname(), "pid": os.getpid(), "taken_at": dt.datetime.now(dt.UTC)}
    if not store.execute(holder.update().where(holder.c.id == 1).values(row)).rowcount:
        store.execute(holder.insert().values(id=1, **row))
    return token


def delete_holder(store: Connection, token: str) -> None:
    """Delete this process as the one at work; a token of another stays."""
    holder = table_of(Holder)
    store.execute(holder.delete().where(holder.c.id == 1, holder.c.token == token))


def check_holder(store: Connection, token: str) -> None:
    """Raise ``LockHeld`` unless ``token`` is still there; nobody can take over before this transaction ends."""
    holder = table_of(Holder)
    row = load_first(store, Holder, select(holder).where(holder.c.id == 1).with_for_update())
    if row is None or row.token != token:
        raise LockHeld(
            f"{name_place(store.engine.url)}: the connection that held the lock was cut, and another run has "
            f"taken over{_who(row)}; nothing of this step was saved"
        )


def is_holder_alive(store: Connection) -> bool:
    """Return whether the process that noted itself as the one at work is there; True where only its host could say."""
    holder = load_first(store, Holder, select(table_of(Holder)))
    if holder is None:
        return False
    return holder.host != socket.gethostname() or _is_running(holder.pid)


def _is_running(pid: int) -> bool:
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, and another account's
    return True


def _is_running_on_windows(pid: int) -> bool:
    """Ask Windows, where ``os.kill`` would end the process; one that may not be asked about is there."""
    import ctypes  # only there, and only for this

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p
    process = kernel.OpenProcess(MAY_WAIT, False, pid)
    if not process:
        return bool(ctypes.get_last_error() == ACCESS_DENIED)  # type: ignore[attr-defined]
    try:
        return bool(kernel.WaitForSingleObject(ctypes.c_void_p(process), 0) == STILL_THERE)
    finally:
        kernel.CloseHandle(ctypes.c_void_p(process))


def _held(engine: Engine) -> LockHeld:
    row = None
    with suppress(DBAPIError), engine.connect() as store:
        if inspect(store).has_table(table_of(Holder).name):
            row = load_first(store, Holder, select(table_of(Holder)))
    return LockHeld(
        f"{name_place(engine.url)}: another run is at work on this database{_who(row)}; try again when it is done"
    )


def _who(holder: Holder | None) -> str:
    return f" ({holder.host}, process {holder.pid}, since {holder.taken_at:%d %B %Y %H:%M} UTC)" if holder else ""
