"""Finds what two councils have in common and must not: a folder, a file, a database, a schema, a source or a name.

Ids of two councils collide, so one place for both would put one young person's record with another's.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from monitor.config.settings import Config
from monitor.config.source_settings import Source
from monitor.store.location import LOCAL
from monitor.words import fold_name, join_words

REMEDY = {
    "authority": "name each council in its own config, since its messages are signed so",
    "database": "give each council a database of its own, or a database_schema",
    "source": "read each council's people from a source of its own, since ids of two councils collide",
    "heartbeat": "give each council an address of its own, since a ping of one would hide that another is silent",
    "list": "give each council a list of its own, since ids of two councils collide",
    "folder": "give each council a place of its own, since what the monitor writes there is about its people alone",
}


@dataclass(frozen=True)
class OwnPlace:
    """A folder or a file that one council alone may write to. ``key``: where its config names it."""

    key: str
    path: Path


def list_own_places(config: Config) -> tuple[OwnPlace, ...]:
    """List where a council's monitor writes."""
    database = (config.database or "").removeprefix("sqlite:///")
    places = [OwnPlace("data_folder", config.data_folder)]
    if not (config.database or "").startswith("postgresql"):
        places.append(OwnPlace("database", Path(database) if database else config.data_folder / "monitor.db"))
    if config.lists.lists_folder:
        places.append(OwnPlace("lists.lists_folder", config.lists.lists_folder))
    if config.service.log_file:
        places.append(OwnPlace("service.log_file", config.service.log_file))
    return tuple(places)


def key_of(path: Path) -> Hashable:
    """Return what tells a place from others, however its path is written: links, ``..`` and letters' case resolved."""
    real = os.path.realpath(path)
    try:
        found = os.stat(real)
    except (OSError, ValueError):
        return os.path.normcase(real)
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.normcase(real)


def find_shared_places(configs: Mapping[str, Config], environ: Mapping[str, str]) -> list[str]:
    """Return a line for each thing that two councils have in common, by the codes of both; ``configs``: by code."""

    def list_heartbeats(config: Config) -> Named:
        return _list_heartbeats(config, environ)

    return [
        *_find_same(configs, _list_names, "authority"),
        *_find_same(configs, _list_databases, "database"),
        *_find_same(configs, _list_sources, "source"),
        *_find_same(configs, _list_lists, "list"),
        *_find_same(configs, list_heartbeats, "heartbeat"),
        *_find_nested(configs),
    ]


Named = Iterator[tuple[str, Hashable]]
"""What a config names, in words, and what tells it from others."""


def _list_names(config: Config) -> Named:
    yield f'authority "{config.authority}"', fold_name(config.authority)


def _list_databases(config: Config) -> Named:
    if not (config.database or "").startswith("postgresql"):
        return
    schema = config.database_schema
    yield (
        f'database "{config.database}"' + (f", schema {schema}" if schema else ""),
        (server_key(config.database), schema),
    )


def server_key(database: str | None) -> Hashable:
    """Return what tells one database of PostgreSQL from another, whoever opens it."""
    url = make_url(database or "")
    query = {name: value for name, value in url.query.items() if name in ("host", "port", "service", "options")}
    host = (url.host or str(query.pop("host", ""))).casefold()
    port = url.port or query.pop("port", 5432)
    return ("localhost" if host in LOCAL else host, str(port), url.database, *sorted(query.items()))


def _list_sources(config: Config) -> Named:
    for source in config.sources:
        if key := _key_of_source(source):
            yield f"{source.place}, {key[0]}", key[1:]


def _key_of_source(source: Source) -> tuple[Hashable, ...] | None:
    """Return how a message names where the rows come from, and what tells it from others; None: they are invented."""
    if source.kind == "sample":
        return None
    if source.http:
        return "its url", source.http.url
    if source.url is None:
        return f"file {source.path}", key_of(source.path or Path())
    query = key_of(source.query_file) if source.query_file else None
    if source.url.startswith("sqlite"):
        return "its database", key_of(Path(source.url.partition(":///")[2])), query, source.db_schema
    return "its database", server_key(source.url), query, source.db_schema


def _list_lists(config: Config) -> Named:
    for key in ("restricted", "merged_ids"):
        if path := getattr(config, key):
            yield f"{key} {path}", key_of(path)


def _list_heartbeats(config: Config, environ: Mapping[str, str]) -> Named:
    """Yield the address that is pinged, which no message quotes; where it cannot be read, where it is to be."""
    if config.heartbeat is None:
        return
    name, file = config.heartbeat.url_env, config.heartbeat.url_file
    if name is not None:
        yield f"heartbeat address, that of {name}", environ.get(name, "").strip() or ("variable", name)
    if file is not None:
        address = ""
        with suppress(OSError, UnicodeDecodeError):
            address = file.read_text(encoding="utf-8").strip()
        yield f"heartbeat address, that of {file}", address or key_of(file)


def _find_same(configs: Mapping[str, Config], listed: Callable[[Config], Named], remedy: str) -> Iterator[str]:
    """Find what several councils name, each thing once."""
    found: dict[Hashable, dict[str, str]] = defaultdict(dict)
    for code, config in configs.items():
        for words, key in listed(config):
            found[key].setdefault(code, words)
    for named in found.values():
        if len(named) > 1:
            yield f"{join_words(list(named))} have one {next(iter(named.values()))}; {REMEDY[remedy]}"


def _find_nested(configs: Mapping[str, Config]) -> Iterator[str]:
    """Find a place of one council that is another's, or lies within it."""
    places = [(code, place) for code, config in configs.items() for place in list_own_places(config)]
    owners: dict[Hashable, list[tuple[str, OwnPlace]]] = defaultdict(list)
    for code, place in places:
        owners[key_of(place.path)].append((code, place))
    seen = set()
    for code, place in places:
        for path in (place.path, *Path(os.path.realpath(place.path)).parents):
            for other, around in owners.get(key_of(path), ()):
                pair = frozenset((code, other))
                if other != code and pair not in seen:
                    seen.add(pair)
                    how = "is also" if path == place.path else "lies within"
                    yield f"{code}: {place.key} {place.path} {how} {around.key} of {other}; {REMEDY['folder']}"
