"""The Standard Safeguarding Dataset (SSD) as each case-management system fills it: one row of text for each person.

The dataset's tables mislead in ways that differ by system. They are handled in ``queries/``, one set-based step each,
in the workspace: the same for PostgreSQL, SQLite and SQL Server.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING

from monitor.catalogue.codes import read_code, read_yes_no, says_died
from monitor.catalogue.phrases import UNREADABLE, fold_phrase
from monitor.errors import SourceError
from monitor.sources.sql import SourceDatabase, TableFound, number_rows, open_database
from monitor.words import write_people
from monitor.workspace import Workspace, fetch, load_rows, make_table

if TYPE_CHECKING:
    from monitor.config.source_settings import Source

OLDEST = 24
ENOUGH_PEOPLE = 20
"""Fewer people than this may all lack the same thing by chance."""

MOST_WITHOUT_ADVISER = 0.9
"""When more people than this share have no adviser, the dataset's role codes are not this council's."""

TABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ssd_care_leavers": {
        "person": ("clea_person_id",),
        "eligibility": ("clea_care_leaver_eligibility", "eligibility_status"),
        "in_touch": ("clea_care_leaver_in_touch",),
        "contact": ("clea_care_leaver_latest_contact",),
        "accommodation": ("clea_care_leaver_accommodation",),
        "suitable": ("clea_care_leaver_accom_suitable", "clea_care_leaver_accomm_suitable"),
        "activity": ("clea_care_leaver_activity",),
        "plan": ("clea_pathway_plan_review_date",),
        "adviser": ("clea_care_leaver_personal_advisor", "clea_care_leaver_personal_adviser"),
        "team": ("clea_care_leaver_allocated_team",),
        "worker": ("clea_care_leaver_worker_id",),
    },
    "ssd_person": {
        "person": ("pers_person_id",),
        "born": ("pers_dob",),
        "expected": ("pers_expected_dob",),
        "died": ("pers_death_date",),
        "mother": ("pers_is_mother",),
    },
    "ssd_involvements": {
        "person": ("invo_person_id",),
        "professional": ("invo_professional_id",),
        "role": ("invo_professional_role_id",),
        "team": ("invo_professional_team",),
        "started": ("invo_involvement_start_date",),
        "ended": ("invo_involvement_end_date",),
        "reason": ("invo_worker_change_reason",),
    },
    "ssd_professionals": {
        "professional": ("prof_professional_id",),
        "staff": ("prof_staff_id",),
        "name": ("prof_professional_name",),
        "department": ("prof_professional_department",),
    },
    "ssd_department": {"team": ("dept_team_id",), "name": ("dept_team_name",)},
    "ssd_immigration_status": {"person": ("immi_person_id",), "status": ("immi_immigration_status",)},
    "ssd_disability": {"person": ("disa_person_id",), "code": ("disa_disability_code",)},
    "ssd_address": {
        "person": ("addr_person_id", "add_person_id"),
        "started": ("addr_address_start_date",),
        "ended": ("addr_address_end_date",),
        "postcode": ("addr_address_postcode",),
    },
    "ssd_cla_episodes": {
        "person": ("clae_person_id",),
        "started": ("clae_cla_episode_start_date",),
        "ceased": ("clae_cla_episode_ceased_date", "clae_cla_episode_ceased"),
    },
}
"""The tables read and, by what each column is to the queries, the names that releases give it."""

NEEDED = {"ssd_care_leavers": ("person",), "ssd_person": ("person", "born")}
DATES = ("contact", "plan", "born", "expected", "died", "started", "ended", "ceased")

MACROS = r"""
CREATE OR REPLACE TEMP MACRO ssd_text(t) AS CASE
    WHEN starts_with(lower(trim(t)), 'ssd_ph') OR lower(trim(t)) IN ('', 'null', 'nan', '-') THEN NULL ELSE trim(t)
