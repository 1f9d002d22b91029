"""Writes the exception lists: every unresolved flag, whoever could not be assessed, whatever could not be read.

A list is written from the night's workspace and decides nothing. CSV files are UTF-8 with a byte order mark,
without which Excel on Windows spoils accented names; dates in them are ISO. People in ``restricted`` are in
no list but their own, which is for the head of service.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from monitor.config.id_lists import restricted_sql
from monitor.csv_text import csv_heading, csv_line
from monitor.errors import Problems
from monitor.figures.out_of_sight import WAYS_SQL
from monitor.files import append_privately, folder_written_whole, open_privately, written_whole
from monitor.flags.decision_lists import ANSWER_COLUMNS, WAIVER_COLUMNS
from monitor.flags.priority import LIST_ORDER, priority_sql
from monitor.lists.flag_workbook import EVERY, FlagPart, ListTerms, write_flag_workbooks
from monitor.lists.team_page import PagePart, write_team_pages
from monitor.messages.list_place import OTHER_TEAMS, file_names, name_page
from monitor.messages.shown import shown_title
from monitor.rulebook.clearing import in_words
from monitor.words import fold_name, nearest
from monitor.workspace import Workspace, drop_tables, in_chunks, literal, literals, load_rows, number_of, step

if TYPE_CHECKING:
    from monitor.config.delivery_settings import Team
    from monitor.rulebook.rule import Rule

FLAG_COLUMNS = (
    "person_id", "team", "personal_adviser", "age", "eligibility", "rule", "title", "severity", "basis",
    "state", "opened_on", "in_breach_since", "days_open", "because", "action", "report_paragraphs",
    "waived_until", "title_in_mail", "out_of_sight",
)  # fmt: skip
"""``title_in_mail``: what an e-mail calls the flag, where a plain rule is said in place of a sensitive one.

