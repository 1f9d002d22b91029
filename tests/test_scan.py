"""``monitor scan`` on DuckDB: the answers of a night, without a roster, a flag or a mail."""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock
from support.command import monitor
from support.random_people import AS_AT, invent, shipped_rules
from support.typed_caseload import (
    FAILING,
    KEY,
    ask_as_a_night,
    let_rules_fail,
    pseudonym,
    read_breaches,
    read_counts,
    rows_of,
    write_caseload,
)
from test_evaluation import person, rule

from monitor.errors import Problems, Refused, SourceError
from monitor.rulebook.rule import Example
from monitor.scan import scan
from monitor.scan.duckdb_engine import DuckdbEngine
from monitor.scan.scan import Scanned
from monitor.scan.scan_settings import read_scan

RULES = {
    "no-adviser": rule("true", "personal_adviser is null", needs='["personal_adviser"]', because="{{ age }}."),
    "neet": rule("true", "activity = 'G5'", because="{{ activity | meaning }}, with {{ personal_adviser }}."),
    "seen-before": rule("true", "accommodation_since < as_at"),
}
NEET = {"activity": "G5", "personal_adviser": "A Example"}


def write_rules(folder: Path, rules: Mapping[str, str] = RULES) -> Path:
    own = folder / "rules"
    own.mkdir(exist_ok=True)
    for name, text in rules.items():
        (own / f"{name}.toml").write_text(text, encoding="utf-8")
    return own


def run(folder: Path, *people: Example, rules: Mapping[str, str] = RULES, also: str = "*", **keys: Any) -> Scanned:
    """Scan these people, half of them of each authority, with no count withheld unless it is said."""
    write_caseload(folder / "caseload.parquet", rows_of(people), also=also)
    write_rules(folder, rules)
    return scan(None, {"scan": {**settings(folder), **keys}}, environ={"KEY": KEY})


def settings(folder: Path) -> dict[str, Any]:
    return {
        "caseload": str(folder / "caseload.parquet"), "out": str(folder / "out"), "suppress_below": 0,
        "rules": [str(folder / "rules")], "shipped_rules": False,
    }  # fmt: skip


def refused(folder: Path, *people: Example, also: str) -> list[str]:
    with pytest.raises(Refused) as fault:
        run(folder, *(people or (person(), person())), also=also)
    return [line.split("caseload.parquet: ")[-1] for line in str(fault.value).splitlines()]


# The answers


def test_the_answers_of_63_rules_are_those_of_a_night(tmp_path: Path) -> None:
    rows = rows_of(invent(600))
    rulebook = shipped_rules()
    write_caseload(tmp_path / "caseload.parquet", rows)
    own = {"caseload": str(tmp_path / "caseload.parquet"), "out": str(tmp_path / "out"), "people": "ids"}

    scanned = scan(None, {"scan": {**own, "suppress_below": 0}})

    counts, breaches = ask_as_a_night(rows, rulebook, AS_AT)
    assert scanned.failed == {}
    assert scanned.not_assessed == {}
    assert read_counts(tmp_path / "out") == counts
    assert read_breaches(tmp_path / "out") == breaches
    marked = duckdb.sql(f"SELECT DISTINCT rule FROM '{tmp_path}/out/breaches.parquet' WHERE sensitive").fetchall()
    assert {which for (which,) in marked} == {one.id for one in rulebook.rules if one.sensitive} & {
        b[2] for b in breaches
    }


def test_a_rule_that_rests_on_the_roster_is_not_assessed_without_it_1(tmp_path: Path) -> None:
    without = run(tmp_path, person(**NEET), also="* EXCLUDE (strongest_category, accommodation_since)")

    assert without.exit_code == 0
    assert without.not_assessed == {
        "seen-before": "rests on accommodation_since, which the record of earlier nights has and the table does not"
    }
    told = duckdb.sql(f"SELECT rule, asked, not_assessed FROM '{tmp_path}/out/counts.parquet' WHERE asked IS NULL")
    assert told.fetchall() == [("seen-before", None, without.not_assessed["seen-before"])]


