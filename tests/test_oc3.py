"""The SSDA903 care leavers' return: its codes of every year, its 0, and what its birthday record is."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from support.binary_workbooks import write_xls
from support.council import NIGHT, Council, settled
from test_sources import write_workbook

from monitor.caseload.intake import CouncilNames, Intake, type_rows
from monitor.config.settings import shipped
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.gate import source_fitness
from monitor.rulebook.rule_folders import load_rulebook
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import fetch, open_workspace

AS_AT = dt.date(2026, 1, 5)
HEADINGS = "CHILD,DOB,IN_TOUCH,ACTIV,ACCOM"


def source(tmp_path: Path, *lines: str, headings: str = HEADINGS, year: int | None = 2025) -> Source:
    path = tmp_path / "oc3.csv"
    path.write_text("\n".join([headings, *lines, ""]), encoding="utf-8")
    return Source(name="return", kind="ssda903-oc3", path=path, return_year=year)


def read(chosen: Source, as_at: dt.date = AS_AT) -> tuple[dict[str, dict[str, Any]], Intake]:
    workspace = open_workspace()
    extract = read_source(chosen, workspace, SourceContext(as_at, Path("unused")))
    intake = type_rows(workspace, [extract], as_at=as_at, names=CouncilNames())
    return {row["person_id"]: row for row in fetch(workspace, "SELECT * FROM tonight")}, intake


@pytest.mark.parametrize(
    ("activ", "accom", "activity", "accommodation", "suitable"),
    [
        ("F3", "U1", "F3", "U", True),
        ("P3", "Z1", "P3", "Z", True),
        ("F4", "K2", "F4", "K", False),
        ("P5", "S2", "P5", "S", False),
        ("G6", "X2", "G6", "X", False),
        ("0", "0", "0", "0", None),
        ("", "", None, None, None),
    ],
)
def test_codes_of_every_year_are_read(
    tmp_path: Path, activ: str, accom: str, activity: str | None, accommodation: str | None, suitable: bool | None
) -> None:
    people, intake = read(source(tmp_path, "001,05/03/2005,YES,G5,U1", f"002,05/03/2005,NO,{activ},{accom}"))

    row = people["002"]
    assert (row["activity"], row["accommodation"], row["accommodation_suitable"]) == (activity, accommodation, suitable)
    assert (row["activity_gap"], row["accommodation_gap"], intake.unreadable_cells) == (None, None, 0)


@pytest.mark.parametrize(
    ("born", "in_touch", "recorded"),
    [
        ("05/03/2005", "YES", dt.date(2025, 3, 5)),
        ("31/03/2005", "YES", dt.date(2025, 3, 31)),
        ("01/04/2005", "YES", dt.date(2024, 4, 1)),
        ("29/02/2004", "YES", dt.date(2025, 3, 1)),
        ("05/03/2005", "NO", None),
        ("05/03/2005", "REFU", None),
        ("05/03/2005", "DIED", None),
        ("05/03/2005", "", None),
        ("", "YES", None),
        ("35/03/2005", "YES", None),
    ],
)
def test_in_touch_is_recorded_at_the_birthday_in_the_returns_year_and_is_never_a_contact(
    tmp_path: Path, born: str, in_touch: str, recorded: dt.date | None
) -> None:
    people, intake = read(source(tmp_path, f"001,{born},{in_touch},F2,U1", "002,01/01/2006,YES,F2,U1"))

    assert people["001"]["last_recorded_in_touch_date"] == recorded
    assert people["001"]["latest_contact_date"] is None
    assert people["001"]["latest_contact_date_gap"] == "not supplied"
    assert "latest_contact_date" not in intake.supplied


def test_a_birthday_still_to_come_in_the_returns_year_is_not_recorded_yet(tmp_path: Path) -> None:
    people, _ = read(source(tmp_path, "001,06/01/2005,YES,F2,U1", "002,05/01/2005,YES,F2,U1", year=2026))

    assert people["001"]["last_recorded_in_touch_date"] == dt.date(2025, 1, 6)
    assert people["002"]["last_recorded_in_touch_date"] == dt.date(2026, 1, 5)


@pytest.mark.parametrize(
    ("as_at", "year"), [(dt.date(2026, 1, 5), 2025), (dt.date(2026, 3, 30), 2025), (dt.date(2026, 3, 31), 2026)]
)
def test_without_its_year_it_is_taken_for_the_last_return_that_has_ended(
    tmp_path: Path, as_at: dt.date, year: int
) -> None:
    people, intake = read(source(tmp_path, "001,05/03/2005,YES,F2,U1", year=None), as_at)

    assert people["001"]["last_recorded_in_touch_date"] == dt.date(year, 3, 5)
    assert f"taken for the return that ended on 31 March {year}" in "\n".join(intake.notes)


def test_who_is_in_it_is_a_care_leaver_by_age_and_the_night_says_so(tmp_path: Path) -> None:
    people, intake = read(source(tmp_path, "001,05/01/2008,YES,F2,U1", "002,06/01/2008,YES,F2,U1", "003,,YES,F2,U1"))

    eligible = {person_id: row["eligibility"] for person_id, row in people.items()}
    assert eligible == {"001": "former relevant", "002": "relevant", "003": "former relevant"}
    assert "holds no eligibility: everyone in it counts as former relevant" in "\n".join(intake.notes)
    rules = load_rulebook([shipped("rules")], {}).rules
    supplies = (source_fitness.Supply("return", "ssda903-oc3", intake.supplied),)
    caveats = {one.rule: one.why for one in source_fitness.judge(rules, supplies)}
    assert any("Not in the return: whoever is in it counts as" in why for why in caveats["neet"])


def test_a_cell_of_any_other_source_goes_before_what_the_return_implies(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "person_id,date_of_birth,eligibility\n001,05/03/2005,Qualifying\n002,05/03/2005,\n", encoding="utf-8"
    )
    lines = [f"00{number},05/03/2005,YES,F2,U1" for number in (1, 2, 3)]
    sources = [
        source(tmp_path, *lines), Source(name="list", kind="annex-a-list-9", path=tmp_path / "list.csv"),
    ]  # fmt: skip
    workspace = open_workspace()
    extracts = [read_source(one, workspace, SourceContext(AS_AT, Path("unused"))) for one in sources]
    type_rows(workspace, extracts, as_at=AS_AT, names=CouncilNames())

    rows = workspace.execute("SELECT person_id, eligibility FROM tonight ORDER BY ALL").fetchall()
    assert rows == [("001", "qualifying"), ("002", None), ("003", "former relevant")]


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_a_workbook_is_read_like_the_csv(tmp_path: Path, kind: str) -> None:
    rows = [HEADINGS.split(","), ["001", dt.date(2005, 3, 5), "YES", "F2", "U1"]]
    path = tmp_path / f"return.{kind}"
    write_workbook(path, {"OC3": rows}) if kind == "xlsx" else write_xls(path, rows, sheet="Return")

    people, _ = read(Source(name="return", kind="ssda903-oc3", path=path, return_year=2025))

    row = people["001"]
    assert (row["accommodation"], row["accommodation_suitable"]) == ("U", True)
    assert row["last_recorded_in_touch_date"] == dt.date(2025, 3, 5)


@pytest.mark.parametrize(
    ("line", "year", "words"),
    [
        ("05/03/2005,DIED,F2,0", 2025, "DIED or RHOM with an activity or accommodation"),
        ("05/03/2005,RHOM,0,B1", 2025, "DIED or RHOM with an activity or accommodation"),
        ("05/03/2005,YES,0,U1", 2025, "in touch with 0 for activity or accommodation"),
        ("05/03/2005,NO,G5,S1", 2025, "homeless or in custody in accommodation recorded as suitable"),
        ("05/03/2005,NO,G5,U", 2025, "without its digit for suitable or unsuitable"),
        ("05/03/2008,NO,G5,Z1", 2025, "with former foster carers at 17"),
        ("05/03/2008,NO,G5,T1", 2025, "in a foyer before 18"),
        ("05/03/2005,NO,F3,U1", 2025, "an activity code (F3, P3) that ended with the return of 2021"),
        ("05/03/2003,NO,P5,U1", 2021, "an activity code (F4, P4, F5, P5) that began with the return of 2022"),
    ],
)
def test_what_the_returns_own_checks_would_find_is_counted(tmp_path: Path, line: str, year: int, words: str) -> None:
    sound = "002,05/03/2002,NO,G5,U2"

    _, bad = read(source(tmp_path, f"001,{line}", sound, year=year))
    _, good = read(source(tmp_path, sound, year=year))

    assert [note for note in bad.notes if "1 person" in note and words in note]
    assert words not in "\n".join(good.notes)


@pytest.mark.parametrize(
    ("headings", "words"),
    [
        ("CHILD,DOB,ACTIV,ACCOM", 'no heading for in_touch (usually "IN_TOUCH")'),
        ("DOB,IN_TOUCH,ACTIV,ACCOM", 'no heading for person_id (usually "CHILD")'),
        ("NUMBER,SEX,ETHNIC,UPN", "no row of SSDA903 OC3 headings"),
    ],
)
def test_a_file_that_is_no_oc3_is_refused(tmp_path: Path, headings: str, words: str) -> None:
    chosen = source(tmp_path, "001,05/03/2005,F2,U1", headings=headings)

    with pytest.raises(SourceError) as refused:
        read(chosen)

    assert words in str(refused.value)


def test_a_return_that_has_not_begun_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="return_year: 2027 had not begun"):
        read(source(tmp_path, "001,05/03/2005,YES,F2,U1", year=2027))


def test_a_night_beside_a_list_9_takes_the_birthday_record_from_the_return(tmp_path: Path) -> None:
    council = Council(tmp_path)
    source(tmp_path, "P1,01/06/2006,YES,F2,S2")
    with council.config_path.open("a", encoding="utf-8") as config:
        config.write('[[sources]]\nname = "return"\nkind = "ssda903-oc3"\nrole = "detail"\npath = "oc3.csv"\n')

    night = council.night(NIGHT, [settled("P1"), settled("P2")])

    assert (night.exit_code, night.people) == (0, 2)
    (values,) = council.rows("SELECT last_values FROM person WHERE person_id = 'P1'")[0]
    assert '"last_recorded_in_touch_date":"2024-06-01"' in str(values)
    assert ("P1", "contact-overdue") not in council.flags()