``out_of_sight``: the ways in which the young person is out of sight, by this flag or another; empty if in none.
"""
OF_PERSON = "out_of_sight"
FLAG_LIST_COLUMNS = tuple(column for column in FLAG_COLUMNS if column != OF_PERSON)
"""The columns of ``flag_list``, whose flags are in the order of no list yet; and of a flag that waits in quarantine."""
CANNOT_ASSESS_COLUMNS = ("person_id", "team", "missing", "why", "rules")
SUMMARY = "cannot-assess-summary"
SUMMARY_KINDS = {
    "missing": "VARCHAR", "young_people": "BIGINT", "restricted": "BIGINT", "why": "VARCHAR", "rules": "VARCHAR",
}  # fmt: skip
"""The list beside those who could not be assessed: a row a column. ``young_people``: those listed; ``restricted``: how
many more the list of restricted people has."""
UNREADABLE_COLUMNS = ("source", "file", "sheet", "row", "column", "reason", "value", "cells", "rows")
COMING_DUE_COLUMNS = (
    "person_id", "team", "personal_adviser", "rule", "title", "severity", "opens_on", "days_until", "action",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("person_id", "column", "used_source", "used_value", "other_source", "other_value")
NOT_ON_CASELOAD_COLUMNS = ("source", "file", "row", "person_id")

BESIDE = (
    ("cannot-assess", "cannot_assess_list", CANNOT_ASSESS_COLUMNS, "team, person_id, missing"),
    ("coming-due", "coming_due_list", COMING_DUE_COLUMNS, "opens_on, team, person_id, rule"),
    ("unreadable", "unreadable", UNREADABLE_COLUMNS, 'source, file, sheet, "row", "column"'),
    ("differences", "difference", DIFFERENCE_COLUMNS, '"column", person_id, other_source'),
    ("not-on-caseload", "not_on_caseload", NOT_ON_CASELOAD_COLUMNS, 'source, "row"'),
    ("quarantined", "quarantined_list", FLAG_LIST_COLUMNS, "rule, person_id"),
    ("waivers", "waiver_list", WAIVER_COLUMNS, "ended_on NULLS FIRST, until_on, person_id, rule, waived_on"),
    ("answers", "answer_list", ANSWER_COLUMNS, "place, answered_on, team, person_id, rule"),
)
"""The lists beside those of flags: file, workspace table, columns, order."""
MOST_ROWS_NAMED = 1_000
GROUPED = {
    "unreadable": f"""(
        SELECT source, file, sheet, min("row") AS "row", "column", reason, value, count(*) AS cells,
            array_to_string(list("row" ORDER BY "row")[:{MOST_ROWS_NAMED}], ', ')
                || CASE WHEN count(*) > {MOST_ROWS_NAMED}
                    THEN ' and ' || (count(*) - {MOST_ROWS_NAMED}) || ' more' ELSE '' END AS "rows"
        FROM unreadable
        GROUP BY source, file, sheet, "column", reason, value, CASE WHEN "column" = '' THEN "row" END
    )"""
}
"""Lists that have a line for each text or reason, with the number of its cells, the first row and every row."""
MADE = {"cells": "BIGINT", "rows": "VARCHAR"}
NOT_EVERY_NIGHT = ("difference", "not_on_caseload", "coming_due_list", "quarantined_list", "waiver_list", "answer_list")
"""Tables that only a night of several sources has, or one with something to forecast, to wait for or decided."""

RESTRICTED = "restricted"
MOST_OTHER_TEAMS = 100


@step(reads=("flag_line", "caseload"), makes=("rule_words", "team_name", "flag_list"))
def prepare(workspace: Workspace, rules: Iterable["Rule"], teams: Iterable["Team"], *, as_at: date) -> None:
    """Make ``flag_list`` of ``flag_line``; teams have the names of the config where it knows them under another.

    Flags in quarantine wait for the analyst: they are in ``quarantined_list`` alone, and in no list of a lead.
    """
    rules = tuple(rules)
    by_id = {rule.id: rule for rule in rules}
    columns = dict.fromkeys(("rule", "title", "basis", "action", "report", "title_in_mail"), "VARCHAR")
    words = [
        (
            rule.id,
            rule.title,
            rule.basis,
            _what_to_do(rule),
            ", ".join(map(str, rule.report)),
            shown_title(by_id, rule.id),
        )
        for rule in rules
    ]
    load_rows(workspace, "rule_words", columns, words)
    known = {fold_name(spelling): team.name for team in teams for spelling in (team.name, *team.also_known_as)}
    spelt = [row[0] for row in workspace.execute("SELECT DISTINCT allocated_team FROM caseload").fetchall() if row[0]]
    named = [(spelling, known.get(fold_name(spelling), spelling)) for spelling in spelt]
    load_rows(workspace, "team_name", {"team": "VARCHAR", "name": "VARCHAR"}, named)
    folding = [(rule.id, folded) for rule in rules for folded in rule.folds]
    folds = {"rules": literals(rule for rule, _ in folding), "folds": literals(folded for _, folded in folding)}
    workspace.execute(FLAG_LIST.format(name="flag_list", wanted="<> 'quarantined'", as_at=as_at, **folds))
    if number_of(workspace, "SELECT count(*) FROM flag_line WHERE state = 'quarantined'"):
        workspace.execute(FLAG_LIST.format(name="quarantined_list", wanted="= 'quarantined'", as_at=as_at, **folds))


@step(reads=("team_name",))
def resolve_team(workspace: Workspace, teams: Iterable["Team"], asked: str) -> str:
    """Return what the lists call the team that is asked for in any of its spellings, after ``prepare``.

    Raises ``Problems`` with the nearest where neither the config nor the caseload has it.
    """
    rows = workspace.execute("SELECT DISTINCT name FROM team_name ORDER BY name").fetchall()
    known: dict[str, str] = {fold_name(name): name for (name,) in rows}
    known |= {fold_name(spelling): team.name for team in teams for spelling in (team.name, *team.also_known_as)}
    if fold_name(asked) not in known:
        named = ", ".join(f'"{name}"' for name in dict.fromkeys(known.values())) or "none"
        close = nearest(fold_name(asked), known)
        remedy = f'did you mean "{known[close]}"?' if close else f"the config and the caseload name {named}"
        raise Problems([f'--team "{asked}": no such team; {remedy}'])
    return known[fold_name(asked)]


def _what_to_do(rule: "Rule") -> str:
    """The next step, and what on the record will clear the flag."""
    until = in_words(rule)
    return f"{rule.action} To clear it: {until}." if rule.cleared_by else f"{rule.action} {until}"


FLAG_LIST = """
CREATE OR REPLACE VIEW {name} AS
WITH current AS (SELECT * FROM flag_line WHERE state <> 'resolved'),
folding AS (SELECT unnest({rules}) AS rule, unnest({folds}) AS folded)
SELECT
    f.person_id, coalesce(n.name, f.team) AS team, f.personal_adviser, f.age, f.eligibility, f.rule,
    coalesce(w.title, 'A rule no longer in the rulebook') AS title, f.severity, w.basis, f.state, f.opened_on,
    f.in_breach_since, CAST(DATE '{as_at}' - f.opened_on AS INTEGER) AS days_open, f.because, w.action,
    w.report AS report_paragraphs, f.waived_until, w.title_in_mail, f.flag_id,
    'answered "' || f.answer || '" on ' || strftime(f.answered_on, '%d/%m/%Y') || ' by ' || f.answered_by
        || CASE WHEN f.answer = 'done' THEN '; record not yet updated' ELSE '' END AS answered,
    EXISTS (
        SELECT 1 FROM current AS other JOIN folding ON folding.rule = other.rule
        WHERE other.person_id = f.person_id AND folding.folded = f.rule
    ) AS folded
