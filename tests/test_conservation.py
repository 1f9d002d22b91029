"""No flag is lost at the edges: corrections, merged records, absence, a rule handed over or changed."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import NIGHT, Council, crowd, day, few_rules, homeless, settled
from support.lifecycle_council import withdraw_night

from monitor.flags.waiver_request import UnwaiveRequest, unwaive
from monitor.record import last_night
from monitor.store.events import Stamp

OTHERS = crowd(30)
NO_ADVISER = ("P1", "over-21-adviser")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def council(request: pytest.FixtureRequest, tmp_path: Path) -> Council:
    made: Callable[[], str] | None = None
    if request.param == "PostgreSQL":
        made = request.getfixturevalue("new_database")
    return Council(tmp_path, database=made() if made else None)


def facts(council: Council, person_id: str = "P1") -> list[tuple[object, ...]]:
    columns = "id, rule, severity, opened_on, in_breach_since, held_since, resolved_reason"
    rows = council.rows(f"SELECT {columns} FROM flag WHERE person_id = '{person_id}' ORDER BY id")
    return [tuple(str(value) for value in row) for row in rows]


def test_a_birth_date_put_right_again_and_again_keeps_the_flag_that_it_opened(council: Council) -> None:
    wrong, right = homeless("P1", born="01/06/1999"), homeless("P1")
    council.night(NIGHT, [wrong, *OTHERS])
    assert council.flags() == {}
    council.night(day(1), [right, *OTHERS])
    first = facts(council)

    council.night(day(1), [right, *OTHERS, settled("P2")], again=True, by="A")
    council.night(day(1), [right, *OTHERS], again=True, by="A")

    assert ("None", str(day(1))) in {(flag[6], flag[3]) for flag in first}
    assert facts(council) == first


WRONGLY = {
    "reached 25": [homeless("P1", born="01/06/1999")],
    "died": [homeless("P1", in_touch="c) Died")],
    "absent": [],
    "not entitled": [homeless("P1", eligibility="Qualifying care leaver", born="01/06/2009")],
}


@pytest.mark.parametrize("wrong", WRONGLY)
def test_what_one_attempt_was_told_wrongly_leaves_no_trace_once_put_right(tmp_path: Path, wrong: str) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1"), *OTHERS])
    council.night(day(1), [homeless("P1") | {"accommodation": "#N/A"}, *OTHERS])
    ground, person = facts(council), council.rows("SELECT * FROM person WHERE person_id = 'P1'")

    council.night(day(2), [*WRONGLY[wrong], *OTHERS])
    assert facts(council) != ground
    council.night(day(2), [homeless("P1") | {"accommodation": "#N/A"}, *OTHERS], again=True, by="A")

    assert [flag for flag in facts(council) if flag[6] != "corrected"] == ground
    assert council.rows("SELECT * FROM person WHERE person_id = 'P1'") == person


def merge(council: Council, *lines: str) -> None:
    (council.folder / "merged.csv").write_text("\n".join(["old_id,new_id", *lines, ""]), encoding="utf-8")


@pytest.fixture
def merging(tmp_path: Path) -> Council:
    """P1 is homeless since two nights; tonight P1's record is merged into P9."""
    council = Council(tmp_path, 'merged_ids = "merged.csv"')
    merge(council)
    council.night(NIGHT, [homeless("P1"), settled("P9"), *OTHERS])
    council.night(day(1), [homeless("P1"), settled("P9"), *OTHERS])
    return council


HEIRS = {
    "in breach": ([homeless("P9")], "merged", ("open", str(NIGHT), str(NIGHT))),
    "unreadable": ([homeless("P9") | {"accommodation": "#N/A"}], "merged", ("held", str(NIGHT), str(NIGHT))),
    "absent": ([], "merged", ("held", str(NIGHT), str(NIGHT))),
    "ok": ([settled("P9")], "cleared", None),
    "died": ([homeless("P9", in_touch="c) Died")], "died", None),
    "reached 25": ([homeless("P9", born="01/06/2000")], "duty ended", None),
}


