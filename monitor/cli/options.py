"""What commands have in common: their options, the clock, and reading config and rulebook."""

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.workdays import london_date

if TYPE_CHECKING:
    from sqlalchemy import URL

    from monitor.config.settings import Config
    from monitor.rulebook.rulebook import Rulebook


ConfigPath = Annotated[Path, typer.Option("--config", envvar="MONITOR_CONFIG", help="The configuration file.")]
CONFIG = Path("monitor.toml")

WAIT = 5.0
"""Long enough for a delivery to finish; whoever is asked to wait longer is better told."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=0, metavar="SECONDS", help="How long another run may take to finish, or the database to answer."
    ),
]


def date_option(name: str, words: str) -> Any:
    """Return an option that takes a date."""
    return typer.Option(name, parser=read_date, metavar="YYYY-MM-DD", help=words)


def read_date(text: str) -> dt.date:
    """Return the date of an option; raise ``BadParameter`` for anything else."""
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f'"{text[:40]}" is not a date; write it like 2026-01-31') from None


AsAt = Annotated[dt.date | None, date_option("--as-at", "The date it is about; today if left out.")]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def today() -> dt.date:
    return london_date(now())


def locate_database(settings: "Config") -> "URL":
    """Return where the monitor's own database is, with the password it needs."""
    from monitor.store.location import locate

    return locate(settings, os.environ)


def load(path: Path) -> "Config":
    from monitor.config.settings import load_config

    return load_config(path)


def read_rulebook(path: Path, *, adjusted: bool = True) -> "Rulebook":
    """Read the config's rulebook; where there is no config file the shipped one, so that it can be read before set-up.

    Without the config's adjustments for examples, which do not know them.
    """
    from monitor.rulebook.kept_rulebook import open_rulebook, open_shipped

    if path == CONFIG and not path.exists():
        return open_shipped()
    return open_rulebook(load(path), adjusted=adjusted)
