"""The rules asked of invented people, those of a List 9 and those of a lake's table, for what came of it."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from monitor.caseload.full_caseload import write_people_tonight
from monitor.caseload.intake import CouncilNames, type_rows
from monitor.catalogue.columns import COLUMNS
from monitor.catalogue.derived import derived_sql
from monitor.config.source_settings import Source
from monitor.rulebook import evaluation
from monitor.rulebook.evaluation import Counts
from monitor.rulebook.kept_rulebook import open_shipped
from monitor.sample.list_9 import write_sample
from monitor.sample.many_people import write_people
from monitor.sample.supplement import HELD, write_sample_supplement
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import Workspace, open_workspace

NOT_ASKED = frozenset({"left-caseload", "status-dropped"})
"""Rules of people who are away or were once entitled, which a List 9 alone does not tell."""


def count_listed(folder: Path, *, people: int, as_at: date) -> Mapping[str, Counts]:
    """Return what came of each rule for a List 9 and its supplement, typed as the night types them."""
    write_sample(folder / "list-9.csv", people=people, as_at=as_at, seed=1)
    write_sample_supplement(folder / "supplement.csv", people=people, as_at=as_at, seed=1)
    with open_workspace() as workspace:
        extracts = [
            read_source(Source(name=kind, kind=kind, path=folder / name), workspace, SourceContext(as_at, folder))
            for kind, name in (("annex-a-list-9", "list-9.csv"), ("supplement", "supplement.csv"))
        ]
        type_rows(workspace, extracts, as_at=as_at, names=CouncilNames())
        return _count(workspace, f"SELECT *, NULL::DATE AS elsewhere_until FROM {write_people_tonight(as_at)}", as_at)


def count_typed(*, people: int, as_at: date) -> Mapping[str, Counts]:
    """Return what came of each rule for the people of a lake's table."""
    query = write_people(people=people, as_at=as_at, seed=1)
    with open_workspace() as workspace:
        return _count(
            workspace,
            f"""SELECT *, {derived_sql()} FROM (
                SELECT *, NULL::VARCHAR AS strongest_category, as_at AS accommodation_since, as_at AS first_seen_on,
                    NULL::DATE AS elsewhere_until FROM ({query}))""",
            as_at,
        )


def _count(workspace: Workspace, caseload: str, as_at: date) -> Mapping[str, Counts]:
    workspace.execute(f"CREATE TABLE caseload AS {caseload}")
    supplied = frozenset(column.name for column in COLUMNS if column.headings and column.name != "death_date")
    asking = evaluation.Asking(as_at, supplied | frozenset(HELD))
    evaluated = evaluation.evaluate(workspace, open_shipped(), asking)
    assert evaluated.failed == {}
    return {rule: counts for rule, counts in evaluated.totals.items() if rule not in NOT_ASKED}
