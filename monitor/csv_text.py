"""Renders rows as CSV, in SQL, so that no spreadsheet runs what they hold."""

from collections.abc import Iterable, Mapping

RUNS = r"^[\s\pZ\pC]*[=+@\x{FF1D}\x{FF0B}\x{FF20}\x{FF0D}-]|^[\t\r\n]"
"""What starts a formula, after whatever a spreadsheet skips; full-width signs count in some editions of Excel."""
DOES_NOT_RUN = r"^\s*[+-]?([0-9]+([.,][0-9]+)*)?$"
PLAIN = "(cell >= 'A' AND cell < '{' OR cell >= '0' AND cell < ':')"
"""Whether a text begins as most do, with a letter or a digit, and cannot run: told much sooner than by a pattern."""


def csv_heading(columns: Iterable[str]) -> str:
    return "\ufeff" + ",".join(columns) + "\r\n"


def csv_line(kinds: Mapping[str, str]) -> str:
    """The SQL expression for a line of CSV.

    Text that a spreadsheet would run has an apostrophe put in front, which shows that it is text; numbers,
    negative ones too, and a lone sign are left as they are. All text is quoted, so that what it holds starts
    no cell of its own where lists are separated by something other than commas.
    """
    # One expression for every cell of a row: written out for each column, it takes longer to plan than to run.
    texts = [place for place, kind in enumerate(kinds.values(), start=1) if kind == "VARCHAR"]
    cells = (f'"{column}"' if kind == "VARCHAR" else f'CAST("{column}" AS VARCHAR)' for column, kind in kinds.items())
    runs = f"regexp_matches(cell, '{RUNS}') AND NOT regexp_matches(cell, '{DOES_NOT_RUN}')"
    opening = f"""CASE WHEN {PLAIN} THEN '"' WHEN {runs} THEN '"''' ELSE '"' END"""
    quoted = f"""concat({opening}, replace(replace(cell, chr(0), ''), '"', '""'), '"')"""
    shown = f"CASE WHEN cell IS NULL THEN '' WHEN list_contains({texts}, place) THEN {quoted} ELSE cell END"
    line = f"array_to_string(list_transform([{', '.join(cells)}], lambda cell, place: {shown}), ',')"
    return f"{line} || chr(13) || chr(10)"
