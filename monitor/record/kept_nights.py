"""The nights whose caseload is kept, and the rules asked of one again as its night asked them."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from monitor.caseload import snapshot
from monitor.gate.verdict import find_doubted
from monitor.rulebook.evaluation import Asking, Evaluation, evaluate, explain_unassessed
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
    supplied: frozenset[str]
    not_believed: frozenset[str]
    why_not: str | None
    meanings: Mapping[str, str]


def find_nights(database: Database, folder: Path) -> list[KeptNight]:
    """Find every accepted night, oldest first, each with whether its kept caseload is there and unaltered."""
    run = table_of(Run)
    with database.reading() as store:
        rows = store.execute(select(run).where(run.c.state == "accepted").order_by(run.c.as_at)).all()
    return [
        KeptNight(
            run_id=row.id,
            as_at=row.as_at,
            asked_on=row.asked_on,
            path=folder / (row.snapshot or ""),
            supplied=frozenset(json.loads(row.supplied)),
            not_believed=frozenset(json.loads(row.not_believed)),
            why_not=_why_not(row.snapshot, folder, row.snapshot_sha256),
            meanings=json.loads(row.rule_meanings),
        )
        for row in rows
    ]


def _why_not(name: str | None, folder: Path, fingerprint: str | None) -> str | None:
    if name is None:
        return "its caseload was not kept"
    if not (folder / name).is_file():
        return f"{name} is missing"
    if snapshot.fingerprint(folder / name) != fingerprint:
        return f"{name} has been altered since it was kept"
    return None


def ask_rules(workspace: Workspace, rulebook: Rulebook, kept: KeptNight) -> Evaluation:
    """Ask every rule of the ``caseload`` in the workspace, believing what the night believed."""
    doubted = find_doubted(rulebook.in_force(kept.asked_on), kept.not_believed)
    evaluated = evaluate(workspace, rulebook, Asking(kept.asked_on, kept.supplied, doubted))
    return explain_unassessed(workspace, rulebook, evaluated)
