"""Several sources made one caseload: whose cell stands, who is in which source, and where they disagree.

Caseload sources decide who is on the caseload; detail sources only add columns. Of the sources that cover a
person and have a column, in the config's order, the first whose cell says something (a value, or something
unreadable) is used. A blank gives way to a later source, unless its source is preferred for that column.
"""

from collections.abc import Mapping, Sequence

from monitor.caseload.rows import NOT_SUPPLIED, UNREADABLE, Reading, name_source, refuse_before_birth
from monitor.caseload.two_births import doubt_sources
from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.words import fold_name, write_count, write_people
from monitor.workspace import Workspace, drop_tables, literal, load_rows, number_of

COMPARED = ("personal_adviser", "allocated_team", "date_of_birth", "pathway_plan_review_date")
"""The columns in which sources that disagree are listed."""

NEVER_SHOWN = ("date_of_birth",)
"""Compared, but their values are listed nowhere."""

BLANK = "blank"

WORDS = r"list_sort(regexp_extract_all(strip_accents(lower({})), '[\p{{L}}\p{{N}}]+'))"
"""A name as it is compared: "Example, Ann" is "Ann Example"."""


def join_readings(workspace: Workspace, readings: Sequence[Reading]) -> tuple[tuple[str, ...], int]:
    """Make ``typed``, one row for each person of the caseload sources, from the readings' tables.

    Returns what to say of it, and how many people have two birth dates.

    From several sources also ``difference`` and, where one is a detail source, ``not_on_caseload`` and ``elsewhere``
    (who has died, of the people who are in a detail source and not on tonight's caseload).
    """
    drop_tables(workspace, "typed", "difference", "not_on_caseload", "elsewhere")
    if len(readings) == 1:
        workspace.execute(f"ALTER TABLE {readings[0].typed} RENAME TO typed")
        return (), 0
    lists = [reading for reading in readings if reading.extract.role == "caseload"]
    details = [reading for reading in readings if reading.extract.role == "detail"]
    workspace.execute(
        "CREATE OR REPLACE TEMP TABLE people AS SELECT person_id, min(extract) AS extract FROM ("
        + " UNION ALL ".join(f"SELECT person_id, extract FROM {reading.typed}" for reading in lists)
        + ") GROUP BY person_id"
    )
    _refuse_before_joined_birth(workspace, readings)
    workspace.execute(f"CREATE TABLE typed AS {_joined(workspace, 'people', readings)}")
    two_births = doubt_sources(workspace, readings)
    _drop_empty_gaps(workspace)
    notes = _compare(workspace, readings, lists)
    if details:
        notes += _set_aside(workspace, lists, details)
    for reading in readings:
        workspace.execute(f"DROP TABLE {reading.typed}")
    workspace.execute("DROP TABLE people")
    return tuple(notes), two_births


def spell_teams(workspace: Workspace, table: str, column: str, team_names: Mapping[str, str]) -> None:
    """Give each team in ``column`` the name that the config gives it; a team the config does not know stays."""
    rows = workspace.execute(f'SELECT DISTINCT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL').fetchall()
    spelt = [(name, team_names[fold_name(name)]) for (name,) in rows if team_names.get(fold_name(name), name) != name]
    if spelt:
        load_rows(workspace, "team_spelling", {"spelling": "VARCHAR", "name": "VARCHAR"}, spelt)
        workspace.execute(
            f'UPDATE "{table}" SET "{column}" = team_spelling.name FROM team_spelling '
            f'WHERE team_spelling.spelling = "{table}"."{column}"'
        )
        workspace.execute("DROP TABLE team_spelling")


# Whose cell stands


def _suppliers(readings: Sequence[Reading], name: str) -> list[Reading]:
    """The sources that have the column, the one preferred for it first, one that only implies it last."""
    having = [reading for reading in readings if name in reading.supplied]
    return sorted(having, key=lambda reading: (name in reading.extract.implied, name not in reading.extract.prefer))


def _covers(workspace: Workspace, reading: Reading, name: str) -> str:
    """SQL: whether the source has a cell of that column for the person."""
    gap = _gap(workspace, reading, name)
    return f"({reading.typed}.person_id IS NOT NULL AND {gap} IS DISTINCT FROM {NOT_SUPPLIED})"


def _gap(workspace: Workspace, reading: Reading, name: str) -> str:
    gap = f"{name}_gap"
    return f"{reading.typed}.{gap}" if gap in workspace.columns_of(reading.typed) else "NULL::VARCHAR"


