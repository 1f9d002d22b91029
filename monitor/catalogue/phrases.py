"""How the text of one cell is taken apart and compared, and the texts that mean an empty cell.

A letter counts as a code only if it is the whole cell, stands in brackets, or is followed by a delimiter:
"Supported lodgings" is E, never S.
"""

import enum
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal


class CellFault(enum.Enum):
    UNREADABLE = "unreadable"


UNREADABLE = CellFault.UNREADABLE
"""The cell says something that is not one of the codes, or could be two of them."""

Code = str | Literal[CellFault.UNREADABLE] | None
YesNo = bool | Literal[CellFault.UNREADABLE] | None

BLANK_TEXTS = frozenset(
    {"", "-", "--", "---", "\u2013", "\u2014", ".", "n/a", "n.a.", "null", "nan", "blank", "(blank)", "[blank]"}
)
"""Texts that mean an empty cell in any column, in lower case."""

BLANK_PHRASES = frozenset(
    {
        "na", "unknown", "not known", "not recorded", "not stated", "not specified", "no data", "missing",
        "not applicable", "please select", "select", "care leaver details not recorded", "no information",
    }
)  # fmt: skip
"""Phrases that say a code was not recorded."""


def is_blank(text: str) -> bool:
    """Return whether a cell of any kind is empty: nothing, a dash, or a placeholder of the extract."""
    bare = text.strip().casefold()
    return bare in BLANK_TEXTS or bare.startswith("ssd_ph")


def squeeze(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def fold_phrase(text: str) -> str:
    """Return a phrase as it is compared: lower case, words only, "(s)" as a plural, & as "and"."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("(s)", "s").replace("&", " and ")
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain.replace("'", "").replace("\u2019", "")).split())


@dataclass(frozen=True)
class Token:
    code: str
    delimited: bool


def split_token(text: str, pattern: str) -> tuple[Token | None, str]:
    """Return the code a cell starts or ends with, and the rest.

    ``delimited`` unless only a space or a full stop follows: "S2 4HG" is an address, "B. Name" a person.
    """
    if re.fullmatch(pattern, text):
        return Token(text, delimited=True), ""
    bracketed = re.match(rf"[(\[]\s*({pattern})\s*[)\]]\s*[-:\u2013]?\s*(.*)$", text) or re.match(
        rf"({pattern})\s*(?:[:)\]=;\u2013\u2014]|-(?!\w)|(?<=\s)-)\s*(.*)$", text
    )
    if bracketed:
        return Token(bracketed[1], delimited=True), bracketed[2].lstrip(" :;=)]-\u2013\u2014")
    # A space before the bracket: "former foster carer(s)" ends in a plural, not in code S.
    trailing = re.match(rf"(.*\S)\s+[(\[]\s*({pattern})\s*[)\]]$", text)
    if trailing:
        return Token(trailing[2], delimited=True), trailing[1]
    spaced = re.match(rf"({pattern})[\s.-]+(.*)$", text)
    if spaced:
        return Token(spaced[1], delimited=False), spaced[2]
    return None, without_mark(text)


MARK = re.compile(r"\(?([A-Za-z]|\d{1,2})\s*(?:[):.=]|\s-|-(?=\s)|\u2013)\s*(?=\w)")


def without_mark(text: str) -> str:
    """Return a cell without its place in a list: "a) Yes" is Yes."""
    return MARK.sub("", text, count=1) if MARK.match(text) else text
