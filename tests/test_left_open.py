"""Nothing is left open: no file and no connection, where the other side breaks off and where a night is stopped."""

import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.council import NIGHT, Council, crowd
from support.left_open import needs_list_of_open, nothing_left_open, stopped_by
from support.postroom import postroom, written
from support.servers.http import Said, serving
from support.servers.mail import Mailbox, mail_server
from support.smtp_channel import envelope, fault_of, smtp_channel

from monitor.errors import SourceError
from monitor.fleet.children import ChildCommand, ChildEnd, ChildLimits, run_children

pytestmark = needs_list_of_open
NORTH = "lead.north@example.gov.uk"
PAGE = json.dumps([{"person_id": f"C{number:03}", "local_offer_date": "2026-01-01"} for number in range(40)]).encode()
SPACES = b" " * 100_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def secured(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def live_a_night(folder: Path, url: str, ca_file: Path) -> None:
    """A night of a council that has a web service beside its list."""
    service = f'kind = "http"\nrole = "detail"\n[sources.http]\nurl = "{url}/"\nretries = 0\nca_file = "{ca_file}"'
    council = Council(folder, f'[[sources]]\nname = "case-api"\n{service}')
    council.night(NIGHT, crowd(10))


def test_a_night_whose_source_breaks_off_in_a_page(secured: ssl.SSLContext, ca_file: Path, tmp_path: Path) -> None:
    cut = Said(PAGE[:-40], 200, JSON, promised=len(PAGE))

    with (
        nothing_left_open(),
        serving(lambda asked: cut, secured) as server,
        pytest.raises(SourceError, match="broke the connection off"),
    ):
        live_a_night(tmp_path, server.url, ca_file)


def test_a_night_that_is_stopped_in_a_page(secured: ssl.SSLContext, ca_file: Path, tmp_path: Path) -> None:
    def begin() -> Iterator[bytes]:
        yield PAGE[:-40] + SPACES
        stop()
        while True:  # until the reader hangs up
            time.sleep(0.01)
            yield SPACES

    with (
        nothing_left_open(),
        stopped_by() as stop,
        serving(lambda asked: Said(begin(), 200, JSON), secured) as server,
    ):
        live_a_night(tmp_path, server.url, ca_file)


def test_a_mail_server_that_breaks_off_in_the_conversation(authority: trustme.CA, ca_file: Path) -> None:
    mailbox = Mailbox()
    mailbox.hang_up_at = NORTH

    with nothing_left_open(), mail_server(authority, mailbox) as port, smtp_channel(port, ca_file) as channel:
        assert "connection lost before the message had gone" in str(fault_of(channel))


def test_a_message_that_is_stopped_in_the_conversation(authority: trustme.CA, ca_file: Path) -> None:
    mailbox = Mailbox()

    def answer(address: str) -> str:
        stop()
        return "250 OK"

    mailbox.rcpt = answer
    with (
        nothing_left_open(),
        mail_server(authority, mailbox) as port,
        stopped_by() as stop,
        smtp_channel(port, ca_file) as channel,
    ):
        channel.send(envelope())


def test_a_message_that_is_stopped_before_the_server_has_shaken_hands(ca_file: Path) -> None:
    def listen() -> None:
        with listening.accept()[0] as line:
            line.recv(10)
            stop()
            while line.recv(1000):  # until the sender hangs up
                pass

    with nothing_left_open(), socket.create_server(("127.0.0.1", 0)) as listening, stopped_by() as stop:
        threading.Thread(target=listen, daemon=True).start()
        with smtp_channel(listening.getsockname()[1], ca_file, security="tls", timeout_seconds=60) as channel:
            channel.send(envelope())


def test_a_delivery_that_is_stopped_while_a_message_is_on_its_way(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    """It goes all the same, on a connection that its thread closes after it; no other follows it."""
    mailbox, ended = Mailbox(), threading.Event()

    def hold(received: object) -> bool:
        if not stopped.is_set():
            stopped.set()
            stop()
        return not ended.is_set()

    stopped = threading.Event()
    mailbox.holds = hold
    with nothing_left_open(), mail_server(authority, mailbox) as port, postroom(tmp_path) as room:
        room.post(written(NORTH), written("lead.south@example.gov.uk"))
        with stopped_by() as stop, smtp_channel(port, ca_file) as channel:
            room.deliver(channel)
        ended.set()
        for thread in threading.enumerate():
            if thread.name.startswith("courier"):
                thread.join(60)
                assert not thread.is_alive()
        assert len(mailbox.taken) == 1


def test_children_of_a_fleet_whose_end_cannot_be_told() -> None:
    def tell(end: ChildEnd) -> None:
        raise BrokenPipeError

    sleeps = "import sys, time; time.sleep(600 if sys.argv[1] == 'long' else 0)"
    limits = ChildLimits(2, 60, os.environ, (sys.executable, "-S", "-c", sleeps))
    commands = [ChildCommand("314", ("long",)), ChildCommand("315", ("short",))]
    with nothing_left_open(), pytest.raises(BrokenPipeError):
        run_children(commands, limits, tell)
