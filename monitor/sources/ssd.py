"""The Standard Safeguarding Dataset (SSD) as each case-management system fills it: one row of text for each person.

The dataset's tables mislead in ways that differ by system. They are handled in ``queries/``, one set-based step each,
in the workspace: the same for PostgreSQL, SQLite and SQL Server.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Literal

from monitor.catalogue.codes import read_code, read_yes_no, says_died
from monitor.catalogue.person_ids import fold_id
from monitor.catalogue.phrases import UNREADABLE, fold_phrase
from monitor.config.list_findings import ListFinding, count_names, quote_names
from monitor.config.source_settings import Source, fold_area
from monitor.errors import SourceError
from monitor.sources.extract import Loaded, SourceContext, number_rows
from monitor.sources.sql import SourceDatabase, TableFound, open_database
from monitor.sources.ssd_tables import MACROS, SsdTable, all_columns, by_name
from monitor.words import fold_name, write_count, write_people
from monitor.workspace import Workspace, load_rows, number_of

OLDEST = 24
ENOUGH_PEOPLE = 20
"""Fewer people than this may all lack the same thing by chance."""

MOST_WITHOUT_ADVISER = 0.9
"""When more people than this share have no adviser, the dataset's role codes are not this council's."""

LEAVERS = "ssd_care_leavers"
TABLES = by_name(
    SsdTable(LEAVERS, all_columns(LEAVERS), needed=("person",)),
    SsdTable("ssd_person", all_columns("ssd_person"), needed=("person", "born")),
    *(
        SsdTable(name, all_columns(name), is_optional=True)
        for name in (
            "ssd_involvements", "ssd_professionals", "ssd_department", "ssd_immigration_status", "ssd_disability",
            "ssd_address",
        )
    ),
    SsdTable("ssd_cla_episodes", ("person", "started", "ceased"), is_optional=True),
)  # fmt: skip
"""The tables read; the first says whose rows of the others are wanted."""

DATES = ("contact", "plan", "born", "expected", "died", "started", "ended", "ceased")

STEPS = (
    "person", "contact", "plan", "eligibility", "listed", "professional", "department", "adviser", "uasc", "disability",
    "address", "team", "caseload",
)  # fmt: skip
"""The queries in ``queries/``, each making the table of its name that later ones read."""


@dataclass(frozen=True)
class SystemProfile:
    """How one system fills the dataset.

    ``contact``: the catalogue's column for the date beside the in-touch status, which in most systems is that of the
    yearly return and no contact. ``named``: adviser and team are names, not ids.
    """

    contact: str
    named: bool
    plan_needs_contact: bool


PROFILES: Mapping[str, SystemProfile] = {
    "ssd-systemc": SystemProfile("last_recorded_in_touch_date", named=False, plan_needs_contact=True),
    "ssd-mosaic": SystemProfile("last_recorded_in_touch_date", named=True, plan_needs_contact=False),
    "ssd-eclipse": SystemProfile("latest_contact_date", named=False, plan_needs_contact=False),
}


def load(workspace: Workspace, table: str, source: Source, context: SourceContext) -> Loaded:
    """Make view ``table`` of one row per person."""
    with _tidied(workspace):
        workspace.execute(MACROS)
        with open_database(source, context) as database:
            held = _copy(workspace, source, database)
        _check_dates(workspace, source, held)
        roles = _count_roles(workspace)
        confirmed_by = _set_variables(workspace, source, held, roles, context.as_at)
        for step in STEPS:
            query = resources.files("monitor.sources").joinpath("queries", f"{step}.sql").read_text(encoding="utf-8")
            workspace.execute(f"CREATE OR REPLACE TEMP TABLE ssd_{step}_step AS {query}")
        _check_people(workspace, source)
        areas = _count_areas(workspace) if source.area_postcodes else {}
        made = {**_say_made(confirmed_by), **({"out_of_area": "by postcodes"} if _match_areas(source, areas) else {})}
        headings, left_out = _choose_columns(workspace, source, held, made, confirmed_by)
        columns = ("contact" if name == PROFILES[source.kind].contact else name for name in headings)
        selected = ", ".join(f"{column} AS c{n}" for n, column in enumerate(columns))
        workspace.execute(
            f'CREATE OR REPLACE TABLE "{table}_read" AS SELECT {selected} FROM ssd_caseload_step '
            f"WHERE coalesce(age <= {OLDEST}, true)"
        )
        notes = (*held.notes, *left_out, *_notes(workspace, headings))
        lists = (*_find_roles(source, roles), *_find_areas(source, areas))
    if not number_rows(workspace, table, headings):
        raise SourceError(f"{source.place}: {LEAVERS}: nobody under 25; load the dataset again")
    made = {name: how for name, how in made.items() if name in headings}
    return Loaded(LEAVERS, headings, notes, lists=lists, made=made)


@contextmanager
def _tidied(workspace: Workspace) -> Iterator[None]:
    """Without the dataset's tables afterwards, which hold more than the night needs."""
    try:
        yield
    finally:
        steps = (f"ssd_{step}_step" for step in STEPS)
        for name in (*TABLES, "ssd_people", "ssd_meaning", "ssd_disability_meaning", *steps):
            workspace.execute(f'DROP TABLE IF EXISTS "{name}"')


