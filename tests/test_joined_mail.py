"""One mail a day for a reader of several councils: what waits for the fleet, and what becomes of it."""

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP
from sqlalchemy import text
from support.delivery_reports import report
from support.fleets import CODES, FleetFolder
from support.posix import needs_posix
from support.postroom import START
from support.servers.mail import Mailbox, mail_server
from support.servers.notify import API_KEY, Knobs, notify_server
from support.two_councils import (
    HOMELESS,
    KINGSTON,
    LEAD,
    MORNING,
    NAMES,
    RICHMOND,
    TUESDAY,
    TwoCouncils,
    read_mail,
    read_text,
)

from monitor.delivery.delivery_report import read_reports
from monitor.delivery.envelope import Envelope
from monitor.delivery.mail_file import parse
from monitor.errors import Problems
from monitor.flags.mailed_answers import MailedAnswer, Reply, fit
from monitor.fleet.children import ChildCommand, ChildEnd, ChildLimits, run_children
from monitor.fleet.fleet_settings import read_fleet
from monitor.fleet.join_letters import find_unjoined, plan_shared
from monitor.fleet.joined_mail import CouncilLetter, join
from monitor.fleet.mailing import tell_nights
from monitor.messages.shared_readers import VARIABLE, SharedReaders, read_shared, write_shared
from monitor.outbox.bounces import record_bounces
from monitor.outbox.last_told import load_told
from monitor.outbox.receipts import poll_receipts
from monitor.record.audit import audit
from monitor.store.database import working_store
from monitor.store.seals import read_secret

BY_MAIL = 'delivery = { channel = "smtp", sender = "m@example.gov.uk", smtp = { host = "mail.example" } }\n'


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> TwoCouncils:
    councils = TwoCouncils(tmp_path_factory.mktemp("known"))
    councils.run_nights()
    return councils


@pytest.fixture
def councils(known: TwoCouncils, tmp_path: Path) -> TwoCouncils:
    return known.copy_to(tmp_path)


@pytest.fixture
def mailbox(councils: TwoCouncils, authority: trustme.CA, ca_file: Path) -> Iterator[Mailbox]:
    """A mail server that both councils send through."""
    with mail_server(authority, mailbox := Mailbox()) as port:
        councils.use_mail_server(port, ca_file)
        yield mailbox


def texts(councils: TwoCouncils) -> dict[str, str]:
    """The letter of each council to the lead, as it stands on the council's own record."""
    query = f"SELECT text FROM message WHERE recipient = '{LEAD}' AND as_at = '{TUESDAY}'"
    return {code: str(council.rows(query)[0][0]).strip() for code, council in councils.councils.items()}


def test_a_night_of_a_fleet_leaves_what_it_wrote_to_a_shared_reader_and_sends_the_rest(known: TwoCouncils) -> None:
    assert known.states() == {KINGSTON: "created", RICHMOND: "created"}
    for council in known.councils.values():
        sent = council.rows(f"SELECT DISTINCT state FROM message WHERE recipient <> '{LEAD}' AND as_at = '{TUESDAY}'")
        assert sent == [("delivered",)]


def test_a_lead_of_two_councils_has_one_mail_with_each_letter_as_it_is(councils: TwoCouncils, mailbox: Mailbox) -> None:
    account = councils.join()
    again = councils.join()

    [mail] = read_mail(mailbox)
    words, page = read_text(mail), read_text(mail, "html")
    assert (account.mails, account.letters, account.all_went, again.mails, again.alone) == (1, 2, True, 0, 0)
    assert mail["Subject"].startswith(
        "OFFICIAL-SENSITIVE Leaving care: Richmond: 2 newly critical; Kingston: 1 newly critical - 13 January 2026"
    ), "who has most to ring leads"
    own = texts(councils)
    assert own[KINGSTON] in words
    assert own[RICHMOND] in words
    order = ("\nKingston\n=", own[KINGSTON], "\nRichmond\n=", own[RICHMOND])
    assert sorted(order, key=words.index) == list(order)
    assert (page.count("<html"), page.count("</body>"), page.count("<h1")) == (1, 1, 4)
    assert "https://kingston.example/K1" in page
    assert "https://richmond.example/R1" in page
    assert mail["Reply-To"] is None, "a reply quotes the young people of both, and two analysts read answers"
    assert set(re.findall(r"mailto:([^?]+)", page)) == {
        f"analyst.{name.lower()}@example.gov.uk" for name in NAMES.values()
    }


