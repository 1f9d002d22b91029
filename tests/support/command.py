"""The ``monitor`` command in a test: as a person types it, in a folder, with what it prints and its exit code."""

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from monitor.cli.command import run_command


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Terminal(io.StringIO):
    """An output at which a person looks."""

    def isatty(self) -> bool:
        return True


def monitor(folder: Path, *arguments: str, output: io.StringIO | None = None) -> Done:
    """Run the command in ``folder``, in this process; anything that would be a traceback fails the test."""
    said, complained = output or io.StringIO(), io.StringIO()
    typed, config = sys.argv, os.environ.pop("MONITOR_CONFIG", None)
    sys.argv = ["monitor", *arguments]
    try:
        with chdir(folder), redirect_stdout(said), redirect_stderr(complained):
            code: int | str | None = run_command()
    except SystemExit as stopped:
        code = stopped.code
    finally:
        sys.argv = typed
        if config is not None:
            os.environ["MONITOR_CONFIG"] = config
    assert code is None or isinstance(code, int), code
    return Done(code or 0, said.getvalue(), complained.getvalue())