# Reading the tables


@dataclass(frozen=True)
class Held:
    """What the database holds of the dataset: by table, the columns it has, and its rows about these people."""

    columns: Mapping[str, frozenset[str]]
    rows: Mapping[str, int]
    notes: tuple[str, ...]
    is_old_release: bool

    def has(self, table: str, column: str) -> bool:
        return column in self.columns.get(table, frozenset())


def _copy(workspace: Workspace, source: Source, database: SourceDatabase) -> Held:
    """Make a workspace table of each of the dataset's, with the rows about people on the care leavers' table."""
    there = database.find_tables(tuple(TABLES))
    notes: list[str] = []
    columns, rows = {}, {}
    for name, table in TABLES.items():
        if name not in there:
            notes.append(_do_without(workspace, table, source))
            continue
        present, table_notes = _copy_table(workspace, database, table, there[name])
        columns[name] = frozenset(present)
        rows[name] = number_of(workspace, f'SELECT count(*) FROM "{name}"')
        notes += table_notes
        if table.is_optional and not rows[name]:
            notes.append(f"{name} has no row about these people")
        if name == LEAVERS:
            workspace.execute(
                f"CREATE OR REPLACE TABLE ssd_people AS SELECT DISTINCT ssd_id(person) AS person_id FROM {LEAVERS}"
            )
    person = there["ssd_person"].columns
    old = "pers_common_child_id" in person or "pers_forename" not in person
    return Held(columns, rows, tuple(notes), is_old_release=old and source.kind == "ssd-systemc")


def _do_without(workspace: Workspace, table: SsdTable, source: Source) -> str:
    if not table.is_optional:
        where = f' in schema "{source.db_schema}"' if source.db_schema else ""
        raise SourceError(f"{source.place}: no table {table.name}{where}; correct url or schema, or load the dataset")
    table.make_empty(workspace)
    return f"{table.name} is not there"


def _copy_table(
    workspace: Workspace, database: SourceDatabase, table: SsdTable, there: TableFound
) -> tuple[dict[str, str], list[str]]:
    """Make the workspace table of one of the dataset's; the columns that it has, and a note on those it lacks."""
    name, place = table.name, database.source.place
    present = table.match(there.columns)
    if missing := table.find_missing(present):
        raise SourceError(f"{place}: {name}: no column {missing}; load a release that has it")
    if name == LEAVERS:
        where = "ssd_id(person) IS NOT NULL"
    elif "person" in table.columns:
        where = "ssd_id(person) IN (SELECT person_id FROM ssd_people)"
    else:
        where = "true"
    rows_read = database.read_table(workspace, name, there, present, where=where)
    if name == LEAVERS and not rows_read:
        raise SourceError(f"{place}: {name}: no rows; load the dataset again")
    table.complete(workspace, present)
    lacking = [table.name_of(column) for column in table.columns if column not in present]
    return present, [f"{name} has no {', '.join(lacking)}"] if lacking else []


def _check_dates(workspace: Workspace, source: Source, held: Held) -> None:
    """A column of another type than a date's would be read as blank for everyone."""
    for table, columns in held.columns.items():
        for column in sorted(columns.intersection(DATES)):
            filled, dates = workspace.execute(
                f'SELECT count(ssd_text({column})), count(ssd_day({column})) FROM "{table}"'
            ).fetchall()[0]
            if filled and not dates:
                raise SourceError(
                    f"{source.place}: {table}.{TABLES[table].name_of(column)}: none of its {filled:,} values "
                    "is a date; load the dataset with the column as a date"
                )


# What the texts mean


Confirmed = Literal["named role", "role", "name", "worker", "nothing", "no named role"]
"""What an adviser is confirmed by. *no named role*: the config names roles, and none of them occurs."""

MADE_BY: Mapping[Confirmed, str] = {
    "named role": "confirmed by a role that adviser_roles names",
    "role": "confirmed by a role that reads as an adviser's",
    "worker": "confirmed by any involvement of the worker",
}
"""How an adviser was made that is not merely as written."""