@pytest.mark.parametrize("heir", HEIRS)
def test_the_record_that_stands_for_a_merged_one_decides_what_becomes_of_its_flag(merging: Council, heir: str) -> None:
    tonight, reason, expected = HEIRS[heir]
    merge(merging, "P1,P0", "P0,P9")

    merging.night(day(2), [*tonight, *OTHERS])

    flags = merging.flags()
    assert flags[("P1", "homeless")] == reason
    rows = merging.rows("SELECT opened_on, in_breach_since FROM flag WHERE person_id = 'P9' AND rule = 'homeless'")
    assert [(flags[("P9", "homeless")], *row) for row in rows] == ([expected] if expected else [])


def test_of_two_records_merged_into_one_that_has_the_flag_the_oldest_first_day_stands(tmp_path: Path) -> None:
    council = Council(tmp_path, 'merged_ids = "merged.csv"')
    merge(council)
    council.night(NIGHT, [homeless("P1"), settled("P2"), settled("P9"), *OTHERS])
    council.night(day(1), [homeless("P1"), homeless("P2"), settled("P9"), *OTHERS])
    council.night(day(2), [homeless("P1"), homeless("P2"), homeless("P9"), *OTHERS])
    merge(council, "P1,P9", "P2,P9")

    council.night(day(3), [homeless("P9"), *OTHERS])

    rows = council.rows(
        "SELECT person_id, opened_on, in_breach_since, resolved_reason FROM flag WHERE rule = 'homeless'"
    )
    assert rows == [
        ("P1", str(NIGHT), str(NIGHT), "merged"), ("P2", str(day(1)), str(day(1)), "merged"),
        ("P9", str(NIGHT), str(NIGHT), None),
    ]  # fmt: skip


@pytest.mark.parametrize("heir", HEIRS)
def test_a_merge_taken_back_loses_nothing_and_leaves_the_heir_nothing(merging: Council, heir: str) -> None:
    ground = facts(merging)
    merge(merging, "P1,P9")
    merging.night(day(2), [*HEIRS[heir][0], *OTHERS])
    merge(merging)

    merging.night(day(3), [homeless("P1"), settled("P9"), *OTHERS])

    assert [flag for flag in facts(merging) if flag[1] == "homeless"] == ground
    assert merging.flags().get(("P9", "homeless")) in {None, "corrected"}


def test_a_merge_taken_back_leaves_the_heir_its_own_first_day(merging: Council) -> None:
    merging.night(day(2), [homeless("P1"), homeless("P9"), *OTHERS])
    merge(merging, "P1,P9")
    merging.night(day(3), [homeless("P9"), *OTHERS])
    merge(merging)

    merging.night(day(4), [homeless("P9"), *OTHERS])

    rows = merging.rows("SELECT person_id, opened_on, held_since FROM flag WHERE rule = 'homeless'")
    assert rows == [("P1", str(NIGHT), str(day(4))), ("P9", str(day(2)), None)]
    assert merging.flags()[("P1", "left-caseload")] == "open"


@pytest.mark.parametrize("right", ["with the line", "without the line"])
def test_a_night_with_a_wrong_line_can_be_put_right(merging: Council, right: str) -> None:
    first, then = ([], ["P1,P9"]) if right == "with the line" else (["P1,P9"], [])
    merge(merging, *first)
    merging.night(day(2), [homeless("P9"), *OTHERS])
    merge(merging, *then)
    merging.night(day(2), [homeless("P9"), *OTHERS], again=True, by="A")

    flags = merging.flags()
    assert flags[("P1", "homeless")] == ("merged" if then else "held")
    assert merging.rows("SELECT opened_on FROM flag WHERE person_id = 'P9'") == [(str(NIGHT if then else day(2)),)]


