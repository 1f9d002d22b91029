"""Decides what somebody above the leads is told tonight: the flags newly escalated to that address, by team."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from monitor.flags.priority import rank
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import Instead
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
    """What a team's lead could not settle in time. ``rest``: flags by title beyond the people listed.

    ``lead``: who has heard of it every day: the lead, a cover (until ``cover_until``), or nobody of the team;
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
    """What this address is told of flags above the lead, or None when nothing newly came to it.

    ``raised``: what no reader has had yet, whoever it is for; what the routes send elsewhere is left out.
    """
    mine = []
    for one in raised:
        address, instead = night.routes.escalate(one.step, one.line.team, one.line.person_id)
        if address == recipient and one.line.severity != "data":
            mine.append((one, instead))
    if not mine:
        return None
    by_team: defaultdict[tuple[bool, str], list[tuple[Raised, Instead | None]]] = defaultdict(list)
    for one, instead in mine:
        apart = instead == "restricted"
        by_team[apart, "" if apart else one.line.team or ""].append((one, instead))
    teams = tuple(_team(team, each, night, restricted=apart) for (apart, team), each in sorted(by_team.items()))
    flags = {one.line.flag_id: one.line for one, _ in mine}
    severities = Counter(line.severity for line in flags.values())
    return ManagerDigest(
        recipient=recipient,
        night=night,
        teams=teams,
        flags=len(flags),
        by_severity={each: severities[each] for each in sorted(severities, key=rank)},
        told=tuple(one.number for one, _ in mine),
        perhaps_had=tuple(perhaps_had),
        people=tuple(dict.fromkeys(person.person_id for team in teams for person in team.people)),
    )


def _team(
    team: str, all_of_it: Sequence[tuple[Raised, Instead | None]], night: MessageContext, *, restricted: bool
) -> TeamRaised:
    """One team: of what stood on the first night, and of rules said once for the service, only the worst are named."""
    latest = {one.line.flag_id: one for one, _ in sorted(all_of_it, key=lambda entry: entry[0].step == "head")}
    by_person: defaultdict[str, list[Raised]] = defaultdict(list)
    for one in latest.values():
        by_person[one.line.person_id].append(one)
    ordered = sorted(by_person.values(), key=_seriousness)
    named: list[list[Raised]] = []
    first_night = 0
    for about in ordered:
        standing = all(one.first_night or one.line.rule in night.service_wide for one in about)
        if (standing and first_night >= FIRST_NIGHT_LISTED) or len(named) >= night.most_escalated:
            continue
        first_night += standing
        named.append(about)
    listed = {one.line.flag_id for about in named for one in about}
    rest = Counter(night.title(one.line.rule) for one in latest.values() if one.line.flag_id not in listed)
    cover = night.routes.cover_of(team)
    return TeamRaised(
        team="Restricted list" if restricted else one_line(team) or None,
        lead="restricted" if restricted else "nobody" if night.routes.unrouted(team) else "cover" if cover else "lead",
        cover_until=cover.until if cover else None,
        instead=tuple(dict.fromkeys(why for _, why in all_of_it if why and not restricted)),
        people=tuple(_person(about, night) for about in named),
        rest=tuple(rest.most_common()),
        flags=len(latest),
        first_night=sum(one.first_night for one in latest.values()),
    )


def _seriousness(about: Sequence[Raised]) -> tuple[int, bool, int, str]:
    worst = min(rank(one.line.severity) for one in about)
    standing = all(one.first_night for one in about)
    return (worst, standing, -max(one.working_days for one in about), about[0].line.person_id)


def _person(about: Sequence[Raised], night: MessageContext) -> RaisedPerson:
    ordered = sorted(about, key=lambda one: (rank(one.line.severity), one.line.rule))
    line = ordered[0].line
    return RaisedPerson(
        person_id=line.person_id,
        link=night.link(line.person_id),
        adviser=one_line(line.personal_adviser) if line.personal_adviser else None,
        severity=line.severity,
        items=tuple(_item(one, night) for one in ordered),
    )


def _item(one: Raised, night: MessageContext) -> RaisedItem:
    line, words = one.line, night.shown(one.line)
    return RaisedItem(
        title=words.title,
        severity=line.severity,
        sensitive=not words.in_full,
        because=words.because and one_line(words.because),
        due_on=words.due_on,
        opened_on=line.opened_on,
        working_days=one.working_days,
        answer=words.if_full(line.answer),
        answered_on=line.answered_on,
    )
