"""Messages as they leave: the MIME message, the folder, and SMTP against a real server with TLS."""

import email
import stat
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Received
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.posix import WINDOWS
from support.postroom import NORTH, SOUTH, WEST, postroom, written
from support.servers.mail import Mailbox, free_port, mail_server
from support.smtp_channel import LONG, envelope, fault_of, parsed, parts_of, smtp_channel, temporary

from monitor.cli.terminal import print_delivery
from monitor.config.delivery_settings import DeliverySettings
from monitor.config.smtp_settings import Smtp
from monitor.delivery.channel import Channel, open_channel
from monitor.delivery.envelope import ENDS_A_LINE, Thread, build_mail
from monitor.errors import DeliveryError, Problems
from monitor.network.policy import Network
from monitor.outbox.last_told import load_told

SECRET = "correct horse battery staple"
# The message


def test_a_message_has_both_parts_word_for_word():
    sent = envelope()

    mail = parsed(build_mail(sent).as_bytes())

    assert mail.get_content_type() == "multipart/alternative"
    assert parts_of(mail) == {"text/plain": sent.text, "text/html": sent.html + "\n"}
    assert list(parts_of(mail)) == ["text/plain", "text/html"]


def test_a_message_says_who_what_when_and_that_no_person_wrote_it():
    mail = parsed(build_mail(envelope()).as_bytes())

    assert mail["From"] == "care-leaver-monitor@example.gov.uk"
    assert mail["To"] == "lead.north@example.gov.uk"
    assert mail["Subject"] == "OFFICIAL-SENSITIVE Leaving care: 3 new - 12 January 2026"
    assert mail["Date"] == "Mon, 12 Jan 2026 07:30:00 +0000"
    assert mail["Message-ID"] == "<2026-01-12-1-7@example.gov.uk>"
    assert mail["X-Monitor-Key"] == "2026-01-12-1-7"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "DR, RN, NRN, OOF, AutoReply"  # and never NDR


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Leaving care monitor", "Leaving care monitor"),
        ('Gofal: "Caerdydd", tîm', 'Gofal: "Caerdydd", tîm'),
        ("Monitor, North (test)", "Monitor, North (test)"),
        ("=?utf-8?q?x?=", "=?utf-8?q?x?="),
    ],
)
def test_a_message_carries_the_senders_name_and_who_reads_answers(name, shown):
    mail = parsed(build_mail(envelope(sender_name=name, reply_to="analyst@example.gov.uk")).as_bytes())

    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (shown, "care-leaver-monitor@example.gov.uk")
    assert mail["Reply-To"] == "analyst@example.gov.uk"


def test_a_message_names_its_conversation_and_what_it_answers():
    day = parsed(build_mail(envelope(thread=Thread("reader-1", "2026-01-11-1-2"))).as_bytes())
    correction = parsed(build_mail(envelope(thread=Thread("reader-1", "2026-01-11-1-2", corrects=True))).as_bytes())

    assert day["References"] == correction["References"] == "<reader-1@example.gov.uk> <2026-01-11-1-2@example.gov.uk>"
    assert day["In-Reply-To"] is None
    assert correction["In-Reply-To"] == "<2026-01-11-1-2@example.gov.uk>"


def test_the_same_message_built_twice_is_the_same_to_the_byte():
    assert build_mail(envelope()).as_bytes() == build_mail(envelope()).as_bytes()


def test_a_plain_subject_stays_on_the_line_of_its_name():
    subject = "OFFICIAL-SENSITIVE Leaving care: 2 new, 1 held, 1 cleared - 21 November 2025"

    content = build_mail(envelope(subject=subject)).as_bytes()

    assert f"\r\nSubject: {subject}\r\n".encode() in content
    assert parsed(content)["Subject"] == subject


def test_every_line_on_the_wire_is_short_and_7_bit():
    content = build_mail(envelope(subject=f"OFFICIAL {LONG}")).as_bytes()

    assert max(map(len, content.split(b"\r\n"))) <= 78
    assert content.isascii()
    assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "address",
    [
        "lead@example.gov.uk\r\nBcc: all@example.com",
        "lead@example.gov.uk, all@example.com",
        "Lead <lead@example.gov.uk>",
        "siân@example.gov.uk",
        "",
    ],
)
def test_an_address_that_is_not_one_plain_mailbox_is_refused_for_good(address):
    with pytest.raises(DeliveryError, match="its recipient: ") as caught:
        build_mail(envelope(recipient=address))

    assert caught.value.permanent
    assert "lead" not in str(caught.value)


