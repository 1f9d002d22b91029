"""Which catalogue column a heading means, and which row of a sheet is the row of headings."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from types import MappingProxyType

from monitor.catalogue.columns import COLUMNS, IGNORED_HEADINGS, PERSON_ID_HEADINGS, SYSTEM_ID_HEADINGS
from monitor.errors import SourceError
from monitor.words import nearest

PERSON_ID = "person_id"
NOT_READ = "not read"
"""What a council writes in its config for a heading that is none of the catalogue's, though it looks like one."""
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
    ``own``: headings that only this form or this council has, with the catalogue's names for them.
    """

    called: str
    required: tuple[str, ...]
    sheet: re.Pattern[str]
    enough: int
    own: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Return its own headings as they are compared."""
        return {fold_heading(heading): name for heading, name in self.own.items()}

    def knowing(self, headings: Mapping[str, str]) -> "Form":
        """Return the form with a council's own headings, which go before all others."""
        return replace(self, own={**self.own, **headings}) if headings else self


def fold_heading(heading: str) -> str:
    """Return a heading as it is compared with one that somebody wrote down: case and white space aside."""
    return " ".join(unicodedata.normalize("NFKC", heading).replace("\ufeff", " ").split()).casefold()


LIST_9 = Form("List 9", (PERSON_ID, "date_of_birth"), re.compile(r"list[\s_.-]*0?9(?!\d)", re.IGNORECASE), 2)
SUPPLEMENT = Form("supplement", (PERSON_ID,), re.compile("supplement", re.IGNORECASE), 1)
OC3 = Form(
    "SSDA903 OC3", (PERSON_ID, "date_of_birth", "in_touch", "activity", "accommodation"),
    re.compile("oc3", re.IGNORECASE), 4,
    {"CHILD": PERSON_ID, "DOB": "date_of_birth", "IN_TOUCH": "in_touch", "ACTIV": "activity", "ACCOM": "accommodation"},
)  # fmt: skip


NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Matched:
    """Headings read: catalogue name to position, what is extra, and pairs that mean the same column.

    ``doubtful``: columns that two headings or more could mean, neither of them surely, so that none is read.
    """

    positions: dict[str, int]
    extra: tuple[str, ...]
    clashes: tuple[tuple[str, str, str], ...]
    recognised: int
    doubtful: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def likeness(self, form: Form) -> int:
        """Return how surely this is a list of that form and no other: 0 is not at all."""
        if PERSON_ID not in self.positions:
            return 0
        return len(LEAVING_CARE & self.positions.keys()) if form.called == LIST_9.called else len(self.positions) - 1


def match_headings(headings: Sequence[str], names: Mapping[str, str] = NO_NAMES) -> Matched:
    """Match loosely: case, spaces, line breaks, punctuation, Adviser or Advisor, and remarks in brackets aside.

    ``names``: folded headings that mean a column because somebody said so; they go before any that look like one.
    """
    told = [names.get(fold_heading(heading)) if names else None for heading in headings]
    positions: dict[str, int] = {}
    extra: dict[int, str] = {}
    clashes: list[tuple[str, str, str]] = []
    weaker: dict[str, list[int]] = {}
    recognised = 0
    for position, heading in enumerate(headings):
        name, weak = (told[position], False) if told[position] else _name_of(heading)
        if name is None:
            if heading.strip():
                extra[position] = " ".join(heading.split())
            continue
        recognised += 1
        if name in ("", NOT_READ) or (told[position] is None and name in told):
            continue
        if weak:
            weaker.setdefault(name, []).append(position)
        elif name in positions:
            clashes.append((name, headings[positions[name]], heading))
        else:
            positions[name] = position
    doubtful: dict[str, tuple[str, ...]] = {}
    for name, found in weaker.items():
        if name not in positions and len(found) == 1:
            positions[name] = found[0]
            continue
        if name not in positions:
            doubtful[name] = tuple(headings[position] for position in found)
        extra |= {position: " ".join(headings[position].split()) for position in found}
    return Matched(positions, tuple(extra[place] for place in sorted(extra)), tuple(clashes), recognised, doubtful)


def find_near_misses(headings: Iterable[str], columns: Collection[str]) -> dict[str, str]:
    """Return, for each heading that was matched with no column and looks like one of these, that column."""
    found = {heading: _find_near_miss(heading, columns) for heading in headings}
    return {heading: name for heading, name in found.items() if name}


def _find_near_miss(heading: str, columns: Collection[str]) -> str | None:
    key = max(_keys(heading), key=len, default="")
    known = {spelt: name for spelt, (name, _) in _spellings().items() if name in columns and len(spelt) > 5}
    close = nearest(key, known, cutoff=0.84) if len(key) > 5 else None
    if close:
        return known[close]
    words = _words_of(heading)
    likeness = [(_likeness(words, spelt), name) for name in columns if name in _worded() for spelt in _worded()[name]]
    best = max(likeness, default=(0.0, ""))
    return best[1] if best[0] >= LEAST_LIKENESS else None


