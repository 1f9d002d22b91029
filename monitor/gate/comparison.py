"""What earlier nights looked like: tonight's figures beside theirs, gathered in set-based passes for the gate.

Figures are kept for each accepted night in ``profile``; what a person's own record said last is on the roster,
and is compared for a sample large enough to tell a bulk change from an ordinary night.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import Connection, select

from monitor.caseload import joining
from monitor.caseload.intake import CaseloadRead
from monitor.caseload.last_values import spread_last_values
from monitor.caseload.roster import load_last_values
from monitor.catalogue.columns import BY_NAME, COLUMNS, Column
from monitor.gate import baseline
from monitor.gate.source_fitness import EXTRACTED_ON, SUPPLIED_BY, find_supplies
from monitor.gate.verdict import AS_WRITTEN, DECLARED, Comparison, Dated, Movement, TakenColumn, TeamThen
from monitor.sources.extract import Extract
from monitor.store.bulk import insert_rows
from monitor.store.nights import is_jump
from monitor.store.tables import Profile, Run, table_of
from monitor.workspace import Workspace, drop_tables, fetch, literal, step

SAMPLE = 2_000
"""How many people's own last values are compared: a share is then known to about two in a hundred."""

NIGHTS = 10
"""How many accepted nights are looked back on."""

FEWEST_DATED = 100
"""With this many people seen every eight weeks, three working days without anything new are one in a thousand."""

FEW_DATED = 10
"""With fewer people than this, the second newest date may well be months old."""

PAST_DATES = tuple(column.name for column in COLUMNS if column.records_past and column.name != "date_of_birth")


@dataclass(frozen=True)
class PastNights:
    """What a night is compared with: the last accepted run before it, the one of its own date that it puts right.

    ``known``: what the last of them knew; ``whole``: none of tonight has a history; ``blank``: the columns found to
    have nothing under their heading, where that may not be taken for *never*; ``after_sample``: the last accepted
    night, where its people were invented and tonight's are not.
    """

    before: Run | None
    corrected: Run | None
    known: baseline.Known
    whole: bool
    blank: tuple[baseline.BlankColumn, ...] = ()
    after_sample: dt.date | None = None

    def find_new_sources(self, extracts: Iterable[Extract]) -> frozenset[str]:
        """Return the sources that have no history."""
        known = frozenset() if self.whole else {source for source, _ in self.known.supplied}
        return frozenset(extract.source for extract in extracts) - known


@step(reads=("tonight", "roster", "merged", "unreadable"), makes=("expected", "joined"))
def compare(
    workspace: Workspace, store: Connection, caseload: CaseloadRead, nights: PastNights, terms: baseline.BaselineTerms
) -> Comparison:
    """Compare tonight with the roster and the last accepted nights; make ``expected``, the people of the last night.

    A first night that is put right is compared with the people it had.
    """
    past, intake, before = read_profile(store, terms.as_at), caseload.intake, nights.before
    last = before or nights.corrected
    last_night = last.as_at if last else None
    roster = "roster" if before or not last else "roster_stored"
    _expect(workspace, roster)
    (counts,) = fetch(workspace, COUNTS.format(roster=roster))
    cells = _count_cells(workspace, intake.supplied)
    moved, taken = _movements(workspace, store, intake.supplied) if before else ({}, ())
    # Somebody has said of these that they are not supplied: nobody is told of it again.
    left_out = {column for _, column in nights.known.left_out} - intake.supplied
    new = nights.find_new_sources(caseload.extracts)
    inside = _look_inside(workspace, caseload.extracts, intake.supplied, with_ids=bool(new))
    sources = _date_sources(caseload.extracts, inside, past, intake.supplied, terms.as_at)
    return Comparison(
        last_night=last_night,
        expected=counts["expected"],
        present=counts["present"],
        people=intake.people,
        joined=counts["joined"],
        new_deaths=counts["new_deaths"] + joining.count_absent_deaths(workspace),
        ids_changed=counts["ids_changed"],
        birth_dates_changed=counts["births_changed"],
        birth_dates_by_years=_years_moved(workspace, counts["births_changed"]),
        teams_changed=counts["teams_changed"],
        disagreeing=intake.conflicts / max(intake.people, 1),
        usual_disagreeing=_usual(past, "disagreeing", max).get(""),
        teams=_teams(workspace),
        filled=_share(cells, lambda one: one.filled, intake.people),
        usual_filled={
            name: usual for name, usual in _usual(past, baseline.FILLED, min).items() if name not in left_out
        },
        unreadable=_share(cells, lambda one: one.unreadable, intake.people),
        usual_unreadable=_usual(past, baseline.UNREADABLE, max),
        supplied=intake.supplied,
        moved=moved,
        taken=taken,
        sources=sources,
        made=find_made(caseload.extracts, intake.supplied),
        made_before=_made_before(past, last_night),
        asked_before=frozenset(past.get("asked", {})),
        opened_before=past.get("opened", {}),
        last_extracted_on=before.extracted_on if before else None,
        last_asked_on=before.asked_on if before else None,
        unproven=_find_unproven(workspace, caseload, nights, terms, (cells, inside, sources)),
    )


