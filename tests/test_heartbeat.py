"""Pings of the outside service: what each says, in what order, and that none of them can fail a night."""

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers.mail import free_port
from support.servers.ping import CHECK, Checks, ping_server
from support.timed_service import Timed, few_rules

from monitor.config.service_settings import HeartbeatSettings as Settings
from monitor.errors import Problems
from monitor.network.policy import Network
from monitor.service.heartbeat import Heartbeat, Signal, describe

NIGHT = dt.date(2027, 6, 2)
AT_NIGHT, AT_EIGHT = (dt.datetime(2027, 6, 2, hour, 30, tzinfo=dt.UTC) for hour in (1, 7))
HEARTBEAT = '[heartbeat]\nurl_env = "PING"\ntimeout_seconds = 1\nretries = 0\n'


@pytest.fixture
def checks() -> Iterator[Checks]:
    with ping_server() as server:
        yield server


def sender(address: str, waits: list[float] | None = None, **settings: int) -> Heartbeat:
    """One that pings ``address``, and waits between tries by noting for how long."""
    seconds = [] if waits is None else waits
    return Heartbeat(Settings(url_env="PING", **settings), Network({"PING": address}), sleep=seconds.append)


@pytest.mark.parametrize(
    ("signal", "said"), [("start", "start"), ("success", "success"), ("fail", "fail"), (3, "3"), (255, "255")]
)
def test_each_signal_is_posted_to_its_own_address(checks: Checks, signal: Signal, said: str) -> None:
    became = sender(checks.address).ping(signal, night=NIGHT, body="people: 3\n")

    assert became == "sent"
    assert checks.said() == [said]
    assert checks.pings[0].body == "people: 3\n"
    assert [asked.method for asked in checks.asked] == ["POST"]


def test_a_get_would_be_answered_200_and_not_count(checks: Checks) -> None:
    answer = httpx.get(checks.address)

    assert answer.status_code == 200
    assert checks.pings == []
    assert checks.ignored == ["GET"]


def test_start_and_end_of_a_date_are_one_run_and_another_date_is_another(checks: Checks) -> None:
    sender(checks.address).ping("start", night=NIGHT)
    sender(checks.address).ping("success", night=NIGHT)
    sender(checks.address).ping("start", night=NIGHT + dt.timedelta(1))

    start, end, next_start = (ping.rid for ping in checks.pings)
    assert start == end != next_start
    assert uuid.UUID(start)


def test_an_address_with_a_slug_keeps_its_own_question(checks: Checks) -> None:
    became = sender(f"{checks.url}/ping/key/care-leavers?create=1").ping("start", night=NIGHT)

    assert became == "sent"
    assert checks.asked[0].path == "/ping/key/care-leavers/start"
    assert set(checks.asked[0].query) == {"create", "rid"}
    assert checks.said() == ["start"]


def test_a_slash_at_the_end_of_the_address_is_not_doubled(checks: Checks) -> None:
    sender(f"{checks.address}/").ping("fail", night=NIGHT)

    assert checks.said() == ["fail"]


def test_a_service_that_is_busy_is_asked_again_after_growing_waits(checks: Checks) -> None:
    checks.faults = [503, 429, 500]
    waits: list[float] = []

    became = sender(checks.address, waits).ping("success", night=NIGHT)

    assert became == "sent"
    assert waits == sorted(waits)
    assert len(set(waits)) == 3
    assert checks.said() == ["success"]


def test_a_service_that_stays_busy_is_given_up_on(checks: Checks) -> None:
    checks.faults = [503] * 9

    became = sender(checks.address, retries=2).ping("success", night=NIGHT)

    assert became == "given up: answered 503"
    assert len(checks.asked) == 3


@pytest.mark.parametrize("path", [f"/ping/{CHECK[:-1]}0", f"/ping/{CHECK.upper()}", "/ping/key/Care-Leavers", "/other"])
def test_an_address_the_service_does_not_know_is_not_tried_again(checks: Checks, path: str) -> None:
    became = sender(checks.url + path).ping("success", night=NIGHT)

    assert re.fullmatch("answered 40[04]; check the address of the heartbeat", became)
    assert len(checks.asked) == 1


def test_a_slug_that_fits_several_checks_is_said(checks: Checks) -> None:
    checks.ambiguous = {"key/care-leavers"}

    became = sender(f"{checks.url}/ping/key/care-leavers").ping("success", night=NIGHT)

    assert became.startswith("answered 409")
    assert len(checks.asked) == 1


def test_no_answer_is_said_without_the_address(checks: Checks) -> None:
    checks.stall_seconds = 1.3
    nobody = f"http://127.0.0.1:{free_port()}/ping/{CHECK}"

    slow = sender(checks.address, timeout_seconds=1, retries=0).ping("start", night=NIGHT)
    refused = sender(nobody, retries=1).ping("start", night=NIGHT)

    assert slow.startswith("given up: no answer from 127.0.0.1 within 1 seconds; raise heartbeat.timeout_seconds")
    assert refused.startswith("given up: connection refused by 127.0.0.1; check that the service is running")
    assert CHECK not in slow + refused


