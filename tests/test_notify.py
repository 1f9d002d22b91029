"""GOV.UK Notify as a channel, against a server as strict as the real one: what is sent, asked, believed and told."""

import csv
import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import NIGHT, Council, crowd, settled
from support.postroom import ANALYST, MANAGER, NORTH, SOUTH, WEST, Postroom, postroom, written
from support.servers.notify import API_KEY, REPLY_TO, TEMPLATE, Knobs, NotifyServer, notify_server

from monitor.config.delivery_settings import DeliverySettings
from monitor.delivery.channel import Channel, open_channel
from monitor.delivery.notify_text import write_for_notify
from monitor.errors import Problems
from monitor.messages.parts import Posting
from monitor.network.policy import Network
from monitor.outbox import attempts

LATER = dt.timedelta(minutes=5)
BOTH = "((body))\n\n((list))"


def open_notify(url: str, key: str = API_KEY, **settings: object) -> Channel:
    notify = {"base_url": url, "api_key_env": "KEY", "template_id": TEMPLATE, "timeout_seconds": 10, **settings}
    delivery = DeliverySettings.model_validate({"channel": "notify", "notify": notify})
    return open_channel(delivery, Path("unused"), Network({"KEY": key}))


@contextmanager
def office(folder: Path, knobs: Knobs | None = None) -> Iterator[tuple[Postroom, NotifyServer, Channel]]:
    with notify_server(knobs) as server, postroom(folder) as room:
        yield room, server, open_notify(server.url)


# What is sent, and what becomes of it


def test_a_message_goes_through_the_template_under_its_own_reference(tmp_path: Path):
    with office(tmp_path) as (room, server, channel):
        room.post(written(NORTH))

        room.deliver(channel)

        (sent,) = server.sent
        assert (sent.address, sent.reference) == (NORTH, room.rows("SELECT key FROM message")[0][0])
        assert sent.subject == "OFFICIAL-SENSITIVE Leaving care: 1 new - 12 January 2026"
        assert sent.body == "P1 - critical\n"
        assert room.states() == {NORTH: "sending"}


def test_a_receipt_is_asked_for_until_it_is_final(tmp_path: Path):
    with office(tmp_path, Knobs(script={NORTH: ["created", "sending", "delivered"]})) as (room, _, channel):
        room.post(written(NORTH))
        room.deliver(channel)

        said = [room.poll(channel, later=LATER) for _ in range(3)]

        assert [(one.awaited, one.delivered) for one in said] == [(1, 0), (1, 0), (0, 1)]
        assert room.states() == {NORTH: "delivered"}
        assert room.attempts() == ["delivered"]


def test_a_permanent_failure_hours_later_is_told_to_manager_and_analyst(tmp_path: Path):
    with office(tmp_path, Knobs(script={NORTH: ["permanent-failure"]})) as (room, server, channel):
        room.post(written(NORTH))
        room.deliver(channel)

        received = room.poll(channel, later=LATER)
        room.deliver(channel)

        assert (received.failed, room.states()) == (1, {NORTH: "permanent-failure"})
        assert [one.address for one in server.sent] == [NORTH, ANALYST, MANAGER]


def test_a_full_mailbox_is_tried_again_and_nobody_else_waits_for_it(tmp_path: Path):
    knobs = Knobs(script={NORTH: ["temporary-failure", "delivered"]})
    with office(tmp_path, knobs) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH))
        room.deliver(channel)

        room.poll(channel, later=LATER)
        waiting = room.states()
        room.deliver(channel, later=LATER)
        server.knobs.script = {}
        room.poll(channel)

        assert waiting == {NORTH: "temporary-failure", SOUTH: "delivered"}
        assert room.states() == {NORTH: "delivered", SOUTH: "delivered"}
        assert len(server.to(NORTH)) == 2


def test_a_message_of_which_nothing_is_heard_for_72_hours_is_held_and_told(tmp_path: Path):
    with office(tmp_path, Knobs(script={NORTH: ["sending"]})) as (room, server, channel):
        room.post(written(NORTH))
        room.deliver(channel)

        almost = room.poll(channel, later=dt.timedelta(hours=71))
        past = room.poll(channel, later=dt.timedelta(hours=2))
        room.deliver(channel)

        assert (almost.awaited, past.failed) == (1, 1)
        assert room.states() == {NORTH: "technical-failure"}
        assert [one.address for one in server.sent] == [NORTH, ANALYST]


