"""The workspace's pipeline: a step that lacks a table names it, and what a step declares is what it does."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from support.command import monitor

from monitor.config.settings import load_config
from monitor.night.context import NightOutcome, Tools
from monitor.night.run import run_night
from monitor.store.nights import Request
from monitor.workspace import Step, StepFault, Workspace, drop_tables, load_rows, open_workspace, step

MONDAY = dt.date(2026, 1, 5)
NOT_EVERY_NIGHT = frozenset({
    "difference", "elsewhere", "not_on_caseload", "quarantined_list", "coming_due_list", "waiver_list",
    "answer_list", "care_history", "line_rule", "seen_beginning", "out_of_sight",
    "outcome_ahead", "flag_now", "flag_was", "heir_told",
})  # fmt: skip
"""What only a night of several sources has, one with something to list, one with a weekly summary to write, one of
few enough people to be asked of later days together with tonight, or one put right."""


@step(makes=("caseload",))
def load_caseload(workspace: Workspace) -> None:
    load_rows(workspace, "caseload", {"person_id": "VARCHAR"}, [("P1",)])


@step(reads=("caseload", "roster"), makes=("joined",))
def join(workspace: Workspace) -> None:
    workspace.execute("CREATE TABLE joined AS SELECT * FROM caseload JOIN roster USING (person_id)")


@step(reads=("caseload",), makes=("promised",))
def promise(workspace: Workspace) -> None:
    workspace.execute("SELECT * FROM caseload")


def test_a_step_whose_tables_are_not_there_names_them() -> None:
    workspace = open_workspace()
    load_caseload(workspace)

    with pytest.raises(StepFault, match=r"^test_pipeline\.join: needs roster: no such table in the workspace$"):
        join(workspace)


def test_a_table_is_made_by_one_step_and_once() -> None:
    workspace = open_workspace()
    load_caseload(workspace)

    with pytest.raises(StepFault, match=r"would make again caseload \(made by test_pipeline\.load_caseload\)"):
        load_caseload(workspace)


def test_the_columns_of_a_table_are_those_it_has_now() -> None:
    workspace = open_workspace()
    load_caseload(workspace)
    assert workspace.columns_of("caseload") == {"person_id"}

    workspace.execute("ALTER TABLE caseload ADD COLUMN team VARCHAR")
    assert workspace.columns_of("caseload") == {"person_id", "team"}
    workspace.execute("CREATE OR REPLACE TABLE caseload AS SELECT 1 AS age")
    assert workspace.columns_of("caseload") == {"age"}


def test_a_step_that_does_not_make_what_it_declares_is_found_out() -> None:
    workspace = open_workspace()
    load_caseload(workspace)

    with pytest.raises(StepFault, match="was to make promised"):
        promise(workspace)


def test_a_table_that_no_step_made_counts_as_there() -> None:
    workspace = open_workspace()
    load_caseload(workspace)
    load_rows(workspace, "roster", {"person_id": "VARCHAR"}, [("P1",)])

    join(workspace)

    assert [made.name for made in workspace.steps] == ["test_pipeline.load_caseload", "test_pipeline.join"]


def test_tables_are_dropped_by_one_statement_and_those_that_are_not_there_passed_over() -> None:
    workspace = open_workspace()
    for name in ("one", "two", "three"):
        load_rows(workspace, name, {"person_id": "VARCHAR"}, [("P1",)])

    drop_tables(workspace, "one", "two", "no such table")

    assert workspace.tables == {"three"}
    assert workspace.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("three",)]


class Watch:
    """What each step of a workspace's pipeline names in its statements, and which tables it leaves behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.current: list[Step] = []
        self.read: defaultdict[str, set[str]] = defaultdict(set)
        self.made: defaultdict[str, set[str]] = defaultdict(set)
        self.declared: dict[str, Step] = {}
        self.strays: set[str] = set()
        self.there_at: dict[str, set[str]] = {}
        self._there: set[str] = set()
        begin, finish, execute = Workspace.begin, Workspace.finish, Workspace.execute

        def begun(workspace: Workspace, step: Step) -> None:
            begin(workspace, step)
            self.current.append(step)
            self.declared[step.name] = step
            if len(self.current) == 1:
                self._there = self._tables(workspace)
                self.there_at.setdefault(step.name, self._there)
                self.strays |= self._there - workspace._made_by.keys() - NOT_EVERY_NIGHT

        def finished(workspace: Workspace, step: Step) -> None:
            finish(workspace, step)
            self.current.pop()
            if not self.current:
                self.made[step.name] |= self._tables(workspace) - self._there

        def executed(workspace: Workspace, statement: str, parameters: object = None) -> object:
            if self.current and "duckdb_tables" not in statement:
                self.read[self.current[0].name] |= named_tables(DATE.sub(str(MONDAY), statement)) & self._there
            return execute(workspace, statement, parameters)

        monkeypatch.setattr(Workspace, "begin", begun)
        monkeypatch.setattr(Workspace, "finish", finished)
        monkeypatch.setattr(Workspace, "execute", executed)

    def _tables(self, workspace: Workspace) -> set[str]:
        found = workspace._duckdb.execute(
            "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        return {name for (name,) in found.fetchall()}


DATE = re.compile(r"\d{4}-\d\d-\d\d")


@cache
def named_tables(statement: str) -> frozenset[str]:
    """The tables that a statement names; a night's differ from the next one's by their dates alone."""
    if "GENERATED ALWAYS" in statement:  # declares columns and reads nothing; the parser does not know the words
        return frozenset()
    trees = [tree for tree in sqlglot.parse(statement, read="duckdb") if tree and not isinstance(tree, exp.Drop)]
    return frozenset(
        name
        for tree in trees
        for name in {table.name for table in tree.find_all(exp.Table)}
        - {each.alias_or_name for each in tree.find_all(exp.CTE)}
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watch, list[NightOutcome]]]:
    """Two nights over the shipped example, the second run twice, and what their steps did."""
    folder = tmp_path_factory.mktemp("watched")
    example = Path(__file__).parent.parent / "config.example.toml"
    text = example.read_text(encoding="utf-8").replace("people = 900", "people = 60")
    (folder / "monitor.toml").write_text(text, encoding="utf-8")
    config = load_config(folder / "monitor.toml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch = Watch(monkeypatch)
        outcomes = []
        for day in (MONDAY, MONDAY + dt.timedelta(1), MONDAY + dt.timedelta(1)):
            moment = dt.datetime.combine(day, dt.time(9), dt.UTC)
            outcomes.append(run_night(config, Request(day, day), Tools(lambda at=moment: at, {}, str)))
        yield watch, outcomes


def declared_by(step: Step) -> frozenset[str]:
    return frozenset({*step.reads, *step.changes, *step.makes, *step.drops}) | NOT_EVERY_NIGHT


def test_a_step_reads_only_the_tables_it_declares(watched: tuple[Watch, list[NightOutcome]]) -> None:
    watch, _ = watched

    undeclared = {
        name: sorted(read)
        for name, declared in watch.declared.items()
        if (
            read := watch.read[name]
            - {*declared.reads, *declared.changes, *declared.makes, *declared.drops}
            - NOT_EVERY_NIGHT
        )
    }

    assert undeclared == {}


def test_a_step_leaves_only_the_tables_it_declares(watched: tuple[Watch, list[NightOutcome]]) -> None:
    watch, _ = watched

    undeclared = {
        name: sorted(left)
        for name, declared in watch.declared.items()
        if (left := watch.made[name] - {*declared.makes, *declared.changes} - NOT_EVERY_NIGHT)
    }

    assert undeclared == {}


def test_a_night_ends_without_what_its_flags_and_figures_were_made_of(
    watched: tuple[Watch, list[NightOutcome]],
) -> None:
    watch, _ = watched

    assert watch.there_at["lists.write_night"].isdisjoint({
        "settled", "breach", "cannot_assess", "outcome", "caseload", "roster_tonight",
    })  # fmt: skip


def test_every_table_of_a_night_is_made_by_a_step(watched: tuple[Watch, list[NightOutcome]]) -> None:
    watch, _ = watched

    assert watch.strays == set()


def test_nothing_is_made_twice_in_a_night(watched: tuple[Watch, list[NightOutcome]]) -> None:
    _, outcomes = watched

    for outcome in outcomes:
        made = [table for step in outcome.steps for table in step.makes]
        assert sorted(set(made)) == sorted(made)
    assert [outcome.outcome for outcome in outcomes] == ["accepted", "accepted", "unchanged"]


def test_the_pipeline_of_a_rehearsal_can_be_printed(tmp_path: Path) -> None:
    example = (Path(__file__).parent.parent / "config.example.toml").read_text(encoding="utf-8")
    (tmp_path / "monitor.toml").write_text(example.replace("people = 900", "people = 20"), encoding="utf-8")

    done = monitor(tmp_path, "run", "--dry-run", "--steps")

    lines = done.stdout.splitlines()
    (decide,) = [line for line in lines if line.startswith("life.decide")]
    assert "reads unresolved, caseload, roster" in decide
    assert lines.index(decide) > lines.index(next(line for line in lines if line.startswith("evaluation.evaluate")))
    assert not (tmp_path / "data" / "monitor.db").exists()
