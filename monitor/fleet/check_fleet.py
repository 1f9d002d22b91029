"""``monitor fleet check``: what each council's own check says, and what the councils must not have in common."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from monitor.errors import MonitorError, Problems
from monitor.fleet.authorities import open_config
from monitor.fleet.children import ChildEnd
from monitor.fleet.council_end import (
    LONGEST_WORDS,
    CouncilEnd,
    describe_failure,
    describe_unusable,
    find_worst,
    read_account,
)
from monitor.fleet.council_log import name_log, read_last_name
from monitor.fleet.each_council import CouncilCommand, CouncilsEnd, run_each, summarize
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.fleet.join_letters import find_unjoined
from monitor.fleet.mailing import find_mailing
from monitor.store.database import looking_at
from monitor.store.location import locate
from monitor.words import fold_name, join_words, one_line

WHERE = text(
    "SELECT current_schema(), oid, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database()"
)
"""What tells a schema from every other, by whatever name its server is reached."""
OTHERS = text(
    "SELECT nspname FROM pg_namespace WHERE nspname ~ '^la_[0-9a-z]+$' AND nspname <> current_schema() "
    "AND has_schema_privilege(oid, 'USAGE') ORDER BY 1"
)


@dataclass(frozen=True)
class FleetCheck:
    """What each council's check found. ``problems``: of all councils together; ``notes``: what is worth knowing."""

    councils: CouncilsEnd
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.councils.signal is not None:
            return self.councils.exit_code
        return find_worst([self.councils.exit_code, Problems.exit_code if self.problems else 0])

    def as_dict(self) -> dict[str, Any]:
        of_all = {"problems": self.problems, "notes": self.notes}
        return {**self.councils.as_dict(), "exit_code": self.exit_code, **of_all}


def check_configs(authorities: Iterable[Authority], told: Callable[[str], None]) -> FleetCheck:
    """Say of every council whether its config can be used; ``read_fleet`` has refused what could mix them."""
    ends = [
        describe_unusable(one) if one.problems else CouncilEnd(one.code, one.name, 0, "its config can be used")
        for one in authorities
    ]
    for line in (*(end.line for end in ends), summarize(ends, "usable")):
        told(line)
    return FleetCheck(CouncilsEnd(tuple(ends)))


def check_fleet(
    fleet: Fleet, authorities: Iterable[Authority], environ: Mapping[str, str], told: Callable[[str], None]
) -> FleetCheck:
    """Run ``monitor check`` for every council, and look for a schema that two reach; nothing is saved or sent."""
    councils = run_each(fleet, authorities, CouncilCommand(("check", "--json"), describe_check), environ, told)
    problems, notes = find_reached_twice(fleet, environ)
    notes += (*find_renamed(fleet), *find_unjoined(find_mailing(fleet, environ)))
    found = FleetCheck(councils, problems, notes)
    for line in (*found.notes, *found.problems, summarize(councils.ends, "ready")):
        told(line)
    return found


def describe_check(authority: Authority, child: ChildEnd) -> CouncilEnd:
    """Return what a council's check found; its routes, which have readers' addresses, stay with the council."""
    account = read_account(child)
    if account is None or child.exit_code is None:
        exit_code, words = describe_failure(child, f"monitor check --config {authority.config_path}")
        return CouncilEnd(authority.code, authority.name, exit_code, words, round(child.seconds, 1))
    problems = [one_line(problem) for problem in account["problems"]]
    kept: dict[str, Any] = {"problems": problems}
    return CouncilEnd(
        authority.code, authority.name, child.exit_code, _write_check(problems), round(child.seconds, 1), kept
    )


def _write_check(problems: list[str]) -> str:
    if not problems:
        return "ready"
    more = f"; and {len(problems) - 1} more, see monitor check" if len(problems) > 1 else ""
    return f"not ready: {problems[0][:LONGEST_WORDS]}{more}"


def find_renamed(fleet: Fleet) -> Iterator[str]:
    """Yield each council whose config calls it otherwise than on its last night: it may be another council's config."""
    for authority in fleet.authorities:
        before = None if authority.problems else read_last_name(name_log(fleet, authority.code))
        if before is not None and fold_name(before) != fold_name(authority.name):
            yield (
                f'{authority.code}: its config names "{authority.name}", and that of its last night "{before}"; '
                f"make sure that {authority.config_path} is the config of council {authority.code}"
            )


def find_reached_twice(fleet: Fleet, environ: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is wrong with the schemas of the councils on PostgreSQL, and what is worth knowing.

    Wrong: one schema that two configs reach by two names of its server. Worth knowing: a role that may use the schema
    of another council. A database that cannot be reached is told by its own council's check.
    """
    places: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    notes = []
    for authority in fleet.authorities:
        with suppress(MonitorError):
            config = open_config(fleet, authority)
            if not (config.database or "").startswith("postgresql"):
                continue
            with looking_at(locate(config, environ)) as store:
                places[tuple(store.execute(WHERE).one())].append(authority.code)
                if others := list(store.execute(OTHERS).scalars()):
                    named = join_words([*others[:3], *(["others"] if len(others) > 3 else [])])
                    notes.append(f"{authority.code}: its role may use {named} too; give each schema a role of its own")
    remedy = "reach one schema by two names of its server; give each council a database_schema of its own"
    shared = (codes for codes in places.values() if len(codes) > 1)
    return tuple(f"{join_words(codes)}: {remedy}" for codes in shared), tuple(notes)
