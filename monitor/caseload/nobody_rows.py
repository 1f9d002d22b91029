"""Rows with something under the id's heading that are nobody's: totals, counts, notes, an id and nothing else.

The shape of an id is judged over its whole column: whatever a row with a person's values has for an id is a shape of
ids. So a temporary id beside a birth date is a young person's, and a "Total" beside a count is not. What is taken for
nobody's is listed and counted, and where it may be somebody's all the same, the night is in doubt.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.caseload.rows import ID_ALONE, NOT_AN_ID, UNLIKE_IDS, Reading, place_of
from monitor.catalogue.columns import COLUMNS
from monitor.catalogue.headings import PERSON_ID
from monitor.catalogue.person_ids import is_summary
from monitor.workspace import Workspace

MOST_NOBODIES = 10
HIGHEST_SHARE = 0.1
"""Of more rows than this, unlike the others, it is the column that is in doubt, and every row is kept."""

SHORTEST_NUMBER = 4
"""A number of so many digits, beside a worker's name, is rather an old id than a count."""

SHORTEST_WORD = 3
GLUED = r"[-_./]?((?:[a-z]{{3,}}|[A-Za-z]{{4,}})[-_./]?\d{{{0}}}|\d{{{0}}}[-_./]?(?:[a-z]{{3,}}|[A-Za-z]{{4,}}))"
"""An id of so many digits with a word stuck to it; a few capitals are how a system marks its ids."""


@dataclass(frozen=True)
class IdShape:
    """One shape of the ids of a column, how many rows have it, and how many of those hold what is a person's.

    ``kind``: digits, mixed (letters or marks beside digits) or words. ``variable``: whether another spelling of the
    same id could stand in the column: zeros before it, letters, marks. ``alone``: rows with an id and nothing else.
    ``totals``: rows that say that they are a total, and hold nothing of a person.
    """

    kind: str
    length: int
    variable: bool
    rows: int
    personal: int
    alone: int
    totals: int


@dataclass(frozen=True)
class OddRow:
    """A row that may be nobody's, and what stands in it: a code, a date, somebody's name, anything at all, a total.

    ``glued``: a word, perhaps a name, and what is an id by itself in this column, without a gap between.
    """

    number: int
    person_id: str
    kind: str
    coded: bool
    dated: bool
    named: bool
    alone: bool
    total: bool
    glued: bool = False


def find_id_length(shapes: Sequence[IdShape]) -> int | None:
    """Return how many digits an id of this column has, where nearly all have as many and nothing but digits."""
    rows = sum(shape.rows for shape in shapes)
    usual = max((shape for shape in shapes if shape.kind == "digits"), key=lambda shape: shape.rows, default=None)
    if usual is None or usual.length < SHORTEST_NUMBER or rows - usual.rows > max(1, HIGHEST_SHARE * rows):
        return None
    return usual.length


def find_strange(shapes: Sequence[IdShape]) -> frozenset[tuple[str, int]]:
    """Return the shapes that no person's id has: words beside ids with digits, and what no personal row has."""
    rows = sum(shape.rows for shape in shapes)
    words = sum(shape.rows for shape in shapes if shape.kind == "words")
    if not any(shape.personal for shape in shapes):
        return frozenset()
    strange = [
        shape
        for shape in shapes
        if (shape.kind == "words" and 2 * words < rows) or (shape.kind != "words" and not shape.personal)
    ]
    if sum(shape.rows for shape in strange) > max(MOST_NOBODIES, HIGHEST_SHARE * rows):
        strange = [shape for shape in strange if shape.kind == "words"]
    return frozenset((shape.kind, shape.length) for shape in strange)


def has_few_alone(shapes: Sequence[IdShape]) -> bool:
    """Return whether a few rows have an id and nothing else: of many, it is the columns that are in doubt."""
    rows, alone = sum(shape.rows for shape in shapes), sum(shape.alone for shape in shapes)
    return 0 < alone < rows and alone <= max(MOST_NOBODIES, HIGHEST_SHARE * rows)


def explain(row: OddRow, *, strange: bool) -> str | None:
    """Return why the row is nobody's, or cannot be told whose it is; None for a person's."""
    summary = is_summary(row.person_id)
    if row.total:
        return UNLIKE_IDS
    if row.glued:
        return NOT_AN_ID
    if not strange:
        return ID_ALONE if row.alone else None
    if row.kind == "words":
        return NOT_AN_ID if row.coded or (row.dated and not summary) else UNLIKE_IDS
    if row.named and (row.kind == "mixed" or len(row.person_id) >= SHORTEST_NUMBER):
        return None
    return ID_ALONE if row.alone else UNLIKE_IDS


@dataclass(frozen=True)
class TypedRows:
    """What a reading's typed table holds: the shapes of its ids, how many people, and how many cells of each column.

    ``extract_rows``: how many rows its extract has, of which some cannot be used.
    """

    shapes: tuple[IdShape, ...]
    extract_rows: int
    people: int
    filled: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(shape.rows for shape in self.shapes)


