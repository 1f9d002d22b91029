"""What a new or changed rule would have done: replayed over the kept nights, through the flags' own life.

Each kept caseload is asked the rule as its night was, and the answers go to ``flags.decide`` with the flags the
replay itself has open. An unchanged rule over a whole history gives that history again.
"""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from monitor.caseload import snapshot
from monitor.catalogue import columns
from monitor.durations import Duration, Limit, words
from monitor.errors import Problems, Refused
from monitor.flags.life import HISTORY, NOT_A_SPELL, UNRESOLVED, apply_decisions, decide, gather_facts
from monitor.gate.verdict import find_doubted
from monitor.rulebook import evaluation
from monitor.rulebook.rule_file import Rule
from monitor.rulebook.rulebook import Rulebook, add_file, change_limits
from monitor.store.database import Database
from monitor.store.tables import Run, table_of
from monitor.workspace import Workspace, fetch, load_rows, lock_down, open_workspace

if TYPE_CHECKING:
    from monitor.messages.routes import Routes

NOBODY: Mapping[str, str] = {}
ROSTER = {"person_id": "VARCHAR", "died_on": "DATE", "ended_on": "DATE"}


@dataclass(frozen=True)
class KeptNight:
    """One accepted night as the ledger has it; ``why_not``: why its caseload cannot be replayed."""

    run_id: int
    as_at: dt.date
    asked_on: dt.date
    path: Path
    supplied: frozenset[str] | None
    not_believed: frozenset[str] = frozenset()
    why_not: str | None = None


@dataclass(frozen=True)
class NightReplayed:
    """What the rule did on one night, in flags; ``why_not``: the night was left out, or the rule had no answers."""

    as_at: dt.date
    changes: Mapping[str, int] = field(default_factory=dict)
    resolved: Mapping[str, int] = field(default_factory=dict)
    open: int = 0
    held: int = 0
    why_not: str | None = None


@dataclass(frozen=True)
class Hears:
    """Who would have been told of new flags: an address, a team, and how many people and flags."""

    address: str
    team: str
    people: int
    flags: int


@dataclass(frozen=True)
class Replay:
    """One rule over the kept nights. ``flags``: each as it stands after the last of them, oldest first."""

    rule: Rule
    nights: tuple[NightReplayed, ...]
    hears: tuple[Hears, ...]
    flags: tuple[Mapping[str, Any], ...]

    @property
    def left_out(self) -> tuple[NightReplayed, ...]:
        return tuple(night for night in self.nights if night.why_not)

    @property
    def churn(self) -> float | None:
        """Flags opened and resolved a night, beside those open the night before; the first night aside."""
        moved = stood = 0
        for before, night in zip(self.nights, self.nights[1:], strict=False):
            moved += night.changes.get("opened", 0) + night.changes.get("resolved", 0)
            stood += before.open + before.held
        return moved / stood if stood else None

    @property
    def back_again(self) -> int:
        return sum(1 for flag in self.flags if flag["earlier_spells"])

    def as_dict(self) -> dict[str, Any]:
        """Everything but the people."""
        return {
            "rule": self.rule.id,
            "limits": {name: words(limit) for name, limit in self.rule.limits.items()},
            "nights": [
                {"as_at": one.as_at, **{name: one.changes.get(name, 0) for name in ("opened", "held", "released")},
                 "resolved": dict(one.resolved), "open": one.open, "held_now": one.held, "left_out": one.why_not}
                for one in self.nights
            ],
            "flags": len(self.flags),
            "back_again": self.back_again,
            "churn": self.churn,
            "told": [{"address": one.address, "team": one.team, "people": one.people, "flags": one.flags}
                     for one in self.hears],
        }  # fmt: skip


def choose(adjusted: Rulebook, as_written: Rulebook, rule: str, limits: Mapping[str, str]) -> tuple[Rulebook, Rule]:
    """The rule asked for, by id or by its file, with other limits; and the rulebook it is to be replayed in.

    A draft, or a rule the config switches off, is replayed as if it were live throughout.
    """
    path = Path(rule)
    if path.suffix == ".toml" or path.is_file():
        rulebook, chosen = add_file(adjusted, path)
    else:
        rulebook = as_written if rule in adjusted.switched_off else adjusted
        chosen = rulebook.find(rule)
    if limits:
        given = {name: _typed(chosen.limits.get(name), text) for name, text in limits.items()}
        chosen = change_limits(chosen, given, "--limit ")
    if chosen.status != "live":
        chosen = replace(chosen, status="live", effective_from=None, effective_to=None)
    others = tuple(one for one in rulebook.rules if one.id != chosen.id)
    return replace(rulebook, rules=(chosen, *others)), chosen


