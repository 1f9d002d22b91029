"""No message gives away what a sensitive rule is about: every shipped rule in breach, in every kind of line."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, crowd, day, settled
from support.random_people import shipped_rules

from monitor.caseload.intake import Intake
from monitor.config.delivery_settings import People, Team
from monitor.messages.analyst import NightAccount, compose_analyst
from monitor.messages.attachment import write_attachment
from monitor.messages.lead import compose_lead
from monitor.messages.manager import Raised, compose_manager
from monitor.messages.parts import ComingDue, FlagLine, MessageContext, WrittenMessage
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render
from monitor.messages.told import NOTHING_TOLD, Told, ToldFlag
from monitor.rulebook import evaluation, examples
from monitor.rulebook.evaluation import Counts
from monitor.workspace import fetch, open_workspace

RULEBOOK = shipped_rules()
SENSITIVE = [rule for rule in RULEBOOK.rules if rule.sensitive]
LEAD = "lead@example.gov.uk"
MOST = 8
"""People looked at for each rule."""

GIVEAWAYS = (
    "custod", "prison", "offen[cd]", "sentence", "release", "asylum", "unaccompanied", "uasc", "immigra", "refugee",
    "ethnic", "cultur", "identity", "language", "relig", "pregnan", r"parent", "mother", "father", "baby", "child of",
    "disab", "impair", "autis", "health", "illness", "medical", "trauma", "emotional", "mental", "greater needs",
    "adult services", "vulnerab",
)  # fmt: skip


def flags_of_everyone() -> list[FlagLine]:
    """A flag for each breach that the examples of all the rules make between them, in the rule's real words."""
    workspace = open_workspace()
    in_breach = [one for rule in RULEBOOK.rules for one in rule.examples if one.expect == "breach"]
    examples.build_caseload(workspace, in_breach)
    evaluation.ask(workspace, RULEBOOK.rules)
    found = fetch(workspace, """
        SELECT person_id, rule, due_on, because, age, category, as_at FROM breach JOIN caseload USING (person_id)
        ORDER BY ALL
    """)  # fmt: skip
    workspace.close()
    usual: dict[str, Any] = {name: None for name in FlagLine._fields if name != "unconfirmed"}
    return [
        FlagLine(**usual | {
            "flag_id": place, "person_id": row["person_id"], "team": "North", "personal_adviser": "A Example",
            "age": row["age"], "eligibility": row["category"], "rule": row["rule"], "state": "open",
            "severity": RULEBOOK.by_id[row["rule"]].severity, "opened_on": NIGHT, "due_on": row["due_on"],
            "because": row["because"], "earlier_spells": 0, "flips": 0,
        })
        for place, row in enumerate(found, start=1)
    ]  # fmt: skip


FLAGS = flags_of_everyone()


def night(**given: Any) -> MessageContext:
    routes = plan_routes([Team(name="North", lead=LEAD)], People(analyst="analyst@example.gov.uk"))
    usual: dict[str, Any] = {
        "as_at": NIGHT, "authority": "Exampleshire", "marking": "OFFICIAL-SENSITIVE", "rules": RULEBOOK.by_id,
        "routes": routes, "failed": {rule.id: "it failed" for rule in SENSITIVE},
        "rules_changed": tuple(rule.id for rule in SENSITIVE),
        "not_assessed": {rule.id: rule.needs for rule in SENSITIVE},
        "service_wide": {},
    }  # fmt: skip
    return MessageContext(**usual | given)


def message(lines: Sequence[FlagLine], told: Told = NOTHING_TOLD, **given: Any) -> WrittenMessage:
    coming = given.pop("coming", ())
    digest = compose_lead(LEAD, lines, told, night(**given), coming)
    assert digest is not None
    return render(digest)


def known(lines: Sequence[FlagLine]) -> Told:
    flags = {one.flag_id: ToldFlag(one.person_id, one.severity) for one in lines}
    return Told(flags, last_digest=NIGHT - dt.timedelta(1))


def everyones(rule: str) -> list[FlagLine]:
    """All the flags of each person who has one of this rule, so that it folds and is folded as it would be."""
    people = sorted({one.person_id for one in FLAGS if one.rule == rule})[:MOST]
    return [one for one in FLAGS if one.person_id in people]


@cache
def messages(rule: str) -> list[WrittenMessage]:
    return messages_of(everyones(rule), rule)


