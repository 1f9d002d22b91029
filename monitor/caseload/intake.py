"""All the config's sources into one caseload: one typed row for each person, and what could not be read.

A cell is a value, blank, unreadable or not supplied: the column holds the value or NULL, and ``<name>_gap``
beside it says 'unreadable' or 'not supplied'. Columns that are the same for everyone are generated, so that
a million people cost nothing for what no source supplies.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from monitor.caseload import joining, nobody_rows
from monitor.caseload.adviser_names import (
    AdviserLoad,
    CouncilNames,
    describe_crowded,
    find_crowded,
    know_teams,
    leave_out_known,
)
from monitor.caseload.id_spellings import TWO_SPELLINGS, describe_spellings, list_spellings
from monitor.caseload.list_matches import NO_LISTS, IdLists, find_names
from monitor.caseload.own_words import UNREAD_TEXTS, UnreadText, find_unread, find_unused
from monitor.caseload.repeated_rows import collapse
from monitor.caseload.rows import (
    NOT_A_PERSON,
    NOT_AN_ID,
    NOT_SUPPLIED,
    PLACEHOLDER,
    Reading,
    explain_unusable,
    has_person,
    leave_out,
    list_cells,
    list_unusable_rows,
    name_source,
    note_empty,
    read_texts,
    refuse_before_birth,
    type_usable_rows,
)
from monitor.catalogue import cells
from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.catalogue.date_orders import DateOrder
from monitor.catalogue.derived import birthday_sql
from monitor.catalogue.headings import PERSON_ID, UnmatchedHeadings, find_near_misses
from monitor.catalogue.no_adviser import fold_adviser
from monitor.config.list_findings import ListFinding, count_names
from monitor.config.paste_lines import write_line
from monitor.config.settings import Config
from monitor.errors import Problems, SourceError
from monitor.sources import care_history
from monitor.sources.care_history import COLUMNS_SUPPLIED, CareHistory
from monitor.sources.extract import Extract, SourceContext
from monitor.sources.read import read_source
from monitor.words import one_line, write_count, write_people
from monitor.workspace import Workspace, drop_tables, number_of, step, suit

NOTED_HEADINGS = 20
IN_UNREADABLE = "listed in unreadable.csv"


@dataclass(frozen=True)
class Intake:
    """What the night's extracts held, in counts and plain lines."""

    people: int
    rows: int
    unreadable_rows: int
    unreadable_cells: int
    conflicts: int
    duplicates: int
    placeholder_advisers: int
    supplied: frozenset[str]
    notes: tuple[str, ...]
    fingerprint: str
    teams: frozenset[str] = frozenset()
    placeholders: frozenset[str] = frozenset()
    """Both folded: the teams' names in the extracts, and what stands where an adviser's name should."""
    nobodies: int = 0
    """Rows that are no person's: totals, notes, an id and nothing else."""
    doubts: tuple[str, ...] = ()
    """What makes it doubtful who some of the people are, each with what would be right."""
    somebody: frozenset[str] = frozenset()
    """Folded names of ``is_an_adviser`` that occur."""
    nobody: tuple[tuple[str, int], ...] = ()
    """What stands where an adviser's name should, and in how many cells, the most first."""
    crowded: tuple[AdviserLoad, ...] = ()
    """Advisers with more people than the cap, or in three teams or more: perhaps no one person's name."""
    lists: tuple[ListFinding, ...] = ()
    """What was found of the config's lists of names and codes."""
    orders: Mapping[str, Mapping[str, DateOrder]] = field(default_factory=dict)
    """By source, how each column of dates is read whose order had to be judged."""
    empty: tuple["EmptyColumn", ...] = ()


@dataclass(frozen=True)
class EmptyColumn:
    """A column of one source with a heading and nothing under it in any of its ``rows``.

    ``left_out``: it counts as not supplied, since somebody has said so.
    """

    source: str
    column: str
    heading: str
    rows: int
    left_out: bool = False


