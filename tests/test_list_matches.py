"""Lists that protect or restrict: an entry reaches its person however it is written; what reaches nobody is said."""

import datetime as dt
import random
from pathlib import Path

import duckdb
import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, section, settled
from support.safeguarding_dataset import Dataset
from support.safeguarding_dataset import day as ssd_day
from support.timed_service import few_rules

from monitor.catalogue.person_ids import fold_id, folded_id_sql
from monitor.config.id_lists import find_fault, read_ids, read_merged
from monitor.errors import Problems
from monitor.words import INVISIBLE, MARKS

HIDDEN = "0007000001"
HEAD, ANALYST, LEAD = "head@example.gov.uk", "analyst@example.gov.uk", "north@example.gov.uk"


def write_list(folder: Path, content: str | bytes, name: str = "protected.csv") -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return f'restricted = "{name}"\n'


def council_of(folder: Path, restricted: str | bytes = "", merged: str = "", database: str | None = None) -> Council:
    settings = few_rules(folder, "homeless", "left-caseload")
    settings += write_list(folder, restricted) if restricted else ""
    if merged:
        (folder / "merged.csv").write_text(merged, encoding="utf-8")
        settings += 'merged_ids = "merged.csv"\n'
    return Council(folder, settings, database=database)


def everything_written(council: Council, *, but_to: str = HEAD) -> str:
    """All that anybody but the head of service can read: mails, lists for others, and nothing of the database."""
    mails = "".join(mail.subject + mail.text + mail.html for mail in council.mail() if mail.to != but_to)
    lists = (council.folder / "data" / "exceptions").rglob("*.csv")
    return mails + "".join(path.read_text("utf-8-sig") for path in lists if not path.name.startswith("restricted"))


# One id, however it is written