OF_ADVISERS = ("personal_adviser", "pa_start_date", "pa_changes_12_months")


def _say_made(confirmed_by: Confirmed) -> dict[str, str]:
    return dict.fromkeys(OF_ADVISERS, MADE_BY[confirmed_by]) if confirmed_by in MADE_BY else {}


def _set_variables(
    workspace: Workspace, source: Source, held: Held, counted: Mapping[str, int], as_at: date
) -> Confirmed:
    """Set what the queries ask for, and make tables of what texts mean; what an adviser is confirmed by."""
    profile = PROFILES[source.kind]
    roles = [role for role in counted if _is_advisers(role, source.adviser_roles)]
    confirmed_by = _find_confirmation(profile, held, roles, source.adviser_roles)
    # Whose team is responsible is still found by the worker listed: who hears of someone hangs on it.
    fallback = "nothing" if held.is_old_release else "worker"
    asked = {"named role": "role", "no named role": fallback}.get(confirmed_by, confirmed_by)
    for name, kind, value in (
        ("as_at", "DATE", as_at),
        ("confirmed_by", "VARCHAR", "role" if profile.named else asked),
        ("adviser_roles", "VARCHAR[]", roles),
        ("died", "VARCHAR[]", [text for text in _texts(workspace, LEAVERS, "in_touch") if _says_died(text)]),
        ("area_postcodes", "VARCHAR[]", [fold_area(area) for area in source.area_postcodes]),
        ("plan_needs_contact", "BOOLEAN", profile.plan_needs_contact),
        ("is_named", "BOOLEAN", profile.named),
    ):
        workspace.execute(f"SET VARIABLE ssd_{name} = $1::{kind}", [value])
    categories = [(text, _category(text)) for text in _texts(workspace, LEAVERS, "eligibility")]
    load_rows(workspace, "ssd_meaning", {"text": "VARCHAR", "category": "VARCHAR"}, categories)
    disabled = [(text, _disabled(text)) for text in _texts(workspace, "ssd_disability", "code")]
    load_rows(workspace, "ssd_disability_meaning", {"text": "VARCHAR", "disabled": "BOOLEAN"}, disabled)
    return confirmed_by


def _find_confirmation(profile: SystemProfile, held: Held, roles: Sequence[str], named: Sequence[str]) -> Confirmed:
    if named:
        return "named role" if roles else "no named role"
    if roles or profile.named:
        return "role" if roles else "name"
    return "worker" if held.rows.get("ssd_involvements") and not held.is_old_release else "nothing"


def _texts(workspace: Workspace, table: str, column: str) -> list[str]:
    query = f'SELECT DISTINCT ssd_text({column}) FROM "{table}" WHERE ssd_text({column}) IS NOT NULL ORDER BY 1'
    return [row[0] for row in workspace.execute(query).fetchall()]


def _category(text: str) -> str | None:
    read = read_code("eligibility", text)
    return None if read is UNREADABLE else read


def _disabled(text: str) -> bool | None:
    """A description that is no code is a disability all the same: that is what the table lists."""
    read = read_yes_no("disability", text)
    if read is UNREADABLE:
        return not fold_phrase(text).startswith(("no ", "none "))
    return read


def _says_died(text: str) -> bool:
    read = read_code("in_touch", text)
    return read == "DIED" or (read is UNREADABLE and says_died(text))


ADVISER = re.compile(r"personaladvis|pathwayadvis|^pa$|16plus|leavingcare|aftercare|careleaver|^leavingcareworker$")


def _is_advisers(role: str, named: tuple[str, ...]) -> bool:
    """Whether a local role code or description is a personal adviser's: as the config names them, else by its words."""
    if named:
        return fold_role(role) in {fold_role(name) for name in named}
    return bool(ADVISER.search(re.sub(r"[^a-z0-9]", "", role.casefold().replace("+", "plus"))))


def fold_role(role: str) -> str:
    """Return a local role code or description as it is compared: words alone, or a code without outer zeros."""
    bare = fold_name(role)
    return fold_id(bare) if re.fullmatch(r"[0-9]+(\.0+)?", bare) else fold_phrase(bare) or bare


def _count_roles(workspace: Workspace) -> dict[str, int]:
    """Return the roles that occur, the most frequent first, each with its involvements."""
    rows = workspace.execute(
        "SELECT ssd_text(role) AS text, count(*) AS n FROM ssd_involvements WHERE ssd_text(role) IS NOT NULL "
        "GROUP BY text ORDER BY n DESC, text"
    )
    return dict(rows.fetchall())


