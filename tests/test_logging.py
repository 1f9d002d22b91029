"""The service's log: a line for each stage with counts, whole nights of every kind, and nobody in any of it."""

import datetime as dt
import json
import logging
import logging.handlers
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from support.beyond_reach import overflow_allowed
from support.council import Council, settled
from support.held import held_open
from support.posix import needs_posix
from support.servers.http import Said, serving
from support.servers.mail import free_port

from monitor.config.service_settings import HeartbeatSettings as Settings
from monitor.log import open_log
from monitor.network.policy import Network
from monitor.service.heartbeat import Heartbeat
from monitor.service.steps import Service
from monitor.workdays import LONDON

FIRST = dt.date(2026, 1, 12)
STAGES = [
    "night begun", "sources read", "gate passed judgment", "rules asked", "night saved", "lists written",
    "messages sent", "report written",
]  # fmt: skip
PEOPLE = [
    settled(f"ZQX-{n:04}", worker="Wrenfield Marlow", adviser="Quillon Thackeray", born=f"0{1 + n % 9}/03/2006")
    for n in range(20)
]
RULE = """
title = "Far away"
severity = "low"
basis = "practice"
reference = "Our own"
why = "It fails while it runs."
action = "None."
applies_to = "true"
breach_if = "age * 290000000 > 5"
because = "Too far."
[[examples]]
name = "anyone"
as_at = 2026-01-12
given = { date_of_birth = 2006-06-15 }
expect = "breach"
"""
NOBODY = re.compile(
    r"ZQX|Wrenfield|Marlow|Quillon|Thackeray|@|example\.gov|/03/2006|2006-03|0\d March 2006|not to be told",
    re.IGNORECASE,
)
"""Every id, name and birth date of the caseload, every address of the config, and the words of the defect."""


class Unlucky(dict[str, str]):
    """An environment in which looking something up goes wrong in a way nobody foresaw, once it is told to."""

    broken = False

    def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
        if self.broken:
            raise RuntimeError("not to be told: ZQX-0001, Quillon Thackeray, born 01/03/2006")
        return super().get(key, "")

    def __getitem__(self, key: str) -> str:
        return self.get(key)


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a test opens is closed after it."""
    yield
    for name in ("monitor", "apscheduler"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="module")
@overflow_allowed()
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The log of nights: one with a rule that fails and a mail server that is away, one refused, one with a defect."""
    folder = tmp_path_factory.mktemp("nights")
    delivery = f"""
        [delivery]
        channel = "smtp"
        [delivery.smtp]
        host = "127.0.0.1"
        port = {free_port()}
        timeout_seconds = 1
        username_env = "SMTP_USER"
        password_env = "SMTP_PASSWORD"
        [service]
        retries = 0
    """
    (folder / "own-rules").mkdir()
    (folder / "own-rules" / "far-away.toml").write_text(RULE, encoding="utf-8")
    council = Council(folder, f'rules = ["own-rules"]\n{delivery}', report=True)
    environ = Unlucky(SMTP_USER="monitor", SMTP_PASSWORD="word")
    file = folder / "logs" / "service.log"
    log, now = open_log("json", file), dt.datetime.combine(FIRST, dt.time(2, 30), LONDON)
    service = Service(council.config_path, environ, lambda: now, log)

    council.write([*PEOPLE[1:], {**PEOPLE[0], "accommodation": "S: No fixed abode", "plan": "99/99/2025"}])
    service.look()
    now = dt.datetime.combine(FIRST, dt.time(8, 0), LONDON)
    service.look()
    council.write(PEOPLE[:3])
    now = dt.datetime.combine(FIRST + dt.timedelta(1), dt.time(2, 30), LONDON)
    service.look()
    environ.broken = True
    now = dt.datetime.combine(FIRST + dt.timedelta(2), dt.time(2, 30), LONDON)
    service.look()
    return lines(file)


def of(nights: list[dict[str, object]], event: str) -> list[dict[str, object]]:
    return [line for line in nights if line["event"] == event]


def test_every_stage_of_an_accepted_night_is_one_line_with_its_run_and_counts(nights: list[dict[str, object]]):
    accepted = [line for line in nights if line.get("run") == 1]

    assert [line["event"] for line in accepted] == STAGES
    for line in accepted[1:]:
        assert any(isinstance(value, int) for name, value in line.items() if name != "run"), line
    assert of(accepted, "sources read")[0]["people"] == 20
    assert of(accepted, "sources read")[0]["unreadable_cells"] == 1
    assert of(accepted, "rules asked")[0]["failed"] == 1


