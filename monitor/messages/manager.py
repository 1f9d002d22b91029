"""Decides what somebody above the leads is told: flags newly raised to that address, and weekly of the backlog."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from monitor.flags.priority import rank
from monitor.messages.backlog_week import BacklogWeek
from monitor.messages.list_place import ListPlace, find_all_lists
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.raised_person import RaisedPerson, describe_person
from monitor.messages.room import PHONE_LINES, Wish, share_room
from monitor.messages.routes import Instead, Routes
from monitor.words import one_line

RULES_LISTED = 5
"""Rules by which the people who are not named are counted; the flags of the others are counted together."""
FRAME = 16
"""Lines of a phone for what stands beside those who are told of: how the mail opens, the rest counted, the foot."""
NOTE = 4
"""Lines of a phone that a note takes."""
FEWEST_NAMED = 1


@dataclass(frozen=True, slots=True)
class Raised:
    """An open flag with the step it has reached; ``backlog``: it is one, so that what is new comes before it."""

    number: int
    step: str
    working_days: int
    line: FlagLine
    backlog: bool = False


Entry = tuple[Raised, Instead | None]
Note = Literal["cover", "nobody", "restricted", "no team", "unknown team", "no manager", "no head"]


@dataclass(frozen=True)
class RaisedNote:
    """What is out of the ordinary of some teams: who else is told, or why it came to this address.

    ``until``: the last day of the cover.
    """

    why: Note
    teams: tuple[str, ...] = ()
    until: date | None = None


@dataclass(frozen=True)
class ManagerDigest:
    """What one address is told: the worst people by name, the flags of the others by rule; and weekly the backlog.

    ``rest``: flags of people who are not named, by title, the most first; ``others``: those of further rules.
    """

    recipient: str
    night: MessageContext
    named: tuple[RaisedPerson, ...]
    notes: tuple[RaisedNote, ...]
    raised: int
    flags: int
    by_severity: Mapping[str, int]
    backlogged: int
    rest: tuple[tuple[str | None, int], ...]
    others: int
    told: tuple[int, ...]
    """The escalations this message tells of, by line or by count."""
    perhaps_had: tuple[date, ...]
    backlog: BacklogWeek | None = None
    flag_ids: tuple[int, ...] = ()
    template: str = "manager"
    kind: str = "manager"

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        worst = self.backlog.worst if self.backlog else ()
        return tuple(dict.fromkeys(person.person_id for person in (*self.named, *worst)))

    @property
    def holds(self) -> tuple[str, ...]:
        return (*(("manager",) if self.raised else ()), *(("backlog",) if self.backlog else ()))

    @property
    def lists(self) -> ListPlace:
        """Where the lists of all teams are."""
        return find_all_lists(self.night)

    @property
    def counted(self) -> int:
        """The flags that are counted and not shown."""
        return sum(flags for _, flags in self.rest) + self.others


@dataclass(frozen=True)
class MailSoFar:
    """What else is in the mail. ``room``: lines of a phone that its other parts leave.

    ``perhaps_had``: dates of messages that may or may not have arrived.
    """

    backlog: BacklogWeek | None = None
    room: int = PHONE_LINES
    perhaps_had: tuple[date, ...] = ()


NOTHING_SO_FAR = MailSoFar()


def compose_manager(
    recipient: str, raised: Iterable[Raised], night: MessageContext, mail: MailSoFar = NOTHING_SO_FAR
) -> ManagerDigest | None:
    """Return what this address is told of flags above the lead and of the backlog, or None where there is neither.

    ``raised``: what no reader has had yet; what the routes send elsewhere is left out.
    """
    backlog = mail.backlog
    entries = _find_entries(recipient, raised, night.routes)
    if not entries and backlog is None:
        return None
    # A flag that has reached both steps is told as it reached the head.
    latest = {flag.line.flag_id: flag for flag, _ in sorted(entries, key=lambda entry: entry[0].step == "head")}
    apart = {flag.line.flag_id for flag, why in entries if why == "restricted"}
    people, notes = _order_people(latest.values(), apart, night), _list_notes(entries, night.routes)
    wishes = {
        "raised": Wish([person.phone_lines for person in people[: night.most_escalated]], FEWEST_NAMED),
        **(backlog.wishes if backlog else {}),
    }
    shares = share_room(mail.room - FRAME - NOTE * len(notes) - (backlog.phone_lines if backlog else 0), wishes)
    backlog = backlog and backlog.within(shares)
    named = people[: shares["raised"]]
    listed = {person.person_id for person in named}
    rest = Counter(night.title(flag.line.rule) for flag in latest.values() if flag.line.person_id not in listed)
    counts = Counter(flag.line.severity for flag in latest.values())
    first = rest.most_common(RULES_LISTED)
    return ManagerDigest(
        recipient=recipient,
        night=night,
        named=tuple(named),
        notes=notes,
        raised=len(people),
        flags=len(latest),
        by_severity={severity: counts[severity] for severity in sorted(counts, key=rank)},
        backlogged=sum(flag.backlog for flag in latest.values()),
        rest=tuple(first),
        others=rest.total() - sum(flags for _, flags in first),
        told=tuple(sorted(flag.number for flag, _ in entries)),
        perhaps_had=mail.perhaps_had,
        backlog=backlog,
    )


def _find_entries(recipient: str, raised: Iterable[Raised], routes: Routes) -> list[Entry]:
    """Return what goes to this address, each flag with why it does so instead of to another."""
    entries: list[Entry] = []
    for flag in raised:
        address, instead = routes.escalate(flag.step, flag.line.team, flag.line.person_id)
        if address == recipient and flag.line.severity != "data":
            entries.append((flag, instead))
    return entries


def _order_people(raised: Iterable[Raised], apart: set[int], night: MessageContext) -> list[RaisedPerson]:
    """Return the people, the worst first: of equals who is no backlog, then who has waited longest.

    The team of somebody on the restricted list is not said.
    """
    by_person: defaultdict[str, list[Raised]] = defaultdict(list)
    for flag in raised:
        by_person[flag.line.person_id].append(flag)
    teams = {
        "" if flag.line.flag_id in apart else flag.line.team or "" for about in by_person.values() for flag in about
    }
    people = []
    for about in sorted(by_person.values(), key=_seriousness):
        first = about[0].line
        label = "restricted list" if first.flag_id in apart else one_line(first.team or "") or "no team recorded"
        when = {flag.line.flag_id: flag.working_days for flag in about}
        team = label if len(teams) > 1 or first.flag_id in apart else None
        people.append(describe_person((flag.line for flag in about), night, team=team, when=when))
    return people


def _seriousness(about: Sequence[Raised]) -> tuple[int, bool, int, str]:
    worst = min(rank(flag.line.severity) for flag in about)
    in_backlog = all(flag.backlog for flag in about)
    return (worst, in_backlog, -max(flag.working_days for flag in about), about[0].line.person_id)


def _list_notes(entries: Iterable[Entry], routes: Routes) -> tuple[RaisedNote, ...]:
    """Return what is out of the ordinary: a team whose lead does not read of it, an address that is not the usual."""
    found: defaultdict[tuple[Note, date | None], dict[str, None]] = defaultdict(dict)
    for flag, instead in entries:
        team = one_line(flag.line.team or "") or "no team recorded"
        if instead == "restricted":
            found["restricted", None] = {}
            continue
        if instead is not None:
            found[instead, None][team] = None
        if cover := routes.cover_of(flag.line.team):
            found["cover", cover.until][team] = None
        elif routes.unrouted(flag.line.team) == "no lead":
            found["nobody", None][team] = None
    return tuple(RaisedNote(why, tuple(sorted(teams)), until) for (why, until), teams in found.items())
