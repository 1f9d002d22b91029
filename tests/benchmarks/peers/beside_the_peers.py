"""Give the same twelve rules over the same file to the field's tools and to the monitor, and print what each costs.

    pip install -e '.[peers]'
    python tests/benchmarks/peers/beside_the_peers.py 1000000

Every tool runs in a process of its own, from its import to its last count, the median of three; all must count the
same breaches. A tool that is not installed, or fails, is said in its line. Nothing here runs with the tests.
"""

import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

AS_AT = dt.date(2026, 1, 12)
ENTITLED = ("relevant", "former relevant")
LEFT_CARE = ("eligibility", "in", ENTITLED)

Condition = tuple[str, str, Any]
Counts = dict[str, int]

RULES: Mapping[str, Sequence[Condition]] = {
    "contact-overdue": (LEFT_CARE, ("latest_contact_date", "older", 56)),
    "contact-lost": (LEFT_CARE, ("in_touch", "in", ("YES",)), ("latest_contact_date", "older", 91)),
    "not-in-touch": (LEFT_CARE, ("in_touch", "in", ("NO",))),
    "refuses-contact": (("latest_contact_date", "older", 28), ("in_touch", "in", ("REFU",))),
    "no-adviser": (LEFT_CARE, ("personal_adviser", "blank", None)),
    "over-21-adviser": (("date_of_birth", "older", 7670), ("personal_adviser", "blank", None)),
    "plan-overdue": (LEFT_CARE, ("pathway_plan_review_date", "older", 182)),
    "eligible-plan": (("eligibility", "in", ("eligible",)), ("pathway_plan_review_date", "older", 91)),
    "homeless": (LEFT_CARE, ("accommodation", "in", ("S",))),
    "custody-contact": (("accommodation", "in", ("X",)), ("latest_contact_date", "older", 28)),
    "neet": (LEFT_CARE, ("activity", "in", ("G4", "G5", "G6"))),
    "neet-and-lost": (("activity", "in", ("G4", "G5", "G6")), ("in_touch", "in", ("NO", "REFU"))),
}
"""Each rule's conditions, all of which must hold: ``older`` than so many days, ``in`` a list of codes, or ``blank``."""

DATES = ("date_of_birth", "latest_contact_date", "pathway_plan_review_date")


def day_of(days: int) -> dt.date:
    return AS_AT - dt.timedelta(days)


def write_people(path: str, people: int) -> None:
    """Write a caseload of 30 columns, the twelve rules' among them."""
    import duckdb

    def day(span: int, salt: int) -> str:
        return f"DATE '{AS_AT}' - CAST(hash(n, {salt}) % {span} AS INTEGER)"

    def code(values: Sequence[str], salt: int) -> str:
        return f"({list(values)})[1 + CAST(hash(n, {salt}) % {len(values)} AS INTEGER)]"

    columns = {
        "person_id": "printf('%07d', n)",
        "date_of_birth": f"{day(9 * 365, 1)} - 16 * 365",
        "eligibility": code(["former relevant"] * 6 + ["relevant", "eligible", "qualifying"], 2),
        "allocated_team": code(["North", "South", "East", "West"], 5),
        "personal_adviser": "CASE WHEN hash(n, 6) % 4 > 0 THEN 'Adviser ' || (hash(n, 7) % 9000) END",
        "pathway_plan_review_date": day(260, 8),
        "in_touch": code(["YES"] * 8 + ["NO", "REFU"], 9),
        "latest_contact_date": day(120, 10),
        "accommodation": code([*"BCDEKTUUUUUZ", "S", "W", "X", "R"], 11),
        "activity": code(["F1", "F2", "F4", "F5", "P5", "G4", "G5", "G5"], 13),
        **{f"local_note_{k}": f"'note ' || (hash(n, {20 + k}) % 500)" for k in range(20)},
    }
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    duckdb.execute("SET enable_progress_bar = false")
    duckdb.execute(f"COPY (SELECT {listed} FROM range({people}) AS numbers(n)) TO '{path}' (HEADER)")


def sql_of(condition: Condition) -> str:
    column, test, value = condition
    if test == "older":
        return f"{column} < DATE '{day_of(value)}'"
    return f"{column} IS NULL" if test == "blank" else f"{column} IN ({', '.join(map(repr, value))})"