@pytest.mark.parametrize("found", ["in breach", "unreadable", "ok"])
def test_a_record_named_by_the_right_line_in_the_end_keeps_what_was_merged_into_it(
    merging: Council, found: str
) -> None:
    """The first attempt merged P1 into P9, and tonight's right line names P8: the next night takes nothing back."""
    night = [*OTHERS, *({**row, "id": each} for row in HEIRS[found][0] for each in ("P8", "P9"))]
    merge(merging, "P1,P9")
    merging.night(day(2), night)
    merge(merging, "P1,P8")
    merging.night(day(2), night, again=True, by="A")
    stands = facts(merging, "P8")

    merging.night(day(3), night)

    assert facts(merging, "P8") == stands
    assert [flag[3] for flag in stands if flag[1] == "homeless"] == ([] if found == "ok" else [str(NIGHT)])
    assert merging.flags()[("P1", "homeless")] == ("cleared" if found == "ok" else "merged")
    assert merging.rows(f"SELECT * FROM flag_event WHERE as_at = '{day(3)}' AND flag_id = 1") == []


def test_a_merge_that_was_taken_back_can_be_put_in_again(merging: Council) -> None:
    night = [homeless("P9"), *OTHERS]
    for number, lines in enumerate((["P1,P9"], [], ["P1,P9"], [], ["P1,P9"]), start=2):
        merge(merging, *lines)
        merging.night(day(number), night)

    assert merging.flags()[("P1", "homeless")] == "merged"
    assert merging.rows("SELECT opened_on, resolved_on FROM flag WHERE person_id = 'P9'") == [(str(NIGHT), None)]


def test_the_first_answer_of_a_record_after_a_merge_does_not_make_its_flag_younger(tmp_path: Path) -> None:
    """P9 is absent on the night of the merge, and was in contact later than P1, and too long ago all the same."""
    council = Council(tmp_path, few_rules(tmp_path, "contact-overdue", "left-caseload") + 'merged_ids = "merged.csv"')
    merge(council)
    late = settled("P9", contact="14/11/2025")
    council.night(NIGHT, [settled("P1", contact="01/11/2025"), settled("P9"), *OTHERS])
    merge(council, "P1,P9")
    council.night(day(1), OTHERS)
    held = council.rows("SELECT in_breach_since, held_since FROM flag WHERE person_id = 'P9' AND due_on IS NOT NULL")

    council.night(day(2), [late, *OTHERS])
    council.night(day(3), [late, *OTHERS])

    told = "SELECT opened_on, in_breach_since, held_since FROM flag WHERE person_id = 'P9' AND due_on IS NOT NULL"
    assert held == [("2025-12-28", str(day(1)))]
    assert council.rows(told) == [(str(NIGHT), "2025-12-28", None)]
    council.night(day(4), [{**late, "contact": "#N/A"}, *OTHERS])
    council.night(day(5), [{**late, "contact": "15/11/2025"}, *OTHERS])
    assert council.rows(told) == [(str(NIGHT), "2026-01-11", None)]


def waive(council: Council) -> None:
    """Waive the one flag there is."""
    with council.open_database() as database, database.writing() as store:
        store.execute(text(
            "INSERT INTO waiver (id, flag_id, person_id, rule, reason, note, until_on, waived_on, waived_by, "
            "recorded_at) SELECT id, id, person_id, rule, 'known', 'x', :until, :on, 'A', :at FROM flag"
        ), {"until": str(day(20)), "on": str(day(1)), "at": f"{day(1)} 09:00:00.000000"})  # fmt: skip


def test_a_waiver_follows_to_the_record_that_stands_for_a_merged_one_and_back(merging: Council) -> None:
    waive(merging)
    merge(merging, "P1,P9")

    merging.night(day(2), [homeless("P9"), *OTHERS])

    (row,) = merging.listed(day(2), "all.csv")
    assert (row["person_id"], row["state"], row["waived_until"]) == ("P9", "waived", str(day(20)))
    merge(merging)
    merging.night(day(3), [homeless("P1"), homeless("P9"), *OTHERS])
    states = {row["person_id"]: row["state"] for row in merging.listed(day(3), "all.csv")}
    assert states == {"P1": "waived", "P9": "open"}


