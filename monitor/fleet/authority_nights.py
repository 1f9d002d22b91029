"""Reads what each authority's last accepted night kept: counts of rules and figures, and nothing of any person."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, func, literal, select, union_all

from monitor.errors import StoreError
from monitor.figures.measures import LABELS
from monitor.store.tables import Indicator, Measure, Run, table_of

RULE, FIGURE = "rule:", "figure:"
"""What the name of a measure begins with: the answers of a rule, or a figure of the service."""

OF_A_WHOLE = ("over-21-refused", "over-21-not-reached", *(name for name in LABELS if ":" in name))
"""Figures left out: each is the rest of others, so that a subtraction of two figures would tell a small one."""

RawCount = tuple[str, int, int, int]
"""A measure with those who meet it, those in breach of it (or counted by it), and those who cannot be assessed."""


@dataclass(frozen=True)
class AuthorityNight:
    """The night that an authority's figures are of. ``why_not``: why there is none, in words; then it has no date.

    ``verdict``: how far that night is believed. ``tried_on``: the newest later night that was not accepted, which was
    ``tried_state``. ``titles`` and ``meanings``: by rule, what it may be called, and the fingerprint of what it asks.
    """

    code: str
    name: str
    as_at: dt.date | None = None
    why_not: str | None = None
    verdict: str | None = None
    tried_on: dt.date | None = None
    tried_state: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)


NO_NIGHT = "no night accepted yet"
UNREAD = "its config or its records could not be read"


def select_night(until: dt.date | None = None) -> Select[Any]:
    """Return the query for the last accepted night, of one row or none, with the newest later one that was tried."""
    night = _last_night(until)
    later = table_of(Run).alias("later")
    tried = [later.c.state.in_(("refused", "failed")), later.c.as_at > night.c.as_at]
    if until is not None:
        tried.append(later.c.as_at <= until)

    def newest(column: str) -> ColumnElement[Any]:
        return select(later.c[column]).where(*tried).order_by(later.c.id.desc()).limit(1).scalar_subquery()

    return select(
        night.c.as_at,
        night.c.verdict,
        newest("as_at").label("tried_on"),
        newest("state").label("tried_state"),
        night.c.rule_meanings,
        night.c.rule_wordings,
    )


def select_counts(until: dt.date | None = None) -> Select[Any]:
    """Return the query for the counts of the last accepted night: measure, met, breach and cannot_assess."""
    rule, figure = table_of(Measure).alias("answer"), table_of(Indicator).alias("figure")
    night = _last_night(until)

    def total(count: ColumnElement[int], name: str) -> ColumnElement[int]:
        return cast(func.sum(count), BigInteger).label(name)

    rules = (
        select(
            (literal(RULE) + rule.c.rule).label("measure"),
            total(rule.c.ok, "met"),
            total(rule.c.breach, "breach"),
            total(rule.c.cannot_assess, "cannot_assess"),
        )
        .join(night, night.c.id == rule.c.run_id)
        .group_by(rule.c.rule)
    )
    figures = (
        select(
            (literal(FIGURE) + figure.c.name).label("measure"),
            total(figure.c.denominator - figure.c.numerator, "met"),
            total(figure.c.numerator, "breach"),
            total(figure.c.not_assessed, "cannot_assess"),
        )
        .join(night, night.c.id == figure.c.run_id)
        .where(figure.c.name.not_in(OF_A_WHOLE))
        .group_by(figure.c.name)
    )
    counts = union_all(rules, figures).subquery("counts")
    return select(counts)


def _last_night(until: dt.date | None) -> Any:
    run = table_of(Run)
    columns = (run.c[name] for name in ("id", "as_at", "verdict", "rule_meanings", "rule_wordings"))
    accepted = [run.c.state == "accepted", *([run.c.as_at <= until] if until is not None else [])]
    return select(*columns).where(*accepted).order_by(run.c.as_at.desc()).limit(1).subquery("night")


def read_night(store: Connection, code: str, name: str, until: dt.date) -> tuple[AuthorityNight, tuple[RawCount, ...]]:
    """Return an authority's last accepted night up to a date, and its counts, from its own store.

    Raises ``StoreError`` where what the night kept is not as a night keeps it.
    """
    night = store.execute(select_night(until)).first()
    if night is None:
        return AuthorityNight(code, name, why_not=NO_NIGHT), ()
    try:
        counts = tuple(
            (str(measure), int(met), int(breach), int(cannot_assess))
            for measure, met, breach, cannot_assess in store.execute(select_counts(until))
        )
        return describe_night(code, name, night._mapping), counts
    except NOT_AS_KEPT as fault:
        raise StoreError(
            f"what its last accepted night kept is not as a night keeps it ({type(fault).__name__}); "
            "look with: monitor audit"
        ) from None


NOT_AS_KEPT = (ValueError, TypeError, LookupError, AttributeError)


def describe_night(code: str, name: str, row: Mapping[Any, Any]) -> AuthorityNight:
    """Return a row of ``select_night`` as an authority's night."""
    wordings = json.loads(row["rule_wordings"] or "{}")
    return AuthorityNight(
        code,
        name,
        row["as_at"],
        verdict=row["verdict"],
        tried_on=row["tried_on"],
        tried_state=row["tried_state"],
        titles={rule: words[0] for rule, words in wordings.items()},
        meanings=json.loads(row["rule_meanings"] or "{}"),
    )