def test_each_council_records_the_mail_as_its_own_and_says_nothing_of_it_again(
    councils: TwoCouncils, mailbox: Mailbox
) -> None:
    councils.join()

    assert councils.states() == {KINGSTON: "taken", RICHMOND: "taken"}
    for code, council in councils.councils.items():
        with council.open_database() as database:
            with database.reading() as store:
                told = load_told(store, since=TUESDAY)[LEAD]
            assert {flag.person_id for flag in told.flags.values()} == set(HOMELESS[code])
            assert audit(database, council.folder / "data").problems == ()
        assert council.rows("SELECT count(*) FROM flag_event WHERE kind = 'message joined'") == [(1,)]
        council.deliver(MORNING + dt.timedelta(days=1))
    assert len(mailbox.taken) == 1


def test_an_answer_by_number_finds_the_young_person_of_the_right_council_alone(
    councils: TwoCouncils, mailbox: Mailbox
) -> None:
    councils.join()
    [mail] = read_mail(mailbox)
    key = mail["Message-ID"].strip("<>").partition("@")[0]
    fitted = {}
    for code, council in councils.councils.items():
        with council.open_database() as database, database.reading() as store:
            reply = Reply(
                LEAD, [MailedAnswer(1, "done", None, 1), MailedAnswer(2, "done", None, 102)], frozenset({key})
            )
            fitted[code] = fit(store, read_secret(store), reply)

    assert {code: [answer.person_id for answer in found] for code, (found, _) in fitted.items()} == {
        KINGSTON: ["K1"],
        RICHMOND: ["R2"],
    }
    assert [len(faults) for _, faults in fitted.values()] == [1, 1]


def test_a_mail_that_comes_back_is_heard_of_in_each_council(councils: TwoCouncils, mailbox: Mailbox) -> None:
    councils.join()
    [mail] = read_mail(mailbox)
    heard = {}
    for code, council in councils.councils.items():
        came_back = read_reports(parse(report(mail["X-Monitor-Key"], LEAD)))
        with council.open_database() as database, database.writing() as store:
            heard[code] = [each.outcome for each in record_bounces(store, came_back, "0" * 64, MORNING)]

    assert heard == {KINGSTON: ["came back"], RICHMOND: ["came back"]}
    assert councils.states() == {KINGSTON: "permanent-failure", RICHMOND: "permanent-failure"}


@pytest.mark.parametrize(
    ("answer", "states", "tried_again"),
    [
        ("550 5.1.1 no such mailbox", "permanent-failure", 0),
        ("451 4.3.0 try later", "temporary-failure", 1),
        (None, "technical-failure", 0),
    ],
    ids=["refused 1", "busy 2", "in doubt 3"],
)
def test_what_the_server_answers_each_council_records_by_its_own_rules(
    councils: TwoCouncils, mailbox: Mailbox, answer: str | None, states: str, tried_again: int
) -> None:
    def answer_dot(server: SMTP) -> str:
        if answer is None and LEAD in server.envelope.rcpt_tos:
            server.transport.abort()
        return answer if answer and LEAD in server.envelope.rcpt_tos else "250 2.0.0 queued"

    mailbox.data = answer_dot
    refused = councils.join()
    found = councils.states()
    taken_unknown = len(read_mail(mailbox))
    mailbox.data = lambda server: "250 2.0.0 queued"
    councils.now += dt.timedelta(hours=5)
    again = councils.join()

    assert found == {KINGSTON: states, RICHMOND: states}
    assert not refused.all_went
    assert {problem[:3] for problem in refused.problems} == {KINGSTON, RICHMOND}
    assert again.mails == tried_again
    assert len(read_mail(mailbox)) - taken_unknown == tried_again, "what may have gone is never sent again"
    notices = ("analyst.kingston@example.gov.uk", "analyst.richmond@example.gov.uk")
    assert [len(read_mail(mailbox, each)) for each in notices] == ([0, 0] if tried_again else [1, 1])


