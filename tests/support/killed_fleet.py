"""Kills a fleet that joins letters, at a moment of choice: run as a script, in a process of its own.

    python killed_fleet.py FOLDER [FOLDER ...]

The n-th folder's councils are joined by a process that is killed right after the n-th transaction that their records
have taken.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from support.two_councils import open_councils

from monitor.store.database import Database

writing = Database.writing
saved = 0


def kill_after(moment: int) -> None:
    """Let this process be killed as soon as so many transactions of this process are saved."""

    @contextmanager
    def counted(database: Database) -> Iterator[Connection]:
        global saved
        with writing(database) as store:
            yield store
        saved += 1
        if saved == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.writing = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    for moment, folder in enumerate(sys.argv[1:], start=1):
        child = os.fork()
        if child == 0:
            kill_after(moment)
            open_councils(Path(folder)).join()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", os.waitstatus_to_exitcode(status))
