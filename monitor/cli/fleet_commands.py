"""The commands of a fleet: many councils side by side, each by its own config."""

import datetime as dt
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.options import WAIT, AsAt, AsJson, Wait, date_option, today
from monitor.errors import MonitorError, Problems
from monitor.words import write_count

fleet_app = typer.Typer(no_args_is_help=True, help="Many councils side by side: their nights, and how they stand.")

FLEET = Path("fleet.toml")
FleetPath = Annotated[Path, typer.Option("--config", help="The file that names the councils.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="CODE", help="One council only; may be given again.")]


@fleet_app.command()
def run(
    config: FleetPath = FLEET,
    only: Only = None,
    as_at: AsAt = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but save and send.")] = False,
    wait: Wait = WAIT,
    print_array: Annotated[
        Literal["plain", "systemd", "slurm", "kubernetes"] | None,
        typer.Option("--print-array", help="Print what a scheduler needs to run each council; run nothing."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the night of every council as a process of its own; one that fails stops no other."""
    from monitor.fleet.fleet_settings import read_fleet

    fleet = read_fleet(config, os.environ)
    councils = fleet.choose(only or ())

    if print_array is not None:
        from monitor.fleet.scheduler_lines import ArrayJob, write_array

        codes = tuple(council.code for council in councils)
        for line in write_array(ArrayJob(fleet, str(Path(sys.argv[0]).absolute()), codes), print_array):
            typer.echo(line)
        raise typer.Exit

    from monitor.cli import plain_text
    from monitor.fleet.run_fleet import FleetRequest, run_fleet

    request = FleetRequest(councils, as_at, dry_run, wait)
    night = run_fleet(fleet, request, os.environ, _keep_quiet if as_json else _print_at_once)
    if as_json:
        plain_text.print_json(night.as_dict())
    raise typer.Exit(night.exit_code)


def _print_at_once(line: str) -> None:
    """Print a line; whoever has stopped to read stops no night."""
    try:
        typer.echo(line)
        sys.stdout.flush()
    except OSError:
        # What could not be written waits in the stream, and would fail once more at the end.
        with open(os.devnull, "wb") as nowhere, suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _keep_quiet(_line: str) -> None:
    """Print nothing: the account follows as JSON."""


@fleet_app.command()
def check(
    config: FleetPath = FLEET,
    only: Only = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read the configs alone; ask no source and no database.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that nothing could mix the councils, then each by its own monitor check; nothing is saved or sent."""
    from monitor.fleet.fleet_settings import read_fleet

    fleet = read_fleet(config, os.environ)
    councils = fleet.choose(only or ())

    from monitor.cli import plain_text
    from monitor.fleet.check_fleet import check_configs, check_fleet

    say = _keep_quiet if as_json else _print_at_once
    checked = check_configs(councils, say) if quick else check_fleet(fleet, councils, os.environ, say)
    if as_json:
        plain_text.print_json(checked.as_dict())
    raise typer.Exit(checked.exit_code)


@fleet_app.command()
def status(config: FleetPath = FLEET, only: Only = None, as_json: AsJson = False) -> None:
    """How each council's monitor stands: its last night, what is overdue, what waits, and what needs a person."""
    from monitor.fleet.fleet_settings import read_fleet

    fleet = read_fleet(config, os.environ)
    councils = fleet.choose(only or ())

    from monitor.cli import plain_text
    from monitor.fleet.fleet_status import ask_status

    standing = ask_status(fleet, councils, os.environ, _keep_quiet if as_json else _print_at_once)
    if as_json:
        plain_text.print_json(standing.as_dict())
    raise typer.Exit(standing.exit_code)


@fleet_app.command()
def figures(
    config: FleetPath = FLEET,
    as_at: Annotated[
        dt.date | None, date_option("--as-at", "Of the last night up to this date; the last if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to; the fleet's own if left out.")] = None,
    print_sql: Annotated[
        bool, typer.Option("--print-sql", help="Print the roles, schemas and views for the region; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set the figures of every council beside each other, small counts withheld: as CSV, Parquet and one page."""
    from monitor.fleet.fleet_settings import read_fleet

    fleet = read_fleet(config, os.environ)
    if print_sql:
        from monitor.fleet.figure_views import write_view_sql

        typer.echo(write_view_sql(fleet))
        raise typer.Exit
    if as_at is not None and as_at > today():
        raise Problems([f"--as-at {as_at}: is after today ({today()}); figures are of a day that has come"])

    from monitor.cli import plain_text
    from monitor.fleet.figures_files import as_dict, write_figures
    from monitor.fleet.region_figures import gather_figures

    gathered = gather_figures(fleet, today(), as_at, os.environ)
    told = gathered.figures
    for fault in gathered.faults:
        typer.echo(fault, err=True)
    if as_json:
        plain_text.print_json(as_dict(told))
    else:
        paths = write_figures(told, (out or fleet.folder).absolute())
        typer.echo(f"Figures of {len(told.read)} of {write_count(len(told.nights), 'council')}:")
        for path in paths:
            typer.echo(f"  {path}")
    raise typer.Exit(0 if told.are_whole else MonitorError.exit_code)