def test_a_subject_that_would_begin_another_header_is_refused_for_good():
    with pytest.raises(DeliveryError, match="control characters") as caught:
        build_mail(envelope(subject="Leaving care\r\nBcc: all@example.com"))

    assert caught.value.permanent


LETTERS = st.characters(exclude_categories=ENDS_A_LINE)
PARTS = (
    "=?utf-8?q?x?=",
    "=?utf-8?b?",
    "?=",
    "_",
    " ",
    "  ",
    "\u00a0",
    "Ŵyn",
    "👩\u200d💻",
    "مرحبا \u200fبك",
    "a" * 200,
)


@settings(max_examples=150, deadline=None)
@given(st.text(LETTERS, max_size=250) | st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
@example("Leaving care: 1 new " + "x" * 1_200)
def test_what_a_mail_program_reads_is_the_subject_letter_for_letter(subject):
    content = build_mail(envelope(subject=subject)).as_bytes()

    lines = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= (78 if b"=?utf-8?" in content else 998)
    assert parsed(content)["Subject"] == subject
    older = email.message_from_bytes(content)["Subject"]
    assert str(make_header(decode_header(older))) == subject


def test_a_key_that_is_a_path_is_a_defect():
    with pytest.raises(ValueError, match="key"):
        build_mail(envelope(key="../../etc/passwd"))


# The folder


def folder_channel(data_folder: Path) -> Channel:
    return open_channel(DeliverySettings(channel="folder"), data_folder, Network())


def test_a_folder_message_is_one_file_that_only_its_owner_can_read(tmp_path: Path):
    receipt = folder_channel(tmp_path).send(envelope())

    path = tmp_path / "outbox" / "2026-01-12" / "lead-2026-01-12-1-7.eml"
    assert receipt.words == "2026-01-12/lead-2026-01-12-1-7.eml"
    assert list(parts_of(parsed(path.read_bytes()))) == ["text/plain", "text/html"]
    if not WINDOWS:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_a_second_try_leaves_one_file_and_nothing_half_written(tmp_path: Path):
    folder = tmp_path / "outbox" / "2026-01-12"
    folder.mkdir(parents=True)
    (folder / ".lead-2026-01-12-1-7.eml.0a1b2c3d.unfinished").write_text("what a killed process left")
    channel = folder_channel(tmp_path)

    channel.send(envelope())
    channel.send(envelope())

    assert [each.name for each in folder.iterdir()] == ["lead-2026-01-12-1-7.eml"]


def test_a_file_name_holds_no_address(tmp_path: Path):
    folder_channel(tmp_path).send(envelope())

    assert not any("lead.north" in each.as_posix() or "@" in each.name for each in tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_written_can_be_tried_again(tmp_path: Path):
    (tmp_path / "outbox").write_text("a file where the folder should be")

    with pytest.raises(DeliveryError, match="cannot be written") as caught:
        folder_channel(tmp_path).send(envelope())

    assert not caught.value.permanent
    assert not caught.value.ambiguous


# SMTP


def authenticate(server: SMTP, session: Session, received: Received, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(b"monitor", SECRET.encode())
    return AuthResult(success=right, handled=False)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_arrives_whole_over_tls(authority, ca_file, security):
    mailbox, sent = Mailbox(), envelope()

    with (
        mail_server(authority, mailbox, security=security) as port,
        smtp_channel(port, ca_file, security=security) as channel,
    ):
        receipt = channel.send(sent)

    (received,) = mailbox.taken
    mail = parsed(received.content)
    assert receipt.words == "250 2.0.0"
    assert received.rcpt_tos == ["lead.north@example.gov.uk"]
    assert received.mail_from == "care-leaver-monitor@example.gov.uk"
    assert parts_of(mail) == {"text/plain": sent.text, "text/html": sent.html + "\n"}


def test_one_connection_carries_several_messages(authority, ca_file):
    mailbox = Mailbox()

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        for number in range(3):
            channel.send(envelope(key=f"k{number}"))

    assert len(mailbox.taken) == 3
    assert len(mailbox.sessions) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_made_again(authority, ca_file):
    mailbox = Mailbox()
    mailbox.hangs_up_after = 0

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        for number in range(3):
            channel.send(envelope(key=f"k{number}"))

    assert len(mailbox.taken) == 3


def test_nothing_is_sent_to_a_server_without_starttls(authority, ca_file):
    mailbox = Mailbox()

    with mail_server(authority, mailbox, security="none") as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert "offers no STARTTLS, so nothing was sent" in str(fault)
    assert temporary(fault)
    assert mailbox.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_here_trusts_is_refused(authority, security):
    mailbox = Mailbox()

    with (
        mail_server(authority, mailbox, security=security) as port,
        smtp_channel(port, None, security=security) as channel,
    ):
        fault = fault_of(channel)

    assert "the certificate of localhost is signed by an authority that this machine does not know" in str(fault)
    assert "network.ca_file or delivery.smtp.ca_file" in str(fault)
    assert temporary(fault)
    assert mailbox.taken == []


def test_a_certificate_for_another_name_is_refused(authority, ca_file):
    with mail_server(authority, Mailbox(), name="elsewhere.example") as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert "the certificate of localhost is made out to another name" in str(fault)


def test_a_recipient_refused_outright_is_permanent_and_the_next_message_still_goes(authority, ca_file):
    mailbox = Mailbox()
    mailbox.rcpt = lambda address: "550 5.1.1 <lead.gone@example.gov.uk> unknown" if "gone" in address else "250 OK"

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel, recipient="lead.gone@example.gov.uk")
        channel.send(envelope())

    assert fault.permanent
    assert "refused the message (550 5.1.1)" in str(fault)
    assert "lead.gone" not in str(fault)
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [("451 4.3.0 try later", False), ("452 4.2.2 mailbox full", False), ("554 5.7.1 not allowed", True)],
)
def test_an_answer_to_the_content_is_believed(authority, ca_file, answer, permanent):
    mailbox = Mailbox()
    mailbox.data = lambda server: answer

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert fault.permanent is permanent
    assert not fault.ambiguous
    assert answer[:9] in str(fault)


def test_a_recipient_deferred_can_be_tried_again(authority, ca_file):
    mailbox = Mailbox()
    mailbox.rcpt = lambda address: "451 4.7.1 greylisted"

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert temporary(fault)


def test_a_connection_lost_after_the_content_is_ambiguous(authority, ca_file):
    mailbox = Mailbox()

    def hang_up(server: SMTP) -> str:
        server.transport.abort()
        return "250 never heard"

    mailbox.data = hang_up

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert fault.ambiguous
    assert not fault.permanent
    assert "may have been accepted" in str(fault)


def test_a_connection_lost_before_the_content_can_be_tried_again(authority, ca_file):
    mailbox = Mailbox()
    mailbox.hang_up_at = "lead.north@example.gov.uk"

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)
        channel.send(envelope(recipient="lead.south@example.gov.uk"))

    assert temporary(fault)
    assert "before the message had gone; it will be tried again" in str(fault)
    assert len(mailbox.taken) == 1


