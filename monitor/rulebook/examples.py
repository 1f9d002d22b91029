"""Running the rules' own examples: every example a row of one small caseload, asked as any night's is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from monitor.catalogue import columns, derived
from monitor.rulebook.conditions import compile_condition, counts_working_days
from monitor.rulebook.evaluation import ask
from monitor.rulebook.rule_file import Example, Rule
from monitor.rulebook.rule_keys import NOT_ASKED
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, load_rows, lock_down, open_workspace

GIVEN_TYPES: Mapping[str, str] = {
    "person_id": "VARCHAR",
    "as_at": "DATE",
    "source": "VARCHAR",
    "present": "BOOLEAN",
    "died": "BOOLEAN",
    "strongest_category": "VARCHAR",
    "accommodation_since": "DATE",
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
    derived.create_macros(workspace)
    rows = (_row(f"E{place}", example) for place, example in enumerate(examples, start=1))
    load_rows(workspace, "given", GIVEN_TYPES, (tuple(row[name] for name in GIVEN_TYPES) for row in rows))
    workspace.execute(
        f"CREATE OR REPLACE TABLE caseload AS SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM given"
    )
    workspace.execute("DROP TABLE given")


def _row(person_id: str, example: Example) -> dict[str, Any]:
    given = dict(example.given)
    row: dict[str, Any] = dict.fromkeys(GIVEN_TYPES)
    accepted_as = given.pop("once_accepted_as", None)
    if given.pop("once_entitled", False) and accepted_as is None:
        accepted_as = "former relevant"
    listed = not given.pop("unlisted", False)
    first_seen_on = example.as_at if listed else None
    row.update(person_id=person_id, as_at=example.as_at, source="example", present=listed, first_seen_on=first_seen_on)
    row.update(given)
    row.update({f"{name}_gap": "unreadable" for name in example.unreadable})
    row.update({f"{name}_gap": "not supplied" for name in example.not_supplied})
    row["strongest_category"] = accepted_as
    row["died"] = row["in_touch"] == "DIED" or bool(row["death_date"] or row["death_date_gap"] == "unreadable")
    return row


def run(rulebook: Rulebook) -> list[Result]:
    """The result of every example of every rule, drafts included, in the rulebook's order.

    Limits are those of the rulebook given: load it without the config's adjustments, which examples do not know.
    """
    return run_rules(rulebook.rules)


def run_rules(rules: Sequence[Rule]) -> list[Result]:
    """As ``run``, for these rules."""
    cases = [(rule, example) for rule in rules for example in rule.examples]
    workspace = open_workspace()
    build_caseload(workspace, (example for _, example in cases))
    lock_down(workspace)
    _, failed = ask(workspace, rules)
    load_rows(
        workspace,
        "expected",
        {"person_id": "VARCHAR", "rule": "VARCHAR"},
        ((f"E{place}", rule.id) for place, (rule, _) in enumerate(cases, start=1)),
    )
    got = dict(
        workspace.execute("SELECT person_id, outcome FROM answer JOIN expected USING (person_id, rule)").fetchall()
    )
    worked_out = {
        person_id: facts
        for person_id, *facts in workspace.execute("SELECT person_id, age, category, declined FROM caseload").fetchall()
    }
    workspace.close()
    results = []
    for place, (rule, example) in enumerate(cases, start=1):
        person_id = f"E{place}"
        outcome = f"failed: {failed[rule.id]}" if rule.id in failed else got.get(person_id, NOT_ASKED)
        row = {
            "as_at": example.as_at, **example.given,
            **dict.fromkeys(example.unreadable, "unreadable"),
            **dict.fromkeys(example.not_supplied, "not supplied"),
            **dict(zip(("age", "category", "declined"), worked_out[person_id], strict=True)),
        }  # fmt: skip
        results.append(Result(rule.id, example.name, example.expect, outcome, row))
    return results


# What a rule's examples must show between them.


def find_untested(rulebook: Rulebook) -> list[str]:
    """What the examples leave unproved: an outcome never shown, or a day beside a deadline never tried."""
    missing: list[str] = []
    for rule in rulebook.rules:
        shown = {example.expect for example in rule.examples}
        for outcome in ("breach", "ok", "not applicable", "cannot assess"):
            if outcome not in shown and outcome not in rule.cannot_exist:
                missing.append(
                    f'{rule.file}: examples: none expects "{outcome}"; add one, or say in cannot_exist why not'
                )
            if outcome in shown and outcome in rule.cannot_exist:
                missing.append(f'{rule.file}: cannot_exist: an example does expect "{outcome}"; leave it out')
    return [*missing, *_find_untested_days(rulebook.rules)]


def _find_untested_days(rules: Sequence[Rule]) -> Iterable[str]:
    """A deadline is proved by two examples a day apart: the last day that is ok, and the first that is not."""
    timed = [(rule, rule.due_on) for rule in rules if rule.due_on is not None]
    people = map("E{}".format, count(1))
    workspace = open_workspace()
    build_caseload(workspace, (example for rule, _ in timed for example in rule.examples))
    if any(counts_working_days(due_on, rule.limits) for rule, due_on in timed):
        derived.create_working_days(workspace)
    for rule, due_on in timed:
        days = f"SELECT person_id, as_at - ({compile_condition(due_on, rule.limits)}) FROM caseload"
        late = dict(workspace.execute(days).fetchall())
        tried = {(example.expect, late[next(people)]) for example in rule.examples}
        if not _stand_a_day_apart(tried):
            yield f"{rule.file}: examples: none stand a day apart on each side of due_on; add the two"
    workspace.close()


def _stand_a_day_apart(tried: Collection[tuple[str, int | None]]) -> bool:
    """Whether a person who is ok, and one in breach a day later, are among these outcomes and days after due_on."""
    return any(expect == "ok" and late is not None and ("breach", late + 1) in tried for expect, late in tried)