WRITTEN = {
    "as it is": "0007000001\n",
    "without zeros": "7000001\n",
    "more zeros": "000007000001",
    "quoted": '"7000001"\r\n',
    "curly quotes": "\u201c7000001\u201d",
    "a formula": '"=""0007000001"""\r\n',
    "point nought": "7000001.0\n",
    "a trailing comma": "7000001,\n",
    "no-break and zero-width spaces": "\u00a07000001\u200b\n",
    "a byte order mark and a heading": b"\xef\xbb\xbfPerson ID,Why\r\n7000001,relative of staff\r\n",
    "another heading": "Restricted ID;Since\n7000001;2026-01-01\n",
    "unicode text": "Person ID\tWhy\r\n7000001\tstaff\r\n".encode("utf-16"),
    "utf-16 without a mark": "7000001\r\n".encode("utf-16-le"),
    "old Mac line ends": "# who\r7000001\r",
    "a remark after it": "7000001 # relative of staff\n",
    "a remark beside it": '7000001,"Relative of staff, since May"\n',
    "Windows' own letters": "7000001,née Example\n".encode("cp1252"),
    "the second on its line": "7000002,7000001\n",
    "a tab before it": "\t7000001\n",
    "a full stop after it": "7000001.\u2028\n",
    "Excel's own separator": "sep=;\r\nPerson ID;Why\r\n7000001;staff\r\n",
    "full width": "\uff17\uff10\uff10\uff10\uff10\uff10\uff11\n",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_restricted_id_protects_however_it_is_written(tmp_path: Path, written: str | bytes) -> None:
    council = council_of(tmp_path, written)

    council.night(NIGHT, [homeless(HIDDEN), homeless("P2"), *crowd(20)])

    assert "7000001" not in everything_written(council)
    assert HIDDEN in council.mail_to(HEAD)[0].text
    assert [row["person_id"] for row in council.listed(NIGHT, "restricted.csv")] == [HIDDEN]
    assert [row["person_id"] for row in council.listed(NIGHT, "all.csv")] == ["P2"]


def test_case_and_dashes_do_not_matter(tmp_path: Path) -> None:
    council = council_of(tmp_path, "q\u20137731\n")

    council.night(NIGHT, [homeless("Q-7731"), *crowd(20)])

    assert "Q-7731" not in everything_written(council)


def test_the_report_the_export_and_the_terminal_fold_too(tmp_path: Path) -> None:
    council = council_of(tmp_path, "7000001\n")
    council.night(NIGHT, [homeless(HIDDEN), homeless("P2"), *crowd(20)])

    exported = monitor(tmp_path, "export", "--output", "out.csv")
    explained = monitor(tmp_path, "explain", HIDDEN)
    waived = monitor(tmp_path, "waive", "0007000002", "homeless", "--until", "2026-01-30", "--by", "A")
    report = monitor(tmp_path, "report", "--output", "out")

    assert exported.returncode == report.returncode == 0, report.stderr
    assert "7000001" not in (tmp_path / "out.csv").read_text("utf-8-sig")
    assert "restricted list" in explained.stderr
    assert HIDDEN not in waived.stderr
    (page,) = (tmp_path / "out").rglob("*.html")
    assert "P2" in page.read_text("utf-8")
    assert "7000001" not in page.read_text("utf-8")


def test_where_ids_differ_in_zeros_alone_all_are_restricted_and_the_head_is_told(tmp_path: Path) -> None:
    council = council_of(tmp_path, "7000001\n")

    council.night(NIGHT, [homeless(HIDDEN), homeless("7000001"), *crowd(20)])

    assert "7000001" not in everything_written(council)
    assert "7000001 (line 1) matches several people" in " ".join(council.mail_to(HEAD)[0].text.split())


def test_an_id_in_a_remark_is_restricted_too_and_the_head_is_told(tmp_path: Path) -> None:
    council = council_of(tmp_path, "P2,7000001\n")

    council.night(NIGHT, [homeless(HIDDEN), homeless("P2"), *crowd(20)])

    assert "7000001" not in everything_written(council)
    assert "7000001 (line 1): a second id on a line, which matches somebody" in " ".join(
        council.mail_to(HEAD)[0].text.split()
    )


# Closed over merged ids


def test_a_restricted_old_id_restricts_the_heir(tmp_path: Path, database: str | None) -> None:
    council = council_of(tmp_path, "OLD-1\n", "old_id,new_id\nold-1,7000001.0\n", database)
    council.night(NIGHT, [homeless("OLD-1"), *crowd(20)])

    council.night(day(1), [homeless(HIDDEN), *crowd(20)])

    assert council.flags()[(HIDDEN, "homeless")] == "open"
    assert "2 ids in protected.csv" not in (check := monitor(tmp_path, "check").stdout)
    assert "1 id in protected.csv, of which 1 matches somebody" in check
    assert "7000001" not in everything_written(council)
    assert "OLD-1" not in everything_written(council)


def test_a_restricted_heir_restricts_the_old_ids(tmp_path: Path) -> None:
    council = council_of(tmp_path, "NEW-1\n", "old_id,new_id\nOLD-1,MID-1\nMID-1,NEW-1\n")

    council.night(NIGHT, [homeless("OLD-1"), *crowd(20)])

    assert "OLD-1" not in everything_written(council)
    assert monitor(tmp_path, "explain", "MID-1").stderr.count("restricted") <= 1


def test_merged_ids_are_those_of_the_records_however_they_are_written(tmp_path: Path) -> None:
    council = council_of(tmp_path, merged='old_id,new_id\n"=""11""",q-2\n')
    council.night(NIGHT, [homeless("0011"), *crowd(20)])

    council.night(day(1), [homeless("Q-2"), *crowd(20)])

    assert council.flags() == {("0011", "homeless"): "merged", ("Q-2", "homeless"): "open"}


def test_a_merged_id_that_could_be_two_people_merges_neither_and_is_said(tmp_path: Path) -> None:
    council = council_of(tmp_path, merged="old_id,new_id\n11,Q-2\n")
    council.night(NIGHT, [homeless("0011"), homeless("011"), settled("Q-2"), *crowd(20)])

    council.night(day(1), [homeless("011"), settled("Q-2"), *crowd(20)])

    assert council.flags()[("0011", "homeless")] == "held"
    (mail,) = council.mail_to(ANALYST, NIGHT)
    assert "line 2 could be several people" in " ".join(mail.text.split())
    assert "line 2 could be several people" not in " ".join(council.mail_to(ANALYST, day(1))[0].text.split())
    assert "line 2 could be several people" in monitor(tmp_path, "check").stdout.replace("\n", " ").replace("  ", "")


# What matches nobody


def test_an_entry_that_matches_nobody_is_told_to_the_head_once_and_counted_by_check(tmp_path: Path) -> None:
    council = council_of(tmp_path, f"{HIDDEN}\n# a remark\n7000009\n")
    everyone = [homeless(HIDDEN), *crowd(20)]
    council.night(NIGHT, everyone)
    council.night(day(1), everyone)
    (tmp_path / "protected.csv").write_text(f"{HIDDEN}\n7000009\n7000010\n")
    council.night(day(2), everyone)

    said = [" ".join(mail.text.split()) for n in range(3) for mail in council.mail_to(HEAD, day(n))]
    check = monitor(tmp_path, "check")

    assert len(said) == 2
    assert "7000009 (line 3) matches nobody, tonight or on the roster, and protects nobody" in said[0]
    assert "7000009 (line 2) and 7000010 (line 3) match nobody" in said[1]
    assert "70000" not in everything_written(council)
    assert check.returncode == 0
    assert "3 ids in protected.csv, of which 1 matches somebody" in check.stdout
    assert "lines 2 and 3 match nobody" in check.stdout
    assert "70000" not in check.stdout


@pytest.mark.parametrize("content", ["\n", "# nobody yet\n", "Person ID\n"])
def test_an_empty_restricted_list_is_said_by_check_and_to_the_head(tmp_path: Path, content: str) -> None:
    council = council_of(tmp_path, content)
    council.night(NIGHT, crowd(20))

    assert "holds no id, so nobody is protected by it" in monitor(tmp_path, "check").stdout
    assert "holds no id" in council.mail_to(HEAD)[0].text


def test_someone_on_the_roster_alone_is_matched_by_night_and_by_check(tmp_path: Path) -> None:
    council = council_of(tmp_path, f"{HIDDEN}\n")
    council.night(NIGHT, [homeless(HIDDEN), *crowd(20)])
    council.night(day(1), crowd(20))

    assert "1 id in protected.csv, of which 1 matches somebody" in monitor(tmp_path, "check").stdout
    assert "matches nobody" not in "".join(mail.text for mail in council.mail_to(HEAD))


# What cannot be an id


NOT_IDS = [
    "Sam Example", "Smith", "o'brien", "12/01/2026", "2026-01-12", "12-Jan-2026", "#N/A", "#REF!", "7.00E+06", "7E+06",
    "7 000 001", "7\u00a0000\u00a0001", "7,000,001", "0", "0.0", "1" * 65, "a@b.example.gov.uk", "Err:502", "10:30",
    "Restricted people", "########", "N/A", "TOTAL", "Jan-26", "--", "7000001\u2603",
]  # fmt: skip


@pytest.mark.parametrize("line", NOT_IDS)
def test_a_line_that_cannot_be_an_id_is_a_problem_with_its_line_and_is_not_repeated(tmp_path: Path, line: str) -> None:
    council = council_of(tmp_path, f"# who\n7000002\n{line}\n")
    council.write(crowd(5))

    check, run = monitor(tmp_path, "check"), monitor(tmp_path, "run", "--as-at", "2026-01-12")

    assert (check.returncode, run.returncode) == (2, 2)
    said = (check.stdout + check.stderr + run.stdout + run.stderr).replace("\n", " ")
    assert "restricted: protected.csv: line 3:" in said
    assert line not in said.replace("line 3", "")


def test_a_list_that_is_a_workbook_or_missing_is_a_problem(tmp_path: Path) -> None:
    council = council_of(tmp_path, b"PK\x03\x04 and so on")
    council.write(crowd(5))

    assert "is a workbook; save it as CSV" in monitor(tmp_path, "check").stderr
    (tmp_path / "protected.csv").unlink()
    gone = monitor(tmp_path, "run", "--as-at", "2026-01-12")
    assert (gone.returncode, "restricted: no file" in gone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Old_ID ; New-ID\nA;B\n", {"A": "B"}),
        ('\ufeffnew_id,old_id,why\n"B",A,moved\n', {"A": "B"}),
        ("# ours\nold_id,new_id\n\n# one\nA,B\n", {"A": "B"}),
        ("old_id,new_id\nA,b1\nB1,C\n", {"A": "C", "B1": "C"}),
        ("old_id,new_id\n007,7\n", {"007": "7"}),
        ("old_id,new_id\nA1,B\na1,B\n", {"A1": "B", "a1": "B"}),
    ],
)
def test_a_list_of_merged_ids_may_be_saved_in_many_ways(tmp_path: Path, text: str, words: dict[str, str]) -> None:
    (tmp_path / "merged.csv").write_text(text, encoding="utf-8")

    assert {old: new.upper() for old, new in read_merged(tmp_path / "merged.csv").items()} == words