def messages_of(lines: Sequence[FlagLine], rule: str) -> list[WrittenMessage]:
    """A rule in every kind of line: first night, new, back, held, cleared, coming due, said once for the service."""
    back = [one._replace(earlier_spells=1, last_cleared_on=NIGHT - dt.timedelta(9)) for one in lines]
    held = [one._replace(state="held", held_since=NIGHT, held_why="the record cannot be read") for one in lines]
    cleared = [one._replace(state="resolved", resolved_reason="cleared") for one in lines]
    coming = [ComingDue(f"P{n}", "North", "A Example", rule, NIGHT + dt.timedelta(n), n) for n in range(1, 4)]
    return [
        message(lines, baseline=True),
        message(lines),
        message(back),
        message(held, known(lines)),
        message(cleared, known(lines)),
        message([], coming=coming),
        message(lines, baseline=True, service_wide={rule: {"North": Counts(9, 4, 5, 0)}}),
    ]


def read(one: WrittenMessage) -> list[str]:
    """Subject, text and page as read, with tags, styles and wrapping taken away."""
    page = re.sub(r"<style.*?</style>|<[^>]*>", " ", one.html, flags=re.DOTALL)
    return [" ".join(unescape(part).split()) for part in (one.subject, one.text, page)]


def test_the_examples_put_every_rule_in_breach() -> None:
    assert {one.rule for one in FLAGS} == RULEBOOK.by_id.keys()


@pytest.mark.parametrize("rule", [rule for rule in SENSITIVE if rule.severity != "data"], ids=lambda rule: rule.id)
def test_no_message_says_what_a_sensitive_rule_is_about(rule: Any) -> None:
    reasons = {one.because for one in everyones(rule.id) if one.rule == rule.id}
    hidden = {rule.title, rule.id, rule.why, rule.action, rule.known_gaps, rule.reference, *reasons}
    cover = RULEBOOK.by_id[rule.shown_as]
    hidden -= {cover.reference, cover.why, cover.known_gaps}

    for part in (part for one in messages(rule.id) for part in read(one)):
        for words in filter(None, hidden):
            assert " ".join(words.split()) not in part


@pytest.mark.parametrize("rule", [rule for rule in RULEBOOK.rules if rule.severity != "data"], ids=lambda rule: rule.id)
def test_no_message_holds_a_word_that_gives_a_sensitive_fact_away(rule: Any) -> None:
    for part in (part for one in messages(rule.id) for part in read(one)):
        found = re.findall(rf"\b(?:{'|'.join(GIVEAWAYS)})\w*", part, flags=re.IGNORECASE)
        assert found == []


def as_its_cover(lines: Sequence[FlagLine], rule: Any) -> list[FlagLine]:
    """The same flags, of the plain rule that a sensitive one is shown as, with another reason."""
    return [
        one._replace(rule=rule.shown_as, because="For a plain reason.") if one.rule == rule.id else one for one in lines
    ]


@pytest.mark.parametrize("rule", SENSITIVE, ids=lambda rule: rule.id)
def test_no_message_tells_a_sensitive_rule_from_the_plain_one_that_it_is_shown_as(rule: Any) -> None:
    """Word by word the same, whatever else a person has open, in every kind of message and list."""
    theirs = everyones(rule.id)
    for lines in (theirs, [one for one in theirs if one.rule == rule.id]):
        twins = as_its_cover(lines, rule)
        secret, plain = messages_of(lines, rule.id), messages_of(twins, rule.shown_as)
        # A cover is never said once of the whole service.
        for one, other in zip(secret[:-1], plain[:-1], strict=True):
            assert (one.subject, one.text, one.html) == (other.subject, other.text, other.html)
            assert rule.title not in one.text
        assert raised(lines) == raised(twins)
        assert attached(lines) == attached(twins)
        assert data_mail(lines) == data_mail(twins)


CALM: dict[str, Any] = {"failed": {}, "rules_changed": (), "not_assessed": {}}


def raised(lines: Sequence[FlagLine]) -> tuple[str, ...]:
    manager = "manager@example.gov.uk"
    routes = plan_routes([Team(name="North", lead=LEAD, manager=manager)], People(analyst="analyst@example.gov.uk"))
    flags = [Raised(n, "manager", 5, one) for n, one in enumerate(lines)]
    digest = compose_manager(manager, flags, night(routes=routes))
    assert digest is not None
    # How many flags there are is no news of anybody.
    return tuple(re.sub(r"\b\d+ (flags?|critical|high|medium|low)\b", "n", part) for part in read(render(digest)))


def attached(lines: Sequence[FlagLine]) -> str:
    workspace = open_workspace()
    text, _ = write_attachment(workspace, lines, night())
    workspace.close()
    return text


def data_mail(lines: Sequence[FlagLine]) -> list[str]:
    """The analyst's part that names people: flags about data."""
    account = NightAccount(Intake(9, 9, 0, 0, 0, 0, 0, frozenset(), (), fingerprint=""), {})
    about_data = [one._replace(severity="data") for one in lines]
    return read(render(compose_analyst("analyst@example.gov.uk", about_data, NOTHING_TOLD, night(**CALM), account)))


