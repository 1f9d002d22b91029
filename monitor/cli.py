"""The ``monitor`` command: reads the clock and the environment, calls one function, shows what it says.

Libraries that are slow to import are imported by the command that needs them.
"""

import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from monitor.errors import MonitorError, Problems

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.rulebook import Rulebook

LONDON = ZoneInfo("Europe/London")

app = typer.Typer(
    name="monitor",
    help="Checks every night that no young person leaving care has dropped out of sight.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules_app = typer.Typer(help="The rulebook: what is asked, why, and its own examples.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")

ConfigPath = Annotated[
    Path,
    typer.Option("--config", envvar="MONITOR_CONFIG", show_default=True, help="The configuration file."),
]
CONFIG = Path("monitor.toml")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AsAt = Annotated[
    dt.datetime | None,
    typer.Option(
        "--as-at", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The date it is about; today if left out."
    ),
]


def main() -> None:
    """Run the command line; a ``MonitorError`` is shown without a traceback and sets the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except MonitorError as fault:
        for line in str(fault).splitlines():
            typer.secho(line, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        typer.echo("stopped; what was not finished has changed nothing, run again when ready", err=True)
        sys.exit(130)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _today() -> dt.date:
    return _now().astimezone(LONDON).date()


def _load(path: Path) -> "Config":
    from monitor.config import load_config

    return load_config(path)


@app.command()
def run(
    config: ConfigPath = CONFIG,
    as_at: AsAt = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but save and send.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Put an accepted night right; needs --by.")] = False,
    accept: Annotated[
        str | None, typer.Option(metavar="REASON", help="Believe a night the gate would refuse; needs --by.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided it.")] = None,
) -> None:
    """Run one night: read, check, flag, write the lists and the e-mails."""
    decided = {"--again": again, "--accept": accept is not None}
    problems = [f"{one}: needs --by, the name of who decided it" for one, used in decided.items() if used and not by]
    if accept is not None and not accept.strip():
        problems.append("--accept: needs a reason in words")
    if problems:
        raise Problems(problems)
    settings = _load(config)

    from monitor import nightly, terminal
    from monitor.ledger import Request

    today = _today()
    request = Request(as_at.date() if as_at else today, today, dry_run, again, by, accept)
    with terminal.progress() as say:
        night = nightly.run(settings, request, nightly.Tools(_now, os.environ, say))
    terminal.show_night(night, settings)
    raise typer.Exit(night.exit_code)


@app.command()
def deliver(config: ConfigPath = CONFIG) -> None:
    """Send the messages that are waiting."""
    settings = _load(config)

    from monitor import outbox, terminal
    from monitor.delivery import open_channel
    from monitor.store import hold_lock, open_store

    channel = open_channel(settings.delivery, data_folder=settings.data_folder, environ=os.environ)
    with hold_lock(settings.database_url):
        store = open_store(settings.database_url)
        delivered = outbox.deliver_due(store, channel, sender=settings.delivery.sender, clock=_now)
        store.close()
    terminal.show_delivery(delivered)
    raise typer.Exit(0 if delivered.settled else 1)


@app.command()
def check(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Check config, rules, sources and routes; nothing is saved or sent."""
    settings = _load(config)

    from monitor import checks, terminal

    report = checks.check(settings, as_at=_today(), environ=os.environ)
    terminal.show_check(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="The file to write.")],
    config: ConfigPath = CONFIG,
    form: Annotated[Literal["csv", "xlsx", "json"], typer.Option("--format", help="What to write.")] = "csv",
    team: Annotated[str | None, typer.Option(help="One team only, as the caseload spells it.")] = None,
    rule: Annotated[str | None, typer.Option(help="One rule only, by its id.")] = None,
    state: Annotated[Literal["open", "held", "waived"] | None, typer.Option(help="One state only.")] = None,
) -> None:
    """Write the unresolved flags to a file, as the last accepted night left them."""
    settings = _load(config)

    from monitor import exceptions, recall
    from monitor.config import read_restricted
    from monitor.rulebook import load_rulebook
    from monitor.store import reading_store

    rulebook = load_rulebook(settings.rule_folders(), settings.rule)
    if rule is not None:
        rulebook.find(rule)
    with reading_store(settings.database_path, settings.database_url) as store:
        con, as_at = recall.recall(store)
    exceptions.prepare(con, rulebook.rules, settings.teams, as_at=as_at)
    count = exceptions.export(
        con,
        output,
        form=form,
        as_at=as_at,
        team=team,
        rule=rule,
        state=state,
        restricted=read_restricted(settings.restricted),
        marking=settings.delivery.marking,
    )
    typer.echo(f"{count} {'flag' if count == 1 else 'flags'} as at {as_at} written to {output}")


