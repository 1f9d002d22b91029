"""What a small night asks of the workspace: each statement takes longer to plan than twenty people take to answer."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from test_cli import write_council

from monitor.config.settings import load_config
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.sample.list_9 import write_sample
from monitor.store.nights import Request
from monitor.workspace import Workspace

MOST = 200
"""Statements of a night of twenty people, whatever has happened to them since the night before."""


def test_a_night_of_twenty_people_takes_at_most_two_hundred_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_council(tmp_path)
    config = load_config(tmp_path / "monitor.toml")
    # The rules of a night are kept since they were last checked.
    open_rulebook(config)
    asked: Counter[dt.date] = Counter()
    execute = Workspace.execute

    def counted(night: dt.date) -> Callable[..., object]:
        def execute_and_count(workspace: Workspace, statements: str, parameters: object = None) -> object:
            asked[night] += len(duckdb.extract_statements(statements))
            return execute(workspace, statements, parameters)

        return execute_and_count

    first = dt.date(2026, 1, 12)
    for day in (first + dt.timedelta(days) for days in range(4)):
        write_sample(tmp_path / "list-9.csv", people=20, as_at=day, seed=1)
        monkeypatch.setattr(Workspace, "execute", counted(day))
        now = dt.datetime.combine(day, dt.time(9), dt.UTC)
        assert run_night(config, Request(day, day), Tools(lambda now=now: now, {}, str)).outcome == "accepted"

    assert len(asked) == 4
    assert max(asked.values()) <= MOST, asked