def test_what_one_authority_does_not_supply_is_not_assessed_there_and_is_elsewhere_2(tmp_path: Path) -> None:
    scanned = run(tmp_path, person(not_supplied=("personal_adviser",)), person())

    told = {(row.authority, row.rule): (row.breach, row.not_assessed) for row in scanned.counts}
    assert told["313", "no-adviser"] == (None, "needs personal_adviser, which nobody supplies")
    assert told["E09.x", "no-adviser"] == told[None, "no-adviser"] == (1, None)


def test_a_rule_that_fails_is_named_and_every_other_is_asked_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_rules_fail(monkeypatch, DuckdbEngine)

    scanned = run(tmp_path, person(**NEET, pa_changes_12_months=9), rules=RULES | FAILING, people="ids")

    why = "a sum gave a number or a date out of range; check what its conditions add"
    assert scanned.failed == {"too-large": why, "bad-words": why}
    assert scanned.exit_code == 1
    assert read_counts(tmp_path / "out") == {
        ("313", "neet"): (0, 1, 0), ("313", "no-adviser"): (1, 0, 0), ("313", "seen-before"): (0, 0, 1),
    }  # fmt: skip
    assert {row[2] for row in read_breaches(tmp_path / "out")} == {"neet"}
    assert json.loads((tmp_path / "out" / "scan.json").read_text())["failed"] == scanned.failed


def test_breaches_that_cannot_be_written_are_told_so_where_each_of_3_rules_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = DuckdbEngine.write
    monkeypatch.setattr(DuckdbEngine, "write", lambda self, _, to: write(self, "SELECT error('P0 is known')", to))

    with pytest.raises(SourceError, match=r"[/\\]out: the breaches cannot be written: the database refused it \("):
        run(tmp_path, person(**NEET), people="ids")


def test_a_cell_outside_the_contract_is_unreadable_and_never_guessed_1900(tmp_path: Path) -> None:
    people = [person(**NEET), person(**NEET), person(**NEET), person(**NEET)]
    also = """* REPLACE (
        CASE WHEN person_id = 'P1' THEN 'it''s \\ here' ELSE activity END AS activity,
        CASE WHEN person_id = 'P1' THEN ' ' ELSE personal_adviser END AS personal_adviser,
        DATE '1900-01-01' AS release_date, DATE '2027-01-01' AS last_visit_date, 'lost' AS uasc_gap
    )"""
    rules = RULES | {
        "visits": rule("true", "last_visit_date < as_at or uasc"),
        "release": rule("true", "release_date < as_at"),
    }

    scanned = run(tmp_path, *people, rules=rules, also=also)

    counts = read_counts(tmp_path / "out")
    assert counts["313", "neet"] == (0, 1, 1)
    assert counts["313", "no-adviser"] == (1, 0, 1)
    assert counts["313", "visits"] == counts["313", "release"] == (0, 0, 2)
    assert set(scanned.remarks) == {
        f"{name}: cells the contract does not allow, taken as unreadable: {count}"
        for name, count in {
            "activity": 2,
            "personal_adviser": 2,
            "release_date": 4,
            "last_visit_date": 4,
            "uasc": 4,
        }.items()
    }


def test_another_day_may_be_asked_about_and_a_record_of_a_later_one_is_unreadable_2026(tmp_path: Path) -> None:
    seen = person(last_visit_date=dt.date(2026, 1, 2))

    scanned = run(tmp_path, seen, rules={"visits": rule("true", "last_visit_date < as_at")}, as_at=dt.date(2026, 1, 1))

    assert read_counts(tmp_path / "out") == {("313", "visits"): (0, 0, 1)}
    assert "the table is as at 2026-01-05, and the rules were asked as at 2026-01-01" in scanned.remarks


