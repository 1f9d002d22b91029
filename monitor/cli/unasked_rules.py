"""Which rules nobody could be asked, on the last accepted night or, before the first, with the sources as they are."""

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from monitor.caseload.intake import read_caseload
from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.report.rule_figures import find_unanswered
from monitor.rulebook.rule import Rule
from monitor.sources.extract import SourceContext
from monitor.store.database import is_there, reading_store
from monitor.store.location import locate
from monitor.store.nights import find_newest
from monitor.store.tables import Measure, Run, load_first, table_of
from monitor.words import join_words, write_date
from monitor.workspace import open_workspace


def find_unasked(
    config: Config, rules: Sequence[Rule], *, today: dt.date, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Return when that was, in words, and the rules that nobody could be asked, each with the reason."""
    try:
        where = locate(config, environ)
        if is_there(where, wait_seconds=0):
            with reading_store(where, wait_seconds=0) as database, database.reading() as store:
                if (night := find_newest(store)) is not None:
                    return f"on the night of {write_date(night)}", _find_of_night(store, night, rules)
        context = SourceContext(today, config.data_folder, environ, network=config.network.reach(environ))
        with open_workspace() as workspace:
            supplied = read_caseload(workspace, config, context).intake.supplied
    except MonitorError as fault:
        return f"not known ({str(fault).splitlines()[0]})", {}
    lacking = {rule.id: [name.replace("_", " ") for name in rule.needs if name not in supplied] for rule in rules}
    return "with these sources", {
        rule: f"no source supplies {join_words(names)}" for rule, names in lacking.items() if names
    }


def _find_of_night(store: Connection, night: dt.date, rules: Sequence[Rule]) -> dict[str, str]:
    run, measure = table_of(Run), table_of(Measure)
    last = load_first(store, Run, select(run).where(run.c.state == "accepted", run.c.as_at == night))
    if last is None:
        return {}
    found = find_unanswered(store, last, rules)
    counted = select(measure.c.rule, func.sum(measure.c.asked), func.sum(measure.c.cannot_assess))
    for rule, asked, unknown in store.execute(counted.where(measure.c.run_id == last.id).group_by(measure.c.rule)):
        if asked and asked == unknown:
            found.setdefault(rule, f"none of the {asked:,} young people it is asked of could be assessed")
    return found