@pytest.mark.parametrize(("text", "words"), [
    ("old_id,new_id\nSam Example,B2\n", "line 2: the old id is more than one word, not an id"),
    ("old_id,new_id\nA,#N/A\n", "line 2: needs an old id and a new one"),
    ("old_id,new_id\nA1,B\na1,C\n", "line 3: an earlier line gives the old id another new one"),
    ("old_id,new_id\nA1,B1\nb1,a1\n", "some ids lead back to themselves"),
])  # fmt: skip
def test_a_wrong_line_of_merged_ids_is_named_and_not_repeated(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "merged.csv").write_text(text, encoding="utf-8")

    with pytest.raises(Problems, match=words) as caught:
        read_merged(tmp_path / "merged.csv")
    assert "Sam" not in str(caught.value)


def test_ids_are_compared_alike_in_python_and_in_sql() -> None:
    letters = "0012aAbZ-_/. \t=,;" + INVISIBLE[1:] + MARKS + "\u2013\uff17\uff21\u2009"
    chosen = random.Random(1)
    texts = ["".join(chosen.choice(letters) for _ in range(chosen.randint(0, 9))) for _ in range(5_000)]

    query = f"SELECT t, {folded_id_sql('t')} FROM (SELECT unnest($1::VARCHAR[]) AS t)"

    assert [row for row in duckdb.execute(query, [texts]).fetchall() if row[1] != fold_id(row[0])] == []