def test_limits_are_those_of_the_file_and_working_days_are_counted_5(tmp_path: Path) -> None:
    visits = rule("true", "due_on < as_at", due_on='"last_visit_date + within"', limits='within = "2 working days"')
    # Monday the 5th of January: two working days after Wednesday the 31st are Monday, for the 1st is a bank holiday.
    people = [person(last_visit_date=dt.date(2025, 12, day)) for day in (30, 30, 31, 31)]

    scanned = run(tmp_path, *people, rules={"visits": visits})
    assert read_counts(tmp_path / "out")["313", "visits"] == (1, 1, 0)

    write_rules(tmp_path, {"visits": visits})
    changed = {"scan": settings(tmp_path), "rule": {"visits": {"limits": {"within": "1 working days"}}}}
    scan(None, changed)

    assert scanned.failed == {}
    assert read_counts(tmp_path / "out")["313", "visits"] == (0, 2, 0)


# What leaves


def test_small_counts_are_withheld_unless_nought_is_asked_for_6(tmp_path: Path) -> None:
    people = [person(**NEET)] * 3 + [person(activity="F1", personal_adviser="A Example")] * 60

    scanned = run(tmp_path, *people, suppress_below=6)

    told = {(row.authority, row.rule): row for row in scanned.counts}
    assert (told[None, "neet"].breach, told[None, "neet"].ok, told[None, "neet"].asked) == (None, None, 65)
    assert told["313", "neet"].breach is told["E09.x", "neet"].breach is None
    assert told[None, "neet"].suppressed
    assert (told[None, "no-adviser"].breach, told[None, "no-adviser"].suppressed) == (0, False)
    record = json.loads((tmp_path / "out" / "scan.json").read_text())
    assert (record["suppressed_below"], record["table"]["rows"]) == (6, 60)
    assert scanned.files == ("counts.parquet", "scan.json")


def test_a_pseudonym_is_a_keyed_hash_of_each_authority_and_no_text_of_a_person_leaves_256(tmp_path: Path) -> None:
    run(tmp_path, person(**NEET), person(**NEET), person(), people="pseudonyms", pseudonym_key_env="KEY")

    breaches = read_breaches(tmp_path / "out", "pseudonym")
    assert {(authority, who, which) for authority, who, which, *_ in breaches} == {
        ("313", pseudonym("313", "P0"), "neet"), ("E09.x", pseudonym("E09.x", "P0"), "neet"),
        ("313", pseudonym("313", "P1"), "no-adviser"),
    }  # fmt: skip
    assert {which: because for _, _, which, _, _, because in breaches} == {"neet": None, "no-adviser": "19."}
    for file in (tmp_path / "out").iterdir():
        held = file.read_bytes()
        assert KEY.encode() not in held
        assert b"A Example" not in held
    assert "person_id" not in duckdb.sql(f"FROM '{tmp_path}/out/breaches.parquet'").columns


@pytest.mark.parametrize(("key", "said"), [("", "holds no key"), ("short", "fewer than 32 characters")], ids=["0", "5"])
def test_a_key_that_is_none_is_refused_without_being_quoted(tmp_path: Path, key: str, said: str) -> None:
    write_rules(tmp_path)
    own = {"caseload": "x", "out": "out", "people": "pseudonyms", "pseudonym_key_env": "KEY"}

    with pytest.raises(Problems, match=said) as fault:
        scan(None, {"scan": own}, environ={"KEY": key})

    assert "short" not in str(fault.value)


def test_the_record_tells_rules_data_and_engine_and_the_same_data_has_the_same_fingerprint_2(tmp_path: Path) -> None:
    people = [person(**NEET), person()]
    run(tmp_path, *people)
    first = json.loads((tmp_path / "out" / "scan.json").read_text())

    run(tmp_path, *people)
    again = json.loads((tmp_path / "out" / "scan.json").read_text())
    run(tmp_path, person(**NEET), person(activity="G4"))
    other = json.loads((tmp_path / "out" / "scan.json").read_text())

    assert first["table"] == again["table"]
    assert first["table"]["fingerprint"] != other["table"]["fingerprint"]
    assert first["rules"] == other["rules"]
    assert first["engine"]["settings"]["enable_external_access"] == "false"
    assert first["engine"]["name"] == "duckdb"