def test_a_server_that_is_not_there_can_be_tried_again(ca_file):
    with smtp_channel(free_port(), ca_file) as channel:
        fault = fault_of(channel)

    assert temporary(fault)
    assert "cannot be reached (Connection refused)" in str(fault)


def test_a_message_larger_than_the_server_takes_is_permanent_before_it_is_sent(authority, ca_file):
    mailbox = Mailbox()

    with mail_server(authority, mailbox, data_size_limit=2000) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert fault.permanent
    assert "552" in str(fault)
    assert mailbox.taken == []


@pytest.mark.parametrize("answer", ["452 4.2.2 over quota", "552 5.2.2 over quota", "552 no room"])
def test_a_full_mailbox_is_tried_again_whatever_the_first_digit_and_the_next_message_goes(authority, ca_file, answer):
    mailbox = Mailbox()
    mailbox.rcpt = lambda address: answer if "full" in address else "250 OK"

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel, recipient="lead.full@example.gov.uk")
        channel.send(envelope())

    assert temporary(fault)
    assert "the mailbox is full" in str(fault)
    assert len(mailbox.taken) == 1


def test_a_sender_the_server_refuses_stops_the_rest_and_blames_no_message(authority, ca_file):
    mailbox = NoSender()

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        first, second = fault_of(channel), fault_of(channel)

    assert first.stops
    assert not first.permanent
    assert str(second) == str(first)
    assert "takes no mail from delivery.sender (550 5.7.60)" in str(first)


