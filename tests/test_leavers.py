"""Why people left: each reason, and what becomes of a record that was merged into another."""

from pathlib import Path

import pytest
from service import NIGHT, Council, crowd, day, settled

from monitor.caseload.leavers import read_merged
from monitor.errors import Problems


def merged_file(folder: Path, text: str) -> Path:
    path = folder / "merged-ids.csv"
    path.write_text(text, encoding="utf-8")
    return path


def reasons(council: Council) -> dict[object, object]:
    return dict(council.rows("SELECT person_id, left_reason FROM person WHERE left_reason IS NOT NULL"))


def test_each_person_gone_has_a_reason(tmp_path: Path) -> None:
    council = Council(tmp_path)
    others = crowd(60)
    turning = settled("P25", born="13/01/2001", eligibility="b) Former relevant child")
    council.night(NIGHT, [turning, settled("P2"), settled("P3", in_touch="c) Died"), *others])

    night = council.night(day(1), others)

    assert reasons(council) == {"P25": "reached 25", "P2": "lost", "P3": "died"}
    assert night.left == {"died": 1, "lost": 1, "reached 25": 1}
    (mail,) = council.mail_to("analyst@example.gov.uk", day(1))
    assert "Lost: P2" in mail.text
    assert council.night(day(2), others).left == {}


def test_a_merged_record_hands_its_flags_to_the_one_that_stands_for_it(tmp_path: Path) -> None:
    merged_file(tmp_path, "old_id,new_id\nP1,P9\n")
    council = Council(tmp_path, settings='merged_ids = "merged-ids.csv"')
    others = crowd(30)
    council.night(NIGHT, [settled("P1", adviser=""), *others])

    council.night(day(1), [settled("P9", adviser=""), *others])
    council.night(day(2), [settled("P9", adviser=""), *others])

    assert council.flags() == {("P1", "pa-allocated"): "merged", ("P9", "pa-allocated"): "open"}
    assert council.rows("SELECT opened_on FROM flag WHERE person_id = 'P9'") == [("2026-01-12",)]
    assert reasons(council) == {"P1": "merged"}
    (payload,) = council.rows("SELECT payload FROM flag_event WHERE kind = 'resolved'")[0]
    assert '"merged_into":"P9"' in str(payload)


def test_someone_back_on_the_caseload_has_left_for_no_reason(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [settled("P1"), *crowd(30)])
    council.night(day(1), crowd(30))

    council.night(day(2), [settled("P1"), *crowd(30)])

    assert reasons(council) == {}


def test_chains_of_merged_ids_lead_to_the_last(tmp_path: Path) -> None:
    assert read_merged(merged_file(tmp_path, "old_id,new_id\nA,B\n\nB,C\n")) == {"A": "C", "B": "C"}
    assert read_merged(None) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line must be old_id,new_id"),
        ("old_id,new_id\nA\n", "line 2: needs an old id and a new one"),
        ("old_id,new_id\nA,A\n", "line 2: the old id and the new one are the same"),
        ("old_id,new_id\nA,B\nA,C\n", "line 3: an earlier line gives the old id another"),
        ("old_id,new_id\nA,B\nB,A\n", "some ids lead back to themselves"),
    ],
)
def test_a_list_of_merged_ids_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Problems, match=words):
        read_merged(merged_file(tmp_path, text))
