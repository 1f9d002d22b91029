"""Decides what the analyst is told: what the night did, what the data lacks, why a night was refused."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from monitor.caseload.intake import Intake
from monitor.caseload.removed_people import Back
from monitor.config.list_findings import ListFinding
from monitor.figures.measures import MeasuresAccount
from monitor.flags.decision_lists import Decided
from monitor.gate.surges import Surge
from monitor.messages.lead import NoLead
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import shown_id
from monitor.messages.told import Told
from monitor.rulebook.evaluation import Counts

IDS_LISTED = 20
Why = Literal["refused", "unreadable", "failed"]
"""Why a night was not accepted: the gate refused it, a source could not be read, or it failed."""


@dataclass(frozen=True)
class NightAccount:
    """What one night did, counted.

    ``opened``: flags by rule. ``unreadable``: cells by column. ``cannot_assess``: people by column.
    ``left``: people newly gone, by reason; ``lost``: those with none. ``surges``: rules whose new flags wait as a
    likely data fault; ``waiting``: flags that have waited since an earlier night, by rule. ``untold``: people on the
    restricted list with something open whom nobody may be told about, because the config names no head of service.
    ``back``: people who were removed and whom a source has brought back.
    ``cannot_fire``: rules that the sources could never show in breach, and why; ``caveats``: what to know of others.
    """

    intake: Intake
    totals: Mapping[str, Counts]
    opened: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    cannot_assess: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    no_lead: tuple[NoLead, ...] = ()
    untold: int = 0
    deaths: tuple[str, ...] = ()
    alive_again: tuple[str, ...] = ()
    back: tuple[Back, ...] = ()
    leads_told: int = 0
    measures: MeasuresAccount | None = None
    lists_folder: str | None = None
    left: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    surges: tuple[Surge, ...] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    cannot_fire: Mapping[str, str] = field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decided: Decided | None = None
    lists: tuple[ListFinding, ...] = ()
    """Lists of the config of which something matches nothing, and which the analyst has not been told of."""


@dataclass(frozen=True)
class Reference:
    """A young person, by id and link."""

    person_id: str
    link: str | None


@dataclass(frozen=True)
class Named:
    """People to name, and how many more there are; those on the restricted list are only counted."""

    listed: tuple[Reference, ...]
    more: int
    restricted: int

    @property
    def total(self) -> int:
        return len(self.listed) + self.more + self.restricted


@dataclass(frozen=True)
class Returned:
    """Somebody who was removed and is on the record again: when and by which source; no one on the restricted list."""

    person: Reference
    removed_on: date
    source: str | None


@dataclass(frozen=True)
class DataRule:
    """The data flags of one rule: who is new to the analyst, and counts of the rest."""

    rule: str
    title: str | None
    new: Named
    open: int
    held: int
    cleared: int

    @property
    def is_told(self) -> bool:
        return bool(self.new.total or self.open or self.held or self.cleared)


@dataclass(frozen=True)
class RuleRow:
    """One rule's answers tonight."""

    rule: str
    title: str | None
    asked: int
    ok: int
    breach: int
    cannot_assess: int
    opened: int
    cannot_fire: bool = False


@dataclass(frozen=True)
class NotRun:
    """A rule that was asked of nobody, and why: the columns no source supplies, or what failed."""

    rule: str
    title: str | None
    columns: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class AnalystDigest:
    """The analyst's account of one accepted night."""

    recipient: str
    night: MessageContext
    account: NightAccount
    data_rules: tuple[DataRule, ...]
    rules: tuple[RuleRow, ...]
    not_assessed: tuple[NotRun, ...]
    failed: tuple[NotRun, ...]
    rules_changed: tuple[str | None, ...]
    changes: tuple[tuple[str, int], ...]
    unreadable: tuple[tuple[str, int], ...]
    cannot_assess: tuple[tuple[str, int], ...]
    deaths: Named
    alive_again: Named
    back: tuple[Returned, ...]
    back_restricted: int
    caveats: tuple[str, ...]
    lost: Named
    new_data_flags: int
    flag_ids: tuple[int, ...]
    people: tuple[str, ...]
    template: str = "analyst"
    kind: str = "analyst"

    @property
    def holds(self) -> tuple[str, ...]:
        return ("analyst", *(finding.token for finding in self.account.lists))

    @property
    def list_lines(self) -> tuple[str, ...]:
        """What is amiss with lists of the config."""
        return tuple(line for finding in self.account.lists for line in finding.lines)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the gate did not believe, where nobody has said that it should be."""
        verdict = self.night.verdict
        return verdict.doubts if verdict and verdict.is_in_doubt else ()

    @property
    def back_total(self) -> int:
        return len(self.back) + self.back_restricted

    @property
    def has_something_to_do(self) -> bool:
        account = self.account
        named = self.deaths.total or self.alive_again.total or self.doubts or self.back_total
        waits = account.untold or account.surges or account.waiting or account.lists
        return bool(named or self.failed or waits or self.waivers_unmatched or self.answers_to_look_at)

    @property
    def waivers_unmatched(self) -> int:
        return self.account.decided.unmatched if self.account.decided else 0

    @property
    def answers_to_look_at(self) -> tuple[tuple[str, int], ...]:
        """What leads newly say is wrong in the record, or not theirs, and how many flags are so answered in all."""
        decided = self.account.decided
        if decided is None:
            return ()
        return tuple((word, flags) for word, flags in decided.to_look_at.items() if word in decided.answered)

    @property
    def has_decisions(self) -> bool:
        decided = self.account.decided
        return decided is not None and bool(decided.answered or decided.in_force)


@dataclass(frozen=True)
class RefusedDigest:
    """Why a night was not believed, or could not be finished; nothing has changed and no lead is told."""

    recipient: str
    night: MessageContext
    why: Why
    reasons: tuple[str, ...]
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    template: str = "refused"
    kind: str = "refused"
    holds: tuple[str, ...] = ()


def compose_analyst(
    recipient: str, lines: Iterable[FlagLine], told: Told, night: MessageContext, account: NightAccount
) -> AnalystDigest:
    """Return the analyst's message: one on every accepted night. Of ``lines`` it takes the data flags only."""
    data_lines = [line for line in lines if line.severity == "data" and line.resolved_reason != "died"]
    data_rules = _count_data_rules(data_lines, told, night, recipient)
    deaths = _name(account.deaths, night, recipient)
    alive_again = _name(account.alive_again, night, recipient)
    lost = _name(account.lost, night, recipient)
    back = _list_returned(account, night, recipient)
    named = [deaths, alive_again, lost, *(rule.new for rule in data_rules)]
    people = [*(person for names in named for person in names.listed), *(returned.person for returned in back)]
    return AnalystDigest(
        recipient=recipient,
        night=night,
        account=account,
        data_rules=data_rules,
        rules=_rows(night, account),
        not_assessed=_list_not_assessed(night),
        failed=_list_failed(night),
        rules_changed=tuple(map(night.title, night.rules_changed)),
        changes=_most_first(account.changes),
        unreadable=_most_first(account.unreadable),
        cannot_assess=_most_first(account.cannot_assess),
        deaths=deaths,
        alive_again=alive_again,
        back=back,
        back_restricted=len(account.back) - len(back),
        caveats=_caveats(account),
        lost=lost,
        new_data_flags=sum(rule.new.total for rule in data_rules),
        flag_ids=tuple(line.flag_id for line in data_lines if line.state in ("open", "held")),
        people=tuple(dict.fromkeys(person.person_id for person in people)),
    )


