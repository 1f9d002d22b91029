"""No flag is lost on a birthday: its heir carries it on, it is held, or the next mail names the young person."""

import csv
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from support.council import NIGHT, Council, crowd, day, section, settled
from support.random_people import shipped_rules

from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.flags.coming_due import TURNS
from monitor.messages.handed_on import HandedOn
from monitor.messages.templates import open_templates
from monitor.rulebook import evaluation, examples
from monitor.rulebook.questions import BREACH, NOT_APPLICABLE
from monitor.rulebook.rule import Example
from monitor.workspace import open_workspace

RULEBOOK = shipped_rules()
BIRTHDAY = day(1)
NORTH = "north@example.gov.uk"
IN_LIST_9 = {
    "date_of_birth": "born", "uasc": "uasc", "disability": "disability", "personal_adviser": "adviser",
    "eligibility": "eligibility", "pathway_plan_review_date": "plan", "in_touch": "in_touch",
    "latest_contact_date": "contact", "accommodation": "accommodation", "accommodation_suitable": "suitable",
    "activity": "activity",
}  # fmt: skip
IN_SUPPLEMENT = [name for name in BY_NAME if name not in IN_LIST_9 and not name.startswith("allocated_")]
SAID = "What is checked has changed"


@dataclass(frozen=True)
class Turning:
    """Someone with a flag the day before a birthday on which its rule no longer asks."""

    rule: str
    age: int
    given: Mapping[str, Any]


def invent() -> Iterator[Turning]:
    """Everyone whom an example of a rule shows in breach, as on the day before each birthday, declining or not."""
    for rule in RULEBOOK.rules:
        for example in rule.examples:
            if example.expect != "breach" or not example.given.keys() <= {column.name for column in COLUMNS}:
                continue
            moved = {
                name: value + (NIGHT - example.as_at) if isinstance(value, dt.date) else value
                for name, value in example.given.items()
            }
            for age in TURNS:
                born = BIRTHDAY.replace(year=BIRTHDAY.year - age)
                for touch in ({}, {"in_touch": "REFU"}):
                    yield Turning(rule.id, age, {**moved, **touch, "date_of_birth": born})


def find_turning() -> list[Turning]:
    """One for each rule, age and way in which it ends: in breach the day before, and not asked on the birthday."""
    people = list(invent())
    workspace = open_workspace()
    nights = [Example("", as_at, "ok", one.given) for as_at in (NIGHT, BIRTHDAY) for one in people]
    examples.build_caseload(workspace, nights)
    evaluation.answer(workspace, RULEBOOK.rules)
    found: dict[tuple[str, int, object], Turning] = {}
    for rule in sorted({one.rule for one in people}):
        answers = dict(workspace.execute(f'SELECT person_id, "{rule}" FROM outcome').fetchall())
        for n, one in enumerate(people, start=1):
            if one.rule == rule and (answers[f"E{n}"], answers[f"E{n + len(people)}"]) == (BREACH, NOT_APPLICABLE):
                touch = one.given.get("in_touch") if one.given.get("in_touch") in ("REFU", "NREQ") else None
                found.setdefault((rule, one.age, touch), one)
    workspace.close()
    return list(found.values())


