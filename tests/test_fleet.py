"""The nights of a fleet: one process a council, each told in one line, and no failure that stops another."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import Done, monitor
from support.fleets import FleetFolder
from support.posix import NO_SUCH_FILE, WINDOWS, is_private, needs_posix

from monitor.fleet.check_fleet import find_renamed
from monitor.fleet.children import PROGRAM, ChildCommand, ChildLimits, run_children
from monitor.fleet.council_end import find_worst
from monitor.fleet.fleet_settings import read_fleet

HOLDS = "import socket, sys, time; line = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
SLEEPS = f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{HOLDS}", sys.argv[2]])'
TOO_LONG = "ended, because it took more than 0.02 minutes"


def limits(program: str, *, workers: int = 2, seconds: float = 60) -> ChildLimits:
    return ChildLimits(workers, seconds, os.environ, (sys.executable, "-c", program))


def commands(*codes: str) -> list[ChildCommand]:
    return [ChildCommand(code, (code,)) for code in codes]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetFolder:
    """Three councils: one in order, one whose config cannot be used, one whose list is not there."""
    made = FleetFolder(tmp_path_factory.mktemp("fleet")).write()
    made.config("315").write_text("sauces = 1\n[[sources]]\nname = 'a'\nkind = 'sample'\n", encoding="utf-8")
    (made.config("319").parent / "list-9.csv").unlink()
    return made


@pytest.fixture(scope="module")
def first_night(fleet: FleetFolder) -> Done:
    return monitor(fleet.folder, "fleet", "run", "--as-at", "2026-01-12")


def test_one_councils_failure_is_its_own_line(fleet: FleetFolder, first_night: Done) -> None:
    unusable, *nights, last = first_night.stdout.splitlines()
    kingston, sutton = sorted(nights)

    assert first_night.returncode == 3
    place = fleet.config("315")
    assert unusable.startswith(f"315: its config cannot be used: {place}: sauces: unknown key; did you mean")
    assert kingston == "314 Kingston: night of 12 January 2026 accepted, 11 people, 1 new flag, 1 open, 2 messages sent"
    assert sutton.startswith("319 Sutton: list-9.csv: no such file in ")
    assert sutton.endswith("(exit code 3)")
    assert last == "3 councils: 1 done, look at 315, 319"


def test_what_a_night_says_is_kept_in_a_log_of_its_council(fleet: FleetFolder, first_night: Done) -> None:
    logs = {code: fleet.folder / "fleet" / "logs" / f"{code}.log" for code in fleet.codes}

    assert "no such file" in logs["319"].read_text(encoding="utf-8")
    assert json.loads(logs["314"].read_text(encoding="utf-8").splitlines()[-1])["people"] == 11
    assert not logs["315"].exists()
    assert all(is_private(logs[code]) for code in ("314", "319"))


def test_how_each_council_stands_is_said(fleet: FleetFolder, first_night: Done) -> None:
    done = monitor(fleet.folder, "fleet", "status", "--json")

    kingston, merton, sutton = json.loads(done.stdout)["councils"]
    assert (done.returncode, [one["exit_code"] for one in (kingston, merton, sutton)]) == (2, [1, 2, 1])
    assert kingston["words"].startswith("night of 12 January 2026 accepted; ")
    assert "working days without a night; needs a person: no accepted night since 12 January 2026" in kingston["words"]
    assert kingston["account"]["last_accepted"] == "2026-01-12"
    assert merton["words"].startswith("its config cannot be used: ")
    assert sutton["words"].startswith("night of 12 January 2026 failed; none accepted yet; ")


def test_a_check_is_that_of_each_council(fleet: FleetFolder) -> None:
    said = monitor(fleet.folder, "fleet", "check", "--only", "319", "--only", " 315")
    quick = monitor(fleet.folder, "fleet", "check", "--quick")

    assert (said.returncode, quick.returncode) == (3, 2)
    assert said.stdout.splitlines()[1].startswith("319 Sutton: not ready: list-9.csv: no such file in ")
    assert said.stdout.splitlines()[2:] == [
        "314 and 319: their letters to analyst@example.gov.uk and north@example.gov.uk go in a mail each: 314 and 319 "
        "send to a folder, which is a trial",
        "2 councils: 0 ready, look at 315, 319",
    ]
    assert quick.stdout.splitlines()[2:] == ["319 Sutton: its config can be used", "3 councils: 2 usable, look at 315"]


def test_a_config_that_names_another_council_than_its_last_night_is_told_314(
    fleet: FleetFolder, first_night: Done
) -> None:
    read = read_fleet(fleet.path, {})
    kingston, *others = read.authorities

    assert list(find_renamed(read)) == []
    (said,) = find_renamed(replace(read, authorities=(replace(kingston, name="Richmond"), *others)))
    assert said.startswith('314: its config names "Richmond", and that of its last night "Kingston"; make sure that ')


def test_the_worst_code_is_that_of_the_night_that_did_least() -> None:
    assert [find_worst(codes) for codes in ([], [0, 1], [4, 1], [2, 4], [3, 2], [1, 77])] == [0, 1, 4, 2, 3, 3]


def test_a_child_past_its_time_is_ended_with_its_children_and_the_next_goes_on() -> None:
    told: list[str] = []
    program = f"import sys\nif sys.argv[1] == '314':\n    {SLEEPS}"

    with Grandchildren() as theirs:
        ended = run_children(
            [ChildCommand(code, (code, theirs.port)) for code in ("314", "315")],
            limits(program, workers=1, seconds=1.2),
            lambda end: told.append(end.code),
        )
        theirs.see_all_ended()

    assert (ended.ends[0].exit_code, ended.ends[0].why) == (None, TOO_LONG)
    assert told == ["314", "315"]  # a slow machine may hold the second to its time too


def test_a_child_that_cannot_be_started_is_told_and_the_others_run() -> None:
    ends = run_children(commands("314"), ChildLimits(1, 60, {}, ("/nowhere/at/all",)), lambda end: None).ends

    assert [(end.exit_code, end.why) for end in ends] == [(None, f"could not be started ({NO_SUCH_FILE})")]


def test_no_more_children_run_at_once_than_there_are_workers(tmp_path: Path) -> None:
    program = f"""
