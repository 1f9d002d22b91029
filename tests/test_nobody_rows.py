"""Rows that are nobody's: judged by the shapes of a whole column of ids, and named where they came onto the roster."""

from pathlib import Path

from sqlalchemy import text
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, settled

from monitor.caseload.nobody_rows import IdShape, find_strange


def shape(kind: str, length: int, rows: int, personal: int) -> IdShape:
    return IdShape(kind, length, False, rows, personal, 0, 0)


def test_a_shape_is_strange_where_no_row_of_it_holds_what_is_a_persons() -> None:
    ordinary = shape("digits", 7, 60, 58)

    assert find_strange([ordinary, shape("digits", 2, 1, 0), shape("words", 5, 1, 1)]) == {("digits", 2), ("words", 5)}
    assert find_strange([ordinary, shape("digits", 5, 9, 1), shape("mixed", 6, 3, 3)]) == set()


def test_of_many_rows_unlike_the_others_it_is_the_column_that_is_in_doubt() -> None:
    assert find_strange([shape("digits", 7, 60, 58), shape("digits", 5, 30, 0)]) == set()
    assert find_strange([shape("words", 5, 30, 28), shape("digits", 7, 3, 1)]) == set()
    assert find_strange([shape("digits", 7, 60, 0), shape("words", 5, 1, 0)]) == set()


def test_a_total_that_came_onto_the_roster_is_named_and_purged_while_its_row_still_stands_there(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, crowd(20))
    with council.open_database() as database, database.writing() as store:
        store.execute(
            text(
                "UPDATE person SET person_id = 'Grand Total', date_of_birth = NULL, strongest_category = NULL, "
                "last_values = '{\"allocated_team\":\"60\"}' WHERE person_id = 'C019'"
            )
        )
    total = {**dict.fromkeys(settled("P1"), ""), "id": "Grand Total", "team": "60"}
    council.write([*crowd(19), total])

    named = " ".join(monitor(tmp_path, "check").stdout.split())
    purged = monitor(tmp_path, "purge", "--person", "Grand Total", "--by", "A N", "--reason", "not a person's row")

    assert "monitor purge --person 'Grand Total' --by" in named
    assert named.count("monitor purge") == 1
    assert (purged.returncode, council.rows("SELECT 1 FROM person WHERE person_id = 'Grand Total'")) == (0, [])
    assert council.night(day(1)).people == 19