class NoSender(Mailbox):
    async def handle_MAIL(self, *_: Any) -> str:  # noqa: N802 - the server's own name
        return "550 5.7.60 you may not send as this sender"


def test_a_message_larger_than_the_config_lets_out_never_leaves(authority, ca_file):
    mailbox = Mailbox()

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file, largest_kilobytes=50) as channel:
        fault = fault_of(channel, text="a line of text\n" * 4_000)

    assert fault.permanent
    assert "more than delivery.smtp.largest_kilobytes lets out" in str(fault)
    assert mailbox.taken == []


def test_each_reader_is_judged_singly_and_what_the_server_took_is_not_called_delivered(
    authority, ca_file, tmp_path: Path, capsys
):
    mailbox = Mailbox()
    answers = {"north": "550 5.1.1 unknown", "south": "452 4.2.2 full"}
    mailbox.rcpt = lambda address: answers.get(address.partition("@")[0], "250 OK")
    injected = "lead@example.gov.uk\r\nBcc: all@example.com"

    with (
        mail_server(authority, mailbox) as port,
        smtp_channel(port, ca_file) as channel,
        postroom(tmp_path, teams=[]) as room,
    ):
        room.post(*(written(one) for one in (NORTH, SOUTH, injected, WEST)))
        delivered = room.deliver(channel)

        assert room.states() == {
            NORTH: "permanent-failure", SOUTH: "temporary-failure", injected: "permanent-failure", WEST: "taken",
        }  # fmt: skip
        with room.database.reading() as store:
            assert load_told(store, since=room.now.date())[WEST].last_digest == room.now.date()
    print_delivery(delivered)
    assert (delivered.delivered, delivered.taken) == (0, 2)
    assert capsys.readouterr().out.startswith("2 messages taken by the server; 1 to be tried again; 2 given up")
    assert [one.rcpt_tos for one in mailbox.taken] == [[WEST], ["analyst@example.gov.uk"]]


def logging_in(port: int, ca_file: Path, password: str) -> Any:
    environ = {"MAIL_USER": "monitor", "MAIL_PASSWORD": password}
    return smtp_channel(port, ca_file, environ, username_env="MAIL_USER", password_env="MAIL_PASSWORD")


def test_the_user_and_password_come_from_the_environment(authority, ca_file):
    mailbox = Mailbox()

    with (
        mail_server(authority, mailbox, authenticator=authenticate, auth_required=True) as port,
        logging_in(port, ca_file, SECRET) as channel,
    ):
        channel.send(envelope())

    assert len(mailbox.taken) == 1


def test_a_wrong_password_is_told_without_it_and_stops_every_message(authority, ca_file):
    mailbox = Mailbox()

    with (
        mail_server(authority, mailbox, authenticator=authenticate, auth_required=True) as port,
        logging_in(port, ca_file, "wrong secret") as channel,
    ):
        first = fault_of(channel)
        second = fault_of(channel)

    assert "user name or password not accepted (535); check MAIL_USER and MAIL_PASSWORD" in str(first)
    assert str(second) == str(first)
    assert temporary(first)
    assert "wrong secret" not in f"{first!r}{first.__context__!r}{channel.__dict__!r}"


def test_a_server_that_wants_a_login_and_gets_none_says_what_to_set(authority, ca_file):
    with (
        mail_server(authority, Mailbox(), authenticator=authenticate, auth_required=True) as port,
        smtp_channel(port, ca_file) as channel,
    ):
        fault = fault_of(channel)

    assert "wants a login (530); give username_env and password_env" in str(fault)
    assert temporary(fault)


def test_variables_that_are_not_there_are_named_together():
    settings = Smtp(host="localhost", username_env="MAIL_USER", password_env="MAIL_PASSWORD")

    with pytest.raises(Problems) as caught:
        open_channel(DeliverySettings(channel="smtp", smtp=settings), Path("unused"), Network())

    assert caught.value.problems == (
        "delivery.smtp.username_env: the environment has no MAIL_USER; set it before starting",
        "delivery.smtp.password_env: the environment has no MAIL_PASSWORD; set it before starting",
    )


def test_an_authority_file_without_certificates_is_a_problem(tmp_path: Path):
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")

    with pytest.raises(Problems, match="holds no certificate in PEM form"), smtp_channel(587, path):
        pass