def where(rule: str) -> str:
    return " AND ".join(map(sql_of, RULES[rule]))


def duckdb_fused(path: str) -> Counts:
    import duckdb

    duckdb.execute("SET enable_progress_bar = false")
    counts = ", ".join(f"count(*) FILTER ({where(rule)})" for rule in RULES)
    answer = duckdb.execute(f"SELECT {counts} FROM read_csv('{path}')").fetchone()
    assert answer is not None
    return dict(zip(RULES, answer, strict=True))


def polars_lazy(path: str) -> Counts:
    import polars as pl

    def holds(condition: Condition) -> pl.Expr:
        column, test, value = condition
        if test == "older":
            return pl.col(column) < pl.lit(day_of(value))
        return pl.col(column).is_null() if test == "blank" else pl.col(column).is_in(list(value))

    people = pl.scan_csv(path, try_parse_dates=True)
    counts = [pl.all_horizontal(*map(holds, RULES[rule])).sum().alias(rule) for rule in RULES]
    return people.select(counts).collect().row(0, named=True)


def pandas_as_the_field_writes_it(path: str) -> Counts:
    """As the field's validators do: object columns, and every rule with its own copy that it parses its dates in."""
    import pandas as pd

    people = pd.read_csv(path, dtype=object)

    def holds(table: Any, condition: Condition) -> Any:
        column, test, value = condition
        if test == "older":
            table[column] = pd.to_datetime(table[column], format="%Y-%m-%d", errors="coerce")
            return table[column] < pd.Timestamp(day_of(value))
        return table[column].isna() if test == "blank" else table[column].isin(value)

    counts = {}
    for rule, (first, *others) in RULES.items():
        table = people.copy()
        mask = holds(table, first)
        for other in others:
            mask &= holds(table, other)
        counts[rule] = len(table.index[mask].to_list())
    return counts


def soda_on_duckdb(path: str) -> Counts:
    import duckdb
    from soda.scan import Scan

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"CREATE TABLE people AS SELECT * FROM read_csv('{path}')")
    checks = "checks for people:\n" + "".join(
        f'  - failed rows:\n      name: {rule}\n      samples limit: 0\n      fail condition: "{where(rule)}"\n'
        for rule in RULES
    )
    scan = Scan()
    scan.disable_telemetry()
    scan.set_data_source_name("duckdb")
    scan.add_duckdb_connection(connection)
    scan.add_sodacl_yaml_str(checks)
    scan.execute()
    assert not scan.has_error_logs(), scan.get_error_logs_text()
    return {check["name"]: int(check["diagnostics"]["value"]) for check in scan.get_scan_results()["checks"]}


def great_expectations(path: str) -> Counts:
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd
    from great_expectations.expectations.row_conditions import Column

    def only_where(condition: Condition) -> Any:
        column, test, value = condition
        return Column(column) < str(day_of(value)) if test == "older" else Column(column).is_in(list(value))

    def expect(condition: Condition, row_condition: Any) -> Any:
        column, test, value = condition
        usual = {"column": column, "row_condition": row_condition}
        if test == "older":
            return gxe.ExpectColumnValuesToBeBetween(min_value=pd.Timestamp(day_of(value)), **usual)
        if test == "blank":
            return gxe.ExpectColumnValuesToNotBeNull(**usual)
        return gxe.ExpectColumnValuesToNotBeInSet(value_set=list(value), **usual)

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("council").add_dataframe_asset("people")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        {"dataframe": pd.read_csv(path, parse_dates=list(DATES))}
    )
    counts = {}
    for rule, (*conditions, last) in RULES.items():
        row_condition = only_where(conditions[0])
        for condition in conditions[1:]:
            row_condition = row_condition & only_where(condition)
        result = batch.validate(expect(last, row_condition), result_format="BASIC")
        assert not result.exception_info.get("raised_exception"), result.exception_info
        counts[rule] = int(result.result["unexpected_count"])
    return counts


