"""What a new or changed rule would have done: replayed over the kept nights, through the flags' own life.

Each kept caseload is asked the rule as its night was, and the answers go to ``flags.decide`` with the flags the
replay itself has open. An unchanged rule over a whole history gives that history again.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.caseload import snapshot
from monitor.durations import Duration, Limit, words
from monitor.errors import Problems, Refused
from monitor.flags.life import HISTORY, NOT_A_SPELL, UNRESOLVED, apply_decisions, decide, gather_facts
from monitor.record.kept_nights import KeptNight, ask_rules
from monitor.rulebook.evaluation import Evaluation
from monitor.rulebook.rule import Rule
from monitor.rulebook.rule_folders import add_file, change_limits
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, fetch, load_rows, lock_down, open_workspace

if TYPE_CHECKING:
    from monitor.messages.routes import Routes

NOBODY: Mapping[str, str] = {}
ROSTER = {"person_id": "VARCHAR", "died_on": "DATE", "ended_on": "DATE"}


@dataclass(frozen=True)
class NightReplayed:
    """What the rule did on one night, in flags; ``why_not``: the night was left out, or the rule had no answers."""

    as_at: dt.date
    changes: Mapping[str, int] = field(default_factory=dict)
    resolved: Mapping[str, int] = field(default_factory=dict)
    open: int = 0
    held: int = 0
    why_not: str | None = None

    def as_dict(self) -> dict[str, Any]:
        changes = {name: self.changes.get(name, 0) for name in ("opened", "held", "released")}
        after = {"resolved": dict(self.resolved), "open": self.open, "held_now": self.held, "left_out": self.why_not}
        return {"as_at": self.as_at, **changes, **after}


@dataclass(frozen=True)
class ReplayTold:
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
    told: tuple[ReplayTold, ...]
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
            "nights": [night.as_dict() for night in self.nights],
            "flags": len(self.flags),
            "back_again": self.back_again,
            "churn": self.churn,
            "told": [asdict(told) for told in self.told],
        }


@dataclass(frozen=True)
class ReplayQuestion:
    """The rule to replay and the rulebook it is replayed in; ``since`` and ``until``: the nights to tell of."""

    rule: Rule
    rulebook: Rulebook
    since: dt.date | None = None
    until: dt.date | None = None


def choose_rule(adjusted: Rulebook, as_written: Rulebook, rule: str, limits: Mapping[str, str]) -> ReplayQuestion:
    """Choose a rule by id or by its file, with other limits.

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
    others = tuple(other for other in rulebook.rules if other.id != chosen.id)
    return ReplayQuestion(chosen, replace(rulebook, rules=(chosen, *others)))


def _typed(old: Limit | None, text: str) -> Any:
    """Return the text of ``--limit`` as a rule file would hold it; left as it is where it cannot be."""
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


def replay(
    question: ReplayQuestion, nights: Sequence[KeptNight], routes: "Routes", *, merged: Mapping[str, str] = NOBODY
) -> Replay:
    """Replay a rule, and those it hands flags to or takes them from, over the kept nights.

    ``merged``: the analyst's list of merged ids, old to new. A surge is not made to wait for the analyst here.
    Flags are followed from the first kept night, so that a night tells only what was new on it.
    """
    if not any(night.why_not is None for night in nights):
        why = f" ({nights[-1].as_at}: {nights[-1].why_not})" if nights else ""
        raise Refused(f"no accepted night's caseload is kept whole{why}; there is nothing to replay")
    flags = _ReplayedFlags(question, routes, merged)
    replayed = [flags.replay_night(kept) for kept in nights if kept.as_at <= (question.until or dt.date.max)]
    told = tuple(night for night in replayed if night.as_at >= flags.since)
    if not told:
        raise Problems(["--from, --to: no accepted night lies between them"])
    return Replay(question.rule, told, flags.list_told(), flags.list_flags())


def _together(rulebook: Rulebook, rule: Rule) -> set[str]:
    """Return the rule and every rule joined to it by ``continues``, whichever continues which."""
    joined = {rule.id}
    families = [{other.id, *other.continues} for other in rulebook.rules]
    for _ in families:  # each round reaches at least one rule more, or all are reached
        joined.update(*(family for family in families if joined & family))
    return joined