def test_the_list_travels_as_a_file_where_the_config_says_so_and_words_where_there_is_none(tmp_path: Path):
    with notify_server(Knobs(template=BOTH)) as server, postroom(tmp_path) as room:
        channel = open_notify(server.url, attach_list=True, reply_to_id=REPLY_TO)
        room.post(Posting(written(NORTH), attached="person_id\nP1\n"), written(SOUTH))

        room.deliver(channel)

        with_list, without = server.sent
        assert with_list.files == {"list": "\ufeffperson_id\nP1\n".encode()}
        assert "No list goes with this message." in without.body


def test_a_list_too_large_for_notify_stays_where_it_is_and_the_message_goes(tmp_path: Path):
    with notify_server(Knobs(template=BOTH)) as server, postroom(tmp_path) as room:
        room.post(Posting(written(NORTH), attached="x" * (2 * 1024 * 1024)))

        room.deliver(open_notify(server.url, attach_list=True))

        assert server.sent[0].files == {}
        assert "too long to send" in server.sent[0].body


def test_a_whole_nights_list_says_of_a_sensitive_rule_its_title_and_due_date_and_of_restricted_people_nothing(
    tmp_path: Path,
):
    (tmp_path / "restricted.txt").write_text("P3\n", encoding="utf-8")
    homeless = {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}
    people = [
        settled("P1", **homeless), settled("P2", accommodation="X: In custody", contact="01/10/2025"),
        settled("P3", **homeless), *crowd(20),
    ]  # fmt: skip
    with notify_server(Knobs(template=BOTH)) as server:
        (tmp_path / "notify.key").write_text(API_KEY, encoding="utf-8")
        council = Council(
            tmp_path,
            settings=f"""
            restricted = "restricted.txt"
            delivery.channel = "notify"
            delivery.notify.base_url = "{server.url}"
            delivery.notify.api_key_file = "notify.key"
            delivery.notify.template_id = "{TEMPLATE}"
            delivery.notify.attach_list = true
            """,
        )
        council.night(NIGHT, people)

    (north,) = server.to(NORTH)
    rows = list(csv.DictReader(north.files["list"].decode("utf-8-sig").splitlines()))
    sensitive = [row for row in rows if row["person_id"] == "P2"]
    assert {row["person_id"] for row in rows} == {"P1", "P2"}
    assert next(row for row in rows if row["person_id"] == "P1")["because"].startswith("Latest contact")
    assert sensitive
    for row in sensitive:
        assert {name for name, value in row.items() if value} <= {
            "person_id",
            "team",
            "personal_adviser",
            "title",
            "action",
            "due_on",
        }
    assert "custody" not in north.files["list"].decode().lower()


# When nobody knows whether it went


@pytest.mark.parametrize("knobs", [Knobs(drop_after_accepting=1), Knobs(stall_seconds=3)], ids=["cut", "stalled"])
def test_what_was_taken_without_an_answer_is_found_by_its_reference_and_not_sent_again(tmp_path: Path, knobs):
    with office(tmp_path, knobs) as (room, server, _):
        channel = open_notify(server.url, timeout_seconds=1)
        room.post(written(NORTH))
        first = room.deliver(channel)
        knobs.stall_seconds = 0

        too_soon = room.deliver(channel, later=dt.timedelta(seconds=20))
        asked_early = [what for what in server.log if what[0] == "GET"]
        settled = room.deliver(channel, later=LATER)

        assert (first.doubtful, too_soon.doubtful, settled.doubtful) == (1, 1, 0)
        assert asked_early == []
        assert len(server.sent) == 1
        assert room.states() == {NORTH: "delivered"}


def test_what_the_service_does_not_know_is_sent_again_marked_as_a_repeat(tmp_path: Path):
    with office(tmp_path) as (room, server, channel):
        room.post(written(NORTH))
        die_while_sending(room)

        room.deliver(channel, later=LATER)

        (sent,) = server.sent
        assert sent.subject.endswith("(may be a repeat)")
        assert sent.body.startswith(
            "This may be a repeat: nobody could tell whether the same message reached you on 12"
        )


def test_a_list_that_is_late_makes_a_marked_copy_and_never_an_unmarked_one(tmp_path: Path):
    with office(tmp_path, Knobs(drop_after_accepting=1, seen_after_seconds=600)) as (room, server, channel):
        room.post(written(NORTH))
        room.deliver(channel)

        room.deliver(channel, later=LATER)

        assert [one.subject.endswith("(may be a repeat)") for one in server.sent] == [False, True]


