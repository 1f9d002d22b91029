"""Microsoft Graph as a channel, against a server as strict as the contract: each row of it, and each limit."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.postroom import ANALYST, MANAGER, NORTH, SOUTH, WEST, Postroom, postroom, written
from support.servers.mail import free_port
from support.servers.microsoft import CLIENT, MAILBOX, SECRET, TENANT, Knobs, MicrosoftServer, microsoft

from monitor.config.delivery_settings import DeliverySettings
from monitor.config.graph_settings import Graph
from monitor.delivery.channel import open_channel
from monitor.delivery.envelope import Envelope, Receipt, Thread
from monitor.delivery.graph import LARGEST_REQUEST, GraphChannel
from monitor.errors import DeliveryError, DoubtfulRefusal
from monitor.messages.parts import Posting
from monitor.network.policy import Network

LATER = dt.timedelta(minutes=5)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "council-ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


class Office:
    """A Microsoft, and channels to it whose waits are recorded and not waited for."""

    def __init__(self, server: MicrosoftServer, ca_file: Path) -> None:
        self.server, self.ca_file = server, ca_file
        self.waits: list[float] = []
        self.channels: list[GraphChannel] = []
        self.now = 0.0

    def channel(self, url: str | None = None, **given: Any) -> GraphChannel:
        where = url or self.server.url
        usual = {"tenant": TENANT, "client_id": CLIENT, "client_secret_env": "GRAPH_SECRET", "login_url": where,
                 "graph_url": where, "timeout_seconds": 5}  # fmt: skip
        network = Network({"GRAPH_SECRET": SECRET}, (self.ca_file,))
        channel = GraphChannel(Graph(**usual | given), MAILBOX, network, sleep=self.sleep, clock=lambda: self.now)  # type: ignore[arg-type]
        self.channels.append(channel)
        return channel

    def close(self) -> None:
        for channel in self.channels:
            channel.close()

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def fault(self, **given: Any) -> DeliveryError:
        with pytest.raises(DeliveryError) as raised:
            self.channel(**given).send(letter())
        return raised.value


@pytest.fixture
def office(ca_file: Path) -> Iterator[Office]:
    with microsoft() as server, closing(Office(server, ca_file)) as office:
        yield office


@pytest.fixture
def tls_office(authority: trustme.CA, ca_file: Path) -> Iterator[Office]:
    with microsoft(authority=authority) as server, closing(Office(server, ca_file)) as office:
        yield office


@contextmanager
def sending(office: Office, folder: Path, **given: Any) -> Iterator[tuple[Postroom, MicrosoftServer, GraphChannel]]:
    with postroom(folder) as room:
        yield room, office.server, office.channel(**given)


def letter(recipient: str = NORTH, number: int = 1, **given: Any) -> Envelope:
    usual = {"subject": "OFFICIAL-SENSITIVE Leaving care: 1 new · 12 January", "text": "P1 · critical\n",
             "html": "<html><body><p>P1 · critical</p></body></html>", "kind": "lead", "key": f"a{number}",
             "sent_at": dt.datetime(2026, 1, 12, 8, tzinfo=dt.UTC), "as_at": dt.date(2026, 1, 12)}  # fmt: skip
    return Envelope(sender=MAILBOX, recipient=recipient, **usual | given)  # type: ignore[arg-type]


def parts(mail: EmailMessage) -> dict[str, str]:
    return {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}


# What is sent


def test_the_mail_goes_whole_over_tls_with_both_parts_and_its_own_headers(tls_office: Office) -> None:
    receipt = tls_office.channel().send(letter())

    (mail,) = tls_office.server.sent
    assert receipt == Receipt("202")
    assert (mail["To"], mail["From"], mail["X-Monitor-Key"]) == (NORTH, MAILBOX, "a1")
    assert mail["Subject"] == "OFFICIAL-SENSITIVE Leaving care: 1 new · 12 January"
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<a1@example.gov.uk>", "auto-generated")
    assert parts(mail)["text/plain"].strip() == "P1 · critical"
    assert "<p>P1 · critical</p>" in parts(mail)["text/html"]


def test_a_mail_says_who_sends_who_reads_answers_and_in_which_conversation_it_stands(office: Office) -> None:
    given = {"sender_name": "Leaving care: Exampleshire", "reply_to": ANALYST, "thread": Thread("a1", "a4", True)}
    office.channel().send(letter(number=5, **given))
    office.channel(save_to_sent_items=False).send(letter(SOUTH, **given))

    for mail in office.server.sent:
        assert mail["From"].addresses[0].display_name == "Leaving care: Exampleshire"
        assert (mail["From"].addresses[0].addr_spec, mail["Reply-To"]) == (MAILBOX, ANALYST)
    assert office.server.sent[0]["References"] == "<a1@example.gov.uk> <a4@example.gov.uk>"
    assert office.server.sent[0]["In-Reply-To"] == "<a4@example.gov.uk>"


def test_no_copy_stays_in_the_mailbox_where_the_config_wants_none(office: Office) -> None:
    ends = {"sender_name": "Leaving care monitor", "reply_to": "analyst@example.gov.uk"}
    office.channel(save_to_sent_items=False, attach_list=True).send(letter(attached="Person\nP1\n", **ends))
    office.channel().send(letter(SOUTH, **ends))

    json_mail, mime_mail = office.server.sent
    for mail in (json_mail, mime_mail):
        assert (mail["From"], mail["Reply-To"]) == (f"Leaving care monitor <{MAILBOX}>", "analyst@example.gov.uk")
    assert office.server.saved == [False, True]
    assert (json_mail["To"], json_mail["X-Monitor-Key"]) == (NORTH, "a1")
    assert "NDR," not in str(json_mail["X-Auto-Response-Suppress"])
    assert "<p>P1 · critical</p>" in parts(json_mail)["text/html"]
    assert [file.get_payload(decode=True) for file in json_mail.iter_attachments()] == [b"\xef\xbb\xbfPerson\nP1\n"]


def test_the_list_goes_along_as_a_file(office: Office) -> None:
    office.channel(attach_list=True).send(letter(attached="Person\nP1 Zoë\n"))

    (mail,) = office.server.sent
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "leaving-care-2026-01-12.csv"
    assert file.get_content() == "\ufeffPerson\nP1 Zoë\n"
    assert set(parts(mail)) == {"text/plain", "text/html", "text/csv"}
    assert mail["X-Monitor-Key"] == "a1"


@pytest.mark.parametrize("saved", [True, False], ids=["saved 1", "not saved 2"])
def test_the_lists_of_several_councils_go_along_each_under_its_own_name(office: Office, saved: bool) -> None:
    lists = (("314", "Person\nP1\n"), ("318", "Person\nP2\n"))
    office.channel(attach_list=True, save_to_sent_items=saved).send(letter(attached_by_council=lists))

    (mail,) = office.server.sent
    found = {file.get_filename(): file.get_payload(decode=True) for file in mail.iter_attachments()}
    assert found == {
        "leaving-care-2026-01-12-314.csv": b"\xef\xbb\xbfPerson\nP1\n",
        "leaving-care-2026-01-12-318.csv": b"\xef\xbb\xbfPerson\nP2\n",
    }


@pytest.mark.parametrize("saved", [True, False])
def test_a_list_over_the_limit_stays_behind_and_the_message_says_so(office: Office, saved: bool) -> None:
    rows = "x" * (LARGEST_REQUEST * 3 // 4)  # too large by the base64 of the file alone
    office.channel(attach_list=True, save_to_sent_items=saved).send(letter(attached=rows))

    (mail,) = office.server.sent
    assert "text/csv" not in parts(mail)
    assert "<body><p>The list is too long to go with this message" in parts(mail)["text/html"]
    assert len(office.server.log) == 2


def test_a_list_that_graph_finds_too_large_is_left_out_and_the_rest_sent(office: Office) -> None:
    office.server.knobs.largest_request = 10_000
    office.channel(attach_list=True).send(letter(attached="x" * 9_000))

    (mail,) = office.server.sent
    assert "The list is too long to go" in parts(mail)["text/plain"]


def test_a_message_over_the_limit_is_permanent_before_or_after_it_is_sent(office: Office) -> None:
    with pytest.raises(DeliveryError) as ours:
        office.channel().send(letter(html="x" * LARGEST_REQUEST))
    office.server.knobs.largest_request = 500
    theirs = office.fault()

    assert len(office.server.sign_ins) == 1
    for fault in (ours.value, theirs):
        assert "message a1: is larger than Microsoft Graph takes" in str(fault)
        assert (fault.permanent, fault.stops, fault.ambiguous) == (True, False, False)


# Tokens


def test_a_token_that_ends_half_way_is_renewed_and_nothing_is_sent_twice(office: Office) -> None:
    office.server.knobs.token_uses = 2
    channel = office.channel()

    for number in range(5):
        channel.send(letter(number=number))

    assert office.server.keys == ["a0", "a1", "a2", "a3", "a4"]
    assert len(office.server.sign_ins) == 3


def test_a_new_token_that_is_not_accepted_either_stops_the_rest(office: Office) -> None:
    office.server.knobs.token_uses = 0
    fault = office.fault()

    assert "a new token was not accepted either" in str(fault)
    assert (fault.stops, fault.permanent, len(office.server.sign_ins)) == (True, False, 2)


@pytest.mark.parametrize("code", [7000215, 7000222, 700016])
def test_a_sign_in_that_is_refused_stops_the_rest_and_blames_no_message(
    office: Office, tmp_path: Path, code: int
) -> None:
    office.server.knobs.sign_in_fault = code
    with sending(office, tmp_path) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH))

        delivered = room.deliver(channel)
        server.knobs.sign_in_fault = None
        room.deliver(channel, later=dt.timedelta(hours=1))

        assert str(code) in (delivered.stopped or "")
        assert sorted(str(mail["To"]) for mail in server.sent) == [NORTH, SOUTH]


# What is answered


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (400, "ErrorInvalidRecipients", "the address is not one that Exchange takes", "permanent"),
        (400, "ErrorMimeContentInvalidBase64String", "the message could not be read", "doubtful"),
        (400, "SomethingNew", "see what Microsoft says of that code", "doubtful"),
        (413, "ErrorMessageSizeExceeded", "is larger than", "permanent"),
        (400, "ErrorMessageSizeExceeded", "is larger than", "permanent"),
        (403, "ErrorAccessDenied", "an access policy keeps the application out", "incident"),
        (403, "ErrorSendAsDenied", "may not send as delivery.sender", "incident"),
        (403, "Authorization_RequestDenied", "has no permission Mail.Send", "incident"),
        (404, "ErrorInvalidUser", "there is no such mailbox", "incident"),
        (404, "MailboxNotEnabledForRESTAPI", "not in Exchange Online", "incident"),
        (429, "ApplicationThrottled", "asks to be left alone", "stops"),
        (429, "activityLimitReached", "asks to be left alone", "stops"),
        (503, "serviceNotAvailable", "busy or out of order", "stops"),
        (500, "ErrorInternalServerError", "does not say whether it took the message", "ambiguous"),
        (502, "BadGateway", "does not say whether it took the message", "ambiguous"),
        (504, "GatewayTimeout", "does not say whether it took the message", "ambiguous"),
    ],
)
def test_every_row_of_the_contract_is_understood_in_any_spelling(
    office: Office, status: int, code: str, words: str, kind: str
) -> None:
    channel = office.channel()
    for spelling, inner in ((code, "innerError"), (code.swapcase(), "innererror")):
        office.server.knobs.fault, office.server.knobs.inner_key = (status, spelling), inner
        with pytest.raises(DeliveryError) as raised:
            channel.send(letter())
        fault = raised.value

        assert words in str(fault)
        assert "Something was wrong" not in str(fault)
        assert (fault.permanent, fault.stops, fault.ambiguous) == {
            "permanent": (True, False, False), "doubtful": (True, False, False), "incident": (True, True, False),
            "stops": (False, True, False), "ambiguous": (False, False, True),
        }[kind]  # fmt: skip
        assert isinstance(fault, DoubtfulRefusal) == (kind == "doubtful")


@pytest.mark.parametrize(
    ("status", "kind"), [(302, "stops"), (400, "stops"), (403, "stops"), (404, "stops"), (200, "ambiguous")]
)
def test_a_page_that_is_not_graphs_is_an_outage_and_no_verdict(office: Office, status: int, kind: str) -> None:
    office.server.knobs.page = (status, b"<html>blocked by the proxy</html>")
    fault = office.fault()

    assert (fault.permanent, fault.stops, fault.ambiguous) == (False, kind == "stops", kind == "ambiguous")


# Limits


@pytest.mark.parametrize("as_date", [False, True])
def test_a_short_wait_that_graph_asks_for_is_waited(office: Office, as_date: bool) -> None:
    office.server.knobs = Knobs(throttle_next=1, retry_after=20, retry_as_date=as_date)
    office.channel().send(letter())

    assert office.server.keys == ["a1"]
    assert sum(office.waits) == pytest.approx(20, abs=1.5)


def test_a_service_that_goes_on_asking_for_no_wait_at_all_is_left_alone(office: Office) -> None:
    office.server.knobs = Knobs(throttle_next=99, retry_after=0)
    fault = office.fault()

    assert fault.stops
    assert len(office.server.log) == 1 + 5


@pytest.mark.parametrize(("as_date", "status"), [(False, 429), (True, 429), (False, 503)])
def test_a_long_wait_stops_the_rest_until_it_is_over(office: Office, as_date: bool, status: int) -> None:
    office.server.knobs = Knobs(fault=(status, "activityLimitReached"), retry_after=900, retry_as_date=as_date)
    fault = office.fault()

    assert fault.stops
    assert fault.not_before is not None
    assert 890 < (fault.not_before - dt.datetime.now(dt.UTC)).total_seconds() < 901
    assert len(office.server.log) == 2


def test_thirty_messages_go_in_a_minute_and_the_next_one_waits_its_turn(office: Office) -> None:
    channel = office.channel()
    for number in range(31):
        office.now += 1
        channel.send(letter(number=number))

    assert len(office.server.sent) == 31
    assert office.waits == [30]


def test_no_more_than_four_go_at_once_however_many_ask(office: Office) -> None:
    office.server.knobs.stall_seconds = 0.1
    channel = office.channel()
    threads = [threading.Thread(target=channel.send, args=(letter(number=number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(office.server.keys)) == len(office.server.sent) == 8
    assert office.server.most_seen_at_once == 4
    assert len(office.server.sign_ins) == 1


# The line


def test_a_message_taken_without_an_answer_is_held_and_told(office: Office, tmp_path: Path) -> None:
    office.server.knobs.drop_after_accepting = 1
    with sending(office, tmp_path) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH))

        room.deliver(channel)
        room.deliver(channel, later=dt.timedelta(hours=5), hurried=True)

        assert room.states()[NORTH] == "technical-failure"
        assert [str(mail["To"]) for mail in server.sent] == [NORTH, SOUTH, ANALYST]


def test_a_message_taken_without_an_answer_is_sent_again_and_marked_where_the_config_says_so(
    office: Office, tmp_path: Path
) -> None:
    office.server.knobs.drop_after_accepting = 9
    with sending(office, tmp_path, ambiguous="resend") as (room, server, channel):
        room.post(written(NORTH))

        at_once = room.deliver(channel)
        for _ in range(4):
            room.deliver(channel, later=LATER)

        assert at_once.doubtful == 1
        subjects = [str(mail["Subject"]) for mail in server.to(NORTH)]
        assert [subject.endswith("(may be a repeat)") for subject in subjects] == [False, True, True]
        assert room.states()[NORTH] == "technical-failure"


def test_a_slow_answer_is_waited_for_and_a_slower_one_is_in_doubt(office: Office) -> None:
    office.server.knobs.stalls_by_address = {NORTH: 0.5, SOUTH: 1.6}
    channel = office.channel(timeout_seconds=1)
    channel.send(letter())
    with pytest.raises(DeliveryError) as slow:
        channel.send(letter(SOUTH))

    assert slow.value.ambiguous
    assert "no answer from 127.0.0.1 within 1 seconds; raise delivery.graph.timeout_seconds" in str(slow.value)


def test_a_service_that_is_not_there_or_of_an_unknown_authority_is_named(tls_office: Office, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    gone = tls_office.fault(graph_url=f"https://localhost:{free_port()}")
    tls_office.ca_file = tmp_path / "other.pem"
    unknown = tls_office.fault()

    assert "connection refused by localhost; check that the service is running, and delivery.graph.graph_url" in str(
        gone
    )
    assert "the certificate of localhost is signed by an authority that this machine does not know" in str(unknown)
    assert "network.ca_file" in str(unknown)
    assert (gone.stops, unknown.stops, gone.ambiguous, unknown.ambiguous) == (True, True, False, False)


# In the outbox


def test_one_refused_reader_costs_nobody_else_a_message(office: Office, tmp_path: Path) -> None:
    office.server.knobs.faults_by_address = {SOUTH: (400, "ErrorInvalidRecipients")}
    with sending(office, tmp_path) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH), written(WEST))

        room.deliver(channel)

        assert {str(mail["To"]) for mail in server.sent} >= {NORTH, WEST, ANALYST, MANAGER}
        assert room.states()[SOUTH] == "permanent-failure"


def test_a_policy_that_keeps_the_application_out_loses_nothing(office: Office, tmp_path: Path) -> None:
    office.server.knobs.fault = (403, "ErrorAccessDenied")
    with sending(office, tmp_path) as (room, server, channel):
        room.post(written(NORTH), Posting(written(SOUTH), attached="Person\nP1\n"))

        stopped = room.deliver(channel)
        server.knobs.fault = None
        room.deliver(channel, later=dt.timedelta(hours=2))

        assert "an access policy keeps the application out" in (stopped.stopped or "")
        assert len(server.sent) == 2


def test_the_config_opens_it(tmp_path: Path) -> None:
    given = {"tenant": TENANT, "client_id": CLIENT, "client_secret_env": "GRAPH_SECRET"}
    delivery = DeliverySettings.model_validate({"channel": "graph", "graph": given | {"attach_list": True}})

    channel = open_channel(delivery, tmp_path, Network({"GRAPH_SECRET": SECRET}))

    assert isinstance(channel, GraphChannel)
    assert (channel.name, channel.idempotent, channel.tracing) == ("graph", False, None)
    assert delivery.attaches_lists
