"""Reads the figures of a region: from the views of the fleet's database, or from each council's own store."""

import datetime as dt
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from monitor.errors import MonitorError
from monitor.fleet.authorities import locate_region, open_config
from monitor.fleet.authority_nights import NO_NIGHT, UNREAD, AuthorityNight, RawCount, read_night
from monitor.fleet.figure_views import NOT_IN_VIEWS, PRINT_SQL, read_views
from monitor.fleet.figures_by_authority import FleetFigures, is_old, lay_out, withhold_small_counts
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.store.database import HEAD, find_version, open_store
from monitor.store.location import locate
from monitor.words import write_date


@dataclass(frozen=True)
class RegionFigures:
    """The figures, and a line for each authority that has none, or old ones: code, fault, remedy."""

    figures: FleetFigures
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadStore:
    """What one council's store gave. ``fault``: why it gave nothing."""

    night: AuthorityNight
    counts: tuple[RawCount, ...] = ()
    fault: str | None = None


def gather_figures(fleet: Fleet, today: dt.date, as_at: dt.date | None, environ: Mapping[str, str]) -> RegionFigures:
    """Return the figures of every council's last accepted night, or of the last one up to ``as_at``.

    The views tell the last night alone, and need no right to a council's tables: they are read where they are and no
    earlier date is asked for. Otherwise each council's own config says where its store is. What cannot be read of one
    council is told in its place, and stops no other. Raises ``MonitorError`` where the views cannot be read.
    """
    region = locate_region(fleet, environ) if as_at is None else None
    if region is not None and (figures := read_views(region, fleet, today)) is not None:
        faults = [_say_missing(night) for night in figures.nights if night.why_not is not None]
        return RegionFigures(figures, (*faults, *_say_old(figures)))
    stores = [_read_store(authority, fleet, as_at or today, environ) for authority in fleet.authorities]
    counts = {store.night.code: store.counts for store in stores}
    told = withhold_small_counts(counts, fleet.suppress_below)
    figures = lay_out(as_at or today, [store.night for store in stores], told, fleet.suppress_below)
    return RegionFigures(figures, (*(store.fault for store in stores if store.fault), *_say_old(figures)))


def _read_store(authority: Authority, fleet: Fleet, until: dt.date, environ: Mapping[str, str]) -> ReadStore:
    code, name = authority.code, authority.name or authority.code
    try:
        where = locate(open_config(fleet, authority), environ)
        version = find_version(where)
        if version is not None and version != HEAD:
            why = "its records are of another version of the monitor"
            remedy = "run its night, or this command, with the version that is installed there"
            return ReadStore(AuthorityNight(code, name, why_not=why), fault=f"{code}: {why}; {remedy}")
        if version is not None:
            with closing(open_store(where, existing=True)) as database, database.reading() as store:
                night, counts = read_night(store, code, name, until)
            return ReadStore(night, counts, _say_missing(night) if night.why_not else None)
    except MonitorError as fault:
        return ReadStore(AuthorityNight(code, name, why_not=UNREAD), fault=f"{code}: {fault}")
    night = AuthorityNight(code, name, why_not=NO_NIGHT)
    return ReadStore(night, fault=_say_missing(night))


def _say_missing(night: AuthorityNight) -> str:
    if night.why_not == NOT_IN_VIEWS:
        return f"{night.code}: {NOT_IN_VIEWS}; have an administrator run what this prints: {PRINT_SQL}"
    return f"{night.code}: {night.why_not}; it has no figures until one is, and the others are told without it"


def _say_old(figures: FleetFigures) -> list[str]:
    return [
        f"{night.code}: its last accepted night is of {write_date(night.as_at)}; its figures are those of that day"
        for night in figures.nights
        if night.as_at is not None and is_old(night, figures.as_at)
    ]