def test_without_settings_nothing_is_sent() -> None:
    nowhere = Heartbeat(None, Network())

    assert not nowhere.wanted
    assert nowhere.ping("start", night=NIGHT) == "not wanted"


def test_an_address_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "ping.txt"
    secret.write_text("ftp://ping.example.org/the-secret\n", encoding="utf-8")

    with pytest.raises(Problems) as no_variable:
        Heartbeat(Settings(url_env="PING"), Network())
    with pytest.raises(Problems) as no_address:
        Heartbeat(Settings(url_file=secret), Network())
    with pytest.raises(Problems) as no_file:
        Heartbeat(Settings(url_file=tmp_path / "gone.txt"), Network())

    assert str(no_variable.value) == "heartbeat: PING: no such environment variable; it holds the ping address"
    assert "does not hold a web address" in str(no_address.value)
    assert "the-secret" not in str(no_address.value)
    assert "no such file" in str(no_file.value)


def test_the_address_can_be_in_a_file(tmp_path: Path, checks: Checks) -> None:
    secret = tmp_path / "ping.txt"
    secret.write_text(checks.address + "\n", encoding="utf-8")

    became = Heartbeat(Settings(url_file=secret), Network()).ping("start", night=NIGHT)

    assert became == "sent"
    assert checks.said() == ["start"]


def test_the_body_is_one_count_a_line() -> None:
    assert describe({"run": 7, "as_at": "2027-06-02", "absent": None, "people": 40}) == (
        "run: 7\nas_at: 2027-06-02\npeople: 40\n"
    )


def council(folder: Path, checks: Checks, settings: str = HEARTBEAT) -> Timed:
    made = Timed(folder, few_rules(folder) + settings, 40, environ={"PING": checks.address})
    made.write(NIGHT)
    return made


def test_success_is_sent_only_when_the_messages_of_the_day_have_gone(tmp_path: Path, checks: Checks) -> None:
    service = council(tmp_path, checks)

    service.wake(AT_NIGHT)
    before = checks.said()
    service.wake(AT_EIGHT)

    assert before == ["start"]
    assert checks.said() == ["start", "success"]
    start, end = checks.pings
    assert start.rid == end.rid
    assert re.fullmatch(
        r"run: 1\nas_at: 2027-06-02\npeople: 39\nabsent: 0\nanswers: \d\d\nquarantined: 0\n"
        r"messages waiting: 0\nmessages given up or in doubt: 0\n",
        end.body,
    )
    log = service.log_file.read_text(encoding="utf-8")
    assert '"heartbeat"' in log
    assert CHECK not in log
    assert checks.url not in log


def test_a_night_that_judged_nobody_is_a_failure(tmp_path: Path, checks: Checks) -> None:
    service = council(tmp_path, checks)
    for rule in (tmp_path / "rules").iterdir():
        rule.write_text("effective_from = 2030-01-01\n" + rule.read_text(encoding="utf-8"), encoding="utf-8")

    service.wake(AT_NIGHT)
    service.wake(AT_EIGHT)

    assert checks.said() == ["start", "fail"]


def test_a_refused_night_ends_with_its_exit_status(tmp_path: Path, checks: Checks) -> None:
    service = council(tmp_path, checks)
    (tmp_path / "list-9.csv").write_text("nothing\nof it\n", encoding="utf-8")

    service.wake(AT_NIGHT)

    assert checks.said() == ["start", "3"]
    assert checks.pings[0].rid == checks.pings[1].rid


def test_messages_that_cannot_go_are_waited_for_and_then_said(tmp_path: Path, checks: Checks) -> None:
    nobody = free_port()
    smtp = f'[delivery]\nchannel = "smtp"\n[delivery.smtp]\nhost = "127.0.0.1"\nport = {nobody}\nsecurity = "tls"\n'
    service = council(tmp_path, checks, HEARTBEAT + smtp)

    service.wake(AT_NIGHT)
    service.wake(AT_EIGHT)
    waiting = checks.said()
    service.wake(AT_EIGHT + dt.timedelta(hours=2))

    assert waiting == ["start"]
    assert checks.said() == ["start", "1"]
    assert re.search(r"^messages waiting: [1-9]", checks.pings[1].body, re.MULTILINE)


def test_a_heartbeat_that_is_out_of_reach_leaves_the_night_as_it_is(tmp_path: Path, checks: Checks) -> None:
    checks.faults = [503] * 20
    service = council(tmp_path, checks)

    service.wake(AT_NIGHT)
    service.wake(AT_EIGHT)

    assert service.accepted() == [NIGHT]
    assert service.rows("SELECT count(*) FROM message WHERE state = 'delivered'") != [(0,)]
    assert checks.pings == []
