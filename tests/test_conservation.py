"""No flag is lost at the edges: corrections, merged records, absence, a rule handed over or changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, homeless, settled

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