END;
CREATE OR REPLACE TEMP MACRO ssd_id(t) AS regexp_replace(ssd_text(t), '^(\d+)\.0+$', '\1');
CREATE OR REPLACE TEMP MACRO ssd_worker(t) AS nullif(nullif(ssd_id(t), '0'), '-1');
CREATE OR REPLACE TEMP MACRO ssd_day(t) AS coalesce(
    TRY_CAST(left(trim(t), 10) AS DATE), try_strptime(left(trim(t), 10), ['%d/%m/%Y', '%d-%m-%Y', '%Y/%m/%d'])::DATE
);
CREATE OR REPLACE TEMP MACRO ssd_date(t) AS CASE WHEN ssd_day(t) > DATE '1901-12-31' THEN ssd_day(t) END;
"""

STEPS = (
    "person", "contact", "plan", "eligibility", "listed", "professional", "department", "adviser", "uasc", "disability",
    "address", "team",
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


def load(
    workspace: Workspace,
    table: str,
    source: "Source",
    environ: Mapping[str, str],
    *,
    as_at: date,
    say: Callable[[str], None] = lambda step: None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make view ``table`` of one row per person; the headings, and what had to be decided on the way."""
    with _tidied(workspace):
        workspace.execute(MACROS)
        with open_database(source, environ, say) as database:
            held = _copy(workspace, source, database)
        _check_dates(workspace, source, held)
        profile = PROFILES[source.kind]
        facts = _set_facts(workspace, source, profile, held, as_at)
        for step in STEPS:
            workspace.execute(f"CREATE OR REPLACE TEMP TABLE ssd_{step}_step AS {_query(step)}")
        workspace.execute(f"CREATE OR REPLACE TEMP TABLE ssd_caseload_step AS {_query('caseload')}")
        _check_people(workspace, source)
        headings, left_out = _choose_columns(workspace, profile, held, facts, source)
        selected = ", ".join(f"{_expression(name, profile)} AS c{n}" for n, name in enumerate(headings))
        workspace.execute(
            f'CREATE OR REPLACE TABLE "{table}_read" AS SELECT {selected} FROM ssd_caseload_step '
            f"WHERE coalesce(age <= {OLDEST}, true)"
        )
        notes = (*held.notes, *left_out, *_notes(workspace, profile, facts, headings))
    if not number_rows(workspace, table, headings):
        raise SourceError(f'source "{source.name}": ssd_care_leavers: nobody under 25; load the dataset again')
    return headings, tuple(notes)


@contextmanager
def _tidied(workspace: Workspace) -> Iterator[None]:
    """Without the dataset's tables afterwards, which hold more than the night needs."""
    try:
        yield
    finally:
        for name in (*TABLES, "ssd_people", "ssd_meaning", "ssd_disability_meaning"):
            workspace.execute(f'DROP TABLE IF EXISTS "{name}"')
        for step in (*STEPS, "caseload"):
            workspace.execute(f"DROP TABLE IF EXISTS ssd_{step}_step")


def _query(step: str) -> str:
    return resources.files("monitor.sources").joinpath("queries", f"{step}.sql").read_text(encoding="utf-8")


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


def _copy(workspace: Workspace, source: "Source", database: SourceDatabase) -> Held:
    """Make a workspace table of each of the dataset's, with the rows about people on the care leavers' table."""
    place = f'source "{source.name}"'
    found = database.find_tables(tuple(TABLES))
    notes, columns, rows = [], {}, {}
    for table, wanted in TABLES.items():
        if table not in found:
            if table in NEEDED:
                where = f' in schema "{source.db_schema}"' if source.db_schema else ""
                raise SourceError(f"{place}: no table {table}{where}; correct url or schema, or load the dataset")
            make_table(workspace, table, dict.fromkeys(wanted, "VARCHAR"))
            notes.append(f"{table} is not there")
            continue
        present = _match(found[table], wanted)
        for column in NEEDED.get(table, ()):
            if column not in present:
                raise SourceError(f"{place}: {table}: no column {wanted[column][0]}; load a release that has it")
        if lacking := [names[0] for column, names in wanted.items() if column not in present]:
            notes.append(f"{table} has no {', '.join(lacking)}")
        where = "ssd_id(person) IN (SELECT person_id FROM ssd_people)" if "person" in wanted else "true"
        first = table == "ssd_care_leavers"
        rows[table] = database.read_table(
            workspace, table, found[table], present, where="ssd_id(person) IS NOT NULL" if first else where
        )
        for column in wanted.keys() - present.keys():
            workspace.execute(f'ALTER TABLE "{table}" ADD COLUMN {column} VARCHAR')
        columns[table] = frozenset(present)
        if table not in NEEDED and not _number(workspace, f'SELECT count(*) FROM "{table}"'):
            notes.append(f"{table} has no row about these people")
        if first:
            if not rows[table]:
                raise SourceError(f"{place}: ssd_care_leavers: no rows; load the dataset again")
            workspace.execute(
                "CREATE OR REPLACE TABLE ssd_people AS "
                "SELECT DISTINCT ssd_id(person) AS person_id FROM ssd_care_leavers"
            )
    old = "pers_common_child_id" in found["ssd_person"].columns or "pers_forename" not in found["ssd_person"].columns
    kept = {table: _number(workspace, f'SELECT count(*) FROM "{table}"') for table in rows}
    return Held(columns, kept, tuple(notes), is_old_release=old and source.kind == "ssd-systemc")


