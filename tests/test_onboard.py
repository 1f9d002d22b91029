"""``monitor onboard``: shows how files are read, by no name, and writes what is certain or answered."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from support.posix import is_private, needs_posix

from monitor.config.settings import load_config

HEADINGS = (
    "Our Ref", "YP DOB", "Case Team", "Leaving Care PA", "LC Status", "Keeping in Touch", "Last PA Contact",
    "Acommodation Type", "Suitable", "EET Status", "PP Review Date", "Shoe size",
)  # fmt: skip
COMMAND = (sys.executable, "-c", "from monitor.cli.command import main; main()", "onboard")
HOMES = ("Shared house", "Suported lodgins", "With Tina Smith", "Independent living")


def _list(path: Path) -> Path:
    rows = [
        (
            f"LC{n:04}", f"{1 + n % 28:02}/03/2005", ("North", "South")[n % 2],
            ("Ann Other", "Ben Other", "TBC")[n % 3],
            "Former Relevant", ("Yes", "No, residence not known")[n % 2], "08/01/2026" if n else "soon", HOMES[n % 4],
            "Yes", "NEET", "", str(n),
        )
        for n in range(24)
    ]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADINGS, *rows])
    return path


def _monitor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_without_a_terminal_it_shows_and_writes_nothing(tmp_path: Path) -> None:
    _list(tmp_path / "list.csv")

    done = _monitor(tmp_path, "list.csv", "--as-at", "2026-01-12", "--json")

    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    headings = {one["heading"]: (one["column"], one["how"]) for one in shown["sources"][0]["headings"]}
    assert headings["Our Ref"] == ("person_id", "known")
    assert headings["Acommodation Type"] == ("accommodation", "looks like")
    assert headings["Shoe size"] == (None, "not needed")
    assert shown["sources"][0]["empty"] == ["pathway_plan_review_date"]
    assert shown["bad_cells"] == [["latest_contact_date: not a date", 1]]
    assert shown["nobody_words"] == [["TBC", 8]]
    assert [team["people"] for team in shown["teams"]] == [12, 12]
    assert list(tmp_path.iterdir()) == [tmp_path / "list.csv"]


def test_yes_writes_what_is_certain_and_a_page_that_names_nobody(tmp_path: Path) -> None:
    _list(tmp_path / "list.csv")

    done = _monitor(tmp_path, "list.csv", "--as-at", "2026-01-12", "--yes")

    assert done.returncode == 0, done.stderr
    (source,) = load_config(tmp_path / "monitor.toml").sources
    assert source.headings == {"Acommodation Type": "accommodation"}
    assert source.words == {"accommodation": {"Suported lodgins": "E"}}
    page = (tmp_path / "onboard.html").read_text(encoding="utf-8")
    assert is_private(tmp_path / "onboard.html")
    for text in (done.stdout, page):
        assert "Shared house" in text
        assert "Aaaa Aaaa Aaaaa" in text
        assert not any(name in text for name in ("Tina", "Smith", "Ann Other", "Ben Other"))
    assert "default-src &#39;none&#39;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "nothing was written" in _monitor(tmp_path, "--as-at", "2026-01-12", "--yes").stdout


@needs_posix("terminals that a test can type in")
def test_in_a_terminal_it_asks_and_writes_the_answers(tmp_path: Path) -> None:
    _list(tmp_path / "list.csv")
    answers = {
        "the column accommodation?": "y",
        "that column all the same?": "y",
        "Which heading has": "0",
        '"Shared house" in': "u",
        '"Suported lodgins" in': "",
        "nothing under it": "n",
        'lead of "North"': "north@example.gov.uk",
        'lead of "South"': "",
        "monitor.toml?": "y",
        "E-mail of the analyst": "analyst@example.gov.uk",
    }

    said = _talk(tmp_path, answers, "list.csv", "--as-at", "2026-01-12")

    config = load_config(tmp_path / "monitor.toml")
    assert config.sources[0].headings == {"Acommodation Type": "accommodation"}, said
    assert config.sources[0].words == {"accommodation": {"Shared house": "U", "Suported lodgins": "E"}}
    assert [(team.name, team.lead) for team in config.teams] == [("North", "north@example.gov.uk")]
    assert config.people.analyst == "analyst@example.gov.uk"
    assert "Tina" not in said


def _talk(folder: Path, answers: dict[str, str], *words: str) -> str:
    """Run the command in a terminal, answering each question by what it says; everything it said."""
    import pty
    import select

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(
            sys.executable, [sys.executable, "-c", "from monitor.cli.command import main; main()", "onboard", *words]
        )
    said = heard = ""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                more = os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
            said, heard = said + more, heard + more
        elif heard.endswith(": "):
            question = heard[-600:]
            answer = max(answers, key=question.rfind)
            os.write(terminal, f"{answers[answer] if answer in question else ''}\n".encode())
            heard = ""
    os.waitpid(child, 0)
    return said


def test_a_heading_that_must_be_there_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Thing,YP DOB,Team,EET\n1,01/01/2005,North,NEET\n", encoding="utf-8")

    done = _monitor(tmp_path, "list.csv", "--yes")

    assert done.returncode == 3
    assert 'no heading for person_id (usually "Child Unique ID")' in done.stderr
    assert not (tmp_path / "monitor.toml").exists()


def test_a_config_that_reads_another_file_is_a_problem(tmp_path: Path) -> None:
    _list(tmp_path / "list.csv")
    (tmp_path / "monitor.toml").write_text('[[sources]]\nname = "x"\nkind = "sample"\n', encoding="utf-8")

    done = _monitor(tmp_path, "list.csv")

    assert done.returncode == 2
    assert "no source of it reads list.csv" in done.stderr