COUNTS = """
    SELECT count(*) AS expected, count(*) FILTER (present) AS present,
        count(*) FILTER (team_tonight <> team) AS teams_changed,
        count(*) FILTER (born_tonight <> date_of_birth) AS births_changed,
        (SELECT count(*) FROM joined) AS joined,
        (
            SELECT count(*) FROM tonight LEFT JOIN {roster} AS roster USING (person_id)
            WHERE tonight.died AND roster.died_on IS NULL
        ) AS new_deaths,
        (
            SELECT count(*) FROM expected SEMI JOIN joined
            ON ltrim(expected.person_id, '0') = ltrim(joined.person_id, '0') WHERE NOT present
        ) AS ids_changed
    FROM expected
"""


def _expect(workspace: Workspace, roster: str) -> None:
    """Make ``expected`` (the people of the last night, and where they are tonight) and ``joined`` (the newcomers)."""
    workspace.execute(f"""
        CREATE OR REPLACE TABLE expected AS
        SELECT
            roster.person_id, roster.team, roster.date_of_birth,
            tonight.person_id IS NOT NULL OR merged.new_id IS NOT NULL AS present,
            tonight.allocated_team AS team_tonight, tonight.date_of_birth AS born_tonight
        FROM {roster} AS roster
        LEFT JOIN tonight USING (person_id)
        LEFT JOIN (SELECT * FROM merged SEMI JOIN tonight ON tonight.person_id = merged.new_id) AS merged
            ON merged.old_id = roster.person_id
        WHERE roster.absent_since IS NULL AND roster.died_on IS NULL AND roster.ended_on IS NULL
    """)
    workspace.execute(f"""
        CREATE OR REPLACE TABLE joined AS
        SELECT person_id FROM tonight ANTI JOIN {roster} AS roster USING (person_id)
        WHERE person_id NOT IN (SELECT new_id FROM merged)
    """)


def _teams(workspace: Workspace) -> dict[str, TeamThen]:
    rows = workspace.execute("""
        SELECT team, count(*), count(*) FILTER (present), count(*) FILTER (team_tonight = team),
            mode(team_tonight) FILTER (team_tonight <> team)
        FROM expected WHERE team IS NOT NULL GROUP BY team ORDER BY team
    """).fetchall()
    return {team: TeamThen(*counts) for team, *counts in rows}


