"""Decides what the analyst is told: what the night did, what the data lacks, why a night was refused."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

from monitor.caseload.departures import Departed
from monitor.caseload.intake import IN_UNREADABLE, Intake
from monitor.caseload.removed_people import Back
from monitor.config.list_findings import ListFinding
from monitor.config.secret_ends import SecretEnd
from monitor.figures.measures import MeasuresAccount, MeasureTonight
from monitor.flags.decision_lists import Decided
from monitor.gate.surges import Surge, Waiting
from monitor.messages.lead import NoLead
from monitor.messages.needs import Named, Need, Reference, count_needs, hidden_from, name_people, of_people
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import shown_id
from monitor.messages.told import Told
from monitor.rulebook.evaluation import Counts

Why = Literal["refused", "unreadable", "failed"]
"""Why a night was not accepted: the gate refused it, a source could not be read, or it failed."""


@dataclass(frozen=True)
class Addressed:
    """How many were written to tonight, by what they are: one who is two of these counts as both.

    ``others``: who stands in where a team has no lead, or alone may see the restricted list.
    """

    leads: int = 0
    managers: int = 0
    heads: int = 0
    others: int = 0

    @property
    def counts(self) -> tuple[tuple[int, str, str], ...]:
        """Each number that is not nought, with what it counts, one and many."""
        all_of_them = (
            (self.leads, "lead", "leads"),
            (self.managers, "manager", "managers"),
            (self.heads, "head", "heads"),
            (self.others, "other reader", "other readers"),
        )
        return tuple(each for each in all_of_them if each[0])


@dataclass(frozen=True)
class NightAccount:
    """What one night did, counted.

    ``checked``: who is on the caseload, as ``figures.measures`` counts them.
    ``opened``: flags by rule. ``unreadable``: cells by column. ``cannot_assess``: people by column.
    ``surges``: rules whose new flags wait as a likely data fault; ``waiting``: those that have waited since an earlier
    night. ``untold``: people on the restricted list with something open whom nobody may be told about, because the
    config names no head of service. ``unreached``: addresses in use where nothing has arrived since that day.
    ``back``: people who were removed and whom a source has brought back.
    ``cannot_fire``: rules that the sources could never show in breach, and why; ``caveats``: what to know of others.
    """

    intake: Intake
    totals: Mapping[str, Counts]
    checked: int = 0
    opened: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    cannot_assess: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    no_lead: tuple[NoLead, ...] = ()
    untold: int = 0
    unreached: tuple[tuple[str, date], ...] = ()
    secrets: tuple[SecretEnd, ...] = ()
    """Of the config: those that end within thirty days, or have ended."""
    departed: Departed = field(default_factory=Departed)
    back: tuple[Back, ...] = ()
    readers: Addressed = field(default_factory=Addressed)
    measures: MeasuresAccount | None = None
    lists_folder: str | None = None
    surges: tuple[Surge, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    cannot_fire: Mapping[str, str] = field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decided: Decided | None = None
    lists: tuple[ListFinding, ...] = ()
    """Lists of the config of which something matches nothing."""


@dataclass(frozen=True)
class Returned:
    """Somebody who was removed and is on the record again: when and by which source; no one on the restricted list."""

    person: Reference
    removed_on: date
    source: str | None


@dataclass(frozen=True)
class DataRule:
    """The data flags of one rule: how many are new to the analyst and about whom, and counts of the rest."""

    rule: str
    title: str | None
    new: int
    people: Named
    open: int
    held: int
    cleared: int

    @property
    def standing(self) -> int:
        return self.open + self.held

    @property
    def is_told(self) -> bool:
        return bool(self.new or self.open or self.held or self.cleared)


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
class Kept:
    """Lines that the analyst's messages say each night until they are put right: the new ones, and those told before.

    ``tokens``: the words under which a message remembers that it said them; they tell nothing themselves.
    """

    new: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unasked:
    """Rules that were asked of nobody because no source supplies these columns; ``is_new`` since the last message."""

    columns: tuple[str, ...]
    rules: tuple[str, ...]
    is_new: bool


@dataclass(frozen=True)
class AnalystDigest:
    """The analyst's account of one accepted night: what needs them, what has changed, and the rest in a line each.

    ``is_whole``: the long tables are in it, as on the first night and once a week. ``told_on``: the last message.
    """

    recipient: str
    night: MessageContext
    account: NightAccount
    told_on: date | None
    is_whole: bool
    needs: tuple[Need, ...]
    data_rules: tuple[DataRule, ...]
    rules: tuple[RuleRow, ...]
    not_assessed: tuple[NotRun, ...]
    unasked: tuple[Unasked, ...]
    asked_again: tuple[str, ...]
    rules_changed: tuple[str | None, ...]
    changes: tuple[tuple[str, int], ...]
    unreadable: tuple[tuple[str, int], ...]
    cannot_assess: tuple[tuple[str, int], ...]
    lists: Kept
    lists_put_right: tuple[str, ...]
    no_lead: tuple[NoLead, ...]
    notes: Kept
    adjustments: Kept
    fallen: tuple[MeasureTonight, ...]
    fallen_before: tuple[MeasureTonight, ...]
    caveats: tuple[str, ...]
    tokens: tuple[str, ...]
    flag_ids: tuple[int, ...]
    people: tuple[str, ...]
    template: str = "analyst"
    kind: str = "analyst"

    @property
    def holds(self) -> tuple[str, ...]:
        return ("analyst", *(("tables",) if self.is_whole else ()), *self.tokens)

    @property
    def is_since_yesterday(self) -> bool:
        return self.told_on == self.night.as_at - timedelta(1)

    @cached_property
    def counted_needs(self) -> tuple[tuple[str, int], ...]:
        return tuple(count_needs(self.needs).items())

    @property
    def new_data_flags(self) -> int:
        return sum(rule.new for rule in self.data_rules)

    @property
    def open_data_flags(self) -> int:
        return sum(rule.standing for rule in self.data_rules)

    @property
    def changed_data_rules(self) -> tuple[DataRule, ...]:
        return tuple(rule for rule in self.data_rules if rule.new or rule.cleared)

    @property
    def new_unasked(self) -> tuple[Unasked, ...]:
        return tuple(each for each in self.unasked if each.is_new)

    @property
    def unasked_before(self) -> tuple[Unasked, ...]:
        return tuple(each for each in self.unasked if not each.is_new)

    @property
    def lists_in_full(self) -> tuple[str, ...]:
        """Everything that is amiss with lists of which the last messages told."""
        return tuple(line for each in self.account.lists for line in each.lines if line not in self.lists.new)

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
    lists = _keep_lists(account, told)
    notes = _keep("note", _list_notes(account), told)
    adjustments = _keep("adjustment", night.adjustments, told)
    unasked = _find_unasked(night, told)
    fallen = account.measures.fallen if account.measures else ()
    fell_before = tuple(each for each in fallen if not _is_new(f"fallen:{each.name}", told))
    new_teams = tuple(each for each in account.no_lead if _is_new(_token_of(each), told))
    secrets = tuple(end for end in account.secrets if end.is_near(night.as_at) or _is_new(_token_of_end(end), told))
    pressing = replace(account, no_lead=new_teams, secrets=secrets)
    needs = tuple(_find_needs(recipient, night, pressing, lists.new))
    back = [each.person for need in needs if need.what == "back" for each in need.about]
    named = [need.people for need in needs if need.people] + [rule.people for rule in data_rules]
    people = [*(person for names in named for person in names.listed), *back]
    return AnalystDigest(
        recipient=recipient,
        night=night,
        account=account,
        told_on=told.parts.get("analyst"),
        is_whole=_is_whole(told, night),
        needs=needs,
        data_rules=data_rules,
        rules=_rows(night, account),
        not_assessed=_list_not_assessed(night),
        unasked=unasked,
        asked_again=_find_gone("unasked", night.not_assessed, told),
        rules_changed=tuple(map(night.title, night.rules_changed)),
        changes=_most_first(account.changes),
        unreadable=_most_first(account.unreadable),
        cannot_assess=_most_first(account.cannot_assess),
        lists=lists,
        lists_put_right=_find_gone("list", [token.split(":")[1] for token in lists.tokens], told),
        no_lead=tuple(each for each in account.no_lead if each not in new_teams),
        notes=notes,
        adjustments=adjustments,
        fallen=tuple(each for each in fallen if each not in fell_before),
        fallen_before=fell_before,
        caveats=_caveats(account),
        tokens=(
            *lists.tokens, *map(_token_of, account.no_lead), *map(_token_of_end, account.secrets),
            *notes.tokens, *adjustments.tokens,
            *(f"fallen:{each.name}" for each in fallen), *(f"unasked:{rule}" for rule in sorted(night.not_assessed)),
        ),
        flag_ids=tuple(line.flag_id for line in data_lines if line.state in ("open", "held")),
        people=tuple(dict.fromkeys(person.person_id for person in people)),
    )  # fmt: skip


def _is_whole(told: Told, night: MessageContext) -> bool:
    """Return whether the long tables are due: on a first night, once a week, when a night that had them is mended."""
    had = told.parts.get("tables")
    return night.baseline or had is None or had == night.as_at or told.is_due("tables", night.full_list_from)


# What a message remembers of the ones before it.


def _is_new(token: str, told: Told) -> bool:
    """Return whether the last message to the analyst did not say this."""
    return token not in told.parts or told.parts[token] < told.parts.get("analyst", date.min)


def _find_gone(kind: str, standing: Iterable[str], told: Told) -> tuple[str, ...]:
    """Return what the last message named under words of this kind, and tonight's does not."""
    last = told.parts.get("analyst")
    said = {token.split(":")[1] for token, on in told.parts.items() if on == last and token.startswith(f"{kind}:")}
    return tuple(sorted(said.difference(standing)))


