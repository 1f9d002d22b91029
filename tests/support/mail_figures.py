"""What the mails of many nights ask of their readers: how much there is to read, and whether the worst comes first."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from support.council import Mail
from support.mail_size import count_rows, count_screens
from support.unattended_nights import LEADS, OpenFlag, Story

WEEKLY = " by adviser: how many"
SERIOUS = ("critical", "high", "medium", "low")


@dataclass
class Reading:
    """One mail to one reader: rows and screens, and which kind of day it was."""

    to: str
    day: dt.date
    kind: str
    rows: int
    screens: float = 0.0


@dataclass
class Order:
    """Of the newly critical people that mails told: how many mails, and which put one badly."""

    mails: int = 0
    behind: list[tuple[str, dt.date, str]] = field(default_factory=list)
    """A critical person after somebody less serious: address, day, who."""
    unsaid: list[tuple[str, dt.date]] = field(default_factory=list)
    """The subject does not say critical."""
    unnamed: list[tuple[str, dt.date, str]] = field(default_factory=list)
    """Not in the mail at all."""


def read_mails(story: Story, *, screens: bool = True) -> list[Reading]:
    """Return how much each mail to a lead or manager is, in order."""
    found, pages, had = [], [], set()
    for day, mail in story.sent:
        if mail.to not in (*LEADS, "manager@example.gov.uk"):
            continue
        week = (mail.to, day.isocalendar()[:2])
        is_weekly = WEEKLY in mail.text if mail.to in LEADS else week not in had
        kind = "baseline" if mail.to not in {to for to, _ in had} else "weekly" if is_weekly else "ordinary"
        kind = "fault" if kind == "ordinary" and day in story.without else kind
        had.add(week)
        found.append(Reading(mail.to, day, kind, count_rows(mail.text)))
        pages.append(mail.html)
    for reading, size in zip(found, count_screens(pages) if screens else (), strict=False):
        reading.screens = size
    return found


def add_by_fault(story: Story) -> list[tuple[dt.date, str, int, int | None]]:
    """Return of each mail on a day of a fault: the day, to whom, its rows, and those it had had without the fault."""
    found = []
    nights = {as_at for as_at, *_ in story.council.rows("SELECT as_at FROM run WHERE state = 'accepted'")}
    for day, without in story.without.items():
        if day.isoformat() not in nights:
            continue  # It was refused, and what went was of the night before.
        rows = {mail.to: count_rows(mail.text) for mail in without}
        for each, mail in story.sent:
            if each == day and mail.to in LEADS:
                found.append((day, mail.to, count_rows(mail.text), rows.get(mail.to)))
    return found


def judge_order(story: Story) -> Order:
    """Return how the mails to leads put whoever has become critical since the last one to that lead."""
    order = Order()
    last: dict[str, dt.date] = {}
    for day, mail in story.sent:
        if mail.to not in LEADS:
            continue
        since, last[mail.to] = last.get(mail.to), day
        if since is None:
            continue
        critical = {person for person, now, then in _changed(story, mail, since) if now == "critical" != then}
        others = {person for person, now, _ in _changed(story, mail, since) if now != "critical"}
        if critical:
            _judge_mail(order, mail, day, critical, others)
    return order


def _judge_mail(order: Order, mail: Mail, day: dt.date, critical: set[str], others: set[str]) -> None:
    order.mails += 1
    places = {person: mail.text.find(person) for person in critical | others}
    first_other = min((places[person] for person in others if places[person] >= 0), default=len(mail.text))
    order.behind += [(mail.to, day, person) for person in sorted(critical) if places[person] > first_other]
    order.unnamed += [(mail.to, day, person) for person in sorted(critical) if places[person] < 0]
    if "critical" not in mail.subject:
        order.unsaid.append((mail.to, day))


def _changed(story: Story, mail: Mail, since: dt.date) -> Iterator[tuple[str, str, str | None]]:
    """Return whoever of the team has a flag that is newer than the last mail: how serious they are, and were then."""
    day = max(each for each in story.open_on if each <= _as_at(mail))
    for person, flags in story.open_on[day].items():
        team = story.team_of[day.isoformat()].get(person)
        if team != LEADS[mail.to] or person in story.restricted:
            continue
        flags = [flag for flag in flags if not story.rules[flag.rule].recording]
        if any(flag.opened_on > since for flag in flags):
            then = [flag for flag in story.open_on[since].get(person, ()) if not story.rules[flag.rule].recording]
            yield person, _worst(flags) or "", _worst(then)


def _worst(flags: Sequence[OpenFlag]) -> str | None:
    return min((flag.severity for flag in flags), key=SERIOUS.index, default=None)


def _as_at(mail: Mail) -> dt.date:
    found = re.search(r"\d{1,2} [A-Z][a-z]+ \d{4}", mail.subject)
    assert found, mail.subject
    return dt.datetime.strptime(found[0], "%d %B %Y").replace(tzinfo=dt.UTC).date()


def summarize(readings: Sequence[Reading]) -> list[str]:
    """Return by reader and kind of day: how many, the median and the most rows and screens; and by week."""
    lines = []
    groups: defaultdict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        groups[reading.to, reading.kind].append(reading)
    for (to, kind), found in sorted(groups.items()):
        rows, screens = [each.rows for each in found], [each.screens for each in found]
        lines.append(
            f"{to}, {kind}: {len(found)} mails; rows median {median(rows):g}, most {max(rows)}; "
            f"screens median {median(screens):.1f}, most {max(screens)}"
        )
    for to in dict.fromkeys(each.to for each in readings):
        weeks = sum_weeks(readings, to)
        lines.append(f"{to}, a week: median {median(weeks):g}, most {max(weeks)} rows" if weeks else f"{to}: no week")
    return lines


def sum_weeks(readings: Sequence[Reading], to: str) -> list[int]:
    """Return the rows of each week to a reader, but that of the baseline."""
    weeks: defaultdict[tuple[int, int], int] = defaultdict(int)
    for each in readings:
        if each.to == to:
            weeks[each.day.isocalendar()[:2]] += each.rows
    return [rows for week, rows in sorted(weeks.items())][1:]
