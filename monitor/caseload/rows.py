"""Rows of an extract, typed: what each cell means, which rows cannot be used, and one row per person.

Everything that is not used is listed in ``unreadable`` with its place and reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.catalogue import cells
from monitor.catalogue.broken_cells import BROKEN, BROKEN_BECAUSE
from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.catalogue.date_orders import DateOrder
from monitor.catalogue.headings import PERSON_ID
from monitor.catalogue.no_adviser import NO_TEXTS, AdviserTexts
from monitor.catalogue.person_ids import SUMMARY, bare_id_sql, chosen_id_sql
from monitor.errors import SourceError
from monitor.sources.extract import Extract
from monitor.words import fold_name
from monitor.workspace import Workspace, fetch, literal

UNREADABLE = "'unreadable'"
NOT_SUPPLIED = "'not supplied'"

PLACEHOLDER = "not the name of a personal adviser; read as blank"
CONTRADICTION = "contradicts the suitability given with the type of accommodation"
NO_ID = "no id, so it cannot be told whose row this is"
ROUNDED_ID = "the id was turned into a rounded number by a spreadsheet; export ids as text"
HEADINGS_AGAIN = "the headings again"
NOT_A_PERSON = "not a person's row"
"""How each reason begins why a row is nobody's."""
A_REMARK = f"{NOT_A_PERSON}: text under the id's heading and nothing else"
ID_ALONE = f"{NOT_A_PERSON}: an id and nothing else"
UNLIKE_IDS = f"{NOT_A_PERSON}: unlike the ids of this column, with nothing beside it that is a person's"
NOT_AN_ID = (
    "a young person's values beside what is no id, or more than one, so it cannot be told whose row this is; "
    "give the id as the case system has it"
)


@dataclass
class Reading:
    """One extract on its way: where its columns are and what each one's texts mean."""

    number: int
    extract: Extract
    positions: dict[str, int]
    extra: tuple[str, ...]
    rows: int = 0
    """How many can be used."""
    empty: frozenset[str] = frozenset()
    """The columns that have a heading and nothing under it."""
    left_out: frozenset[str] = frozenset()
    """Those of them that count as not supplied."""
    faulty: set[str] = field(default_factory=set)
    says_died: set[str] = field(default_factory=set)
    splits_accommodation: bool = False
    repeats: bool = False
    words_used: frozenset[tuple[str, str]] = frozenset()
    """Those of the council's own words, folded by column, that stand in a cell."""
    id_shapes: frozenset[tuple[str, int, bool]] = frozenset()
    """The kinds and lengths of its ids, and whether one could be spelt otherwise."""
    teams: frozenset[str] = frozenset()
    """Folded, the teams that its cells name."""
    advisers: AdviserTexts = NO_TEXTS
    orders: Mapping[str, DateOrder] = field(default_factory=dict)
    """How each column of dates is read whose order had to be judged."""

    @property
    def supplied(self) -> set[str]:
        split = {"accommodation_suitable"} if self.splits_accommodation else set()
        return (self.positions.keys() - {PERSON_ID}) | split

    @property
    def typed(self) -> str:
        """Return the workspace table of its rows once they are typed, with the columns it supplies and no others."""
        return f"typed_{self.number}"

    @property
    def meaning(self) -> str:
        """Return the workspace table of what its texts mean."""
        return f"meaning_{self.number}"

    @property
    def place(self) -> str:
        sheet = f': sheet "{self.extract.sheet}"' if self.extract.sheet else ""
        return f"{self.extract.file}{sheet}"