# The table


def test_every_fault_in_the_columns_is_listed_1(tmp_path: Path) -> None:
    also = "* EXCLUDE (died, activity_gap) REPLACE (CAST(as_at AS TIMESTAMP) AS as_at, 1 AS uasc), 1 AS dyed"

    lines = refused(tmp_path, also=also)

    assert lines[:4] == [
        "as_at: is TIMESTAMP; it must be DATE",
        'died: no such column; did you mean "dyed"?',
        "uasc: is INTEGER; it must be BOOLEAN",
        "activity_gap: no such column; add it as VARCHAR",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ("* REPLACE (NULL::VARCHAR AS authority)", "authority: 2 rows without it"),
        ("* REPLACE (' ' AS person_id)", "person_id: 2 rows without it"),
        ("* REPLACE (NULL::BOOLEAN AS died)", "died: 2 rows without it"),
        ("* REPLACE ('P0' AS person_id, '1' AS authority)", "authority, person_id: 1 row of somebody who has one"),
        ("* REPLACE (as_at + CAST(authority = '313' AS INT) AS as_at)", "as_at: holds days from 2026-01-05 to"),
        ("* REPLACE ('lost' AS strongest_category)", "strongest_category: 2 cells that it cannot hold"),
        ("* REPLACE (DATE '1900-01-01' AS first_seen_on)", "first_seen_on: 2 cells that it cannot hold"),
    ],
    ids=["1", "2", "3", "4", "5", "6", "7"],
)  # fmt: skip
def test_rows_that_cannot_be_are_refused(tmp_path: Path, also: str, said: str) -> None:
    assert said in refused(tmp_path, also=also)[0]


