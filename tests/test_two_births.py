"""One id with two birth dates may be two young people: neither hides the other."""

import csv
import datetime as dt
from pathlib import Path

from support.council import NIGHT, Council, crowd, day, homeless, settled

from monitor.caseload.two_births import TWO_BIRTHS

OTHER = "02/07/2004"


def unreadable(council: Council, night: dt.date = NIGHT) -> list[dict[str, str]]:
    path = council.folder / "data" / "exceptions" / night.isoformat() / "unreadable.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_two_people_under_one_id_in_one_file_are_both_named_and_flags_are_held(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("7000001"), *crowd(20)])
    both = [homeless("7000001"), settled("7000001", born=OTHER, contact="10/01/2026")]

    night = council.night(day(1), [*both, *crowd(20)])

    assert (night.verdict.word, night.exit_code) == ("degraded", 1)
    assert "1 id has two birth dates (1 in one file, 0 between sources)" in night.verdict.doubts[0]
    assert [line["row"] for line in unreadable(council, day(1)) if TWO_BIRTHS in line["reason"]] == ["2", "3"]
    assert council.rows("SELECT rule, resolved_on FROM flag WHERE person_id = '7000001' AND rule = 'homeless'") == [
        ("homeless", None)
    ]
    assert night.states["held"] > 0
    assert "two birth dates" in council.mail_to("analyst@example.gov.uk", day(1))[0].text.replace("\n", " ")


def test_what_both_rows_say_is_believed_and_one_who_died_closes_nobody(tmp_path: Path) -> None:
    council = Council(tmp_path)
    died = settled(
        "7000001", born=OTHER, in_touch="c) Died", accommodation="S: No fixed abode", suitable="b) Unsuitable"
    )

    council.night(NIGHT, [homeless("7000001"), died, *crowd(20)])

    assert council.rows("SELECT rule FROM flag WHERE person_id = '7000001'") == [("homeless",)]
    assert council.rows("SELECT died_on FROM person WHERE person_id = '7000001'") == [(None,)]


def test_two_people_under_one_id_in_two_sources_are_both_named(tmp_path: Path) -> None:
    council = Council(tmp_path)
    text = council.config_path.read_text("utf-8")
    second = '[[sources]]\nname = "other"\nkind = "annex-a-list-9"\npath = "other.csv"\n[people]'
    council.config_path.write_text(text.replace("[people]", second), encoding="utf-8")
    council.write([homeless("7000001", born=OTHER)])
    (tmp_path / "list-9.csv").rename(tmp_path / "other.csv")

    night = council.night(NIGHT, [settled("7000001"), *crowd(20)])

    assert (night.verdict.word, night.exit_code) == ("degraded", 1)
    named = [(line["file"], line["row"]) for line in unreadable(council) if TWO_BIRTHS in line["reason"]]
    assert named == [("list-9.csv", "2"), ("other.csv", "2")]
    listed = (tmp_path / "data" / "exceptions" / NIGHT.isoformat() / "cannot-assess.csv").read_text("utf-8-sig")
    assert '"7000001","North","accommodation","unreadable","emergency-accommodation, homeless"' in listed