def _typed(old: Limit | None, text: str) -> Any:
    """The text of ``--limit`` as a rule file would hold it; left as it is where it cannot be."""
    try:
        if isinstance(old, tuple):
            return [code.strip() for code in text.split(",")]
        if isinstance(old, dt.date):
            return dt.date.fromisoformat(text)
        if old is not None and not isinstance(old, Duration):
            return float(text) if "." in text else int(text)
    except ValueError:
        pass
    return text


def find_nights(database: Database, folder: Path) -> list[KeptNight]:
    """Every accepted night, oldest first, each with whether its kept caseload is there and unaltered."""
    run = table_of(Run)
    with database.reading() as store:
        rows = store.execute(select(run).where(run.c.state == "accepted").order_by(run.c.as_at)).all()
    nights = []
    for row in rows:
        path = folder / (row.snapshot or "")
        supplied = frozenset(json.loads(row.supplied)) if row.supplied else None
        why_not = _why_not(row.snapshot, path, row.snapshot_sha256)
        doubtful = frozenset(json.loads(row.not_believed or "[]"))
        nights.append(KeptNight(row.id, row.as_at, row.asked_on or row.as_at, path, supplied, doubtful, why_not))
    return nights


def _why_not(name: str | None, path: Path, fingerprint: str | None) -> str | None:
    if name is None:
        return "its caseload was not kept"
    if not path.is_file():
        return f"{name} is missing"
    if snapshot.fingerprint(path) != fingerprint:
        return f"{name} has been altered since it was kept"
    return None


def replay(
    rulebook: Rulebook,
    rule: Rule,
    nights: Sequence[KeptNight],
    routes: "Routes",
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    merged: Mapping[str, str] = NOBODY,
) -> Replay:
    """Replay ``rule``, and those it hands flags to or takes them from, over the kept nights.

    ``merged``: the analyst's list of merged ids, old to new. A surge is not made to wait for the analyst here.
    Flags are followed from the first kept night, so that a night tells only what was new on it; ``since`` and
    ``until`` choose the nights told of.
    """
    if not any(night.why_not is None for night in nights):
        why = f" ({nights[-1].as_at}: {nights[-1].why_not})" if nights else ""
        raise Refused(f"no accepted night's caseload is kept whole{why}; there is nothing to replay")
    book = replace(rulebook, rules=tuple(one for one in rulebook.rules if one.id in _together(rulebook, rule)))
    life = _Life(book, rule, routes, merged)
    told = [
        night for kept in nights if until is None or kept.as_at <= until
        if (night := life.live(kept, tell=since is None or kept.as_at >= since)) is not None
    ]  # fmt: skip
    if not told:
        raise Problems(["--from, --to: no accepted night lies between them"])
    return Replay(rule, tuple(told), life.hears(), life.flags())


def _together(rulebook: Rulebook, rule: Rule) -> set[str]:
    """The rule and every rule joined to it by ``continues``, whichever continues which."""
    joined = {rule.id}
    while True:
        more = {
            name
            for one in rulebook.rules
            if one.id in joined or joined & set(one.continues)
            for name in (one.id, *one.continues)
        }
        if more <= joined:
            return joined
        joined |= more