@dataclass(frozen=True)
class SourcesRead:
    """What the config's sources hold, as text: the extracts in their order, and the care history if one is named."""

    extracts: tuple[Extract, ...]
    care: CareHistory | None


@dataclass(frozen=True)
class CaseloadRead(SourcesRead):
    """The sources read and typed. ``ids``: how the lists of ids meet them and the roster, once that is there."""

    intake: Intake
    ids: IdLists = NO_LISTS


@step(makes=("typed", "tonight", "unreadable"))
def read_caseload(workspace: Workspace, config: Config, context: SourceContext) -> CaseloadRead:
    """Read and type every source of the config; make ``tonight``, ``unreadable`` and what ``type_rows`` makes beside.

    With a care history also ``care_history``. Call it before ``lock_down``. Raises ``SourceError`` naming place and
    remedy.
    """
    sources = read_sources(workspace, config, context)
    suit(workspace, [extract.table for extract in sources.extracts])
    context.say("Checking every cell")
    names = CouncilNames(config.not_an_adviser, config.team_names, config.is_an_adviser, config.measures.adviser_cap)
    intake = type_rows(workspace, sources.extracts, as_at=context.as_at, names=names, care=sources.care)
    found = find_names(config, teams=intake.teams, nobody=intake.placeholders, somebody=intake.somebody)
    crowded = describe_crowded(intake.crowded, names.adviser_cap)
    intake = replace(intake, lists=(*intake.lists, *found, *crowded))
    if sources.care:
        intake = _compare_care(workspace, sources.care, intake)
    return CaseloadRead(tuple(_add_made(extract, intake) for extract in sources.extracts), sources.care, intake)


def _list_settings(extract: Extract) -> list[str]:
    """What the config says of how the source is read, as far as the same texts come out otherwise by it."""
    never = (f"{name}=never" for name in sorted(extract.blank_means_none))
    return [*sorted(extract.prefer), *never, *([extract.date_order] if extract.date_order else [])]


def _add_made(extract: Extract, intake: Intake) -> Extract:
    """Return the extract with how each column's dates were read among how its columns were made."""
    made = dict(extract.made)
    for name, order in intake.orders.get(extract.source, {}).items():
        if order.made:
            made[name] = f"{made[name]}, {order.made}" if name in made else order.made
    return replace(extract, made=made)


@step(drops=("typed", "tonight", "unreadable"))
def forget_caseload(workspace: Workspace) -> None:
    """Take back what was read, so that it can be read otherwise."""
    workspace.execute("DROP VIEW tonight")
    drop_tables(workspace, "typed", "unreadable")


def read_sources(workspace: Workspace, config: Config, context: SourceContext) -> SourcesRead:
    """Read every source of the config into the workspace as text, in the config's order."""
    extracts: list[Extract] = []
    care = None
    for source in config.sources:
        context.say(f"Reading {source.name}")
        if source.kind == "care-history":
            care = care_history.read(workspace, source, context)
        else:
            try:
                extracts.append(read_source(source, workspace, context))
            except UnmatchedHeadings as fault:
                fault.source = source.name
                raise
    return SourcesRead(tuple(extracts), care)


def find_person(workspace: Workspace, sources: SourcesRead, person_id: str, as_at: date) -> tuple[str, ...]:
    """Return the names of the sources, not typed yet, that have the person.

    A care history keeps everyone who was ever in care: it only counts for those of whom it could tell the monitor.
    """
    having = [
        extract.source
        for extract in sources.extracts
        if has_person(workspace, begin_reading(0, extract), person_id)
        and not _is_nobody(workspace, extract, person_id, as_at)
    ]
    if sources.care:
        too_old_on = birthday_sql("date_of_birth", "25")
        query = f"SELECT count(*) FROM care_history WHERE person_id = ? AND NOT died AND {too_old_on} > ?"
        if number_of(workspace, query, person_id, as_at):
            having.append(sources.care.source)
    return tuple(having)