class _ReplayedFlags:
    """The flags of one replay, from night to night."""

    def __init__(self, question: ReplayQuestion, routes: "Routes", merged: Mapping[str, str]) -> None:
        joined = _together(question.rulebook, question.rule)
        self.book = replace(question.rulebook, rules=tuple(r for r in question.rulebook.rules if r.id in joined))
        self.rule, self.since = question.rule, question.since or dt.date.min
        self.routes = routes
        self.merged = merged
        self.unresolved: list[dict[str, Any]] = []
        self.resolved: list[dict[str, Any]] = []
        self.spells: dict[tuple[str, str], tuple[int, dt.date]] = {}
        self.next_id = 1
        self.told: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """By address and team, the young person of each new flag."""

    def replay_night(self, kept: KeptNight) -> NightReplayed:
        """Replay one night more; return what it did."""
        if kept.why_not:
            return NightReplayed(kept.as_at, why_not=kept.why_not)
        with open_workspace() as workspace:
            snapshot.read(workspace, kept.path)
            lock_down(workspace)
            evaluated = ask_rules(workspace, self.book, kept)
            self._load_flags(workspace)
            decide(workspace, gather_facts(self.book, evaluated, kept.asked_on), kept.as_at)
            apply_decisions(workspace, run_id=kept.run_id, as_at=kept.as_at, first=self.next_id)
            if kept.as_at >= self.since:
                self._count_told(workspace)
            night = _count_flags(workspace, kept, self.rule, _why_no_answers(self.rule, evaluated))
            self._keep_flags(workspace)
        return night

    def _load_flags(self, workspace: Workspace) -> None:
        load_rows(workspace, "unresolved", UNRESOLVED, (tuple(flag.values()) for flag in self.unresolved))
        # Who died or turned 25 is known from the kept caseload itself.
        load_rows(workspace, "roster", ROSTER, ())
        load_rows(workspace, "merged", {"old_id": "VARCHAR", "new_id": "VARCHAR"}, self.merged.items())
        workspace.execute("""
            CREATE OR REPLACE TABLE merged_away AS
            SELECT person_id, new_id FROM caseload JOIN merged ON old_id = person_id WHERE present IS NULL
        """)
        past = ((*key, number, last) for key, (number, last) in self.spells.items())
        load_rows(workspace, "history", HISTORY, past)

    def _keep_flags(self, workspace: Workspace) -> None:
        flags = fetch(workspace, f"SELECT {', '.join(UNRESOLVED)} FROM settled ORDER BY flag_id")
        self.unresolved = [flag for flag in flags if flag["resolved_on"] is None]
        resolved = [flag for flag in flags if flag["resolved_on"] is not None]
        self.resolved += resolved
        for flag in resolved:
            if flag["resolved_reason"] not in NOT_A_SPELL:
                key = (flag["person_id"], flag["rule"])
                self.spells[key] = (self.spells.get(key, (0,))[0] + 1, flag["resolved_on"])
        self.next_id = max([self.next_id, *(flag["flag_id"] + 1 for flag in flags)])

    def _count_told(self, workspace: Workspace) -> None:
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
                self.told[address, team].append(person)

    def list_told(self) -> tuple[ReplayTold, ...]:
        return tuple(
            ReplayTold(address, team, len(set(people)), len(people))
            for (address, team), people in sorted(self.told.items())
        )

    def list_flags(self) -> tuple[Mapping[str, Any], ...]:
        flags = [flag for flag in (*self.resolved, *self.unresolved) if flag["rule"] == self.rule.id]
        return tuple(sorted(flags, key=lambda flag: flag["flag_id"]))


def _why_no_answers(rule: Rule, evaluated: Evaluation) -> str | None:
    if rule.id in evaluated.failed:
        return f"the rule failed: {evaluated.failed[rule.id]}"
    if rule.id in evaluated.not_assessed:
        return f"not assessed: no source supplied {', '.join(evaluated.not_assessed[rule.id])}"
    if rule.id in evaluated.doubted:
        return f"not assessed: {', '.join(evaluated.doubted[rule.id])} not believed"
    return None


def _count_flags(workspace: Workspace, kept: KeptNight, rule: Rule, why_not: str | None) -> NightReplayed:
    """Count what the night did to the rule's flags, by change and reason, and how many are open and held after it."""

    def count(by: str, where: str) -> dict[str, int]:
        rows = workspace.execute(
            f"SELECT {by}, count(*) FROM settled WHERE rule = ? AND {where} GROUP BY ALL ORDER BY ALL", [rule.id]
        )
        return dict(rows.fetchall())

    standing = count("if(held_since IS NULL, 'open', 'held')", "resolved_on IS NULL")
    return NightReplayed(
        kept.as_at,
        count("change", "change IS NOT NULL"),
        count("resolved_reason", "resolved_on IS NOT NULL"),
        open=standing.get("open", 0),
        held=standing.get("held", 0),
        why_not=why_not,
    )