def _stands(workspace: Workspace, reading: Reading, name: str) -> str:
    """SQL: whether the source's cell is used whatever later sources say."""
    if name in reading.extract.prefer:
        return _covers(workspace, reading, name)
    return f"({reading.typed}.{name} IS NOT NULL OR {_gap(workspace, reading, name)} IS NOT DISTINCT FROM {UNREADABLE})"


def _cell(workspace: Workspace, suppliers: Sequence[Reading], name: str) -> tuple[str, str]:
    """SQL for the value that stands, and for its gap."""
    values, gaps = [], []
    for place, reading in enumerate(suppliers):
        stands = _stands(workspace, reading, name)
        if place and name in reading.extract.implied:
            # Where another source has the person, even its blank says more.
            others = " OR ".join(_covers(workspace, other, name) for other in suppliers[:place])
            stands = f"({stands} AND NOT ({others}))"
        values.append(f"WHEN {stands} THEN {reading.typed}.{name}")
        gaps.append(f"WHEN {stands} THEN {_gap(workspace, reading, name)}")
    covered = " OR ".join(_covers(workspace, reading, name) for reading in suppliers)
    value = f"CASE {' '.join(values)} END"
    return value, f"CASE {' '.join(gaps)} WHEN {covered} THEN NULL ELSE {NOT_SUPPLIED} END"


def _beside(readings: Sequence[Reading], people: str) -> str:
    joins = (f"LEFT JOIN {reading.typed} ON {reading.typed}.person_id = {people}.person_id" for reading in readings)
    return f"FROM {people} {' '.join(joins)}"


def _joined(workspace: Workspace, people: str, readings: Sequence[Reading]) -> str:
    selected = []
    for name in (column.name for column in COLUMNS):
        if suppliers := _suppliers(readings, name):
            value, gap = _cell(workspace, suppliers, name)
            selected.append(f"{value} AS {name}, {gap} AS {name}_gap")
    died = " OR ".join(f"coalesce({reading.typed}.died, false)" for reading in readings)
    return f"SELECT {people}.*, {died} AS died, {', '.join(selected)} {_beside(readings, people)}"


def _refuse_before_joined_birth(workspace: Workspace, readings: Sequence[Reading]) -> None:
    """A detail source need not have the birth date; its dates are held against the one that stands."""
    suppliers = _suppliers(readings, "date_of_birth")
    if suppliers:
        value, _ = _cell(workspace, suppliers, "date_of_birth")
        workspace.execute(
            f"CREATE OR REPLACE TEMP TABLE births AS SELECT people.person_id, {value} AS date_of_birth "
            f"{_beside(suppliers, 'people')}"
        )
        for reading in readings:
            refuse_before_birth(workspace, reading, births="births")
        workspace.execute("DROP TABLE births")


def _drop_empty_gaps(workspace: Workspace) -> None:
    """A gap that nobody has costs a column of a million rows for nothing."""
    gaps = sorted(name for name in workspace.columns_of("typed") if name.endswith("_gap"))
    found = workspace.execute(f"SELECT {', '.join(f'count({name})' for name in gaps)} FROM typed").fetchall()[0]
    for name, count in zip(gaps, found, strict=True):
        if not count:
            workspace.execute(f"ALTER TABLE typed DROP COLUMN {name}")


# Where sources differ


def _compare(workspace: Workspace, readings: Sequence[Reading], lists: Sequence[Reading]) -> list[str]:
    """Make ``difference``; how many there are of each kind, in words."""
    workspace.execute(
        'CREATE TABLE difference (person_id VARCHAR, "column" VARCHAR, used_source VARCHAR, used_value VARCHAR, '
        "other_source VARCHAR, other_value VARCHAR)"
    )
    notes = []
    for other in lists:
        workspace.execute(
            f"INSERT INTO difference SELECT person_id, 'present', {name_source(lists)}, 'yes', $other, 'no' "
            f"FROM people ANTI JOIN {other.typed} USING (person_id)",
            {"other": other.extract.source},
        )
        missing = number_of(workspace, "SELECT count(*) FROM difference WHERE other_source = ?", other.extract.source)
        if missing:
            people = write_count(missing, "person of the other lists is", "people of the other lists are")
            notes.append(f"{people} not in {other.extract.source}; they are listed in differences.csv")
    for name in COMPARED:
        if len(suppliers := _suppliers(readings, name)) > 1:
            _compare_column(workspace, suppliers, name)
    counted = 'SELECT "column", count(DISTINCT person_id) FROM difference GROUP BY ALL'
    counts = dict(workspace.execute(counted).fetchall())
    if disagree := [f"{name} of {counts[name]:,}" for name in COMPARED if name in counts]:
        notes.append(f"sources disagree on the {', '.join(disagree)} (listed in differences.csv)")
    return notes