def _token(kind: str, words: str) -> str:
    return f"{kind}:{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _token_of_end(end: SecretEnd) -> str:
    return _token("secret", f"{end.place} {end.last_day}")


def _token_of(each: NoLead) -> str:
    return _token("no-lead", f"{each.why} {each.team or ''}")


def _keep(kind: str, lines: Iterable[str], told: Told) -> Kept:
    """Divide lines by whether the last message said them; a note's numbers and dates differ from night to night."""
    tokens = {line: _token(kind, re.sub("[0-9]+", "", line) if kind == "note" else line) for line in lines}
    new = tuple(line for line, token in tokens.items() if _is_new(token, told))
    return Kept(new, tuple(line for line in tokens if line not in new), tuple(dict.fromkeys(tokens.values())))


def _keep_lists(account: NightAccount, told: Told) -> Kept:
    """Divide what is amiss with the config's lists; of what was told before, one line of each list stays.

    What a message once said of a list is not new again until it says something else.
    """
    new: list[str] = []
    old: list[str] = []
    tokens = []
    spellings = 0
    for finding in account.lists:
        tokens.append(finding.token)
        if finding.token not in told.parts:
            new += finding.lines
        elif finding.is_spelling:
            spellings += 1
        else:
            more = len(finding.lines) - 1
            old.append(finding.lines[0] + (f" (and {more} more: monitor check)" if more else ""))
    if spellings:
        one = "1 text of a cell is" if spellings == 1 else f"{spellings:,} texts of cells are"
        old.append(f"{one} not in the settings yet: monitor onboard shows each")
    return Kept(tuple(new), tuple(old), tuple(tokens))


