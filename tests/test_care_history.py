"""Who is entitled by their care history and on no caseload: counted to the day, found, told, and cleared."""

import csv
import datetime as dt
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, Mail, day, settled
from support.timed_service import few_rules

from monitor.caseload.unlisted import RULE
from monitor.config.settings import load_config
from monitor.config.source_settings import Source
from monitor.errors import Problems, SourceError
from monitor.sources import care_history
from monitor.sources.extract import SourceContext
from monitor.workspace import fetch, open_workspace

BORN = dt.date(2005, 3, 1)
AT_14, AT_16, AT_18, AT_25 = (dt.date(2005 + n, 3, 1) for n in (14, 16, 18, 25))
FALLBACK, ANALYST, NORTH = "fallback@example.gov.uk", "analyst@example.gov.uk", "north@example.gov.uk"

Row = Sequence[Any]
Period = tuple[Any, Any] | tuple[Any, Any, str]


def days(first: dt.date, number: int) -> Period:
    """An episode of so many days from the first."""
    return first, first + dt.timedelta(number)


class Dataset:
    """The tables of the Standard Safeguarding Dataset that care histories are read from, of invented people."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {
            "ssd_person": [("pers_person_id", "pers_dob", "pers_expected_dob", "pers_death_date")],
            "ssd_cla_episodes": [
                ("clae_person_id", "clae_cla_episode_start_date", "clae_cla_episode_ceased_date",
                 "clae_cla_episode_ceased_reason"),
            ],
            "ssd_legal_status": [
                ("lega_person_id", "lega_legal_status", "lega_legal_status_start_date", "lega_legal_status_end_date"),
            ],
            "ssd_involvements": [("invo_person_id", "invo_professional_team", "invo_involvement_start_date")],
            "ssd_department": [("dept_team_id", "dept_team_name")],
        }  # fmt: skip

    def person(
        self,
        person_id: str,
        *episodes: Period,
        born: Any = BORN,
        statuses: Sequence[tuple[str, Any, Any]] = (),
        expected: Any = None,
        died: Any = None,
    ) -> "Dataset":
        self.tables["ssd_person"].append((person_id, born, expected, died))
        for first, last, *reason in episodes:
            self.tables["ssd_cla_episodes"].append((person_id, first, last, *(reason or [None])))
        for status, first, last in statuses:
            self.tables["ssd_legal_status"].append((person_id, status, first, last))
        return self

    def team(self, person_id: str, team: str, started: Any) -> "Dataset":
        self.tables["ssd_involvements"].append((person_id, team, started))
        return self

    def write(self, folder: Path, *, leave_out: Sequence[str] = ()) -> Path:
        folder.mkdir(exist_ok=True)
        for name, rows in self.tables.items():
            if name not in leave_out:
                with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows(rows)
        return folder

    def store(self, path: Path) -> Path:
        store = sqlite3.connect(path)
        for name, (headings, *rows) in self.tables.items():
            store.execute(f"CREATE TABLE {name} ({', '.join(headings)})")
            marks = ", ".join("?" * len(headings))
            texts = [[str(cell) if isinstance(cell, dt.date) else cell for cell in row] for row in rows]
            store.executemany(f"INSERT INTO {name} VALUES ({marks})", texts)
        store.commit()
        store.close()
        return path


def history(tmp_path: Path, dataset: Dataset, as_at: dt.date = NIGHT, **settings: Any) -> dict[str, dict[str, Any]]:
    workspace = open_workspace()
    where = settings or {"path": dataset.write(tmp_path / "ssd")}
    care_history.read(workspace, Source(name="care", kind="care-history", **where), SourceContext(as_at))
    return {row["person_id"]: row for row in fetch(workspace, "SELECT * FROM care_history")}


def counted(tmp_path: Path, *episodes: Period, **person: Any) -> tuple[int, dt.date] | None:
    found = history(tmp_path, Dataset().person("P1", *episodes, **person)).get("P1")
    return found and (found["care_days_since_14"], found["last_day_in_care"])


# Counting days


@pytest.mark.parametrize(
    ("episodes", "total", "last"),
    [
        ([days(AT_16, 90)], 90, AT_16 + dt.timedelta(90)),
        ([days(AT_16, 91)], 91, AT_16 + dt.timedelta(91)),
        # Before 14 and after 18 does not count.
        ([(dt.date(2010, 1, 1), AT_14 + dt.timedelta(10))], 10, AT_14 + dt.timedelta(10)),
        ([(AT_18 - dt.timedelta(5), AT_18 + dt.timedelta(400))], 5, AT_18),
        # Episodes that follow on, overlap, repeat or lie within another are one stay.
        ([days(AT_14, 30), days(AT_14 + dt.timedelta(30), 20)], 50, AT_14 + dt.timedelta(50)),
        ([days(AT_14, 30), days(AT_14 + dt.timedelta(20), 30)], 50, AT_14 + dt.timedelta(50)),
        ([days(AT_14, 30), days(AT_14, 30)], 30, AT_14 + dt.timedelta(30)),
        ([days(AT_14, 30), days(AT_14 + dt.timedelta(5), 5)], 30, AT_14 + dt.timedelta(30)),
        # Re-entry: thirteen weeks are a total.
        ([days(AT_14, 60), days(AT_16, 31)], 91, AT_16 + dt.timedelta(31)),
        ([days(AT_14, 60), days(AT_16, 30)], 90, AT_16 + dt.timedelta(30)),
        # An end never recorded, by blank or sentinel.
        ([(AT_18 - dt.timedelta(100), None)], 100, AT_18),
        ([(AT_18 - dt.timedelta(100), "1900-01-01")], 100, AT_18),
        ([(f"{AT_16:%d/%m/%Y}", f"{AT_16 + dt.timedelta(7):%d/%m/%Y}")], 7, AT_16 + dt.timedelta(7)),
        ([(f"{AT_16} 00:00:00.000", f"{AT_16 + dt.timedelta(7)} 00:00:00")], 7, AT_16 + dt.timedelta(7)),
    ],
)
def test_days_in_care_are_counted_from_14_to_18(
    tmp_path: Path, episodes: list[Period], total: int, last: dt.date
) -> None:
    assert counted(tmp_path, *episodes) == (total, last)


def test_an_open_episode_counts_until_tonight(tmp_path: Path) -> None:
    born = dt.date(2009, 6, 1)

    assert counted(tmp_path, (NIGHT - dt.timedelta(91), None), born=born) == (91, NIGHT)
    assert counted(tmp_path, (NIGHT - dt.timedelta(91), NIGHT + dt.timedelta(30)), born=born) == (91, NIGHT)


@pytest.mark.parametrize(
    ("statuses", "total"),
    [
        ([("V3", AT_16, AT_16 + dt.timedelta(200))], None),
        ([("V4: Accommodated under an agreed series of short-term breaks", AT_16, None)], None),
        ([("Agreed series of short term breaks", AT_16, None)], None),
        ([("V3", AT_16, AT_16 + dt.timedelta(150))], 50),
        ([("V3", AT_16, AT_16 + dt.timedelta(150)), ("C2", AT_16 + dt.timedelta(150), None)], 50),
        # A short break whose end was never recorded, and the order that followed it.
        ([("V3", AT_16, None), ("C2", AT_16 + dt.timedelta(20), None)], 180),
        ([("V2", AT_16, None)], 200),
        ([("V30", AT_16, None)], 200),
        ([], 200),
    ],
)
def test_short_breaks_are_left_out(tmp_path: Path, statuses: list[tuple[str, Any, Any]], total: int | None) -> None:
    found = counted(tmp_path, days(AT_16, 200), statuses=statuses)

    assert (found and found[0]) == total


def test_born_on_29_february_a_stay_begins_to_count_on_1_march(tmp_path: Path) -> None:
    born = dt.date(2004, 2, 29)

    assert counted(tmp_path, (dt.date(2018, 2, 27), dt.date(2018, 3, 11)), born=born) == (10, dt.date(2018, 3, 11))
    assert counted(tmp_path, (dt.date(2022, 2, 20), dt.date(2022, 4, 1)), born=born) == (9, dt.date(2022, 3, 1))


@pytest.mark.parametrize(
    ("person", "found"),
    [
        ({"born": None, "expected": BORN}, True),
        ({"born": "1900-01-01", "expected": BORN}, True),
        ({"born": None}, False),
        ({"born": None, "expected": NIGHT + dt.timedelta(30)}, False),
    ],
)
def test_an_assessed_birth_date_is_used_and_an_expected_one_is_not(
    tmp_path: Path, person: dict[str, Any], found: bool
) -> None:
    assert (counted(tmp_path, days(AT_16, 100), **person) is not None) is found


def test_adopted_people_left_care_another_way_unless_they_came_back(tmp_path: Path) -> None:
    adopted = (*days(AT_16, 100), "E12")

    assert counted(tmp_path, adopted) is None
    assert counted(tmp_path, adopted, days(AT_16 + dt.timedelta(200), 10)) is not None
    assert counted(tmp_path, adopted, (AT_18 - dt.timedelta(10), None)) is not None


@pytest.mark.parametrize(
    ("person", "died"),
    [({"died": "2024-01-01"}, True), ({"died": "unknown date"}, True), ({"died": "1900-01-01"}, False), ({}, False)],
)
def test_a_date_of_death_means_died_readable_or_not(tmp_path: Path, person: dict[str, Any], died: bool) -> None:
    found = history(tmp_path, Dataset().person("P1", days(AT_16, 100), **person))

    assert found["P1"]["died"] is died


def test_an_episode_that_ended_in_death_says_so(tmp_path: Path) -> None:
    found = history(tmp_path, Dataset().person("P1", (*days(AT_16, 100), "E2 Died")))

    assert found["P1"]["died"] is True


def test_the_team_is_the_one_last_involved_by_its_name(tmp_path: Path) -> None:
    dataset = Dataset().person("P1", days(AT_16, 100)).person("P2", days(AT_16, 100)).person("P3", days(AT_16, 100))
    dataset.team("P1", "T1", "2020-01-01").team("P1", "T2", "2021-01-01").team("P1", "", "2022-01-01")
    dataset.team("P2", "LC North", "2020-01-01")
    dataset.tables["ssd_department"] += [("T1", "South"), ("T2", "North")]

    found = history(tmp_path, dataset)

    assert {person: row["team"] for person, row in found.items()} == {"P1": "North", "P2": "LC North", "P3": None}


def test_a_database_gives_the_same_history_as_its_exported_tables(tmp_path: Path) -> None:
    dataset = Dataset().person("P1", days(AT_16, 100)).person("0012.0", (AT_14, None), statuses=[("V3", AT_14, AT_16)])
    dataset.team("P1", "North", "2021-01-01")
    url = f"sqlite:///{dataset.store(tmp_path / 'ssd.db')}"

    stored, exported = history(tmp_path, dataset, url=url), history(tmp_path, dataset)

    assert stored == exported
    assert set(stored) == {"P1", "0012"}


# What cannot be read


@pytest.mark.parametrize("missing", ["ssd_person", "ssd_cla_episodes", "ssd_legal_status"])
def test_a_table_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    folder = Dataset().person("P1", days(AT_16, 100)).write(tmp_path / "ssd", leave_out=[missing])

    with pytest.raises(SourceError, match=rf"{missing}.csv: no such file in .*; export the table there"):
        history(tmp_path, Dataset(), path=folder)


def test_teams_are_done_without(tmp_path: Path) -> None:
    dataset = Dataset().person("P1", days(AT_16, 100))
    folder = dataset.write(tmp_path / "ssd", leave_out=["ssd_involvements", "ssd_department"])

    assert history(tmp_path, Dataset(), path=folder)["P1"]["team"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pers_person_id,forename\n1,x\n", "ssd_person.csv: no column pers_dob"),
        ("pers_person_id,pers_dob\n1,2,3\n", "ssd_person.csv: row 2: 3 cells under 2 headings"),
        ('pers_person_id,pers_dob\n"1,2\n', "ssd_person.csv: row 2: quotation marks that do not match"),
        ("pers_person_id,pers_dob\n\u00e9,2\n", "ssd_person.csv: cannot be read (not UTF-8 text)"),
        ("", "ssd_person.csv: no column pers_person_id"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path: Path, text: str, words: str) -> None:
    folder = Dataset().write(tmp_path / "ssd")
    (folder / "ssd_person.csv").write_bytes(text.encode("latin-1"))

    with pytest.raises(SourceError) as refused:
        history(tmp_path, Dataset(), path=folder)

    assert words in str(refused.value)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("", "path: give the folder of the exported tables, or the url of their database, and not both"),
        ('path = "."\nurl = "sqlite:///x.db"', "and not both"),
        ('path = "."\nrole = "detail"', "role: a care history is neither a caseload nor detail"),
        ('url = "mysql://host/db"', "url: must begin with one of"),
    ],
)
def test_each_mistake_in_the_settings_says_what_would_be_right(tmp_path: Path, keys: str, words: str) -> None:
    path = tmp_path / "monitor.toml"
    listed = '[[sources]]\nname = "caseload"\nkind = "sample"\n'
    path.write_text(f'{listed}[[sources]]\nname = "care"\nkind = "care-history"\n{keys}\n', encoding="utf-8")

    with pytest.raises(Problems) as refused:
        load_config(path)

    assert words in str(refused.value)


# Whole nights


def council(tmp_path: Path, dataset: Dataset) -> Council:
    found = Council(tmp_path, few_rules(tmp_path, RULE, "left-caseload"))
    with found.config_path.open("a", encoding="utf-8") as config:
        config.write('[[sources]]\nname = "care"\nkind = "care-history"\npath = "ssd"\n')
    dataset.write(tmp_path / "ssd")
    return found


def listed(*others: str) -> list[dict[str, str]]:
    return [settled(person) for person in ("L1", "L2", *others)]


def dataset(*, without: str | None = None) -> Dataset:
    """Two people on the caseload, and one, G1, who is on none."""
    found = Dataset()
    for person in ("L1", "L2", "G1"):
        if person != without:
            found.person(person, (AT_14, AT_18), born=dt.date(2005, 3, 1))
    return found if without == "G1" else found.team("G1", "North", "2022-01-01")


def flagged(night: Council) -> dict[str, str]:
    return {person: state for (person, rule), state in night.flags().items() if rule == RULE}


def mentions(mail: list[Mail], person: str) -> bool:
    return any(person in one.text for one in mail)


def test_who_is_entitled_and_on_no_caseload_is_told_to_the_team_that_last_knew_them(tmp_path: Path) -> None:
    service = council(tmp_path, dataset(without="G1"))
    service.night(NIGHT, listed())
    dataset().write(tmp_path / "ssd")

    night = service.night(day(1), listed())

    assert service.flags() == {("G1", RULE): "open"}
    assert (night.people, night.absent, night.exit_code) == (2, 0, 0)
    counts = night.evaluation.totals[RULE]
    assert (counts.asked, counts.ok, counts.breach) == (3, 2, 1)
    assert "care: 1 person entitled by care history, and never on the caseload" in "\n".join(night.intake.notes)
    (mail,) = service.mail_to(NORTH, day(1))
    assert "G1" in mail.text
    assert "In care for 1461 days after turning 14, last on 1 March 2023." in " ".join(mail.text.split())
    (summary,) = service.mail_to(ANALYST, day(1))
    assert "1 person entitled by care history, and never on the caseload" in summary.text
    (row,) = service.listed(day(1), "all.csv")
    assert (row["person_id"], row["team"], row["age"], row["rule"]) == ("G1", "North", "20", RULE)
    assert service.listed(day(1), "cannot-assess.csv") == []


def test_without_a_known_team_the_fallback_hears(tmp_path: Path) -> None:
    service = council(tmp_path, dataset())
    service.night(NIGHT, listed())
    dataset().person("G2", (AT_14, AT_18)).write(tmp_path / "ssd")

    service.night(day(1), listed())

    assert mentions(service.mail_to(FALLBACK), "G2")
    assert not mentions(service.mail_to(NORTH), "G2")


def test_they_are_not_taken_for_people_who_left_and_join_the_roster_with_the_caseload(tmp_path: Path) -> None:
    service = council(tmp_path, dataset())
    service.night(NIGHT, listed())
    assert service.rows("SELECT person_id FROM person ORDER BY 1") == [("L1",), ("L2",)]

    still = service.night(day(1), listed())
    assert (still.changes, still.absent, flagged(service)) == ({}, 0, {"G1": "open"})

    service.night(day(2), listed("G1"))
    assert flagged(service) == {"G1": "cleared"}
    assert service.rows("SELECT person_id FROM person ORDER BY 1") == [("G1",), ("L1",), ("L2",)]
    assert "1 put right" in service.mail_to(NORTH, day(2))[0].subject


def test_who_was_on_the_caseload_and_left_is_asked_about_by_that_rule_alone(tmp_path: Path) -> None:
    people = listed("G1", *(f"C{n}" for n in range(20)))
    service = council(tmp_path, dataset())
    service.night(NIGHT, people)

    service.night(day(1), [person for person in people if person["id"] != "G1"])

    assert service.flags() == {("G1", "left-caseload"): "open"}


def test_a_person_whom_the_care_history_loses_is_held_and_not_cleared(tmp_path: Path) -> None:
    service = council(tmp_path, dataset())
    service.night(NIGHT, listed())
    lost = Dataset().person("L1", (AT_14, AT_18)).person("L2", (AT_14, AT_18))
    lost.write(tmp_path / "ssd")

    service.night(day(1), listed())

    assert flagged(service) == {"G1": "held"}


def test_a_date_that_cannot_be_read_any_more_holds_the_flag(tmp_path: Path) -> None:
    known, later = days(AT_14, 80), days(AT_16, 80)
    service = council(tmp_path, Dataset().person("L1", (AT_14, AT_18)).person("G1", known, later))
    service.night(NIGHT, listed())
    Dataset().person("L1", (AT_14, AT_18)).person("G1", known, ("soon", None)).write(tmp_path / "ssd")

    night = service.night(day(1), listed())

    assert flagged(service) == {"G1": "held"}
    assert night.evaluation.totals[RULE].cannot_assess == 1


def test_a_flag_ends_when_they_turn_25_die_or_prove_not_to_be_entitled(tmp_path: Path) -> None:
    almost_25 = {"born": dt.date(2001, 1, 13)}
    stay, long_ago = (AT_14, AT_18), (dt.date(2015, 1, 1), dt.date(2019, 1, 1))
    first = Dataset().person("L1", stay).person("TURNED-25", long_ago, **almost_25)
    for person in ("DIED", "SHORT-BREAKS", "TOO-SHORT"):
        first.person(person, stay)
    service = council(tmp_path, first)
    service.night(NIGHT, listed())
    assert set(flagged(service).values()) == {"open"}
    second = Dataset().person("L1", stay).person("TURNED-25", long_ago, **almost_25).person("DIED", stay, died=NIGHT)
    second.person("SHORT-BREAKS", stay, statuses=[("V3", AT_14, AT_18)]).person("TOO-SHORT", days(AT_16, 90))
    second.write(tmp_path / "ssd")

    service.night(day(1), listed())

    assert flagged(service) == {
        "TURNED-25": "duty ended", "DIED": "died", "SHORT-BREAKS": "held", "TOO-SHORT": "no longer asked",
    }  # fmt: skip


def test_each_boundary_of_entitlement_holds_in_a_whole_night(tmp_path: Path) -> None:
    leapling, at_24 = {"born": dt.date(2004, 2, 29)}, (dt.date(2016, 1, 1), dt.date(2019, 1, 1))
    since_2025 = (dt.date(2025, 1, 1), None)
    found = Dataset().person("L1", (AT_14, AT_18))
    found.person("91 days", days(AT_16, 91)).person("90 days", days(AT_16, 90))
    found.person("left at 16", (AT_14, AT_16)).person("left the day before 16", (AT_14, AT_16 - dt.timedelta(1)))
    found.person("re-entered", days(AT_14, 80), days(AT_16, 11))
    found.person("short breaks only", days(AT_16, 200), statuses=[("V4", AT_16, None)])
    found.person("still in care", since_2025, born=dt.date(2009, 6, 1))
    found.person("16 tonight", since_2025, born=dt.date(2010, 1, 12))
    found.person("16 tomorrow", since_2025, born=dt.date(2010, 1, 13))
    found.person("leapling at 16", (dt.date(2018, 3, 1), dt.date(2020, 2, 29)), **leapling)
    found.person("leapling before 16", (dt.date(2018, 3, 1), dt.date(2020, 2, 28)), **leapling)
    found.person("25 tomorrow", at_24, born=dt.date(2001, 1, 13)).person("25 tonight", at_24, born=NIGHT.replace(2001))
    found.person("died", (AT_14, AT_18), died="2024-05-05").person("adopted", (AT_14, AT_18, "E11"))
    service = council(tmp_path, found)

    service.night(NIGHT, listed())

    assert set(flagged(service)) == {
        "91 days", "left at 16", "re-entered", "still in care", "16 tonight", "leapling at 16", "25 tomorrow",
    }  # fmt: skip
    assert set(service.flags()) == {(person, RULE) for person in flagged(service)}


def test_a_care_history_of_other_ids_refuses_the_night(tmp_path: Path) -> None:
    service = council(tmp_path, Dataset().person("00L1", (AT_14, AT_18)))

    with pytest.raises(SourceError, match="nobody on the caseload is in it; load both from the same system"):
        service.night(NIGHT, listed())

    assert service.flags() == {}


def test_what_cannot_be_read_is_listed_and_counted(tmp_path: Path) -> None:
    found = (
        dataset()
        .person("G2", ("soon", None), (AT_18, AT_16), (AT_14, "later"), (AT_16, AT_18))
        .person("G3", (AT_14, AT_18), born=None)
    )
    service = council(tmp_path, found)

    night = service.night(NIGHT, listed("C1", "C2", "C3", "C4"))

    notes = "\n".join(night.intake.notes)
    assert "care: only 2 of the 6 people on the caseload are in ssd_person" in notes
    assert "care: 3 rows of its dates are left out and listed in unreadable.csv" in notes
    assert "care: 1 person with care episodes and no birth date: whether they are entitled cannot be told" in notes
    rows = [(one["file"], one["row"]) for one in service.listed(NIGHT, "unreadable.csv")]
    assert rows == [("ssd_cla_episodes.csv", "5"), ("ssd_cla_episodes.csv", "6"), ("ssd_cla_episodes.csv", "7")]
    assert flagged(service) == {"G1": "open", "G2": "open"}


def test_a_care_history_that_changed_is_a_changed_input(tmp_path: Path) -> None:
    service = council(tmp_path, dataset())
    service.night(NIGHT, listed())
    assert service.night(NIGHT).outcome == "unchanged"
    dataset().person("G2", (AT_14, AT_18)).write(tmp_path / "ssd")

    night = service.night(NIGHT, again=True, by="A Example")

    assert night.outcome == "put right"
    assert flagged(service) == {"G1": "open", "G2": "open"}


def test_without_a_care_history_the_rule_says_that_it_was_not_asked(tmp_path: Path) -> None:
    night = Council(tmp_path, few_rules(tmp_path, RULE)).night(NIGHT, listed())

    assert night.evaluation.not_assessed[RULE] == ("care_days_since_14", "last_day_in_care")