def test_a_table_of_nobody_is_refused_0(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds nobody"):
        run(tmp_path)


def test_columns_of_no_contract_are_named_and_not_read_2(tmp_path: Path) -> None:
    scanned = run(tmp_path, person(), also="*, 19 AS age, 'A Name' AS full_name")

    assert scanned.remarks == ("not of the contract, and not read: age, full_name; age: worked out by the scan",)


def test_a_folder_of_files_is_read_with_the_authority_in_their_names_and_hidden_ones_are_not_007(
    tmp_path: Path,
) -> None:
    rows = rows_of([person(**NEET)] * 4)
    for code in ("007", "313"):
        (tmp_path / "lake" / f"la_code={code}").mkdir(parents=True)
        write_caseload(
            tmp_path / "lake" / f"la_code={code}" / "part-0.parquet", rows[::2], also="* EXCLUDE (authority)"
        )
    (tmp_path / "lake" / "_temporary").mkdir()
    (tmp_path / "lake" / "_temporary" / "part-1.parquet").write_text("not whole")
    own = {"caseload": str(tmp_path / "lake"), "authority": "la_code", "out": str(tmp_path / "out")}

    scan(None, {"scan": {**own, "rules": [str(write_rules(tmp_path))], "shipped_rules": False, "suppress_below": 0}})

    assert {place: read_counts(tmp_path / "out")[place, "neet"] for place in ("007", "313")} == {
        "007": (0, 2, 0), "313": (0, 2, 0),
    }  # fmt: skip


def test_files_that_differ_and_a_table_of_delta_are_refused_2(tmp_path: Path) -> None:
    rows = rows_of([person()])
    folder = tmp_path / "lake"
    folder.mkdir()
    write_caseload(folder / "1.parquet", rows)
    write_caseload(folder / "2.parquet", rows, also="* EXCLUDE (uasc) REPLACE ('2026-01-05' AS as_at)")
    own = {"scan": {"caseload": str(folder), "out": str(tmp_path / "out")}}

    with pytest.raises(SourceError, match="its files differ in as_at and uasc"):
        scan(None, own)
    (folder / "_delta_log").mkdir()
    with pytest.raises(SourceError, match="Delta or Iceberg"):
        scan(None, own)


# Where it goes


def test_an_earlier_scan_is_replaced_whole_and_kept_where_the_next_fails_2(tmp_path: Path) -> None:
    run(tmp_path, person(**NEET), people="ids")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"counts.parquet", "breaches.parquet", "scan.json"}
    run(tmp_path, person(**NEET))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    refused(tmp_path, also="* EXCLUDE (died)")

    assert kept.keys() == {"counts.parquet", "scan.json"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == kept
    assert {path.name for path in tmp_path.iterdir()} == {"caseload.parquet", "out", "rules"}


def test_what_a_killed_scan_left_goes_and_what_another_is_at_work_in_stays_2(tmp_path: Path) -> None:
    dead, busy = (tmp_path / f".out.{name}.scanning" for name in ("0badcafe", "1badcafe"))
    for folder in (dead, busy):
        folder.mkdir()
        (folder / "breaches.parquet").write_text("ids")

    with FileLock(busy / "lock"):
        run(tmp_path, person())

    assert not dead.exists()
    assert (busy / "breaches.parquet").exists()


def test_a_folder_with_anything_else_in_it_is_left_alone_1(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.docx").touch()

    with pytest.raises(Refused, match=r"holds letters\.docx, which no scan wrote"):
        run(tmp_path, person())


# The settings and the command


def test_everything_wrong_with_the_settings_is_said_at_once_8(tmp_path: Path) -> None:
    (tmp_path / "scan.toml").write_text(
        """
        [scan]
        caselod = "caseload.parquet"
        out = "figures"
        authority = "died"
        people = "names"
        suppress_below = 1
        [scan.spark]
        remote = "sc://host/;token=abc"
        [rule.homeless]
        limit = { within = "1 day" }
        """
    )

    with pytest.raises(Problems) as fault:
        read_scan(tmp_path / "scan.toml")

    with pytest.raises(Problems, match=r"settings: scan\.out: missing\nsettings: scan\.cas: unknown key"):
        scan(None, {"scan": {"caseload": "caseload", "cas": 1}})

    said = [line.removeprefix(f"{tmp_path / 'scan.toml'}: ") for line in fault.value.problems]
    assert "scan.caseload: missing" in said
    assert 'scan.caselod: unknown key; did you mean "caseload"?' in said
    assert any(line.startswith('scan.authority: "died" is another column of the contract') for line in said)
    assert any(line.startswith('scan.people: "names" is not one of') for line in said)
    assert any(line.startswith("scan.suppress_below: 1 would withhold next to nothing") for line in said)
    assert any(line.startswith("scan.spark.remote: holds a secret") and "abc" not in line for line in said)
    assert any(line.startswith("rule.homeless.limit: unknown key") for line in said)


def test_the_command_prints_counts_worst_first_and_where_the_files_are_1(tmp_path: Path) -> None:
    write_caseload(tmp_path / "caseload.parquet", rows_of([person(**NEET)] * 20))
    rules = RULES | {"worst": rule("true", "activity = 'G5'").replace('"high"', '"critical"')}
    write_rules(tmp_path, rules)
    (tmp_path / "scan.toml").write_text(
        '[scan]\ncaseload = "caseload.parquet"\nout = "figures"\nrules = ["rules"]\nshipped_rules = false\n'
    )

    done = monitor(tmp_path, "scan", "--as-at", "2026-01-06")

    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert lines.index("worst critical 20 20 0") < lines.index("neet high 20 20 0")
    assert lines[-1] == f"Written to {tmp_path / 'figures'}: counts.parquet, scan.json"
    assert "the table is as at 2026-01-05, and the rules were asked as at 2026-01-06" in done.stdout