def test_each_council_makes_its_own_last_check_and_what_it_withholds_stays_out(
    councils: TwoCouncils, mailbox: Mailbox
) -> None:
    (councils.folder / KINGSTON / "restricted.txt").write_text("K1\n", encoding="utf-8")
    councils.change(KINGSTON, "shipped_rules", 'restricted = "restricted.txt"\nshipped_rules')

    account = councils.join()

    [mail] = read_mail(mailbox)
    assert (account.mails, account.letters) == (1, 1)
    assert "K1" not in mail.as_bytes().decode()
    assert councils.states() == {KINGSTON: "replaced", RICHMOND: "taken"}
    assert read_text(mail).strip() == texts(councils)[RICHMOND]


def test_the_letter_of_a_council_whose_record_is_in_use_waits_for_its_own_delivery(
    councils: TwoCouncils, mailbox: Mailbox
) -> None:
    kingston, _ = councils.mailing()
    with working_store(kingston.where):
        account = councils.join()
    alone = councils.states()
    councils.councils[KINGSTON].deliver(MORNING)

    assert alone == {KINGSTON: "created", RICHMOND: "taken"}
    assert (account.mails, account.alone, account.all_went) == (0, 1, False)
    assert account.problems[0].startswith("314: its messages wait for its own next delivery")
    assert councils.states() == {KINGSTON: "taken", RICHMOND: "taken"}
    own = texts(councils)
    assert [read_text(mail).strip() for mail in read_mail(mailbox)] == [own[RICHMOND], own[KINGSTON]]


def test_letters_that_number_their_cards_alike_go_alone(councils: TwoCouncils, mailbox: Mailbox) -> None:
    with councils.councils[RICHMOND].open_database() as database, database.writing() as store:
        store.execute(text("UPDATE message SET answerable = replace(answerable, '[101,', '[1,')"))

    account = councils.join()

    assert (account.mails, account.alone, len(read_mail(mailbox))) == (0, 2, 2)


def test_the_letters_of_councils_that_were_not_asked_for_stay(councils: TwoCouncils, mailbox: Mailbox) -> None:
    account = councils.join(RICHMOND)

    assert (account.mails, account.alone) == (0, 1)
    assert councils.states() == {KINGSTON: "created", RICHMOND: "taken"}


