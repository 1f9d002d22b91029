"""The command as a person runs it: what it prints, its exit codes, and never a traceback."""

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from support.command import Done, Terminal, monitor
from support.council import HEADINGS, NIGHT, Council, crowd, homeless, settled

RULES = Path(__file__).parent.parent / "rules"
CONFIG = f"""
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.csv"
extracted_on = {dt.datetime.now(dt.UTC).date()}
[people]
analyst = "analyst@example.gov.uk"
[[teams]]
name = "North"
lead = "north@example.gov.uk"
[lists]
workbooks = false
"""


def write_list_9(folder: Path, people: list[dict[str, str]]) -> None:
    lines = [",".join(HEADINGS.values()), *(",".join(person[key] for key in HEADINGS) for person in people)]
    (folder / "list-9.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_council(folder: Path) -> None:
    (folder / "monitor.toml").write_text(CONFIG, encoding="utf-8")
    write_list_9(folder, [settled("0012", accommodation="S: No fixed abode"), *crowd(10)])


@pytest.fixture
def council(tmp_path: Path) -> Path:
    write_council(tmp_path)
    return tmp_path


@dataclass
class Ran:
    """A council on which the command ran once, to be looked at and never changed, and what the command said."""

    folder: Path
    done: Done


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("council")
    write_council(folder)
    return Ran(folder, monitor(folder, "run"))


def test_help_says_what_each_command_does(tmp_path: Path) -> None:
    assert "Run one night" in monitor(tmp_path, "--help").stdout


def test_a_night_prints_how_it_went_then_the_rules_in_breach_and_where_the_files_are(ran: Ran) -> None:
    done = ran.done

    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout
    assert "cannot assess" in done.stdout
    (homeless,) = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("homeless ")]
    assert homeless[1:] == ["critical", "1", "1", "0"]
    assert "Not assessed: accommodation-visits: no source supplies" in done.stdout
    assert str(ran.folder / "data" / "outbox") in done.stdout
    assert "0012" not in done.stdout
    places = [done.stdout.index(words) for words in ("Flags: ", "2 messages delivered", "homeless ", "Lists are in")]
    assert places == sorted(places)
    assert "left-caseload" not in done.stdout
    assert "other rules asked, none in breach; --all shows every rule" in done.stdout


