"""A fleet's nights as processes of their own: one mail a day to each reader, whatever becomes of one night."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from support.command import monitor
from support.council import homeless, settled
from support.fleets import NAMES, FleetFolder, make_schemas
from support.servers.mail import Mailbox, mail_server
from support.two_councils import LEAD, read_mail, read_text

pytestmark = pytest.mark.simulation
ANALYST = "analyst@example.gov.uk"


def people(code: str, worse: int) -> list[dict[str, str]]:
    """Twelve young people of a council, so many of them homeless; no two councils have an id in common."""
    ids = [f"{NAMES[code][0]}-{n}" for n in range(1, 13)]
    return [*map(homeless, ids[:worse]), *map(settled, ids[worse:])]


@pytest.mark.parametrize("kind", ["sqlite 1", "postgresql 2"])
def test_each_reader_of_three_councils_has_one_mail_a_day(
    kind: str, new_database: Callable[[], str], authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    url = new_database() if kind.startswith("postgresql") else None
    if url:
        make_schemas(url)
    with mail_server(authority, mailbox := Mailbox()) as port:
        server = f'smtp = {{ host = "localhost", port = {port}, ca_file = "{ca_file}", timeout_seconds = 5 }}'
        own = f'delivery = {{ channel = "smtp", sender = "monitor@example.gov.uk", {server} }}\n'
        fleet = FleetFolder(tmp_path, url=url, own=dict.fromkeys(NAMES, own)).write()
        days = []
        for day, worse in (("2026-01-12", 1), ("2026-01-13", 2), ("2026-01-14", 3)):
            for code in fleet.codes:
                fleet.write_people(code, people(code, worse))
            if day == "2026-01-14":
                (fleet.config("319").parent / "list-9.csv").unlink()
            before = len(mailbox.taken)
            done = monitor(fleet.folder, "fleet", "run", "--as-at", day)
            mails = {reader: read_mail(mailbox, reader)[-1] for reader in (LEAD, ANALYST)}
            days.append((done.stdout.splitlines()[-2], [each.rcpt_tos for each in mailbox.taken[before:]], mails))

        again = monitor(fleet.folder, "fleet", "run", "--as-at", "2026-01-14")

    assert [sorted(readers) for _, readers, _ in days] == [[[ANALYST], [LEAD]]] * 3
    assert [line for line, _, _ in days] == [
        "mail: 2 mails of several councils sent, with 6 letters",
        "mail: 2 mails of several councils sent, with 6 letters",
        "mail: 2 mails of several councils sent, with 5 letters",
    ]
    second, third = read_text(days[1][2][LEAD]), read_text(days[2][2][LEAD])
    assert [f"\n{number}. Ring" in second for number in (1, 101, 201)] == [True, True, True]
    assert [f"\n{number}. Ring" in third for number in (1, 101, 201)] == [True, True, False]
    assert [words in read_text(days[2][2][ANALYST]) for words in ("\nSutton\n======", "no such file")] == [True, True]
    assert "mail:" not in again.stdout
    assert len(mailbox.taken) == 6