def test_a_defect_of_the_monitors_is_told_and_what_was_begun_is_held(
    councils: TwoCouncils, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.fleet.joined_mail.PROGRAM", None)

    account = councils.join()

    told = [problem for problem in account.problems if "a defect of the monitor: TypeError at " in problem]
    assert [problem[:3] for problem in told] == [KINGSTON, RICHMOND]
    assert councils.states() == {KINGSTON: "technical-failure", RICHMOND: "technical-failure"}
    assert read_mail(mailbox) == []


def test_a_night_outside_the_fleet_sends_what_still_waits(councils: TwoCouncils, mailbox: Mailbox) -> None:
    councils.councils[KINGSTON].night(TUESDAY)

    assert councils.states() == {KINGSTON: "taken", RICHMOND: "created"}


def test_through_notify_the_letters_go_as_one_text_and_both_councils_learn_what_became_of_it(
    councils: TwoCouncils,
) -> None:
    with notify_server() as server:
        councils.use_notify(server.url)
        account = councils.join()
        for each in councils.mailing():
            with working_store(each.where) as database:
                poll_receipts(database, each.open_channel({"NOTIFY": API_KEY}), each.config, clock=lambda: MORNING)

    [sent] = server.to(LEAD)
    assert (account.mails, account.letters) == (1, 2)
    assert sent.subject.startswith("OFFICIAL-SENSITIVE Leaving care: Richmond: 2 newly critical; Kingston: 1")
    assert (
        sent.body.index("## Kingston") < sent.body.index("K1") < sent.body.index("## Richmond") < sent.body.index("R1")
    )
    assert councils.states() == {KINGSTON: "delivered", RICHMOND: "delivered"}


def test_what_notify_may_have_taken_is_held_for_no_council_can_ask_it_by_its_own_key(councils: TwoCouncils) -> None:
    with notify_server(Knobs(drop_after_accepting=1)) as server:
        councils.use_notify(server.url)
        councils.join()
        councils.now += dt.timedelta(hours=5)
        again = councils.join()

    assert (again.mails, len(server.to(LEAD))) == (0, 1)
    assert councils.states() == {KINGSTON: "technical-failure", RICHMOND: "technical-failure"}


# Whose mail is joined


def test_addresses_are_compared_as_the_outbox_does_and_each_council_has_numbers_of_its_own(
    councils: TwoCouncils, mailbox: Mailbox
) -> None:
    assert plan_shared(councils.mailing()) == {
        KINGSTON: SharedReaders({LEAD: 0}),
        RICHMOND: SharedReaders({LEAD: 100}),
    }


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("monitor@example.gov.uk", "another@example.gov.uk", "they do not send through one mail account"),
        ('host = "localhost"', 'host = "other.example"', "they do not send through one mail account"),
        ('channel = "smtp"', 'channel = "folder"', "318 sends to a folder, which is a trial"),
    ],
    ids=["sender 1", "server 2", "folder 3"],
)
def test_councils_that_send_otherwise_share_no_reader(
    councils: TwoCouncils, mailbox: Mailbox, old: str, new: str, why: str
) -> None:
    assert list(find_unjoined(councils.mailing())) == []
    councils.change(RICHMOND, old, new)

    assert plan_shared(councils.mailing()) == {}
    (said,) = find_unjoined(councils.mailing())
    assert said.startswith(f"314 and 318: their letters to {LEAD} go in a mail each: {why}")


def test_notify_has_room_for_one_list_so_with_lists_each_council_sends_its_own(councils: TwoCouncils) -> None:
    councils.use_notify("https://notify.example", ", attach_list = true")

    assert plan_shared(councils.mailing()) == {}
    (said,) = find_unjoined(councils.mailing())
    assert said.endswith("notify.attach_list of 314 and 318: a message of GOV.UK Notify has room for one list")


def test_the_readers_are_told_by_the_environment_and_what_is_not_the_fleets_is_refused() -> None:
    shared = SharedReaders({LEAD: 100})

    assert read_shared({VARIABLE: write_shared(shared)}) == shared
    assert "North@Example.gov.uk" in shared
    assert read_shared({}) == SharedReaders()
    for wrong in ("x", "[1]", '{"a": "b"}', "3"):
        with pytest.raises(Problems, match=VARIABLE):
            read_shared({VARIABLE: wrong})


# The words of a mail


def letter(code: str, council: str, **given: object) -> CouncilLetter:
    text = f"OFFICIAL-SENSITIVE\n\nNews of {code}\n"
    page = f"<html><head><style>.of{code} {{}}</style></head><body><p>{code}</p></body></html>"
    subject = f"OFFICIAL-SENSITIVE Leaving care: 1 new of {code} - 12 January 2026"
    usual = Envelope(
        f"k{code}", "m@example.gov.uk", LEAD, subject, text, page, START, START.date(), "lead",
        reply_to="analyst@example.gov.uk",
    )  # fmt: skip
    critical = given.pop("critical", 0)
    marking = given.pop("marking", "OFFICIAL-SENSITIVE")
    return CouncilLetter(code, council, str(marking), replace(usual, **given), int(str(critical)))  # type: ignore


def test_a_reply_goes_to_the_one_who_reads_the_answers_of_all_unless_only_a_head_may_see_some() -> None:
    both = [letter("314", "Kingston"), letter("318", "Richmond")]
    head = [letter("314", "Kingston"), letter("318", "Richmond", for_head_alone=True, reply_to=None)]

    assert join(both, "joined-1").reply_to == "analyst@example.gov.uk"
    assert "What you answer about" not in join(both, "joined-1").text
    mail = join(head, "joined-1")
    assert (mail.reply_to, mail.for_head_alone) == (None, True)
    assert "What you answer about Kingston goes to analyst@example.gov.uk" in " ".join(mail.text.split())
    assert "answer about Richmond" not in mail.text


