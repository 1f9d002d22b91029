"""A process that ends with all that it started: its process group, on Windows the job that it belongs to."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any


class ProcessGroup:
    """A process and whatever it starts. Ctrl-C at the console does not reach it."""

    def __init__(self, command: Sequence[str], **given: Any) -> None:
        """Raises ``OSError`` where it cannot be started."""
        if sys.platform == "win32":
            self._job = _Job()
            given["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | SUSPENDED
        else:
            given["start_new_session"] = True
        self.process: subprocess.Popen[bytes] = subprocess.Popen(command, **given)  # noqa: S603 - the fleet's own
        if sys.platform == "win32":
            self._job.take_in(self.process)

    def ask_to_end(self) -> None:
        """Ask all of them to end; on Windows, where only a console could ask, they are ended."""
        self._signal("SIGTERM")

    def end(self) -> None:
        """End all that are left of them at once."""
        self._signal("SIGKILL")

    def _signal(self, name: str) -> None:
        if sys.platform == "win32":
            self._job.end()
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, getattr(signal, name))


if sys.platform == "win32":
    import ctypes
    from ctypes import c_uint, c_void_p

    SUSPENDED = 0x4
    """Windows' CREATE_SUSPENDED: nothing is started by a process before the job has it."""
    EXIT_CODE = 15

    class _Job:
        """Windows' name for processes that are ended together: one that a member starts belongs to it too."""

        def __init__(self) -> None:
            self._windows = ctypes.WinDLL("kernel32", use_last_error=True)
            self._windows.CreateJobObjectW.restype = c_void_p
            self._handle = c_void_p(self._windows.CreateJobObjectW(None, None))

        def take_in(self, process: subprocess.Popen[bytes]) -> None:
            """Let a process that was started suspended go on, as a member."""
            handle = c_void_p(int(process._handle))
            taken = self._windows.AssignProcessToJobObject(self._handle, handle)
            if not taken or ctypes.WinDLL("ntdll").NtResumeProcess(handle):
                why = ctypes.WinError(ctypes.get_last_error())
                process.kill()
                process.wait()
                raise why

        def end(self) -> None:
            self._windows.TerminateJobObject(self._handle, c_uint(EXIT_CODE))

        def __del__(self) -> None:
            self._windows.CloseHandle(self._handle)
