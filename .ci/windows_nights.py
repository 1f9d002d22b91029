"""What a council does with the monitor on Windows, one thing after another; works on a real Windows too.

    python .ci/windows_nights.py LOG nights FOLDER [PART...]
    python .ci/windows_nights.py LOG tests ARGUMENTS OF PYTEST...

What is said goes to the file LOG, for under Wine the standard streams need a terminal.
"""

import ctypes
import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

UNDER_WINE = os.name == "nt" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
CODE = "from monitor.cli.command import main; main()"
HOLDING = (
    "import sys; from monitor.store.database import working_store\n"
    "with working_store(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
)
DYING = """
import os, signal, sys
from pathlib import Path
replace, left = Path.replace, int(sys.argv.pop(1))
def replace_or_die(self, target):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return replace(self, target)
Path.replace = replace_or_die
from monitor.cli.command import main
main()
"""
CONFIG = """
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.xlsx"
[people]
analyst = "analyst@example.gov.uk"
fallback = "fallback@example.gov.uk"
head = "head@example.gov.uk"
[[teams]]
name = "Leaving Care North"
lead = "north@example.gov.uk"
[service]
run_at = "23:59"
"""
NAME = "Zoë Łęcka – Ω"
SIGNED = ("--by", NAME, "--reason", "tried – Ω")
README = Path(__file__).parent.parent / "README.md"
TODAY = dt.date.today()  # noqa: DTZ011 - the clock of the machine, as for whoever works at it


def night(back: int) -> str:
    return (TODAY - dt.timedelta(back)).isoformat()


