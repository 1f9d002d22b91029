"""Publishes a saved night: its lists, messages and report, which the next run of the same date makes again."""

from dataclasses import replace
from pathlib import Path

from monitor.config.id_lists import read_restricted
from monitor.delivery.channel import Channel
from monitor.errors import MonitorError, Problems
from monitor.files import write_each
from monitor.flags import coming_due, decision_lists
from monitor.lists import answer_sheet, lists
from monitor.lists.flag_workbook import ListTerms
from monitor.lists.team_page import describe_pages
from monitor.night.context import Night, NightOutcome
from monitor.night.on_duty import write_anew
from monitor.outbox.send import Choice, deliver_due
from monitor.report.write import write_latest_report
from monitor.workdays import london_date
from monitor.workspace import drop_tables


def publish(night: Night, outcome: NightOutcome, channel: Channel) -> NightOutcome:
    """Write the lists, deliver what is due, write the report; what cannot be written keeps nothing else back."""
    paths: tuple[Path, ...] = ()
    unwritten: MonitorError | None = None
    try:
        paths = _write_lists(night)
        night.note("lists written", files=len(paths))
    except MonitorError as fault:
        unwritten = fault
    night.tools.say("Delivering messages")
    now = night.tools.clock()
    if night.as_at != london_date(now):
        words = (night.rulebook, night.templates)
        write_anew(night.database, night.config, lambda: words, now, shared=night.shared)
    delivered = deliver_due(
        night.database, channel, night.config, clock=night.tools.clock, choice=Choice(shared=night.shared)
    )
    night.note("messages sent", **delivered.counts)
    report, report_fault = write_report(night)
    if unwritten:
        raise MonitorError("\n".join(filter(None, (str(unwritten), report_fault))))
    return replace(outcome, lists=paths, report=report, report_fault=report_fault, delivered=delivered)


def prepare_lists(night: Night) -> None:
    """Make the tables of the lists from ``flag_line`` and tonight's answers, in place of what those were made of."""
    drop_tables(night.workspace, "settled")
    lists.prepare(night.workspace, night.rulebook.rules, night.config.teams, as_at=night.as_at)
    lists.prepare_unassessed(night.workspace, night.rulebook.rules)
    decision_lists.prepare(night.workspace, night.as_at)
    coming_due.prepare_list(night.workspace)


def write_report(night: Night) -> tuple[tuple[Path, ...], str | None]:
    """Write the latest oversight report; return what went wrong with it, which undoes nothing of the night."""
    if not night.config.report.every_night:
        return (), None
    night.tools.say("Writing the oversight report")
    try:
        paths = write_latest_report(
            night.config, night.rulebook, night.templates, night.database, made_on=night.request.today
        )
    except Exception as fault:
        night.note("report failed", fault=type(fault).__name__)
        if isinstance(fault, MonitorError):
            return (), str(fault)
        return (), f"the oversight report could not be made ({type(fault).__name__}); monitor report shows where"
    night.note("report written", files=len(paths))
    return paths, None


def _write_lists(night: Night) -> tuple[Path, ...]:
    config = night.config
    night.tools.say("Writing exception lists")
    with night.database.reading() as store:
        answering = answer_sheet.allow_answers(config, store)
        pages = None
        if config.lists.workbooks:
            pages = describe_pages(config, night.rulebook, night.templates, store, night.as_at)
    restricted = read_restricted(config)
    # People are told of already; the lists need memory for long rows.
    drop_tables(night.workspace, "caseload", "roster", "roster_tonight")
    paths: list[Path] = []
    terms = ListTerms(
        night.as_at, restricted, config.delivery.marking, answering, case_url=config.case_url, pages=pages
    )

    def write() -> None:
        paths.extend(
            lists.write_night(
                night.workspace,
                night.lists.parent,
                terms,
                teams=[team.name for team in config.teams],
                workbooks=config.lists.workbooks,
            )
        )

    def copy() -> None:
        if config.lists.lists_folder and night.lists.is_dir():
            paths.extend(lists.publish(night.lists, config.lists.lists_folder))

    write_each([write, copy])
    if pages and pages.faults:
        raise Problems(list(dict.fromkeys(pages.faults)))
    return tuple(paths)
