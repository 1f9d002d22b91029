"""The commands for setting up and trying out: a folder to start from, the data dictionary and invented people."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.handbook_commands import describe_commands, write_commands
from monitor.cli.options import CONFIG, AsAt, AsJson, ConfigPath, today
from monitor.errors import Problems


def sample(
    file: Annotated[Path, typer.Argument(help="The .xlsx, .csv or .parquet file to write.")],
    people: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many people to invent.")] = 900,
    as_at: AsAt = None,
    seed: Annotated[int, typer.Option(help="The same seed invents the same people.")] = 1,
    supplement: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a supplement about most of them too.")
    ] = None,
    authorities: Annotated[
        int | None, typer.Option(min=1, max=699, help="In a .parquet: how many authorities they are of.")
    ] = None,
) -> None:
    """Write a List 9 of invented people, for trials; or a typed caseload for a scan, where FILE is a .parquet."""
    day = as_at or today()
    if file.suffix.lower() == ".parquet":
        from monitor.sample.many_people import write_caseload

        if supplement is not None:
            raise Problems(["--supplement: a .parquet holds what a supplement knows; leave it out, or name a .csv"])
        write_caseload(file, people=people, as_at=day, seed=seed, authorities=authorities or 1)
        typer.echo(f"{people} invented people written to {file}")
        return

    from monitor.sample.list_9 import write_sample
    from monitor.sample.supplement import write_sample_supplement

    if authorities is not None:
        raise Problems([f"--authorities: a {file.suffix or 'List 9'} is of one authority; name a .parquet"])
    write_sample(file, people=people, as_at=day, seed=seed)
    typer.echo(f"{people} invented people written to {file}")
    if supplement is not None:
        write_sample_supplement(supplement, people=people, as_at=day, seed=seed)
        typer.echo(f"what a supplement knows of them written to {supplement}")


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; nothing in it is overwritten.")],
) -> None:
    """Make a folder to start from: config, a rule of your own, templates, invented people, and how to install it."""
    from monitor.cli import new_folder
    from monitor.handbook.handbook_page import write_handbook

    handbook = write_handbook(write_commands(describe_commands(context.find_root().command)))
    made = new_folder.make(folder, today=today(), more={"handbook.html": handbook})
    typer.echo(f"{len(made.files)} files written to {made.folder}. Next:")
    for number, step in enumerate(made.next_steps, start=1):
        typer.echo(f"{number}. {step}")


def columns(
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an empty supplement (.xlsx) to fill in instead.")
    ] = None,
    published: Annotated[
        str | None,
        typer.Option("--format", metavar="parquet|spark-ddl", help="Tell instead what a table for monitor scan is."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="With --format: write it; parquet as an empty table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The data dictionary: every column, what it holds and means, and where sources have it."""
    from monitor.catalogue import dictionary

    if template is not None:
        dictionary.write_template(template, as_at=today())
        typer.echo(f"an empty supplement of {len(dictionary.SUPPLEMENT_COLUMNS)} columns written to {template}")
        return

    if published is not None or to is not None:
        from monitor.cli.published_contract import publish_contract

        typer.echo(publish_contract(published, to))
        return

    from monitor.cli import plain_text, terminal

    if as_json:
        plain_text.print_json(dictionary.describe_columns())
    else:
        terminal.print_columns(dictionary.column_rows())


def onboard(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The list to look at, where there is no config yet.")
    ] = None,
    config: ConfigPath = CONFIG,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the same as an HTML page.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write what is certain, and ask nothing.")] = False,
    as_at: AsAt = None,
    as_json: AsJson = False,
) -> None:
    """Show how your files are read, ask what is not certain, and write it into the config."""
    from monitor.cli import onboard_dialogue

    day = as_at or today()
    raise typer.Exit(onboard_dialogue.onboard(onboard_dialogue.Wanted(file, config, page, yes, as_json, day)))
