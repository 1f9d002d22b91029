"""Why people left: each reason, and what becomes of a record that was merged into another."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, settled

from monitor.config.id_lists import read_merged
from monitor.errors import Problems
from monitor.night.context import NightOutcome


def merged_file(folder: Path, text: str) -> Path:
    path = folder / "merged-ids.csv"
    path.write_text(text, encoding="utf-8")
    return path


OTHERS = crowd(60)
HERE_FIRST = [
    settled("P25", born="13/01/2001", eligibility="b) Former relevant child"),
    settled("P2"), settled("P3", in_touch="c) Died"), settled("P1", adviser=""), settled("BACK1"), *OTHERS,
]  # fmt: skip


@dataclass
class Left:
    """Three nights run once: five people go on the second, one into another record, and one is back on the third."""

    council: Council
    night: NightOutcome
    reasons: dict[object, object]
    """After the second night."""


def reasons(council: Council) -> dict[object, object]:
    return dict(council.rows("SELECT person_id, left_reason FROM person WHERE left_reason IS NOT NULL"))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("council")
    merged_file(folder, "old_id,new_id\nP1,P9\n")
    council = Council(folder, settings='merged_ids = "merged-ids.csv"')
    council.night(NIGHT, HERE_FIRST)
    found = Left(council, council.night(day(1), [settled("P9", adviser=""), *OTHERS]), reasons(council))
    assert council.night(day(2), [settled("P9", adviser=""), settled("BACK1"), *OTHERS]).left == {}
    return found


def test_each_person_gone_has_a_reason(left: Left) -> None:
    assert left.reasons == {"P25": "reached 25", "P2": "lost", "P3": "died", "BACK1": "lost", "P1": "merged"}
    assert left.night.left == {"died": 1, "lost": 2, "merged": 1, "reached 25": 1}
    (mail,) = left.council.mail_to("analyst@example.gov.uk", day(1))
    assert "Lost (2), since 13 January 2026: BACK1, P2" in mail.text
    assert "5 people have gone from the caseload: 2 lost, " in mail.text


def test_a_merged_record_hands_its_flags_to_the_one_that_stands_for_it(left: Left) -> None:
    flags = {key: state for key, state in left.council.flags().items() if key[0] in ("P1", "P9")}

    assert flags == {("P1", "pa-allocated"): "merged", ("P9", "pa-allocated"): "open"}
    assert left.council.rows("SELECT opened_on FROM flag WHERE person_id = 'P9'") == [("2026-01-12",)]
    payloads = left.council.rows("SELECT payload FROM flag_event WHERE kind = 'resolved'")
    assert ['"merged_into":"P9"' in str(payload) for (payload,) in payloads].count(True) == 1


def test_someone_back_on_the_caseload_has_left_for_no_reason(left: Left) -> None:
    assert reasons(left.council) == {key: why for key, why in left.reasons.items() if key != "BACK1"}


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
