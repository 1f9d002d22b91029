"""The settings of a scan: ``scan.toml``, read once into frozen models, every problem reported together."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from monitor.catalogue.caseload_contract import AUTHORITY, contract_columns
from monitor.config.fields import File, Folder, Line, Table
from monitor.config.settings import RuleSettings, shipped
from monitor.config.settings_file import FileNames, check_settings, read_settings
from monitor.figures.suppression import SUPPRESS_BELOW

NAMES = FileNames("--config", "monitor help councils")
IN_A_LAKE = re.compile(r"[a-z][a-z0-9+.-]*://.+")
A_TABLE = re.compile(r"\w+(\.\w+){0,2}")
"""The name of a table of Spark's catalogue."""
A_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
SECRET_PARTS = re.compile(r"(?i)(token|password|secret|sig|accountkey|sharedkey)=|//[^/@]*:[^/@]*@")

EngineName = Literal["duckdb", "spark"]
People = Literal["counts", "pseudonyms", "ids"]


def _no_secret(value: str) -> str:
    if SECRET_PARTS.search(value):
        raise ValueError("holds a secret; take it out, and let the account that runs the scan have the right to read")
    return value


def _remote(value: str) -> str:
    if not re.fullmatch(r"sc://[^/\s]+(/\S*)?", value):
        raise ValueError("not the address of a Spark Connect server; write it like sc://host:15002")
    if SECRET_PARTS.search(value):
        raise ValueError("holds a secret; name with remote_env the environment variable that has the whole address")
    return value


Place = Annotated[Line, AfterValidator(_no_secret)]
"""A path, or an address in a lake."""


class SparkSettings(Table):
    """Where Spark is. Neither key: a session that is handed in, or one on this machine."""

    remote: Annotated[Line, AfterValidator(_remote)] | None = None
    remote_env: Line | None = None

    @model_validator(mode="after")
    def _one_address(self) -> "SparkSettings":
        if self.remote and self.remote_env:
            raise ValueError("remote_env: stands beside remote; name one of the two")
        return self


class ScanSettings(Table):
    """What is scanned, of whom, and where the answers go; relative paths have been made absolute."""

    caseload: Place
    authority: Line = AUTHORITY
    out: Place
    as_at: date | None = None
    people: People = "counts"
    engine: EngineName | None = None
    suppress_below: Annotated[int, Field(ge=0, le=100)] = SUPPRESS_BELOW
    pseudonym_key_env: Line | None = None
    pseudonym_key_file: File | None = None
    rules: tuple[Folder, ...] = ()
    shipped_rules: bool = True
    spark: SparkSettings | None = None

    @field_validator("caseload", "out")
    @classmethod
    def _find_from_folder(cls, value: str, info: ValidationInfo) -> str:
        """Make a path absolute from the file's folder; an address, or the name of a table, is left as it is."""
        path = Path((info.context or {}).get("folder", "")) / value
        is_a_table = info.field_name == "caseload" and A_TABLE.fullmatch(value) and not value.endswith(".parquet")
        is_elsewhere = IN_A_LAKE.fullmatch(value) or (is_a_table and not path.exists())
        return value if is_elsewhere else str(path)

    @field_validator("authority")
    @classmethod
    def _is_a_column(cls, value: str) -> str:
        if not A_COLUMN.fullmatch(value):
            raise ValueError(f'"{value[:63]}" is not the name of a column; letters, digits and _, like "la_code"')
        others = {name.lower() for name, _ in contract_columns()} - {AUTHORITY}
        if value.lower() in others:
            raise ValueError(f'"{value}" is another column of the contract; name the one that tells the authority')
        return value

    @field_validator("suppress_below")
    @classmethod
    def _hides_something(cls, value: int) -> int:
        if value in (1, 2):
            raise ValueError(f"{value} would withhold next to nothing; write 3 or more, or 0 to give every count")
        return value

    @model_validator(mode="after")
    def _key_fits(self) -> "ScanSettings":
        named = [self.pseudonym_key_env, self.pseudonym_key_file]
        if self.people == "pseudonyms" and named.count(None) != 1:
            raise ValueError("pseudonym_key_env: give it or pseudonym_key_file, the one place where the key is")
        if self.people != "pseudonyms" and named.count(None) != 2:
            raise ValueError('pseudonym_key_env, pseudonym_key_file: only for people = "pseudonyms"; remove them')
        return self

    @model_validator(mode="after")
    def _has_rules(self) -> "ScanSettings":
        if not self.shipped_rules and not self.rules:
            raise ValueError(
                "shipped_rules: is false, and rules names no folder; name one, or use the shipped rulebook"
            )
        return self

    def choose_engine(self, asked: EngineName | None = None) -> EngineName:
        """Return the engine asked for; else Spark where it is set up or a lake is named, DuckDB where not."""
        is_in_a_lake = any(map(IN_A_LAKE.fullmatch, (self.caseload, self.out)))
        return asked or self.engine or ("spark" if self.spark or is_in_a_lake else "duckdb")

    def rule_folders(self) -> tuple[Path, ...]:
        """Return the shipped rulebook first, unless it is left out, and the folders beside it."""
        return (*((shipped("rules"),) if self.shipped_rules else ()), *self.rules)


class ScanFile(Table):
    """The whole of ``scan.toml``. ``rule``: each rule's limits, as a council's config has them."""

    scan: ScanSettings
    rule: Mapping[str, RuleSettings] = Field(default_factory=dict)


def read_scan(path: Path) -> ScanFile:
    """Read ``scan.toml``; raises ``Problems`` naming every mistake."""
    return read_settings(path, ScanFile, NAMES)


def check_scan(tables: Mapping[str, Any]) -> ScanFile:
    """Return what a notebook gives in place of a file; raises ``Problems`` naming every mistake."""
    return check_settings(tables, ScanFile, Path("settings"), NAMES)