def read_texts(workspace: Workspace, reading: Reading, beside: cells.ReadBeside) -> None:
    """Make the reading's ``meaning`` table, and note of each column what its texts hold.

    Raises ``SourceError`` where a column of dates does not fit the order that the config says.
    """
    positions = {name: position for name, position in reading.positions.items() if name != PERSON_ID}
    extract = reading.extract
    listed_on = extract.declared_on or extract.modified_on or beside.as_at
    beside = replace(beside, words=extract.words, known_on=min(listed_on, beside.as_at), date_order=extract.date_order)
    if extract.kind.startswith("ssd-"):
        beside = replace(beside, advisers=replace(beside.advisers, numbered=True))
    found = cells.read_cells(workspace, reading.meaning, positions, extract.table, beside)
    reading.advisers, reading.words_used = found.advisers, found.own_words
    reading.faulty = {name for name, column in found.columns.items() if column.faulty}
    reading.says_died = {name for name, column in found.columns.items() if column.died}
    reading.splits_accommodation = any(column.suits for column in found.columns.values())
    reading.teams = frozenset(fold_name(team) for column in found.columns.values() for team in column.teams if team)
    reading.orders = {name: column.order for name, column in found.columns.items() if column.order}
    for name, order in reading.orders.items():
        if order.contradicts:
            raise SourceError(f"{reading.place}: {name}: {order.evidence}; correct date_order, or take it out")


# Rows

WHITE = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(65279)"
FILLER = ("-", "0", "0.0", "00:00:00", "00/01/1900", "01/01/1900", "1900-01-01")
"""What formulas that were filled down past the last person leave in a cell."""

PLAIN_ID = "length(t) > 1 AND regexp_full_match(t, '[A-Za-z]{0,3}[0-9]+')"
"""How nearly every id is written; the further tests are for the rest."""

CLEAN = "left({0}, 1) BETWEEN '0' AND 'z' AND right({0}, 1) BETWEEN '0' AND 'z'"
"""Whether there is surely no white space around a text; to look at both ends is far cheaper than to trim."""

ROUNDED = r"regexp_full_match(t, '\d\.\d+[Ee]\+?\d+|\d[Ee]\+\d+')"


def _rows(reading: Reading, table: str | None = None) -> str:
    """SQL for an extract's rows, or those in ``table``, with ``person_id``, NULL in a row that cannot be used."""
    position = reading.positions[PERSON_ID]
    others = ", ".join(f"c{n}" for n in sorted(reading.positions.values()) if n != position)
    cell = f"c{position}"
    # A number cell reaches a csv file as 12345.0. A line of notes beneath the list is not a person.
    return f"""
        SELECT
            *,
            CASE
                WHEN fault IS NOT NULL OR t IS NULL THEN NULL
                WHEN {PLAIN_ID} THEN t
                WHEN {cells.BLANK} OR {BROKEN} OR {ROUNDED} OR t IN ('0', '0.0') THEN NULL
                WHEN lower(t) = $id_heading OR contains(t, chr(0)) THEN NULL
                WHEN contains(t, ' ') AND coalesce({others}) IS NULL THEN NULL
                ELSE {chosen_id_sql("bare")}
            END AS person_id
        FROM (
            SELECT *, CASE WHEN NOT ({PLAIN_ID}) THEN {bare_id_sql("t")} END AS bare
            FROM (
                SELECT *, CASE WHEN {CLEAN.format(cell)} THEN {cell} ELSE trim({cell}, {WHITE}) END AS t
                FROM "{table or reading.extract.table}"
            )
        )"""


def has_person(workspace: Workspace, reading: Reading, person_id: str) -> bool:
    """Return whether a row of the extract, as it was read, is this person's."""
    query = f"SELECT count(*) FROM ({_rows(reading)}) WHERE person_id = $person_id"
    return workspace.execute(query, {"person_id": person_id, **_id_heading(reading)}).fetchall() != [(0,)]


def _id_heading(reading: Reading) -> dict[str, str]:
    return {"id_heading": reading.extract.headings[reading.positions[PERSON_ID]].strip().lower()}


