"""What earlier nights looked like: tonight's figures beside theirs, gathered in set-based passes for the gate.

Figures are kept for each accepted night in ``profile``; what a person's own record said last is on the roster,
and is compared for a sample large enough to tell a bulk change from an ordinary night.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from monitor.caseload import joining
from monitor.caseload.intake import CaseloadRead
from monitor.caseload.last_values import spread_last_values
from monitor.caseload.roster import load_last_values
from monitor.catalogue.columns import COLUMNS
from monitor.gate.source_fitness import EXTRACTED_ON, SUPPLIED_BY, find_supplies
from monitor.gate.verdict import AS_WRITTEN, DECLARED, Comparison, Dated, Movement, TakenColumn, TeamThen
from monitor.sources.extract import Extract
from monitor.store.bulk import insert_rows
from monitor.store.tables import Profile, table_of
from monitor.workspace import Workspace, drop_tables, fetch, step

SAMPLE = 2_000
"""How many people's own last values are compared: a share is then known to about two in a hundred."""

NIGHTS = 10
"""How many accepted nights are looked back on."""

FEWEST_DATED = 100
"""With this many people seen every eight weeks, three working days without anything new are one in a thousand."""

PAST_DATES = tuple(column.name for column in COLUMNS if column.records_past and column.name != "date_of_birth")


@step(reads=("tonight", "roster", "merged"), makes=("expected", "joined"))
def compare(
    workspace: Workspace, store: Connection, caseload: CaseloadRead, *, before: Any | None, as_at: dt.date
) -> Comparison:
    """Compare tonight with the roster and the last accepted nights; make ``expected``, the people of the last night.

    Reads ``tonight``, ``roster`` and ``merged``. ``before`` is the last accepted run.
    """
    past, intake = read_profile(store, as_at), caseload.intake
    last_night = before.as_at if before else None
    _expect(workspace)
    (counts,) = fetch(workspace, COUNTS)
    filled, unreadable = _fill(workspace, intake.people)
    moved, taken = _movements(workspace, store, intake.supplied) if last_night else ({}, ())
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
        filled=filled,
        usual_filled=_usual(past, "filled", min),
        unreadable=unreadable,
        usual_unreadable=_usual(past, "unreadable", max),
        supplied=intake.supplied,
        moved=moved,
        taken=taken,
        sources=_dated(workspace, caseload.extracts, past, intake.supplied, as_at),
        made=find_made(caseload.extracts, intake.supplied),
        made_before=_made_before(past, last_night),
        asked_before=frozenset(past.get("asked", {})),
        opened_before=past.get("opened", {}),
        last_extracted_on=before.extracted_on if before else None,
        last_asked_on=before.asked_on if before else None,
    )


COUNTS = """
    SELECT count(*) AS expected, count(*) FILTER (present) AS present,
        count(*) FILTER (team_tonight <> team) AS teams_changed,
        count(*) FILTER (born_tonight <> date_of_birth) AS births_changed,
        (SELECT count(*) FROM joined) AS joined,
        (
            SELECT count(*) FROM tonight LEFT JOIN roster USING (person_id)
            WHERE tonight.died AND roster.died_on IS NULL
        ) AS new_deaths,
        (
            SELECT count(*) FROM expected SEMI JOIN joined
            ON ltrim(expected.person_id, '0') = ltrim(joined.person_id, '0') WHERE NOT present
        ) AS ids_changed
    FROM expected
"""