def _is_nobody(workspace: Workspace, extract: Extract, person_id: str, as_at: date) -> bool:
    """Return whether the extract's rows with that id are no person's, so that no night takes them for one."""
    workspace.execute(MAKE_UNREADABLE)
    reading = begin_reading(0, extract)
    read_texts(workspace, reading, cells.ReadBeside(as_at))
    type_usable_rows(workspace, reading)
    nobody_rows.set_aside(workspace, reading, nobody_rows.look_over(workspace, reading).shapes, None)
    return not number_of(workspace, f"SELECT count(*) FROM {reading.typed} WHERE person_id = ?", person_id)


MAKE_UNREADABLE = (
    'CREATE OR REPLACE TABLE unreadable (source VARCHAR, file VARCHAR, sheet VARCHAR, "row" BIGINT, '
    '"column" VARCHAR, reason VARCHAR, value VARCHAR)'
)


def type_rows(
    workspace: Workspace,
    extracts: Sequence[Extract],
    *,
    as_at: date,
    names: CouncilNames,
    care: CareHistory | None = None,
) -> Intake:
    """Make ``tonight`` and ``unreadable`` from the extracts' tables, which are dropped, and what joining makes.

    Whom ``care`` does not know is blank in its columns. Raises ``SourceError`` where a source has no row with an id.
    """
    workspace.execute(MAKE_UNREADABLE)
    readings = [begin_reading(number, extract) for number, extract in enumerate(extracts)]
    rows = _type_each(workspace, readings, as_at, names)
    _check_preferred(readings)
    list_spellings(workspace, readings)
    joined, between = joining.join_readings(workspace, readings)
    supplied = frozenset().union(*(reading.supplied for reading in readings))
    found = _sum_up(workspace, supplied, names)
    if care:
        _add_care(workspace)
        supplied |= frozenset(COLUMNS_SUPPLIED)
    _show_tonight(workspace, readings, supplied)
    prints = (f"{one.fingerprint} {one.role} {one.own_meaning}{' '.join(_list_settings(one))}" for one in extracts)
    intake = Intake(
        people=found.people,
        rows=rows.listed,
        unreadable_rows=rows.unusable,
        unreadable_cells=found.unreadable_cells,
        conflicts=rows.conflicts,
        duplicates=rows.duplicates,
        placeholder_advisers=found.placeholders.total(),
        supplied=supplied,
        notes=(),
        fingerprint=hashlib.sha256("\n".join(prints).encode()).hexdigest(),
        teams=frozenset().union(*(reading.teams for reading in readings)),
        placeholders=frozenset().union(*(map(fold_adviser, reading.advisers.nobody) for reading in readings)),
        nobodies=found.nobodies,
        doubts=tuple(_find_doubts(found.without_id, rows.two_births, between)),
        somebody=frozenset().union(*(reading.advisers.somebody for reading in readings)),
        nobody=tuple(sorted(found.placeholders.items(), key=lambda entry: (-entry[1], entry[0]))),
        crowded=found.crowded,
        lists=(
            *describe_spellings(found.two_spellings),
            *(finding for extract in extracts for finding in extract.lists),
            *find_unused(readings),
            *find_unread(found.unread),
        ),
        empty=tuple(_list_empty(readings)),
        orders={reading.extract.source: reading.orders for reading in readings},
    )
    return replace(intake, notes=(*joined, *_note_sources(readings), *_note_counts(intake)))


@dataclass
class RowCounts:
    """How many rows the sources held: in the caseload's own sources, unusable, repeated, and how they differ."""

    listed: int = 0
    unusable: int = 0
    duplicates: int = 0
    conflicts: int = 0
    two_births: int = 0


def _type_each(workspace: Workspace, readings: Sequence[Reading], as_at: date, names: CouncilNames) -> RowCounts:
    """Make the typed table of each reading, with one row a person."""
    beside = cells.ReadBeside(as_at, know_teams(workspace, readings, names))
    counts = RowCounts()
    for reading in readings:
        elsewhere = _read_elsewhere(readings, reading.number)
        usable, unusable = _type_reading(workspace, reading, beside, names, elsewhere)
        repeats = collapse(workspace, reading)
        counts.duplicates += repeats.equal
        counts.conflicts += repeats.differing
        counts.two_births += repeats.two_births
        counts.unusable += unusable
        counts.listed += usable + unusable if reading.extract.role == "caseload" else 0
    return counts


