"""The databases that can ask the rules, and what each of them has to have written in its own way.

A rule is one tree, and a tree is written alike for all of them but for what a ``Dialect`` says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.durations import Duration


@dataclass(frozen=True, eq=False)
class Dialect:
    """How one database has it written; what stands in braces is put in."""

    name: str
    quote: str
    """What stands on both sides of a name."""
    text: str
    small_number: str
    """The types of a text, and of a number from 0 to 127."""
    escapes: Mapping[str, str]
    """What stands in a text for a character that would end it, or be read as something else."""
    day_difference: str
    day_in_words: str
    moved: Mapping[str, str]
    """By unit of a duration, a ``{day}`` moved by ``{count}`` of it; ``{sign}`` is + or -."""
    listed: str
    reason: str
    has_calendar: bool
    """Whether ``derived.create_working_days`` has made ``plus_working_days()``; else its days are written out."""

    def name_of(self, column: str) -> str:
        """Write the name of a column."""
        return f"{self.quote}{column}{self.quote}"

    def text_literal(self, word: str) -> str:
        """Write a text."""
        return f"'{''.join(self.escapes.get(character, character) for character in word)}'"

    def days_between(self, later: str, earlier: str) -> str:
        """Write how many days one day comes after another."""
        return self.day_difference.format(later=later, earlier=earlier)

    def write_in_words(self, day: str) -> str:
        """Write a day as "5 January 2026"."""
        return self.day_in_words.format(day=day)

    def move(self, day: str, sign: str, duration: Duration) -> str:
        """Write the day that lies a duration after another (+), or before it (-); not for working days."""
        return self.moved[duration.unit].format(day=day, sign=sign, count=duration.count, unit=duration.unit)

    def write_list(self, items: Iterable[str]) -> str:
        """Write a list of expressions."""
        return self.listed.format(items=", ".join(items))

    def write_reason(self, column: str, why: str) -> str:
        """Write a column, named by a text, and an expression that says what is wrong with it, as one value."""
        return self.reason.format(column=self.text_literal(column), why=why)


DUCKDB = Dialect(
    name="duckdb",
    quote='"',
    text="VARCHAR",
    small_number="UTINYINT",
    escapes={"'": "''"},
    day_difference="{later} - {earlier}",
    day_in_words="strftime({day}, '%-d %B %Y')",
    # Adding an interval to a DATE gives a TIMESTAMP.
    moved=dict.fromkeys(("day", "week", "month", "year"), "CAST({day} {sign} INTERVAL '{count}' {unit} AS DATE)"),
    listed="[{items}]",
    reason="{{'column': {column}, 'why': {why}}}",
    has_calendar=True,
)
SPARK = Dialect(
    name="spark",
    quote="`",
    text="STRING",
    small_number="TINYINT",
    # "${...}" would stand for a variable of the session, even within a text.
    escapes={"'": r"\'", "\\": r"\\", "$": r"\u0024"},
    day_difference="datediff({later}, {earlier})",
    day_in_words="date_format({day}, 'd MMMM yyyy')",
    moved={
        "day": "date_add({day}, {sign}{count})",
        "week": "date_add({day}, {sign}7 * {count})",
        "month": "add_months({day}, {sign}{count})",
        "year": "add_months({day}, {sign}12 * {count})",
    },
    listed="array({items})",
    reason="named_struct('column', {column}, 'why', {why})",
    has_calendar=False,
)
"""Spark 3.5 and 4, with ANSI on, UTC, and texts with backslashes for escapes, as it has them by itself."""
