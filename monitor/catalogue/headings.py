"""Which catalogue column a heading means, and which row of a sheet is the row of headings."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from monitor.catalogue.columns import COLUMNS, IGNORED_HEADINGS, PERSON_ID_HEADINGS
from monitor.errors import SourceError

PERSON_ID = "person_id"
ROWS_SEARCHED = 15

LEAVING_CARE = frozenset(
    {
        "eligibility", "personal_adviser", "in_touch", "latest_contact_date", "accommodation",
        "accommodation_suitable", "activity", "pathway_plan_review_date",
    }
)  # fmt: skip
"""Columns that the other lists of the same workbook do not have."""

MOST_NAMED = 20


@dataclass(frozen=True)
class Form:
    """A kind of list: what messages call it, the columns it cannot do without, and how its sheet is known.

    ``sheet`` is how the sheet is named; a sheet of another name must have ``enough`` of its own headings.
    ``names``: headings that only this form has, in capitals, with the catalogue's names for them.
    """

    called: str
    required: tuple[str, ...]
    sheet: re.Pattern[str]
    enough: int
    names: Mapping[str, str] = field(default_factory=dict)

    def rename(self, headings: Sequence[str]) -> list[str]:
        """Return headings with the form's own put by the catalogue's names; the rest as they are."""
        return [self.names.get(heading.strip().strip("\ufeff").upper(), heading) for heading in headings]


LIST_9 = Form("List 9", (PERSON_ID, "date_of_birth"), re.compile(r"list[\s_.-]*0?9(?!\d)", re.IGNORECASE), 2)
SUPPLEMENT = Form("supplement", (PERSON_ID,), re.compile("supplement", re.IGNORECASE), 1)
OC3 = Form(
    "SSDA903 OC3", (PERSON_ID, "date_of_birth", "in_touch", "activity", "accommodation"),
    re.compile("oc3", re.IGNORECASE), 4,
    {"CHILD": PERSON_ID, "DOB": "date_of_birth", "IN_TOUCH": "in_touch", "ACTIV": "activity", "ACCOM": "accommodation"},
)  # fmt: skip


@dataclass(frozen=True)
class Matched:
    """Headings read: catalogue name to position, what is extra, and pairs that mean the same column."""

    positions: dict[str, int]
    extra: tuple[str, ...]
    clashes: tuple[tuple[str, str, str], ...]
    recognised: int

    def likeness(self, form: Form) -> int:
        """Return how surely this is a list of that form and no other: 0 is not at all."""
        if PERSON_ID not in self.positions:
            return 0
        return len(LEAVING_CARE & self.positions.keys()) if form is LIST_9 else len(self.positions) - 1


def match_headings(headings: Sequence[str]) -> Matched:
    """Match loosely: case, spaces, line breaks, punctuation, Adviser or Advisor, and remarks in brackets aside."""
    positions: dict[str, int] = {}
    extra: list[str] = []
    clashes: list[tuple[str, str, str]] = []
    recognised = 0
    for position, heading in enumerate(headings):
        name = _name_of(heading)
        if name is None:
            if heading.strip():
                extra.append(" ".join(heading.split()))
            continue
        recognised += 1
        if name in positions:
            clashes.append((name, headings[positions[name]], heading))
        elif name:
            positions[name] = position
    return Matched(positions, tuple(extra), tuple(clashes), recognised)


def find_heading_row(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the position of the row that reads most like headings, among the first 15."""
    scores = [match_headings(row).recognised for row in rows[:ROWS_SEARCHED]]
    best = max(scores, default=0)
    return scores.index(best) if best >= 2 else None


def check_headings(headings: Sequence[str], place: str, form: Form = LIST_9) -> Matched:
    """Return the headings matched; raises ``SourceError`` where one is missing or two mean the same column."""
    matched = match_headings(headings)
    if matched.clashes:
        name, first, second = matched.clashes[0]
        raise SourceError(
            f'{place}: the headings "{_shown(first)}" and "{_shown(second)}" both mean {name}; '
            "rename or remove one of them"
        )
    missing = [name for name in form.required if name not in matched.positions]
    if missing:
        raise SourceError(
            f"{place}: no heading for {' or '.join(missing)} "
            f"(usually {' and '.join(_usual(name, form) for name in missing)}); the headings found are "
            f"{list_headings(headings)}"
        )
    if matched.positions.keys() <= {PERSON_ID}:
        raise SourceError(
            f"{place}: no heading but the id's means a column of the catalogue; the headings found are "
            f"{list_headings(headings)}; monitor columns lists those it could have"
        )
    return matched


def list_headings(headings: Sequence[str]) -> str:
    """Return headings as a message names them, the first 20."""
    named = [f'"{_shown(heading)}"' for heading in headings if heading.strip()]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more


def _usual(name: str, form: Form) -> str:
    own = {name: heading for heading, name in form.names.items()}
    spelling = own.get(name) or (PERSON_ID_HEADINGS[0] if name == PERSON_ID else "Date of Birth")
    return f'"{spelling}"'


def _shown(heading: str) -> str:
    text = " ".join(heading.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name_of(heading: str) -> str | None:
    """The column a heading means; "" for one that is known and never read; None for a stranger."""
    known = _spellings()
    return next((known[key] for key in _keys(heading) if key in known), None)


@cache
def _spellings() -> dict[str, str]:
    headings = {column.name: (column.name, *column.headings) for column in COLUMNS}
    known = {"": IGNORED_HEADINGS, **headings, PERSON_ID: (PERSON_ID, *PERSON_ID_HEADINGS)}
    return {key: name for name, spellings in known.items() for spelling in spellings for key in _keys(spelling)}


def _keys(heading: str) -> tuple[str, ...]:
    """A heading as it is compared: whole, then without remarks in brackets, then without "Y/N" at its end."""
    text = unicodedata.normalize("NFKC", heading).casefold().replace("advisor", "adviser")
    whole = re.sub(r"[^a-z0-9]", "", text)
    bare = re.sub(r"[^a-z0-9]", "", re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text))
    keys = (whole, bare, whole.removesuffix("yn"), bare.removesuffix("yn"))
    return tuple(key for key in dict.fromkeys(keys) if key)
