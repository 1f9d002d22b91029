"""What waits because of the data: a sentence for each cause, nobody by name, told once, and no news when it ends."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, settled
from support.lead_digests import AS_AT, BEFORE, lead_digest, lead_mail, line, mail_words, night, told
from support.timed_service import few_rules

from monitor.flags import life
from monitor.gate.verdict import Verdict
from monitor.messages.parts import FlagLine, MessageContext

ADVISER = f"personal adviser{life.NOT_BELIEVED}"
DOUBTED = night(doubted={"plan": ("personal_adviser",), "contact": ("personal_adviser",)})


def held(flag_id: int, why: str, rule: str = "plan", since: dt.date = AS_AT) -> FlagLine:
    return line(flag_id, rule, state="held", held_since=since, held_why=why, opened_on=BEFORE)


def test_a_column_that_is_not_believed_is_one_sentence_and_nobody_is_named() -> None:
    lines = [held(n, ADVISER) for n in range(1, 69)]

    mail = lead_mail(*lines, known=told(*lines), the_night=DOUBTED)

    assert "The personal adviser column looks wrong tonight, so 68 flags wait. The analyst knows." in mail_words(mail)
    assert "a fault in the data" in mail.subject
    assert "P1" not in mail.text
    assert mail.people == ()
    assert len(mail.flag_ids) == 68


def test_a_fault_is_told_once_and_its_end_is_no_news() -> None:
    known = line(1, opened_on=BEFORE)
    began = dt.date(2026, 1, 8)

    still = lead_digest(held(1, ADVISER, since=began), known=told(known), the_night=DOUBTED)
    over = lead_digest(known, known=told(known))
    beside = lead_mail(held(1, ADVISER, since=began), line(2), known=told(known), the_night=DOUBTED)

    assert still is None
    assert over is None
    assert "so 1 flag waits" in mail_words(beside)


@pytest.mark.parametrize(
    ("why", "the_night", "words"),
    [
        (
            life.TEAM_NOT_BELIEVED,
            night(verdict=Verdict(AS_AT, teams={"Leaving Care North": "half are missing", "South": "all are"})),
            "The list of Leaving Care North does not look whole tonight, so 1 flag waits, and nobody missing from it",
        ),
        (life.FAILED, night(failed={"plan": "it stopped"}), "“Pathway plan overdue for review” could not be run"),
        (
            f"{life.NO_SOURCE}risk open",
            night(not_assessed={"plan": ("risk_open",)}),
            "No source has risk open, so 1 flag waits.",
        ),
        (life.AFTER_JUMP, night(), "Some days had no night, so 1 flag waits for the next one"),
    ],
)
def test_each_cause_has_a_sentence_of_its_own(why: str, the_night: MessageContext, words: str) -> None:
    waiting = held(1, why)

    assert words in mail_words(lead_mail(waiting, known=told(waiting), the_night=the_night))


def test_a_column_that_only_a_sensitive_check_rests_on_is_not_named() -> None:
    waiting = held(1, "release date not believed", "vulnerable")
    doubted = night(doubted={"vulnerable": ("release_date",)})

    words = mail_words(lead_mail(waiting, known=told(waiting), the_night=doubted))

    assert "A column looks wrong tonight, so 1 flag waits." in words
    assert "release" not in words


def test_somebody_whose_own_cell_cannot_be_read_is_told_in_one_line_and_many_are_counted() -> None:
    few = [held(n, "accommodation unreadable") for n in (1, 2)]
    many = [held(n, "accommodation unreadable") for n in range(1, 9)]
    secret = held(1, "release date unreadable", "vulnerable")
    absent = held(1, life.ABSENT)

    of_few = lead_mail(*few, known=told(*few))
    of_many = lead_mail(*many, known=told(*many))

    said = "P1, P2: accommodation unreadable, so 2 flags wait. Put it right on the record."
    assert said in mail_words(of_few)
    assert of_few.people == ("P1", "P2")
    assert "8 young people: accommodation unreadable, so 8 flags wait." in mail_words(of_many)
    assert "P1" not in of_many.text
    assert "release" not in lead_mail(secret, known=told(secret)).text
    assert lead_digest(absent, known=told(absent)) is None
    assert lead_digest(*few, known=replace(told(*few), last_digest=AS_AT, parts={"lead": AS_AT})) is None


def test_a_night_of_a_fault_says_it_in_a_sentence_and_the_night_after_says_nothing(tmp_path: Path) -> None:
    rules = few_rules(tmp_path, "pa-allocated", "contact-overdue", "homeless")
    council = Council(tmp_path, settings=rules)
    overdue = {"contact": "01/06/2025"}
    people = [settled("P1", **overdue), settled("P2", adviser=""), *crowd(40)]

    council.night(NIGHT, people)
    fault = [{**person, "adviser": person["adviser"] if n % 3 == 0 else ""} for n, person in enumerate(people)]
    fault[5] |= overdue
    council.night(day(1), fault)
    council.night(day(2), [*people[:5], people[5] | overdue, *people[6:]])

    (mail,) = council.mail_to("north@example.gov.uk", day(1))
    words = " ".join(mail.text.split())
    assert "The personal adviser column looks wrong tonight, so 1 flag waits. The analyst knows." in words
    assert "no adviser" not in words.lower()
    assert "C003, A Example: contact overdue" in words
    assert "P2" not in words
    assert council.mail_to("north@example.gov.uk", day(2)) == []
