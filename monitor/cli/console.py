"""How tables and lines are set in a terminal; what is read by a program or kept in a file has a line for each line."""

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNWRAPPED = 10_000
"""Columns, where nobody looks on: more than any line has."""
COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "data": "dim"}


def open_console() -> Console:
    """Open the output: as wide as the terminal, and without colours or wrapped lines where it is none."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(width=UNWRAPPED, highlight=False)


def make_table(*texts: str, figures: Iterable[str] = (), ids: int = 1) -> Table:
    """Make a table with columns of text, then of figures; the first ``ids`` columns are never broken inside a word."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(texts):
        table.add_column(heading, overflow="fold", no_wrap=number < ids)
    for heading in figures:
        table.add_column(heading, justify="right")
    return table


def print_lines(console: Console, lines: Iterable[object], indent: str = "  ", style: str = "") -> None:
    """Print one line for each, indented."""
    for line in lines:
        console.print(Text(f"{indent}{line}", style=style))


def join_counts(counts: Iterable[tuple[int, str]], between: str) -> str:
    """Return what there is any of, each with its number."""
    return between.join(f"{number:,} {words}" for number, words in counts if number)
