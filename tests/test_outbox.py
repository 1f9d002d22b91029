"""The outbox: when messages are due, what becomes of them, and that none is lost or doubled."""

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text
from support.council import NIGHT, Council, crowd, day, settled
from support.postroom import ANALYST, HEAD, MANAGER, NORTH, SOUTH, WEST, Postroom, Script, postroom, written
from support.timed_service import few_rules

from monitor.delivery.envelope import Envelope, Receipt
from monitor.errors import DeliveryError
from monitor.messages.parts import Posting
from monitor.messages.told import ToldFlag
from monitor.outbox import attempts
from monitor.outbox.last_told import load_told
from monitor.outbox.queue import Postmark, find_due, post
from monitor.store.tables import Flag, Message, Person, table_of
from monitor.workdays import WorkingDays

EIGHT = dt.time(8)


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, accommodation="S: No fixed abode", suitable="b) Unsuitable", **other)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


# When messages are due


@pytest.mark.parametrize(
    ("written_at", "due_at", "why"),
    [
        ("2026-01-13 02:30", "2026-01-13 08:00", "a working day before its send hour is that day itself"),
        ("2026-01-13 08:00", "2026-01-14 08:00", "the hour has struck"),
        ("2026-01-16 20:00", "2026-01-19 08:00", "Friday evening waits for Monday"),
        ("2026-01-17 02:30", "2026-01-19 08:00", "so does Saturday"),
        ("2026-04-03 01:30", "2026-04-07 07:00", "Good Friday and Easter Monday, and the summer hour"),
        ("2026-07-14 01:30", "2026-07-14 07:00", "eight in London is seven in UTC"),
        ("2025-12-25 02:30", "2025-12-29 08:00", "Christmas, Boxing Day and a weekend"),
        ("2026-10-25 01:30", "2026-10-26 08:00", "the Sunday on which the clock goes back"),
    ],
)
def test_messages_of_an_unattended_night_are_due_at_the_send_hour_of_a_working_day(written_at, due_at, why):
    assert find_due(utc(written_at), unattended=True, send_hour=EIGHT) == utc(due_at), why


def test_what_is_due_on_a_closed_day_goes_on_the_next_working_day() -> None:
    closed = WorkingDays(frozenset(dt.date(2026, 1, n) for n in (15, 16, 20)))

    due = [find_due(utc(f"2026-01-{n} 02:30"), unattended=True, send_hour=EIGHT, days=closed) for n in (14, 15, 20)]

    assert due == [utc("2026-01-14 08:00"), utc("2026-01-19 08:00"), utc("2026-01-21 08:00")]


def test_messages_of_a_night_that_a_person_ran_are_due_at_once():
    saturday = utc("2026-01-17 22:15")

    assert find_due(saturday, unattended=False, send_hour=EIGHT) == saturday


def test_an_unattended_night_sends_nothing_until_its_messages_are_due(tmp_path: Path):
    council = Council(tmp_path, few_rules(tmp_path), clock=utc("2026-01-16 02:30"))
    night = council.night(dt.date(2026, 1, 17), [homeless("P1"), *crowd(5)], unattended=True)

    early = council.deliver(utc("2026-01-19 07:59"))
    sent_early = council.mail()
    due = council.deliver(utc("2026-01-19 08:00"))

    assert (night.delivered.delivered, early.delivered, sent_early) == (0, 0, [])
    assert due.delivered == night.messages > 1
    assert len(council.mail()) == night.messages


# What becomes of a message


def refused() -> DeliveryError:
    return DeliveryError("mail server m: refused the message (550 5.1.1)", permanent=True)


def busy() -> DeliveryError:
    return DeliveryError("mail server m: did not take the message for now (451)")


def lost() -> DeliveryError:
    return DeliveryError("mail server m: connection lost after the message had gone", ambiguous=True)


def down() -> DeliveryError:
    return DeliveryError("mail server m: cannot be reached", stops=True)


HOUR = dt.timedelta(hours=1)


def test_what_is_refused_outright_is_given_up_and_the_others_still_go(tmp_path: Path):
    channel = Script({NORTH: [refused()]})
    with postroom(tmp_path) as room:
        room.post(written(NORTH), written(SOUTH), written(WEST))

        delivered = room.deliver(channel)

        assert room.states() == {NORTH: "permanent-failure", SOUTH: "delivered", WEST: "delivered"}
        assert (delivered.given_up, delivered.all_went) == (1, False)
        assert room.events() == ["delivery given up"]