def list_unusable_rows(workspace: Workspace, reading: Reading) -> int:
    """List the rows that say something and are not in the reading's typed table; how many."""
    listed = ", ".join(f"'{text}'" for text in FILLER)
    filler = " AND ".join(
        f"(c{n} IS NULL OR trim(c{n}, {WHITE}) IN ('', {listed}))" for n in sorted(reading.positions.values())
    )
    kinds = {name: BY_NAME[name].kind for name in reading.positions if name != PERSON_ID}
    telling = {name: reading.positions[name] for name, kind in kinds.items() if kind in ("date", "code")}
    said = {name: f"coalesce({cells.value_of(name)}::VARCHAR, '0') <> '0'" for name in telling}
    coded = " OR ".join(test for name, test in said.items() if kinds[name] == "code") or "false"
    dated = " OR ".join(test for name, test in said.items() if kinds[name] == "date") or "false"
    personal = f"({coded}) OR ({dated}) AND NOT regexp_matches(t, '{SUMMARY}')"
    others = ", ".join(f"c{reading.positions[name]}" for name in kinds)
    joined = cells.join_meanings(reading.meaning, telling)
    # Kept apart first: asked of every row together, the dearer tests would come first.
    (count,) = workspace.execute(
        f"""
        INSERT INTO unreadable
        WITH unread AS MATERIALIZED (SELECT * FROM "{reading.extract.table}" ANTI JOIN {reading.typed} USING ("row")),
        unusable AS MATERIALIZED (SELECT * FROM ({_rows(reading, "unread")}) WHERE person_id IS NULL)
        SELECT $source, $file, $sheet, "row", '',
            CASE
                WHEN r.fault IS NOT NULL THEN r.fault
                WHEN {BROKEN} THEN 'no id: ' || {BROKEN_BECAUSE}
                WHEN {ROUNDED} THEN $rounded
                WHEN lower(t) = $id_heading THEN $again
                WHEN t IS NULL OR {cells.BLANK} OR t IN ('0', '0.0') OR contains(t, chr(0))
                    THEN $no_id
                WHEN coalesce({others}) IS NULL THEN $remark
                WHEN {personal} THEN $not_an_id
                ELSE $unlike
            END, ''
        FROM unusable AS r {joined}
        WHERE r.fault IS NOT NULL OR NOT ({filler})
        ORDER BY "row"
        """,
        place_of(reading)
        | _id_heading(reading)
        | {
            "rounded": ROUNDED_ID,
            "again": HEADINGS_AGAIN,
            "remark": A_REMARK,
            "no_id": NO_ID,
            "not_an_id": NOT_AN_ID,
            "unlike": UNLIKE_IDS,
        },
    ).fetchall()[0]
    return int(count)


def place_of(reading: Reading) -> dict[str, str | None]:
    extract = reading.extract
    return {"source": extract.source, "file": extract.file, "sheet": extract.sheet}


def type_usable_rows(workspace: Workspace, reading: Reading) -> int:
    """Make the reading's ``typed`` table, a row for each usable row of the extract; how many."""
    made = f"CREATE OR REPLACE TABLE {reading.typed} AS {_typed(reading)}"
    return int(workspace.execute(made, _id_heading(reading)).fetchall()[0][0])


def note_empty(reading: Reading, filled: Mapping[str, int]) -> None:
    """Note which columns of the typed table have nothing under their heading; ``filled``: cells by column."""
    empty = {name for name, cells_filled in filled.items() if not cells_filled}
    # A word for nobody under an adviser's heading is something: it says that there is none.
    reading.empty = frozenset(empty - reading.says_died - ({"personal_adviser"} if reading.advisers.nobody else set()))


def leave_out(workspace: Workspace, reading: Reading) -> None:
    """Take out the columns that count as not supplied while nothing stands under their headings."""
    reading.left_out = (reading.empty & reading.extract.left_out) - set(reading.extract.blank_means_none)
    for name in sorted(reading.left_out):
        workspace.execute(f'ALTER TABLE {reading.typed} DROP COLUMN "{name}"')
        workspace.execute(f'ALTER TABLE {reading.typed} DROP COLUMN IF EXISTS "{name}_gap"')
        del reading.positions[name]
    reading.faulty -= reading.left_out


def explain_unusable(reading: Reading, unusable: int) -> SourceError:
    """Return why an extract without a usable row cannot be used; ``unusable``: how many of its rows say something."""
    if not unusable:
        return SourceError(f"{reading.place}: no rows beneath the headings; export the list again")
    heading = reading.extract.headings[reading.positions[PERSON_ID]]
    return SourceError(
        f'{reading.place}: no id that can be read in any row under "{heading}"; export the list with its ids'
    )