def _years_moved(workspace: Workspace, changed: int) -> int | None:
    """By how many whole years most of the changed birth dates have moved, if most have by the same."""
    rows = workspace.execute("""
        SELECT year(born_tonight) - year(date_of_birth) AS years, count(*) AS people FROM expected
        WHERE born_tonight <> date_of_birth AND month(born_tonight) = month(date_of_birth)
            AND day(born_tonight) = day(date_of_birth)
        GROUP BY years ORDER BY people DESC LIMIT 1
    """).fetchall()
    return rows[0][0] if rows and 2 * rows[0][1] > changed else None


def _count_cells(workspace: Workspace, supplied: frozenset[str]) -> list[baseline.ColumnCells]:
    """Count the cells of each supplied column by the source of the rows."""
    names = sorted(supplied)
    counted = "".join(f", count({name}), count({name}_gap), count_if({name}_gap = 'unreadable')" for name in names)
    rows = workspace.execute(f"SELECT source, count(*){counted} FROM tonight GROUP BY source").fetchall()
    # Of a gap that is the same for everybody, DuckDB counts nothing at all.
    return [
        baseline.ColumnCells(source, name, people - gaps + (unreadable or 0), unreadable or 0, filled)
        for source, people, *figures in rows
        for name, filled, gaps, unreadable in zip(names, figures[::3], figures[1::3], figures[2::3], strict=True)
    ]


def _share(
    cells: Iterable[baseline.ColumnCells], count: Callable[[baseline.ColumnCells], int], people: int
) -> dict[str, float]:
    """Return by column the share of people with such a cell."""
    counts = Counter({column.name: 0 for column in COLUMNS})
    for one in cells:
        counts[one.column] += count(one)
    return {name: number / max(people, 1) for name, number in counts.items()}


def _movements(
    workspace: Workspace, store: Connection, supplied: frozenset[str]
) -> tuple[dict[str, Movement], tuple[TakenColumn, ...]]:
    """What became of each column's values since the last night, for a sample of the people who were in it."""
    asked = [column for column in COLUMNS if column.name in supplied and column.kind != "number"]
    sample = (
        f"SELECT person_id FROM expected SEMI JOIN tonight USING (person_id) ORDER BY hash(person_id) LIMIT {SAMPLE}"
    )
    _recall(workspace, store, sample, asked)
    cells = ", ".join(
        f"{{'kind': '{column.kind}', 'name': '{column.name}', "
        f"'was': CAST(was.{column.name} AS VARCHAR), 'now': CAST(now.{column.name} AS VARCHAR)}}"
        for column in asked
    )
    workspace.execute(f"""
        CREATE OR REPLACE TEMP TABLE cell AS
        SELECT person_id, unnest([{cells}], recursive := true)
        FROM last_known AS was JOIN tonight AS now USING (person_id)
    """)
    # Dates are written year first, so that text sorts as they do.
    counted = workspace.execute("""
        SELECT name, count(*) FILTER (was IS NOT NULL AND now IS NOT NULL), count(*) FILTER (was <> now),
            count(*) FILTER (kind = 'date' AND now < was), count(*) FILTER (kind = 'date' AND now > was)
        FROM cell GROUP BY name
    """).fetchall()
    judged = {column.name for column in asked if column.kind in ("code", "yes_no") or column.name in PAST_DATES}
    found = {name: Movement(*counts) for name, *counts in counted}
    moved = {name: found.get(name, Movement(0, 0)) for name in sorted(judged)}
    taken = workspace.execute("""
        SELECT one.name, other.name, count(*) FILTER (one.now = other.was) AS people, count(*)
        FROM cell AS one JOIN cell AS other USING (person_id, kind)
        WHERE one.kind <> 'code' AND one.name <> other.name AND one.was <> other.was
        GROUP BY ALL HAVING people > 0 ORDER BY ALL
    """).fetchall()
    drop_tables(workspace, "cell", *RECALLED)
    return moved, tuple(TakenColumn(*row) for row in taken)


RECALLED = ("recalled_values", "last_known")