def test_ids_of_every_kind_are_ids() -> None:
    ids = ["1", "0012", "P7", "Q-7731", "HIDDEN", "2019/0042", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}".strip("{}")]

    assert [text for text in ids if find_fault(text)] == []


# Lists of names


def test_other_names_and_placeholders_that_match_nothing_are_said(tmp_path: Path) -> None:
    council = council_of(tmp_path)
    text = council.config_path.read_text("utf-8").replace("[people]", "[people]", 1)
    text = 'not_an_adviser = ["duty team", "nobody yet"]\n' + text.replace('["LC North"]', '["LC North", "Old North"]')
    council.config_path.write_text(text, encoding="utf-8")
    people = [settled("P1", team="\u201cLC North\u201d,", adviser="\u200bDuty Team,"), *crowd(20)]
    council.night(NIGHT, people)
    council.night(day(1), people)

    first, second = (council.mail_to(ANALYST, day(n))[0] for n in range(2))
    check = " ".join(monitor(tmp_path, "check").stdout.split())

    for said in (" ".join(section(first, "Needs you").split()), check):
        assert 'also_known_as of team "North": 1 of 2 names occur tonight; nothing matches "Old North"' in said
        assert 'not_an_adviser: 1 of 2 entries occur tonight; nothing matches "nobody yet"' in said
    assert section(second, "Needs you") == ""
    assert section(second, "All else").count("nothing") == 2
    assert council.rows("SELECT team FROM person WHERE person_id = 'P1'") == [("North",)]


def test_two_teams_that_claim_one_name_are_a_problem_however_it_is_written(tmp_path: Path) -> None:
    council = council_of(tmp_path)
    text = council.config_path.read_text("utf-8").replace('["LC North"]', '["\u201csouth\u201d,"]')
    council.config_path.write_text(text, encoding="utf-8")

    done = monitor(tmp_path, "check")

    assert (done.returncode, "share the name" in done.stderr) == (2, True)


def test_a_source_preferred_for_a_column_that_it_lacks_is_a_problem(tmp_path: Path) -> None:
    council = council_of(tmp_path)
    text = council.config_path.read_text("utf-8").replace(
        'path = "list-9.csv"', 'path = "list-9.csv"\nprefer = ["last_visit_date"]'
    )
    council.config_path.write_text(text, encoding="utf-8")
    council.write(crowd(5))

    check, run = monitor(tmp_path, "check"), monitor(tmp_path, "run", "--as-at", "2026-01-12")

    assert (check.returncode, run.returncode) == (2, 2)
    assert "sources[caseload].prefer: list-9.csv has no column last_visit_date" in " ".join(check.stdout.split())