def _list_notes(account: NightAccount) -> tuple[str, ...]:
    """Return the notes on the sources, but those that say again how much could not be read."""
    counted = ("could not be read", "could not be used")
    return tuple(
        note
        for note in account.intake.notes
        if not (note.endswith(IN_UNREADABLE) and any(words in note for words in counted))
    )


def _find_unasked(night: MessageContext, told: Told) -> tuple[Unasked, ...]:
    """Return the rules asked of nobody by the columns that are missing, those of the last message apart."""
    groups: defaultdict[tuple[tuple[str, ...], bool], list[str]] = defaultdict(list)
    for rule, columns in sorted(night.not_assessed.items()):
        groups[columns, _is_new(f"unasked:{rule}", told)].append(rule)
    return tuple(Unasked(columns, tuple(rules), is_new) for (columns, is_new), rules in groups.items())


# What needs the analyst.


def _find_mail_needs(night: MessageContext, account: NightAccount) -> Iterator[Need]:
    """Find what keeps mail from arriving, or soon will."""
    for address, since in account.unreached:
        yield Need("unreached", about=address, since=since)
    for end in account.secrets:
        yield Need("secret", about=end.describe_dated(night.as_at))


def _find_needs(
    recipient: str, night: MessageContext, account: NightAccount, new_lists: Iterable[str]
) -> Iterator[Need]:
    """Find what somebody must look into or decide, the most serious first."""
    verdict, departed, decided = night.verdict, account.departed, account.decided
    if account.untold:
        yield Need("untold", account.untold)
    for doubt in verdict.doubts if verdict and verdict.is_in_doubt else ():
        yield Need("doubt", about=doubt)
    for failed in _list_failed(night):
        yield Need("failed", about=failed)
    yield from of_people("lost", name_people(departed.lost, night, recipient))
    yield from _find_mail_needs(night, account)
    for surge in account.surges:
        yield Need("surge", about=surge, since=night.as_at)
    for waiting in account.waiting:
        yield Need("waiting", about=waiting, since=waiting.since)
    yield from of_people("alive again", name_people(departed.alive_again, night, recipient))
    yield from of_people("died", name_people(departed.deaths, night, recipient))
    if account.back:
        yield Need("back", len(account.back), about=_list_returned(account, night, recipient))
    for line in new_lists:
        yield Need("list", about=line)
    for team in account.no_lead:
        yield Need("no lead", team.people, about=team)
    if decided and decided.unmatched:
        yield Need("unmatched", decided.unmatched)
    for word, (flags, oldest) in decided.to_look_at.items() if decided else ():
        yield Need("to look at", flags, about=word, since=oldest)


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
        new = [line for line in about if line.state == "open" and line.flag_id not in told.known]
        cleared = sum(line.resolved_reason == "cleared" for line in about)
        people = name_people(sorted({line.person_id for line in new}), night, recipient)
        counts = (len(new), people, states["open"], states["held"], cleared)
        counted.append(DataRule(rule, night.title(rule), *counts))
    return tuple(
        sorted((rule for rule in counted if rule.is_told), key=lambda rule: (-rule.new, -rule.open, rule.rule))
    )


def _list_failed(night: MessageContext) -> tuple[NotRun, ...]:
    return tuple(NotRun(rule, night.title(rule), (), why) for rule, why in sorted(night.failed.items()))


def _list_not_assessed(night: MessageContext) -> tuple[NotRun, ...]:
    return tuple(NotRun(rule, night.title(rule), columns, None) for rule, columns in sorted(night.not_assessed.items()))


def _list_returned(account: NightAccount, night: MessageContext, recipient: str) -> tuple[Returned, ...]:
    """Return the people who are back, but for those whom only the head of service may see."""
    hidden = hidden_from(recipient, night)
    return tuple(
        Returned(Reference(back.person_id, night.link(back.person_id)), back.removed_on, back.source)
        for back in account.back
        if back.person_id not in hidden
    )


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