def test_the_manager_and_the_analyst_are_told_of_it_the_same_morning_and_once(tmp_path: Path):
    channel = Script({NORTH: [refused()]})
    with postroom(tmp_path) as room:
        room.post(written(NORTH))

        room.deliver(channel)
        room.deliver(channel, later=HOUR)

    notices = {one.recipient: one for one in channel.sent}
    assert [one.recipient for one in channel.sent] == [ANALYST, MANAGER]
    assert notices[MANAGER].subject == "OFFICIAL-SENSITIVE Leaving care: 1 e-mail not delivered - 12 January 2026"
    assert "The digest of 12 January 2026 to north@example.gov.uk (North)" in notices[MANAGER].text
    assert "550 5.1.1" in notices[MANAGER].text
    assert "550 5.1.1" in notices[MANAGER].html
    assert "P1" not in notices[MANAGER].text + notices[MANAGER].html


def test_a_notice_that_fails_is_on_record_and_makes_no_other(tmp_path: Path):
    channel = Script({each: [refused()] for each in (NORTH, MANAGER, ANALYST, HEAD)})
    with postroom(tmp_path) as room:
        room.post(written(NORTH))

        room.deliver(channel)
        room.deliver(channel, later=HOUR)

        assert channel.tried == [NORTH, ANALYST, MANAGER]
        assert room.events() == ["delivery given up"] * 3


def test_where_the_analyst_cannot_be_reached_the_head_of_service_hears(tmp_path: Path):
    channel = Script({ANALYST: [refused()]})
    with postroom(tmp_path) as room:
        room.post(written(ANALYST, "analyst"))

        room.deliver(channel)

    assert [one.recipient for one in channel.sent] == [HEAD]


def test_what_is_not_taken_for_now_is_tried_again_after_growing_waits_and_then_given_up(tmp_path: Path):
    channel = Script({NORTH: [busy()]})
    waits = [1, 3, 9, 27, 81, 240, 240]
    with postroom(tmp_path) as room:
        room.post(written(NORTH))
        room.deliver(channel)

        for number, minutes in enumerate(waits, start=1):
            room.deliver(channel, later=dt.timedelta(minutes=minutes, seconds=-1))
            assert len(channel.tried) == number
            room.deliver(channel, later=dt.timedelta(seconds=1))

        assert channel.tried == [NORTH] * (len(waits) + 1) + [ANALYST, MANAGER]
        assert room.states() == {NORTH: "permanent-failure"}
        assert "given up after 8 attempts" in " ".join(channel.sent[0].text.split())


def test_a_message_that_waits_for_its_next_try_goes_at_once_when_somebody_hurries(tmp_path: Path):
    channel = Script({NORTH: [busy(), None]})
    with postroom(tmp_path) as room:
        room.post(written(NORTH))
        room.deliver(channel)

        patient = room.deliver(channel)
        hurried = room.deliver(channel, hurried=True)

    assert (patient.delivered, hurried.delivered) == (0, 1)


def test_a_channel_that_is_down_costs_one_try_and_blames_no_message(tmp_path: Path):
    channel = Script({each: [down()] for each in (NORTH, SOUTH, WEST, MANAGER, ANALYST)})
    with postroom(tmp_path) as room:
        room.post(written(NORTH), written(SOUTH), written(WEST))

        first = room.deliver(channel)
        for _ in range(24 * 4):
            room.deliver(channel, later=HOUR / 4)
        channel.answers.clear()
        last = room.deliver(channel, later=HOUR)

        assert (first.stopped, first.to_retry, first.given_up) == ("mail server m: cannot be reached", 3, 0)
        assert set(room.attempts()[:-3]) == {"stopped"}
        assert last.delivered == 3
        assert room.events() == ["delivery stopped"] * 2  # one a day
        assert set(room.states().values()) == {"delivered"}


def test_mail_that_may_have_gone_is_held_and_told_and_never_sent_again(tmp_path: Path):
    channel = Script({NORTH: [lost(), None]})
    with postroom(tmp_path) as room:
        room.post(written(NORTH), written(SOUTH))

        delivered = room.deliver(channel)
        for _ in range(3):
            room.deliver(channel, later=HOUR)

        assert room.states() == {NORTH: "technical-failure", SOUTH: "delivered"}
        assert (delivered.doubtful, delivered.all_went) == (1, False)
        assert channel.tried.count(NORTH) == 1
        assert room.events() == ["delivery in doubt"]
        assert [one.recipient for one in channel.sent] == [SOUTH, ANALYST]
        assert "1 e-mail in doubt" in channel.sent[1].subject