FROM current AS f LEFT JOIN rule_words AS w USING (rule) LEFT JOIN team_name AS n USING (team)
WHERE f.state {wanted}
"""
"""A view: the words of a rule stand in many rows, and take more room than the flags."""


@step(
    reads=("caseload", "breach", "cannot_assess", "team_name"),
    makes=("cannot_assess_list",),
    drops=("breach", "cannot_assess"),
)
def prepare_unassessed(workspace: Workspace, rules: Iterable["Rule"]) -> None:
    """Make ``cannot_assess_list`` of tonight's answers, after ``prepare``.

    A blank that a rule flags for someone is not listed again as what could not be assessed, but a birth date: without
    it hardly any rule can be asked, so it is listed with their number.
    """
    needed = [(rule.id, column) for rule in rules for column in rule.needs]
    workspace.execute(
        """
        CREATE OR REPLACE TABLE cannot_assess_list AS
        WITH needed AS (SELECT unnest($rules::VARCHAR[]) AS rule, unnest($columns::VARCHAR[]) AS "column")
        SELECT
            a.person_id, coalesce(n.name, c.allocated_team) AS team, a."column" AS missing, a.why,
            CASE WHEN any_value(a."column") = 'date_of_birth' AND count(*) > 1 THEN count(*) || ' rules: ' ELSE '' END
                || string_agg(a.rule, ', ' ORDER BY a.rule) AS rules
        FROM cannot_assess AS a
        JOIN caseload AS c USING (person_id)
        LEFT JOIN team_name AS n ON n.team = c.allocated_team
        WHERE NOT (a.why = 'blank' AND a."column" <> 'date_of_birth' AND EXISTS (
            SELECT 1 FROM breach JOIN needed USING (rule)
            WHERE breach.person_id = a.person_id AND needed."column" = a."column"
        ))
        GROUP BY ALL
        """,
        {"rules": [rule for rule, _ in needed], "columns": [column for _, column in needed]},
    )
    drop_tables(workspace, "breach", "cannot_assess")


@step(reads=("flag_list", "cannot_assess_list", "unreadable"), makes=("listed",))
def write_night(
    workspace: Workspace, folder: Path, terms: ListTerms, *, teams: Sequence[str], workbooks: bool
) -> list[Path]:
    """Write the night's lists into ``folder/<as_at>``, whole or not at all, in place of any already there.

    From the workspace tables ``flag_list`` (``FLAG_LIST_COLUMNS``, and perhaps a BOOLEAN ``folded`` for what adds
    nothing to a person's priority), and those of ``BESIDE`` that the night has. Each of ``teams`` gets its own
    pair even when it is empty, and so does any other team with flags, unless there are so many that the column
    cannot be holding teams; what is left, and people with no team, are in ``other-teams``. Returns the paths written.
    """
    others = _other_teams(workspace, teams, terms.restricted)
    files = file_names(teams, others if len(others) <= MOST_OTHER_TEAMS else ())
    types = _read_types(workspace)
    kinds = _arrange(workspace, types["flag_list"], files, terms.restricted, "TABLE" if workbooks else "VIEW")
    lists = {EVERY: "Every team", **{file: team for team, file in files.items()}}
    night = folder / terms.as_at.isoformat()
    with folder_written_whole(night) as unfinished:
        rows = f"SELECT CASE WHEN aside THEN '{RESTRICTED}' ELSE file END, {csv_line(kinds)} FROM listed"
        written = _write_csvs(unfinished, kinds, in_chunks(workspace, rows), lists)
        if OTHER_TEAMS in written:
            lists[OTHER_TEAMS] = "Other teams, and young people with no team"
        _write_beside(workspace, unfinished, types, terms.restricted)
        if workbooks:
            parts = {
                file: FlagPart(unfinished / f"{file}.xlsx", subject, complete=f"{file}.csv has them all")
                for file, subject in lists.items()
            }
            write_flag_workbooks(workspace, parts, kinds, terms)
            if terms.pages is not None:
                pages = {
                    file: PagePart(unfinished / name_page(file), subject, file)
                    for file, subject in lists.items()
                    if file != EVERY
                }
                write_team_pages(workspace, pages, terms, terms.pages)
    return sorted(night.iterdir())


def export_flags(
    workspace: Workspace,
    output: Path,
    terms: ListTerms,
    *,
    form: Literal["csv", "xlsx", "json"],
    wanted: Mapping[str, str],
) -> int:
    """Write the flags whose columns hold what is ``wanted`` to ``output``, whole or not at all; the number of them."""
    kinds = _list_wanted(workspace, terms, wanted)
    with written_whole(output) as unfinished:
        if form == "xlsx":
            subject = ", ".join(wanted.values()) or "Every team"
            part = FlagPart(unfinished, subject, complete="a csv or json export has them all")
            write_flag_workbooks(workspace, {EVERY: part}, kinds, terms)
        elif form == "csv":
            append_privately(unfinished, csv_heading(kinds))
            for chunk in in_chunks(workspace, f"SELECT {csv_line(kinds)} FROM listed"):
                append_privately(unfinished, "".join(line for (line,) in chunk))
        else:
            _write_json(workspace, unfinished)
    return number_of(workspace, "SELECT count(*) FROM listed")


def export_page(workspace: Workspace, output: Path, terms: ListTerms, *, file: str, team: str) -> None:
    """Write the page of one team's flags to ``output``, whole or not at all; ``file``: the name of its list."""
    if terms.pages is None:
        raise AssertionError("whoever writes a page says what it needs")
    _list_wanted(workspace, terms, {"team": team})
    with written_whole(output) as unfinished:
        write_team_pages(workspace, {OTHER_TEAMS: PagePart(unfinished, team, file)}, terms, terms.pages)


def publish(night: Path, folder: Path) -> list[Path]:
    """Copy the teams' own lists from ``night`` into the same date's folder in ``folder``, for the leads.

    Whoever may read ``folder``, which must be there, may read the copies; nothing else of the night is copied.
    """
    with folder_written_whole(folder / night.name, shared=True) as unfinished:
        for path in night.iterdir():
            if path.name.startswith(("team-", OTHER_TEAMS)):
                with open_privately(unfinished / path.name, "wb") as copy:
                    copy.write(path.read_bytes())
    return sorted((folder / night.name).iterdir())


# Arranging.


def _list_wanted(workspace: Workspace, terms: ListTerms, wanted: Mapping[str, str]) -> dict[str, str]:
    """Make ``listed`` of the flags whose columns hold what is ``wanted``; returns its columns' types."""
    kinds = _arrange(workspace, _read_types(workspace)["flag_list"], {}, terms.restricted)
    scope = " AND ".join(["NOT aside", *(f'"{column}" = {literal(value)}' for column, value in wanted.items())])
    workspace.execute(f"DELETE FROM listed WHERE ({scope}) IS NOT TRUE")
    return kinds


def _other_teams(workspace: Workspace, teams: Sequence[str], restricted: Collection[str]) -> list[str]:
    rows = workspace.execute(
        f"SELECT DISTINCT team FROM flag_list WHERE trim(team) <> '' AND NOT {restricted_sql(restricted)}"
    ).fetchall()
    return sorted({team for (team,) in rows} - set(teams))


def _arrange(
    workspace: Workspace,
    types: Mapping[str, str],
    files: Mapping[str, str],
    restricted: Collection[str],
    relation: Literal["TABLE", "VIEW"] = "TABLE",
) -> dict[str, str]:
    """Make ``listed``: the flags of ``flag_list`` in the order of every list; returns its columns' types.

    Beside them: ``n`` (the place in that order), ``file`` (the team's) and ``aside`` (a restricted person's). Its rows
    stand in that order, so that nobody need put such long rows in order again; a view is for those who read it once.
    """
    columns = ", ".join(f'{_plain(column, types[column])} AS "{column}"' for column in FLAG_LIST_COLUMNS)
    columns += "".join(f", {name}" for name in ("flag_id", "answered") if name in types)
    unfolded = "NOT coalesce(folded, false)" if "folded" in types else "true"
    workspace.execute(f"""
        CREATE OR REPLACE TEMP {relation} listed AS
        WITH flags AS (SELECT {columns}, {unfolded} AS unfolded FROM flag_list),
        list_file AS (SELECT unnest({literals(files)}) AS team, unnest({literals(files.values())}) AS file),
        priority AS ({priority_sql("flags", "unfolded")}),
        sight AS (SELECT person_id, {WAYS_SQL} AS {OF_PERSON} FROM flags GROUP BY person_id)
        SELECT row_number() OVER () AS n, * FROM (
            SELECT
                coalesce(file, '{OTHER_TEAMS}') AS file,
                {restricted_sql(restricted)} AS aside,
                flags.* EXCLUDE (unfolded),
                {OF_PERSON}
            FROM flags JOIN priority USING (person_id) JOIN sight USING (person_id) LEFT JOIN list_file USING (team)
            ORDER BY {LIST_ORDER}
        )
    """)
    return {column: _kind(types[column]) for column in FLAG_LIST_COLUMNS} | {OF_PERSON: "VARCHAR"}


def _read_types(workspace: Workspace) -> dict[str, Mapping[str, str]]:
    """Return the columns of each table of the lists that the night has, with their types."""
    tables = ("flag_list", *(table for _, table, _, _ in BESIDE))
    return {table: workspace.types_of(table) for table in tables if table in workspace.tables}


def _kind(duckdb_type: str) -> str:
    if duckdb_type == "DATE":
        return "DATE"
    return "INTEGER" if duckdb_type in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT") else "VARCHAR"


def _plain(column: str, duckdb_type: str) -> str:
    """The SQL for a column as it is listed; several values in one cell are set apart by commas."""
    if duckdb_type.endswith("[]"):
        return f"array_to_string(\"{column}\", ', ')"
    return f'CAST("{column}" AS {_kind(duckdb_type)})'


# Writing.


def _write_csvs(
    folder: Path, columns: Iterable[str], chunks: Iterable[Iterable[tuple[str, str]]], named: Iterable[str]
) -> set[str]:
    """Write lines, each with its file, of ``columns``; return the files, of which those ``named`` may be empty.

    What is not restricted is in the file of ``EVERY`` too, if that is named.
    """
    headings = {SUMMARY: csv_heading(SUMMARY_KINDS)}
    usual = csv_heading(columns)
    written: set[str] = set()

    def add(file: str, lines: Iterable[str]) -> None:
        heading = "" if file in written else headings.get(file, usual)
        append_privately(folder / f"{file}.csv", heading + "".join(lines))
        written.add(file)

    for file in named:
        add(file, ())
    for rows in chunks:
        # Each line is rendered once, for the whole list and for its team's.
        by_file: dict[str, list[str]] = {}
        for file, line in rows:
            by_file.setdefault(file, []).append(line)
        if EVERY in written:
            add(EVERY, (line for file, line in rows if file != RESTRICTED))
        for file, lines in by_file.items():
            add(file, lines)
    return written


def _write_beside(
    workspace: Workspace, folder: Path, types: Mapping[str, Mapping[str, str]], restricted: Collection[str]
) -> None:
    """Write the lists beside those of flags, the rows of restricted people in files of their own."""
    aside = restricted_sql(restricted)
    for name, table, columns, order in BESIDE:
        if table in NOT_EVERY_NIGHT and table not in types:
            continue
        kinds = {column: _kind({**types[table], **MADE}[column]) for column in columns}
        of_people = "person_id" in columns
        file = f"CASE WHEN {aside} THEN '{RESTRICTED}-{name}' ELSE '{name}' END" if of_people else f"'{name}'"
        rows = f"SELECT {file}, {csv_line(kinds)} FROM {GROUPED.get(table, table)} ORDER BY {order}"
        named = [name]
        if table == "cannot_assess_list":
            rows, named = _add_summary(f"{file} AS file, {csv_line(kinds)} AS line", aside), [name, SUMMARY]
        _write_csvs(folder, kinds, in_chunks(workspace, rows), named)


def _add_summary(cells: str, aside: str) -> str:
    """The query of who could not be assessed and, in the same pass, of how many there are for each column."""
    return f"""
        WITH summary AS (
            SELECT
                missing, count(DISTINCT coalesce(person_id, '')) FILTER (NOT {aside}) AS young_people,
                count(DISTINCT person_id) FILTER ({aside}) AS restricted,
                array_to_string(list_transform(
                    map_entries(histogram(why)), lambda each: concat(each['key'], ': ', each['value'])
                ), ', ') AS why,
                array_to_string(list_sort(list_distinct(string_split(
                    string_agg(DISTINCT regexp_replace(rules, '^[0-9]+ rules: ', ''), ', '), ', '
                ))), ', ') AS rules
            FROM cannot_assess_list GROUP BY missing
        )
        SELECT file, line FROM (
            SELECT team, person_id, 0 AS fewer, missing, {cells} FROM cannot_assess_list
            UNION ALL
            SELECT NULL, NULL, -young_people - restricted, missing, '{SUMMARY}', {csv_line(SUMMARY_KINDS)} FROM summary
        ) ORDER BY team, person_id, fewer, missing
    """


def _write_json(workspace: Workspace, path: Path) -> None:
    fields = ", ".join(f"'{column}': \"{column}\"" for column in FLAG_COLUMNS)
    before = "[\n"
    for rows in in_chunks(workspace, f"SELECT to_json({{{fields}}}) FROM listed"):
        append_privately(path, before + ",\n".join(row for (row,) in rows))
        before = ",\n"
    append_privately(path, "[]\n" if before == "[\n" else "\n]\n")