def test_lists_keep_the_name_of_their_council_and_councils_of_one_name_their_code() -> None:
    mail = join([letter("314", "Borough", attached="a\n"), letter("318", "Borough", attached="b\n")], "joined-1")

    assert mail.lists == (("leaving-care-2026-01-12-314.csv", "a\n"), ("leaving-care-2026-01-12-318.csv", "b\n"))
    assert "\nBorough (314)\n=============\n" in mail.text
    assert mail.html.count("<html") == 1
    assert ".of318 {}" in mail.html.partition("</head>")[0]


def test_the_subject_says_the_news_of_four_letters_the_most_critical_first() -> None:
    letters = [letter(f"30{n}", f"Town {n}", critical=n, marking="OFFICIAL-SENSITIVE") for n in range(6)]
    mail = join([*letters, letter("306", "A <b>", marking="SECRET")], "joined-1")

    assert mail.subject == (
        "OFFICIAL-SENSITIVE SECRET Leaving care: Town 5: 1 new of 305; Town 4: 1 new of 304; Town 3: 1 new of 303; "
        "Town 2: 1 new of 302; 3 more - 12 January 2026"
    )
    assert "A &lt;b&gt;" in mail.html
    assert mail.text.index("Town 0\n") < mail.text.index("Town 5\n"), "below it, the fleet's order"


# Kills


@needs_posix("fork, by which a process that is ready to join is had three times")
def test_a_fleet_that_is_killed_at_any_moment_loses_nothing_and_sends_no_letter_twice(
    known: TwoCouncils, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    """Killed right after: begin of Kingston's, begin of Richmond's, record of Kingston's."""
    moments = [known.copy_to(tmp_path / str(moment)) for moment in range(1, 4)]
    with mail_server(authority, mailbox := Mailbox()) as port:
        for councils in moments:
            councils.use_mail_server(port, ca_file)
        script = Path(__file__).parent / "support" / "killed_fleet.py"
        done = subprocess.run(
            [sys.executable, str(script), *(str(councils.folder) for councils in moments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (script.parent.parent, *sys.path)))},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for councils in moments:
            councils.join()

    assert done.stdout.split() == ["killed", "-9"] * 3, done.stderr
    held, gone = "technical-failure", "taken"
    assert [tuple(councils.states().values()) for councils in moments] == [(held, gone), (held, held), (gone, held)]
    mails = [read_text(mail) for mail in read_mail(mailbox)]
    assert [len([text for text in mails if name in text]) for name in ("K1", "R1")] == [1, 2], (
        "once each, where it went"
    )
    for councils in moments:
        for code, council in councils.councils.items():
            with council.open_database() as database, database.reading() as store:
                told = load_told(store, since=TUESDAY)[LEAD]
            is_held = councils.states()[code] == held
            assert told.perhaps_had == ((TUESDAY,) if is_held else ()), "the next digest has it again, and says so"


# Nights


def test_each_night_is_told_of_its_readers_in_its_own_environment(tmp_path: Path) -> None:
    folders = FleetFolder(tmp_path, codes=CODES[:2], own=dict.fromkeys(CODES, BY_MAIL)).write()

    told = tell_nights(read_fleet(folders.path, {}), {})

    assert {code: read_shared(own).cards_after for code, own in told.items()} == {
        "314": {"analyst@example.gov.uk": 0, LEAD: 0},
        "315": {"analyst@example.gov.uk": 100, LEAD: 100},
    }
    ends: list[ChildEnd] = []
    program = (sys.executable, "-c", f"import os; print(os.environ.get({VARIABLE!r}))")
    commands = [ChildCommand("1", (), told["314"]), ChildCommand("2", ())]
    run_children(commands, ChildLimits(2, 60, os.environ, program), ends.append)
    assert {end.code: end.stdout.strip() for end in ends} == {"1": told["314"][VARIABLE], "2": "None"}