import os, pathlib, time
here = pathlib.Path({str(tmp_path)!r})
mine = here / str(os.getpid())
mine.touch()
time.sleep(0.3)
print(len(list(here.iterdir())))
mine.unlink()
"""
    ends = run_children(commands("1", "2", "3", "4"), limits(program), lambda end: None).ends

    assert {end.exit_code for end in ends} == {0}
    assert max(int(end.stdout) for end in ends) <= 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGBREAK" if WINDOWS else "SIGTERM"], ids=["case2", "case15"])
def test_a_fleet_that_is_stopped_ends_its_children_and_says_what_was_not_started(name: str) -> None:
    """By the signal itself; on Windows, which sends none to another process alone, by one that it gives itself."""
    number = getattr(signal, name)
    script = f"""
import os, signal, sys, threading
from monitor.fleet.children import ChildCommand, ChildLimits, run_children
def stop_when_told():
    if sys.stdin.readline():
        signal.raise_signal({int(number)})
threading.Thread(target=stop_when_told, daemon=True).start()
program = (sys.executable, "-c", {SLEEPS!r})
commands = [ChildCommand(code, (code, sys.argv[1])) for code in ("314", "315")]
ended = run_children(commands, ChildLimits(1, 600, os.environ, program), lambda end: print(end.code, end.why))
print(ended.signal)
"""
    with Grandchildren() as theirs:
        command = [sys.executable, "-c", script, theirs.port]
        fleet = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        theirs.wait_for_one()
        if not WINDOWS:
            fleet.send_signal(number)
        said, _ = fleet.communicate("stop\n" if WINDOWS else None, timeout=60)
        theirs.see_all_ended()

    assert said.splitlines() == [
        "314 ended, because the fleet was stopped",
        "315 not started, because the fleet was stopped",
        str(int(number)),
    ]


@needs_posix("a shell")
@pytest.mark.parametrize("scheduler", ["plain", "slurm", "systemd", "kubernetes"])
def test_a_scheduler_gets_a_line_for_each_council_and_no_secret(tmp_path: Path, scheduler: str) -> None:
    folder = tmp_path / "it's $HOME"
    folder.mkdir()
    fleet = FleetFolder(folder, lines="workers = 3").write()

    said = monitor(folder, "fleet", "run", "--print-array", scheduler).stdout

    assert all(code in said for code in fleet.codes)
    run = ["fleet", "run", "--config", str(fleet.path), "--only"]
    if scheduler == "plain":
        assert [shlex.split(line)[1:] for line in said.splitlines()] == [[*run, code] for code in fleet.codes]
    if scheduler == "slurm":
        assert "#SBATCH --array=0-2%3" in said
        echo = said.replace("exec ", "printf '%s\\n' ")
        done = subprocess.run(["sh", "-c", echo], env={"SLURM_ARRAY_TASK_ID": "1"}, capture_output=True, text=True)
        assert done.stdout.splitlines()[1:] == [*run, "315"]
    if scheduler == "systemd":
        assert f'fleet run --config "{str(fleet.path).replace("$", "$$")}" --only %i\n' in said
        assert "systemctl enable --now monitor-fleet@319.timer" in said
        assert "OnCalendar=Mon..Fri *-*-* 07:00:00 Europe/London" in said
    if scheduler == "kubernetes":
        command = json.loads(said.rpartition("command: ")[2])
        assert command[2].splitlines()[0] == "set -- 314 315 319"
    assert not (folder / "fleet").exists()


def test_children_run_this_very_monitor_wherever_they_are_started(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor" / "__init__.py").write_text("raise SystemExit('another')", encoding="utf-8")

    done = subprocess.run([*PROGRAM, "--version"], cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout[:20]) == (0, "care-leaver-monitor ")


@needs_posix("pipes that end so")
def test_one_who_stops_to_read_stops_no_council(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path).write()
    reader, writer = os.pipe()
    os.close(reader)

    command = [*PROGRAM, "fleet", "check", "--quick", "--config", str(fleet.path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)

    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


class Grandchildren:
    """What the children start: each holds a line to the test for as long as it lives."""

    def __enter__(self) -> "Grandchildren":
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lines: list[socket.socket] = []
        self.port = str(self._listening.getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        for line in (self._listening, *self._lines):
            line.close()

    def wait_for_one(self) -> None:
        self._listening.settimeout(60)
        self._lines.append(self._listening.accept()[0])

    def see_all_ended(self) -> None:
        """Fail if one of them lives; there may be none, where the child was ended before it began any."""
        self._listening.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                self._lines.append(self._listening.accept()[0])
        for line in self._lines:
            line.settimeout(30)
            with suppress(ConnectionResetError):
                assert line.recv(1) == b""
