"""Table ``caseload``: tonight's people, and beside them everyone on the roster or unlisted who is missing tonight."""

from collections.abc import Iterable, Mapping
from datetime import date

from monitor.caseload import joining, unlisted
from monitor.caseload.intake import Intake
from monitor.caseload.last_values import spread_last_values
from monitor.caseload.roster import rank_category
from monitor.caseload.rows import NOT_SUPPLIED
from monitor.catalogue.columns import COLUMNS
from monitor.catalogue.derived import derived_sql
from monitor.workspace import Workspace, drop_tables, number_of, step

RECORDED = ", ".join(f"{column.name}, {column.name}_gap" for column in COLUMNS)


@step(reads=("roster",), changes=("tonight",), drops=("typed",), makes=("caseload",))
def join_roster(
    workspace: Workspace,
    intake: Intake | None,
    *,
    as_at: date,
    team_names: Mapping[str, str] | None = None,
    unlisted_from: str | None = None,
) -> None:
    """Make table ``caseload``: tonight's rows and the roster's absent people, with the derived columns.

    ``unlisted_from``: the source of ``care_history``, whose people on neither are added; they have no first night.
    Reads ``tonight`` and ``roster``. Columns that are the same for everyone are generated, so they cost nothing;
    the rest can be updated. ``accommodation_since`` is the roster's; where there is none, tonight.
    ``elsewhere_until`` is still to be worked out.
    """
    supplied = intake.supplied if intake else frozenset()
    absent = _read_absent(workspace, even_nobody=unlisted_from is not None)
    if unlisted_from is not None:
        unlisted.add_unlisted(workspace, unlisted_from, as_at=as_at)
    if absent:
        joining.note_absent_deaths(workspace)
        joining.spell_teams(workspace, "absent", "allocated_team", team_names or {})
    kept, generated = _choose_columns(workspace, supplied, absent=absent)
    generated["as_at"] = f"DATE '{as_at}'"
    declared = [f"{name} {kind}" for name, kind in kept.items()]
    declared += [f"{name} GENERATED ALWAYS AS ({value}) VIRTUAL" for name, value in generated.items()]
    drop_tables(workspace, "caseload")
    workspace.execute(f"CREATE TABLE caseload ({', '.join(declared)})")
    _fill(workspace, kept, as_at, absent=absent)
    # One copy is enough: from here ``tonight`` is what the caseload holds of those present.
    workspace.execute("DROP TABLE typed")
    selected = f"SELECT person_id, {RECORDED}, said_died AS died, source FROM caseload WHERE present"
    workspace.execute(f"CREATE OR REPLACE VIEW tonight AS {selected}")
    drop_tables(workspace, "absent")


def write_people_tonight(as_at: date) -> str:
    """Write a relation of those in ``tonight`` with the caseload's columns, as if nothing were known of them before."""
    return f"""(
        SELECT *, {derived_sql()} FROM (
            SELECT tonight.*, died AS said_died, true AS present, DATE '{as_at}' AS as_at,
                NULL::VARCHAR AS strongest_category, DATE '{as_at}' AS accommodation_since,
                DATE '{as_at}' AS first_seen_on
            FROM tonight
        )
    )"""


def _choose_columns(
    workspace: Workspace, supplied: frozenset[str], *, absent: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """The columns that vary, with their types, and those that are the same for everyone, with their values."""
    said = _find_varying(workspace, supplied) if absent else frozenset()
    said |= {name for name in workspace.columns_of("typed") if name.endswith("_gap")}
    kept = {"person_id": "VARCHAR"}
    generated: dict[str, str] = {}
    for column in COLUMNS:
        name, gap = column.name, f"{column.name}_gap"
        if name in supplied or name in said:
            kept[name] = column.duckdb_type
        else:
            generated[name] = f"NULL::{column.duckdb_type}"
        if gap in said:
            kept[gap] = "VARCHAR"
        else:
            generated[gap] = "NULL::VARCHAR" if name in supplied else NOT_SUPPLIED
    kept |= {
        "source": "VARCHAR", "said_died": "BOOLEAN", "died": "BOOLEAN", "present": "BOOLEAN",
        "age": "INTEGER", "category": "VARCHAR", "declined": "BOOLEAN", "once_entitled": "BOOLEAN",
        "accommodation_since": "DATE", "elsewhere_until": "DATE", "first_seen_on": "DATE",
    }  # fmt: skip
    return kept, generated


def _fill(workspace: Workspace, kept: Iterable[str], as_at: date, *, absent: bool) -> None:
    listed = ", ".join(kept)
    absent_rows = (
        f"UNION ALL SELECT person_id, {RECORDED}, died AS said_died, source, false AS present FROM absent"
        if absent
        else ""
    )
    strongest, merged = "roster.strongest_category", ""
    if "entitled_before" in workspace.tables:
        stronger = f"{rank_category('old.strongest_category')} > {rank_category(strongest)}"
        strongest = f"CASE WHEN {stronger} THEN old.strongest_category ELSE {strongest} END"
        merged = "LEFT JOIN entitled_before AS old USING (person_id)"
    workspace.execute(
        f"""
        INSERT INTO caseload ({listed})
        SELECT {listed} FROM (
            SELECT *, {derived_sql()} FROM (
                SELECT
                    shown.*,
                    shown.said_died OR roster.died_on IS NOT NULL AS died,
                    {strongest} AS strongest_category,
                    $as_at::DATE AS as_at,
                    coalesce(roster.accommodation_since, CASE WHEN shown.accommodation IS NOT NULL THEN $as_at END)
                        AS accommodation_since,
                    CAST(NULL AS DATE) AS elsewhere_until,
                    CASE WHEN shown.present OR roster.person_id IS NOT NULL
                        THEN coalesce(roster.first_seen_on, $as_at) END AS first_seen_on
                FROM (
                    SELECT person_id, {RECORDED}, died AS said_died, source, true AS present FROM tonight
                    {absent_rows}
                ) AS shown
                LEFT JOIN roster USING (person_id)
                {merged}
            )
        )
        """,
        {"as_at": as_at},
    )


def _read_absent(workspace: Workspace, *, even_nobody: bool) -> bool:
    """Make ``absent`` of the roster's people who are not in ``tonight``, if there is anyone; whether it was made."""
    left_out = """
        SELECT person_id, last_values FROM roster ANTI JOIN tonight USING (person_id)
        WHERE died_on IS NULL AND ended_on IS NULL
    """
    somebody = even_nobody or number_of(workspace, f"SELECT count(*) FROM ({left_out})") > 0
    if somebody:
        spread_last_values(workspace, f"({left_out})", into="absent")
    return somebody


def _find_varying(workspace: Workspace, supplied: frozenset[str]) -> frozenset[str]:
    """The columns in which ``absent`` has a value, or a gap that is not everyone's."""
    tests = {column.name: f"count({column.name})" for column in COLUMNS}
    for name in tuple(tests):
        usual = "NULL" if name in supplied else NOT_SUPPLIED
        tests[f"{name}_gap"] = f"count_if({name}_gap IS DISTINCT FROM {usual})"
    counts = workspace.execute(f"SELECT {', '.join(tests.values())} FROM absent").fetchall()[0]
    return frozenset(name for name, count in zip(tests, counts, strict=True) if count)