def look_over(workspace: Workspace, reading: Reading) -> TypedRows:
    """Count what the reading's typed table holds, in one statement."""
    names = sorted(reading.positions.keys() - {PERSON_ID})
    filled = "".join(
        f', count("{name}")' + (f' + count("{name}_gap")' if name in reading.faulty else "") for name in names
    )
    found = workspace.execute(
        f"""
        SELECT (SELECT count(*) FROM "{reading.extract.table}"),
            (SELECT count(DISTINCT person_id) FROM {reading.typed}),
            kind, length(person_id), variable, count(*), count(*) FILTER (coded OR dated),
            count(*) FILTER (alone), count(*) FILTER (total){filled}
        FROM ({_facts(reading)}) GROUP BY ALL
        """
    ).fetchall()
    counts = [sum(figures) for figures in zip(*(row[9:] for row in found), strict=True)] or [0] * len(names)
    shapes = tuple(IdShape(*row[2:9]) for row in found)
    extract_rows, people = found[0][:2] if found else (0, 0)
    return TypedRows(shapes, extract_rows, people, dict(zip(names, counts, strict=True)))


def set_aside(workspace: Workspace, reading: Reading, shapes: Sequence[IdShape], elsewhere: str | None) -> int:
    """Take the rows that are nobody's out of the reading's typed table, and list them; how many.

    ``elsewhere``: a query for the ids that stand in other sources, which are somebody's though nothing stands beside
    them here.
    """
    strange = find_strange(shapes)
    if reading.extract.role == "detail":
        strange = frozenset(shape for shape in strange if shape[0] == "words")
    few = reading.extract.role == "detail" or len(reading.positions) <= FEW_COLUMNS
    keeps_alone = few or not has_few_alone(shapes)
    length = find_id_length(shapes)
    mixed = [shape.length for shape in shapes if shape.kind == "mixed"]
    has_glued = length is not None and max(mixed, default=0) >= length + SHORTEST_WORD
    if not strange and keeps_alone and not has_glued and not any(shape.totals for shape in shapes):
        return 0
    pairs = ", ".join(f"('{kind}', {length})" for kind, length in sorted(strange))
    is_strange = f"(kind, length(person_id)) IN ({pairs})" if pairs else "false"
    known = f"person_id IN ({elsewhere})" if elsewhere else "false"
    alone = "false" if keeps_alone else f"alone AND NOT ({known})"
    glued = f"regexp_full_match(person_id, '{GLUED.format(length)}')" if has_glued else "false"
    rows = workspace.execute(
        f"""
        SELECT {is_strange}, "row", person_id, kind, coded, dated, named, {alone}, total, {glued}
        FROM ({_facts(reading)}) WHERE {is_strange} OR total OR ({alone}) OR {glued} ORDER BY "row"
        """
    ).fetchall()
    reasons = {row[1]: explain(OddRow(*row[1:]), strange=row[0]) for row in rows}
    found = {number: reason for number, reason in reasons.items() if reason is not None}
    if not found:
        return 0
    workspace.execute(
        "INSERT INTO unreadable SELECT $source, $file, $sheet, unnest($rows::BIGINT[]), '', "
        "unnest($reasons::VARCHAR[]), ''",
        place_of(reading) | {"rows": list(found), "reasons": list(found.values())},
    )
    workspace.execute(f'DELETE FROM {reading.typed} WHERE "row" IN (SELECT unnest($1::BIGINT[]))', [list(found)])
    return len(found)


FEW_COLUMNS = 3
"""A list of fewer columns beside the id may well have nothing to say of somebody."""

TOTALLED = ("allocated_team", "allocated_worker", "personal_adviser")
"""Where a spreadsheet that makes subtotals writes "North Total"."""

DIGITS = "regexp_full_match(person_id, '[0-9]+')"


def _facts(reading: Reading) -> str:
    """SQL for each typed row's id, its kind, and whether a code, a date, a name or anything stands beside it."""
    supplied = reading.supplied
    of_kind = {
        kind: [column.name for column in COLUMNS if column.kind == kind and column.name in supplied]
        for kind in ("code", "date", "yes_no", "number", "text")
    }
    names = [name for name in of_kind["text"] if name in ("personal_adviser", "allocated_worker")]
    coded = _any(f"{name} <> '0'" for name in of_kind["code"])
    dated = _any(f"{name} IS NOT NULL" for name in of_kind["date"])
    named = _any(f"regexp_matches({name}, '[A-Za-z]')" for name in names)
    others = [f"{name} IS NOT NULL" for name in (*of_kind["text"], *of_kind["number"])]
    others += [f"coalesce({name}, false)" for name in of_kind["yes_no"]]
    others += [f"{name}_gap = 'unreadable'" for name in sorted(reading.faulty - {PERSON_ID})]
    totals = _any(f"contains(lower({name}), 'total')" for name in of_kind["text"] if name in TOTALLED)
    return f"""
        SELECT *, CASE WHEN coded OR dated THEN false ELSE coalesce({totals}, false) END AS total FROM (
        SELECT *,
            CASE WHEN {DIGITS} THEN 'digits' WHEN regexp_matches(person_id, '[0-9]') THEN 'mixed' ELSE 'words' END
                AS kind,
            starts_with(person_id, '0') OR NOT {DIGITS} AS variable,
            coalesce({coded}, false) AS coded, {dated} AS dated, coalesce({named}, false) AS named,
            NOT coalesce(died OR coded OR dated OR {_any(others)}, false) AS alone
        FROM {reading.typed}
        )"""


def _any(tests: Iterable[str]) -> str:
    return f"({' OR '.join(tests) or 'false'})"
