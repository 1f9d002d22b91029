"""What a test needs that Windows has not, with the words that its skip says; and how a process is ended there."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

import pytest

WINDOWS = os.name == "nt"
UNDER_WINE = WINDOWS and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")

KILL = "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
"""Ends the process in hand at once, nothing tidied up: what Python calls SIGTERM on Windows does just that."""
KILLED = int(signal.SIGTERM) if WINDOWS else -signal.SIGKILL
"""The exit code of a process that did."""

try:
    Path("there-is-no-such-file").stat()
except OSError as missing:
    NO_SUCH_FILE = str(missing.strerror)
    """What the system says where a path leads to nothing; Windows has other words for it than its C library."""

NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP if WINDOWS else 0
"""How to start a process that Ctrl-Break can reach without ending the tests too."""
STOP = signal.CTRL_BREAK_EVENT if WINDOWS else signal.SIGTERM
"""What asks a service to stop; Ctrl-Break is the one that Windows sends to another process."""


def needs_posix(what: str) -> pytest.MarkDecorator:
    """Skip the test on Windows, which has no ``what``."""
    return pytest.mark.skipif(WINDOWS, reason=f"Windows has no {what}")


def skip_where_no_server_starts() -> None:
    """Skip what needs a PostgreSQL server of the tests' own."""
    if WINDOWS:
        pytest.skip("the tests start their PostgreSQL server on Linux and macOS")


def is_private(path: Path) -> bool:
    """Return whether the file's mode lets only its owner read it; on Windows it has the rights of its folder."""
    return WINDOWS or not path.stat().st_mode & 0o077
