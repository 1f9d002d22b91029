"""A fleet of invented councils, each with a folder of its own."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from support.council import HEADINGS, homeless, settled
from support.timed_service import few_rules

from monitor.store.roles import write_role, write_schema

CODES = ("314", "315", "319")
NAMES = {"314": "Kingston", "315": "Merton", "319": "Sutton"}


@dataclass
class FleetFolder:
    """``fleet.toml`` and its councils; ``url``: the PostgreSQL database that has a schema for each, if any."""

    folder: Path
    codes: Sequence[str] = CODES
    url: str | None = None
    lines: str = ""
    own: dict[str, str] = field(default_factory=dict)
    """Lines at the head of a council's config, by its code."""

    @property
    def path(self) -> Path:
        return self.folder / "fleet.toml"

    def config(self, code: str) -> Path:
        return self.folder / NAMES.get(code, f"c{code}").lower() / "monitor.toml"

    def write(self) -> "FleetFolder":
        for code in self.codes:
            self.write_council(code)
        database = f'database = "{self.url}"' if self.url else ""
        councils = "".join(
            f'[[authorities]]\ncode = "{code}"\nconfig = "{self.config(code).relative_to(self.folder).as_posix()}"\n'
            for code in self.codes
        )
        self.path.write_text(f"[fleet]\n{database}\n{self.lines}\n{councils}", encoding="utf-8")
        return self

    def write_council(self, code: str) -> None:
        folder = self.config(code).parent
        folder.mkdir(exist_ok=True)
        url = (self.url or "").replace("//postgres@", f"//la_{code}@")
        schema = f'database = "{url}"\ndatabase_schema = "la_{code}"' if self.url else ""
        self.config(code).write_text(
            f"""
            authority = "{NAMES.get(code, code)}"
            {schema}
            {few_rules(folder)}
            {self.own.get(code, "")}
            [[sources]]
            name = "caseload"
            kind = "annex-a-list-9"
            path = "list-9.csv"
            [people]
            analyst = "analyst@example.gov.uk"
            [[teams]]
            name = "North"
            lead = "north@example.gov.uk"
            [lists]
            workbooks = false
            [report]
            every_night = false
            """,
            encoding="utf-8",
        )
        self.write_people(code, [homeless("P1"), *(settled(f"P{n}") for n in range(2, 12))])

    def write_people(self, code: str, people: Sequence[Mapping[str, str]]) -> None:
        with (self.config(code).parent / "list-9.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADINGS.values())
            writer.writerows([[person[key] for key in HEADINGS] for person in people])


def make_schemas(url: str, codes: Sequence[str] = CODES) -> None:
    """Make a schema for each council, and a role that owns it and nothing else."""
    with psycopg.connect(url, autocommit=True) as store:
        for name in (f"la_{code.lower()}" for code in codes):
            if not store.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                store.execute(write_role(name))  # type: ignore[call-overload]
            store.execute(write_schema(name, name))  # type: ignore[call-overload]