def test_mail_that_a_killed_process_left_half_sent_is_held_and_told(tmp_path: Path):
    channel = Script()
    with postroom(tmp_path) as room:
        room.post(written(NORTH))
        die_while_sending(room, "scripted")

        delivered = room.deliver(channel, later=HOUR)

        assert room.states() == {NORTH: "technical-failure"}
        assert delivered.doubtful == 1
        assert room.attempts()[0] == "technical-failure"
        assert [one.recipient for one in channel.sent] == [ANALYST]


def test_a_folder_that_a_killed_process_left_half_written_is_written_again(tmp_path: Path):
    channel = Script(idempotent=True)
    with postroom(tmp_path) as room:
        room.post(written(NORTH))
        die_while_sending(room, "scripted")

        room.deliver(channel, later=HOUR)

        assert room.states() == {NORTH: "delivered"}


def test_what_another_channel_left_half_sent_is_held_whatever_this_one_can_do(tmp_path: Path):
    channel = Script(idempotent=True)
    with postroom(tmp_path) as room:
        room.post(written(NORTH))
        die_while_sending(room, "smtp")

        room.deliver(channel, later=HOUR)

        assert room.states() == {NORTH: "technical-failure"}


def die_while_sending(room: Postroom, channel: str) -> None:
    """As the database stands when the process is killed between the record of an attempt and its end."""
    with room.database.writing() as store:
        store.execute(text("UPDATE message SET state = 'sending' WHERE id = 1"))
        attempts.begin_attempt(store, 1, channel, room.now)


# A few at once


@dataclass
class Crowded(Script):
    """A channel that three messages may use at once, each held back by what is done before its answer."""

    at_once: int = 3
    before: dict[str, Callable[[], object]] = field(default_factory=dict)

    def send(self, envelope: Envelope) -> Receipt:
        self.before.pop(envelope.text, lambda: None)()
        return super().send(envelope)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_slow_answer_holds_up_its_own_reader_alone_and_what_was_written_later_never_overtakes(tmp_path: Path):
    channel = Crowded()
    channel.before["the digest\n"] = lambda: until(lambda: len(channel.sent) == 2)
    with postroom(tmp_path) as room:
        north = (written(NORTH, text="the digest\n"), written(NORTH, "other", text="more\n"))
        room.post(written(SOUTH), *north, written(WEST))

        delivered = room.deliver(channel)

    assert [one.recipient for one in channel.sent] == [SOUTH, WEST, NORTH, NORTH]
    assert [one.text for one in channel.sent[2:]] == ["the digest\n", "more\n"]
    assert delivered.delivered == 4


def test_a_refusal_is_told_while_a_slow_answer_is_awaited(tmp_path: Path):
    channel = Crowded({WEST: [refused()]})
    channel.before["the digest\n"] = lambda: until(lambda: ANALYST in [one.recipient for one in channel.sent])
    with postroom(tmp_path) as room:
        room.post(written(SOUTH), written(NORTH, text="the digest\n"), written(WEST))

        delivered = room.deliver(channel)

    assert (delivered.delivered, delivered.given_up) == (3, 1)


def test_after_an_incident_nothing_new_is_begun_and_what_is_on_its_way_is_recorded(tmp_path: Path):
    channel = Crowded({NORTH: [down()]})
    with postroom(tmp_path) as room:
        channel.before["slow\n"] = lambda: until(lambda: "stopped" in room.attempts())
        room.post(written(SOUTH), written(NORTH), written(WEST, text="slow\n"), written(NORTH, "other"))

        delivered = room.deliver(channel)

        assert channel.tried == [SOUTH, NORTH, WEST]
        assert room.states() == {SOUTH: "delivered", NORTH: "created", WEST: "delivered"}
        assert (delivered.delivered, delivered.to_retry) == (2, 2)


def test_a_defect_in_sending_one_message_is_raised_once_the_others_are_recorded(tmp_path: Path):
    channel = Crowded()
    with postroom(tmp_path) as room:
        channel.before |= {"odd\n": lambda: 1 / 0, "slow\n": lambda: time.sleep(0.05)}
        room.post(written(SOUTH), written(NORTH, text="odd\n"), written(WEST, text="slow\n"))

        with pytest.raises(ZeroDivisionError):
            room.deliver(channel)

        assert room.states() == {SOUTH: "delivered", NORTH: "sending", WEST: "delivered"}


# Answers and conversations


