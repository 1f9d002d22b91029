"""When the service does what: decided from values, then whole nights with a clock of their own, and real processes."""

import datetime as dt
import email
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import policy
from pathlib import Path

import pytest
from support.command import monitor
from support.posix import NEW_GROUP, STOP, UNDER_WINE, needs_posix
from support.servers.mail import free_port
from support.servers.notify import API_KEY, TEMPLATE, Knobs, notify_server
from support.timed_service import Timed, days_between, few_rules, live_through, moments

from monitor.config.closed_days import ClosedDays
from monitor.config.settings import Config
from monitor.night.context import Tools
from monitor.night.withdraw import WithdrawalRequest, withdraw_night
from monitor.service import due
from monitor.service import status as standings
from monitor.service.concerns import judge
from monitor.service.due import DoneByProcess, Facts
from monitor.service.steps import find_leaders
from monitor.store.location import locate
from monitor.workdays import LONDON, london_date

WEDNESDAY = dt.date(2027, 6, 2)
YESTERDAY = WEDNESDAY - dt.timedelta(1)
IN_OCTOBER, IN_MARCH = dt.date(2027, 10, 31), dt.date(2028, 3, 26)
"""When the clock is put back, and when it is put forward."""


def config(**service: object) -> Config:
    return Config.model_validate(
        {
            "sources": [{"name": "caseload", "kind": "annex-a-list-9", "path": "/caseload.csv"}],
            "people": {"analyst": "analyst@example.gov.uk", "head": "head@example.gov.uk"},
            "service": service,
        },
        context={"folder": Path("/")},
    )


USUAL = config()
TEN_MINUTES = dt.timedelta(minutes=10)


def at(hour: str, day: dt.date = WEDNESDAY) -> dt.datetime:
    """So late by the clocks of London."""
    return dt.datetime.combine(day, dt.time.fromisoformat(hour), LONDON)


def facts(**known: object) -> Facts:
    """Yesterday's night was accepted, and nothing waits."""
    return Facts(**{"last_accepted": YESTERDAY, **known})  # type: ignore[arg-type]


TODAY_DONE = facts(last_accepted=WEDNESDAY, lists=True)
QUIET = DoneByProcess(purged_on=WEDNESDAY, settled_on=WEDNESDAY)


@pytest.mark.parametrize(("hour", "steps"), [("02:29", ()), ("02:30", ("night",)), ("23:59", ("night",))])
def test_the_night_is_due_once_its_hour_has_passed(hour: str, steps: tuple[str, ...]) -> None:
    assert due.plan(USUAL, facts(), DoneByProcess(), at(hour)) == steps


def test_the_first_night_of_all_is_due_like_any_other() -> None:
    assert due.plan(USUAL, Facts(), DoneByProcess(), at("02:30")) == ("night",)


def test_a_night_that_was_accepted_is_not_due_again() -> None:
    assert due.plan(USUAL, TODAY_DONE, QUIET, at("02:31")) == ()
    assert due.plan(USUAL, TODAY_DONE, QUIET, at("23:59")) == ()


def test_an_accepted_night_without_its_lists_is_finished() -> None:
    assert due.plan(USUAL, facts(last_accepted=WEDNESDAY), QUIET, at("02:31")) == ("night",)


