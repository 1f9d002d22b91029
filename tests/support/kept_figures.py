"""Nights that a council's store keeps, written straight into it: what was asked and what came of it."""

import datetime as dt
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert, text

from monitor.config.settings import load_config
from monitor.store.database import open_store
from monitor.store.location import locate
from monitor.store.tables import Indicator, Measure, Run, table_of

Parts = tuple[int, int, int]
"""Met, in breach, cannot assess."""

TITLES = {"homeless": "No fixed abode", "plan-late": "Pathway plan late"}


def keep_night(
    config: Path,
    as_at: dt.date,
    rules: Mapping[str, Parts] | None = None,
    figures: Mapping[str, Parts] | None = None,
    *,
    state: str = "accepted",
    meanings: Mapping[str, str] | None = None,
    verdict: str = "trusted",
) -> None:
    """Keep a night of a council; the answers of a rule are split over two teams, as a night keeps them."""
    rules, figures = rules or {}, figures or {}
    run_id = as_at.toordinal()
    run = {
        "id": run_id, "as_at": as_at, "state": state, "verdict": verdict,
        "started_at": dt.datetime.combine(as_at, dt.time(4), dt.UTC),
        "rule_meanings": json.dumps(dict.fromkeys(rules, "as shipped") | dict(meanings or {})),
        "rule_wordings": json.dumps({rule: [TITLES.get(rule, rule), "because"] for rule in rules}),
    }  # fmt: skip
    with closing(open_store(locate(load_config(config), {}))) as database, database.writing() as store:
        store.execute(insert(table_of(Run)).values(run))
        for rule, parts in rules.items():
            for team, answers in (("", [part // 3 for part in parts]), ("North", [part - part // 3 for part in parts])):
                ok, breach, cannot_assess = answers
                store.execute(insert(table_of(Measure)).values(
                    run_id=run_id, as_at=as_at, rule=rule, team=team, asked=sum(answers), ok=ok, breach=breach,
                    cannot_assess=cannot_assess, held=0, waived=0,
                ))  # fmt: skip
        for name, (rest, part, not_assessed) in figures.items():
            store.execute(insert(table_of(Indicator)).values(
                run_id=run_id, as_at=as_at, name=name, team="", numerator=part, denominator=part + rest,
                not_assessed=not_assessed,
            ))  # fmt: skip


def age_store(config: Path, version: str) -> None:
    """Have a store say that it is at another version."""
    with closing(open_store(locate(load_config(config), {}))) as database, database.writing() as store:
        store.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
