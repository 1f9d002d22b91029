"""Answers by e-mail: the ready replies of a card, and what is taken of a reply: key and choice, and from whom."""

import re
import tomllib
from dataclasses import replace
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.timed_service import few_rules

from monitor.config.delivery_settings import DeliverySettings
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.flags import answer_file
from monitor.flags.answer_file import AnswerLimits, AnswersSaved
from monitor.flags.mailed_answers import NOT_OURS
from monitor.lists import answer_mail
from monitor.messages import samples
from monitor.messages.compose import describe_night
from monitor.messages.lead import LeadDigest
from monitor.messages.templates import render
from monitor.night.context import Tools
from monitor.night.withdraw import WithdrawalRequest, withdraw_night
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.events import Stamp
from monitor.store.nights import read_ledger

NORTH, SOUTH, ANALYST, HEAD = (f"{name}@example.gov.uk" for name in ("north", "south", "analyst", "head"))
TUESDAY = day(1)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council whose second night finds two of North newly homeless, one of South, and one who is restricted."""
    folder = tmp_path_factory.mktemp("known")
    (folder / "restricted.txt").write_text("R1\n", encoding="utf-8")
    council = Council(folder, few_rules(folder, "homeless", "birth-date-recorded") + 'restricted = "restricted.txt"')
    names = ("P1", "P2", "R1")
    council.night(NIGHT, [*map(settled, names), settled("S1", team="South"), *crowd(20)])
    council.night(TUESDAY, [*map(homeless, names), homeless("S1", team="South"), *crowd(20)])
    return council


@pytest.fixture
def council(known: Council, tmp_path: Path) -> Council:
    return known.copy_to(tmp_path)


def subjects(council: Council, address: str, as_at=TUESDAY) -> list[str]:
    """The subjects of the ready replies in an address's mails of a night."""
    found = [
        link for mail in council.mail_to(address, as_at) for link in re.findall(r'href="(mailto:[^"]*)"', mail.html)
    ]
    parts = [urlsplit(unescape(link)) for link in found]
    assert {part.path for part in parts} <= {ANALYST}
    return [parse_qs(part.query)["subject"][0] for part in parts]


def reply(
    council: Council, subject: str, body: str = "", *, sender: str = f"A Lead <{NORTH.upper()}>", **headers: str
) -> Path:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ANALYST, subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body or "P1 told me on the phone that it is her aunt's flat.\n")
    path = council.folder / "reply.eml"
    path.write_bytes(mail.as_bytes())
    return path


def read(council: Council, path: Path, *, on=TUESDAY, by: str | None = "A Clerk") -> AnswersSaved:
    sha256, said = answer_mail.read(path)
    with council.open_database() as database:
        file = answer_file.AnsweredFile(path.name, sha256, (), by, "answer", said)
        return answer_file.save_answers(database, file, AnswerLimits({}, 10), Stamp(on, council.clock))


def refused(council: Council, path: Path, **given) -> str:
    with pytest.raises(Problems) as caught:
        read(council, path, **given)
    assert council.rows("SELECT count(*) FROM answer") == [(0,)]
    return str(caught.value)


def answers(council: Council) -> list[tuple[object, ...]]:
    return council.rows("SELECT person_id, answer, note, answered_by FROM answer ORDER BY person_id")


def test_a_card_has_three_ready_replies_and_nobody_restricted_nor_any_head_has_one(known: Council):
    ready = subjects(known, NORTH)
    [mail] = known.mail_to(NORTH, TUESDAY)

    choices = [subject.partition(":")[0] for subject in ready]
    assert choices == ["done", "not ours", "the record is wrong"] * 2
    assert len({subject.partition(":")[2] for subject in ready}) == 2
    assert "as in “1 done”" in " ".join(mail.text.split())
    assert "P1" not in "".join(ready)
    assert subjects(known, HEAD) == []
    assert not [mail.text for mail in known.mail_to(HEAD) if "To answer" in mail.text]
    assert known.rows("SELECT recipient FROM message WHERE answerable IS NOT NULL ORDER BY 1") == [(NORTH,), (SOUTH,)]


APP = 'graph = { tenant = "example.gov.uk", client_id = "11111111-2222-3333-4444-555555555555", '
NOTIFY = 'notify = { api_key_env = "KEY", template_id = "11111111-2222-3333-4444-555555555555" }'


