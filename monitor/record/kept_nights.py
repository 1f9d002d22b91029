"""The nights whose caseload is kept, and the rules asked of one again as its night asked them."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from monitor.caseload import snapshot
from monitor.catalogue import columns
from monitor.gate.verdict import find_doubted
from monitor.rulebook.evaluation import Evaluation, evaluate
from monitor.rulebook.rulebook import Rulebook
from monitor.store.database import Database
from monitor.store.tables import Run, table_of
from monitor.workspace import Workspace


@dataclass(frozen=True)
class KeptNight:
    """One accepted night as the ledger has it.

    ``why_not``: why the rules cannot be asked of its caseload; ``meanings``: what each rule asked then.
    """

    run_id: int
    as_at: dt.date
    asked_on: dt.date
    path: Path
    supplied: frozenset[str] | None
    not_believed: frozenset[str] = frozenset()
    why_not: str | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)


def find_nights(database: Database, folder: Path) -> list[KeptNight]:
    """Find every accepted night, oldest first, each with whether its kept caseload is there and unaltered."""
    run = table_of(Run)
    with database.reading() as store:
        rows = store.execute(select(run).where(run.c.state == "accepted").order_by(run.c.as_at)).all()
    nights = []
    for row in rows:
        path = folder / (row.snapshot or "")
        supplied = frozenset(json.loads(row.supplied)) if row.supplied else None
        why_not = _why_not(row.snapshot, path, row.snapshot_sha256)
        doubtful, meanings = frozenset(json.loads(row.not_believed or "[]")), json.loads(row.rule_meanings or "{}")
        nights.append(
            KeptNight(row.id, row.as_at, row.asked_on or row.as_at, path, supplied, doubtful, why_not, meanings)
        )
    return nights


def _why_not(name: str | None, path: Path, fingerprint: str | None) -> str | None:
    if name is None:
        return "its caseload was not kept"
    if not path.is_file():
        return f"{name} is missing"
    if snapshot.fingerprint(path) != fingerprint:
        return f"{name} has been altered since it was kept"
    return None


def ask_rules(workspace: Workspace, rulebook: Rulebook, kept: KeptNight) -> Evaluation:
    """Ask every rule of the ``caseload`` in the workspace, believing what the night believed."""
    supplied = _supplied_columns(workspace) if kept.supplied is None else kept.supplied
    doubted = find_doubted(rulebook.in_force(kept.asked_on), kept.not_believed)
    return evaluate(workspace, rulebook, kept.asked_on, supplied, doubted)


def _supplied_columns(workspace: Workspace) -> frozenset[str]:
    """The columns some source gave to anyone present, for a night whose run did not say."""
    tests = ", ".join(
        f"count(*) FILTER (\"{column.name}_gap\" IS DISTINCT FROM 'not supplied')" for column in columns.COLUMNS
    )
    counts = workspace.execute(f"SELECT {tests} FROM caseload WHERE present").fetchone() or ()
    return frozenset(column.name for column, count in zip(columns.COLUMNS, counts, strict=True) if count)
