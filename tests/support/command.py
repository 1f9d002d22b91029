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


class CodePage850(io.TextIOWrapper):
    """An output with the letters of a Windows console; what is written is also put into those of two others."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="cp850", write_through=True)

    def write(self, text: str) -> int:
        for other in ("cp1252", "ascii"):
            text.encode(other, self.errors or "strict")
        return super().write(text)

    def getvalue(self) -> str:
        return self.buffer.getvalue().decode("cp850")  # type: ignore[attr-defined]


def monitor(folder: Path, *arguments: str, output: io.StringIO | CodePage850 | None = None) -> Done:
    """Run the command in ``folder``, in this process; anything that would be a traceback fails the test."""
    said, complained = output or io.StringIO(), CodePage850() if isinstance(output, CodePage850) else io.StringIO()
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