@app.command()
def measures(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """The service's figures on the last accepted night, beside those of four weeks before."""
    settings = _load(config)

    from monitor import measures as figures
    from monitor import terminal
    from monitor.store import reading_store

    with reading_store(settings.database_path, settings.database_url) as store:
        nights, account = figures.read_last(store)
    if as_json:
        terminal.print_json(figures.as_dict(nights, account))
    else:
        terminal.show_measures(account)


@app.command()
def confirm(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A rule whose new flags wait, or the id of someone recorded as died.")
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who confirmed it.")],
    config: ConfigPath = CONFIG,
) -> None:
    """Confirm a rule's flags that wait as a likely data fault, or what the records say of someone recorded as died."""
    settings = _load(config)

    from monitor import quarantine, recall
    from monitor.store import hold_lock, reading_store

    with hold_lock(settings.database_url), reading_store(settings.database_path, settings.database_url) as store:
        today, now = _today(), _now()
        said = quarantine.confirm(store, what, by=by, today=today, now=now)
        typer.echo(said or recall.confirm(store, what, by=by, today=today, now=now))


@app.command()
def explain(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The young person's id.")],
    config: ConfigPath = CONFIG,
    rule: Annotated[str | None, typer.Option(help="One rule only, by its id.")] = None,
    as_at: AsAt = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything held about them as JSON.")] = False,
) -> None:
    """One person: every rule's answer with the values used, what would clear each, and what is held about them."""
    settings = _load(config)

    from monitor import explanation, terminal
    from monitor.config import read_restricted
    from monitor.store import reading_store

    rulebook = _rulebook(config)
    if rule is not None:
        rulebook.find(rule)
    with reading_store(settings.database_path, settings.database_url) as store:
        account = explanation.explain(
            store, settings.data_folder / "snapshots", rulebook, person, as_at=as_at.date() if as_at else None
        )
    if rule is not None:
        account = explanation.narrow(account, rule)
    terminal.show_person(account, restricted=person in read_restricted(settings.restricted), as_json=as_json)


@app.command()
def backtest(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, or the path of a rule file.")],
    config: ConfigPath = CONFIG,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Another limit; may be given again.")
    ] = None,
    since: Annotated[
        dt.datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First night told of."),
    ] = None,
    until: Annotated[
        dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last night told of.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a new or changed rule over the kept nights; nothing is saved or sent."""
    settings = _load(config)

    from monitor import backtest as replaying
    from monitor import terminal
    from monitor.config import read_restricted
    from monitor.digests import plan_routes
    from monitor.leavers import read_merged
    from monitor.store import reading_store

    limits = dict(_named_value(one) for one in limit or ())
    rulebook, chosen = replaying.choose(_rulebook(config), _rulebook(config, adjusted=False), rule, limits)
    with reading_store(settings.database_path, settings.database_url) as store:
        nights = replaying.find_nights(store, settings.data_folder / "snapshots")
    routes = plan_routes(settings.teams, settings.people, read_restricted(settings.restricted))
    first, last = (one.date() if one else None for one in (since, until))
    with terminal.progress() as say:
        say("Replaying the kept nights")
        merged = read_merged(settings.merged_ids)
        found = replaying.replay(rulebook, chosen, nights, routes, since=first, until=last, merged=merged)
    terminal.show_replay(found, as_json=as_json)


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise Problems([f'--limit {text[:60]}: not a name and a value; write it like --limit "contact_within=6 weeks"'])
    return name.strip(), value.strip()


@app.command()
def sample(
    file: Annotated[Path, typer.Argument(help="The .xlsx or .csv file to write.")],
    people: Annotated[int, typer.Option(min=1, max=5_000_000, help="How many people to invent.")] = 900,
    as_at: AsAt = None,
    seed: Annotated[int, typer.Option(help="The same seed invents the same people.")] = 1,
    supplement: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a supplement about most of them too.")
    ] = None,
) -> None:
    """Write a List 9 of invented people, for trials."""
    from monitor.sources.circumstances import write_sample_supplement
    from monitor.sources.sample import write_sample

    day = as_at.date() if as_at else _today()
    write_sample(file, people=people, as_at=day, seed=seed)
    typer.echo(f"{people} invented people written to {file}")
    if supplement is not None:
        write_sample_supplement(supplement, people=people, as_at=day, seed=seed)
        typer.echo(f"what a supplement knows of them written to {supplement}")


@app.command()
def columns(
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an empty supplement (.xlsx) to fill in instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The data dictionary: every column, what it holds and means, and where sources have it."""
    from monitor import dictionary

    if template is not None:
        dictionary.write_template(template, as_at=_today())
        typer.echo(f"an empty supplement of {len(dictionary.SUPPLEMENT_COLUMNS)} columns written to {template}")
        return

    from monitor import terminal

    if as_json:
        terminal.print_json(dictionary.describe_columns())
    else:
        headings = ("Column", "Holds", "Meaning", "Known as")
        terminal.print_rows(headings, dictionary.column_rows())


@rules_app.command("list")
def rules_list(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Every rule: severity, basis, title."""
    from monitor import terminal

    terminal.show_rules(_rulebook(config), as_json=as_json)


@rules_app.command("show")
def rules_show(
    rule: Annotated[str, typer.Argument(help="The rule's id.")], config: ConfigPath = CONFIG, as_json: AsJson = False
) -> None:
    """One rule in full: what it asks, why, its limits and its examples."""
    from monitor import terminal

    terminal.show_rule(_rulebook(config).find(rule), as_json=as_json)


@rules_app.command("test")
def rules_test(
    rule: Annotated[str | None, typer.Argument(help="One rule's id; every rule if left out.")] = None,
    config: ConfigPath = CONFIG,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Alter every condition a little, and list what no example notices.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the rules' own examples; exit code 1 if any gives another answer."""
    from monitor import examples, terminal

    rulebook = _rulebook(config, adjusted=False)
    rules = (rulebook.find(rule),) if rule else rulebook.rules
    if mutants:
        from monitor.mutants import judge

        raise typer.Exit(terminal.show_verdicts(judge(rules), as_json=as_json))
    raise typer.Exit(terminal.show_examples(examples.run_rules(rules), as_json=as_json))


@rules_app.command("map")
def rules_map(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """The inspection report's paragraphs 28 to 54, each with its rules or the reason it has none."""
    from monitor import rulemap, terminal
    from monitor.config import shipped

    folders = (shipped("rules"),) if config == CONFIG and not config.exists() else _load(config).rule_folders()
    off = _rulebook(config).switched_off
    terminal.show_map(rulemap.draw(_rulebook(config, adjusted=False), folders, off), as_json=as_json)


def _rulebook(path: Path, *, adjusted: bool = True) -> "Rulebook":
    """The config's rulebook; the shipped one where there is no config file, so that it can be read before set-up.

    Without the config's adjustments for examples, which do not know them.
    """
    from monitor.config import shipped
    from monitor.rulebook import load_rulebook

    if path == CONFIG and not path.exists():
        return load_rulebook((shipped("rules"),), {})
    settings = _load(path)
    return load_rulebook(settings.rule_folders(), settings.rule if adjusted else {})
