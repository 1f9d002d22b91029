"""What was found of the headings and words that a council mapped in its config: which of them match nothing tonight."""

from collections.abc import Iterable, Iterator

from monitor.caseload.rows import Reading
from monitor.catalogue.headings import fold_heading
from monitor.config.list_findings import ListFinding, find_unmatched
from monitor.words import fold_name


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