def monitor(path: str) -> Counts:
    """Read, type and ask: every cell checked, every person answered by every rule, each breach with its reason."""
    from monitor.caseload.full_caseload import join_roster
    from monitor.caseload.intake import CouncilNames, type_rows
    from monitor.config.source_settings import Source
    from monitor.rulebook import evaluation
    from monitor.rulebook.rule_folders import load_rulebook
    from monitor.sources.extract import SourceContext
    from monitor.sources.read import read_source
    from monitor.workspace import open_workspace

    rules = Path(path).parent / "rules"
    rules.mkdir(exist_ok=True)
    for rule in RULES:
        (rules / f"{rule}.toml").write_text(rule_file(rule), encoding="utf-8")
    rulebook, workspace = load_rulebook((rules,), {}), open_workspace()
    source = Source(name="caseload", kind="annex-a-list-9", path=Path(path))
    extract = read_source(source, workspace, SourceContext(AS_AT, rules.parent))
    intake = type_rows(workspace, [extract], as_at=AS_AT, names=CouncilNames())
    workspace.execute(
        "CREATE TABLE roster (person_id VARCHAR, strongest_category VARCHAR, last_values VARCHAR, "
        "accommodation_since DATE, first_seen_on DATE, absent_since DATE, died_on DATE, ended_on DATE)"
    )
    join_roster(workspace, intake, as_at=AS_AT)
    totals = evaluation.evaluate(workspace, rulebook, evaluation.Asking(AS_AT, intake.supplied)).totals
    return {rule: counts.breach for rule, counts in totals.items()}


def rule_file(rule: str) -> str:
    """Write the rule as the monitor's own analysts do: whom it applies to, and what is a breach."""
    *conditions, last = RULES[rule]
    needs = sorted({column for column, _, _ in RULES[rule]})

    def said(condition: Condition) -> str:
        column, test, value = condition
        return f"{column} < as_at - {value}" if test == "older" else sql_of(condition)

    return f"""
title = "{rule.capitalize().replace("-", " ")}"
severity = "high"
basis = "practice"
reference = "None."
why = "To be measured."
action = "None."
needs = {json.dumps(needs)}
any_age = true
applies_to = "{" and ".join(map(said, conditions))}"
breach_if = "{said(last)}"
because = "Recorded: {{{{ {last[0]}{" | date" if last[0] in DATES else ""} }}}}."
"""


TOOLS: Mapping[str, tuple[Callable[[str], Counts], str, str]] = {
    "DuckDB fused on read": (duckdb_fused, "duckdb", "duckdb"),
    "Polars lazy": (polars_lazy, "polars", "polars"),
    "the monitor: read, type and ask": (monitor, "monitor", "care-leaver-monitor"),
    "Soda on DuckDB": (soda_on_duckdb, "soda", "soda-core-duckdb"),
    "pandas as the field writes it": (pandas_as_the_field_writes_it, "pandas", "pandas"),
    "Great Expectations": (great_expectations, "great_expectations", "great-expectations"),
}
YARDSTICK = "DuckDB fused on read"
TIMES = 3


def main(people: int) -> int:
    """Print the table; 1 if a tool counted otherwise than DuckDB, or failed."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from support.measured import python, spent

    start = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import beside_the_peers as peers, json; "
    print(f"{people:,} people, {len(RULES)} rules, 30 columns\n{'':<34}{'x':>7}{'CPU s':>9}{'peak MB':>9}")
    faults, unit, expected = [], 0.0, ""
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), str(Path(name) / "list-9.csv")
        spent(python(f"{start}peers.write_people(sys.argv[1], int(sys.argv[2]))", path, people), folder)
        for tool, (count, module, package) in TOOLS.items():
            if find_spec(module) is None:
                print(f"{tool:<34}not installed: pip install {package}")
                continue
            code = f"{start}print(); print(json.dumps(peers.{count.__name__}(sys.argv[1]), sort_keys=True))"
            try:
                accounts = [spent(python(code, path), folder) for _ in range(TIMES)]
            except (AssertionError, subprocess.CalledProcessError) as fault:
                faults.append(f"{tool} failed: {fault}")
                print(f"{tool:<34}failed")
                continue
            seconds, peak = median(a.seconds for a in accounts), median(a.megabytes for a in accounts)
            counted = accounts[0].printed.splitlines()[-1]
            if tool == YARDSTICK:
                unit, expected = seconds, counted
            if counted != expected:
                faults.append(f"{tool} counted {counted}\nnot {expected}")
            print(f"{tool:<34}{seconds / unit:>7.1f}{seconds:>9.2f}{peak:>9.0f}", flush=True)
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