class _Life:
    """The flags of one replay, from night to night."""

    def __init__(self, book: Rulebook, rule: Rule, routes: "Routes", merged: Mapping[str, str]) -> None:
        self.book = book
        self.rule = rule
        self.routes = routes
        self.merged = merged
        self.unresolved: list[tuple[Any, ...]] = []
        self.resolved: list[tuple[Any, ...]] = []
        self.spells: dict[tuple[str, str], tuple[int, dt.date]] = {}
        self.next_id = 1
        self.people: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.new: Counter[tuple[str, str]] = Counter()

    def live(self, kept: KeptNight, *, tell: bool) -> NightReplayed | None:
        """One night on; what it did, if it is to be told of."""
        if kept.why_not:
            return NightReplayed(kept.as_at, why_not=kept.why_not) if tell else None
        workspace = open_workspace()
        snapshot.read(workspace, kept.path)
        lock_down(workspace)
        supplied = supplied_columns(workspace) if kept.supplied is None else kept.supplied
        doubted = find_doubted(self.book.in_force(kept.asked_on), kept.not_believed)
        evaluated = evaluation.evaluate(workspace, self.book, kept.asked_on, supplied, doubted)
        self._lay_out(workspace)
        decide(workspace, gather_facts(self.book, evaluated, kept.asked_on), kept.as_at)
        apply_decisions(workspace, run_id=kept.run_id, as_at=kept.as_at, first=self.next_id)
        if tell:
            self._hear(workspace)
        night = _tell(workspace, kept, self.rule, evaluated) if tell else None
        self._carry(workspace)
        workspace.close()
        return night

    def _lay_out(self, workspace: Workspace) -> None:
        load_rows(workspace, "unresolved", UNRESOLVED, self.unresolved)
        # Who died or turned 25 is known from the kept caseload itself.
        load_rows(workspace, "roster", ROSTER, ())
        load_rows(workspace, "merged", {"old_id": "VARCHAR", "new_id": "VARCHAR"}, self.merged.items())
        workspace.execute("""
            CREATE OR REPLACE TABLE merged_away AS
            SELECT person_id, new_id FROM caseload JOIN merged ON old_id = person_id WHERE present IS NULL
        """)
        past = ((*key, number, last) for key, (number, last) in self.spells.items())
        load_rows(workspace, "history", HISTORY, past)

    def _carry(self, workspace: Workspace) -> None:
        names = list(UNRESOLVED)
        rows = workspace.execute(f"SELECT {', '.join(names)} FROM settled ORDER BY flag_id").fetchall()
        at = {name: place for place, name in enumerate(names)}
        self.unresolved = [row for row in rows if row[at["resolved_on"]] is None]
        for row in rows:
            if row[at["resolved_on"]] is None:
                continue
            self.resolved.append(row)
            if row[at["resolved_reason"]] not in NOT_A_SPELL:
                key = (row[at["person_id"]], row[at["rule"]])
                self.spells[key] = (self.spells.get(key, (0,))[0] + 1, row[at["resolved_on"]])
        self.next_id = 1 + max((row[at["flag_id"]] for row in rows), default=self.next_id - 1)

    def _hear(self, workspace: Workspace) -> None:
        rows = workspace.execute(
            """
            SELECT person_id, coalesce(c.allocated_team, ''), severity
            FROM settled JOIN caseload AS c USING (person_id) WHERE rule = ? AND change = 'opened'
            """,
            [self.rule.id],
        )
        for person, team, severity in rows.fetchall():
            address = self.routes.analyst if severity == "data" else self.routes.address(team, person)
            if address:
                self.people[address, team].add(person)
                self.new[address, team] += 1

    def hears(self) -> tuple[Hears, ...]:
        return tuple(
            Hears(address, team, len(people), self.new[address, team])
            for (address, team), people in sorted(self.people.items())
        )

    def flags(self) -> tuple[Mapping[str, Any], ...]:
        rows = sorted([*self.resolved, *self.unresolved])
        named = (dict(zip(UNRESOLVED, row, strict=True)) for row in rows)
        return tuple(one for one in named if one["rule"] == self.rule.id)


def _tell(workspace: Workspace, kept: KeptNight, rule: Rule, evaluated: evaluation.Evaluation) -> NightReplayed:
    rows = fetch(
        workspace,
        """
        SELECT change, resolved_reason, resolved_on IS NOT NULL AS ended, held_since IS NOT NULL AS held,
               count(*) AS flags
        FROM settled WHERE rule = ? GROUP BY ALL
        """,
        [rule.id],
    )

    def count(wanted: Iterable[Mapping[str, Any]], by: str) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for row in wanted:
            counted[row[by]] += row["flags"]
        return dict(sorted(counted.items()))

    standing = [row for row in rows if not row["ended"]]
    why_not = None
    if rule.id in evaluated.failed:
        why_not = f"the rule failed: {evaluated.failed[rule.id]}"
    elif rule.id in evaluated.not_assessed:
        why_not = f"not assessed: no source supplied {', '.join(evaluated.not_assessed[rule.id])}"
    elif rule.id in evaluated.doubted:
        why_not = f"not assessed: {', '.join(evaluated.doubted[rule.id])} not believed"
    return NightReplayed(
        kept.as_at,
        count((row for row in rows if row["change"]), "change"),
        count((row for row in rows if row["ended"]), "resolved_reason"),
        open=sum(row["flags"] for row in standing if not row["held"]),
        held=sum(row["flags"] for row in standing if row["held"]),
        why_not=why_not,
    )


def supplied_columns(workspace: Workspace) -> frozenset[str]:
    """The columns some source gave to anyone present, for a night whose run did not say."""
    tests = ", ".join(
        f"count(*) FILTER (\"{column.name}_gap\" IS DISTINCT FROM 'not supplied')" for column in columns.COLUMNS
    )
    counts = workspace.execute(f"SELECT {tests} FROM caseload WHERE present").fetchone() or ()
    return frozenset(column.name for column, count in zip(columns.COLUMNS, counts, strict=True) if count)
