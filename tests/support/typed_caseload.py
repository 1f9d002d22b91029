"""A typed caseload as ``caseload_v1`` has it, made of examples, and what a night would say of the same people."""

import datetime as dt
import hmac
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_evaluation import rule

from monitor.catalogue.caseload_contract import contract_columns
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.derived import derived_sql
from monitor.rulebook.evaluation import Asking, evaluate
from monitor.rulebook.examples import GIVEN_TYPES, _row
from monitor.rulebook.rule import Example
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, literal, load_rows, open_workspace

AUTHORITIES = ("313", "E09.x")
KEY = "an invented key of thirty-two letters or more"

RULES = Path(__file__).parent.parent.parent / "rules"


FAILING = {
    "too-large": rule("true", "pa_changes_12_months < 424242"),
    "bad-words": rule("true", "activity = 'G5'", because="They changed 424242 times."),
}
"""Rules that fail while running once ``let_rules_fail``: the checker lets none through that fails by itself."""
OVERFLOW = "(pa_changes_12_months * 290000000)"


def let_rules_fail(monkeypatch: pytest.MonkeyPatch, engine: type, number: str = OVERFLOW) -> None:
    """Put what cannot be worked out where those rules have a number, so that the database itself refuses it."""
    for name in ("run", "write"):
        real = getattr(engine, name)

        def spoilt(self: object, statement: str, *more: str, real: Any = real) -> Any:
            words = statement.replace("'They changed 424242 times.'", f"CAST({number} AS STRING)")
            return real(self, words.replace("424242", number), *more)

        monkeypatch.setattr(engine, name, spoilt)


def rows_of(examples: Iterable[Example]) -> list[dict[str, Any]]:
    """A row of the contract for each example; every other one is of the other authority, with the same ids."""
    rows = []
    for place, example in enumerate(examples):
        row = _row(f"P{place // 2}", example) | {"authority": AUTHORITIES[place % 2]}
        rows.append({name: row.get(name) for name, _ in contract_columns()})
    return rows


def write_caseload(path: Path, rows: Sequence[Mapping[str, Any]], *, also: str = "*") -> Path:
    """Write rows as one Parquet file; ``also`` is the select-list over them, so that a test can spoil it."""
    kinds = dict(contract_columns())
    with open_workspace() as workspace:
        load_rows(workspace, "caseload", kinds, (tuple(row.get(name) for name in kinds) for row in rows))
        workspace.execute(f"COPY (SELECT {also} FROM caseload) TO {literal(str(path))} (FORMAT parquet)")
    return path


def ask_as_a_night(
    rows: Sequence[Mapping[str, Any]], rulebook: Rulebook, as_at: dt.date
) -> tuple[dict[tuple[str, str], tuple[int, int, int]], set[tuple[Any, ...]]]:
    """What a night says: by authority and rule how many are ok, in breach, cannot be assessed; and each breach."""
    with open_workspace() as workspace:
        kinds = {**GIVEN_TYPES, "authority": "VARCHAR"}
        placed = [{**row, "person_id": f"{row['authority']}/{row['person_id']}"} for row in rows]
        load_rows(workspace, "given", kinds, (tuple(row.get(name) for name in kinds) for row in placed))
        workspace.execute(f"CREATE TABLE caseload AS SELECT * EXCLUDE (strongest_category), {derived_sql()} FROM given")
        evaluate(workspace, rulebook, Asking(as_at, frozenset(BY_NAME)))
        return _counts(workspace), _breaches(workspace)


def _counts(workspace: Workspace) -> dict[tuple[str, str], tuple[int, int, int]]:
    found = workspace.execute("""
        SELECT split_part(person_id, '/', 1) AS authority, rule, count_if(outcome = 'ok'), count_if(outcome = 'breach'),
            count_if(outcome = 'cannot assess')
        FROM answer GROUP BY ALL
    """).fetchall()
    return {(authority, rule): tuple(figures) for authority, rule, *figures in found if any(figures)}


def _breaches(workspace: Workspace) -> set[tuple[Any, ...]]:
    return set(
        workspace.execute("""
            SELECT split_part(person_id, '/', 1), split_part(person_id, '/', 2), rule, due_on, in_breach_since, because
            FROM breach
        """).fetchall()
    )


def read_counts(out: Path) -> dict[tuple[str, str], tuple[int, int, int]]:
    """The counts of a scan that withholds none, by authority and rule, without those that say nothing."""
    found = duckdb.sql(f"""
        SELECT authority, rule, ok, breach, cannot_assess FROM read_parquet('{out}/counts.parquet')
        WHERE authority IS NOT NULL AND asked > 0
    """).fetchall()
    return {(authority, rule): tuple(figures) for authority, rule, *figures in found}


def read_breaches(out: Path, person: str = "person_id") -> set[tuple[Any, ...]]:
    files = out / "breaches.parquet"
    place = f"{files}/*.parquet" if files.is_dir() else str(files)
    columns = f"authority, {person}, rule, due_on, in_breach_since, because"
    return set(duckdb.sql(f"SELECT {columns} FROM read_parquet('{place}')").fetchall())


def pseudonym(authority: str, person_id: str) -> str:
    own = hmac.digest(KEY.encode(), authority.encode(), "sha256")
    return hmac.digest(own, person_id.encode(), "sha256").hex()
