"""Reads ``fleet.toml``: which councils there are, by code, and what the fleet itself needs."""

import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from monitor.config.fields import DatabaseUrl, Line, Located, Table
from monitor.config.settings import Config, load_config
from monitor.config.settings_file import FileNames, read_settings, read_toml
from monitor.errors import Problems
from monitor.figures.suppression import SUPPRESS_BELOW
from monitor.fleet.shared_places import find_shared_places, key_of, list_own_places, server_key

NAMES = FileNames("--config", "monitor help councils")
CODE = re.compile(r"[0-9]{3}|E(?:0[6-9]|10)[0-9]{6}")
"""A council's number at the DfE, or its GSS code at the Office for National Statistics."""
MOST_WORKERS = 64
MINUTES = 120


def _code(value: object) -> str:
    """Check the code of a council; letters are made capitals."""
    if not isinstance(value, str):
        raise ValueError(f'{value} is no text; write it between quotes, like "314"')
    code = value.strip().upper()
    if not CODE.fullmatch(code):
        right = 'write its three digits at the DfE, like "314", or its GSS code, like "E09000021"'
        raise ValueError(f'"{value[:40]}" is not the code of a council; {right}')
    return code


class AuthorityTable(Table):
    """One council of the file: its code, and where its config is."""

    code: Annotated[str, BeforeValidator(_code)]
    config: Located


class FleetTable(Table):
    """What is the fleet's own. ``folder``: all that it writes; ``database``: the one that has each council's schema.

    ``minutes``: after so long a council's command is ended, and counts as failed. ``suppress_below``: figures withhold
    counts from 1 and below this.
    """

    folder: Located = Path("fleet")
    workers: int = Field(default=2, ge=1, le=MOST_WORKERS)
    minutes: int = Field(default=MINUTES, ge=1, le=1_440)
    suppress_below: int = Field(default=SUPPRESS_BELOW, ge=3, le=100)
    database: DatabaseUrl | None = None
    database_password_env: Line | None = None
    database_password_file: Located | None = None

    @model_validator(mode="after")
    def _keys_of_database_fit(self) -> "FleetTable":
        if self.database and self.database.startswith("sqlite:"):
            raise ValueError(
                "database: SQLite has no schemas, so one file is one council's; name a database of PostgreSQL, or "
                "leave it out: then each council's config names its own"
            )
        if self.database_password_env and self.database_password_file:
            raise ValueError("database_password_file: stands beside database_password_env; name one of the two")
        if (self.database_password_env or self.database_password_file) and not self.database:
            raise ValueError("database_password_env, database_password_file: go with database; remove them")
        return self


