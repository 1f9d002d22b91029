"""The SSDA903 care leavers' return: its codes of every year, its 0, and what its birthday record is."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, settled

from monitor.caseload.intake import CouncilNames, Intake, type_rows
from monitor.config.source_settings import Source
from monitor.errors import SourceError
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


def test_eligibility_is_not_in_it_and_the_night_says_what_that_means(tmp_path: Path) -> None:
    people, intake = read(source(tmp_path, "001,05/03/2005,YES,F2,U1"))

    assert people["001"]["eligibility_gap"] == "not supplied"
    assert "holds no eligibility: rules that ask for it cannot assess anyone" in "\n".join(intake.notes)


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