# How a column was made: on the published tables of the Standard Safeguarding Dataset


def ssd_council(folder: Path, **settings: list[str]) -> Council:
    """Thirty people with an open adviser, a social worker, and an address in Cheshire; three live in Leeds."""
    data = Dataset()
    for n in range(30):
        person, postcode = f"P{n}", "LS1 2AB" if n < 3 else "CW1 2AB"
        data.person(person).leaver(person, adviser="7", in_touch="YES", contact="2026-01-05", team="12")
        # P0's adviser has gone: only the social worker's involvement is open.
        data.involvement(person, "7", role="LC Worker", end="2025-10-01" if n == 0 else None)
        data.involvement(person, "9", role="Social Worker")
        start = ssd_day("2025-10-01")
        data.add("ssd_address", addr_person_id=person, addr_address_start_date=start, addr_address_postcode=postcode)
    data.add("ssd_department", dept_team_id="12", dept_team_name="North")
    data.write(f"sqlite:///{folder / 'ssd.db'}")
    council = Council(folder, few_rules(folder, "pa-allocated", "turning-18-adviser", "eligible-adviser"))
    configure(council, **settings)
    return council


def configure(council: Council, kind: str = "systemc", **settings: list[str]) -> None:
    config = council.config_path.read_text("utf-8")
    start, rest = config.split('kind = "')[0], "[people]" + config.split("[people]", 1)[1]
    lines = "".join(f"{name} = {values}\n" for name, values in settings.items())
    source = f'kind = "ssd-{kind}"\nurl = "sqlite:///ssd.db"\n{lines}'
    council.config_path.write_text(start + source + rest, encoding="utf-8")


def said_of_lists(council: Council, as_at: dt.date) -> list[str]:
    """What check and the analyst's mail of a night say, each in one line."""
    (mail,) = council.mail_to(ANALYST, as_at)
    return [" ".join(text.split()) for text in (monitor(council.folder, "check").stdout, mail.text)]


def test_roles_that_match_none_leave_the_adviser_out_and_hold_flags(tmp_path: Path) -> None:
    council = ssd_council(tmp_path, adviser_roles=['="lc  worker",'])
    council.night(NIGHT)
    assert council.flags() == {("P0", "pa-allocated"): "open"}

    configure(council, adviser_roles=["Personal Adviser"])
    night = council.night(day(1))

    assert "personal_adviser" not in night.intake.supplied
    assert night.verdict.word == "degraded"
    assert council.flags() == {("P0", "pa-allocated"): "held"}
    for said in said_of_lists(council, day(1)):
        assert 'adviser_roles of caseload: 0 of 1 role occurs; no involvement has "Personal Adviser"' in said
        assert 'roles that occur and are not named: "LC Worker" (30), "Social Worker" (30)' in said


@pytest.mark.parametrize("kind", ["systemc", "mosaic", "eclipse"])
def test_roles_that_match_none_are_never_as_if_none_were_named_on_a_first_night(tmp_path: Path, kind: str) -> None:
    council = ssd_council(tmp_path)
    configure(council, kind, adviser_roles=["Personal Adviser"])

    night = council.night(NIGHT)

    assert not night.intake.supplied & {"personal_adviser", "pa_start_date", "pa_changes_12_months"}
    assert council.flags() == {}


def test_a_role_that_does_not_occur_is_said_beside_those_that_do(tmp_path: Path) -> None:
    council = ssd_council(tmp_path, adviser_roles=["LC Worker", "Old Role"])
    council.night(NIGHT)

    assert council.flags() == {("P0", "pa-allocated"): "open"}
    for said in said_of_lists(council, NIGHT):
        assert 'adviser_roles of caseload: 1 of 2 roles occur; no involvement has "Old Role"' in said
        assert 'roles that occur and are not named: "Social Worker" (30)' in said


