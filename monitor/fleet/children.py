"""Runs commands of the monitor as child processes, a few at once, each with a limit of time.

A child is killable at any moment: what it has not finished has changed nothing. Each is a process group of its own, so
that it ends with whatever it started, and so that Ctrl-C reaches it only through this process, which ends it in order.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from monitor.fleet.process_group import ProcessGroup

START = "from monitor.cli.command import main; main()"
PROGRAM = (sys.executable, "-P", "-c", START)
"""The same monitor as this one; -P: whatever lies in the folder it is started from is not taken for it."""
STOP = tuple(number for name in ("SIGINT", "SIGTERM", "SIGBREAK") if (number := getattr(signal, name, None)))
LOOK_EVERY_SECONDS = 0.05
GRACE_SECONDS = 5.0
"""How long a child that is asked to end may take, before it is killed."""
MOST_BYTES = 1_000_000
"""Of what a child prints, so much is kept."""


@dataclass(frozen=True)
class ChildCommand:
    """A command for one council, without secrets: whoever may list processes sees it.

    ``environ``: what this child alone finds in the environment, which nobody else sees.
    """

    code: str
    arguments: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChildLimits:
    """How many children run at once, after how many seconds each is ended, what they find in the environment."""

    workers: int
    seconds: float
    environ: Mapping[str, str]
    program: tuple[str, ...] = PROGRAM


@dataclass(frozen=True)
class ChildEnd:
    """How a command ended. ``exit_code``: None where it did not end by itself; ``why`` says then what happened."""

    code: str
    exit_code: int | None
    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""
    why: str = ""


@dataclass(frozen=True)
class ChildrenEnd:
    """How each command ended, in the order in which they did; ``signal``: what stopped all of them, if one did."""

    ends: tuple[ChildEnd, ...]
    signal: int | None = None


@dataclass
class _Child:
    command: ChildCommand
    group: ProcessGroup
    output: IO[bytes]
    complaints: IO[bytes]
    began: float
    why: str = ""
    kill_at: float | None = None
    killed_at: float | None = None


def run_children(
    commands: Sequence[ChildCommand], limits: ChildLimits, told: Callable[[ChildEnd], None]
) -> ChildrenEnd:
    """Run every command; ``told`` is called as each ends. The failure of one leaves the others alone."""
    waiting, running, ends = list(commands), list[_Child](), list[ChildEnd]()

    def note(end: ChildEnd) -> None:
        ends.append(end)
        told(end)

    with _signals_noted() as asked:
        try:
            while running or (waiting and not asked):
                while waiting and len(running) < limits.workers and not asked:
                    started = _start(waiting.pop(0), limits)
                    if isinstance(started, ChildEnd):
                        note(started)
                    else:
                        running.append(started)
                for child in list(running):
                    _hold_to_limit(child, limits.seconds, asked)
                    if (end := _look(child)) is not None:
                        running.remove(child)
                        note(end)
                if running:
                    time.sleep(LOOK_EVERY_SECONDS)
        finally:
            for child in running:
                _abandon(child)
        for command in waiting:
            note(ChildEnd(command.code, None, why="not started, because the fleet was stopped"))
    return ChildrenEnd(tuple(ends), asked[0] if asked else None)


@contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Note the signals that ask this process to stop, instead of ending at once."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, note) for number in STOP}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(command: ChildCommand, limits: ChildLimits) -> "_Child | ChildEnd":
    with ExitStack() as opened:
        try:
            output, complaints = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            group = ProcessGroup(
                [*limits.program, *command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                env={**limits.environ, **command.environ},
            )
        except OSError as fault:
            return ChildEnd(command.code, None, why=f"could not be started ({fault.strerror or type(fault).__name__})")
        opened.pop_all()  # closed as it ends
    return _Child(command, group, output, complaints, time.monotonic())


def _hold_to_limit(child: _Child, seconds: float, asked: Sequence[int]) -> None:
    """Ask a child to end that is past its time, or when all are stopped; kill one that does not, or at a second ask."""
    now = time.monotonic()
    if child.kill_at is None:
        if asked:
            child.why = "ended, because the fleet was stopped"
        elif now - child.began > seconds:
            child.why = f"ended, because it took more than {seconds / 60:g} minutes"
        else:
            return
        child.kill_at = now + GRACE_SECONDS
        child.group.ask_to_end()
    elif child.killed_at is None and (now > child.kill_at or len(asked) > 1):
        child.killed_at = now
        child.group.end()


def _look(child: _Child) -> ChildEnd | None:
    """Return how a child ended, with all that it started; None while it runs."""
    exit_code, now = child.group.process.poll(), time.monotonic()
    if exit_code is None:
        if child.killed_at is None or now < child.killed_at + GRACE_SECONDS:
            return None
        why = f"{child.why}, and process {child.group.process.pid} cannot be ended: look what it waits for"
        return _describe_end(child, None, why)
    if exit_code < 0 or sys.platform == "win32":
        why = child.why or (f"ended by signal {-exit_code}" if exit_code < 0 else "")
        child.group.end()  # what it started, if anything of it is left
        return _describe_end(child, None if why else exit_code, why)
    return _describe_end(child, exit_code, "")


def _abandon(child: _Child) -> None:
    """End a child of whose end nobody will be told."""
    child.group.end()
    with child.output, child.complaints, suppress(subprocess.TimeoutExpired):
        child.group.process.wait(GRACE_SECONDS)


def _describe_end(child: _Child, exit_code: int | None, why: str) -> ChildEnd:
    took = time.monotonic() - child.began
    return ChildEnd(child.command.code, exit_code, took, _read(child.output), _read(child.complaints), why)


def _read(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read(MOST_BYTES).decode(errors="replace")