def write(council: Council, people: Mapping[str, Turning]) -> None:
    """Write them into a List 9 and a supplement."""
    rows = [
        settled(name, **{IN_LIST_9[column]: say(one.given.get(column)) for column in IN_LIST_9})
        for name, one in people.items()
    ]
    council.write([*rows, *crowd(2 * len(people))])
    with (council.folder / "supplement.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["person_id", *IN_SUPPLEMENT])
        writer.writerows(
            [name, *(say(one.given.get(column)) for column in IN_SUPPLEMENT)] for name, one in people.items()
        )


def say(value: object) -> str:
    if isinstance(value, bool):
        return "a) Yes" if value else "b) No"
    if isinstance(value, dt.date):
        return value.strftime("%d/%m/%Y")
    return "" if value is None else str(value)


@pytest.fixture(scope="module")
def people() -> dict[str, Turning]:
    return {f"T{n:03}": one for n, one in enumerate(find_turning())}


@pytest.fixture(scope="module")
def council(people: dict[str, Turning], tmp_path_factory: pytest.TempPathFactory) -> Council:
    """The night before everybody's birthday, and the birthday."""
    supplement = f"""
        [[sources]]
        name = "extra"
        kind = "supplement"
        path = "supplement.csv"
        blank_means_none = {IN_SUPPLEMENT}
    """
    council = Council(tmp_path_factory.mktemp("birthdays"), settings=supplement)
    write(council, people)
    for as_at in (NIGHT, BIRTHDAY):
        council.night(as_at, accept="everybody is invented", by="A Example")
    return council


def test_a_flag_that_a_birthday_ends_is_carried_on_held_or_told_by_name(
    council: Council, people: dict[str, Turning]
) -> None:
    (mail,) = council.mail_to(NORTH, BIRTHDAY)
    rows = council.rows("SELECT person_id, rule, opened_on, held_since, resolved_on FROM flag")
    flags = {(str(row[0]), str(row[1])): row[2:] for row in rows}
    named = set(re.findall(r"[\w-]+", section(mail, SAID)))  # the first in a line each, the others by their ids
    lost = []
    for person_id, one in people.items():
        heirs = [rule.id for rule in RULEBOOK.rules if one.rule in rule.continues]
        opened_on, held_since, resolved_on = flags[person_id, one.rule]
        standing = [flags[person_id, heir] for heir in heirs if flags.get((person_id, heir), (0, 0, 1))[2] is None]
        is_carried = any(heir[0] == str(NIGHT) for heir in standing)
        is_held = held_since is not None and resolved_on is None
        is_told = person_id in named
        assert opened_on == str(NIGHT)
        if not (is_carried or is_held or is_told):
            lost.append((one.rule, one.age, one.given.get("in_touch")))

    assert lost == []
    assert {one.age for one in people.values()} >= {18, 21}
    assert len({one.rule for one in people.values()}) > 20
    assert people.keys() <= named


CLIFF, HIDDEN, DOUBT, FREE, MOVED, ALONE, QUIET = ("C901", "C902", "C903", "C904", "C905", "C906", "C907")
YESTERDAY_20 = {"born": "13/01/2005"}
UNSEEN = {**YESTERDAY_20, "in_touch": "b) No", "contact": "02/06/2025", "plan": "10/01/2025", "activity": "F5"}
NOT_NAMED = {**YESTERDAY_20, "born": "13/01/2003", "plan": "10/01/2024", "activity": "F5"}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A birthday, and an adviser who is gone, beside what must be told to one reader alone, or to nobody."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "restricted.txt").write_text(f"{HIDDEN}\n", encoding="utf-8")
    council = Council(folder, settings='restricted = "restricted.txt"')
    late = {**YESTERDAY_20, "contact": "02/10/2025"}
    people = {
        CLIFF: settled(CLIFF, **UNSEEN),
        HIDDEN: settled(HIDDEN, **UNSEEN),
        DOUBT: settled(DOUBT, **UNSEEN),
        FREE: settled(FREE, **late),
        MOVED: settled(MOVED, **late),
        ALONE: settled(ALONE, **NOT_NAMED),
        QUIET: settled(QUIET, **YESTERDAY_20),
    }
    council.night(NIGHT, [*people.values(), *crowd(40)])
    people[DOUBT] |= {"in_touch": "#MULTIVALUE", "contact": "12/01/2026", "plan": "12/01/2026"}
    people[MOVED] |= {"accommodation": "X: In custody", "suitable": ""}
    people[ALONE] |= {"adviser": ""}
    council.night(BIRTHDAY, [*people.values(), *crowd(40)])
    return council


def lines(council: Council, recipient: str) -> dict[str, str]:
    """What a mail says of each person of whom something else is asked."""
    (mail,) = council.mail_to(recipient, BIRTHDAY)
    said = f" {' '.join(section(mail, SAID).split())}".split(" - ")[1:]
    return {line.split(" ")[0]: line for line in said}


def test_someone_out_of_touch_is_as_plainly_seen_on_the_morning_of_the_21st_birthday(few: Council) -> None:
    rows = few.rows(f"SELECT rule, opened_on FROM flag WHERE person_id = {CLIFF!r} AND resolved_on IS NULL")
    said = lines(few, NORTH)[CLIFF]

    assert set(rows) == {
        ("over-21-not-in-touch", str(NIGHT)), ("over-21-contact-agreed", str(NIGHT)), ("over-21-plan", str(NIGHT)),
    }  # fmt: skip
    assert said.startswith(f"{CLIFF} (A Example): no longer checked: ")
    for rule, _ in rows:
        assert RULEBOOK.by_id[str(rule)].title in said.partition("In their place: ")[2].partition("Checked from")[0]
    assert "open since 12 January 2026" in said
    assert QUIET not in few.mail_to(NORTH, BIRTHDAY)[0].text
    assert "Nothing is open" not in few.mail_to(NORTH, BIRTHDAY)[0].text


def test_a_flag_whose_heir_cannot_be_assessed_is_held_until_it_can(few: Council) -> None:
    (mail,) = few.mail_to(NORTH, BIRTHDAY)

    assert few.flags()[DOUBT, "not-in-touch"] == "held"
    assert DOUBT in mail.text


def test_who_lost_the_adviser_that_a_rule_presumes_is_named(few: Council) -> None:
    said = lines(few, NORTH)[ALONE]

    assert few.flags()[ALONE, "over-21-plan"] == "no longer asked"
    assert said.startswith(f"{ALONE} (no adviser): no longer checked: ")
    assert "Nothing takes its place." in said


def test_of_many_checks_that_begin_two_are_named_and_the_rest_are_counted() -> None:
    person = HandedOn("P1", None, "A Example", ("A plan",), (), ("A visit", "A review", "An offer", "A call"))

    said = open_templates().environment.globals["say"].handed_on(person)

    assert str(said).endswith("Checked from now on: A visit; A review; 2 more.")


def test_custody_is_told_by_nothing_that_is_said_of_a_birthday(few: Council) -> None:
    said = lines(few, NORTH)

    assert few.flags()[MOVED, "custody-contact"] == "open"
    assert "ustody" not in few.mail_to(NORTH, BIRTHDAY)[0].text
    cover = RULEBOOK.by_id[RULEBOOK.by_id["custody-contact"].shown_as or ""].title
    for title in [RULEBOOK.by_id[rule].title for rule in ("over-21-contact-agreed", "over-21-contact")]:
        assert title in said[FREE]
        assert title in said[MOVED]
    assert cover in said[MOVED]


def test_a_restricted_persons_birthday_is_told_to_the_head_of_service_alone(few: Council) -> None:
    told = {mail.to for mail in few.mail(BIRTHDAY) if HIDDEN in mail.text + mail.html}

    assert told == {"head@example.gov.uk"}
    assert HIDDEN in lines(few, "head@example.gov.uk")
