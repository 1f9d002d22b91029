"""Decides what somebody above the leads is told tonight: the flags newly escalated to that address, by team."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Literal

from monitor.flags.priority import rank
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import Instead, Routes
from monitor.messages.shown import show_once, shown_id
from monitor.words import one_line

FIRST_NIGHT_LISTED = 5
"""Young people of a team named for flags that stood when the monitor first looked; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An open flag with the step it has reached; ``first_night``: it stood when the monitor first looked."""

    number: int
    step: str
    working_days: int
    line: FlagLine
    first_night: bool = False


Entry = tuple[Raised, Instead | None]


@dataclass(frozen=True)
class RaisedItem:
    """One escalated flag as a message shows it. A sensitive one is its title and due date only."""

    title: str | None
    severity: str
    sensitive: bool
    because: str | None
    due_on: date | None
    opened_on: date
    working_days: int
    answer: str | None
    answered_on: date | None


@dataclass(frozen=True)
class RaisedPerson:
    """One young person with the flags that are escalated, the most serious first."""

    person_id: str
    link: str | None
    adviser: str | None
    severity: str
    items: tuple[RaisedItem, ...]


@dataclass(frozen=True)
class TeamRaised:
    """What a team's lead could not put right in time. ``rest``: flags by title beyond the people listed.

    ``lead``: who was told of it every day: the lead, a cover (until ``cover_until``), or nobody of the team;
    *restricted*: young people of any team whom nobody else is shown. ``instead``: why it came to this address, where
    the step is another's.
    """

    team: str | None
    lead: Literal["lead", "cover", "nobody", "restricted"]
    cover_until: date | None
    instead: tuple[Instead, ...]
    people: tuple[RaisedPerson, ...]
    rest: tuple[tuple[str | None, int], ...]
    flags: int
    first_night: int


@dataclass(frozen=True)
class ManagerDigest:
    """The flags newly escalated to one address, the worst listed and the others counted."""

    recipient: str
    night: MessageContext
    teams: tuple[TeamRaised, ...]
    flags: int
    by_severity: Mapping[str, int]
    told: tuple[int, ...]
    """The escalations this message tells of, by line or by count."""
    perhaps_had: tuple[date, ...]
    people: tuple[str, ...]
    flag_ids: tuple[int, ...] = ()
    template: str = "manager"
    kind: str = "manager"
    holds: tuple[str, ...] = ("manager",)


def compose_manager(
    recipient: str, raised: Iterable[Raised], night: MessageContext, *, perhaps_had: Sequence[date] = ()
) -> ManagerDigest | None:
    """Return what this address is told of flags above the lead, or None when nothing newly came to it.

    ``raised``: what no reader has had yet; what the routes send elsewhere is left out.
    """
    by_team = _find_entries(recipient, raised, night.routes)
    if not by_team:
        return None
    teams = tuple(_team(team, entries, night) for team, entries in by_team)
    flags = [flag for _, entries in by_team for flag, _ in entries]
    severity_of = {flag.line.flag_id: flag.line.severity for flag in flags}
    counts = Counter(severity_of.values())
    return ManagerDigest(
        recipient=recipient,
        night=night,
        teams=teams,
        flags=len(severity_of),
        by_severity={severity: counts[severity] for severity in sorted(counts, key=rank)},
        told=tuple(sorted(flag.number for flag in flags)),
        perhaps_had=tuple(perhaps_had),
        people=tuple(dict.fromkeys(person.person_id for team in teams for person in team.people)),
    )


def _find_entries(recipient: str, raised: Iterable[Raised], routes: Routes) -> list[tuple[str | None, list[Entry]]]:
    """Return by team what goes to this address, each flag with why it does so instead of to another.

    Flags of restricted people come last, under None, and name no team.
    """
    by_team: defaultdict[tuple[bool, str], list[Entry]] = defaultdict(list)
    for flag in raised:
        address, instead = routes.escalate(flag.step, flag.line.team, flag.line.person_id)
        if address == recipient and flag.line.severity != "data":
            apart = instead == "restricted"
            by_team[apart, "" if apart else flag.line.team or ""].append((flag, instead))
    return [(None if apart else team, entries) for (apart, team), entries in sorted(by_team.items())]


def _team(team: str | None, entries: Sequence[Entry], night: MessageContext) -> TeamRaised:
    # A flag that has reached both steps is told as it reached the head.
    latest = {flag.line.flag_id: flag for flag, _ in sorted(entries, key=lambda entry: entry[0].step == "head")}
    named = _choose_named(latest.values(), night)
    cover = night.routes.cover_of(team)
    return TeamRaised(
        team="Restricted list" if team is None else one_line(team) or None,
        lead=_describe_lead(team, night.routes),
        cover_until=cover.until if cover else None,
        instead=tuple(dict.fromkeys(why for _, why in entries if why and team is not None)),
        people=tuple(_person(about, night) for about in named),
        rest=_count_rest(latest.values(), named, night),
        flags=len(latest),
        first_night=sum(flag.first_night for flag in latest.values()),
    )


def _count_rest(
    raised: Iterable[Raised], named: Iterable[list[Raised]], night: MessageContext
) -> tuple[tuple[str | None, int], ...]:
    listed = {flag.line.flag_id for about in named for flag in about}
    rest = Counter(night.title(flag.line.rule) for flag in raised if flag.line.flag_id not in listed)
    return tuple(rest.most_common())


def _describe_lead(team: str | None, routes: Routes) -> Literal["lead", "cover", "nobody", "restricted"]:
    if team is None:
        return "restricted"
    if routes.unrouted(team):
        return "nobody"
    return "cover" if routes.cover_of(team) else "lead"


def _choose_named(raised: Iterable[Raised], night: MessageContext) -> list[list[Raised]]:
    """Return the flags of the people to name, the worst first.

    Of the backlog (flags of the first night, and rules said once of the service), only the worst are named.
    """
    by_person: defaultdict[str, list[Raised]] = defaultdict(list)
    for flag in raised:
        by_person[flag.line.person_id].append(flag)
    named: list[list[Raised]] = []
    backlog = 0
    for about in sorted(by_person.values(), key=_seriousness):
        in_backlog = all(flag.first_night or flag.line.rule in night.service_wide for flag in about)
        if (in_backlog and backlog >= FIRST_NIGHT_LISTED) or len(named) >= night.most_escalated:
            continue
        backlog += in_backlog
        named.append(about)
    return named


def _seriousness(about: Sequence[Raised]) -> tuple[int, bool, int, str]:
    worst = min(rank(flag.line.severity) for flag in about)
    in_backlog = all(flag.first_night for flag in about)
    return (worst, in_backlog, -max(flag.working_days for flag in about), about[0].line.person_id)


def _person(about: Sequence[Raised], night: MessageContext) -> RaisedPerson:
    lines = show_once(night.rules, (flag.line for flag in about), attrgetter("flag_id"))
    kept = {line.flag_id for line in lines}
    ordered = sorted(
        (flag for flag in about if flag.line.flag_id in kept),
        key=lambda flag: (rank(flag.line.severity), shown_id(night.rules, flag.line.rule)),
    )
    line = ordered[0].line
    return RaisedPerson(
        person_id=line.person_id,
        link=night.link(line.person_id),
        adviser=one_line(line.personal_adviser) if line.personal_adviser else None,
        severity=line.severity,
        items=tuple(_item(flag, night) for flag in ordered),
    )


def _item(flag: Raised, night: MessageContext) -> RaisedItem:
    line, words = flag.line, night.shown(flag.line)
    return RaisedItem(
        title=words.title,
        severity=line.severity,
        sensitive=not words.in_full,
        because=words.because and one_line(words.because),
        due_on=words.due_on,
        opened_on=line.opened_on,
        working_days=flag.working_days,
        answer=words.if_full(line.answer),
        answered_on=line.answered_on,
    )