@dataclass(frozen=True)
class FoundInCells:
    """What the typed rows and the list of unreadable cells hold, in counts and texts."""

    people: int
    unreadable_cells: int
    placeholders: Counter[str]
    unread: Sequence[UnreadText]
    crowded: tuple[AdviserLoad, ...]
    nobodies: int
    without_id: int
    two_spellings: int


def _sum_up(workspace: Workspace, supplied: Collection[str], names: CouncilNames) -> FoundInCells:
    people, unreadable_cells, placeholders, unread, crowded, nobodies, without_id, two_spellings = workspace.execute(
        f"""
        SELECT (SELECT count(*) FROM typed), count(*) FILTER ("column" <> '' AND reason <> $placeholder),
            list(value) FILTER (reason = $placeholder), ({UNREAD_TEXTS}), {find_crowded(supplied)},
            count(*) FILTER (starts_with(reason, $nobody)), count(*) FILTER (reason = $no_id),
            count(*) FILTER (reason = $spelt)
        FROM unreadable
        """,
        {
            "placeholder": PLACEHOLDER,
            "cap": names.adviser_cap,
            "nobody": NOT_A_PERSON,
            "no_id": NOT_AN_ID,
            "spelt": TWO_SPELLINGS,
        },
    ).fetchall()[0]
    return FoundInCells(
        people=people,
        unreadable_cells=unreadable_cells,
        placeholders=Counter[str](placeholders or ()),
        unread=[UnreadText(*text.values()) if isinstance(text, dict) else UnreadText(*text) for text in unread or ()],
        crowded=leave_out_known(crowded, names),
        nobodies=nobodies,
        without_id=without_id,
        two_spellings=two_spellings,
    )


def _read_elsewhere(readings: Sequence[Reading], number: int) -> str | None:
    """Return a query for the ids in the other sources: typed already, or as they are written."""
    earlier = [f"SELECT person_id FROM {reading.typed}" for reading in readings[:number]]
    later = [
        f'SELECT trim(c{reading.positions[PERSON_ID]}) FROM "{reading.extract.table}"'
        for reading in readings[number + 1 :]
    ]
    return " UNION ALL ".join((*earlier, *later)) or None


def _type_reading(
    workspace: Workspace,
    reading: Reading,
    beside: cells.ReadBeside,
    names: CouncilNames,
    elsewhere: str | None,
) -> tuple[int, int]:
    """Make the reading's typed table in place of the extract's; how many rows can be used, and how many cannot."""
    read_texts(workspace, reading, beside)
    usable = type_usable_rows(workspace, reading)
    held = nobody_rows.look_over(workspace, reading)
    unusable = list_unusable_rows(workspace, reading) if held.extract_rows > usable or not usable else 0
    nobodies = nobody_rows.set_aside(workspace, reading, held.shapes, elsewhere) if usable else 0
    if usable == nobodies:
        raise explain_unusable(reading, unusable + nobodies)
    reading.id_shapes = frozenset((shape.kind, shape.length, shape.variable) for shape in held.shapes)
    if nobodies:
        held = nobody_rows.look_over(workspace, reading)
    reading.rows, reading.repeats = held.rows, held.people < held.rows
    note_empty(reading, held.filled)
    leave_out(workspace, reading)
    if "allocated_team" in reading.positions:
        joining.spell_teams(workspace, reading.typed, "allocated_team", names.teams)
    list_cells(workspace, reading)
    workspace.execute(f'DROP VIEW "{reading.extract.table}"')
    drop_tables(workspace, f"{reading.extract.table}_rows", reading.meaning)
    refuse_before_birth(workspace, reading)
    return usable - nobodies, unusable + nobodies


