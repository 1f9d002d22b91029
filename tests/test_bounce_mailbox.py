"""The mailbox of delivery reports, by IMAP and by Graph: what is read of it, and what happens where it cannot be."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.council import NIGHT, Council, crowd, homeless
from support.delivery_reports import report
from support.postroom import ANALYST, NORTH, SOUTH, Postroom, Script, postroom, written
from support.servers import graph_mailbox as graph
from support.servers.imap import PASSWORD, USER, ImapKnobs, ImapServer, imap_server
from support.timed_service import few_rules

from monitor.config.bounce_settings import BounceSettings
from monitor.delivery.report_mailbox import open_mailbox
from monitor.errors import Problems
from monitor.log import open_log
from monitor.network.policy import Network
from monitor.outbox.bounce_mailbox import BouncesHeard, MailboxLook, look, record_look
from monitor.service import due
from monitor.service.due import DoneByProcess, Facts
from monitor.service.steps import Service

TODAY = dt.date(2026, 1, 12)
ENVIRON = {"IMAP_USER": USER, "IMAP_PASSWORD": PASSWORD, "APP_SECRET": graph.SECRET}
ORDINARY = b"From: a@example.gov.uk\r\nSubject: lunch\r\nContent-Type: text/plain\r\n\r\nat one?\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def imap(port: int, ca_file: Path | None, **other: Any) -> BounceSettings:
    login = {} if "app" in other else {"username_env": "IMAP_USER", "password_env": "IMAP_PASSWORD"}
    usual = {"kind": "imap", "mailbox": USER, "host": "localhost", "port": port, **login, **other}
    usual |= {"ca_file": str(ca_file)} if ca_file else {}
    return BounceSettings.model_validate(usual, context={"folder": "/"})


def by_graph(url: str, **other: Any) -> BounceSettings:
    app = {"tenant": graph.TENANT, "client_id": "c", "client_secret_env": "APP_SECRET", "login_url": url}
    given = {"kind": "graph", "mailbox": graph.MAILBOX, "graph_url": url, "app": app, **other}
    return BounceSettings.model_validate(given, context={"folder": "/"})


def send(room: Postroom) -> dict[str, str]:
    room.post(written(NORTH), written(SOUTH))
    room.deliver(Script())
    return dict(room.rows("SELECT recipient, key FROM message WHERE kind = 'lead'"))  # type: ignore[arg-type]


def read(settings: BounceSettings, network: Network | None = None) -> MailboxLook:
    mailbox = open_mailbox(settings, network or Network(ENVIRON))
    try:
        return look(mailbox, TODAY, settings.look_back_days)
    finally:
        mailbox.close()


def hear(room: Postroom, settings: BounceSettings, network: Network | None = None) -> BouncesHeard:
    mailbox = open_mailbox(settings, network or Network(ENVIRON))
    try:
        return record_look(room.database, mailbox, look(mailbox, TODAY, settings.look_back_days), room.now)
    finally:
        mailbox.close()


@pytest.mark.parametrize(("form", "number_last"), [("postfix", False), ("exchange", True), ("sendmail", False)])
def test_of_a_mailbox_only_what_names_our_message_is_read_by_imap(
    form: str, number_last: bool, authority, ca_file, tmp_path: Path
):
    with imap_server(authority, ImapKnobs(number_last=number_last)) as server, postroom(tmp_path) as room:
        keys = send(room)
        lunch = server.put(ORDINARY, TODAY)
        others = server.put(report("somebody-elses-1", NORTH, form), TODAY)
        ours = server.put(report(keys[NORTH], NORTH, form), TODAY - dt.timedelta(14))
        old = server.put(report(keys[SOUTH], SOUTH, form), TODAY - dt.timedelta(15))
        ours.flags.add(r"\Seen")  # somebody has opened it

        first, again = (hear(room, imap(server.port, ca_file)) for _ in range(2))

        assert (first, again) == (BouncesHeard(failed=1), BouncesHeard())
        assert room.states() == {NORTH: "permanent-failure", SOUTH: "delivered"}
        assert lunch.asked == ["HEADER.FIELDS (CONTENT-TYPE)"] * 2
        assert not {"1", "1.MIME", "", "TEXT"} & {*others.asked, *ours.asked}
        assert (lunch.flags, others.flags, ours.flags, old.asked) == (set(), set(), {r"\Seen"}, [])
        assert set(server.commands) <= {"CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH", "STORE", "LOGOUT"}


def test_of_a_mailbox_only_reports_are_fetched_by_graph_page_by_page_with_a_token_renewed(tmp_path: Path):
    knobs = graph.GraphKnobs(stale_tokens=1)
    with graph.graph_mailbox(knobs) as server, postroom(tmp_path) as room:
        keys = send(room)
        typed = {"Content-Type": "multipart/report; report-type=delivery-status"}
        server.mails += [
            graph.GraphMail(ORDINARY, "2026-01-12", {"Content-Type": "text/plain"}),
            graph.GraphMail(report("somebody-elses-1", NORTH), "2026-01-12", typed),
            graph.GraphMail(ORDINARY, "2026-01-12"),
            graph.GraphMail(report(keys[NORTH], NORTH, "exchange"), "2026-01-11", {}, "REPORT.IPM.Note.NDR"),
            graph.GraphMail(report(keys[SOUTH], SOUTH, "exchange"), "2025-12-28", typed),
        ]

        assert hear(room, by_graph(server.url)) == BouncesHeard(failed=1)
        assert room.states() == {NORTH: "permanent-failure", SOUTH: "delivered"}
        assert (server.fetched, server.signed_in) == ([1, 3], 2)


def test_the_mailbox_opens_to_an_application_by_imap(authority, ca_file, tmp_path: Path):
    with (
        imap_server(authority, ImapKnobs(token="token-1")) as server,
        graph.graph_mailbox() as sign_in,
        postroom(tmp_path) as room,
    ):
        app = by_graph(sign_in.url).app
        settings = imap(server.port, ca_file, app=app and app.model_dump())

        heard, refused = (hear(room, settings) for _ in range(2))

    assert heard.fault is None
    assert "IMAP.AccessAsApp" in (refused.fault or "")  # the second token is another


def faulty(what: str, server: ImapServer, ca_file: Path) -> tuple[BounceSettings, Network]:
    environ = ENVIRON | ({"IMAP_PASSWORD": "wrong"} if what == "password" else {})
    settings = {
        "certificate": imap(server.port, None),
        "closed": imap(1, ca_file),
        "folder": imap(server.port, ca_file, folder="Reports"),
    }
    return settings.get(what, imap(server.port, ca_file)), Network(environ)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("password", "user name or password not accepted; check IMAP_USER and IMAP_PASSWORD"),
        ("certificate", "network.ca_file or delivery.bounces.ca_file"),
        ("closed", "check delivery.bounces.host and port"),
        ("folder", "has no folder Reports; correct delivery.bounces.folder"),
        ("hang up", "it will be tried again"),
    ],
)
def test_a_mailbox_that_cannot_be_read_is_said_once_and_never_stops_what_goes_out(
    what: str, words: str, authority, ca_file, tmp_path: Path
):
    knobs = ImapKnobs(hang_up_at="FETCH" if what == "hang up" else None)
    with imap_server(authority, knobs) as server, postroom(tmp_path) as room:
        server.put(ORDINARY, TODAY)

        first, again = (hear(room, *faulty(what, server, ca_file)) for _ in range(2))
        knobs.hang_up_at = None
        mended = hear(room, imap(server.port, ca_file))

        assert words in (first.fault or "")
        assert USER in (first.fault or "")
        assert (first.unread_before, again.unread_before, mended) == (False, True, BouncesHeard(unread_before=True))
        assert room.events() == ["bounces not read", "bounces read again"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "Mail.Read"), (404, "bounces.mailbox"), (429, "busy"), (503, "busy"), (418, "418")],
)
def test_graph_says_why_a_mailbox_cannot_be_read(status: int, words: str):
    with graph.graph_mailbox(graph.GraphKnobs(status=status)) as server:
        fault = read(by_graph(server.url)).fault

    assert words in (fault or "")


def test_the_token_goes_to_no_other_host():
    with graph.graph_mailbox(graph.GraphKnobs(next_host="https://elsewhere.example")) as server:
        server.mails += [graph.GraphMail(ORDINARY, "2026-01-12")] * 3
        fault = read(by_graph(server.url)).fault

    assert "a next page elsewhere" in (fault or "")


def test_what_opens_the_mailbox_is_checked_with_the_config():
    with pytest.raises(Problems, match="password_env: the environment has no IMAP_PASSWORD"):
        open_mailbox(imap(993, None), Network({"IMAP_USER": USER}))
    with pytest.raises(ValueError, match="the one way in which the mailbox"):
        BounceSettings(kind="imap", mailbox=USER)
    with pytest.raises(ValueError, match="signs in as an Entra application"):
        BounceSettings(kind="graph", mailbox=USER)


def test_the_service_hears_what_came_back_and_tells_the_analyst_where_it_cannot(authority, ca_file, tmp_path: Path):
    with imap_server(authority) as server:
        bounces = f"""
            [delivery.bounces]
            kind = "imap"
            mailbox = "{USER}"
            host = "localhost"
            port = {server.port}
            ca_file = "{ca_file}"
            username_env = "IMAP_USER"
            password_env = "IMAP_PASSWORD"
            """
        council = Council(tmp_path, settings=few_rules(tmp_path, "homeless", "birth-date-recorded") + bounces)
        people = [homeless("P1"), *crowd(5)]
        council.night(NIGHT, people)
        [(key,)] = council.rows(f"SELECT key FROM message WHERE recipient = '{NORTH}'")
        server.put(report(str(key), NORTH, "exchange"), NIGHT)
        clock = [dt.datetime(2026, 1, 12, 9, tzinfo=dt.UTC)]
        service = Service(council.config_path, ENVIRON, lambda: clock[0], open_log("json", tmp_path / "service.log"))

        steps = due.plan(service.config, Facts(last_accepted=NIGHT), DoneByProcess(), clock[0])
        service._hear_bounces()
        server.knobs.folders = ()
        service._hear_bounces()
        service._hear_bounces()
        told = {mail.subject: mail.text for mail in council.mail_to(ANALYST)}
        council.clock = clock[0]
        council.night(NIGHT + dt.timedelta(1), people)

    assert "bounces" in steps
    assert [mail.subject for mail in council.mail_to("head@example.gov.uk") if "not delivered" in mail.subject] == []
    assert [text for subject, text in told.items() if "1 e-mail not delivered" in subject]
    assert [
        " ".join(text.split()).count("has no folder INBOX")
        for subject, text in told.items()
        if "cannot be read" in subject
    ] == [1]
    assert "P1" in council.mail_to(NORTH)[-1].text
    assert "1 newly critical" in council.mail_to(NORTH)[-1].subject