def test_every_rule_is_printed_when_asked_and_no_id_is_broken_at_80_columns(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    narrow = [("rules", "list"), ("columns",), ("run", "--dry-run", "--all")]

    rules, columns, night = (monitor(ran.folder, *typed, output=Terminal()).stdout for typed in narrow)

    ids = {path.stem for path in RULES.glob("[a-z]*.toml")}
    assert {rule for rule in ids if rule not in rules} == set()
    assert "pathway_plan_review_date" in columns
    assert "needs-assessment-start-unknown" in night
    assert night.count("critical") > 5


def test_what_is_piped_has_a_line_for_a_line(ran: Ran) -> None:
    (listed,) = [line for line in monitor(ran.folder, "columns").stdout.splitlines() if "known_as" in line or
                 "Unaccompanied Asylum Seeking Child" in line]  # fmt: skip

    assert len(listed) > 80


def test_the_commands_that_act_say_the_same_as_json(ran: Ran, tmp_path: Path) -> None:
    shutil.copytree(ran.folder, tmp_path, dirs_exist_ok=True)

    night = json.loads(monitor(tmp_path, "run", "--json").stdout)
    delivered = json.loads(monitor(tmp_path, "deliver", "--json").stdout)
    report = json.loads(monitor(tmp_path, "report", "--output", "report", "--json").stdout)

    (homeless,) = [rule for rule in night["rules"] if rule["rule"] == "homeless"]
    assert (homeless["severity"], homeless["asked"], homeless["breach"]) == ("critical", 11, 1)
    standing = {rule["rule"]: (rule["standing"], rule["why"]) for rule in night["rules"]}
    assert standing["accommodation-visits"][0] == "not assessed"
    assert "no source supplies" in str(standing["accommodation-visits"][1])
    assert (night["outcome"], night["exit_code"], night["people"]) == ("unchanged", 0, 11)
    assert (delivered["delivered"], delivered["receipts"]["awaited"]) == (0, 0)
    assert all(Path(tmp_path, file).exists() for file in report["files"])


def test_the_version_is_said(tmp_path: Path) -> None:
    assert monitor(tmp_path, "--version").stdout.split() == ["care-leaver-monitor", version("care-leaver-monitor")]


def test_the_installed_command_runs_a_night_in_a_process_of_its_own(council: Path) -> None:
    command = [sys.executable, "-c", "from monitor.cli.command import main; main()", "run", "--config", "monitor.toml"]

    done = subprocess.run(command, cwd=council, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout
    assert done.stderr == ""


def test_the_same_command_again_says_that_nothing_changed(ran: Ran, tmp_path: Path) -> None:
    shutil.copytree(ran.folder, tmp_path, dirs_exist_ok=True)

    done = monitor(tmp_path, "run")

    assert done.returncode == 0
    assert "nothing has changed" in done.stdout


def test_a_rehearsal_leaves_no_trace(council: Path) -> None:
    done = monitor(council, "run", "--dry-run")

    assert done.returncode == 0
    assert "nothing was saved or sent" in done.stdout
    assert not (council / "data").exists()


def test_export_writes_what_the_last_night_left(ran: Ran, tmp_path: Path) -> None:
    path = tmp_path / "flags.json"

    done = monitor(ran.folder, "export", "--format", "json", "--output", str(path), "--rule", "homeless")

    assert done.returncode == 0, done.stderr
    (flag,) = json.loads(path.read_text(encoding="utf-8"))
    assert (flag["person_id"], flag["rule"], flag["state"]) == ("0012", "homeless", "open")


def test_export_knows_a_team_by_its_other_names_and_refuses_one_that_nobody_has(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1", team="LC North"), *crowd(10)])

    done = [
        monitor(tmp_path, "export", "--format", "json", "--output", f"{n}.json", "--team", team)
        for n, team in enumerate(("lc  north", "North", "Nort", "Elsewhere", ""))
    ]

    assert [one.returncode for one in done] == [0, 0, 2, 2, 2]
    assert [len(json.loads((tmp_path / f"{n}.json").read_text(encoding="utf-8"))) for n in (0, 1)] == [1, 1]
    assert '--team "Nort": no such team; did you mean "North"?' in done[2].stderr
    assert 'no such team; the config and the caseload name "North", "South"' in " ".join(done[3].stderr.split())
    assert not (tmp_path / "2.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--config", "none.toml"], 2, "none.toml: no such file"),
        (["run", "--as-at", "2026-13-01"], 2, "2026-13-01"),
        (["run", "--as-at", "2999-01-01"], 3, "is after today"),
        (["run", "--again"], 2, "--again: needs --by"),
        (["run", "--accept", "whole list moved"], 2, "--accept: needs --by"),
        (["export", "--output", "x.csv"], 3, "there is none yet"),
        (["rules", "show", "contact-overdu"], 2, 'did you mean "contact-overdue"'),
        (["confirm", "P1", "--by", "A Example"], 3, "there is none yet"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    council: Path, arguments: list[str], code: int, words: str
) -> None:
    done = monitor(council, *arguments)

    assert done.returncode == code
    assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "list-9.csv"),
        ("", "list-9.csv"),
        ("Name,Town\nA,B\n", "list-9.csv"),
        (",".join(HEADINGS.values()) + "\n", "list-9.csv"),
    ],
)
def test_a_source_that_cannot_be_read_is_exit_code_3_and_saves_no_flag(
    council: Path, content: str | None, words: str
) -> None:
    (council / "list-9.csv").unlink()
    if content is not None:
        (council / "list-9.csv").write_text(content, encoding="utf-8")

    done = monitor(council, "run")

    assert done.returncode == 3
    assert words in done.stderr
    assert not (council / "data" / "exceptions").exists()