def _match(found: TableFound, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    present = {}
    for column, names in wanted.items():
        theirs = next((found.columns[name] for name in names if name in found.columns), None)
        if theirs is not None:
            present[column] = theirs
    return present


def _check_dates(workspace: Workspace, source: "Source", held: Held) -> None:
    """A column of another type than a date's would be read as blank for everyone."""
    for table, columns in held.columns.items():
        for column in sorted(columns.intersection(DATES)):
            filled, dates = workspace.execute(
                f'SELECT count(ssd_text({column})), count(ssd_day({column})) FROM "{table}"'
            ).fetchall()[0]
            if filled and not dates:
                raise SourceError(
                    f'source "{source.name}": {table}.{TABLES[table][column][0]}: none of its {filled:,} values is a '
                    "date; load the dataset with the column as a date"
                )


# What the texts mean


@dataclass(frozen=True)
class SsdFacts:
    """What was found out before the steps: how an adviser is confirmed, and texts that mean no code."""

    confirmed_by: str
    has_adviser_roles: bool
    is_old_release: bool
    has_areas: bool


def _set_facts(workspace: Workspace, source: "Source", profile: SystemProfile, held: Held, as_at: date) -> SsdFacts:
    roles = [role for role in _texts(workspace, "ssd_involvements", "role") if _is_advisers(role, source.adviser_roles)]
    if roles or profile.named:
        confirmed_by = "role"
    elif held.rows.get("ssd_involvements") and not held.is_old_release:
        confirmed_by = "worker"
    else:
        confirmed_by = "nothing"
    areas = sorted({re.sub(r"[^A-Z0-9]", "", area.upper()) for area in source.area_postcodes})
    died = [text for text in _texts(workspace, "ssd_care_leavers", "in_touch") if _says_died(text)]
    for name, value in (
        ("as_at", as_at),
        ("confirmed_by", confirmed_by),
        ("adviser_roles", roles),
        ("died", died),
        ("area_postcodes", areas),
        ("plan_needs_contact", profile.plan_needs_contact),
        ("adviser_is_named", profile.named),
        ("team_is_named", profile.named),
    ):
        kind = {date: "DATE", str: "VARCHAR", bool: "BOOLEAN"}.get(type(value), "VARCHAR[]")
        workspace.execute(f"SET VARIABLE ssd_{name} = $1::{kind}", [value])
    meanings = {"text": "VARCHAR", "category": "VARCHAR"}
    load_rows(workspace, "ssd_meaning", meanings, _read(workspace, "ssd_care_leavers", "eligibility", _category))
    meanings = {"text": "VARCHAR", "disabled": "BOOLEAN"}
    load_rows(workspace, "ssd_disability_meaning", meanings, _read(workspace, "ssd_disability", "code", _disabled))
    return SsdFacts(confirmed_by, bool(roles), held.is_old_release, bool(areas))


def _texts(workspace: Workspace, table: str, column: str) -> list[str]:
    query = f'SELECT DISTINCT ssd_text({column}) FROM "{table}" WHERE ssd_text({column}) IS NOT NULL ORDER BY 1'
    return [row[0] for row in workspace.execute(query).fetchall()]


def _read(workspace: Workspace, table: str, column: str, meaning: Callable[[str], object]) -> list[tuple[str, object]]:
    return [(text, meaning(text)) for text in _texts(workspace, table, column)]


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
        return fold_phrase(role) in {fold_phrase(name) for name in named}
    return bool(ADVISER.search(re.sub(r"[^a-z0-9]", "", role.casefold().replace("+", "plus"))))


# Which columns are supplied


def _expression(name: str, profile: SystemProfile) -> str:
    return "contact" if name == profile.contact else name


def _choose_columns(
    workspace: Workspace, profile: SystemProfile, held: Held, facts: SsdFacts, source: "Source"
) -> tuple[tuple[str, ...], list[str]]:
    """The catalogue's columns that this release supplies; a line for each that it should and does not."""
    leavers = {
        "eligibility": "eligibility", "in_touch": "in_touch", profile.contact: "contact",
        "accommodation": "accommodation",
        "accommodation_suitable": "suitable", "activity": "activity", "pathway_plan_review_date": "plan",
        "personal_adviser": "adviser", "allocated_team": "team", "allocated_worker": "worker",
    }  # fmt: skip
    supplied = [name for name, column in leavers.items() if held.has("ssd_care_leavers", column)]
    supplied += [
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
    if facts.confirmed_by != "nothing" and held.rows.get("ssd_involvements"):
        if facts.has_adviser_roles:
            supplied += ["pa_start_date", "pa_changes_12_months"]
        elif facts.confirmed_by == "worker":
            supplied.append("pa_start_date")
    if facts.has_areas and held.has("ssd_address", "postcode"):
        supplied.append("out_of_area")
    notes = []
    people = _number(workspace, "SELECT count(*) FROM ssd_caseload_step")
    if facts.confirmed_by == "nothing" and facts.is_old_release and "personal_adviser" in supplied:
        supplied.remove("personal_adviser")
        notes.append(
            "personal_adviser is left out: this release names the highest worker number ever involved, and no "
            "involvement reads as an adviser's; name the roles with adviser_roles"
        )
    for name in [name for name in supplied if name in leavers]:
        filled = _number(workspace, f"SELECT count({_expression(name, profile)}) FROM ssd_caseload_step")
        if name == "pathway_plan_review_date":
            filled -= _number(
                workspace, "SELECT count(*) FROM ssd_caseload_step WHERE pathway_plan_review_date LIKE 'not evidenced%'"
            )
        share = MOST_WITHOUT_ADVISER if name == "personal_adviser" else 1
        if people >= ENOUGH_PEOPLE and people - filled >= share * people:
            supplied.remove(name)
            remedy = "; name this council's role codes with adviser_roles" if name == "personal_adviser" else ""
            notes.append(
                f"{name} is left out: {people - filled:,} of {people:,} people have none, which is a fault of the "
                f"dataset's local codes and not of the cases{remedy}"
            )
    return ("person_id", "date_of_birth", *supplied), notes


def _check_people(workspace: Workspace, source: "Source") -> None:
    people = _number(workspace, "SELECT count(*) FROM ssd_caseload_step")
    if not _number(workspace, "SELECT count(*) FROM ssd_caseload_step WHERE date_of_birth IS NOT NULL"):
        raise SourceError(
            f'source "{source.name}": ssd_person: no birth date for any of {people:,} people on ssd_care_leavers; '
            "check that both tables were loaded, and hold the same ids"
        )


# What had to be decided


def _notes(workspace: Workspace, profile: SystemProfile, facts: SsdFacts, headings: tuple[str, ...]) -> Iterator[str]:
    counted = fetch(
        workspace,
        f"""
        SELECT
            count(*) FILTER (age > {OLDEST}) AS too_old,
            count(*) FILTER (NOT is_known) AS unknown,
            count(*) FILTER (date_of_birth IS NULL) AS no_birth,
            count(*) FILTER (is_estimate) AS estimates,
            count(*) FILTER (eligibilities > 1) AS eligibilities,
            count(*) FILTER (contacts > 1) AS contacts,
            count(*) FILTER (eligibility IS NULL) AS no_eligibility,
            count(*) FILTER (pathway_plan_review_date LIKE 'not evidenced%') AS no_evidence,
            count(*) FILTER (listed_adviser IS NOT NULL AND personal_adviser IS NULL) AS ended,
            count(*) FILTER (personal_adviser IS NOT NULL AND NOT has_open_adviser) AS unconfirmed,
            count(*) FILTER (adviser_has_no_name) AS nameless,
            count(*) FILTER (team_is_workers AND age >= 18) AS workers_team
        FROM ssd_caseload_step
        """,
    )[0]
    if counted["too_old"]:
        yield f"{write_people(counted['too_old'])} aged 25 or over left out"
    counted |= fetch(
        workspace,
        "SELECT count(*) AS rows, count(DISTINCT ssd_id(person)) AS people FROM ssd_care_leavers",
    )[0]
    if counted["rows"] > counted["people"]:
        people = write_people(counted["people"])
        yield f"ssd_care_leavers has {counted['rows']:,} rows for {people}; the newest contact was used"
    for key, words in (
        ("eligibilities", "with more than one eligibility: the one that fits their age was used"),
        ("unknown", "not in ssd_person, so without a birth date"),
        ("estimates", "with an estimated birth date, which was used"),
    ):
        if counted[key]:
            yield f"{write_people(counted[key])} {words}"
    if counted["no_eligibility"] and "eligibility" in headings:
        yield f"{write_people(counted['no_eligibility'])} without an eligibility, which is left blank"
    if counted["no_evidence"] and "pathway_plan_review_date" in headings:
        yield (
            f"{write_people(counted['no_evidence'])} with no contact record, without which the dataset shows no "
            "pathway plan: not evidenced in this extract, so not judged"
        )
    if "personal_adviser" not in headings:
        return
    if counted["ended"]:
        yield f"{write_people(counted['ended'])} with an adviser whose involvement has ended: read as no adviser"
    if counted["unconfirmed"] and not profile.named:
        yield f"{write_people(counted['unconfirmed'])} with an adviser no open involvement confirms: taken as listed"
    if counted["nameless"]:
        yield f"{write_people(counted['nameless'])} with an adviser whom ssd_professionals does not name: shown by id"
    if counted["workers_team"]:
        yield f"{write_people(counted['workers_team'])} aged 18 or over whose only team is the social worker's"


def _number(workspace: Workspace, query: str) -> int:
    row = workspace.execute(query).fetchone()
    return int(row[0]) if row else 0