def _find_roles(source: Source, counted: Mapping[str, int]) -> Iterator[ListFinding]:
    """Return which of the named roles occur, and which roles occur beside them."""
    if not source.adviser_roles:
        return
    occurring = {fold_role(role) for role in counted}
    unmatched = [name for name in dict.fromkeys(source.adviser_roles) if fold_role(name) not in occurring]
    others = [(role, number) for role, number in counted.items() if not _is_advisers(role, source.adviser_roles)]
    number = len(dict.fromkeys(source.adviser_roles))
    name = f"adviser_roles of {source.name}"
    line = f"{name}: {number - len(unmatched)} of {write_count(number, 'role occurs', 'roles occur')}"
    if unmatched:
        line += f"; no involvement has {quote_names(unmatched)}"
    if len(unmatched) == number:
        line += ", so personal_adviser is not supplied"
    other = f"roles that occur and are not named: {count_names(others)}" if others else "no other role occurs"
    yield ListFinding(name, (line, f"{name}: {other}"), bool(unmatched), repr(sorted(map(fold_role, unmatched))))


def _count_areas(workspace: Workspace) -> dict[str, int]:
    """Return the districts in which people live, the most frequent first."""
    rows = workspace.execute(
        "SELECT left(postcode, length(postcode) - 3) AS district, count(*) AS n FROM ssd_address_step "
        "WHERE postcode IS NOT NULL GROUP BY district ORDER BY n DESC, district"
    )
    return dict(rows.fetchall())


def _match_areas(source: Source, counted: Mapping[str, int]) -> set[str]:
    """Return which of the named areas and districts somebody lives in, folded."""
    living = {*counted, *(AREA.match(district)[0] for district in counted)}  # type: ignore[index]
    return {area for area in map(fold_area, source.area_postcodes) if area in living}


def _find_areas(source: Source, counted: Mapping[str, int]) -> Iterator[ListFinding]:
    if not source.area_postcodes:
        return
    name, matched = f"area_postcodes of {source.name}", _match_areas(source, counted)
    areas = list(dict.fromkeys(source.area_postcodes))
    unmatched = [area for area in areas if fold_area(area) not in matched]
    line = f"{name}: somebody lives in {len(areas) - len(unmatched)} of {write_count(len(areas), 'area')}"
    if unmatched:
        line += f"; nobody in {quote_names(unmatched)}"
    lines = [line]
    if not matched:
        by_area = Counter[str]()
        for district, number in counted.items():
            by_area[AREA.match(district)[0]] += number  # type: ignore[index]
        where = count_names(by_area.most_common()) if by_area else "none"
        lines = [f"{line}, so out_of_area is not supplied", f"{name}: areas in which people live: {where}"]
    yield ListFinding(name, tuple(lines), not matched, repr((sorted(unmatched), bool(matched))))


AREA = re.compile("[A-Z]+")


# Which columns are supplied


def _choose_columns(
    workspace: Workspace, source: Source, held: Held, made: Mapping[str, str], confirmed_by: Confirmed
) -> tuple[tuple[str, ...], list[str]]:
    """The catalogue's columns that this release supplies; a line for each that it should and does not."""
    profile = PROFILES[source.kind]
    leavers = {
        "eligibility": "eligibility", "in_touch": "in_touch", profile.contact: "contact",
        "accommodation": "accommodation",
        "accommodation_suitable": "suitable", "activity": "activity", "pathway_plan_review_date": "plan",
        "personal_adviser": "adviser", "allocated_team": "team", "allocated_worker": "worker",
    }  # fmt: skip
    supplied = [name for name, column in leavers.items() if held.has(LEAVERS, column)]
    notes = []
    if confirmed_by == "no named role" and "personal_adviser" in supplied:
        supplied.remove("personal_adviser")
        notes.append(
            "personal_adviser is left out: none of the roles that adviser_roles names occurs, so nobody is confirmed "
            "as an adviser; name the roles that do occur, which monitor check lists"
        )
    if source.area_postcodes and "out_of_area" not in made:
        notes.append(
            "out_of_area is left out: nobody lives in an area that area_postcodes names; name the council's own areas"
        )
    if confirmed_by == "nothing" and held.is_old_release and "personal_adviser" in supplied:
        supplied.remove("personal_adviser")
        notes.append(
            "personal_adviser is left out: this release names the highest worker number ever involved, and no "
            "involvement reads as an adviser's; name the roles with adviser_roles"
        )
    left_out = _find_unfilled(workspace, supplied, profile)
    supplied = [name for name in supplied if name not in left_out]
    beside = _beside_leavers(held, made, confirmed_by)
    return ("person_id", "date_of_birth", *supplied, *beside), [*notes, *left_out.values()]


