"""The command about rows in a lake: the rules asked of a typed caseload once."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import AsJson, date_option

SCAN_CONFIG = Path("scan.toml")


def scan(
    config: Annotated[Path, typer.Option("--config", help="The settings of the scan.")] = SCAN_CONFIG,
    as_at: Annotated[
        dt.date | None, date_option("--as-at", "Ask as at this day; as at the table's own if left out.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="duckdb|spark", help="Which database asks; as set if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the rules of a typed caseload once, on DuckDB or Spark: counts and breaches out, nothing remembered."""
    from monitor.cli import scan_account
    from monitor.scan.scan import ScanRequest, run_scan
    from monitor.scan.scan_settings import read_scan

    scanned = run_scan(read_scan(config), ScanRequest(as_at=as_at, engine=scan_account.read_engine(engine)))
    scan_account.print_scan(scanned, as_json=as_json)
    raise typer.Exit(scanned.exit_code)