def _typed(reading: Reading) -> str:
    supplied = {name: position for name, position in reading.positions.items() if name != PERSON_ID}
    columns = []
    for column in COLUMNS:
        name = column.name
        if name == "accommodation_suitable" and reading.splits_accommodation:
            columns += _suitability(reading)
        elif name in supplied:
            value = cells.value_of(name)
            if name == "personal_adviser" and reading.advisers.own_team:
                value = f"CASE WHEN NOT {_own_team(reading)} THEN {value} END"
            columns.append(f'{value} AS "{name}"')
            if name in reading.faulty:
                columns.append(f'CASE WHEN "{name}".fault IS NOT NULL THEN {UNREADABLE} END AS "{name}_gap"')
    died = " OR ".join(f'coalesce("{name}".died, false)' for name in sorted(reading.says_died)) or "false"
    return f"""
        SELECT {reading.number}::UTINYINT AS extract, "row", person_id, {died} AS died,
            {", ".join(columns)}
        FROM ({_rows(reading)}) AS r
        {cells.join_meanings(reading.meaning, supplied)}
        WHERE person_id IS NOT NULL"""


def _own_team(reading: Reading) -> str:
    """SQL for whether the adviser's cell of row ``r`` names the person's own team."""
    pairs = ", ".join(f"({literal(text)}, {literal(team)})" for text, team in reading.advisers.own_team)
    adviser, team = (reading.positions.get(name) for name in ("personal_adviser", "allocated_team"))
    return f"coalesce((r.c{adviser}, r.c{team}) IN ({pairs}), false)" if pairs else "false"


def _suitability(reading: Reading) -> list[str]:
    """The cell's own suitability, else the one that SSDA903's digit gives with the accommodation (S2)."""
    if "accommodation_suitable" not in reading.positions:
        gap = f"CASE WHEN accommodation.suitable IS NULL THEN {NOT_SUPPLIED} END"
        return ["accommodation.suitable AS accommodation_suitable", f"{gap} AS accommodation_suitable_gap"]
    faulty = (
        "(accommodation_suitable.fault IS NOT NULL "
        "OR coalesce(accommodation_suitable.yes <> accommodation.suitable, false))"
    )
    value = "coalesce(accommodation_suitable.yes, accommodation.suitable)"
    return [
        f"CASE WHEN NOT {faulty} THEN {value} END AS accommodation_suitable",
        f"CASE WHEN {faulty} THEN {UNREADABLE} END AS accommodation_suitable_gap",
    ]


# Cells that cannot be read


def list_cells(workspace: Workspace, reading: Reading) -> None:
    """List each cell that cannot be read, is no adviser's name, or contradicts the accommodation's suitability."""
    selects: list[str] = []
    for name in reading.positions:
        if name in reading.faulty:
            selects.append(_select_cells(reading, name, "m.fault IS NOT NULL", "m.fault, m.shown"))
        if name == "personal_adviser":
            nobody = f"(m.placeholder OR {_own_team(reading)})"
            shown = f"coalesce(nullif(m.shown, ''), left(m.value, {cells.LONGEST_SHOWN}))"
            selects.append(_select_cells(reading, name, nobody, f"'{PLACEHOLDER}', {shown}"))
    name = "accommodation_suitable"
    if reading.splits_accommodation and name in reading.positions:
        cell = f"r.c{reading.positions['accommodation']}"
        digit = f"SELECT suitable FROM {reading.meaning} WHERE \"column\" = 'accommodation' AND text = {cell}"
        selects.append(_select_cells(reading, name, f"m.yes <> ({digit})", f"'{CONTRADICTION}', ''"))
    if selects:
        placed = " UNION ALL ".join(f"SELECT {place} AS place, * FROM ({one})" for place, one in enumerate(selects))
        workspace.execute(
            f"""
            INSERT INTO unreadable
            SELECT $source, $file, $sheet, * EXCLUDE (place) FROM ({placed}) ORDER BY place, "row"
            """,
            place_of(reading),
        )