class FleetFile(Table):
    """The whole of ``fleet.toml``."""

    fleet: FleetTable = FleetTable()
    authorities: Annotated[tuple[AuthorityTable, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Authority:
    """A council of the fleet. ``schema``: where in the fleet's database its tables are; None: it has its own database.

    ``problems``: why its config cannot be used, which is this council's own failure and stops no other; then ``name``
    is its code.
    """

    code: str
    config_path: Path
    schema: str | None = None
    name: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """The councils, and what the fleet needs. ``folder``: all that the fleet itself writes, and no council does."""

    path: Path
    folder: Path
    authorities: tuple[Authority, ...]
    workers: int = 2
    minutes: int = MINUTES
    suppress_below: int = SUPPRESS_BELOW
    database: str | None = None
    database_password_env: str | None = None
    database_password_file: Path | None = None

    def choose(self, codes: Sequence[str]) -> tuple[Authority, ...]:
        """Return the councils of these codes, in the file's order; all of them if none is named."""
        wanted = {code.strip().upper() for code in codes}
        known = {authority.code for authority in self.authorities}
        if unknown := [code for code in codes if code.strip().upper() not in known]:
            some = ", ".join(sorted(known)[:10]) + (", ..." if len(known) > 10 else "")
            raise Problems([f"--only {code[:40]}: no council of {self.path} has this code; {some}" for code in unknown])
        return tuple(authority for authority in self.authorities if not wanted or authority.code in wanted)


def read_fleet(path: Path, environ: Mapping[str, str]) -> Fleet:
    """Read a fleet's file and the config of each council; raise ``Problems`` with all that is wrong with the fleet.

    A config that cannot be read or used is that council's own failure: ``Authority.problems`` says why. What could put
    the records of two councils together is the fleet's, and refused: one config, folder, database, schema or source
    that two councils name.
    """
    if "sources" in (table := read_toml(path, NAMES)) and "authorities" not in table:
        raise Problems(
            [f"{path}: is the config of one council; a fleet's file has [[authorities]], and {NAMES.example}"]
        )
    file = read_settings(path, FleetFile, NAMES)
    faults = [*_find_codes_twice(file.authorities), *_find_configs_twice(file.authorities)]
    councils = [_open_authority(file.fleet, council) for council in file.authorities]
    configs = {council.code: config for council, config in councils if config is not None}
    if not faults:
        faults = [*find_shared_places(configs, environ), *_find_folder_taken(file.fleet.folder, configs)]
    if faults:
        unread = (problem for council, _ in councils for problem in council.problems)
        raise Problems([*(f"{path}: {fault}" for fault in faults), *unread])
    needed = file.fleet.model_dump()
    return Fleet(path=path, authorities=tuple(council for council, _ in councils), **needed)


def _open_authority(fleet: FleetTable, council: AuthorityTable) -> tuple[Authority, Config | None]:
    """Read a council's config; None where it cannot be used."""
    schema = name_schema(council.code) if fleet.database else None
    authority = Authority(council.code, council.config, schema, council.code)
    if council.config.exists() and not council.config.is_file():
        return replace(authority, problems=(f"{council.config}: is no file; name the config of a council",)), None
    if not council.config.exists():
        lacking = f"{council.config}: no such file; name with authorities[{council.code}].config where it is"
        return replace(authority, problems=(lacking,)), None
    try:
        config = load_config(council.config)
    except Problems as fault:
        return replace(authority, problems=fault.problems), None
    authority = replace(authority, schema=schema or config.database_schema, name=config.authority)
    problems = find_disagreements(fleet.database, authority, config)
    return replace(authority, problems=tuple(problems)), config


def name_schema(code: str) -> str:
    """Return the schema of a council in the fleet's database."""
    return f"la_{code.lower()}"


def find_disagreements(database: str | None, authority: Authority, config: Config) -> list[str]:
    """Return why a council's config is not that of a schema in the fleet's database; nothing where there is none.

    A council's commands go by its own config alone, so the fleet never puts another database in its place.
    """
    if database is None:
        return []
    own, place, schema = config.database or "", authority.config_path, authority.schema
    lines = f'database = "{_name_role(database, schema)}" and database_schema = "{schema}"'
    remedy = f"write {lines} in it, or leave database out of [fleet]: then each council's own holds"
    if not own.startswith("postgresql"):
        return [f"{place}: database: not that of [fleet], in which each council has a schema; {remedy}"]
    if server_key(own) != server_key(database):
        return [f'{place}: database: "{own}" is not that of [fleet], "{database}"; {remedy}']
    if config.database_schema != schema:
        named = f'"{config.database_schema}" is not' if config.database_schema else "missing; it is not"
        return [f"{place}: database_schema: {named} that of council {authority.code}; {remedy}"]
    return []


def _name_role(database: str, role: str | None) -> str:
    """Return the address of a database as a role opens it."""
    scheme, _, rest = database.partition("://")
    return f"{scheme}://{role}@{rest.rpartition('@')[2]}"


def _find_codes_twice(councils: Sequence[AuthorityTable]) -> Iterator[str]:
    counts = Counter(council.code for council in councils)
    for code, count in counts.items():
        if count > 1:
            yield f"authorities[{code}].code: stands there {count} times; each council has a code of its own"


def _find_configs_twice(councils: Sequence[AuthorityTable]) -> Iterator[str]:
    first: dict[Hashable, str] = {}
    for council in councils:
        other = first.setdefault(key_of(council.config), council.code)
        if other != council.code:
            where = f"authorities[{council.code}].config: {council.config}"
            yield f"{where} is also that of {other}; each council has a config of its own"


def _find_folder_taken(folder: Path, configs: Mapping[str, Config]) -> Iterator[str]:
    """Find a council that writes to the fleet's folder, or the fleet within its."""
    around = {key_of(path) for path in (folder, *Path(os.path.realpath(folder)).parents)}
    for code, config in configs.items():
        for place in list_own_places(config):
            inside = {key_of(path) for path in Path(os.path.realpath(place.path)).parents}
            if key_of(place.path) in around or key_of(folder) in inside:
                remedy = "name a folder that no council has"
                yield f"fleet.folder: {folder} and {place.key} of {code}, {place.path}, are one in the other; {remedy}"
                break
