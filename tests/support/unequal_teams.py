"""The sample's list of 900 people, in teams of unequal size, and what may be wrong with it on a night."""

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from monitor.sample.list_9 import ACCOMMODATION_TYPE, ADVISER, PERSON_ID, TEAM, write_sample
from monitor.sample.people import SURNAMES, TEAMS

Rows = list[list[str]]
Spoil = Callable[[Rows], Rows]

NORTH, SOUTH, EAST, WEST = (f"Leaving Care {each}" for each in ("North", "South", "East", "West"))
A_TEAM = len(SURNAMES) // len(TEAMS)
MOVES = ((WEST, 23, 0, NORTH), (EAST, 6, 0, SOUTH), (EAST, 12, 1, WEST))
"""One in so many of a team is in another: 270 in the largest of 900 people, and 160 in the smallest."""


def write_list(path: Path, *, people: int, as_at: dt.date, spoil: Spoil | None = None) -> None:
    """Write the list of that day, spoilt or not."""
    write_sample(path, people=people, as_at=as_at, seed=1)
    with path.open(encoding="utf-8-sig", newline="") as file:
        headings, *rows = csv.reader(file)
    for row in rows:
        place = int(row[PERSON_ID]) // 5 if row[PERSON_ID].isdigit() else -1
        for team, each, nth, other in MOVES:
            if row[TEAM].strip() == team and place % each == nth:
                row[TEAM], row[ADVISER] = other, _rename(row[ADVISER], team, other)
                break
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([headings, *(spoil(rows) if spoil else rows)])


def _rename(adviser: str, team: str, other: str) -> str:
    """The adviser of the other team in the same place."""
    initial, _, surname = adviser.partition(" ")
    if surname not in SURNAMES:
        return adviser
    place = SURNAMES.index(surname) % A_TEAM
    return f"{initial} {SURNAMES[TEAMS.index(other) * A_TEAM + place]}"


def lose_advisers(rows: Rows) -> Rows:
    """Two of three advisers are blank."""
    return [[*row[:ADVISER], "" if n % 3 else row[ADVISER], *row[ADVISER + 1 :]] for n, row in enumerate(rows)]


def spoil_accommodation(rows: Rows) -> Rows:
    """One in two cells of the accommodation cannot be read."""
    place = ACCOMMODATION_TYPE
    return [[*row[:place], "#MULTIVALUE" if n % 2 else row[place], *row[place + 1 :]] for n, row in enumerate(rows)]


def lose_team(rows: Rows) -> Rows:
    """More than half of the smallest team are not in the list."""
    return [row for n, row in enumerate(rows) if row[TEAM].strip() != EAST or n % 17 < 8]


def lose_list(rows: Rows) -> Rows:
    """Half of everybody is not in the list, which is refused."""
    return rows[::2]