def _select_cells(reading: Reading, name: str, where: str, reason: str) -> str:
    """SQL for the column's cells whose meaning ``m`` is as ``where`` says, with the reason and what is shown (SQL)."""
    return f"""
        SELECT r."row", '{name}', {reason}
        FROM "{reading.extract.table}" AS r SEMI JOIN {reading.typed} USING ("row")
        JOIN {reading.meaning} AS m ON m."column" = '{name}' AND m.text = r.c{reading.positions[name]}
        WHERE {where}
    """


def count_texts(workspace: Workspace, reading: Reading) -> list[tuple[Any, ...]]:
    """Return every distinct text of each column of codes: column, text, cells, first row, value, yes or no, fault.

    After ``read_texts``, and before the reading's tables are dropped.
    """
    coded = [name for name in reading.positions if name != PERSON_ID and BY_NAME[name].kind in ("code", "yes_no")]
    selects = (
        f"""
        SELECT '{name}', m.text, count(*) AS cells, min(r."row"), any_value(m.value), any_value(m.yes),
            any_value(m.fault)
        FROM ({_rows(reading)}) AS r
        JOIN {reading.meaning} AS m ON m."column" = '{name}' AND m.text = r.c{reading.positions[name]}
        WHERE r.person_id IS NOT NULL GROUP BY m.text
        """
        for name in coded
    )
    query = " UNION ALL ".join(selects)
    return workspace.execute(f"{query} ORDER BY 1, 3 DESC, 2", _id_heading(reading)).fetchall() if coded else []


def count_filled(workspace: Workspace, reading: Reading) -> tuple[int, dict[str, int]]:
    """Return how many rows of people the extract has, and in how many of them each column says something."""
    named = {name: position for name, position in reading.positions.items() if name != PERSON_ID}
    counts = ", ".join(f"count(nullif(trim(c{position}, {WHITE}), ''))" for position in named.values())
    found = workspace.execute(
        f"SELECT count(*), {counts} FROM ({_rows(reading)}) WHERE person_id IS NOT NULL", _id_heading(reading)
    ).fetchall()[0]
    return found[0], dict(zip(named, found[1:], strict=True))


def refuse_before_birth(workspace: Workspace, reading: Reading, births: str | None = None) -> None:
    """Make unreadable the dates of what happened that are before the birth.

    The birth date is the row's own, or where ``births`` is given, the person's in that table.
    """
    present = reading.supplied
    dates = [column.name for column in COLUMNS if column.records_past and column.name in present - {"date_of_birth"}]
    if not dates or (births is None and "date_of_birth" not in present):
        return
    born, joined = "t.date_of_birth", ""
    if births is not None:
        born, joined = "b.date_of_birth", f"JOIN {births} AS b USING (person_id)"
    rows = f'SELECT t."row", {born} AS born, {", ".join(dates)} FROM {reading.typed} AS t {joined}'
    found = fetch(workspace, f"SELECT {', '.join(f'bool_or({name} < born) AS {name}' for name in dates)} FROM ({rows})")
    for name, any_before in found[0].items():
        if any_before:
            workspace.execute(
                f'CREATE OR REPLACE TEMP TABLE too_early AS SELECT "row" FROM ({rows}) WHERE {name} < born'
            )
            workspace.execute(
                "INSERT INTO unreadable "
                f"SELECT $source, $file, $sheet, \"row\", '{name}', '{cells.BEFORE_BIRTH}', '' "
                'FROM too_early ORDER BY "row"',
                place_of(reading),
            )
            workspace.execute(f"ALTER TABLE {reading.typed} ADD COLUMN IF NOT EXISTS {name}_gap VARCHAR")
            workspace.execute(
                f"UPDATE {reading.typed} SET {name} = NULL, {name}_gap = {UNREADABLE} "
                'WHERE "row" IN (SELECT "row" FROM too_early)'
            )
            workspace.execute("DROP TABLE too_early")


def name_source(readings: Sequence[Reading]) -> str:
    """Return SQL for the name of a row's source, by its number in column ``extract``."""
    names = " ".join(f"WHEN {reading.number} THEN {literal(reading.extract.source)}" for reading in readings)
    return f"CASE extract {names} END" if readings else "NULL::VARCHAR"
