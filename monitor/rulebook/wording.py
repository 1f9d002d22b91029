"""A rule's ``because`` once checked: a sentence with values in it, written as one SQL expression."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.catalogue import columns
from monitor.catalogue.dialects import DUCKDB, Dialect
from monitor.durations import Limit, words
from monitor.rulebook.names import CODES, TYPES

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Placeholder:
    """One value in the sentence: ``{{ name | filter }}``."""

    name: str
    filter: str | None = None


@dataclass(frozen=True)
class Wording:
    """A checked sentence: plain text and placeholders, in order."""

    text: str
    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts if isinstance(part, Placeholder))


def compile_wording(wording: Wording, limits: Mapping[str, Limit], *, dialect: Dialect = DUCKDB) -> str:
    """Return the sentence as one SQL expression over the caseload and ``due_on``: a text that is never NULL."""
    parts = [
        dialect.text_literal(part) if isinstance(part, str) else _compile(part, limits, dialect)
        for part in wording.parts
    ]
    return f"concat({', '.join(parts)})"


def _compile(placeholder: Placeholder, limits: Mapping[str, Limit], dialect: Dialect) -> str:
    literal = dialect.text_literal
    if placeholder.name in limits:
        return literal(words(limits[placeholder.name]))
    if placeholder.name == "due_on":
        return f"coalesce({dialect.write_in_words(dialect.name_of(placeholder.name))}, '{NOT_RECORDED}')"
    column = dialect.name_of(placeholder.name)
    value = f"CAST({column} AS {dialect.text})"
    if placeholder.filter == "date":
        value = dialect.write_in_words(column)
    elif placeholder.filter == "meaning":
        # A meaning begins with a capital only for its table; in a sentence it does not.
        meanings = " ".join(
            f"WHEN {literal(code)} THEN {literal(meaning[:1].lower() + meaning[1:])}"
            for code, meaning in CODES[placeholder.name].items()
        )
        value = f"CASE {column} {meanings} ELSE {column} END"
    elif TYPES[placeholder.name] == "BOOLEAN":
        value = f"CASE WHEN {column} THEN 'yes' WHEN NOT {column} THEN 'no' END"
    # A cell nobody could read is not the same as one nobody filled in.
    gap = f"{dialect.name_of(f'{placeholder.name}_gap')}, " if placeholder.name in columns.BY_NAME else ""
    return f"coalesce({value}, {gap}'{NOT_RECORDED}')"