def _expect(workspace: Workspace) -> None:
    """Make ``expected`` (the people of the last night, and where they are tonight) and ``joined`` (the newcomers)."""
    workspace.execute("""
        CREATE OR REPLACE TABLE expected AS
        SELECT
            roster.person_id, roster.team, roster.date_of_birth,
            tonight.person_id IS NOT NULL OR merged.new_id IS NOT NULL AS present,
            tonight.allocated_team AS team_tonight, tonight.date_of_birth AS born_tonight
        FROM roster
        LEFT JOIN tonight USING (person_id)
        LEFT JOIN (SELECT * FROM merged SEMI JOIN tonight ON tonight.person_id = merged.new_id) AS merged
            ON merged.old_id = roster.person_id
        WHERE roster.absent_since IS NULL AND roster.died_on IS NULL AND roster.ended_on IS NULL
    """)
    workspace.execute("""
        CREATE OR REPLACE TABLE joined AS
        SELECT person_id FROM tonight ANTI JOIN roster USING (person_id)
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


def _fill(workspace: Workspace, people: int) -> tuple[dict[str, float], dict[str, float]]:
    """The share of people with a value, and with a cell that cannot be read, by column."""
    counted = ", ".join(f"count({column.name}), count_if({column.name}_gap = 'unreadable')" for column in COLUMNS)
    (figures,) = workspace.execute(f"SELECT {counted} FROM tonight").fetchall()
    shares = [(figure or 0) / max(people, 1) for figure in figures]
    names = [column.name for column in COLUMNS]
    return dict(zip(names, shares[::2], strict=True)), dict(zip(names, shares[1::2], strict=True))


def _movements(
    workspace: Workspace, store: Connection, supplied: frozenset[str]
) -> tuple[dict[str, Movement], tuple[TakenColumn, ...]]:
    """What became of each column's values since the last night, for a sample of the people who were in it."""
    _recall(workspace, store, f"SELECT person_id FROM expected SEMI JOIN tonight USING (person_id) "
                             f"ORDER BY hash(person_id) LIMIT {SAMPLE}")  # fmt: skip
    asked = [column for column in COLUMNS if column.name in supplied and column.kind != "number"]
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


def _recall(workspace: Workspace, store: Connection, people: str) -> None:
    """Make ``last_known``: the typed rows the last night accepted of the people that the query names."""
    known = f"({people}) AS recalled JOIN roster USING (person_id)"
    load_last_values(workspace, store, "recalled_values", f"SELECT person_id FROM {known} WHERE last_values IS NULL")
    texts = f"""(
        SELECT person_id, coalesce(roster.last_values, fetched.last_values) AS last_values
        FROM {known} LEFT JOIN recalled_values AS fetched USING (person_id)
    )"""
    spread_last_values(workspace, texts, into="last_known")


@step(reads=("roster",), changes=("typed", "tonight"))
def put_back(workspace: Workspace, store: Connection, columns: Sequence[str]) -> None:
    """Give everyone in ``tonight`` the last value believed in each of these columns; a newcomer's cannot be read.

    So that tomorrow is compared with what was believed, and lists show it; no rule is asked about these columns.
    """
    if not columns:
        return
    _recall(workspace, store, "SELECT person_id FROM tonight SEMI JOIN roster USING (person_id)")
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


# How old the sources are


def _dated(
    workspace: Workspace,
    extracts: Sequence[Extract],
    past: Mapping[str, Mapping[str, Sequence[float]]],
    supplied: frozenset[str],
    as_at: dt.date,
) -> tuple[Dated, ...]:
    """Each source's date: as declared, else the newest date inside, else the file's own.

    The second newest, so that one slip of the pen does not make an old extract new; and only where there are enough
    people for somebody to have been seen in three days.
    """
    greatest = f"greatest({', '.join(PAST_DATES)})"
    rows = workspace.execute(f"""
        SELECT source, count(newest), list_extract(max(newest, 2), -1)
        FROM (SELECT source, {greatest} AS newest FROM tonight)
        WHERE newest IS NOT NULL GROUP BY source
    """).fetchall()
    inside = {source: (people, newest) for source, people, newest in rows}
    brought = {each.source: each.columns for each in find_supplies(extracts, supplied)}
    found = []
    for extract in extracts:
        people, newest = inside.get(extract.source, (0, None))
        ordinals = past.get("newest", {}).get(extract.source)
        then = dt.date.fromordinal(int(ordinals[0])) if ordinals else None
        on, how = extract.declared_on, DECLARED
        if on is None and people >= FEWEST_DATED:
            on, how = newest, "by the newest date inside"
        elif on is None and extract.role == "caseload":
            on, how = extract.modified_on, "by the file's own date"
        found.append(Dated(extract.source, min(on, as_at) if on else None, how, newest, then, brought[extract.source]))
    return tuple(found)


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
        *(("filled", name, seen.filled[name]) for name in believed),
        *(("unreadable", name, seen.unreadable[name]) for name in believed),
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