def test_answers_go_to_the_analyst_but_never_what_only_the_head_of_service_is_shown(tmp_path: Path):
    (tmp_path / "restricted.txt").write_text("P1\n", encoding="utf-8")
    channel = Script()
    with postroom(tmp_path, restricted="restricted.txt") as room:
        room.post(written(NORTH, people=("P2",)), written(HEAD, "head", people=("P1",)), written(ANALYST, "analyst"))
        room.deliver(channel)

    assert {one.recipient: one.reply_to for one in channel.sent} == {NORTH: ANALYST, HEAD: None, ANALYST: ANALYST}
    assert {one.recipient for one in channel.sent if one.for_head_alone} == {HEAD}
    assert {one.sender_name for one in channel.sent} == {"Leaving care monitor"}


def test_a_readers_days_are_one_conversation_and_a_correction_answers_what_it_corrects(tmp_path: Path):
    channel = Script()
    with postroom(tmp_path) as room:
        for run_id, later in enumerate((0, 24, 1), start=1):
            room.now += later * HOUR
            room.post(written(NORTH), written(SOUTH), run_id=run_id, as_at=room.now.date())
            room.deliver(channel)

    first, second, again = (one for one in channel.sent if one.recipient == NORTH)
    threads = [one.thread for one in (first, second, again)]
    roots = {one.thread.root for one in channel.sent if one.thread}
    assert [(one.earlier, one.corrects) for one in threads if one] == [
        (None, False), (first.key, False), (second.key, True),
    ]  # fmt: skip
    assert {one.root for one in threads if one} < roots
    assert len(roots) == 2
    assert all(re.fullmatch(r"reader-[0-9a-f]{24}", root) for root in roots)


# The last look


def test_an_address_outside_the_allowed_domains_is_never_sent_to(tmp_path: Path):
    channel = Script()
    with postroom(tmp_path, delivery={"allowed_domains": ["example.gov.uk"]}) as room:
        room.post(written("lead@elsewhere.example"), written(NORTH))

        room.deliver(channel)

        assert room.states() == {"lead@elsewhere.example": "permanent-failure", NORTH: "delivered"}
        assert "lead@elsewhere.example" not in channel.tried


def remember(room: Postroom, person_id: str, team: str = "North", died_on: dt.date | None = None) -> None:
    row = {
        "person_id": person_id, "team": team, "died_on": died_on, "last_values": "{}", "values_fingerprint": "f",
        "first_seen_on": dt.date(2026, 1, 1),
    }  # fmt: skip
    with room.database.writing() as store:
        store.execute(table_of(Person).insert().values(row))


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({"died_on": dt.date(2026, 1, 13)}, "someone it names has been recorded as died"),
        ({"died_on": dt.date(2026, 1, 12)}, "someone it names has been recorded as died"),
        ({"team": "South"}, "someone it names is with another team"),
    ],
)
def test_a_message_that_may_no_longer_be_said_is_withheld_and_the_analyst_is_told(tmp_path: Path, now, why):
    channel = Script()
    with postroom(tmp_path) as room:
        room.post(written(NORTH, people=("P1", "P2")), written(SOUTH))
        remember(room, "P1", **now)
        remember(room, "P2")

        delivered = room.deliver(channel)

        assert room.states() == {NORTH: "replaced", SOUTH: "delivered"}
        assert delivered.withheld == 1
        assert room.events() == ["message withheld"]
        assert [one.recipient for one in channel.sent] == [SOUTH, ANALYST]
        assert why in " ".join(channel.sent[1].text.split())
        assert "P1" not in channel.sent[1].text + channel.sent[1].html


def test_someone_restricted_since_is_shown_to_the_head_of_service_alone(tmp_path: Path):
    (tmp_path / "restricted.txt").write_text("P1\n", encoding="utf-8")
    channel = Script()
    with postroom(tmp_path, restricted="restricted.txt") as room:
        room.post(written(NORTH, people=("P1",)), written(HEAD, people=("P1",)))
        remember(room, "P1")

        room.deliver(channel)

        assert room.states() == {NORTH: "replaced", HEAD: "delivered"}


def test_the_teams_own_manager_may_be_told_of_its_people_and_another_teams_lead_may_not(tmp_path: Path):
    with postroom(tmp_path) as room:
        room.post(*(written(one, "other", people=("P1",)) for one in (MANAGER, ANALYST, HEAD, SOUTH)))
        remember(room, "P1")

        room.deliver(Script())

        assert room.states("other") == {
            MANAGER: "delivered", ANALYST: "delivered", HEAD: "delivered", SOUTH: "replaced",
        }  # fmt: skip


def test_a_leads_digest_goes_only_to_who_reads_daily_but_a_part_that_only_a_night_can_write_takes_it_along(
    tmp_path: Path,
):
    with postroom(tmp_path) as room:
        room.post(*(written(MANAGER, f"k{n}", holds=("lead", *more)) for n, more in enumerate([(), ("backlog",)])))

        room.deliver(Script())

        assert [room.states(kind)[MANAGER] for kind in ("k0", "k1")] == ["replaced", "delivered"]


