"""The command leaves at once when its work is done: nothing printed is lost, nothing is left open."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from support.command import monitor
from support.council import crowd, settled
from support.posix import WINDOWS, needs_posix
from test_cli import write_council, write_list_9

LEAVE = "from monitor.cli.command import main; main()"
ORDINARY = "import sys; from monitor.cli.command import run_command; sys.exit(run_command())"
"""The same command, ended in the interpreter's own way."""


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("council")
    write_council(folder)
    assert monitor(folder, "run").returncode == 0
    return folder


def run(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("rules", "list", "--json"),
        ("measures",),
        ("check",),
        ("run", "--no-such-option"),
        ("measures", "--config", "none.toml"),
        ("explain", "nobody"),
        (),
    ],
)
def test_a_command_prints_and_ends_as_the_interpreter_would_end_it(council: Path, arguments: tuple[str, ...]) -> None:
    left, ordinary = run(LEAVE, council, *arguments), run(ORDINARY, council, *arguments)

    assert left.returncode == ordinary.returncode
    # The space on the disk is another one from moment to moment.
    shown = [re.sub(r"[\d,]+ MB free", "MB free", said) for said in (left.stdout, ordinary.stdout)]
    assert shown[0] == shown[1]
    assert left.stderr == ordinary.stderr


def test_a_night_leaves_its_database_closed_and_its_lock_free(council: Path, tmp_path: Path) -> None:
    write_council(tmp_path)

    first = run(LEAVE, tmp_path, "run")
    left_behind = sorted(path.name for path in (tmp_path / "data").iterdir() if path.name.startswith("monitor.db"))
    write_list_9(tmp_path, [settled("0012"), *crowd(10)])
    again = run(LEAVE, tmp_path, "run", "--again", "--by", "Ann Analyst", "--wait", "0")

    assert (first.returncode, first.stderr) == (0, "")
    assert left_behind == ["monitor.db", *([] if WINDOWS else ["monitor.db.lock"])]  # Windows deletes the lock
    assert (again.returncode, again.stderr) == (0, "")


def test_what_asked_to_be_called_at_the_end_is_called(council: Path) -> None:
    script = f"import atexit; atexit.register(print, 'called at the end'); {LEAVE}"

    assert run(script, council, "--help").stdout.endswith("called at the end\n")


def test_garbage_is_looked_for_less_often(council: Path) -> None:
    script = f"import atexit, gc; atexit.register(lambda: print(gc.isenabled(), gc.get_threshold()[0])); {LEAVE}"

    assert run(script, council, "--help").stdout.endswith("True 50000\n")


def test_a_thread_at_work_is_waited_for(council: Path) -> None:
    at_work = "lambda: (threading.main_thread().join(), print('thread done'))"
    script = f"import threading; threading.Thread(target={at_work}).start(); {LEAVE}"

    assert run(script, council, "--help").stdout.endswith("thread done\n")


def test_a_profiler_that_looks_on_gets_its_say(council: Path) -> None:
    script = (
        "import cProfile, pstats\n"
        "profile = cProfile.Profile(); profile.enable()\n"
        "from monitor.cli.command import main\n"
        "try:\n    main()\nfinally:\n    profile.disable(); print('calls counted')"
    )

    assert run(script, council, "--help").stdout.endswith("calls counted\n")


@pytest.mark.parametrize("command", ["columns", "measures"])
def test_a_reader_that_goes_away_gets_the_same_exit_code(council: Path, command: str) -> None:
    def write_to_nobody(script: str) -> int:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as gone:
            arguments = [sys.executable, "-c", script, command]
            done = subprocess.run(arguments, cwd=council, stdout=gone, stderr=subprocess.PIPE, check=False)
        return done.returncode

    assert write_to_nobody(LEAVE) == write_to_nobody(ORDINARY) != 0


@needs_posix("alarm signal")
def test_a_command_that_is_interrupted_leaves_its_lock_free(council: Path) -> None:
    interrupted = (
        "import signal\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 2)\n"
    )

    with FileLock(council / "data" / "monitor.db.lock", mode=0o600):
        done = run(interrupted + LEAVE, council, "deliver", "--wait", "60")

    assert done.returncode == 130
    assert run(LEAVE, council, "deliver", "--wait", "0").returncode == 0
