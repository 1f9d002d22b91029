"""What stands for an id and could say a name leaves in no message."""

from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import NIGHT, Council, crowd, day, homeless, settled

from monitor.catalogue.person_ids import WITHHELD, may_hold_name, show_id


@pytest.mark.parametrize(
    "written", ["7000001", "P-12", "MIS 1234", "2019/0042", "HIDDEN", "a8Fkq3Xyz9Lmn2", "7000 001"]
)
def test_an_id_is_shown_as_it_is(written: str) -> None:
    assert (may_hold_name(written), show_id(written)) == (False, written)


@pytest.mark.parametrize(
    ("written", "shown"),
    [("7000001 (A Smith)", "7000001"), ("Smith, Ann 7000001", "7000001"), ("Ann Smith", WITHHELD), ("Smith", WITHHELD),
     ("ASmith7000001", WITHHELD), ("7000001_Smith", WITHHELD), ("7 (A Smith 8)", WITHHELD)],
)  # fmt: skip
def test_an_id_that_could_say_a_name_is_shown_without_it(written: str, shown: str) -> None:
    assert (may_hold_name(written), show_id(written)) == (True, shown)


def test_no_name_beside_an_id_leaves_in_a_message_nor_one_from_the_roster(tmp_path: Path) -> None:
    council = Council(tmp_path, 'case_url = "https://cms.example.gov.uk/{person_id}"')
    council.night(NIGHT, [homeless("7000001"), settled("7000002"), *crowd(20)])
    with council.open_database() as database, database.writing() as store:
        for table in ("person", "flag"):
            change = f"UPDATE {table} SET person_id = 'Zachary O''Smithson (7000001)' WHERE person_id = '7000001'"
            store.execute(text(change))

    council.night(day(1), [homeless("7000002 (Z Smithson)"), *crowd(20)])

    mails = "".join(mail.subject + mail.text + mail.html for mail in council.mail(day(1)))
    assert "Smithson" not in mails
    assert "7000001" in mails
    assert "7000002" in mails
