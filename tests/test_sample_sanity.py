"""The sample council's first night, as its leads read it: a report to look at, and the bounds it is kept in."""

import re
from collections import Counter
from pathlib import Path

import pytest
from support.council import NIGHT, Council, Mail

from monitor.night.context import NightOutcome

LEADS = 4
FIRST_SCREEN = 40
"""Lines of a message that are read without scrolling, or nearly."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Council, NightOutcome]:
    folder: Path = tmp_path_factory.mktemp("sample")
    council = Council(folder)
    example = (Path(__file__).parent.parent / "config.example.toml").read_text(encoding="utf-8")
    example = re.sub(r"^data_folder = .*$", 'data_folder = "data"', example, flags=re.MULTILINE)
    council.config_path.write_text(example, encoding="utf-8")
    return council, council.night(NIGHT)


@pytest.fixture(scope="module")
def council(first: tuple[Council, NightOutcome]) -> Council:
    return first[0]


def digests(council: Council) -> list[Mail]:
    return [mail for mail in council.mail() if mail.to.startswith("lead.")]


def test_the_first_night_of_the_sample_stays_sane(council: Council, capsys: pytest.CaptureFixture[str]) -> None:
    people = Counter(dict(council.rows("SELECT team, count(*) FROM person WHERE died_on IS NULL GROUP BY team")))
    rows = council.listed(NIGHT, "all.csv")
    flags = Counter(row["person_id"] for row in rows if row["severity"] != "data")
    critical = {row["person_id"] for row in rows if row["severity"] == "critical"}
    total = sum(people.values())
    per_person = Counter(flags.get(row[0], 0) for row in council.rows("SELECT person_id FROM person"))
    lines = {mail.to: len(mail.text.splitlines()) for mail in digests(council)}
    with capsys.disabled():
        print(f"\nThe sample on {NIGHT}: {total} young people, {sum(flags.values())} flags")
        print("  flags a person: " + ", ".join(f"{n}: {count}" for n, count in sorted(per_person.items())))
        print(f"  critical: {len(critical)} ({len(critical) / total:.1%})")
        print("  people a team: " + ", ".join(f"{team} {count}" for team, count in sorted(people.items())))
        print("  lines a digest: " + ", ".join(f"{to.split('@')[0]} {count}" for to, count in sorted(lines.items())))

    assert len(critical) * 8 < total
    assert len(rows) < total * 2
    assert 180 <= total / LEADS <= 270
    assert len(lines) == LEADS


def test_the_example_config_asks_what_a_supplement_answers(first: tuple[Council, NightOutcome]) -> None:
    council, night = first

    assert {"risk-plan", "closed-vulnerable", "over-21-offer", "accommodation-visits"} <= {
        row["rule"] for row in council.listed(NIGHT, "all.csv")
    }
    assert set(night.evaluation.not_assessed) <= {"entitled-not-on-caseload"}


def test_every_homeless_young_person_is_in_the_first_screen_of_their_leads_mail(council: Council) -> None:
    homeless = {row["person_id"]: row["team"] for row in council.listed(NIGHT, "all.csv") if row["rule"] == "homeless"}
    first_screens = "\n".join(line for mail in digests(council) for line in mail.text.splitlines()[:FIRST_SCREEN])

    assert homeless
    assert [person for person in homeless if person not in first_screens] == []