def test_a_refused_night_says_that_it_was_refused(nights: list[dict[str, object]]):
    (refused,) = of(nights, "night not accepted")

    assert (refused["state"], refused["why"]) == ("refused", "refused")
    assert ("night", "NotBelieved") in [(line["step"], line["fault"]) for line in of(nights, "step failed")]


def test_a_defect_is_told_by_its_kind_and_place_and_not_in_its_own_words(nights: list[dict[str, object]]):
    defects = [line for line in of(nights, "step failed") if line["fault"] == "RuntimeError"]

    assert "night" in {line["step"] for line in defects}
    assert all(re.fullmatch(r"[a-z_/]+\.py:\d+", str(line["place"])) for line in defects)
    assert all(line["level"] == "error" for line in defects)


def test_a_delivery_that_fails_is_counted(nights: list[dict[str, object]]):
    tried = of(nights, "messages sent")

    assert any(isinstance(line["to_retry"], int) and line["to_retry"] > 0 for line in tried)


def test_nobody_of_the_caseload_or_the_config_is_in_any_line(nights: list[dict[str, object]]):
    found = [line for line in nights if NOBODY.search(json.dumps(line))]

    assert len(nights) > len(STAGES)
    assert not found


def test_the_text_form_is_a_line_of_names_and_values(tmp_path: Path):
    open_log("text", tmp_path / "service.log").info("night saved", run=7, why="two words")

    (line,) = (tmp_path / "service.log").read_text(encoding="utf-8").splitlines()

    assert re.fullmatch(r'at=\S+Z level=info event="night saved" run=7 why="two words"', line)


def test_what_is_counted_may_have_a_name_of_several_words_in_either_form(tmp_path: Path):
    for form in ("text", "json"):
        open_log(form, tmp_path / form).info("night saved", **{"waiver ended": 3})  # type: ignore[arg-type]

    assert (tmp_path / "text").read_text(encoding="utf-8").endswith(" waiver_ended=3\n")
    assert lines(tmp_path / "json")[0]["waiver_ended"] == 3


def test_the_json_form_is_an_object_a_line(tmp_path: Path):
    open_log("json", tmp_path / "service.log").warning("night saved", run=7)

    (line,) = lines(tmp_path / "service.log")

    assert (line["event"], line["level"], line["run"]) == ("night saved", "warning", 7)
    assert dt.datetime.fromisoformat(str(line["at"])).tzinfo == dt.UTC


@needs_posix("file modes")
def test_the_file_and_those_it_rotates_to_are_their_owners_alone(tmp_path: Path):
    before = os.umask(0)
    log = open_log("text", tmp_path / "logs" / "service.log")
    (handler,) = logging.getLogger("monitor").handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert handler.maxBytes == 10_000_000
    handler.maxBytes = 2_000

    for number in range(400):
        log.info("night saved", run=number)
    os.umask(before)

    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert all(path.stat().st_size <= 2_000 for path in files)


def test_the_web_library_logs_no_address(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    open_log("text", tmp_path / "service.log")
    environ: Mapping[str, str]

    with serving(lambda asked: Said(b"OK")) as server, caplog.at_level(logging.INFO):
        environ = {"PING": f"{server.url}/a-secret-address"}
        became = Heartbeat(Settings(url_env="PING"), Network(environ)).ping("success", night=FIRST)
        httpx.get(f"{server.url}/another-secret-address")

    assert became == "sent"
    assert len(server.log) == 2
    assert "secret" not in caplog.text + (tmp_path / "service.log").read_text(encoding="utf-8")


def test_a_log_that_cannot_begin_a_new_file_goes_on_in_the_one_it_has(tmp_path: Path):
    log = open_log("text", tmp_path / "service.log")
    (handler,) = logging.getLogger("monitor").handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    handler.maxBytes = 1
    (tmp_path / "service.log.1").touch()

    with held_open(tmp_path / "service.log.1"):
        for number in range(3):
            log.info("night saved", run=number)

    lines = (tmp_path / "service.log").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition("=")[2] for line in lines] == ["0", "1", "2"]