def _check_preferred(readings: Sequence[Reading]) -> None:
    """Raise ``Problems`` where a source is preferred for a column that it does not have: another's would stand."""
    # The suitability may stand in the accommodation's digit, on any night for anybody.
    lacking = [
        (one, name)
        for one in readings
        for name in one.extract.prefer
        if name not in one.supplied | one.left_out
        and not (name == "accommodation_suitable" and "accommodation" in one.supplied)
    ]
    if lacking:
        raise Problems(
            f"sources[{reading.extract.source}].prefer: {reading.place} has no column {name}; "
            "put the column back into the extract, or take it out of prefer"
            for reading, name in lacking
        )


def _list_empty(readings: Sequence[Reading]) -> Iterator[EmptyColumn]:
    for reading in readings:
        for name in sorted(reading.empty):
            heading = reading.extract.headings[reading.extract.matched.positions[name]]
            yield EmptyColumn(reading.extract.source, name, heading, reading.rows, name in reading.left_out)


def begin_reading(number: int, extract: Extract) -> Reading:
    """Return an extract on its way, with where its columns are."""
    return Reading(number, extract, dict(extract.matched.positions), extract.matched.extra)


def _add_care(workspace: Workspace) -> None:
    """Add to ``typed`` the care history's columns."""
    present = workspace.columns_of("typed")
    known = "FROM care_history AS b WHERE b.person_id = typed.person_id"
    for name in COLUMNS_SUPPLIED:
        gap = f"{name}_gap"
        workspace.execute(f"ALTER TABLE typed ADD COLUMN IF NOT EXISTS {name} {BY_NAME[name].duckdb_type}")
        workspace.execute(f"UPDATE typed SET {name} = b.{name} {known}")
        if gap in present:
            workspace.execute(f"UPDATE typed SET {gap} = NULL {known}")
            workspace.execute(f"UPDATE typed SET {gap} = NULL WHERE {gap} = {NOT_SUPPLIED}")


def _show_tonight(workspace: Workspace, readings: Sequence[Reading], supplied: frozenset[str]) -> None:
    """Make view ``tonight`` of every catalogue column over ``typed``, which holds only what varies."""
    present = workspace.columns_of("typed")
    selected = ["person_id"]
    for column in COLUMNS:
        name = column.name
        gap = "NULL" if name in supplied else NOT_SUPPLIED
        selected.append(name if name in present else f"NULL::{column.duckdb_type} AS {name}")
        selected.append(f"{name}_gap" if f"{name}_gap" in present else f"{gap}::VARCHAR AS {name}_gap")
    selected += ["died", f"{name_source(readings)} AS source"]
    workspace.execute(f"CREATE OR REPLACE VIEW tonight AS SELECT {', '.join(selected)} FROM typed")


def _note_sources(readings: Sequence[Reading]) -> Iterator[str]:
    lacking = {column.name for column in COLUMNS}.difference(*(reading.supplied for reading in readings))
    for reading in readings:
        yield from (f"{reading.extract.source}: {note}" for note in reading.extract.notes)
        told = ((name, order) for name, order in reading.orders.items() if order.made)
        yield from (f"{reading.extract.source}: {name}: {order.words}" for name, order in told)
        if reading.left_out:
            names = ", ".join(sorted(reading.left_out))
            yield f"{reading.extract.source}: nothing under the heading, so counted as not supplied: {names}"
        for name in reading.extract.blank_means_none:
            if name not in reading.supplied:
                yield f"{reading.extract.source}: blank_means_none: it has no column {name}, so this says nothing of it"
        near = find_near_misses(reading.extra, lacking)
        yield from (
            f'{reading.place}: "{one_line(heading)}" is not read and looks like {name}; if it is, add to '
            f'[sources.headings] of source "{reading.extract.source}": {write_line(heading, name)}'
            for heading, name in near.items()
        )
        extra = [heading for heading in reading.extra if heading not in near]
        if extra:
            named = ", ".join(f'"{heading[:60]}"' for heading in extra[:NOTED_HEADINGS])
            more = f" and {len(extra) - NOTED_HEADINGS} more" if len(extra) > NOTED_HEADINGS else ""
            yield f"{reading.place}: headings that no rule needs were ignored: {named}{more}"


