"""How the text of one cell is taken apart and compared, and the texts that mean an empty cell.

A letter counts as a code only if it is the whole cell, stands in brackets, or is followed by a delimiter:
"Supported lodgings" is E, never S.
"""

import enum
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar


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

NOT_RECORDED = re.compile(
    r"no (contact|details?|information|data|record|entry|answer|response|status|care leaver details?)"
    r"( is| are| has been| have been)?( yet)? (recorded|on record|on file|held|entered|obtained)( .*)?"
    r"|no (details|record|entry|care leaver details)|nobt|(nobt )?information (is )?not (yet )?(obtained|known)"
    r"|not (yet )?(recorded|known|obtained|confirmed)|(details|status) not (yet )?(recorded|known|obtained)"
    r"|to be (confirmed|recorded)|tbc|not in touch or not recorded"
)
"""Longer ones: "no contact recorded" says nothing of being in touch."""


def says_nothing(phrase: str) -> bool:
    """Return whether a folded phrase says that nothing was recorded."""
    return phrase in BLANK_PHRASES or NOT_RECORDED.fullmatch(phrase) is not None


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


LIST_MARK = re.compile(r"\(?([a-z])\)\s*")
"""A small letter before a bracket: the place in a list, whatever codes the column has."""

MARK = re.compile(r"\(?([A-Za-z]|\d{1,2})\s*(?:[):.=]|\s-|-(?=\s)|\u2013)\s*(?=\w)")


def without_mark(text: str) -> str:
    """Return a cell without its place in a list: "a) Yes" is Yes."""
    return MARK.sub("", text, count=1) if MARK.match(text) else text


def label_words(*words: str) -> frozenset[str]:
    """Return the words of which the name of a column is made, as it may stand before what a cell says."""
    return frozenset({*words, "care", "leaver", "leavers", "leaving", "status", "category", "type", "of", "oc3", "the"})


PARTS = re.compile(r"\s*[/;|]\s*")
LABEL_ENDS = re.compile(r"\s*[/:;|=]\s*|\s+[-\u2013\u2014]\s+")

Read = TypeVar("Read")


def read_in_parts(
    text: str, label: frozenset[str], read: Callable[[str], Read], said: Callable[[Read], object], fault: Read
) -> Read:
    """Return what a cell says as a whole, else what each of its parts says where all say the same.

    "Foyers / Foyers" is Foyers, "Care Leaver-'Accommodation' / Foyers" too, and "Foyers / Homeless" is unreadable
    (``fault``) whatever its first letter. ``said``: the code in what was read.
    """
    bare = squeeze(text)
    pieces = PARTS.split(bare)
    parts = [read(part) for part in pieces if part and not set(fold_phrase(part).split()) <= label]
    if len(pieces) == 1 and parts and said(parts[0]) is not UNREADABLE:
        return parts[0]
    codes = {said(part) for part in parts}
    if len(codes - {None, UNREADABLE}) > 1:
        return fault
    whole = read(bare) if len(pieces) > 1 or not parts else parts[0]
    if said(whole) is not UNREADABLE:
        return whole
    if parts and UNREADABLE not in codes and all(part == parts[0] for part in parts):
        return parts[0]
    for end in LABEL_ENDS.finditer(bare):
        before = set(fold_phrase(bare[: end.start()]).split())
        if before and before <= label and end.end() < len(bare):
            return read_in_parts(bare[end.end() :], frozenset(), read, said, fault)
    return whole
