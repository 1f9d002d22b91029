"""What ``monitor scan`` prints: counts by rule, worst first, what could not be assessed, and where the files are."""

from typing import Any

import typer
from rich.text import Text

from monitor.cli.console import COLOURS, make_table, open_console, print_lines
from monitor.cli.plain_text import print_json
from monitor.figures.suppression import WITHHELD
from monitor.scan.scan import Scanned
from monitor.scan.scan_record import ToldCounts
from monitor.scan.scan_settings import EngineName
from monitor.words import write_count, write_date

ENGINES: dict[str, EngineName] = {"duckdb": "duckdb", "spark": "spark"}


def read_engine(text: str | None) -> EngineName | None:
    """Return the engine of an option; raise ``BadParameter`` for any other word."""
    if text is not None and text not in ENGINES:
        raise typer.BadParameter(f'"{text[:40]}" is no engine; write duckdb or spark', param_hint="--engine")
    return ENGINES[text] if text is not None else None


def print_scan(scanned: Scanned, *, as_json: bool) -> None:
    """Print what a scan found in all authorities together; the files have each of them."""
    totals = {row.rule: row for row in scanned.counts if row.authority is None}
    rules = [rule for rule in scanned.rulebook.rules if rule.id in totals]
    if as_json:
        print_json(
            {
                "as_at": scanned.as_at,
                "rules": [{"rule": rule.id, "severity": rule.severity, **_figures(totals[rule.id])} for rule in rules],
                "not_assessed": dict(scanned.not_assessed),
                "failed": dict(scanned.failed),
                "remarks": scanned.remarks,
                "out": scanned.out,
                "files": scanned.files,
            }
        )
        return
    console = open_console()
    authorities = len({row.authority for row in scanned.counts if row.authority is not None})
    console.print(f"As at {write_date(scanned.as_at)}, {write_count(authorities, 'authority', 'authorities')}:")
    table = make_table("Rule", "Severity", figures=("asked", "in breach", "cannot assess"))
    for rule in rules:
        row = totals[rule.id]
        if row.not_assessed is None:
            severity = Text(rule.severity, COLOURS[rule.severity])
            table.add_row(rule.id, severity, *map(_write, (row.asked, row.breach, row.cannot_assess)))
    console.print(table)
    if any(row.suppressed for row in scanned.counts):
        console.print(f"{WITHHELD}: withheld, because a small count could be worked out from it")
    print_lines(console, (f"{rule}: failed: {why}" for rule, why in scanned.failed.items()), style="red")
    print_lines(console, (f"{rule}: not assessed: {why}" for rule, why in scanned.not_assessed.items()))
    print_lines(console, scanned.remarks)
    console.print(f"Written to {scanned.out}: {', '.join(scanned.files)}")


def _write(count: int | None) -> str:
    return WITHHELD if count is None else f"{count:,}"


def _figures(row: ToldCounts) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("asked", "ok", "breach", "cannot_assess", "suppressed")}