@pytest.mark.parametrize("run_at", [dt.time(0, 30), dt.time(2, 30), dt.time(4)])
@pytest.mark.parametrize("change", [IN_OCTOBER, IN_MARCH])
def test_a_night_when_the_clocks_change_is_run_once(change: dt.date, run_at: dt.time) -> None:
    start, end = (at("00:00", change + dt.timedelta(n)).astimezone(dt.UTC) for n in (-1, 2))
    known, run = facts(last_accepted=change - dt.timedelta(2), lists=True), []

    for look in range((end - start) // TEN_MINUTES):
        now = start + look * TEN_MINUTES
        today = london_date(now)
        known = facts(last_accepted=known.last_accepted, lists=known.last_accepted == today)
        if "night" in due.plan(config(run_at=run_at), known, DoneByProcess(), now):
            run.append(now.astimezone(LONDON))
            known = facts(last_accepted=today, lists=True)

    assert [one.date() for one in run] == days_between(change - dt.timedelta(1), change + dt.timedelta(1))
    assert {one.time() for one in run} == {run_at}


@pytest.mark.parametrize("hour", ["01:00", "01:59"])
def test_an_hour_that_comes_twice_in_october_is_refused(hour: str) -> None:
    with pytest.raises(ValueError, match="the clocks change"):
        config(run_at=hour)


def test_after_days_of_standing_still_only_today_is_run() -> None:
    known = facts(last_accepted=WEDNESDAY - dt.timedelta(1))

    assert due.plan(USUAL, known, DoneByProcess(), at("15:00")) == ("night",)
    assert due.plan(USUAL, TODAY_DONE, QUIET, at("15:01")) == ()


def test_a_clock_set_back_runs_no_night_again() -> None:
    tomorrow_done = facts(last_accepted=WEDNESDAY + dt.timedelta(1), lists=True)

    assert "night" not in due.plan(USUAL, TODAY_DONE, QUIET, at("02:31") - dt.timedelta(hours=1))
    assert "night" not in due.plan(USUAL, tomorrow_done, DoneByProcess(), at("12:00"))


def test_an_accepted_night_of_a_day_to_come_is_told_once_a_day_unless_it_comes_within_the_hour() -> None:
    tomorrow = facts(last_accepted=WEDNESDAY + dt.timedelta(1), last_come=YESTERDAY)
    told, tried = DoneByProcess(ahead_on=WEDNESDAY), DoneByProcess(ahead_at=at("11:58"))

    assert due.plan(USUAL, tomorrow, DoneByProcess(), at("12:00")) == ("ahead",)
    assert due.plan(USUAL, tomorrow, tried, at("12:00")) == ()
    assert due.plan(USUAL, tomorrow, tried, at("12:03")) == ("ahead",)
    assert due.plan(USUAL, tomorrow, told, at("23:59")) == ()
    assert due.plan(USUAL, tomorrow, DoneByProcess(), at("22:59")) == ("ahead",)
    assert due.plan(USUAL, tomorrow, DoneByProcess(), at("23:00")) == ()


def test_what_a_clock_that_was_ahead_accepted_or_told_keeps_no_outage_from_being_told() -> None:
    ahead = facts(last_accepted=WEDNESDAY + dt.timedelta(90), last_come=WEDNESDAY - dt.timedelta(6))
    done = DoneByProcess(ahead_on=WEDNESDAY, outage_on=WEDNESDAY + dt.timedelta(90))

    assert due.plan(USUAL, ahead, done, at("08:00")) == ("outage",)


def test_the_next_night_is_the_one_after_an_accepted_night_of_a_day_to_come() -> None:
    ahead = facts(last_accepted=WEDNESDAY + dt.timedelta(90), last_come=YESTERDAY)

    assert due.next_night(USUAL, ahead, at("12:00")) == at("02:30", WEDNESDAY + dt.timedelta(91))


def test_a_night_that_failed_is_tried_again_after_a_while_and_only_so_often() -> None:
    settings = config(retry_after_minutes=60, retries=2)
    tries = [at("02:31"), at("03:32"), at("04:33")]

    assert due.plan(settings, facts(failed_at=(tries[0],)), DoneByProcess(), at("03:30")) == ()
    assert due.plan(settings, facts(failed_at=(tries[0],)), DoneByProcess(), at("03:31")) == ("night",)
    assert due.plan(settings, facts(failed_at=tuple(tries[:2])), DoneByProcess(), at("04:00")) == ()
    assert due.plan(settings, facts(failed_at=tuple(tries[:2])), DoneByProcess(), at("04:32")) == ("night",)
    assert due.plan(settings, facts(failed_at=tuple(tries)), DoneByProcess(), at("23:00")) == ()


def test_a_try_the_database_knows_nothing_of_is_counted_for_its_own_date() -> None:
    settings = config(retries=1)

    assert due.plan(settings, facts(), DoneByProcess(failed_at=(at("02:30"),)), at("03:00")) == ()
    assert due.plan(settings, facts(), DoneByProcess(failed_at=(at("02:30"), at("03:30"))), at("09:00")) == ()
    assert due.plan(settings, facts(), DoneByProcess(failed_at=(at("23:50", YESTERDAY),)), at("02:30")) == ("night",)


def test_a_retry_waits_no_longer_when_the_clock_was_set_back() -> None:
    assert due.plan(USUAL, facts(failed_at=(at("03:50"),)), DoneByProcess(), at("02:55")) == ("night",)


def test_a_night_that_was_cut_off_is_run_again_at_once_but_not_for_ever() -> None:
    cut = tuple(at("02:30") + dt.timedelta(minutes=n) for n in range(20))
    settings = config(retries=2)

    assert due.plan(settings, facts(cut_off_at=cut[:1]), DoneByProcess(), at("02:31")) == ("night",)
    assert due.plan(settings, facts(cut_off_at=cut[:5]), DoneByProcess(), at("02:35")) == ("night",)
    assert due.plan(settings, facts(cut_off_at=cut[:6]), DoneByProcess(), at("02:36")) == ()
    assert due.plan(settings, facts(cut_off_at=cut[:6]), DoneByProcess(), at("03:36")) == ("night",)
    assert due.plan(settings, facts(cut_off_at=cut[:8]), DoneByProcess(), at("12:00")) == ()


FRIDAY, MONDAY = dt.date(2027, 6, 4), dt.date(2027, 6, 7)


@pytest.mark.parametrize(
    ("last_accepted", "now", "told"),
    [
        (FRIDAY, at("08:00", MONDAY), False),
        (FRIDAY, at("08:00", MONDAY + dt.timedelta(1)), False),
        (FRIDAY, at("07:59", MONDAY + dt.timedelta(2)), False),
        (FRIDAY, at("08:00", MONDAY + dt.timedelta(2)), True),
        (dt.date(2027, 6, 1), at("08:00", FRIDAY), True),
        (dt.date(2027, 6, 1), at("08:00", FRIDAY + dt.timedelta(1)), False),
        (dt.date(2027, 12, 23), at("08:00", dt.date(2027, 12, 29)), False),
        (dt.date(2027, 12, 23), at("08:00", dt.date(2027, 12, 30)), True),
    ],
    ids=[
        "one",
        "two",
        "three, early",
        "three",
        "three on a Friday",
        "a Saturday",
        "Christmas, two",
        "Christmas, three",
    ],
)
def test_leads_are_told_on_a_working_day_after_three_without_a_night(
    last_accepted: dt.date, now: dt.datetime, told: bool
) -> None:
    known = Facts(last_accepted=last_accepted, failed_at=(now,))

    assert ("outage" in due.plan(USUAL, known, DoneByProcess(), now)) is told


@pytest.mark.parametrize(("days", "told"), [(0, False), (1, False), (6, False), (7, True), (9, True)])
def test_while_it_lasts_leads_are_told_once_a_week(days: int, told: bool) -> None:
    first_told = MONDAY + dt.timedelta(2)
    now = at("09:00", first_told + dt.timedelta(days))

    in_database = due.plan(USUAL, Facts(last_accepted=FRIDAY, outage_told_on=first_told), DoneByProcess(), now)
    in_process = due.plan(USUAL, Facts(last_accepted=FRIDAY), DoneByProcess(outage_on=first_told), now)

    assert ("outage" in in_database) is ("outage" in in_process) is told


def test_an_outage_counts_no_closed_day_and_is_told_on_none() -> None:
    third = at("09:00", MONDAY + dt.timedelta(2))
    known = Facts(last_accepted=FRIDAY, failed_at=(third,))

    def steps(closed: dt.date, now: dt.datetime) -> tuple[str, ...]:
        return due.plan(
            USUAL.model_copy(update={"closed_days": (ClosedDays(closed, closed),)}), known, DoneByProcess(), now
        )

    assert "outage" not in steps(MONDAY, third)
    assert "outage" in steps(MONDAY, third + dt.timedelta(1))
    assert "outage" not in steps(third.date(), third)


def test_the_next_outage_is_told_whenever_the_last_was() -> None:
    known = Facts(last_accepted=FRIDAY, outage_told_on=FRIDAY - dt.timedelta(1))

    assert "outage" in due.plan(USUAL, known, DoneByProcess(), at("09:00", MONDAY + dt.timedelta(2)))


def test_a_service_that_never_had_a_night_tells_leads_nothing() -> None:
    assert "outage" not in due.plan(USUAL, Facts(failed_at=(at("02:31"),)), DoneByProcess(), at("09:00"))


def test_messages_go_when_they_are_due_and_the_last_delivery_is_long_enough_ago() -> None:
    settings = config(deliver_every_minutes=5)
    waiting = facts(last_accepted=WEDNESDAY, lists=True, waiting_from=at("08:00"))

    def steps(now: dt.datetime, delivered_at: dt.datetime | None = None) -> tuple[str, ...]:
        done = DoneByProcess(purged_on=WEDNESDAY, settled_on=WEDNESDAY, delivered_at=delivered_at)
        return due.plan(settings, waiting, done, now)

    assert steps(at("07:59")) == ()
    assert steps(at("08:00")) == ("deliver",)
    assert steps(at("08:04"), at("08:00")) == ()
    assert steps(at("08:05"), at("08:00")) == ("deliver",)
    assert steps(at("08:00"), at("08:58")) == ("deliver",), "the clock was set back an hour"


def test_receipts_are_asked_for_now_and_then_as_long_as_any_is_awaited() -> None:
    settings = config(receipts_every_minutes=15)

    def steps(now: dt.datetime, asked_at: dt.datetime | None, *, awaited: bool = True) -> tuple[str, ...]:
        known = facts(last_accepted=WEDNESDAY, lists=True, receipts=awaited)
        return due.plan(
            settings, known, DoneByProcess(purged_on=WEDNESDAY, settled_on=WEDNESDAY, receipts_at=asked_at), now
        )

    assert steps(at("09:00"), None) == ("receipts",)
    assert steps(at("09:14"), at("09:00")) == ()
    assert steps(at("09:15"), at("09:00")) == ("receipts",)
    assert steps(at("09:15"), at("09:00"), awaited=False) == ()


def test_the_heartbeat_waits_for_every_message_of_the_day_but_not_for_ever() -> None:
    waiting = facts(last_accepted=WEDNESDAY, lists=True, unsettled_since=at("08:00"))
    purged = DoneByProcess(purged_on=WEDNESDAY)

    assert due.plan(USUAL, waiting, purged, at("02:35")) == ()
    assert due.plan(USUAL, waiting, purged, at("10:00")) == ()
    assert due.plan(USUAL, waiting, purged, at("10:01")) == ("heartbeat",)
    assert due.plan(USUAL, TODAY_DONE, purged, at("08:01")) == ("heartbeat",)
    assert due.plan(USUAL, TODAY_DONE, QUIET, at("08:02")) == ()


def test_nothing_but_a_night_is_due_before_the_first_is_accepted() -> None:
    assert due.plan(USUAL, facts(), DoneByProcess(), at("12:00")) == ("night",)
    assert due.plan(USUAL, facts(failed_at=(at("11:59"),)), DoneByProcess(), at("12:00")) == ()


@pytest.mark.parametrize(
    ("known", "now", "next_at"),
    [
        (facts(), at("01:00"), at("02:30")),
        (facts(), at("03:00"), at("03:00")),
        (TODAY_DONE, at("03:00"), at("02:30", WEDNESDAY + dt.timedelta(1))),
        (facts(failed_at=(at("02:31"),)), at("03:00"), at("03:31")),
        (
            facts(failed_at=tuple(at(f"{hour:02}:31") for hour in range(2, 9))),
            at("10:00"),
            at("02:30", WEDNESDAY + dt.timedelta(1)),
        ),
    ],
    ids=["before", "overdue", "done", "to be retried", "given up for today"],
)
def test_the_next_night_is_told_as_it_will_be(known: Facts, now: dt.datetime, next_at: dt.datetime) -> None:
    assert due.next_night(USUAL, known, now) == next_at


ANALYST = "analyst@example.gov.uk"


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a council whose first night was accepted before anyone was at work."""
    folder = tmp_path_factory.mktemp("council")
    council = Timed(folder, few_rules(folder), 40)
    council.write(WEDNESDAY)
    assert council.wake(at("02:30")) == ("night", "purge")
    return folder


def copied(one_night: Path, folder: Path, settings: str = "", **environ: str) -> Timed:
    shutil.copytree(one_night, folder, dirs_exist_ok=True)
    return Timed(folder, few_rules(folder) + settings, 40, environ)


def break_caseload(council: Timed) -> None:
    (council.folder / "list-9.csv").write_text("nothing\nof it\n", encoding="utf-8")


def test_each_night_round_the_clock_change_is_accepted_once_and_a_day_down_is_left_out(tmp_path: Path) -> None:
    council = Timed(tmp_path, few_rules(tmp_path), 40)
    down = IN_OCTOBER - dt.timedelta(1)
    days = days_between(down - dt.timedelta(1), IN_OCTOBER)

    live_through(council, days, down=[down], looks=1)
    council.restart()
    again = [council.wake(moment) for moment in moments(IN_OCTOBER)]

    assert council.accepted() == [down - dt.timedelta(1), IN_OCTOBER]
    assert council.rows("SELECT count(*) FROM run") == [(2,)]
    assert "night" not in {step for steps in again for step in steps}


def test_a_night_that_fails_is_tried_again_and_told_of_once_and_recovers(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    council.wake(at("08:00"))
    before = len(council.mail())
    break_caseload(council)

    for hour in ("02:30", "02:40", "03:31", "04:32", "08:00"):
        council.wake(at(hour, thursday))
    told = council.mail()[before:]
    council.write(thursday)
    council.wake(at("09:01", thursday))

    assert [recipient for recipient, _ in told] == [ANALYST]
    states = council.rows("SELECT state FROM run ORDER BY id")
    assert states == [("accepted",), *[("failed",)] * 4, ("accepted",)]


def test_a_database_out_of_use_is_told_to_the_analyst_once_for_the_date(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    file, aside = tmp_path / "data" / "monitor.db", tmp_path / "aside.db"
    council.wake(at("08:00"))
    before = len(council.mail())
    file.rename(aside)
    file.write_bytes(b"no database at all" * 1000)

    for day in (thursday, thursday + dt.timedelta(1)):
        for hour in ("02:30", "03:31", "08:00"):
            council.wake(at(hour, day))
        council.restart()
    told = council.mail()[before:]
    file.unlink()
    aside.rename(file)
    council.write(thursday + dt.timedelta(1))
    council.wake(at("09:01", thursday + dt.timedelta(1)))

    assert [recipient for recipient, _ in told] == [ANALYST, ANALYST]
    assert all("night failed" in subject for _, subject in told)
    assert council.accepted() == [WEDNESDAY, thursday + dt.timedelta(1)]


def test_a_database_that_has_gone_is_not_made_anew_even_after_a_restart(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    council.wake(at("12:00"))
    file, aside = tmp_path / "data" / "monitor.db", tmp_path / "aside.db"
    before = len(council.mail())
    file.rename(aside)
    council.write(thursday)

    council.wake(at("02:30", thursday))
    council.restart()
    council.wake(at("03:31", thursday))
    rehearsed = monitor(tmp_path, "run", "--dry-run")

    assert not file.exists()
    assert [recipient for recipient, _ in council.mail()[before:]] == [ANALYST]
    assert rehearsed.returncode != 0
    assert "monitor.db: is not there, though nights have been run here" in " ".join(rehearsed.stderr.split())
    aside.rename(file)
    council.wake(at("04:32", thursday))
    assert council.accepted() == [WEDNESDAY, thursday]


def test_settings_that_are_not_valid_send_leads_nothing_and_are_told_of_once(one_night: Path, tmp_path: Path) -> None:
    council = copied(one_night, tmp_path)
    before, valid = len(council.mail()), council.config_path.read_text(encoding="utf-8")
    thursday = WEDNESDAY + dt.timedelta(1)

    council.config_path.write_text(valid.replace("[lists]", "[lists]\nworkboks = true"), encoding="utf-8")
    refused = [council.wake(at(hour)) for hour in ("08:00", "08:01", "08:05", "08:10", "23:59")]
    told = council.mail()[before:]
    council.config_path.write_text(valid, encoding="utf-8")
    council.write(thursday)
    mended = [council.wake(at(hour, thursday)) for hour in ("02:30", "08:00")]

    ((recipient, subject),) = told
    assert recipient == ANALYST
    assert "settings cannot be used" in subject
    assert refused == [()] * 5
    assert mended == [("night", "purge"), ("deliver", "heartbeat")]
    assert council.accepted() == [WEDNESDAY, thursday]


def test_a_night_is_not_run_by_settings_that_are_not_valid_until_they_are(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    council.wake(at("08:00"))
    before, valid = len(council.mail()), council.config_path.read_text(encoding="utf-8")
    council.write(thursday)

    council.config_path.write_text(valid.replace("[lists]", "[lists]\nworkboks = true"), encoding="utf-8")
    refused = [council.wake(at(hour, thursday)) for hour in ("02:30", "02:40", "03:31", "09:00")]
    told = council.mail()[before:]
    council.config_path.write_text(valid, encoding="utf-8")
    mended = council.wake(at("09:05", thursday))

    assert [recipient for recipient, _ in told] == [ANALYST]
    assert refused == [()] * 4
    assert mended[0] == "night"
    assert council.rows("SELECT state FROM run ORDER BY id") == [("accepted",), ("accepted",)]


def test_valid_settings_count_at_the_next_night_and_the_next_delivery(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    before, first = len(council.mail()), council.config_path.read_text(encoding="utf-8")

    council.config_path.write_text(first + '[delivery]\nsender = "care@example.gov.uk"\n', encoding="utf-8")
    council.wake(at("08:00"))
    senders = {
        email.message_from_bytes(path.read_bytes(), policy=policy.default)["From"]
        for path in (tmp_path / "data" / "outbox").rglob("*.eml")
    }
    council.config_path.write_text(first.replace("north@", "cover@"), encoding="utf-8")
    council.write(thursday)
    council.wake(at("02:30", thursday))
    council.wake(at("08:00", thursday))

    leads = [to for to, _ in council.mail()[before:] if to.startswith(("north@", "cover@"))]
    assert senders == {"Leaving care monitor <care@example.gov.uk>"}
    assert leads == ["north@example.gov.uk", "cover@example.gov.uk"]


def test_the_timetable_is_that_of_the_start(one_night: Path, tmp_path: Path) -> None:
    council, thursday = copied(one_night, tmp_path), WEDNESDAY + dt.timedelta(1)
    valid = council.config_path.read_text(encoding="utf-8")
    council.write(thursday)

    council.config_path.write_text(valid + '[service]\nrun_at = "04:15"\n', encoding="utf-8")
    council.wake(at("08:00"))

    assert council.service.timetable.service.run_at == dt.time(2, 30)
    assert council.wake(at("02:30", thursday))[0] == "night"


def test_after_settings_were_refused_nothing_is_tried_for_a_while() -> None:
    refused = DoneByProcess(refused_at=at("02:30"))

    assert due.plan(config(deliver_every_minutes=5), facts(), refused, at("02:34")) == ()
    assert due.plan(config(deliver_every_minutes=5), facts(), refused, at("02:35")) == ("night",)


def test_a_night_of_a_day_to_come_is_an_alarm_a_concern_and_a_line_at_each_look(
    one_night: Path, tmp_path: Path
) -> None:
    council = copied(one_night, tmp_path)
    mails, monday = len(council.mail()), WEDNESDAY - dt.timedelta(2)

    did = [council.wake(at(hour, monday)) for hour in ("12:00", "12:01", "12:30")]
    council.restart()
    council.wake(at("15:00", monday))
    council.wake(at("00:10", monday + dt.timedelta(1)))

    assert did == [("ahead",), (), ()]
    alarms = council.mail()[mails:]
    assert [to for to, _ in alarms] == [ANALYST] * 2
    assert all("no night is run: the clock was ahead" in subject for _, subject in alarms)
    warned = [line for line in council.log_file.read_text(encoding="utf-8").splitlines() if "a day to come" in line]
    assert len(warned) == 5
    status = standings.gather(
        council.service.config, locate(council.service.config, {}), at("12:00", monday), wait_seconds=0
    )
    assert status.next_night == at("02:30", WEDNESDAY + dt.timedelta(1))
    (concern,) = (each for each in judge(status, council.service.config) if each.about == "night")
    assert "the last accepted night is of 2 June 2027, which has not come (today is 31 May 2027)" in concern.what
    assert "monitor run --withdraw 2027-06-02 --by" in concern.do


def test_a_run_by_hand_is_refused_and_the_analyst_told_when_a_night_of_a_day_to_come_was_accepted(
    one_night: Path, tmp_path: Path
) -> None:
    council = copied(one_night, tmp_path)
    mails = len(council.mail())

    for _ in range(2):  # the date of the machine is long before the night
        done = monitor(tmp_path, "run", "--config", str(council.config_path))

    assert done.returncode == 3
    assert "the clock was ahead" in done.stderr
    assert "monitor run --withdraw 2027-06-02" in done.stderr
    assert [to for to, _ in council.mail()[mails:]] == [ANALYST]


def test_a_night_taken_back_on_its_day_is_left_to_whoever_took_it_back(one_night: Path, tmp_path: Path) -> None:
    council = copied(one_night, tmp_path)
    thursday = WEDNESDAY + dt.timedelta(1)
    request = WithdrawalRequest(WEDNESDAY, "A Example", "a wrong file", WEDNESDAY)
    withdraw_night(council.service.config, request, Tools(lambda: at("09:00"), {}, lambda step: None))

    assert "night" not in council.wake(at("09:01"))
    status = standings.gather(council.service.config, locate(council.service.config, {}), at("09:01"), wait_seconds=0)
    concerns = [each.what for each in judge(status, council.service.config)]
    assert "the night of 2 June 2027 was taken back, and nobody has run it again" in concerns
    council.write(thursday)
    assert council.wake(at("02:30", thursday))[0] == "night"


def test_a_night_of_a_day_to_come_that_was_taken_back_is_run_when_it_has_come(one_night: Path, tmp_path: Path) -> None:
    council = copied(one_night, tmp_path)
    tuesday = WEDNESDAY - dt.timedelta(1)
    request = WithdrawalRequest(WEDNESDAY, "A Example", "the clock was ahead", tuesday)
    withdraw_night(council.service.config, request, Tools(lambda: at("09:00", tuesday), {}, lambda step: None))
    council.write(tuesday)

    assert council.wake(at("09:01", tuesday))[0] == "night"
    council.write(WEDNESDAY)
    assert council.wake(at("02:30"))[0] == "night"
    assert council.accepted() == [tuesday, WEDNESDAY]


def test_after_three_working_days_everyone_who_leads_or_heads_is_told_once(one_night: Path, tmp_path: Path) -> None:
    council = copied(one_night, tmp_path, "[service]\nretries = 0\n")
    council.wake(at("08:00"))
    before = len(council.mail())
    break_caseload(council)

    for day in days_between(WEDNESDAY + dt.timedelta(1), WEDNESDAY + dt.timedelta(6)):
        for hour in ("02:30", "08:00", "08:10"):
            council.wake(at(hour, day))
        council.restart()

    told = [(to, subject) for to, subject in council.mail()[before:] if "no accepted night since" in subject]
    assert sorted(to for to, _ in told) == ["fallback@example.gov.uk", "head@example.gov.uk", "north@example.gov.uk"]
    assert all("2 June 2027" in subject for _, subject in told)
    assert [at for at, did in council.did if "outage" in did] == [at("08:00", MONDAY)]


def test_leaders_are_every_lead_and_head_once() -> None:
    team = {"lead": "North@example.gov.uk", "manager": "manager@example.gov.uk"}
    settings = USUAL.model_dump(include={"sources", "people"}, exclude_unset=True, mode="json")
    teams = [{"name": "North", **team}, {"name": "South", **team, "head": "south-head@example.gov.uk"}]

    found = find_leaders(Config.model_validate({**settings, "teams": teams}, context={"folder": Path("/")}), WEDNESDAY)

    assert found == ["head@example.gov.uk", "north@example.gov.uk", "south-head@example.gov.uk"]


def test_a_mail_server_that_is_away_is_not_hammered(one_night: Path, tmp_path: Path) -> None:
    smtp = (
        f'[delivery]\nchannel = "smtp"\n[delivery.smtp]\nhost = "127.0.0.1"\nport = {free_port()}\nsecurity = "tls"\n'
    )
    council = copied(one_night, tmp_path, smtp)

    looks = [at("08:00") + dt.timedelta(minutes=5 * n) for n in range(37)]
    did = [now for now in looks if "deliver" in council.wake(now)]

    assert 3 <= len(did) <= 12
    assert council.rows("SELECT count(DISTINCT message_id) FROM attempt") == [(1,)], "the others are not blamed"
    waiting = "SELECT count(*) FROM message WHERE state IN ('created', 'temporary-failure')"
    assert council.rows(waiting) == council.rows("SELECT count(*) FROM message")


def test_receipts_are_asked_for_until_they_are_final(one_night: Path, tmp_path: Path) -> None:
    with notify_server(Knobs(script={ANALYST: ["sending", "sending", "delivered"]})) as server:
        notify = f'[delivery]\nchannel = "notify"\n[delivery.notify]\nbase_url = "{server.url}"\n'
        council = copied(one_night, tmp_path, f'{notify}api_key_env = "KEY"\ntemplate_id = "{TEMPLATE}"\n', KEY=API_KEY)

        steps = [council.wake(at("08:00") + dt.timedelta(minutes=5 * n)) for n in range(13)]

    assert sum("deliver" in each for each in steps) == 1
    assert 2 <= sum("receipts" in each for each in steps) <= 4
    assert council.rows("SELECT DISTINCT state FROM message") == [("delivered",)]


@contextmanager
def started(folder: Path, settings: str, **environ: str) -> Iterator["Process"]:
    council = Timed(folder, few_rules(folder) + settings, 40)
    council.write(dt.datetime.now(LONDON).date())
    process = Process(council, environ)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


class Process:
    """``monitor start`` as a process of its own, and what it has logged so far."""

    def __init__(self, council: Timed, environ: Mapping[str, str]) -> None:
        self.council = council
        command = [sys.executable, "-c", "from monitor.cli.command import main; main()", "start", "--config"]
        self.popen = subprocess.Popen(
            [*command, str(council.config_path)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
            creationflags=NEW_GROUP,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr
        self.lines.extend(iter(self.popen.stderr.readline, ""))

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + 90
        while not any(words in line for line in self.lines):
            assert time.monotonic() < deadline, self.lines
            assert self.popen.poll() is None, self.lines
            time.sleep(0.02)

    def stop(self, number: int) -> int:
        self.popen.send_signal(number)
        code = self.popen.wait(timeout=90)
        self._reader.join(timeout=10)
        return code


@pytest.mark.skipif(UNDER_WINE, reason="Wine's console passes no Ctrl-Break on")
def test_a_service_started_late_catches_up_and_finishes_the_night_when_told_to_stop(tmp_path: Path) -> None:
    with started(tmp_path, '[service]\nrun_at = "00:00"\n') as process:
        process.wait_for("night begun")
        code = process.stop(STOP)

    assert code == 0
    words = " ".join(process.lines)
    assert words.index("stopping after the step in hand") < words.index("night done") < words.index("service stopped")
    assert "Traceback" not in words
    assert process.council.accepted() == [dt.datetime.now(LONDON).date()]


@needs_posix("Ctrl-C for a process with a group of its own")
def test_an_idle_service_ends_at_once_on_ctrl_c(tmp_path: Path) -> None:
    with started(tmp_path, '[service]\nrun_at = "23:59"\n') as process:
        process.wait_for("service started")
        code = process.stop(signal.SIGINT)

    assert code == 0
    assert "service stopped" in process.lines[-1]


@needs_posix("time zone in an environment variable")
@pytest.mark.parametrize("zone", ["GMT0BST,M3.5.0/1,M10.5.0/2", "Mars/Phobos", ":/etc/localtime", ""])
def test_the_service_works_in_london_time_whatever_zone_the_machine_has(tmp_path: Path, zone: str) -> None:
    with started(tmp_path, '[service]\nrun_at = "23:59"\n', TZ=zone) as process:
        process.wait_for("service started")
        code = process.stop(STOP)

    assert code == 0, process.lines
    assert "service stopped" in process.lines[-1]