def is_slip(heading: str, column: str) -> bool:
    """Return whether a heading is a known one of a column but for a slip of the pen."""
    key = max(_keys(heading), key=len, default="")
    known = [spelt for spelt, (name, _) in _spellings().items() if name == column and len(spelt) > 5]
    return len(key) > 5 and nearest(key, known, cutoff=SURE_LIKENESS) is not None


LEAST_LIKENESS, SURE_LIKENESS = 0.6, 0.9


def find_heading_row(rows: Sequence[Sequence[str]], names: Mapping[str, str] = NO_NAMES) -> int | None:
    """Return the position of the row that reads most like headings, among the first 15."""
    scores = [match_headings(row, names).recognised for row in rows[:ROWS_SEARCHED]]
    best = max(scores, default=0)
    return scores.index(best) if best >= 2 else None


class UnmatchedHeadings(SourceError):
    """A column that must be there has no heading; ``headings`` are those there, ``missing`` the columns.

    ``source``: the name of the config's source, once that is known.
    """

    def __init__(self, message: str, headings: Sequence[str], missing: Sequence[str]) -> None:
        self.source = ""
        self.headings = tuple(headings)
        self.missing = tuple(missing)
        super().__init__(message)


def check_headings(headings: Sequence[str], place: str, form: Form = LIST_9) -> Matched:
    """Return the headings matched; raises ``SourceError`` where one is missing or two mean the same column."""
    matched = match_headings(headings, form.names)
    if matched.clashes:
        name, first, second = matched.clashes[0]
        raise SourceError(
            f'{place}: the headings "{_shown(first)}" and "{_shown(second)}" both mean {name}; '
            "name the right one in [sources.headings] of the config, or rename or remove one of them"
        )
    missing = [name for name in form.required if name not in matched.positions]
    unsure = [name for name in missing if name in matched.doubtful]
    if unsure:
        could = " and ".join(f'"{_shown(heading)}"' for heading in matched.doubtful[unsure[0]])
        raise UnmatchedHeadings(
            f"{place}: {could} could each be {unsure[0]}; name the right one in [sources.headings] of the config, or "
            "remove the other",
            headings,
            missing,
        )
    if missing:
        raise UnmatchedHeadings(
            f"{place}: no heading for {' or '.join(missing)} "
            f"(usually {' and '.join(_usual(name, form) for name in missing)}); the headings found are "
            f"{list_headings(headings)}",
            headings,
            missing,
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
    own = {name: heading for heading, name in form.own.items()}
    spelling = own.get(name) or (PERSON_ID_HEADINGS[0] if name == PERSON_ID else "Date of Birth")
    return f'"{spelling}"'


def _shown(heading: str) -> str:
    text = " ".join(heading.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name_of(heading: str) -> tuple[str | None, bool]:
    """The column a heading means, and whether it could be another; "" for one never read, None for a stranger."""
    known = _spellings()
    return next((known[key] for key in _keys(heading) if key in known), (None, False))


@cache
def _spellings() -> Mapping[str, tuple[str, bool]]:
    """By key, the column that a spelling means, and whether it means it only where nothing else does."""
    surely = {column.name: (column.name, *column.headings) for column in COLUMNS}
    perhaps = {column.name: column.other_headings for column in COLUMNS} | {PERSON_ID: SYSTEM_ID_HEADINGS}
    surely |= {"": IGNORED_HEADINGS, PERSON_ID: (PERSON_ID, *PERSON_ID_HEADINGS)}
    return {
        key: (name, weak)
        for weak, known in ((True, perhaps), (False, surely))
        for name, spellings in known.items()
        for spelling in spellings
        for key in _keys(spelling)
    }


_EMPTY_WORDS = frozenset(
    {"date", "of", "the", "is", "last", "latest", "most", "recent", "current", "for", "with", "to", "y", "n"}
)


def _words_of(heading: str) -> frozenset[str]:
    """The words of a heading that tell it from others; LatestContactDate has three."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    words = re.sub(r"[^a-z0-9]+", " ", _fold(spaced)).split()
    return frozenset(words) - _EMPTY_WORDS


def _likeness(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / len(words | others) if words and others else 0.0


@cache
def _worded() -> Mapping[str, frozenset[frozenset[str]]]:
    """By column, the words of each of its spellings."""
    return {
        column.name: frozenset(map(_words_of, (column.name, *column.headings, *column.other_headings)))
        for column in COLUMNS
    }


def _fold(heading: str) -> str:
    text = unicodedata.normalize("NFKC", heading).casefold().replace("advisor", "adviser")
    return text.replace("accomodation", "accommodation").replace("accommodaton", "accommodation")


def _keys(heading: str) -> tuple[str, ...]:
    """A heading as it is compared: whole, then without remarks in brackets, then without "Y/N" at its end."""
    text = _fold(heading)
    whole = re.sub(r"[^a-z0-9]", "", text)
    bare = re.sub(r"[^a-z0-9]", "", re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text))
    keys = (whole, bare, whole.removesuffix("yn"), bare.removesuffix("yn"))
    return tuple(key for key in dict.fromkeys(keys) if key)
