"""The commands that look at what the nights left, and change nothing."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.options import (
    CONFIG,
    AsAt,
    AsJson,
    ConfigPath,
    date_option,
    load,
    locate_database,
    read_rulebook,
    today,
)
from monitor.errors import Problems


def export(
    output: Annotated[Path, typer.Option(help="The file to write.")],
    config: ConfigPath = CONFIG,
    form: Annotated[Literal["csv", "xlsx", "json"], typer.Option("--format", help="What to write.")] = "csv",
    team: Annotated[str | None, typer.Option(help="One team only, in any of its spellings.")] = None,
    rule: Annotated[str | None, typer.Option(help="One rule only, by its id.")] = None,
    state: Annotated[Literal["open", "held", "waived"] | None, typer.Option(help="One state only.")] = None,
) -> None:
    """Write the unresolved flags to a file, as the last accepted night left them."""
    settings = load(config)

    from monitor.config.id_lists import read_restricted
    from monitor.lists.answer_sheet import allow_answers
    from monitor.lists.flag_workbook import ListTerms
    from monitor.lists.lists import export_flags, prepare, resolve_team
    from monitor.record import last_night
    from monitor.rulebook.kept_rulebook import open_rulebook
    from monitor.store.database import reading_store

    rulebook = open_rulebook(settings)
    if rule is not None:
        rulebook.find(rule)
    with reading_store(locate_database(settings)) as database:
        workspace, as_at = last_night.load_last_night(database)
        with database.reading() as store:
            answering = allow_answers(settings, store)
    with workspace:
        prepare(workspace, rulebook.rules, settings.teams, as_at=as_at)
        if team is not None:
            team = resolve_team(workspace, settings.teams, team)
        asked = {"team": team, "rule": rule, "state": state}
        wanted = {column: value for column, value in asked.items() if value is not None}
        restricted, marking = read_restricted(settings), settings.delivery.marking
        terms = ListTerms(as_at, restricted, marking, answering, case_url=settings.case_url)
        count = export_flags(workspace, output, terms, form=form, wanted=wanted)
    typer.echo(f"{count} {'flag' if count == 1 else 'flags'} as at {as_at} written to {output}")


def measures(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """The service's figures on the last accepted night, beside those of four weeks before."""
    settings = load(config)

    from monitor.cli import plain_text, terminal
    from monitor.figures import measures as figures
    from monitor.store.database import reading_store

    with reading_store(locate_database(settings)) as database:
        nights, account = figures.read_last(database)
    if as_json:
        plain_text.print_json(figures.as_dict(nights, account))
    else:
        terminal.print_measures(account)


def explain(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The young person's id.")],
    config: ConfigPath = CONFIG,
    rule: Annotated[str | None, typer.Option(help="One rule only, by its id.")] = None,
    as_at: AsAt = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything held about them as JSON.")] = False,
) -> None:
    """One person: every rule's answer with the values used, what would clear each, and what is held about them."""
    settings = load(config)

    from monitor.cli import terminal
    from monitor.config.id_lists import read_restricted
    from monitor.record.explain import explain_person, narrow
    from monitor.store.database import reading_store

    rulebook = read_rulebook(config)
    if rule is not None:
        rulebook.find(rule)
    with reading_store(locate_database(settings)) as database:
        account = explain_person(database, settings, rulebook, person.strip(), as_at=as_at)
    if rule is not None:
        account = narrow(account, rule)
    terminal.print_person(account, restricted=person in read_restricted(settings), as_json=as_json)


def backtest(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, or the path of a rule file.")],
    config: ConfigPath = CONFIG,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Another limit; may be given again.")
    ] = None,
    since: Annotated[dt.date | None, date_option("--from", "First night told of.")] = None,
    until: Annotated[dt.date | None, date_option("--to", "Last night told of.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a new or changed rule over the kept nights; nothing is saved or sent."""
    settings = load(config)

    from monitor.caseload.list_matches import read_merged_as_recorded
    from monitor.cli import plain_text, terminal
    from monitor.config.id_lists import read_restricted
    from monitor.messages.routes import plan_routes
    from monitor.record import backtest as replaying
    from monitor.record.kept_nights import find_nights
    from monitor.store.database import reading_store

    limits = dict(_named_value(one) for one in limit or ())
    chosen = replaying.choose_rule(read_rulebook(config), read_rulebook(config, adjusted=False), rule, limits)
    question = replace(chosen, since=since, until=until)
    with reading_store(locate_database(settings)) as database:
        nights = find_nights(database, settings.data_folder / "snapshots")
        with database.reading() as store:
            merged = read_merged_as_recorded(store, settings.merged_ids)
    routes = plan_routes(settings.teams, settings.people, read_restricted(settings))
    with plain_text.progress() as say:
        say("Replaying the kept nights")
        found = replaying.replay(question, nights, routes, merged=merged)
    terminal.print_replay(found, as_json=as_json)


def report(
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write into; made if it is not there.")],
    config: ConfigPath = CONFIG,
    since: Annotated[dt.date | None, date_option("--from", "First day; 52 weeks back if not said.")] = None,
    until: Annotated[dt.date | None, date_option("--to", "Last day; today if left out.")] = None,
    team: Annotated[str | None, typer.Option(help="One team only, in any of its spellings.")] = None,
    board: Annotated[
        bool, typer.Option("--board", help="The board's edition: no ids, and no number from which one under 6 follows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the oversight report: who is out of sight, since when, and what was done."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.messages.templates import open_templates
    from monitor.report.report_nights import ReportRequest
    from monitor.report.write import gather_edition, write_report
    from monitor.rulebook.kept_rulebook import open_rulebook
    from monitor.store.database import reading_store

    rulebook = open_rulebook(settings)
    with reading_store(locate_database(settings)) as database:
        request = ReportRequest(today(), since, until, team, board)
        contents = gather_edition(database, settings, rulebook, request)
    files = [str(path) for path in write_report(contents, output, open_templates(settings.templates))]
    plain_text.print_account(files, {"files": files}, as_json=as_json)


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise Problems([f'--limit {text[:60]}: not a name and a value; write it like --limit "contact_within=6 weeks"'])
    return name.strip(), value.strip()