def test_a_later_nights_digest_replaces_what_waits_and_leaves_other_kinds_alone(tmp_path: Path):
    channel = Script({each: [down(), None] for each in (NORTH,)})
    with postroom(tmp_path) as room:
        room.post(written(NORTH, text="the first\n"), written(NORTH, "other", text="something else\n"))
        room.deliver(channel)
        room.post(written(NORTH, text="the second\n"), run_id=2)

        room.deliver(channel, later=HOUR)

    assert [one.text for one in channel.sent] == ["something else\n", "the second\n"]


def test_each_message_is_saved_before_the_next_is_written(tmp_path: Path):
    saved: list[int] = []

    def write(store: Connection) -> Iterator[Posting]:
        for recipient in (NORTH, SOUTH, WEST):
            saved.append(store.execute(select(func.count()).select_from(table_of(Message))).scalar_one())
            yield Posting(written(recipient))

    with postroom(tmp_path) as room:
        postmark = Postmark(1, room.now.date(), created_at=room.now, due_at=room.now)
        with room.database.writing() as store:
            assert post(store, write(store), postmark) == 3

        assert saved == [0, 1, 2]
        assert room.states() == dict.fromkeys((NORTH, SOUTH, WEST), "created")


def test_of_a_flag_told_twice_the_newest_telling_counts_but_not_one_in_doubt_or_replaced(tmp_path: Path):
    channel = Script({NORTH: [None, None, lost(), down()]})
    with postroom(tmp_path) as room:
        flag = {"id": 7, "person_id": "P1", "rule": "known-address", "severity": "high", "opened_on": room.now.date()}
        with room.database.writing() as store:
            told_of = {"opened_run_id": 1, "in_breach_since": room.now.date(), "because": "No address is recorded."}
            store.execute(table_of(Flag).insert().values(flag | told_of))
        for run_id, stood in enumerate((("medium", "open"), ("high", "held"), ("critical", "open"), ("data", "open"))):
            room.post(Posting(written(NORTH), news=((7, *stood),)), run_id=run_id + 1)
            room.deliver(channel, later=HOUR)
        room.post(written(SOUTH), run_id=5)

        states = room.rows("SELECT state FROM message WHERE kind = 'lead' ORDER BY id")
        with room.database.reading() as store:
            told = load_told(store, since=room.now.date())

    assert [state for (state,) in states] == ["delivered", "delivered", "technical-failure", "replaced", "created"]
    assert told[NORTH].flags == {7: ToldFlag("P1", "high", "held")}


# Whole nights


def test_a_death_recorded_over_the_weekend_reaches_the_analyst_on_monday_and_no_lead(tmp_path: Path):
    council = Council(tmp_path, few_rules(tmp_path), clock=utc("2026-01-15 02:30"))
    others = crowd(20)
    friday, saturday, sunday = (dt.date(2026, 1, each) for each in (16, 17, 18))
    dead = homeless("P1", in_touch="c) Died")
    council.night(friday, [homeless("P1"), homeless("P2"), *others], unattended=True)

    council.night(saturday, [dead, homeless("P2"), *others], unattended=True)
    council.night(sunday, [dead, homeless("P2"), *others], unattended=True)
    council.deliver(utc("2026-01-19 08:00"))

    mails = {mail.to: mail for mail in council.mail()}
    assert len(council.mail()) == len(mails)  # one each, of three nights
    assert "P1" in mails["analyst@example.gov.uk"].text
    assert "P1" not in mails[NORTH].text + mails[NORTH].html
    assert "P2" in mails[NORTH].text


def test_what_a_failed_digest_told_is_new_again_in_the_next_and_what_is_in_doubt_says_so(tmp_path: Path):
    council = Council(tmp_path, few_rules(tmp_path))
    people = [homeless("P1"), settled("P3", team="South", accommodation="S: No fixed abode"), *crowd(30)]
    council.night(NIGHT, people)
    fates = {NORTH: "permanent-failure", SOUTH: "technical-failure"}
    with council.open_database() as database, database.writing() as store:
        for address, state in fates.items():
            message = table_of(Message)
            store.execute(message.update().where(message.c.recipient == address).values(state=state))

    council.night(day(1), people)

    (north,), (south,) = council.mail_to(NORTH, day(1)), council.mail_to(SOUTH, day(1))
    assert "P1" in north.text
    assert "P3" in south.text
    assert "You may have had some of this on 12 January 2026" not in north.text
    assert "You may have had some of this on 12 January 2026" in " ".join(south.text.split())
