"""Opens one council of a fleet: its own config, which alone says where its records are."""

from collections.abc import Mapping

from sqlalchemy import URL

from monitor.config.settings import Config, load_config
from monitor.errors import Problems
from monitor.fleet.fleet_settings import Authority, Fleet, find_disagreements
from monitor.store.location import locate_server


def open_config(fleet: Fleet, authority: Authority) -> Config:
    """Read a council's config, with which its store alone is opened; raise ``Problems`` where it cannot be used.

    It is read anew, and must still name the schema that is this council's in the fleet's database.
    """
    if authority.problems:
        raise Problems(authority.problems)
    config = load_config(authority.config_path)
    if problems := find_disagreements(fleet.database, authority, config):
        raise Problems(problems)
    return config


def locate_region(fleet: Fleet, environ: Mapping[str, str]) -> URL | None:
    """Return the fleet's own database, as its own role opens it; None where each council has one of its own."""
    return locate_server(fleet.database, fleet, environ) if fleet.database else None
