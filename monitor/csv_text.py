"""Renders rows as CSV, in SQL, so that no spreadsheet runs what they hold."""

from collections.abc import Iterable, Mapping

RUNS = r"^[\s\pZ\pC]*[=+@\x{FF1D}\x{FF0B}\x{FF20}\x{FF0D}-]|^[\t\r\n]"
"""What starts a formula, after whatever a spreadsheet skips; full-width signs count in some editions of Excel."""
DOES_NOT_RUN = r"^\s*[+-]?([0-9]+([.,][0-9]+)*)?$"
PLAIN = "({0} >= 'A' AND {0} < '{{' OR {0} >= '0' AND {0} < ':')"
"""Whether a text begins as most do, with a letter or a digit, and cannot run: told much sooner than by a pattern."""


def csv_heading(columns: Iterable[str]) -> str:
    return "\ufeff" + ",".join(columns) + "\r\n"


def csv_line(kinds: Mapping[str, str]) -> str:
    """The SQL expression for a line of CSV.

    Text that a spreadsheet would run has an apostrophe put in front, which shows that it is text; numbers,
    negative ones too, and a lone sign are left as they are. All text is quoted, so that what it holds starts
    no cell of its own where lists are separated by something other than commas.
    """
    cells = []
    for column, kind in kinds.items():
        value = f'"{column}"'
        if kind != "VARCHAR":
            cells.append(f"CAST({value} AS VARCHAR)")
            continue
        runs = f"regexp_matches({value}, '{RUNS}') AND NOT regexp_matches({value}, '{DOES_NOT_RUN}')"
        opening = f"""WHEN {PLAIN.format(value)} THEN '"' WHEN {runs} THEN '"''' WHEN {value} IS NOT NULL THEN '"'"""
        text = f"""replace(replace({value}, chr(0), ''), '"', '""')"""
        cells.append(f"""CASE {opening} END, {text}, CASE WHEN {value} IS NOT NULL THEN '"' END""")
    # What is NULL adds nothing.
    return "concat(" + ", ',', ".join(cells) + ", chr(13), chr(10))"