def test_after_several_copies_without_an_answer_the_message_is_held(tmp_path: Path):
    knobs = Knobs(drop_after_accepting=99, seen_after_seconds=6000)
    with office(tmp_path, knobs) as (room, server, channel):
        room.post(written(NORTH))

        for _ in range(6):
            room.deliver(channel, later=LATER)

        assert len(server.to(NORTH)) == 3
        assert room.states() == {NORTH: "technical-failure"}
        assert "delivery in doubt" in room.events()


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(fault=(500, "Exception", "Internal server error")),
        Knobs(fault=(504, "EventletTimeout", "Timeout serving request")),
        Knobs(page=(201, b"[" * 100_000)),
    ],
    ids=["500", "504", "201 and brackets without end"],
)
def test_an_answer_that_does_not_say_what_became_of_a_message_leaves_it_in_doubt(tmp_path: Path, knobs):
    with office(tmp_path, knobs) as (room, server, channel):
        room.post(written(NORTH))

        delivered = room.deliver(channel)
        server.knobs = Knobs()
        room.deliver(channel, later=LATER)

        assert delivered.doubtful == 1
        assert [one.subject.endswith("(may be a repeat)") for one in server.sent] == [True]


def refusal(message: str) -> tuple[int, str, str]:
    return 400, "BadRequestError", message


def die_while_sending(room: Postroom) -> None:
    with room.database.writing() as store:
        store.execute(text("UPDATE message SET state = 'sending' WHERE id = 1"))
        attempts.begin_attempt(store, 1, "notify", room.now)


# What stops everything, and what stops one message


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        (Knobs(clock_skew=-300), " seconds fast; put it right"),
        (Knobs(fault=(403, "AuthError", "Invalid token: API key revoked")), "has been revoked; check KEY"),
        (Knobs(fault=(401, "AuthError", "Unauthorized")), "the API key was not accepted; check KEY"),
        (Knobs(bucket=0), "too many requests at once (429 RateLimitError); it will be tried again in a minute"),
        (Knobs(day_limit=0), "sent all it may today (429 TooManyRequestsError); the rest goes after midnight UTC"),
        (Knobs(page=(404, b"<h1>Not found</h1>")), "out of order (answered 404); it will be tried again"),
        (Knobs(page=(400, b"<h1>Bad request</h1>")), "out of order (answered 400); it will be tried again"),
        (Knobs(page=(400, b"[" * 100_000)), "out of order (answered 400); it will be tried again"),
    ],
)
def test_what_is_no_messages_fault_is_one_incident_and_no_message_is_given_up(tmp_path: Path, knobs, words):
    with office(tmp_path, knobs) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH), written(WEST))

        delivered = room.deliver(channel)

        assert words in (delivered.stopped or "")
        assert (delivered.to_retry, delivered.given_up, len(server.log)) == (3, 0, 1)
        assert set(room.states().values()) == {"created"}
        assert room.events() == ["delivery stopped"]
        assert room.attempts() == ["stopped"]


def test_after_the_days_limit_nothing_is_tried_before_midnight(tmp_path: Path):
    with office(tmp_path, Knobs(day_limit=0)) as (room, _, channel):
        room.now = dt.datetime.now(dt.UTC)
        room.post(written(NORTH))

        room.deliver(channel)

        ((wait,),) = room.rows("SELECT next_attempt_at FROM message")
        assert str(wait).startswith(f"{(room.now + dt.timedelta(1)).date()} 00:00:00")


def test_one_address_that_is_refused_is_given_up_and_the_others_go(tmp_path: Path):
    with office(tmp_path, Knobs(key_type="team", team=frozenset({SOUTH, WEST, ANALYST}))) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH), written(WEST))

        delivered = room.deliver(channel)

        assert room.states() == {NORTH: "permanent-failure", SOUTH: "sending", WEST: "sending"}
        assert "the key is for the team alone" in delivered.problems[0]
        assert ANALYST in {one.address for one in server.sent}


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        (Knobs(template=BOTH), "the template wants more than ((subject)), ((body))"),
        (Knobs(archived=True), "the template has been deleted"),
        (Knobs(template_type="sms"), "names a template that is not for e-mail"),
        (Knobs(may_send_email=False), "the service may not send e-mail"),
        (Knobs(fault=refusal("Template not found")), "template_id names no template of this service"),
        (Knobs(fault=refusal(f"email_reply_to_id {TEMPLATE} does not exist")), "reply_to_id names no reply-to address"),
        (Knobs(fault=refusal("Send files by email has not been set up - add")), "has no contact details for"),
        (Knobs(fault=refusal("File did not pass the virus scan")), "see the service's settings, and the address"),
    ],
)
def test_a_template_that_no_message_fits_stops_the_channel_and_blames_none(tmp_path: Path, knobs, words):
    with office(tmp_path, knobs) as (room, server, channel):
        room.post(written(NORTH), written(SOUTH), written(WEST))

        delivered = room.deliver(channel)
        server.knobs = Knobs()
        mended = room.deliver(channel, later=LATER)

        assert words in (delivered.stopped or "")
        assert delivered.given_up == 0
        assert mended.taken == 3