def _find_doubts(without_id: int, within: int, between: int) -> Iterator[str]:
    if within or between:
        ids = write_count(within + between, "id has", "ids have")
        yield (
            f"{ids} two birth dates ({within:,} in one file, {between:,} between sources): perhaps two young people, "
            "so nothing in which the rows differ is believed; unreadable.csv names both places: give each an id of "
            "their own, or put the date right"
        )
    if without_id:
        rows = write_count(without_id, "row has", "rows have")
        yield (
            f"{rows} a young person's values and no id that can be told, so nobody watches over them; unreadable.csv "
            "names each row: give it the id as the case system has it"
        )


def _note_counts(intake: Intake) -> Iterator[str]:
    for count, one, many, rest in (
        (
            intake.nobodies, "row is", "rows are",
            f"no person's (totals, notes, an id alone) and {'are' if intake.nobodies > 1 else 'is'} {IN_UNREADABLE}",
        ),
        (
            intake.unreadable_rows - intake.nobodies, "row could not be used and is", "rows could not be used and are",
            IN_UNREADABLE,
        ),
        (intake.unreadable_cells, "cell could not be read and is", "cells could not be read and are", IN_UNREADABLE),
        (intake.duplicates, "repeated row", "repeated rows", "said the same again"),
        (
            intake.conflicts, "row disagrees", "rows disagree",
            "with another for the same person; which was used is listed in unreadable.csv",
        ),
        (
            intake.placeholder_advisers, "personal adviser is", "personal advisers are",
            f"a team or a word for nobody, and read as blank: {count_names(intake.nobody)}",
        ),
    ):  # fmt: skip
        if count:
            yield f"{write_count(count, one, many)} {rest}"


def create_empty(workspace: Workspace) -> None:
    """Make ``tonight`` with nobody in it, for looking at the roster between nights."""
    workspace.execute("CREATE OR REPLACE TABLE typed (person_id VARCHAR, died BOOLEAN)")
    _show_tonight(workspace, [], frozenset())


# The care history beside the caseload


def _compare_care(workspace: Workspace, care: CareHistory, intake: Intake) -> Intake:
    """Return the intake with the notes on the care history beside it.

    Reads ``tonight`` and adds to ``unreadable``. Raises ``SourceError`` where the two hold nobody in common.
    """
    people, known = workspace.execute(
        "SELECT count(*), count(care_person.person_id) FROM tonight LEFT JOIN care_person USING (person_id)"
    ).fetchall()[0]
    if people and not known:
        raise SourceError(
            f'source "{care.source}": ssd_person: nobody on the caseload is in it; load both from the same system, '
            "with the same ids"
        )
    notes = [f"{care.source}: {note}" for note in _note_care(workspace, people, known)]
    workspace.execute("INSERT INTO unreadable SELECT * FROM care_unreadable")
    drop_tables(workspace, "care_person", "care_ageless", "care_unreadable")
    both = hashlib.sha256(f"{intake.fingerprint} {care.fingerprint}".encode()).hexdigest()
    return replace(intake, notes=(*intake.notes, *notes), fingerprint=both)


def _note_care(workspace: Workspace, people: int, known: int) -> Iterator[str]:
    if 2 * known < people:
        yield (
            f"only {known:,} of the {people:,} people on the caseload are in ssd_person; check that both were loaded "
            "from the same system, with the same ids"
        )
    ageless, unreadable = workspace.execute(
        "SELECT (SELECT count(*) FROM care_ageless), (SELECT count(*) FROM care_unreadable)"
    ).fetchall()[0]
    if unreadable:
        rows = write_count(unreadable, "row of its dates is", "rows of its dates are")
        yield f"{rows} left out and listed in unreadable.csv"
    if ageless:
        yield f"{write_people(ageless)} with care episodes and no birth date: whether they are entitled cannot be told"
