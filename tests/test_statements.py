"""What a small night asks of the workspace: each statement takes longer to plan than twenty people take to answer."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from monitor.config.settings import load_config
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.nights import Request
from monitor.workspace import Workspace

ONE_SOURCE = """
[[sources]]
name = "caseload"
kind = "sample"
people = 20
seed = 1
"""
TWO_SOURCES = (
    ONE_SOURCE
    + """
[[sources]]
name = "supplement"
kind = "sample"
role = "detail"
people = 20
seed = 1
"""
)
PEOPLE = """
[people]
analyst = "analyst@example.gov.uk"
[[teams]]
name = "North"
lead = "north@example.gov.uk"
[lists]
workbooks = false
"""


@pytest.mark.parametrize(("sources", "most"), [(ONE_SOURCE, 200), (TWO_SOURCES, 260)], ids=["one", "two"])
def test_a_night_of_twenty_people_takes_few_statements_whatever_happened_since_the_night_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: str, most: int
) -> None:
    (tmp_path / "monitor.toml").write_text(sources + PEOPLE, encoding="utf-8")
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
        monkeypatch.setattr(Workspace, "execute", counted(day))
        now = dt.datetime.combine(day, dt.time(9), dt.UTC)
        assert run_night(config, Request(day, day), Tools(lambda now=now: now, {}, str)).outcome == "accepted"

    assert len(asked) == 4
    assert max(asked.values()) <= most, asked