def test_a_waiver_follows_to_a_record_whose_own_has_run_out(merging: Council) -> None:
    merging.night(day(2), [homeless("P1"), homeless("P9"), *OTHERS])
    waive(merging)
    with merging.open_database() as database, database.writing() as store:
        store.execute(text(f"UPDATE waiver SET until_on = '{day(2)}' WHERE person_id = 'P9'"))
    merge(merging, "P1,P9")

    merging.night(day(3), [homeless("P9"), *OTHERS])

    (row,) = merging.listed(day(3), "all.csv")
    assert (row["person_id"], row["state"], row["waived_until"]) == ("P9", "waived", str(day(20)))
    ended = merging.rows("SELECT person_id, until_on, ended_why FROM waiver ORDER BY id")
    assert ended == [
        ("P1", str(day(20)), "flag merged"), ("P9", str(day(2)), "ran out"), ("P9", str(day(20)), None),
    ]  # fmt: skip


def test_a_waiver_does_not_stay_on_a_record_that_a_wrong_line_named(merging: Council) -> None:
    waive(merging)
    merge(merging, "P1,P9")
    merging.night(day(2), [homeless("P9"), *OTHERS])
    merge(merging)

    merging.night(day(2), [homeless("P9"), *OTHERS], again=True, by="A")

    states = {(row["person_id"], row["rule"]): row["state"] for row in merging.listed(day(2), "all.csv")}
    assert (states[("P1", "homeless")], states[("P9", "homeless")]) == ("waived", "open")


def test_who_was_entitled_under_a_merged_id_is_entitled_under_the_other(tmp_path: Path) -> None:
    council = Council(tmp_path, 'merged_ids = "merged.csv"')
    merge(council)
    late = {"contact": "01/09/2025"}
    council.night(NIGHT, [settled("P1", **late), settled("P9", eligibility="", **late), *OTHERS])
    contact = [rule for person_id, rule in council.flags() if person_id == "P1"]
    assert contact == ["contact-overdue"]
    assert ("P9", "contact-overdue") not in council.flags()
    merge(council, "P1,P9")

    council.night(day(1), [settled("P9", eligibility="", **late), *OTHERS])

    assert council.flags()[("P9", "contact-overdue")] == "open"


def test_what_a_reader_was_told_of_a_merged_record_is_no_news_of_the_other(merging: Council) -> None:
    merge(merging, "P1,P9")

    merging.night(day(2), [homeless("P9"), *OTHERS])
    merging.night(day(3), [homeless("P9"), *OTHERS])

    assert [merging.mail_to("north@example.gov.uk", day(n)) for n in (2, 3)] == [[], []]