def _count_data_rules(
    lines: Iterable[FlagLine], told: Told, night: MessageContext, recipient: str
) -> tuple[DataRule, ...]:
    """Return the rules that found something about the data tonight, most new flags first."""
    by_rule: defaultdict[str, list[FlagLine]] = defaultdict(list)
    for line in lines:
        by_rule[shown_id(night.rules, line.rule)].append(line)
    counted = []
    for rule, about in by_rule.items():
        states = Counter(line.state for line in about)
        new = sorted({line.person_id for line in about if line.state == "open" and line.flag_id not in told.known})
        cleared = sum(line.resolved_reason == "cleared" for line in about)
        named = _name(new, night, recipient)
        counted.append(DataRule(rule, night.title(rule), named, states["open"], states["held"], cleared))
    return tuple(
        sorted((rule for rule in counted if rule.is_told), key=lambda rule: (-rule.new.total, -rule.open, rule.rule))
    )


def _list_failed(night: MessageContext) -> tuple[NotRun, ...]:
    return tuple(NotRun(rule, night.title(rule), (), why) for rule, why in sorted(night.failed.items()))


def _list_not_assessed(night: MessageContext) -> tuple[NotRun, ...]:
    return tuple(NotRun(rule, night.title(rule), columns, None) for rule, columns in sorted(night.not_assessed.items()))


def _name(people: Iterable[str], night: MessageContext, recipient: str) -> Named:
    """Name the first 20 by id; nobody on the restricted list, unless this is the head of service."""
    people = tuple(people)
    hidden = _hidden_from(recipient, night)
    shown = [person for person in people if person not in hidden]
    listed = tuple(Reference(person, night.link(person)) for person in shown[:IDS_LISTED])
    return Named(listed, len(shown) - len(listed), len(people) - len(shown))


def _list_returned(account: NightAccount, night: MessageContext, recipient: str) -> tuple[Returned, ...]:
    """Return the people who are back, but for those whom only the head of service may see."""
    hidden = _hidden_from(recipient, night)
    return tuple(
        Returned(Reference(back.person_id, night.link(back.person_id)), back.removed_on, back.source)
        for back in account.back
        if back.person_id not in hidden
    )


def _hidden_from(recipient: str, night: MessageContext) -> Collection[str]:
    """Return the people whom only the head of service may see, to everybody else."""
    return night.routes.restricted if recipient != night.routes.head else frozenset()


def _rows(night: MessageContext, account: NightAccount) -> tuple[RuleRow, ...]:
    """Return every rule that was asked, most breaches first."""
    rows = []
    for rule, counts in account.totals.items():
        if rule not in night.not_assessed and rule not in night.failed:
            answers = (counts.asked, counts.ok, counts.breach, counts.cannot_assess)
            cannot_fire = rule in account.cannot_fire and not counts.breach
            rows.append(RuleRow(rule, night.title(rule), *answers, account.opened.get(rule, 0), cannot_fire))
    return tuple(sorted(rows, key=lambda row: (-row.breach, -row.cannot_assess, row.rule)))


def _caveats(account: NightAccount) -> tuple[str, ...]:
    """Return what to know of the sources behind tonight's breaches, each thing once."""
    rules = (rule for rule, counts in account.totals.items() if counts.breach)
    return tuple(dict.fromkeys(caveat for rule in rules for caveat in account.caveats.get(rule, ())))


def _most_first(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
