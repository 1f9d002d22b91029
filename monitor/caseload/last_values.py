"""A person's last known values, as a text of the roster: written from ``tonight``, and read back for the absent.

A key with null was blank; a column without a key was not supplied.
"""

from collections.abc import Container, Sequence

from monitor.caseload.rows import NOT_SUPPLIED, UNREADABLE
from monitor.catalogue.columns import COLUMNS, Column
from monitor.workspace import Workspace


def last_values_sql(alias: str, supplied: Container[str]) -> str:
    """Return SQL for the JSON text of a row of ``tonight``: its values, null for blank, and unreadable gaps.

    A column without a key was not supplied; those outside ``supplied`` are so for everybody. ``join_roster`` reads it
    back for people who are absent.
    """
    parts = []
    for column in COLUMNS:
        if column.name not in supplied:
            continue
        cell = f"{alias}.{column.name}"
        if column.kind == "date":
            said = f"""'"' || {cell} || '"'"""
        elif column.kind in ("yes_no", "number"):
            said = f"{cell}::VARCHAR"
        else:
            said = f"json_quote({cell})::VARCHAR"
        parts.append(
            f"CASE WHEN {cell}_gap IS NULL THEN '\"{column.name}\":' || coalesce({said}, 'null') "
            f'WHEN {cell}_gap = {UNREADABLE} THEN \'"{column.name}_gap":"unreadable"\' END'
        )
    parts.append(f"CASE WHEN {alias}.died THEN '\"died\":true' END")
    return f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"


def spread_last_values(workspace: Workspace, texts: str, *, into: str, columns: Sequence[Column] = COLUMNS) -> None:
    """Make ``into``, typed rows as of ``tonight``, of the relation ``texts`` (person_id, last_values)."""
    # One list of paths reads each person's text once, rather than once for every column.
    names = [name for column in columns for name in (column.name, f"{column.name}_gap")]
    paths = ", ".join(f"'$.{name}'" for name in (*names, "died"))
    selected = []
    for place, column in enumerate(columns):
        value, gap = f"found[{2 * place + 1}]", f"found[{2 * place + 2}]"
        selected.append(f"TRY_CAST({value} AS {column.duckdb_type}) AS {column.name}")
        # A key with null was blank; no key at all was not supplied.
        selected.append(
            f"CASE WHEN NOT coalesce(list_contains(said, '{column.name}'), false) "
            f"THEN coalesce({gap}, {NOT_SUPPLIED}) END AS {column.name}_gap"
        )
    workspace.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {into} AS
        SELECT person_id, {", ".join(selected)}, coalesce(found[{len(names) + 1}] = 'true', false) AS died,
            NULL::VARCHAR AS source
        FROM (
            SELECT person_id, json_keys(last_values) AS said, json_extract_string(last_values, [{paths}]) AS found
            FROM {texts}
        )
        """
    )
