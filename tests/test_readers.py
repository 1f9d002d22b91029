"""One mailbox is one reader, however it is spelt and whatever it reads as: one mail a day, by every channel."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from support.council import NIGHT, Council, crowd, homeless
from support.postroom import NORTH, Script, postroom, written
from support.servers.mail import Mailbox, mail_server
from support.servers.microsoft import CLIENT, SECRET, TENANT, microsoft
from support.servers.notify import API_KEY, TEMPLATE, notify_server
from support.timed_service import few_rules

from monitor.errors import DeliveryError

ONE = "pat@example.gov.uk"
EVERYTHING = {
    "north@example.gov.uk": "Pat@Example.gov.uk", "south@example.gov.uk": "PAT@example.gov.uk",
    "analyst@example.gov.uk": "pat@EXAMPLE.gov.uk", "head@example.gov.uk": "pAt@example.gov.uk",
    "fallback@example.gov.uk": ONE,
}  # fmt: skip
Sent = Callable[[], list[str]]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A night that the service ran: one person reads it as lead of both teams, manager, head, fallback and analyst."""
    council = Council(tmp_path_factory.mktemp("night"))
    council.settings = few_rules(council.folder, "homeless")
    council = Council(council.folder, council.settings)
    text = council.config_path.read_text(encoding="utf-8")
    text = text.replace('also_known_as = ["LC North"]', 'manager = "Pat@example.gov.uk"')
    for address, spelling in EVERYTHING.items():
        text = text.replace(address, spelling)
    council.config_path.write_text(text, encoding="utf-8")
    people = [homeless("N1"), homeless("S1", team="South"), homeless("X1", team="Elsewhere"), *crowd(20)]
    council.night(NIGHT, people, unattended=True)
    return council


@contextmanager
def smtp(folder: Path) -> Iterator[tuple[str, Sent]]:
    authority, mailbox = trustme.CA(), Mailbox()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with mail_server(authority, mailbox) as port:
        yield (
            f'channel = "smtp"\n[delivery.smtp]\nhost = "localhost"\nport = {port}\nca_file = "ca.pem"\n',
            lambda: [address for mail in mailbox.taken for address in mail.rcpt_tos],
        )


@contextmanager
def notify(folder: Path) -> Iterator[tuple[str, Sent]]:
    (folder / "notify.key").write_text(API_KEY, encoding="utf-8")
    with notify_server() as server:
        keys = f'base_url = "{server.url}"\napi_key_file = "notify.key"\ntemplate_id = "{TEMPLATE}"\n'
        yield f'channel = "notify"\n[delivery.notify]\n{keys}', lambda: [each.address for each in server.sent]


@contextmanager
def graph(folder: Path) -> Iterator[tuple[str, Sent]]:
    (folder / "graph.secret").write_text(SECRET, encoding="utf-8")
    with microsoft() as server:
        keys = f'tenant = "{TENANT}"\nclient_id = "{CLIENT}"\nclient_secret_file = "graph.secret"\n'
        urls = f'login_url = "{server.url}"\ngraph_url = "{server.url}"\n'
        yield f'channel = "graph"\n[delivery.graph]\n{keys}{urls}', lambda: [mail["To"] for mail in server.sent]


@contextmanager
def into_folder(folder: Path) -> Iterator[tuple[str, Sent]]:
    yield (
        'channel = "folder"\n',
        lambda: [
            line.removeprefix("To: ")
            for path in (folder / "data" / "outbox").rglob("*.eml")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("To: ")
        ],
    )


@pytest.mark.parametrize("channel", [into_folder, smtp, notify, graph])
def test_one_mailbox_in_many_spellings_and_parts_has_one_mail(waiting: Council, tmp_path: Path, channel) -> None:
    text = waiting.config_path.read_text(encoding="utf-8")
    council = waiting.copy_to(tmp_path)
    with channel(tmp_path) as (delivery, sent):
        council.config_path.write_text(f"{text}\n[delivery]\n{delivery}", encoding="utf-8")
        council.deliver(dt.datetime(2026, 1, 20, 9, tzinfo=dt.UTC))

        assert sent() == [ONE]
    ((holds,),) = council.rows("SELECT holds FROM message")
    assert {"analyst", "lead", "summary"} <= set(str(holds).split())


def test_of_a_mail_that_a_cover_does_not_get_the_teams_manager_hears(tmp_path: Path) -> None:
    cover, manager = "cover@example.gov.uk", "manager@example.gov.uk"
    time = {"reader": "Cover@example.gov.uk", "from": "2026-01-05", "until": "2026-01-20"}
    channel = Script({cover: [DeliveryError("refused (550 5.1.1)", permanent=True)]})
    teams = [{"name": "North", "lead": NORTH, "manager": manager, "covers": [time]}]
    with postroom(tmp_path, teams=teams) as room:
        room.post(written(cover))
        room.deliver(channel)

    told = [each for each in channel.sent if each.recipient == manager]
    assert len(told) == 1
    assert "North" in told[0].text