@pytest.mark.parametrize(
    ("settings", "text", "html"),
    [
        ('channel = "folder"', "reply with a number", "reply with a number"),
        ('channel = "smtp"\nsmtp = { host = "mail.example.gov.uk" }', "reply with a number", "reply with a number"),
        (f'channel = "graph"\n{APP}client_secret_env = "S" }}', "reply with a number", "reply with a number"),
        (
            f'channel = "graph"\n{APP}client_secret_env = "S", save_to_sent_items = false }}',
            "fill in your list",
            "use the links of a card",
        ),
        (f'channel = "notify"\n{NOTIFY}', "fill in your list", "use the links of a card"),
    ],
    ids=["channel 1", "channel 2", "channel 3", "channel 4", "channel 5"],
)
def test_a_mail_offers_an_answer_by_number_only_where_a_reply_names_the_mail(
    known: Council, settings: str, text: str, html: str
):
    delivery = DeliverySettings.model_validate(tomllib.loads(settings), context={"folder": ""})
    config = load_config(known.config_path).model_copy(update={"delivery": delivery})
    with known.open_database() as database:
        night = describe_night(config, open_rulebook(config), read_ledger(database, TUESDAY), TUESDAY)
    digest = next(each for each in samples.make() if isinstance(each, LeadDigest) and each.has_replies)

    mail = render(replace(digest, night=replace(digest.night, answers_by_number=night.answers_by_number)))

    assert f"To answer, {text}" in " ".join(mail.text.split())
    assert f"To answer, {html}" in " ".join(mail.html.split())


def test_a_reply_is_taken_by_key_and_nothing_of_its_words_is_kept(council: Council):
    done, _, _, _, _, wrong = subjects(council, NORTH)
    path = reply(council, f"Re: {done}", f"\n{wrong}\n\nand her mother says\n> not ours: {'1.20260101.' + '0' * 43}\n")

    saved = read(council, path)

    assert saved.in_words() == "2 answers recorded: 1 done, 1 the record is wrong"
    assert answers(council) == [
        ("P1", "done", None, "A Clerk"),
        ("P2", "the record is wrong", "answered by e-mail: ask the reader what is wrong", "A Clerk"),
    ]
    assert not [row for row in council.rows("SELECT payload FROM flag_event") if "mother" in str(row)]
    with pytest.raises(Problems, match="this very file was read"):
        read(council, path)
    shown = monitor(council.folder, "answers", str(path), "--by", "A Clerk")
    assert "this very file was read" in shown.stderr


def test_a_reply_is_taken_by_number_with_the_mail_that_it_answers(council: Council):
    [(key,)] = council.rows(f"SELECT key FROM message WHERE recipient = '{NORTH}' AND as_at = '{TUESDAY}'")
    lines = "2 not ours\r\nDone: 1.\r\n\r\nOn Tuesday the monitor wrote:\r\n> 1. Ring A Example\r\n"

    bare = refused(council, reply(council, "Re: Leaving care", lines))
    none = refused(council, reply(council, "Re: x", "7 done", In_Reply_To=f"<{key}@example.gov.uk>"))
    read(council, reply(council, "Re: Leaving care", lines, References=f"<reader-1@x> <{key}@example.gov.uk>"))

    assert "a number says nothing without the e-mail it is of" in bare
    assert "has no 7 that this address can answer" in none
    assert [row[:2] for row in answers(council)] == [("P1", "done"), ("P2", "not ours")]


def test_a_reply_that_may_not_be_taken_is_said_why(council: Council):
    done, not_ours, *_ = subjects(council, NORTH)
    south, *_ = subjects(council, SOUTH)
    forwarded = EmailMessage()
    forwarded["From"], forwarded["Subject"] = ANALYST, "FW: answer"
    forwarded.set_content("see attached")
    inside = EmailMessage()
    inside["From"], inside["Subject"] = NORTH, done
    inside.set_content("x")
    forwarded.add_attachment(inside)

    def why(subject: str = done, body: str = "", **given) -> str:
        return refused(council, reply(council, subject, body, **given))

    assert "was not sent to the address that this reply is from" in why(south)
    assert "was not sent to the address" in why(f"FW: {done}", sender=ANALYST)
    assert "found its sender false" in why(Authentication_Results="mx; spf=pass; dkim=fail header.d=x; dmarc=fail")
    assert "is not from one address" in why(sender=f"{NORTH}, {SOUTH}")
    assert NOT_OURS in why(done[:-1] + ("0" if done[-1] != "0" else "1"))
    assert "answered twice" in why(done, not_ours)
    assert "a waiver is not made by e-mail" in why(done.replace("done", "waive until"))
    assert "a key without an answer" in why(done.removeprefix("done: "))
    assert "holds no answer; an answer is one of" in why("Re: thank you")
    (council.folder / "fw.eml").write_bytes(forwarded.as_bytes())
    assert "what was forwarded in it" in refused(council, council.folder / "fw.eml")
    assert "--by: missing" in refused(council, reply(council, done), by=None)
    assert "answer it on the newest list" in refused(council, reply(council, done), on=day(60))


def test_a_key_of_what_has_passed_is_said_so(council: Council):
    cleared, *_ = subjects(council, NORTH)
    people = [settled("P1"), homeless("P2"), homeless("R1"), homeless("S1", team="South"), *crowd(20)]
    council.night(day(2), [*people[:-1], homeless("C019")])
    newest, *_ = subjects(council, NORTH, day(2))

    resolved = refused(council, reply(council, cleared))
    request = WithdrawalRequest(day(2), "A Clerk", "a test", day(2))
    withdraw_night(load_config(council.config_path), request, Tools(lambda: council.clock, {}, lambda step: None))

    assert "the flag was resolved on" in resolved
    assert "the night of 14 January 2026 was taken back since" in refused(council, reply(council, newest))
