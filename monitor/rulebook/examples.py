"""Running the rules' own examples: every example a row of one small caseload, asked as any night's is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.catalogue import columns, derived
from monitor.rulebook.evaluation import ask
from monitor.rulebook.rule import Example, Rule
from monitor.rulebook.rule_keys import NOT_ASKED
from monitor.workspace import Workspace, load_rows, lock_down, open_workspace

GIVEN_TYPES: Mapping[str, str] = {
    "person_id": "VARCHAR",
    "as_at": "DATE",
    "source": "VARCHAR",
    "present": "BOOLEAN",
    "died": "BOOLEAN",
    "strongest_category": "VARCHAR",
    "accommodation_since": "DATE",
    "elsewhere_until": "DATE",
    "first_seen_on": "DATE",
    **{column.name: column.duckdb_type for column in columns.COLUMNS},
    **{f"{column.name}_gap": "VARCHAR" for column in columns.COLUMNS},
}


@dataclass(frozen=True)
class Result:
    """What one example expected and got; ``row`` is what it gave, with what was worked out from it."""

    rule: str
    name: str
    expected: str
    got: str
    row: Mapping[str, Any]

    @property
    def agrees(self) -> bool:
        return self.expected == self.got


def build_caseload(workspace: Workspace, examples: Iterable[Example]) -> None:
    """Make ``caseload`` from examples; ``person_id`` is E and the example's place, from 1."""
    rows = (_row(f"E{place}", example) for place, example in enumerate(examples, start=1))
    load_rows(workspace, "given", GIVEN_TYPES, (tuple(row[name] for name in GIVEN_TYPES) for row in rows))
    workspace.execute(
        f"CREATE OR REPLACE TABLE caseload AS SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM given"
    )
    workspace.execute("DROP TABLE given")


def _row(person_id: str, example: Example) -> dict[str, Any]:
    given = dict(example.given)
    once, listed = given.pop("once_entitled", False), not given.pop("unlisted", False)
    accepted_as = given.pop("once_accepted_as", "former relevant" if once else None)
    row: dict[str, Any] = {
        **dict.fromkeys(GIVEN_TYPES), "person_id": person_id, "as_at": example.as_at, "source": "example",
        "present": listed, "first_seen_on": example.as_at if listed else None, "strongest_category": accepted_as,
        **given,
        **{f"{name}_gap": "unreadable" for name in example.unreadable},
        **{f"{name}_gap": "not supplied" for name in example.not_supplied},
    }  # fmt: skip
    row["died"] = row["in_touch"] == "DIED" or bool(row["death_date"] or row["death_date_gap"] == "unreadable")
    return row


def run_rules(rules: Sequence[Rule]) -> list[Result]:
    """Return the result of every example of these rules, in their order.

    Give the rules without the config's adjustments, which examples do not know.
    """
    cases = [(rule, example) for rule in rules for example in rule.examples]
    with open_workspace() as workspace:
        build_caseload(workspace, (example for _, example in cases))
        lock_down(workspace)
        _, failed = ask(workspace, rules)
        expected = ((place, f"E{place}", rule.id) for place, (rule, _) in enumerate(cases, start=1))
        kinds = {"place": "INTEGER", "person_id": "VARCHAR", "rule": "VARCHAR"}
        load_rows(workspace, "expected", kinds, expected)
        rows = workspace.execute("""
            SELECT outcome, age, category, declined FROM expected
            JOIN caseload USING (person_id) LEFT JOIN answer USING (person_id, rule) ORDER BY place
        """).fetchall()
    results = []
    for (rule, example), (got, *worked_out) in zip(cases, rows, strict=True):
        outcome = f"failed: {failed[rule.id]}" if rule.id in failed else got or NOT_ASKED
        row = {
            "as_at": example.as_at, **example.given,
            **dict.fromkeys(example.unreadable, "unreadable"),
            **dict.fromkeys(example.not_supplied, "not supplied"),
            **dict(zip(("age", "category", "declined"), worked_out, strict=True)),
        }  # fmt: skip
        results.append(Result(rule.id, example.name, example.expect, outcome, row))
    return results
