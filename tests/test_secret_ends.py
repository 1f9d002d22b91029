"""When a secret or a certificate of the config ends: warned of in time, and by whoever looks."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.council import NIGHT, Council, crowd
from support.servers.microsoft import CLIENT, SECRET, TENANT, microsoft
from support.timed_service import few_rules

from monitor.cli.check import check
from monitor.config.secret_ends import find_ends, find_undated
from monitor.config.settings import Config
from monitor.service.concerns import judge
from monitor.service.status import DatabaseState, ServiceStatus
from monitor.store.database import HEAD
from monitor.words import write_date
from monitor.workdays import london_date

LAST_DAY = dt.date(2026, 3, 31)
APP = {"tenant": TENANT, "client_id": CLIENT, "client_secret_env": "GRAPH_SECRET", "secret_expires_on": LAST_DAY}


def config(channel: str = "graph", folder: str = "", **app: Any) -> Config:
    sources = [{"name": "caseload", "kind": "sample", "people": 20}]
    people = {"fallback": "fallback@example.gov.uk", "head": "head@example.gov.uk"}
    delivery = {"channel": channel, "graph": {**APP, **app}}
    given = {"sources": sources, "people": people, "delivery": delivery}
    return Config.model_validate(given, context={"folder": folder})


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (31, None),
        (30, "expires on 31 March 2026, in 30 days"),
        (1, "expires on 31 March 2026, in 1 day"),
        (0, "expires today"),
        (-1, "expired on 31 March 2026"),
        (-400, "expired on 31 March 2026"),
    ],
)
def test_a_secret_is_warned_of_from_thirty_days_before_its_last_day(days: int, words: str | None) -> None:
    today = LAST_DAY - dt.timedelta(days)

    said = [end.describe(today) for end in find_ends(config(), today)]

    assert said == ([] if words is None else [f"delivery.graph: the secret or certificate in GRAPH_SECRET {words}"])


def test_a_channel_that_is_not_in_use_warns_of_nothing() -> None:
    assert find_ends(config("folder"), LAST_DAY) == ()
    assert find_undated(config("folder", secret_expires_on=None)) == ()


def test_a_certificate_says_itself_when_it_ends_and_the_earlier_day_counts(tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text("no certificate", encoding="utf-8")
    by_itself = config(client_secret_env=None, certificate_file=str(file), secret_expires_on=None)
    undated = find_undated(by_itself)
    last_day = london_date(sign_certificate(file))

    assert undated == ("delivery.graph",)
    assert find_undated(by_itself) == ()
    assert [end.last_day for end in find_ends(by_itself, last_day)] == [last_day]
    for said in (last_day - dt.timedelta(1), last_day + dt.timedelta(1)):
        (end,) = find_ends(config(client_secret_env=None, certificate_file=str(file), secret_expires_on=said), last_day)
        assert end.last_day == min(said, last_day)


def sign_certificate(file: Path) -> dt.datetime:
    """Write a certificate that ends within days; return when."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "care leaver monitor")])
    begins = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ends = begins + dt.timedelta(days=9)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, ends).sign(key, hashes.SHA256())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return ends


def test_status_takes_it_as_a_concern() -> None:
    at = dt.datetime(2026, 3, 30, 9, tzinfo=dt.UTC)
    standing = ServiceStatus(at, DatabaseState("SQLite", "monitor.db", HEAD), at, 50_000)

    (concern,) = [found for found in judge(standing, config()) if found.about == "secret"]

    assert concern.what.endswith("expires on 31 March 2026, in 1 day")
    assert concern.do.startswith("make a new one in Entra")


def test_check_says_it_and_who_sends(tmp_path: Any) -> None:
    report = check(config(folder=str(tmp_path)), as_at=LAST_DAY, environ={"GRAPH_SECRET": SECRET})

    first, second, *_ = dict(report.sections)["Delivery"]
    assert first == "graph from care-leaver-monitor@example.gov.uk, marked OFFICIAL-SENSITIVE"
    assert "expires today; make a new one in Entra" in second
    assert find_undated(config(secret_expires_on=None)) == ("delivery.graph",)


def test_the_analyst_is_told_when_it_is_first_near_and_in_the_last_week_and_not_in_between(tmp_path: Path) -> None:
    (tmp_path / "graph.secret").write_text(SECRET, encoding="utf-8")
    last_day = NIGHT + dt.timedelta(9)
    with microsoft() as server:
        app = f'tenant = "{TENANT}", client_id = "{CLIENT}", client_secret_file = "graph.secret"'
        where = f'login_url = "{server.url}", graph_url = "{server.url}", secret_expires_on = {last_day}'
        settings = f'delivery.channel = "graph"\ndelivery.graph = {{ {app}, {where} }}\n'
        council = Council(tmp_path, settings + few_rules(tmp_path))
        for days in range(3):
            council.night(NIGHT + dt.timedelta(days), crowd(20))

    mails = [" ".join(text.split()) for (text,) in council.rows("SELECT text FROM message WHERE kind = 'analyst'")]
    assert len(server.to("analyst@example.gov.uk")) == 3
    line = f"expires on {write_date(last_day)}. Make a new one in Entra"
    assert [line in text for text in mails] == [True, False, True]
