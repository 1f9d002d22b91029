"""A council's own headings and words: which of its config match nothing tonight, and which texts of cells should stand
in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.caseload.rows import Reading
from monitor.catalogue.cells import NOT_A_CODE, NOT_YES_OR_NO
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.headings import fold_heading
from monitor.catalogue.phrases import fold_phrase
from monitor.catalogue.shapes import showable
from monitor.config.list_findings import ListFinding, find_unmatched
from monitor.config.paste_lines import write_line
from monitor.config.source_settings import codes_of
from monitor.words import fold_name, nearest, one_line, write_count
from monitor.workspace import literal


def find_unused(readings: Iterable[Reading]) -> Iterator[ListFinding]:
    """Return what is found of each source's own headings and words; a source without any has no line."""
    for reading in readings:
        own = reading.extract
        if own.own_headings:
            there = {fold_heading(heading) for heading in own.headings}
            entries = [heading for heading in own.own_headings if fold_heading(heading) not in there]
            matched = {fold_name(heading) for heading in own.own_headings if heading not in entries}
            yield find_unmatched(
                f"sources[{own.source}].headings", tuple(own.own_headings), matched, what="are headings of the file"
            )
        for column, words in own.words.items():
            used = {fold_name(text) for name, text in reading.words_used if name == column}
            yield find_unmatched(
                f"sources[{own.source}].words.{column}", tuple(words), used, what="stand in a cell tonight"
            )


@dataclass(frozen=True)
class UnreadText:
    """A text of a column of codes that is read as none of them: what of it may be shown, and in how many cells."""

    source: str
    file: str
    column: str
    shown: str
    cells: int
    first_row: int

    @property
    def place(self) -> str:
        return f"{self.file}: row {self.first_row}"


UNREAD_TEXTS = f"""
    SELECT list(row(source, file, "column", value, cells, first_row) ORDER BY cells DESC, "column", value)
    FROM (
        SELECT source, file, "column", value, count(*) AS cells, min("row") AS first_row FROM unreadable
        WHERE value <> '' AND reason IN ({literal(NOT_A_CODE)}, {literal(NOT_YES_OR_NO)})
        GROUP BY ALL ORDER BY cells DESC LIMIT 500
    )
"""
"""SQL for the texts of ``UnreadText``, as one list."""


def find_unread(texts: Iterable[UnreadText]) -> Iterator[ListFinding]:
    """Return a finding for each text, with the line of the config that would have it read."""
    for text in texts:
        what = f'{text.place}: {text.column}: "{text.shown}" is not read ({write_count(text.cells, "cell")})'
        table = f'[sources.words.{text.column}] of source "{text.source}"'
        if showable(text.shown):
            code = suggest_code(text.column, text.shown) or "CODE"
            known = f" with a code of {', '.join(codes_of(text.column))}" if code == "CODE" else ""
            line = f"{what}; add to {table}: {write_line(text.shown, code)}{known}"
        else:
            line = f"{what}; shown by its shape, since it may hold a name: correct it, or map it in {table}"
        yield ListFinding(
            f"words.{text.column}",
            (one_line(line),),
            is_fault=True,
            state=repr((text.source, text.shown)),
            is_spelling=True,
        )


def suggest_code(column: str, text: str, likeness: float = 0.8) -> str | None:
    """Return the code whose description looks most like a text; never that of somebody homeless or in custody."""
    described = {
        fold_phrase(meaning): code for code, meaning in BY_NAME[column].codes.items() if code not in ("S", "X")
    }
    close = nearest(fold_phrase(text), described, cutoff=likeness)
    return described[close] if close else None