def test_an_adviser_made_in_another_way_is_not_believed_until_accepted(tmp_path: Path) -> None:
    council = ssd_council(tmp_path, adviser_roles=["LC Worker"])
    council.night(NIGHT)

    configure(council)
    for n in (1, 2):
        night = council.night(day(n))
        assert night.verdict.word == "degraded"
        assert "confirmed by any involvement of the worker tonight" in night.verdict.columns["personal_adviser"]
        assert council.flags() == {("P0", "pa-allocated"): "held"}
    accepted = council.night(day(3), accept="meant so", by="A Example")

    assert accepted.verdict.accepted
    assert "personal_adviser" not in council.night(day(4)).verdict.columns


def test_a_source_newly_preferred_makes_its_column_otherwise(tmp_path: Path) -> None:
    council = council_of(tmp_path)
    people = [settled(f"P{n}") for n in range(20)]
    rows = "".join(f"{person['id']},B Example\n" for person in people)
    (tmp_path / "beside.csv").write_text(f"person_id,personal_adviser\n{rows}", encoding="utf-8")
    source = '[[sources]]\nname = "beside"\nkind = "supplement"\npath = "beside.csv"\n'
    text = council.config_path.read_text("utf-8")
    council.config_path.write_text(text.replace("[people]", source + "[people]"), encoding="utf-8")
    council.night(NIGHT, people)

    council.config_path.write_text(
        text.replace("[people]", source + 'prefer = ["personal_adviser"]\n[people]'), encoding="utf-8"
    )
    columns = council.night(day(1)).verdict.columns

    assert 'as "beside" has it first' in columns["personal_adviser"]


def test_postcodes_that_match_nothing_leave_out_of_area_out(tmp_path: Path) -> None:
    council = ssd_council(tmp_path, area_postcodes=['"cw"'])
    assert "out_of_area" in council.night(NIGHT).intake.supplied

    configure(council, area_postcodes=["ZE"])
    night = council.night(day(1))

    assert "out_of_area" not in night.intake.supplied
    assert "no source supplies it" in night.verdict.columns["out_of_area"]
    for said in said_of_lists(council, day(1)):
        assert 'somebody lives in 0 of 1 area; nobody in "ZE", so out_of_area is not supplied' in said
        assert 'areas in which people live: "CW" (27), "LS" (3)' in said


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"area_postcodes": ["Leeds"]}, '"Leeds" is not a postcode area or district'),
        ({"area_postcodes": ["CW1 2AB"]}, '"CW1 2AB" is not a postcode area or district'),
        ({"area_postcodes": []}, "area_postcodes: empty, so it matches nothing"),
        ({"adviser_roles": []}, "adviser_roles: empty, so it matches nothing"),
    ],
)
def test_a_list_that_can_match_nothing_is_a_problem(tmp_path: Path, setting: dict[str, list[str]], words: str) -> None:
    council = Council(tmp_path)
    configure(council, **setting)

    done = monitor(tmp_path, "check")

    assert (done.returncode, words in done.stderr) == (2, True)


def test_a_list_that_no_kind_of_source_reads_is_a_problem(tmp_path: Path) -> None:
    council = Council(tmp_path)
    text = council.config_path.read_text("utf-8")
    council.config_path.write_text(text.replace('path = "list-9.csv"', 'path = "list-9.csv"\nadviser_roles = ["PA"]'))

    assert "adviser_roles: nothing of this kind reads it" in monitor(tmp_path, "check").stderr


def test_an_empty_list_of_domains_is_not_as_if_there_were_none(tmp_path: Path) -> None:
    council = Council(tmp_path, "not_an_adviser = []\n")
    council.write(crowd(5))
    with council.config_path.open("a", encoding="utf-8") as file:
        file.write("[delivery]\nallowed_domains = []\n")
    domains = monitor(tmp_path, "check")

    assert (domains.returncode, "allowed_domains: empty" in domains.stderr) == (2, True)


@pytest.mark.parametrize(
    "content", ["a" * 200_000, "a" + " " * 200_000 + "b", "1" + '"' * 200_000 + "b", "#" * 200_000, "1\n" * 100_001]
)
def test_a_hostile_list_is_a_problem_in_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "protected.csv").write_text(content, encoding="utf-8")

    with pytest.raises(Problems) as caught:
        read_ids(tmp_path / "protected.csv")
    assert len(str(caught.value)) < 5_000
