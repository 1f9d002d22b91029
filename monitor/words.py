"""Words that messages, lists and errors share: dates, counts, folded names, the nearest known word."""

from collections.abc import Iterable, Sequence
from datetime import date
from difflib import get_close_matches

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks of the direction in which a text is written."""
INVISIBLE = f"\x00\u00a0\u00ad\u180e\u200b\u200c\u200d\u2007\u202f\u2060\u3000\ufeff{DIRECTIONS}"
"""Characters that nobody sees, and spaces that no pattern for white space knows in every language."""
MARKS = "\"'`\u00ab\u00b4\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e"
"""Quotation marks."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


GAPS = {one: " " if one.isspace() or one in "\x00\u00a0\u2007\u202f\u3000" else "" for one in INVISIBLE}
"""What stands for each invisible character in a name: a space, or nothing."""


def write_date(value: date) -> str:
    """Return 12 January 2026, whatever language the machine speaks."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def write_long_date(value: date) -> str:
    """Return Monday 12 January 2026."""
    return f"{WEEKDAYS[value.weekday()]} {write_date(value)}"


def write_weekday(value: date) -> str:
    """Return Monday."""
    return WEEKDAYS[value.weekday()]


def write_number(value: int) -> str:
    """Return 1,234."""
    return f"{value:,}"


def write_count(value: int, one: str, many: str | None = None) -> str:
    """Return 1 young person, 1,234 young people; an s is added where no plural is given."""
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def write_people(value: int) -> str:
    """Return 1 person, 1,234 people."""
    return write_count(value, "person", "people")


def join_words(values: Sequence[str], last: str = "and") -> str:
    """Return one, two and three."""
    return f" {last} ".join(filter(None, (", ".join(values[:-1]), *values[-1:])))


def one_line(text: str | None) -> str:
    """Return the text without line breaks, control characters or runs of spaces."""
    text = text or ""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def fold_name(name: str) -> str:
    """Return a name as it is compared: in lower case, with single spaces, without quotes or a comma around it."""
    folded = " ".join(name.split()).lower()
    if not (folded.isascii() and folded[:1].isalnum() and folded[-1:].isalnum()):
        spaced = " ".join("".join(GAPS.get(letter, letter) for letter in folded).split())
        folded = spaced.strip(f"{MARKS}=,; ") or folded
    return folded


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Return the known word that looks most like this one, if any does."""
    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` with the nearest known word, or nothing."""
    close = nearest(word, known)
    return f'; did you mean "{close}"?' if close else ""