def _beside_leavers(held: Held, made: Mapping[str, str], confirmed_by: Confirmed) -> list[str]:
    """The catalogue's columns that other tables than the care leavers' supply."""
    supplied = [
        name
        for name, table, column in (
            ("death_date", "ssd_person", "died"),
            ("is_parent", "ssd_person", "mother"),
            ("uasc", "ssd_immigration_status", "status"),
            ("disability", "ssd_disability", "code"),
            ("accommodation_start_date", "ssd_address", "started"),
        )
        if held.has(table, column) and held.rows.get(table)
    ]
    if held.rows.get("ssd_involvements"):
        if confirmed_by in ("named role", "role"):
            supplied += ["pa_start_date", "pa_changes_12_months"]
        elif confirmed_by == "worker":
            supplied.append("pa_start_date")
    if "out_of_area" in made:
        supplied.append("out_of_area")
    return supplied


def _find_unfilled(workspace: Workspace, names: Sequence[str], profile: SystemProfile) -> dict[str, str]:
    """Which of the care leavers' columns (nearly) nobody has, and what to say of each."""
    people = number_of(workspace, "SELECT count(*) FROM ssd_caseload_step")
    if people < ENOUGH_PEOPLE:
        return {}
    unfilled = {}
    for name in names:
        column = "contact" if name == profile.contact else name
        evidence = f"nullif(starts_with({column}, 'not evidenced'), true)"
        value = evidence if name == "pathway_plan_review_date" else column
        without = people - number_of(workspace, f"SELECT count({value}) FROM ssd_caseload_step")
        if without >= (MOST_WITHOUT_ADVISER if name == "personal_adviser" else 1) * people:
            remedy = "; name this council's role codes with adviser_roles" if name == "personal_adviser" else ""
            unfilled[name] = (
                f"{name} is left out: {without:,} of {people:,} people have none, which is a fault of the "
                f"dataset's local codes and not of the cases{remedy}"
            )
    return unfilled


def _check_people(workspace: Workspace, source: Source) -> None:
    people = number_of(workspace, "SELECT count(*) FROM ssd_caseload_step")
    if not number_of(workspace, "SELECT count(*) FROM ssd_caseload_step WHERE date_of_birth IS NOT NULL"):
        raise SourceError(
            f"{source.place}: ssd_person: no birth date for any of {people:,} people on ssd_care_leavers; "
            "check that both tables were loaded, and hold the same ids"
        )


# What had to be decided


NOTED: tuple[tuple[str, str, str | None], ...] = (
    ("eligibilities > 1", "with more than one eligibility: the one that fits their age was used", None),
    ("NOT is_known", "not in ssd_person, so without a birth date", None),
    ("is_estimate", "with an estimated birth date, which was used", None),
    ("eligibility IS NULL", "without an eligibility, which is left blank", "eligibility"),
    (
        "pathway_plan_review_date LIKE 'not evidenced%'",
        "with no contact record, without which the dataset shows no pathway plan: not evidenced in this extract, so "
        "not judged",
        "pathway_plan_review_date",
    ),
    (
        "listed_adviser IS NOT NULL AND personal_adviser IS NULL",
        "with an adviser whose involvement has ended: read as no adviser",
        "personal_adviser",
    ),
    (
        "personal_adviser IS NOT NULL AND NOT has_open_adviser AND NOT getvariable('ssd_is_named')",
        "with an adviser no open involvement confirms: taken as listed",
        "personal_adviser",
    ),
    ("adviser_has_no_name", "with an adviser whom ssd_professionals does not name: shown by id", "personal_adviser"),
    ("team_is_workers AND age >= 18", "aged 18 or over whose only team is the social worker's", "personal_adviser"),
)
"""What is noted of people: which, in words, and the column without which it is not said."""


def _notes(workspace: Workspace, headings: Sequence[str]) -> Iterator[str]:
    if too_old := number_of(workspace, f"SELECT count(*) FROM ssd_caseload_step WHERE age > {OLDEST}"):
        yield f"{write_people(too_old)} aged 25 or over left out"
    rows, people = workspace.execute(f"SELECT count(*), count(DISTINCT ssd_id(person)) FROM {LEAVERS}").fetchall()[0]
    if rows > people:
        yield f"{LEAVERS} has {rows:,} rows for {write_people(people)}; the newest contact was used"
    counts = workspace.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({test})' for test, _, _ in NOTED)} FROM ssd_caseload_step"
    ).fetchall()[0]
    for count, (_, words, column) in zip(counts, NOTED, strict=True):
        if count and (column is None or column in headings):
            yield f"{write_people(count)} {words}"