class Council:
    """A folder with a space and letters of other alphabets in its name, and the commands given in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed = 0
        self.given: set[str] = set()
        self.environment = {**os.environ, "PYTHONIOENCODING": "cp850"}

    def give(self, *arguments: str, codes: tuple[int, ...] = (0,), code: str = CODE) -> str:
        """Give a command; it has to end with one of these exit codes and without a traceback."""
        self.given.add(" ".join(arguments[:2]) if arguments[0] == "rules" else arguments[0])
        program = [sys.executable, "-c", code, *arguments]
        begun = time.monotonic()
        done = subprocess.run(
            program, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600
        )
        said = (done.stdout + done.stderr).decode("cp850").replace("\r\n", "\n")
        fine = done.returncode in codes and "Traceback" not in said
        why = f": {said.strip().splitlines()[0][:200]}" if fine and done.returncode and said.strip() else ""
        self.tell(fine, f"{' '.join(arguments)}: {done.returncode} in {time.monotonic() - begun:.0f} s{why}", said)
        return said

    def tell(self, fine: bool, what: str, said: str = "") -> None:
        self.failed += not fine
        print("ok " if fine else "NOT", what, flush=True)
        if not fine:
            print("    " + said[-1500:].replace("\n", "\n    "), flush=True)


def live_nights(council: Council) -> None:
    """A first night, the same again, three later nights."""
    council.give("check", codes=(0, 1))
    for back in (5, 5, 4, 3, 2):
        council.give("run", "--as-at", night(back), codes=(0, 1))


def die_and_complete(council: Council) -> None:
    """A night that is ended at its third file, and the next try; it may be the first."""
    dead = council.give("3", "run", "--as-at", night(1), codes=(15, -9), code=DYING)
    council.tell(not dead, "it said nothing on the way", dead)
    told = council.give("status", codes=(0, 1))
    council.tell("of a run that was killed" in told, "status tells of what it left", told)
    council.give("run", "--as-at", night(1), codes=(0, 1))
    left = [str(path) for path in (council.folder / "data").rglob("*.unfinished*")]
    council.tell(not left, "nothing of it is left", "\n".join(left))
    council.give("audit")


def work_beside_another(council: Council) -> None:
    database = f"sqlite:///{council.folder / 'data' / 'monitor.db'}"
    program = [sys.executable, "-c", HOLDING, database]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=council.environment) as other:
        assert other.stdin
        assert other.stdout
        other.stdout.readline()
        said = council.give("run", "--wait", "0", codes=(4,))
        council.tell(f"process {other.pid}" in said, "it is said which process is at work", said)
        council.give("measures", codes=(0,))
        other.stdin.close()


def write_what_is_held(council: Council) -> None:
    """Files that another program has open, as Excel and a browser do: kept and named, and written the next time."""
    data = council.folder / "data"
    for path in (data / "report" / "report.html", data / "report" / "report.xlsx"):
        before = path.read_bytes()
        (data / "report" / ".written.json").unlink(missing_ok=True)  # else a report that says the same is left alone
        with path.open("rb"):
            said = council.give("run", "--as-at", night(1), codes=(1,))
        council.tell(f"{path.name}: is held open" in said, f"{path.name} is said to be held open", said)
        council.tell(path.read_bytes() == before, f"{path.name} is as it was")
        council.give("run", "--as-at", night(1))
        council.tell((data / "report" / ".written.json").is_file(), f"{path.name} is written the next time")
    council.give("run", "--again", "--by", NAME, "--as-at", night(1), codes=(0, 1))
    council.give("report", "--output", "reports")
    lists = data / "exceptions" / night(1)
    with (lists / "all.xlsx").open("rb"):
        said = council.give("run", "--as-at", night(1), codes=(0,) if UNDER_WINE else (1,))
    if not UNDER_WINE:  # which moves the folder of a file that is open, as Windows does not
        council.tell("all.xlsx: is held open" in said, "all.xlsx is said to be held open", said)
    council.give("run", "--as-at", night(1))
    with (council.folder / "mine.csv").open("wb"):
        said = council.give("export", "--output", "mine.csv", codes=(1,))
    council.tell("mine.csv: is held open" in said, "mine.csv is said to be held open", said)


def give_every_command(council: Council) -> None:
    """Every command of the README's table that is not given elsewhere."""
    council.give("export", "--output", f"flags {NAME}.xlsx", "--format", "xlsx")
    council.give("export", "--output", "flags.json", "--format", "json")
    flag = json.loads((council.folder / "flags.json").read_text(encoding="utf-8"))[0]
    person, rule = flag["person_id"], flag["rule"]
    until = (TODAY + dt.timedelta(20)).isoformat()
    terms = ("--until", until, "--reason", "under-way", "--note", "Łódź – Ω", "--by", NAME)
    council.give("waive", person, rule, *terms)
    council.give("unwaive", person, rule, "--by", NAME)
    council.give("explain", person)
    council.give("explain", person, "--json")
    council.give("confirm", rule, "--by", NAME, codes=(0, 2))
    listed = council.folder / "data" / "exceptions" / night(1) / "all.xlsx"
    said = council.give("answers", str(listed), "--by", NAME, codes=(2,))
    council.tell("holds no answer" in said, "a list that nobody filled in is read, and said to hold no answer", said)
    council.give("deliver")
    (council.folder / "back.eml").write_bytes(b"Subject: hello\r\n\r\nnothing came back\r\n")
    council.give("bounced", "back.eml", codes=(0, 1, 2))
    for words in ("rules list", "rules show homeless", "rules test", "rules map", f"backtest {rule}", "measures"):
        council.give(*words.split())
    council.give("purge", "--dry-run")
    council.give("purge")
    council.give("purge", "--person", person, *SIGNED, "--dry-run", codes=(0, 3))
    council.give("backup", f"kept {NAME}.db")
    council.give("restore", f"kept {NAME}.db", *SIGNED, "--dry-run")
    council.give("restore", f"kept {NAME}.db", *SIGNED)
    council.give("run", "--withdraw", night(1), *SIGNED, codes=(0, 1))
    council.give("help", codes=(0, 1, 2))
    council.give("onboard")
    council.give("columns")
    council.give("columns", "--template", "supplement.xlsx")
    (council.folder / "fleet.toml").write_text('[[authorities]]\ncode = "314"\nconfig = "monitor.toml"\n', "utf-8")
    for words in ("check --quick", "run --as-at " + night(1), "status"):
        council.give("fleet", *words.split(), codes=(0, 1))
    council.give("sample", "typed.parquet", "--people", "60")
    (council.folder / "scan.toml").write_text('[scan]\ncaseload = "typed.parquet"\nout = "scanned"\n', "utf-8")
    council.give("scan")
    council.give("init", f"another {NAME}")
    council.give("run", "--config", f"another {NAME}/monitor.toml", codes=(0, 1))
    council.give("status", codes=(0, 1))
    council.give("audit")


