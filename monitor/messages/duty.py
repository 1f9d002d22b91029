"""Decides who is told on a closed day of who is newly critical, whom the lead reads of on the next working day.

It is whoever is on duty: the cover in force, else the manager, else who hears instead of one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from monitor.messages.lead import LeadDigest, compose_lead
from monitor.messages.news import PersonNews, compare_person, gather_people
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import fold
from monitor.messages.told import NOTHING_TOLD, Told


@dataclass(frozen=True)
class ClosedDay:
    """A closed day whose night is being told: the working day after it, and whether the usual mail waits for that."""

    until: date
    waits: bool = True


@dataclass
class DutyNews:
    """What one address on duty is told: the lines, by what the usual reader of each team was told, and the teams."""

    lines: list[FlagLine] = field(default_factory=list)
    known: list[Told] = field(default_factory=list)
    teams: dict[str, None] = field(default_factory=dict)

    @property
    def told(self) -> Told:
        """What the usual readers know together: news to them is news here."""
        flags = {flag_id: flag for told in self.known for flag_id, flag in told.flags.items()}
        last = (told.last_digest for told in self.known)
        return Told(flags=flags, last_digest=max((day for day in last if day is not None), default=None))


def compose_duty(
    by_address: Mapping[str | None, Sequence[FlagLine]],
    told: Mapping[str, Told],
    night: MessageContext,
    closed: ClosedDay,
) -> Iterator[tuple[str, LeadDigest, Sequence[FlagLine]]]:
    """Yield each address on duty with what it is told, and the lines that rests on.

    Nothing on a first night, and nothing that this address has been told before.
    """
    on_duty: defaultdict[str, DutyNews] = defaultdict(DutyNews)
    for usual, lines in by_address.items():
        known = told.get(usual or "", NOTHING_TOLD)
        for person in () if night.baseline or usual is None else _find_newly_critical(usual, lines, known, night):
            team = person.team
            duty = find_duty(team, person.person_id, night)
            if duty is None or (duty == usual and not closed.waits):
                continue
            heard = told.get(duty, NOTHING_TOLD).flags
            if heard.keys() >= {line.flag_id for line in _find_news(person, known)}:
                continue
            about = on_duty[duty]
            about.lines += [line for line in lines if line.person_id == person.person_id]
            about.known.append(known)
            about.teams[team or ""] = None
    for duty, about in sorted(on_duty.items()):
        before = told.get(duty, NOTHING_TOLD)
        context = replace(_on_duty(duty, about, night), closed_until=closed.until, taken_back=before.taken_back)
        known = replace(about.told, perhaps_had=before.perhaps_had)
        digest = compose_lead(duty, about.lines, known, context)
        if digest is not None:
            yield duty, digest, about.lines


def find_duty(team: str | None, person_id: str, night: MessageContext) -> str | None:
    """Return who is on duty for a young person on a closed day."""
    routes = night.routes
    if person_id not in routes.restricted and routes.cover_of(team):
        return routes.address(team, person_id)
    return routes.escalate("manager", team, person_id)[0]


def _find_newly_critical(
    usual: str, lines: Iterable[FlagLine], known: Told, night: MessageContext
) -> Iterator[PersonNews]:
    told_of = (line for line in lines if not night.is_of_service(line))
    for about in gather_people(usual, told_of, night.routes):
        if any(line.severity == "critical" for line in about):
            person = compare_person(about, known, night, baseline=False)
            if _find_news(person, known, since=None if known.last_digest else night.as_at):
                yield person


def _find_news(person: PersonNews, known: Told, *, since: date | None = None) -> list[FlagLine]:
    """Return the critical flags that their usual reader does not know to be so.

    ``since``: for a reader who was told nothing yet, to whom everything is news: those opened from then on.
    """
    found = []
    for line in person.current:
        if line.severity == "critical" and line.state == "open" and (since is None or line.opened_on >= since):
            before = known.flags.get(line.flag_id)
            status = person.statuses.get(line.flag_id)
            if status not in ("open", "unsettled") or (before is not None and before.severity != "critical"):
                found.append(line)
    return found


def _on_duty(duty: str, about: DutyNews, night: MessageContext) -> MessageContext:
    """Return the night as the address on duty is told it: of these teams, and of nothing else that is due."""
    routes = night.routes
    leads = {**routes.leads, **{fold(team): duty for team in about.teams}}
    named = tuple(team for team in about.teams if team)
    covers = {duty: tuple(cover for cover in routes.covered_by(duty) if fold(cover.team) in map(fold, named))}
    routes = replace(routes, leads=leads, names={duty: named}, covers=covers)
    return replace(night, routes=routes, unchecked=(), full_list_from=None)
