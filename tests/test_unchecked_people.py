"""Who cannot be checked for want of a date of birth: told to those who can record it, and to nobody else."""

from pathlib import Path

from support.council import NIGHT, Council, crowd, settled


def test_people_without_a_date_of_birth_are_listed_and_named_to_their_lead(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text("P-4\n", encoding="utf-8")
    council = Council(tmp_path, settings='restricted = "restricted.txt"')
    people = [
        settled("P-1", born=""), settled("P-2", born="N/A"), settled("P-3", born="soon"), settled("P-4", born=""),
        settled("P-5", born="", team="South"), settled("P-6", born="", team=""),
        settled("P-7", born="", in_touch="DIED"),
    ]  # fmt: skip

    council.night(NIGHT, [*people, *crowd(30)])

    listed = {row["person_id"]: row for row in council.listed(NIGHT, "cannot-assess.csv") if row["missing"] == BORN}
    assert {person: row["why"] for person, row in listed.items()} == {
        "P-1": "blank", "P-2": "blank", "P-3": "unreadable", "P-5": "blank", "P-6": "blank"
    }  # fmt: skip
    number, _, rules = listed["P-1"]["rules"].partition(" rules: ")
    assert int(number) == len(rules.split(", ")) > 20
    (north,) = council.mail_to("north@example.gov.uk")
    assert "2 young people cannot be checked: no date of birth: P-1, P-2\n" in north.text
    assert "1 young person cannot be checked: the date of birth cannot be read: P-3\n" in north.text
    assert "P-2" in north.html
    (south,) = council.mail_to("south@example.gov.uk")
    assert "1 young person cannot be checked: no date of birth: P-5\n" in south.text
    told = {mail.to: mail.text for mail in council.mail()}
    assert "no date of birth: P-6\n" in told["fallback@example.gov.uk"]
    assert "no date of birth: P-4\n" in told["head@example.gov.uk"]
    assert [to for to, text in told.items() if "P-4" in text] == ["head@example.gov.uk"]
    assert not [to for to, text in told.items() if "no date of birth: P-7" in text]


BORN = "date_of_birth"