def _compare_column(workspace: Workspace, suppliers: Sequence[Reading], name: str) -> None:
    """Add to ``difference`` each readable cell that is not what the cell that stands says, where that is readable."""
    cells = " UNION ALL ".join(
        f"SELECT people.person_id, {place} AS place, {literal(reading.extract.source)} AS source, "
        f"{reading.typed}.{name} AS value, {_gap(workspace, reading, name)} IS NULL AS readable, "
        f"{_stands(workspace, reading, name)} AS stands "
        f"{_beside([reading], 'people')} WHERE {_covers(workspace, reading, name)}"
        for place, reading in enumerate(suppliers)
    )
    # Everything blank: whoever covers the person is as good as another.
    workspace.execute(
        f"""
        INSERT INTO difference
        WITH cell AS ({cells}),
        used AS (FROM cell QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY stands DESC, place) = 1)
        SELECT person_id, '{name}', used.source, {_shown(name, "used.value")}, other.source,
            {_shown(name, "other.value")}
        FROM used JOIN cell AS other USING (person_id)
        WHERE used.readable AND other.readable
            AND {_key(name, "used.value")} IS DISTINCT FROM {_key(name, "other.value")}
        """
    )


def _key(name: str, value: str) -> str:
    if name == "personal_adviser":
        return WORDS.format(value)
    return f"lower({value})" if BY_NAME[name].kind == "text" else value


def _shown(name: str, value: str) -> str:
    return "''" if name in NEVER_SHOWN else f"coalesce({value}::VARCHAR, '{BLANK}')"


# Who is in a detail source and not on the caseload


def _set_aside(workspace: Workspace, lists: Sequence[Reading], details: Sequence[Reading]) -> list[str]:
    """Make ``not_on_caseload`` and ``elsewhere``; whom each detail source covers, in words."""
    workspace.execute('CREATE TABLE not_on_caseload (source VARCHAR, file VARCHAR, "row" BIGINT, person_id VARCHAR)')
    people = number_of(workspace, "SELECT count(*) FROM people")
    notes = []
    for reading in details:
        extract = reading.extract
        workspace.execute(
            f'INSERT INTO not_on_caseload SELECT $source, $file, "row", person_id '
            f"FROM {reading.typed} ANTI JOIN people USING (person_id)",
            {"source": extract.source, "file": extract.file},
        )
        covered, strangers, shortened = workspace.execute(
            f"""
            SELECT count(p.person_id), count(*) - count(p.person_id), count(bare) FILTER (p.person_id IS NULL)
            FROM {reading.typed} AS t LEFT JOIN people AS p USING (person_id)
            LEFT JOIN (SELECT DISTINCT ltrim(person_id, '0') AS bare FROM people) ON bare = ltrim(t.person_id, '0')
            """
        ).fetchall()[0]
        notes.append(f"{extract.source} covers {covered:,} of the {people:,} people on the caseload")
        if strangers:
            is_are = "is" if strangers == 1 else "are"
            notes.append(
                f"{write_people(strangers)} in {extract.source} {is_are} not on the caseload: "
                "listed in not-on-caseload.csv"
            )
        if shortened:
            notes.append(
                f"of those, {shortened:,} would be on it but for zeros at the start of the id; export ids as text"
            )
    died = " UNION ALL ".join(f"SELECT person_id FROM {reading.typed} WHERE died" for reading in details)
    workspace.execute(
        f"CREATE TABLE elsewhere AS SELECT DISTINCT person_id FROM ({died}) ANTI JOIN people USING (person_id)"
    )
    return notes


def _has_elsewhere(workspace: Workspace) -> bool:
    return "elsewhere" in workspace.tables


def count_absent_deaths(workspace: Workspace) -> int:
    """Return how many of the roster's living people who are missing tonight a detail source says have died."""
    if not _has_elsewhere(workspace):
        return 0
    return number_of(
        workspace,
        "SELECT count(*) FROM elsewhere JOIN roster USING (person_id) "
        "WHERE roster.died_on IS NULL AND roster.ended_on IS NULL",
    )


def note_absent_deaths(workspace: Workspace) -> None:
    """Note in ``absent`` (the roster's people missing tonight) who has died, as detail sources say.

    Nothing else that these say of them counts: they are judged on their last values, and no date of tonight's was held
    against their birth date.
    """
    if _has_elsewhere(workspace):
        workspace.execute("UPDATE absent SET died = true WHERE person_id IN (SELECT person_id FROM elsewhere)")
