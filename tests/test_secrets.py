"""Secrets go where they are needed and nowhere else: commands that succeed and fail, with every place then searched."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
import typer
from aiosmtpd.smtp import AuthResult
from support.command import monitor
from support.postroom import NORTH, postroom, written
from support.servers.http import Asked, Said, Server, as_json, serving
from support.servers.mail import Mailbox, mail_server
from support.servers.microsoft import CLIENT, TENANT
from support.servers.notify import API_KEY, SERVICE, TEMPLATE, Knobs, notify_server
from support.servers.notify import SECRET as NOTIFY_SECRET

from monitor.cli.command import app
from monitor.config.delivery_settings import DeliverySettings
from monitor.delivery.channel import open_channel
from monitor.network.policy import Network

TOKEN, SMTP_PASSWORD, PING = "token-7f3a91cc", "smtp-password-55e0", "ping-number-c41d8e"
DATABASE_PASSWORD = "database-password-0b6f"
GRAPH_SECRET, GRAPH_TOKEN = "graph-secret-8c2e", "graph-token-e3b0"
HIDDEN = (GRAPH_SECRET, GRAPH_TOKEN, TOKEN, SMTP_PASSWORD, PING, DATABASE_PASSWORD, API_KEY, NOTIFY_SECRET)


def hides(what: str | bytes) -> list[str]:
    """The secrets that stand in ``what``, as they are or as a protocol writes them."""
    raw = what.encode() if isinstance(what, str) else what
    forms = {one: (one.encode(), base64.b64encode(one.encode()).rstrip(b"=")) for one in HIDDEN}
    forms[SMTP_PASSWORD] += (base64.b64encode(f"\0monitor\0{SMTP_PASSWORD}".encode()),)
    return [one for one, written in forms.items() if any(form in raw for form in written)]


def hidden_in(folder: Path) -> list[str]:
    """The files under ``folder`` in which a secret stands, other than those that are there to hold one."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".secret"]
    return [str(path.relative_to(folder)) for path in files if hides(path.read_bytes())]


def people(asked: Asked) -> Said:
    """An interface that quotes what it was given when it refuses it."""
    given = asked.headers.get("Authorization", "")
    if given != f"Bearer {TOKEN}":
        return as_json({"message": f"{given} is not accepted"}, status=401)
    usual = {"date_of_birth": "2006-06-01", "eligibility": "former relevant", "allocated_team": "North"}
    return as_json([{"person_id": f"P{n}", "accommodation": "S", "in_touch": "YES", **usual} for n in range(6)])


def ping(asked: Asked) -> Said:
    return Said(f"{asked.path} is not known here".encode(), status=404)


def login_refused(*_: object) -> AuthResult:
    return AuthResult(success=False, handled=False)


