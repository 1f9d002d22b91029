"""How ids are compared where somebody has written them down: case, outer zeros and what a spreadsheet adds aside.

The same in Python and in SQL, since a list is asked of both. Two ids that differ in nothing else may be two people:
who compares decides which way is safe.
"""

import re
from urllib.parse import quote

from monitor.words import GAPS, INVISIBLE, MARKS

WIDE = "".join(map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))))
NARROW = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\ufe63"
PLAIN = str.maketrans(WIDE + DASHES, NARROW + "-" * len(DASHES))
"""Letters and digits of double width, and dashes of every length, as a keyboard has them."""

UNSEEN = "".join(one for one in INVISIBLE if GAPS[one] == "")
"""What nobody sees in an id: characters without width, and marks of direction."""

AN_ID = r"[-A-Za-z0-9./_:+&\\]+"
"""What is an id by itself, unless it holds a name."""
HOLDS_NAME = r"[A-Z][a-z]{2,}"
PSEUDONYM = r"([A-Za-z]+[0-9]+){3}"
"""A code in which letters and digits take turns: chance may spell in it what looks like a name."""
SPACED_ID = r"[A-Z]{1,4} [0-9]+|[0-9]+( [0-9]+)+"
"""An id in two parts, as some systems write it."""
CALLED_ID = r"^(?i:(id|no|nr|ref|case|child|person|number)[ .:#]+)+"
SUMMARY = (
    r"^(?i:(grand |sub-?)?totals?|sum of|averages?|mean|median|count|minimum|maximum|number of|reports?|filter(s|ed)?"
    r"|end of|page [0-9]|printed|run (on|by)|generated|extract(s|ed)?|criteria|as at|data as at)([^A-Za-z]|$)"
)
"""How a line begins that sums up a list, or says how it was made."""
WITH_DIGIT = r"[A-Za-z0-9./_-]*[0-9][A-Za-z0-9./_-]*"
"""A word that can be the id among others."""

_ADDED = re.compile(rf"[\s{INVISIBLE}{MARKS}]+")
_WHOLE = re.compile(r"([0-9]+)\.0+")


def tidy_id(text: str) -> str:
    """Return an id as it is meant: without quotes, spaces, ``=`` before it, a comma, a full stop or ``.0`` after it."""
    if text.isascii() and text.isalnum():
        return text
    bare = _ADDED.sub("", text.translate(PLAIN)).lstrip("=").rstrip(",;.")
    whole = _WHOLE.fullmatch(bare)
    return whole[1] if whole else bare


def fold_id(text: str) -> str:
    """Return an id as it is compared; "0" where there is nothing but zeros."""
    folded = tidy_id(text).lower()
    return folded.lstrip("0") or folded[:1]


def folded_id_sql(column: str) -> str:
    """Return SQL for ``fold_id`` of a column."""
    plain = f"translate({column}, '{WIDE}{DASHES}', '{NARROW}{'-' * len(DASHES)}')"
    classes = rf"[\s\pZ\x{{1c}}-\x{{1f}}\x{{85}}{_for_duckdb(INVISIBLE)}{_for_duckdb(MARKS)}]+"
    bare = f"regexp_replace(regexp_replace({plain}, '{classes}', '', 'g'), '^=+|[,;.]+$', '', 'g')"
    whole = rf"regexp_replace({bare}, '^([0-9]+)\.0+$', '\1')"
    tidy = f"lower(CASE WHEN regexp_full_match({column}, '[A-Za-z0-9]+') THEN {column} ELSE {whole} END)"
    return f"coalesce(nullif(ltrim({tidy}, '0'), ''), left({tidy}, 1))"


def _for_duckdb(characters: str) -> str:
    r"""Write a class of characters, which is one of Python's, as RE2 has it."""
    return "".join(rf"\x{{{ord(one):04x}}}" for one in characters)


def bare_id_sql(text: str) -> str:
    """Return SQL for a source's text without what nobody sees, quotes, marks around it, or "ID:" before it."""
    plain = f"translate({text}, '{WIDE}{DASHES}', '{NARROW}{'-' * len(DASHES)}')"
    seen = f"regexp_replace({plain}, '[{_for_duckdb(UNSEEN)}{_for_duckdb(MARKS)}]+', '', 'g')"
    spaced = rf"trim(regexp_replace({seen}, '[\s\pZ\x{{00}}]+', ' ', 'g'), ' =,;.')"
    return rf"regexp_replace(regexp_replace({spaced}, '{CALLED_ID}', ''), '^([0-9]+)\.0+$', '\1')"


def chosen_id_sql(bare: str) -> str:
    """Return SQL for the id in what ``bare_id_sql`` left; NULL where it holds more than an id, or a name for one.

    ``7000001 (A Smith)`` gives 7000001. A word without a digit is left to who sees the whole
    column; several are a name or a note.
    """
    words = f"regexp_extract_all({bare}, '{WITH_DIGIT}')"
    word = f"trim({words}[1], './_-')"
    return f"""CASE
            WHEN NOT regexp_matches({bare}, '[0-9]') THEN CASE WHEN NOT contains({bare}, ' ') THEN {bare} END
            WHEN regexp_full_match({bare}, '{AN_ID}') AND NOT ({_holds_name(bare)}) THEN {bare}
            WHEN regexp_full_match({bare}, '{SPACED_ID}') THEN {bare}
            WHEN regexp_matches({bare}, '{SUMMARY}') THEN NULL
            WHEN len({words}) = 1 AND NOT ({_holds_name(word)}) THEN {word}
        END"""


def _holds_name(text: str) -> str:
    return f"regexp_matches({text}, '{HOLDS_NAME}') AND NOT regexp_matches({text}, '{PSEUDONYM}')"


def is_summary(text: str) -> bool:
    """Return whether a text sums up a list, or says how it was made."""
    return re.match(SUMMARY, text) is not None


def may_hold_name(person_id: str) -> bool:
    """Return whether an id could say a name, so that no message may hold it."""
    if person_id.isascii() and person_id.isalnum() and person_id.upper() == person_id:
        return False
    if re.search(PSEUDONYM, person_id) and not re.search(r"\s", person_id):
        return False
    digits = any(map(str.isdigit, person_id))
    if not re.fullmatch(f"{AN_ID}|{SPACED_ID}", person_id):
        return any(map(str.isalpha, person_id))
    return bool(re.search(HOLDS_NAME, person_id)) or (not digits and person_id.upper() != person_id)


WITHHELD = "(id withheld)"
"""Shown for an id that says nothing but perhaps a name."""


def link_case(case_url: str | None, person_id: str) -> str | None:
    """Return the address of a person's case, if the config has one of cases."""
    return case_url and case_url.replace("{person_id}", quote(person_id, safe=""))


def show_id(person_id: str) -> str:
    """Return an id as a message may hold it: without what could be a name."""
    if not may_hold_name(person_id):
        return person_id
    words = [word.strip("./_-") for word in re.findall(WITH_DIGIT, person_id)]
    return words[0] if len(words) == 1 and not may_hold_name(words[0]) else WITHHELD
