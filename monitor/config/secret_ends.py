"""When the secrets and certificates of the config end: warned of 30 days ahead, and from then on.

Of a certificate its file says so; of a secret, only the config does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from monitor.config.delivery_settings import DeliverySettings
from monitor.config.fields import Table
from monitor.config.network_settings import EntraApp
from monitor.words import write_count, write_date
from monitor.workdays import london_date

WARNED, NEAR = timedelta(days=30), timedelta(days=7)


@dataclass(frozen=True)
class SecretEnd:
    """The last day of one secret or certificate. ``place``: its table in the config; ``proof``: where it is kept."""

    place: str
    proof: str
    last_day: date

    def is_near(self, today: date) -> bool:
        """Return whether it ends within a week, or has ended."""
        return self.last_day - today <= NEAR

    def describe(self, today: date) -> str:
        """Say when it ends, or ended, to whoever reads it today."""
        days = (self.last_day - today).days
        if days == 0:
            return f"{self._what} expires today"
        within = f", in {write_count(days, 'day')}" if days > 0 else ""
        return f"{self.describe_dated(today)}{within}"

    def describe_dated(self, today: date) -> str:
        """Say the same by its date alone, since a mail may be read days later."""
        ends = "expired" if self.last_day < today else "expires"
        return f"{self._what} {ends} on {write_date(self.last_day)}"

    @property
    def _what(self) -> str:
        return f"{self.place}: the secret or certificate in {self.proof}"


REMEDY = "make a new one in Entra, put it there, and correct secret_expires_on; once expired, it lets nothing in or out"


def find_ends(config: Table, today: date) -> tuple[SecretEnd, ...]:
    """List what ends within 30 days or has ended, the earliest first; nothing of a channel that is not in use."""
    soon = (end for end in _all_ends(config, "") if end.last_day - today <= WARNED)
    return tuple(sorted(soon, key=lambda end: (end.last_day, end.place)))


def find_undated(config: Table) -> tuple[str, ...]:
    """List the tables whose secret or certificate has no date, so that nobody can be warned."""
    return tuple(place for place, app in _apps(config, "") if _find_last_day(app) is None)


def _all_ends(config: Table, place: str) -> Iterator[SecretEnd]:
    for where, app in _apps(config, place):
        if (last_day := _find_last_day(app)) is not None:
            yield SecretEnd(where, app.proof_place, last_day)


def _find_last_day(app: EntraApp) -> date | None:
    """Return the day that the config gives, or that of the certificate itself, if that is earlier."""
    own = read_last_day(app.certificate_file) if app.certificate_file else None
    return min((day for day in (app.secret_expires_on, own) if day is not None), default=None)


def read_last_day(file: Path) -> date | None:
    """Return the last day of the first certificate of a PEM file; None where it cannot be read: signing in says why."""
    try:
        from cryptography import x509  # not installed everywhere, and it loads slowly

        return london_date(x509.load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc)
    except (ImportError, OSError, ValueError):
        return None


def _apps(table: Table, place: str) -> Iterator[tuple[str, EntraApp]]:
    """Find every application that signs in, wherever in the config it is described."""
    if isinstance(table, EntraApp):
        yield place, table
    for name in type(table).model_fields:
        inner = getattr(table, name)
        if isinstance(inner, Table) and not _is_idle(table, name):
            yield from _apps(inner, f"{place}.{name}".removeprefix("."))


def _is_idle(table: Table, name: str) -> bool:
    """Return whether this is the table of a channel other than the one in use."""
    return isinstance(table, DeliverySettings) and name in ("smtp", "notify", "graph") and name != table.channel
