"""``monitor check --send-test``: real messages through each channel, one a mailbox, and what became of each."""

import datetime as dt
import json
from pathlib import Path

import trustme
from support.command import monitor
from support.council import Council
from support.postroom import Script
from support.servers.mail import Mailbox, mail_server
from support.servers.notify import API_KEY, TEMPLATE, Knobs, notify_server

from monitor.config.settings import Config
from monitor.errors import DeliveryError
from monitor.outbox.trial import list_readers, send_trials

LEAD, COVER, HEAD = "lead@example.gov.uk", "cover@example.gov.uk", "head@example.gov.uk"
TODAY = dt.date(2026, 1, 12)
NOW = dt.datetime(2026, 1, 12, 9, tzinfo=dt.UTC)


def config(**delivery: object) -> Config:
    time = {"reader": COVER, "from": "2026-02-01", "until": "2026-02-02"}
    past = {"reader": "past@example.gov.uk", "from": "2025-02-01", "until": "2025-02-02"}
    return Config.model_validate(
        {
            "authority": "Exampleshire",
            "sources": [{"name": "caseload", "kind": "sample"}],
            "people": {"analyst": "LEAD@example.gov.uk", "head": HEAD},
            "teams": [
                {"name": "North", "lead": LEAD, "manager": "Head@Example.gov.uk", "covers": [time, past]},
                {"name": "South", "lead": "Lead@Example.gov.uk"},
            ],
            "delivery": delivery,
        }
    )


def test_every_mailbox_that_may_get_mail_is_written_to_once_with_all_it_reads_as() -> None:
    assert list_readers(config(), TODAY) == {
        LEAD: ("lead of North", "lead of South", "analyst"),
        COVER: ("cover for North",),
        HEAD: ("manager of North", "head of service"),
    }


def test_each_outcome_has_its_words_and_an_address_outside_the_domains_is_not_sent_to() -> None:
    refused, slow = DeliveryError("refused (550 5.1.1)", permanent=True), DeliveryError("lost", ambiguous=True)
    channel = Script({LEAD: [refused], HEAD: [slow]})
    readers = list_readers(config(), TODAY) | {"x@elsewhere.example": ()}

    done = send_trials(channel, config(allowed_domains=["example.gov.uk"]), readers, now=NOW, sleep=lambda _: None)

    assert [(each.address, each.outcome) for each in done.each] == [
        (LEAD, "refused"), (COVER, "taken"), (HEAD, "in doubt"), ("x@elsewhere.example", "not sent"),
    ]  # fmt: skip
    assert (done.failed, done.as_dict()["failed"]) == (3, 3)
    assert done.each[0].words == "refused for good: refused (550 5.1.1)"
    assert "x@elsewhere.example" not in channel.tried
    (sent,) = channel.sent
    assert sent.text.startswith("This is a test. It holds nothing about anybody.")
    assert "cover for North" in sent.text
    assert sent.subject == "OFFICIAL-SENSITIVE Test of the leaving care monitor, Exampleshire"


def test_the_command_writes_one_mail_a_mailbox_into_the_folder_and_needs_no_database(tmp_path: Path) -> None:
    council = Council(tmp_path)

    done = monitor(tmp_path, "check", "--send-test")
    one = monitor(tmp_path, "check", "--send-test", "NORTH@example.gov.uk", "--json")
    wrong = [monitor(tmp_path, "check", "north@example.gov.uk"), monitor(tmp_path, "check", "--send-test", "nobody")]

    assert done.returncode == one.returncode == 0
    assert "5 of 5 went through the channel folder; 0 did not" in done.stdout
    (message,) = json.loads(one.stdout)["messages"]
    assert (message["address"], message["reads_as"], message["outcome"]) == (
        "north@example.gov.uk", ["lead of North"], "written",
    )  # fmt: skip
    assert [each.returncode for each in wrong] == [2, 2]
    assert "an address goes with --send-test" in wrong[0].stderr
    assert len(council.mail()) == 6
    assert not (tmp_path / "data" / "monitor.db").exists()


def test_a_server_that_refuses_one_mailbox_is_told_of_by_address_and_the_command_fails(tmp_path: Path) -> None:
    authority, mailbox = trustme.CA(), Mailbox()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mailbox.rcpt = lambda address: "550 5.1.1 no such user" if address.startswith("south@") else "250 OK"
    with mail_server(authority, mailbox) as port:
        smtp = (
            f'delivery.channel = "smtp"\ndelivery.smtp = {{ host = "localhost", port = {port}, ca_file = "ca.pem" }}\n'
        )
        Council(tmp_path, smtp)
        done = monitor(tmp_path, "check", "--send-test", "--json")

    outcomes = {each["address"]: each["outcome"] for each in json.loads(done.stdout)["messages"]}
    assert done.returncode == 1
    assert outcomes.pop("south@example.gov.uk") == "refused"
    assert set(outcomes.values()) == {"taken"}
    assert len(mailbox.taken) == len(outcomes) == 4


def test_a_receipt_of_notify_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "notify.key").write_text(API_KEY, encoding="utf-8")
    with notify_server(Knobs()) as server:
        keys = f'base_url = "{server.url}", api_key_file = "notify.key", template_id = "{TEMPLATE}"'
        council = Council(tmp_path, f'delivery.channel = "notify"\ndelivery.notify = {{ {keys} }}\n')
        done = monitor(tmp_path, "check", "--send-test", "north@example.gov.uk", "--json")

    (message,) = json.loads(done.stdout)["messages"]
    assert (done.returncode, message["outcome"]) == (0, "delivered")
    assert council.mail() == []
