"""How ids are compared where somebody has written them down: case, outer zeros and what a spreadsheet adds aside.

The same in Python and in SQL, since a list is asked of both. Two ids that differ in nothing else may be two people:
who compares decides which way is safe.
"""

import re

from monitor.words import INVISIBLE, MARKS

WIDE = "".join(map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))))
NARROW = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\ufe63"
PLAIN = str.maketrans(WIDE + DASHES, NARROW + "-" * len(DASHES))
"""Letters and digits of double width, and dashes of every length, as a keyboard has them."""

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