def test_a_service_that_is_not_there_costs_one_try(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with postroom(tmp_path) as room:
        room.post(written(NORTH), written(SOUTH))

        delivered = room.deliver(open_notify(url))

        assert "connection refused by 127.0.0.1; check that the service is running, and delivery.notify.base_url" in (
            delivered.stopped or ""
        )
        assert set(room.states().values()) == {"created"}


def test_an_address_that_would_begin_another_header_never_leaves(tmp_path: Path):
    with office(tmp_path) as (room, server, channel):
        room.post(written("lead@example.gov.uk\r\nBcc: all@example.com"), written(SOUTH))

        delivered = room.deliver(channel)

        assert delivered.given_up == 1
        assert server.sent[0].address == SOUTH


def test_nothing_that_is_kept_holds_an_address_a_link_or_the_key(tmp_path: Path):
    knobs = Knobs(key_type="team", team=frozenset({SOUTH, ANALYST}))
    with office(tmp_path, knobs) as (room, _, channel):
        room.post(written(NORTH), written(SOUTH))
        room.deliver(channel)

        kept = str(room.rows("SELECT detail FROM attempt") + room.rows("SELECT payload FROM flag_event"))

        assert NORTH not in kept
        assert "documents.service.gov.uk" not in kept
        assert API_KEY[-36:] not in kept


@pytest.mark.parametrize("key", ["", "not a key", API_KEY[:-1]])
def test_a_key_that_is_none_is_a_problem_before_anything_is_sent(key):
    with pytest.raises(Problems, match=r"delivery\.notify\.api_key_env") as caught:
        open_notify("https://notify.example", key)

    assert key == "" or key not in str(caught.value)


def test_a_key_is_read_from_a_file_too(tmp_path: Path):
    (tmp_path / "notify.key").write_text(f"{API_KEY}\n", encoding="utf-8")
    with notify_server() as server, postroom(tmp_path) as room:
        room.post(written(NORTH))
        channel = open_notify(server.url, api_key_env=None, api_key_file=tmp_path / "notify.key")

        assert room.deliver(channel).taken == 1


# The text as Notify reads it


def test_wrapped_lines_are_joined_and_headings_and_bullets_are_notifys():
    ours = (
        "OFFICIAL-SENSITIVE\n\nMost serious today (2)\n----------------------\n"
        "P_1_2 - critical - adviser A Example\n  https://cms.example.gov.uk/person/P_1_2\n"
        "  * No fixed abode\n    Accommodation: no fixed abode or homeless.\n"
        "    Next: Make contact today, agree somewhere safe for tonight, refer to\n"
        "    housing under the joint protocol and tell a manager.\n\n"
        "About this digest\n-----------------\n- One rule.\nEverything else.\n"
    )

    assert write_for_notify(ours, 78) == (
        "OFFICIAL-SENSITIVE\n\n## Most serious today (2)\n\n"
        "P_1_2 - critical - adviser A Example\nhttps://cms.example.gov.uk/person/P_1_2\n\n"
        "* No fixed abode\nAccommodation: no fixed abode or homeless.\n"
        "Next: Make contact today, agree somewhere safe for tonight, refer to housing under the joint protocol and "
        "tell a manager.\n\n## About this digest\n\n* One rule.\n\nEverything else.\n"
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("# 7 is an id", "\\# 7 is an id"),
        ("12. January", "12\\. January"),
        ("A [b](c) \\ d", "A \\[b\\](c) \\\\ d"),
        ("^ not an inset", " not an inset"),
        ("--- not a rule", "\\--- not a rule"),
        ("homeless      12      11", "homeless · 12 · 11"),
    ],
)
def test_what_notify_would_take_for_markup_stays_what_it_is(ours, theirs):
    assert write_for_notify(ours, 78) == f"{theirs.strip()}\n"
