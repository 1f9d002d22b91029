"""Prints how a council's files are read: headings, texts, dates, blank columns, rows that are nobody, teams."""

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.caseload.onboarding import HeadingRead, Onboarding, SourceLook, TextRead
from monitor.words import write_count, write_people

WIDTH = 120


def print_onboarding(seen: Onboarding, *, brief: bool = False) -> None:
    """Print everything; ``brief``: only what is still not read."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH, soft_wrap=False)
    for source in seen.sources:
        name = f"{source.source}: " if source.source else ""
        console.print(Text(f"{name}{source.place}, {write_count(source.rows, 'row')} with an id", style="bold"))
        if not brief:
            _print_headings(console, source.headings)
        _print_texts(console, source.unread if brief else source.texts)
        _print_rest(console, source)
    if brief:
        return
    if seen.lacking:
        console.print(Text(f"No heading for: {', '.join(seen.lacking)}", style="yellow"))
    _print_counts(console, "Cells that cannot be read", seen.bad_cells)
    _print_counts(console, "Rows that are nobody", seen.nobody_rows)
    _print_counts(console, "Words for nobody among personal advisers, read as blank", seen.nobody_words)
    if seen.crowded:
        more = write_count(seen.crowded, "name stands", "names stand")
        words = f"{more} for more young people than one adviser has; monitor check names them"
        console.print(Text(words, style="yellow"))
    teams = [(f"{team.team}" + ("" if team.is_known else " (not in the config)"), team.people) for team in seen.teams]
    _print_counts(console, "Teams", teams)
    console.print(f"{write_people(seen.people)} altogether" if not seen.fault else "")


def _print_headings(console: Console, headings: Iterable[HeadingRead]) -> None:
    table = Table("Heading", "Read as", "How", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("filled", justify="right")
    for heading in headings:
        offered = heading.how in ("looks like", "could be either")
        style = "yellow" if offered else "" if heading.column else "dim"
        column = f"perhaps {heading.column}" if offered else heading.column or "-"
        filled = "" if heading.filled is None else str(heading.filled)
        table.add_row(Text(heading.heading), Text(column), heading.how, filled, style=style)
    console.print(table)


def _print_texts(console: Console, texts: Iterable[TextRead]) -> None:
    rows = list(texts)
    if not rows:
        return
    table = Table("Column", "Text", "Read as", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("cells", justify="right")
    for text in rows:
        perhaps = f"not read; looks like {text.suggestion}" if text.suggestion else "not read"
        meaning = f"{text.read_as}  {text.means}" if text.read_as else perhaps
        where = "" if text.text or text.read_as else f" (row {text.first_row})"
        style = "" if text.read_as else "yellow"
        table.add_row(text.column, Text(f"{text.shown}{where}"), Text(meaning), str(text.cells), style=style)
    console.print(table)


def _print_rest(console: Console, source: SourceLook) -> None:
    for dates in source.dates:
        console.print(Text(f"  {dates.column}: {dates.words}", style="" if dates.certain else "yellow"))
    if source.empty:
        console.print(Text(f"  a heading and nothing under it: {', '.join(source.empty)}", style="yellow"))


def _print_counts(console: Console, title: str, counts: Iterable[tuple[str, int]]) -> None:
    rows = list(counts)
    if rows:
        console.print(Text(title, style="bold"))
    for words, number in rows:
        console.print(Text(f"  {number:>5,}  {words}"))
