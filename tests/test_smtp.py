"""SMTP that tells the truth: the time of each step, logins by token, reports asked for, connections shared."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.postroom import ANALYST, postroom, written
from support.servers.mail import Exchange, Mailbox, mail_server, silent_server
from support.servers.microsoft import CLIENT, SECRET, TENANT, Knobs, MicrosoftServer, microsoft
from support.smtp_channel import envelope, fault_of, smtp_channel

from monitor.config.smtp_settings import Smtp
from monitor.delivery.channel import Channel
from monitor.delivery.smtp_connections import Connections
from monitor.errors import DeliveryError, Problems

SENDER = envelope().sender
NORTH = "lead.north@example.gov.uk"


# The time of each step


@pytest.mark.parametrize(
    ("silent_at", "key", "awaited"),
    [
        ("greeting", "greeting", "its greeting"),
        ("EHLO", "hello", "its answer to EHLO, STARTTLS or the login"),
        ("MAIL", "mail", "its answer to the sender (MAIL)"),
        ("RCPT", "rcpt", "its answer to the recipient (RCPT)"),
        ("DATA", "data", "its leave to send the message (DATA)"),
        (".", "last_dot", "its answer to the whole message (the last dot)"),
    ],
)
def test_a_step_that_is_not_answered_is_named_with_its_time_and_its_setting(
    authority: trustme.CA, ca_file: Path, silent_at: str, key: str, awaited: str
) -> None:
    with (
        silent_server(authority, silent_at) as port,
        smtp_channel(port, ca_file, security="tls", step_seconds={key: 1}) as channel,
    ):
        fault = fault_of(channel)

    assert f"waited 1 second for {awaited}; delivery.smtp.step_seconds.{key} allows longer" in str(fault)
    assert fault.ambiguous is (key == "last_dot")
    assert fault.stops is (key not in ("rcpt", "last_dot"))
    assert not fault.permanent


def test_the_times_are_those_of_the_standard_and_a_connection_has_its_own() -> None:
    settings = Smtp(host="localhost")

    assert settings.timeout_seconds == 30
    assert settings.step_seconds.model_dump() == {
        "greeting": 300, "hello": 300, "mail": 300, "rcpt": 300, "data": 120, "block": 180, "last_dot": 600,
    }  # fmt: skip


def test_a_last_dot_that_is_answered_late_is_a_message_taken(authority: trustme.CA, ca_file: Path) -> None:
    mailbox = Mailbox()
    mailbox.dot_seconds = {NORTH: 1.3}

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file, timeout_seconds=1) as channel:
        receipt = channel.send(envelope(recipient=NORTH))

    assert receipt.words == "250 2.0.0"
    assert len(mailbox.taken) == 1


def test_of_forty_readers_one_refused_and_one_slow_hold_up_nobody(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    readers = [f"lead.{number}@example.gov.uk" for number in range(40)]
    mailbox = Mailbox()
    mailbox.holds = lambda received: received.rcpt_tos == readers[1:2] and len(mailbox.taken) < 39
    mailbox.rcpt = lambda address: "550 5.1.1 unknown" if address == readers[20] else "250 OK"

    with (
        mail_server(authority, mailbox) as port,
        smtp_channel(port, ca_file, step_seconds={"last_dot": 60}) as channel,
        postroom(tmp_path) as room,
    ):
        room.post(*map(written, readers))
        delivered = room.deliver(channel)
        states = room.states()

    went = [one.rcpt_tos[0] for one in mailbox.taken]
    assert went[-1] == readers[1]  # its mail and the notice of the refusal came before the slow answer
    assert sorted(went) == sorted([*(one for one in readers if one != readers[20]), ANALYST])
    assert (delivered.taken, delivered.given_up, delivered.doubtful) == (40, 1, 0)
    assert {address for address, state in states.items() if state == "permanent-failure"} == {readers[20]}
    assert 1 < len(mailbox.sessions) <= 3


# Connections


class Line:
    """A connection that is counted."""

    def close(self) -> None:
        pass

    def leave(self) -> None:
        pass


def test_a_server_that_takes_no_second_connection_is_used_by_one() -> None:
    made: list[Line] = []

    def connect() -> Any:
        if made:
            raise DeliveryError("m: not ready (421); try again later", stops=True)
        made.append(Line())
        return made[0]

    lines = Connections(connect, 3)
    first, _ = lines.take()
    threading.Timer(0.05, lambda: lines.give_back(first)).start()

    assert lines.take() == (first, True)
    assert len(made) == 1


def test_a_server_that_cannot_be_used_is_asked_once_by_all() -> None:
    asked: list[float] = []

    def connect() -> Any:
        asked.append(time.monotonic())
        time.sleep(0.05)
        raise DeliveryError("m: cannot be reached", stops=True)

    lines = Connections(connect, 3)
    faults: list[DeliveryError] = []

    def take() -> None:
        try:
            lines.take()
        except DeliveryError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(asked) == 1
    assert [(str(fault), fault.stops) for fault in faults] == [("m: cannot be reached", True)] * 3


# Reports on delivery


def test_a_report_of_failure_and_delay_is_asked_for_where_it_is_offered(authority: trustme.CA, ca_file: Path) -> None:
    offered, plain = Mailbox(dsn=True), Mailbox()

    for mailbox in (offered, plain):
        with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
            channel.send(envelope(key="2026-01-12-1-7"))

    assert offered.asked == ["RET=HDRS", "ENVID=2026-01-12-1-7", "NOTIFY=FAILURE,DELAY"]
    assert plain.asked == []
    assert len(offered.taken) == len(plain.taken) == 1


# Logins by token


@contextmanager
def exchange(
    authority: trustme.CA, ca_file: Path, inside: Exchange, **given: Any
) -> Iterator[tuple[Channel, MicrosoftServer]]:
    knobs = Knobs(scope="https://outlook.office365.com/.default")
    with (
        microsoft(knobs) as entra,
        mail_server(authority, inside, auth_required=True, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as port,
        smtp_channel(
            port, ca_file, {"SMTP_SECRET": SECRET},
            oauth={
                "tenant": TENANT, "client_id": CLIENT, "client_secret_env": "SMTP_SECRET", "login_url": entra.url,
                **given,
            },
        ) as channel,
    ):  # fmt: skip
        yield channel, entra


def test_an_application_sends_by_its_token_as_the_sender_or_another_mailbox(
    authority: trustme.CA, ca_file: Path
) -> None:
    mailbox = Exchange(lambda user, token: token == "eyJ0.token-0.x")

    with exchange(authority, ca_file, mailbox) as (channel, entra):
        channel.send(envelope(key="k1"))
        channel.send(envelope(key="k2"))
    with exchange(authority, ca_file, mailbox, mailbox="shared@example.gov.uk") as (channel, _):
        channel.send(envelope(key="k3"))

    assert mailbox.logins == [SENDER, "shared@example.gov.uk"]
    assert len(mailbox.taken) == 3
    assert len(entra.sign_ins) == 1


def test_a_token_that_ends_between_two_messages_is_renewed(authority: trustme.CA, ca_file: Path) -> None:
    mailbox = Exchange(lambda user, token: token == f"eyJ0.token-{len(mailbox.taken)}.x")
    mailbox.hangs_up_after = 0

    with exchange(authority, ca_file, mailbox) as (channel, entra):
        channel.send(envelope(key="k1"))
        channel.send(envelope(key="k2"))

    assert len(mailbox.taken) == 2
    assert len(mailbox.logins) == 3
    assert len(entra.sign_ins) == 2


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (
            "535 5.7.3 Authentication unsuccessful",
            "register the enterprise application's object id in Exchange",
        ),
        ("535 5.7.139 Authentication unsuccessful", "authenticated SMTP is turned off for the mailbox or the tenant"),
        ("535 5.7.8 no", "the application's token was not accepted (535 5.7.8); check delivery.smtp.oauth: tenant"),
        ("454 4.7.0 Temporary authentication failure", "not ready (454); try again later"),
    ],
)
def test_a_token_that_is_refused_stops_all_and_says_what_it_must_do(
    authority: trustme.CA, ca_file: Path, refusal: str, words: str
) -> None:
    mailbox = Exchange(lambda user, token: False, refusal)

    with exchange(authority, ca_file, mailbox) as (channel, entra):
        first, second = fault_of(channel), fault_of(channel)

    assert words in str(first)
    assert first.stops
    assert not first.permanent
    assert str(second) == str(first)
    assert len(mailbox.logins) == len(entra.sign_ins) == 1


def test_a_sign_in_that_fails_stops_all_before_anything_is_connected(authority: trustme.CA, ca_file: Path) -> None:
    mailbox = Exchange(lambda user, token: True)

    with exchange(authority, ca_file, mailbox) as (channel, entra):
        entra.knobs.sign_in_fault = 7000222
        fault = fault_of(channel)

    assert "the client secret has expired" in str(fault)
    assert fault.stops
    assert mailbox.logins == []


# Logins by password


class NoPasswords(Mailbox):
    async def auth_PLAIN(self, server: Any, args: list[str]) -> None:  # noqa: N802 - the protocol's own name
        await server.push("550 5.7.30 Basic authentication is not supported for Client Submission")


@pytest.mark.parametrize("left", [["LOGIN"], ["LOGIN", "PLAIN"]])
def test_the_end_of_passwords_at_exchange_online_is_told_with_what_to_do(
    authority: trustme.CA, ca_file: Path, left: list[str]
) -> None:
    environ = {"MAIL_USER": "monitor", "MAIL_PASSWORD": "secret"}

    with (
        mail_server(authority, NoPasswords(), auth_required=True, auth_exclude_mechanism=left) as port,
        smtp_channel(port, ca_file, environ, username_env="MAIL_USER", password_env="MAIL_PASSWORD") as channel,
    ):
        fault = fault_of(channel)

    words = "takes no user name and password any more; ask IT to register an application with SMTP.SendAsApp"
    assert (words if left == ["LOGIN"] else "takes no user name and password; ask its keeper") in str(fault)
    assert fault.stops


@pytest.mark.parametrize(
    ("host", "login", "warned"),
    [
        ("smtp.office365.com", True, True),
        ("SMTP.Office365.com", True, True),
        ("smtp-mail.outlook.com", True, True),
        ("smtp.office365.com", False, False),
        ("smtp.notoffice365.com", True, False),
        ("relay.example.gov.uk", True, False),
    ],
)
def test_a_password_at_exchange_online_is_warned_of_while_it_still_works(host: str, login: bool, warned: bool) -> None:
    names = {"username_env": "A", "password_env": "B"} if login else {}

    warning = Smtp.model_validate({"host": host, **names}).warning

    assert ("stops taking a user name and password at the end of December 2026" in (warning or "")) is warned


def test_a_password_with_letters_that_smtp_cannot_carry_is_a_problem(ca_file: Path) -> None:
    environ = {"MAIL_USER": "monitor", "MAIL_PASSWORD": "pässword"}

    with (
        pytest.raises(Problems, match="password_env: MAIL_PASSWORD holds letters"),
        smtp_channel(587, ca_file, environ, username_env="MAIL_USER", password_env="MAIL_PASSWORD"),
    ):
        pass


def test_two_ways_to_log_in_are_a_mistake() -> None:
    entra = {"tenant": TENANT, "client_id": CLIENT, "client_secret_env": "S"}

    with pytest.raises(ValueError, match="stands beside username_env and password_env; take those two out"):
        Smtp.model_validate({"host": "m", "username_env": "A", "password_env": "B", "oauth": entra})


@pytest.mark.parametrize("answer", ["554 5.2.252 SendAsDenied", "550 5.7.60 not allowed to send as this sender"])
def test_who_may_not_send_as_the_sender_stops_all_at_whatever_step(
    authority: trustme.CA, ca_file: Path, answer: str
) -> None:
    mailbox = Mailbox()
    mailbox.data = lambda server: answer

    with mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        fault = fault_of(channel)

    assert "takes no mail from delivery.sender" in str(fault)
    assert fault.stops
    assert not fault.permanent
