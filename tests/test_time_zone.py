"""Every date is London's, on a machine of another zone and without the system's own list of zones."""

import datetime as dt
import email
import os
import subprocess
import sys
from pathlib import Path

from support.council import Council, crowd, homeless
from support.timed_service import few_rules

from monitor.workdays import LONDON


def elsewhere(now: dt.datetime) -> str:
    """A zone in which it is another day than in London just now, from where Python finds no other list of zones."""
    return "Pacific/Pago_Pago" if now.astimezone(LONDON).hour < 11 else "Pacific/Kiritimati"


def test_a_night_is_of_londons_date_where_the_machine_has_another(tmp_path: Path) -> None:
    before = dt.datetime.now(dt.UTC)
    seen = f"{before.astimezone(LONDON):%d/%m/%Y}"
    council = Council(tmp_path, few_rules(tmp_path, "homeless"), report=True)
    council.write([homeless("P1", contact=seen), *crowd(3, contact=seen)])
    command = [sys.executable, "-c", "from monitor.cli.command import main; main()", "run"]
    environ = {**os.environ, "TZ": elsewhere(before), "PYTHONTZPATH": ""}

    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    days = {moment.astimezone(LONDON).date() for moment in (before, dt.datetime.now(dt.UTC))}
    data = tmp_path / "data"
    named = [*(data / "exceptions").iterdir(), *(data / "snapshots").iterdir(), *(data / "outbox").iterdir()]
    assert {dt.date.fromisoformat(path.name[:10]) for path in named} <= days
    dated = council.rows("SELECT as_at FROM run UNION SELECT opened_on FROM flag UNION SELECT as_at FROM message")
    assert {dt.date.fromisoformat(str(day)) for (day,) in dated} <= days
    sent = [email.message_from_bytes(path.read_bytes())["Date"] for path in (data / "outbox").rglob("*.eml")]
    moments = [email.utils.parsedate_to_datetime(each) for each in sent]
    assert moments
    assert all(before - dt.timedelta(seconds=1) <= moment <= dt.datetime.now(dt.UTC) for moment in moments)
    report = (data / "report" / "report.html").read_text(encoding="utf-8")
    assert any(f"{day.day} {day:%B %Y}" in report for day in days)
    assert any(f"{day.day} {day:%B %Y}" in done.stdout for day in days), done.stdout