def _recall(workspace: Workspace, store: Connection, people: str, columns: Sequence[Column]) -> None:
    """Make ``last_known``: what the last night accepted in these columns of the people that the query names."""
    known = f"({people}) AS recalled JOIN roster USING (person_id)"
    load_last_values(workspace, store, "recalled_values", f"SELECT person_id FROM {known} WHERE last_values IS NULL")
    texts = f"""(
        SELECT person_id, coalesce(roster.last_values, fetched.last_values) AS last_values
        FROM {known} LEFT JOIN recalled_values AS fetched USING (person_id)
    )"""
    spread_last_values(workspace, texts, into="last_known", columns=columns)


@step(reads=("roster",), changes=("typed", "tonight"))
def put_back(workspace: Workspace, store: Connection, columns: Sequence[str]) -> None:
    """Give everyone in ``tonight`` the last value believed in each of these columns; a newcomer's cannot be read.

    So that tomorrow is compared with what was believed, and lists show it; no rule is asked about these columns.
    """
    if not columns:
        return
    believed = [BY_NAME[name] for name in columns]
    _recall(workspace, store, "SELECT person_id FROM tonight SEMI JOIN roster USING (person_id)", believed)
    replaced = ", ".join(
        f"was.{name} AS {name}, CASE WHEN was.person_id IS NULL THEN 'unreadable' ELSE was.{name}_gap END AS {name}_gap"
        for name in columns
    )
    workspace.execute(f"""
        CREATE OR REPLACE TABLE believed AS
        SELECT now.* REPLACE ({replaced}) FROM tonight AS now LEFT JOIN last_known AS was USING (person_id)
    """)
    drop_tables(workspace, *RECALLED)
    drop_tables(workspace, "typed")
    workspace.execute("ALTER TABLE believed RENAME TO typed")
    workspace.execute("CREATE OR REPLACE VIEW tonight AS SELECT * FROM typed")


# How old the sources are, and what their ids look like


@dataclass(frozen=True)
class RowsInside:
    """What is inside one source's rows: how many people have a date of the past, the two newest dates, the ids' shapes.

    The second newest date is gone by, so that one slip of the pen does not make an old extract new.
    """

    dated: int = 0
    newest: Sequence[dt.date] = ()
    ids: Mapping[str, int] = field(default_factory=dict)

    @property
    def second(self) -> dt.date | None:
        return self.newest[-1] if self.newest else None

    @property
    def likely(self) -> dt.date | None:
        """Return the newest date that a single slip does not explain: of very few people, the newest there is."""
        return self.second if self.dated >= FEW_DATED else max(self.newest, default=None)


def _look_inside(
    workspace: Workspace, extracts: Sequence[Extract], supplied: frozenset[str], *, with_ids: bool
) -> dict[str, RowsInside]:
    """Look at the dates and ids of each source's rows; the dates of its own columns, where it has any."""
    newest = []
    for supply in find_supplies(extracts, supplied):
        own = [name for name in PAST_DATES if name in supply.columns] or PAST_DATES
        newest.append(f"WHEN {literal(supply.source)} THEN greatest({', '.join(own)})")
    shape = baseline.SHAPE if with_ids else "NULL::VARCHAR"
    rows = workspace.execute(f"""
        SELECT source, count(newest), max(newest, 2), histogram(shape)
        FROM (SELECT source, CASE source {" ".join(newest)} END AS newest, {shape} AS shape FROM tonight)
        GROUP BY source
    """).fetchall()
    return {source: RowsInside(dated, tuple(dates or ()), ids or {}) for source, dated, dates, ids in rows}


def date_extracts(
    workspace: Workspace, extracts: Sequence[Extract], supplied: frozenset[str], as_at: dt.date
) -> tuple[Dated, ...]:
    """Return how old each source is, beside no earlier night."""
    inside = _look_inside(workspace, extracts, supplied, with_ids=False)
    return _date_sources(extracts, inside, {}, supplied, as_at)