def test_who_is_confirmed_alive_between_two_attempts_stays_alive(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1"), homeless("P2"), *OTHERS])
    died = [homeless("P1", in_touch="c) Died"), homeless("P2", in_touch="c) Died")]
    council.night(day(1), [*died, *OTHERS])
    ground = council.rows("SELECT * FROM person WHERE person_id = 'P2'")
    council.night(day(2), [homeless("P1"), homeless("P2"), *OTHERS])
    with council.open_database() as database:
        last_night.confirm(database, "P1", by="A", today=day(2), now=dt.datetime(2026, 1, 14, 9, tzinfo=dt.UTC))

    council.night(day(2), [homeless("P1"), *OTHERS], again=True, by="A")

    assert council.flags()[("P1", "homeless")] == "open"
    gone = council.rows("SELECT * FROM person WHERE person_id = 'P2'")
    absent = [column for column, (now, was) in enumerate(zip(gone[0], ground[0], strict=True)) if now != was]
    assert len(absent) == 2  # since when absent, and why


@pytest.mark.parametrize("how", ["put right", "taken back"])
def test_who_is_confirmed_alive_and_then_absent_is_out_of_sight_and_has_not_died(tmp_path: Path, how: str) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1"), *OTHERS])
    council.night(day(1), [homeless("P1", in_touch="c) Died"), *OTHERS])
    council.night(day(2), [homeless("P1"), *OTHERS])
    with council.open_database() as database:
        last_night.confirm(database, "P1", by="A", today=day(2), now=dt.datetime(2026, 1, 14, 9, tzinfo=dt.UTC))

    if how == "put right":
        council.night(day(2), OTHERS, again=True, by="A")
    else:
        withdraw_night(council, day(2))
        council.night(day(2), OTHERS)
    council.night(day(3), OTHERS)

    assert council.rows("SELECT died_on, left_reason FROM person WHERE person_id = 'P1'") == [(None, "lost")]
    assert council.flags()[("P1", "left-caseload")] == "open"


def test_a_waiver_that_one_attempt_brought_a_record_stays_away_once_put_right_twice(merging: Council) -> None:
    waive(merging)
    night = [homeless("P9"), *OTHERS]
    merge(merging, "P1,P9")
    merging.night(day(2), night)
    merge(merging)
    merging.night(day(2), [homeless("P1"), *night], again=True, by="A")

    merging.night(day(2), [homeless("P1"), *night, settled("P2")], again=True, by="A")

    states = {row["person_id"]: row["state"] for row in merging.listed(day(2), "all.csv")}
    assert states == {"P1": "waived", "P9": "open"}


def test_a_waiver_that_a_night_brought_a_record_goes_when_the_night_is_taken_back(merging: Council) -> None:
    merging.night(day(2), [homeless("P1"), homeless("P9"), *OTHERS])
    waive(merging)
    with merging.open_database() as database, database.writing() as store:
        store.execute(text("DELETE FROM waiver WHERE person_id = 'P9'"))
    merge(merging, "P1,P9")
    merging.night(day(3), [homeless("P9"), *OTHERS])
    assert [row["state"] for row in merging.listed(day(3), "all.csv")] == ["waived"]
    merge(merging)

    withdraw_night(merging, day(3))
    merging.night(day(4), [homeless("P1"), homeless("P9"), *OTHERS])

    states = {row["person_id"]: row["state"] for row in merging.listed(day(4), "all.csv")}
    assert states == {"P1": "waived", "P9": "open"}


def test_a_waiver_follows_to_the_record_that_the_second_attempt_merges_into(merging: Council) -> None:
    waive(merging)
    night = [homeless("P8"), homeless("P9"), *OTHERS]
    merge(merging, "P1,P9")
    merging.night(day(2), night)
    merge(merging, "P1,P8")

    merging.night(day(2), night, again=True, by="A")

    states = {row["person_id"]: row["state"] for row in merging.listed(day(2), "all.csv")}
    assert states == {"P8": "waived", "P9": "open"}


def test_a_waiver_that_somebody_ended_between_two_attempts_stays_ended(merging: Council) -> None:
    waive(merging)
    merging.night(day(2), [homeless("P1"), *OTHERS])
    merging.night(day(3), [homeless("P1"), *OTHERS])
    with merging.open_database() as database:
        asked = UnwaiveRequest("P1", "homeless", "A Lead", "no longer agreed")
        unwaive(database, asked, Stamp(day(3), merging.clock))

    merging.night(day(3), [homeless("P1"), *OTHERS, settled("P2")], again=True, by="A")

    states = {(row["person_id"], row["rule"]): row["state"] for row in merging.listed(day(3), "all.csv")}
    assert states[("P1", "homeless")] == "open"


def test_a_waiver_that_came_by_two_merges_goes_when_the_first_is_taken_back(merging: Council) -> None:
    waive(merging)
    merge(merging, "P1,P9")
    merging.night(day(2), [homeless("P9"), *OTHERS])
    merge(merging, "P1,P9", "P9,P8")
    merging.night(day(3), [homeless("P8"), *OTHERS])
    assert [row["state"] for row in merging.listed(day(3), "all.csv")] == ["waived"]
    merge(merging, "P9,P8")

    merging.night(day(4), [homeless("P1"), homeless("P8"), *OTHERS])

    states = {row["person_id"]: row["state"] for row in merging.listed(day(4), "all.csv")}
    assert states == {"P1": "waived", "P8": "open"}


def test_a_waiver_comes_back_with_the_merge_that_an_attempt_had_left_out(merging: Council) -> None:
    waive(merging)
    merge(merging, "P1,P9")
    merging.night(day(2), [homeless("P9"), *OTHERS])
    merge(merging)
    merging.night(day(3), [homeless("P1"), homeless("P9"), *OTHERS])
    merge(merging, "P1,P9")

    merging.night(day(3), [homeless("P9"), *OTHERS], again=True, by="A")

    (row,) = merging.listed(day(3), "all.csv")
    assert (row["person_id"], row["state"], row["waived_until"]) == ("P9", "waived", str(day(20)))