@dataclass
class Office:
    """A council whose every connection needs a secret, and what its commands said."""

    folder: Path
    environ: Mapping[str, str]
    cms: Server
    heartbeat: Server
    said: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)

    def give(self, *arguments: str, called: str | None = None) -> None:
        done = monitor(self.folder, *arguments)
        name = called or arguments[0]
        self.said[name], self.codes[name] = done.stdout + done.stderr, done.returncode


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder, authority = tmp_path_factory.mktemp("office"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with (
        serving(people) as cms,
        serving(ping) as heartbeat,
        mail_server(authority, Mailbox(), authenticator=login_refused, auth_required=True) as port,
        pytest.MonkeyPatch.context() as patch,
    ):
        environ = {"CMS_TOKEN": TOKEN, "SMTP_USER": "monitor", "SMTP_PASSWORD": SMTP_PASSWORD}
        for name, value in environ.items():
            patch.setenv(name, value)
        (folder / "heartbeat.secret").write_text(f"{heartbeat.url}/{PING}\n", encoding="utf-8")
        (folder / "monitor.toml").write_text(
            f"""
            [[sources]]
            name = "cms"
            kind = "http"
            [sources.http]
            url = "{cms.url}/people"
            format = "json"
            token_env = "CMS_TOKEN"
            retries = 0
            [people]
            analyst = "analyst@example.gov.uk"
            [lists]
            workbooks = false
            [delivery]
            channel = "smtp"
            [delivery.smtp]
            host = "localhost"
            port = {port}
            ca_file = "ca.pem"
            username_env = "SMTP_USER"
            password_env = "SMTP_PASSWORD"
            [heartbeat]
            url_file = "heartbeat.secret"
            retries = 0
            [service]
            run_at = "00:00"
            log_file = "data/logs/service.log"
            """,
            encoding="utf-8",
        )
        yield Office(folder, environ, cms, heartbeat)


@pytest.fixture(scope="module")
def tried(office: Office) -> Office:
    """Every command that uses a secret, with sound ones and with one that is refused."""
    office.give("check")
    office.give("check", "--json", called="check as JSON")
    office.give("run")
    office.give("deliver", "--now", called="deliver")
    office.give("status", "--json", called="status as JSON")
    office.give("explain", "P1")
    office.give("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMS_TOKEN", f"{TOKEN} ")
        office.give("run", "--dry-run", called="run with a refused token")
    return office


def test_the_commands_did_use_their_secrets_and_were_refused_where_they_should_be(tried: Office):
    assert tried.cms.log[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "user name or password not accepted" in tried.said["deliver"]
    assert "delivery" in tried.said["deliver"].lower() or tried.codes["deliver"] == 1
    assert json.loads(tried.said["status as JSON"])["undelivered"]


def test_no_command_prints_a_secret(tried: Office):
    assert {name: hides(text) for name, text in tried.said.items() if hides(text)} == {}


def test_no_file_of_the_data_folder_holds_a_secret_nor_does_any_row(tried: Office):
    files = [path for path in (tried.folder / "data").rglob("*") if path.is_file()]

    assert any(path.name == "monitor.db" for path in files)
    assert hidden_in(tried.folder) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's words in /proc")
def test_the_running_service_shows_no_secret_in_the_process_list_nor_in_its_log(office: Office, tmp_path: Path):
    for name in ("monitor.toml", "ca.pem", "heartbeat.secret"):
        shutil.copy(office.folder / name, tmp_path)
    command = [
        sys.executable,
        "-c",
        "from monitor.cli.command import main; main()",
        "start",
        "--config",
        "monitor.toml",
    ]
    environ = {**os.environ, **office.environ, "CMS_TOKEN": f"{TOKEN}-refused"}
    log = tmp_path / "data" / "logs" / "service.log"
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as service:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and service.poll() is None:
            if log.exists() and "signal=3" in log.read_text(encoding="utf-8"):
                break
            time.sleep(0.2)
        listed = Path(f"/proc/{service.pid}/cmdline").read_bytes()
        service.send_signal(signal.SIGTERM)
        printed, _ = service.communicate(timeout=90)

    assert service.returncode == 0
    assert b"start" in listed
    assert hides(listed) == []
    assert hides(printed) == []
    assert office.heartbeat.log
    assert office.heartbeat.log[0].path.startswith(f"/{PING}")
    assert "answered 404" in log.read_text(encoding="utf-8")
    assert hidden_in(tmp_path) == []


@pytest.mark.parametrize("place", ["variable", "file"])
def test_a_refused_notify_key_is_in_no_row_and_no_file(tmp_path: Path, place: str):
    (tmp_path / "key.secret").write_text(API_KEY, encoding="utf-8")
    where = {"api_key_env": "KEY"} if place == "variable" else {"api_key_file": "key.secret"}
    quoting = Knobs(fault=(403, "AuthError", f"Invalid token for {API_KEY} of {SERVICE}"))
    with notify_server(quoting) as server, postroom(tmp_path) as room:
        notify = {"base_url": server.url, "template_id": TEMPLATE, **where}
        delivery = DeliverySettings.model_validate(
            {"channel": "notify", "notify": notify}, context={"folder": tmp_path}
        )
        channel = open_channel(delivery, tmp_path, Network({"KEY": API_KEY}))
        room.post(written(NORTH))

        delivered = room.deliver(channel)

        rows = room.rows("SELECT detail FROM attempt") + room.rows("SELECT payload FROM flag_event")
    assert delivered.stopped or delivered.problems
    assert len(rows) >= 2
    assert hides(repr(rows) + repr(delivered)) == []
    assert hidden_in(tmp_path) == []


@pytest.mark.parametrize("refuses", ["sign-in", "sendMail"])
def test_a_microsoft_that_quotes_the_secret_or_the_token_is_quoted_nowhere(tmp_path: Path, refuses: str):
    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/token") and refuses != "sign-in":
            return as_json({"access_token": GRAPH_TOKEN, "expires_in": 3599})
        quoted = f"{GRAPH_SECRET} {GRAPH_TOKEN} {asked.headers.get('Authorization')} {asked.body}"
        if asked.path.endswith("/token"):
            return as_json({"error": quoted, "error_description": quoted, "error_codes": [1]}, 401)
        return as_json({"error": {"code": f"Error {quoted}", "message": quoted}}, 403)

    (tmp_path / "graph.secret").write_text(f"{GRAPH_SECRET}\n", encoding="utf-8")
    with serving(answer) as server, postroom(tmp_path) as room:
        graph = {"tenant": TENANT, "client_id": CLIENT, "login_url": server.url, "graph_url": server.url}
        given = {"channel": "graph", "graph": graph | {"client_secret_file": "graph.secret"}}
        delivery = DeliverySettings.model_validate(given, context={"folder": tmp_path})
        channel = open_channel(delivery, tmp_path, Network())
        room.post(written(NORTH))

        delivered = room.deliver(channel)

        rows = room.rows("SELECT detail FROM attempt") + room.rows("SELECT payload FROM flag_event")
    assert "401" in repr(delivered) or "403" in repr(delivered)
    assert len(rows) >= 2
    assert hides(repr(rows) + repr(delivered) + repr(vars(channel))) == []
    assert hidden_in(tmp_path) == []


@pytest.mark.parametrize("place", ["variable", "file"])
@pytest.mark.parametrize("command", [("status", "--json"), ("deliver", "--wait", "0")])
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, command: tuple[str, ...]
):
    monkeypatch.setenv("DATABASE_PASSWORD", DATABASE_PASSWORD)
    (tmp_path / "database.secret").write_text(DATABASE_PASSWORD, encoding="utf-8")
    setting = 'env = "DATABASE_PASSWORD"' if place == "variable" else 'file = "database.secret"'
    (tmp_path / "monitor.toml").write_text(
        f"""
        database = "postgresql://monitor@127.0.0.1:9/flags"
        database_password_{setting}
        [[sources]]
        name = "caseload"
        kind = "sample"
        """,
        encoding="utf-8",
    )

    done = monitor(tmp_path, *command)

    assert done.returncode in (1, 3)
    assert "does not answer" in done.stdout + done.stderr
    assert hides(done.stdout + done.stderr) == []
    assert hidden_in(tmp_path) == []


def test_no_command_takes_a_secret_as_an_argument():
    words = re.compile(r"passw|secret|token|api.?key|credential|\bping\b", re.IGNORECASE)

    found = [name for name in arguments(typer.main.get_command(app)) if words.search(name)]

    assert found == []


def arguments(command: object, above: str = "monitor") -> Iterator[str]:
    """Every option and argument of every command below."""
    for parameter in getattr(command, "params", ()):
        yield f"{above} {parameter.name} {' '.join(parameter.opts)}"
    for name, below in getattr(command, "commands", {}).items():
        yield from arguments(below, f"{above} {name}")