def _date_sources(
    extracts: Sequence[Extract],
    inside: Mapping[str, RowsInside],
    past: Mapping[str, Mapping[str, Sequence[float]]],
    supplied: frozenset[str],
    as_at: dt.date,
) -> tuple[Dated, ...]:
    """Each source's date: as declared, else the newest date inside, else the file's own.

    Inside, only where there are enough people for somebody to have been seen in three days.
    """
    brought = {each.source: each.columns for each in find_supplies(extracts, supplied)}
    found = []
    for extract in extracts:
        within = inside.get(extract.source, RowsInside())
        ordinals = past.get("newest", {}).get(extract.source)
        then = dt.date.fromordinal(int(ordinals[0])) if ordinals else None
        on, how = extract.declared_on, DECLARED
        if on is None and within.dated >= FEWEST_DATED:
            on, how = within.second, "by the newest date inside"
        elif on is None and extract.role == "caseload":
            on, how = extract.modified_on, "by the file's own date"
        columns = brought[extract.source]
        found.append(Dated(extract.source, min(on, as_at) if on else None, how, within.second, then, columns))
    return tuple(found)


def _find_unproven(
    workspace: Workspace,
    caseload: CaseloadRead,
    nights: PastNights,
    terms: baseline.BaselineTerms,
    found: tuple[Sequence[baseline.ColumnCells], Mapping[str, RowsInside], Sequence[Dated]],
) -> baseline.Unproven:
    """Gather what of tonight has no history, to be judged by itself."""
    cells, inside, sources = found
    known = nights.known
    pairs = baseline.find_new_pairs(caseload, known, whole=nights.whole)
    fresh = nights.find_new_sources(caseload.extracts)
    columns = {column for _, column in pairs} - known.unreadable
    judged = [one for one in cells if one.column in columns]
    jumped = nights.before is not None and is_jump(nights.before.as_at, terms.as_at)
    ids = {source: inside[source].ids for source in fresh & inside.keys() - known.mixed}
    return baseline.Unproven(
        whole=nights.whole,
        pairs=pairs,
        blank=nights.blank,
        cells=baseline.find_doubted_cells(workspace, judged, terms),
        # After a jump, dates are held against a week.
        newest={} if jumped else _find_newest(sources, inside, fresh),
        ids=ids,
        only_page={
            extract.source: extract.only_page
            for extract in caseload.extracts
            if extract.only_page and extract.source not in known.one_page
        },
        in_breach_before=known.in_breach,
        after_sample=nights.after_sample,
        remembered=tuple(baseline.list_remembered(caseload, known, ids, terms)),
    )


def _find_newest(
    sources: Iterable[Dated], inside: Mapping[str, RowsInside], fresh: Iterable[str]
) -> dict[str, dt.date]:
    """Return the newest date of each source to be judged: inside it or declared, else the file's own."""
    newest = {}
    for one in sources:
        dates = [inside[one.source].likely] if one.source in inside else []
        if one.how == DECLARED or not any(dates):
            dates.append(one.extracted_on)
        if one.source in fresh and any(dates):
            newest[one.source] = max(date for date in dates if date)
    return newest


# How columns were made

MADE, MADE_AS = "made", "="
"""Under this name a night's profile keeps how each column was made that is not merely as written, with the night's date
as its value; a row without a column says that the night kept it."""


def find_made(extracts: Sequence[Extract], supplied: frozenset[str]) -> dict[str, str]:
    """Return how each column was made in which some source does more than take what is written."""
    made: dict[str, set[str]] = {}
    supplies = find_supplies(extracts, supplied)
    for supply, extract in zip(supplies, extracts, strict=True):
        for name in supply.columns:
            made.setdefault(name, set()).add(extract.made.get(name, AS_WRITTEN))
            if name in extract.prefer and sum(name in each.columns for each in supplies) > 1:
                made[name].add(f'as "{extract.source}" has it first')
    return {name: " and ".join(sorted(ways)) for name, ways in made.items() if ways != {AS_WRITTEN}}