def stop_the_service(council: Council) -> None:
    """``monitor start``, stopped by Ctrl-Break, which is how Windows asks another process to end.

    Wine's console passes none on: there the service gives itself the signal that Python makes of one.
    """
    stop = signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGTERM
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
    log = council.folder / "service.log"
    council.given.add("start")
    itself = UNDER_WINE and "import threading; threading.Timer(40, signal.raise_signal, (signal.SIGBREAK,)).start()"
    with log.open("wb") as said:
        program = [sys.executable, "-c", f"import signal; {itself or ''}\n{CODE}", "start"]
        service = subprocess.Popen(program, cwd=council.folder, env=council.environment, stderr=said, **group)
        wait_until(lambda: b"service started" in log.read_bytes())
        time.sleep(1)
        if not itself:
            service.send_signal(stop)
        try:
            code: object = service.wait(90)
        except subprocess.TimeoutExpired:
            code = "it went on"
            service.kill()
    text = log.read_text(encoding="utf-8", errors="replace")
    council.tell(
        code == 0 and "service stopped" in text,
        f"start, stopped by Ctrl-Break{', which it gave itself' if itself else ''}: {code}",
        text,
    )


def wait_until(done: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.2)


def name_long_places(council: Council) -> None:
    """A path of over 260 letters: it works, or it is said in a sentence."""
    deep = "\\".join(["a folder with a long name – Ω"] * 10) if os.name == "nt" else "/".join(["a folder"] * 40)
    council.give("sample", f"{deep}/list.xlsx", "--people", "5", codes=(0, 1))
    (council.folder / "deep.toml").write_text(f"data_folder = '{deep}'\n{CONFIG}", encoding="utf-8")
    council.give("run", "--config", "deep.toml", codes=(0, 1, 2, 3))


def name_every_command(council: Council) -> None:
    named = set(re.findall(r"^\| `monitor ((?:rules )?[a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    council.tell(named <= council.given, "every command of the README was given", str(named - council.given))


PARTS = (
    live_nights, die_and_complete, work_beside_another, write_what_is_held, give_every_command, stop_the_service,
    name_long_places, name_every_command,
)  # fmt: skip


def live(folder: Path, wanted: list[str]) -> int:
    """Do all of it, or the parts that are wanted, in a new folder; the number of things not as they should be."""
    place = folder / f"Leaving care Łódź – Ω {dt.datetime.now(dt.UTC):%H%M%S}"
    place.mkdir(parents=True)
    (place / "monitor.toml").write_text(CONFIG, encoding="utf-8")
    council = Council(place)
    council.give("sample", "list-9.xlsx", "--people", "60", "--as-at", night(6))
    for part in [part for part in PARTS if not wanted or part.__name__ in wanted]:
        print(f"-- {part.__name__.replace('_', ' ')}", flush=True)
        try:
            part(council)
        except Exception as fault:  # the rest is tried all the same
            council.tell(False, part.__name__, repr(fault))
    print(f"{council.failed} failed" if council.failed else "all as it should be")
    return council.failed


@contextmanager
def said_in(log: str) -> Iterator[None]:
    """Let everything that is said, by this process too, go to a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, to in ((0, nothing), (1, file), (2, file)):
        os.dup2(to, stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False, errors="backslashreplace"))  # noqa: SIM115
    yield
    sys.stdout.flush()
    sys.stderr.flush()


def run_tests(arguments: list[str]) -> int:
    import pytest

    sys.path.insert(0, os.getcwd())
    return int(pytest.main(["-n", "0", "-p", "no:cacheprovider", *arguments]))


if __name__ == "__main__":
    _, log, what, *rest = sys.argv
    with said_in(log):
        ended = min(live(Path(rest[0]), rest[1:]), 1) if what == "nights" else run_tests(rest)
    os._exit(ended)  # threads of what was tried, if any, are not waited for