def test_a_rule_file_with_a_fault_stops_everything_before_it_starts(council: Path) -> None:
    (council / "own").mkdir()
    (council / "own" / "broken.toml").write_text('title = "Broken"\nbreach_if = "agee > 3"\n', encoding="utf-8")
    (council / "monitor.toml").write_text('rules = ["own"]\n' + CONFIG, encoding="utf-8")

    done = monitor(council, "run")

    assert done.returncode == 2
    assert 'own/broken.toml: breach_if: no column or limit "agee"; did you mean "age"?' in done.stderr
    assert not (council / "data").exists()


def test_check_says_who_hears_about_whom(council: Path) -> None:
    done = monitor(council, "check")

    assert done.returncode == 0, done.stderr
    assert "North: north@example.gov.uk" in done.stdout
    assert "neither lists_folder nor lists_url is set in [lists]" in " ".join(done.stdout.split())
    assert "Ready" in done.stdout
    assert not (council / "data").exists()


def test_the_rulebook_can_be_read_without_a_config(tmp_path: Path) -> None:
    done = monitor(tmp_path, "rules", "list", "--json")

    assert done.returncode == 0
    assert "pathway-plan-current" in {rule["id"] for rule in json.loads(done.stdout)}


def test_a_sample_is_written_and_read_back(tmp_path: Path) -> None:
    done = monitor(tmp_path, "sample", "list-9.csv", "--people", "60", "--as-at", "2026-01-12")
    (tmp_path / "monitor.toml").write_text(CONFIG, encoding="utf-8")

    night = monitor(tmp_path, "run", "--as-at", "2026-01-12")

    assert done.returncode == 0
    assert night.returncode == 0, night.stderr
    assert re.search("5[0-9] people from 60 rows", night.stdout)  # one of them or more is said to have died


def test_a_second_process_on_the_same_database_exits_4(council: Path) -> None:
    from monitor.store.database import working_store

    with working_store(f"sqlite:///{council / 'data' / 'monitor.db'}"):
        done = monitor(council, "run", "--wait", "0")

    assert done.returncode == 4
    assert "another run is at work" in done.stderr


def test_check_and_the_night_name_each_rule_that_nobody_can_be_asked_once(council: Path, ran: Ran) -> None:
    checked = monitor(council, "check")

    assert checked.stdout.count("not assessed: accommodation-visits: no source supplies") == 1
    assert ran.done.stdout.count("Not assessed: accommodation-visits: no source supplies") == 1
    assert ran.done.stdout.count("accommodation-visits") == 1


def test_the_measures_of_the_last_night_are_printed_as_json(ran: Ran) -> None:
    done = monitor(ran.folder, "measures", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["confirm", "homeless", "--by", "A"], "homeless: no flags of this rule wait to be confirmed; no rule's do"),
        (["confirm", "0099", "--by", "A"], "0099: is no rule's id, and nobody of that id is recorded as having died"),
        (["explain", "12"], "12: nobody of that id has been on an accepted night; did you mean 0012?"),
        (["run", "--as-at", "yesterday"], '"yesterday" is not a date; write it like 2026-01-31'),
    ],
)
def test_what_cannot_be_done_is_answered_in_the_words_of_the_question(ran: Ran, typed: list[str], said: str) -> None:
    done = monitor(ran.folder, *typed)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_rule_without_examples_is_said_to_have_none(tmp_path: Path) -> None:
    write_council(tmp_path)
    own = (RULES / "homeless.toml").read_text(encoding="utf-8").partition("[[examples]]")[0]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.toml").write_text(own.replace('"homeless"', '"own"', 1), encoding="utf-8")
    settings = (tmp_path / "monitor.toml").read_text(encoding="utf-8")
    (tmp_path / "monitor.toml").write_text(f'rules = ["own"]\n{settings}', encoding="utf-8")

    tested = monitor(tmp_path, "rules", "test", "own")

    assert "own: has no examples, so nothing was tested" in tested.stdout