def _made_before(
    past: Mapping[str, Mapping[str, Sequence[float]]], last_night: dt.date | None
) -> dict[str, str] | None:
    """Return how columns were made on the last night; None where it did not keep that."""
    kept = past.get(MADE, {})
    last = [key for key, values in kept.items() if last_night and values[0] == last_night.toordinal()]
    return dict(key.split(MADE_AS, 1) for key in last if key) if last else None


# What is kept of a night


def read_profile(store: Connection, as_at: dt.date) -> dict[str, dict[str, list[float]]]:
    """Return the figures of the last accepted nights before ``as_at``, by name and key, the newest first."""
    table = table_of(Profile)
    nights = select(table.c.as_at).where(table.c.as_at < as_at).distinct().order_by(table.c.as_at.desc()).limit(NIGHTS)
    rows = store.execute(
        select(table.c.name, table.c.key, table.c.value)
        .where(table.c.as_at.in_(nights.scalar_subquery()))
        .order_by(table.c.as_at.desc())
    )
    found: defaultdict[str, dict[str, list[float]]] = defaultdict(dict)
    for name, key, value in rows:
        found[name].setdefault(key, []).append(value)
    return dict(found)


def _usual(
    past: Mapping[str, Mapping[str, Sequence[float]]], name: str, kinder: Callable[[float, float], float]
) -> dict[str, float]:
    """What is usual by key: the middle of the last nights, or the last one where that asks less of tonight."""
    return {key: kinder(values[0], median(values)) for key, values in past.get(name, {}).items()}


Figures = Sequence[tuple[str, str, float]]
"""What is kept of a night, each figure by its name and key."""


def list_figures(
    seen: Comparison, asked: Mapping[str, int], opened: Mapping[str, int], doubtful: frozenset[str], as_at: dt.date
) -> Figures:
    """Return tonight's figures, without those of ``doubtful`` columns; ``asked`` and ``opened`` are by rule."""
    believed = sorted(seen.supplied - doubtful)
    return [
        ("people", "", seen.people),
        ("joined", "", seen.joined),
        ("disagreeing", "", seen.disagreeing),
        *((baseline.FILLED, name, seen.filled[name]) for name in believed),
        *((baseline.UNREADABLE, name, seen.unreadable[name]) for name in believed),
        *(("newest", one.source, one.newest.toordinal()) for one in seen.sources if one.newest),
        *((EXTRACTED_ON, one.source, one.extracted_on.toordinal()) for one in seen.sources if one.extracted_on),
        *((SUPPLIED_BY + one.source, column, 1) for one in seen.sources for column in sorted(one.columns)),
        *_list_made(seen, doubtful, as_at),
        *(("asked", rule, number) for rule, number in asked.items()),
        *(("opened", rule, number) for rule, number in opened.items()),
    ]


def _list_made(seen: Comparison, doubtful: frozenset[str], as_at: dt.date) -> Figures:
    """Return how columns were made; for one that is not believed, as it was when it was."""
    before = seen.made_before or {}
    made = {name: how for name, how in seen.made.items() if name not in doubtful}
    made |= {name: how for name, how in before.items() if name in doubtful}
    keys = ["", *(f"{name}{MADE_AS}{how}" for name, how in made.items())]
    return [(MADE, key, as_at.toordinal()) for key in keys]


def save(store: Connection, figures: Figures, *, run_id: int, as_at: dt.date, corrects: Sequence[int]) -> None:
    """Keep tonight's figures in place of those of the runs it corrects."""
    table = table_of(Profile)
    store.execute(table.delete().where(table.c.run_id.in_(corrects)))
    rows = [(run_id, name, key, as_at, float(value)) for name, key, value in figures]
    insert_rows(store, Profile, ("run_id", "name", "key", "as_at", "value"), rows)
