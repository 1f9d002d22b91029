"""Keeps in the fleet's folder what each night of a council said, and reads there what the council was called."""

import datetime as dt
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from monitor.errors import MonitorError
from monitor.files import add_lines
from monitor.fleet.children import ChildEnd
from monitor.fleet.fleet_settings import Fleet

LARGEST_LOG = 1_000_000
LAST_LINES = 1_000
"""Of a log, so many are looked through for the last night that ended with an account."""


def name_log(fleet: Fleet, code: str) -> Path:
    """Return where a council's nights are logged."""
    return fleet.folder / "logs" / f"{code}.log"


def keep_log(log: Path, child: ChildEnd, account: Mapping[str, Any] | None, words: str) -> str | None:
    """Add what a night said to its council's log; return why that cannot be done, where it cannot."""
    lines = [f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC: {words}", *child.stderr.splitlines()]
    if account is not None:
        lines.append(json.dumps(account))
    try:
        with suppress(OSError):
            if log.stat().st_size > LARGEST_LOG:
                log.replace(log.with_suffix(".before.log"))
        add_lines(log, lines)
    except MonitorError as fault:
        return str(fault)
    return None


def read_last_name(log: Path) -> str | None:
    """Return what a council's config called it when its last night was logged; None where no log says so."""
    lines: deque[str] = deque(maxlen=LAST_LINES)
    with suppress(OSError, UnicodeDecodeError), log.open(encoding="utf-8") as file:
        lines.extend(file)
    for line in reversed(lines):
        with suppress(ValueError):
            account = json.loads(line)
            if isinstance(account, dict) and isinstance(account.get("authority"), str):
                return str(account["authority"])
    return None
