"""What comes within days: flags that will open if nothing changes, and waivers that end."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from monitor.flags.waivers import Ending, remind
from monitor.messages.news import PersonNews
from monitor.messages.parts import ComingDue, MessageContext
from monitor.messages.room import add_lengths, count_lines
from monitor.messages.told import Told
from monitor.words import one_line


@dataclass(frozen=True)
class ComingLine:
    """What will open for a young person within days if nothing changes; a sensitive rule as its cover."""

    person_id: str
    link: str | None
    adviser: str | None
    title: str | None
    opens_on: date | None
    days_until: int

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        return count_lines(26 + add_lengths(self.person_id, self.adviser, self.title))


@dataclass(frozen=True)
class EndingLine:
    """A waiver that ends within days: after that the flag is news again, unless it is resolved."""

    person_id: str
    link: str | None
    adviser: str | None
    title: str | None
    until_on: date
    within: Ending

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        return count_lines(36 + add_lengths(self.person_id, self.adviser, self.title))


def gather_coming(
    recipient: str, coming: Iterable[ComingDue], told: Told, night: MessageContext
) -> tuple[ComingDue, ...]:
    """Return what this address is newly told of, soonest first; a rule said once of the service is left out."""
    own = (
        due
        for due in coming
        if not night.is_of_service(due)
        and (due.person_id, due.rule, due.opens_on) not in told.coming
        and night.routes.address(due.team, due.person_id) == recipient
    )
    return tuple(sorted(own, key=lambda due: (due.opens_on, due.person_id, due.rule)))


def write_coming(due: ComingDue, night: MessageContext) -> ComingLine:
    """Return the line of a flag that will open; of one that opens on a birthday no day is said."""
    adviser = one_line(due.personal_adviser) if due.personal_adviser else None
    opens_on = None if due.on_birthday else due.opens_on
    return ComingLine(
        due.person_id, night.link(due.person_id), adviser, night.title(due.rule), opens_on, due.days_until
    )


def gather_ending(people: Iterable[PersonNews], told_on: date | None, night: MessageContext) -> tuple[EndingLine, ...]:
    """Return the waivers whose end this address is to be reminded of tonight, the first to end first."""
    found = []
    for person in people:
        for line in person.waived:
            if line.waived_until is None or line.waived_on is None:
                continue
            within = remind(until_on=line.waived_until, waived_on=line.waived_on, as_at=night.as_at, told_on=told_on)
            if within is not None:
                adviser = one_line(line.personal_adviser) if line.personal_adviser else None
                title, link = night.title(line.rule), night.link(line.person_id)
                found.append(EndingLine(line.person_id, link, adviser, title, line.waived_until, within))
    return tuple(sorted(found, key=lambda each: (each.until_on, each.person_id)))