@pytest.mark.parametrize("rule", SENSITIVE, ids=lambda rule: rule.id)
def test_a_person_with_a_sensitive_flag_and_its_cover_has_one_line(rule: Any) -> None:
    secret = next(one for one in FLAGS if one.rule == rule.id)
    plain = secret._replace(flag_id=10_000, rule=rule.shown_as, because="For a plain reason.")
    cover = RULEBOOK.by_id[rule.shown_as]

    assert read(message([secret, plain]))[1:] == read(message([plain]))[1:]
    assert read(message([plain, secret], known([plain]), full_list_from=NIGHT, **CALM))[1].count(cover.title) <= 1
    assert attached([secret, plain]) == attached([plain])


def test_no_cover_denies_what_another_line_of_the_same_person_says() -> None:
    """An overdue plan is a plan: beside it, no sensitive rule is shown as there being none."""
    born = dt.date(2005, 6, 15)
    plan: dict[str, Any] = {"pathway_plan_review_date": dt.date(2025, 1, 5), "accommodation": "X", "activity": "F1"}
    about = {"uasc": True, "plan_identity_covered": False, "plan_trauma_support_covered": False, "disability": True}
    told = {**plan, **about, "eligibility": "former relevant", "personal_adviser": "A. Adviser"}
    people = [
        examples.Example("20", NIGHT, "breach", {**told, "date_of_birth": born}),
        examples.Example("22", NIGHT, "breach", {**told, "date_of_birth": born.replace(year=2003), "is_parent": True}),
    ]
    workspace = open_workspace()
    examples.build_caseload(workspace, people)
    evaluation.ask(workspace, RULEBOOK.rules)
    found = workspace.execute("SELECT person_id, rule FROM breach").fetchall()
    workspace.close()

    for person in ("E1", "E2"):
        rules = {rule for one, rule in found if one == person}
        shown_as = {RULEBOOK.by_id[rule].shown_as for rule in rules} - {None}
        assert "pathway-plan-current" in rules
        assert len(shown_as) == {"E1": 1, "E2": 2}[person]
        for cover in shown_as:
            assert re.search(r"\b(or|be|due)\b", RULEBOOK.by_id[cover].title), cover
            assert not re.match("No ", RULEBOOK.by_id[cover].title)


def test_a_sensitive_rule_that_was_not_marked_would_be_found() -> None:
    custody = replace(RULEBOOK.by_id["custody-contact"], sensitive=False, shown_as=None)
    unmarked = {**RULEBOOK.by_id, "custody-contact": custody}

    said = message(everyones("custody-contact"), baseline=True, rules=unmarked)

    assert re.findall(rf"\b(?:{'|'.join(GIVEAWAYS)})\w*", " ".join(read(said)), flags=re.IGNORECASE)


def test_no_message_holds_a_birth_date_or_a_birthday() -> None:
    born = {
        one.given["date_of_birth"] for rule in RULEBOOK.rules for one in rule.examples if "date_of_birth" in one.given
    }
    written = {text for each in born for text in (each.isoformat(), f"{each.day} {each:%B %Y}", f"{each:%d/%m/%Y}")}
    parts = [part for part in (message(FLAGS, baseline=True), message(FLAGS)) for part in read(part)]

    for part in parts:
        assert not [text for text in written if text in part]


def test_whole_nights_tell_leads_nothing_sensitive_and_send_no_list(tmp_path: Path) -> None:
    council = Council(tmp_path)
    in_custody = settled("P1", accommodation="X: In custody", suitable="b) Unsuitable", contact="01/06/2025")
    grown = settled("P2", born="03/03/2003", adviser="", disability="a) Yes", activity="G6", contact="01/12/2025")
    council.night(NIGHT, [settled("P1"), grown, *crowd(8)])
    council.night(day(1), [in_custody, settled("P2"), settled("P3", uasc="a) Yes", adviser=""), *crowd(8)])

    leads = [mail for mail in council.mail() if mail.to != "analyst@example.gov.uk"]
    assert {"P1", "P2"} <= {word for mail in leads for word in re.findall(r"P\d", mail.text)}
    for mail in leads:
        page = re.sub(r"<style.*?</style>|<[^>]*>", " ", mail.html, flags=re.DOTALL)
        for part in (mail.subject, mail.text, page):
            assert re.findall(rf"\b(?:{'|'.join(GIVEAWAYS)})\w*", part, flags=re.IGNORECASE) == []
            assert re.findall(r"\b2003\b", part) == []  # the head of the chain may hold any four digits
    assert not [path for path in (tmp_path / "data" / "outbox").rglob("*.eml") if b"attachment" in path.read_bytes()]
