"""Writes the figures of every authority as CSV, as Parquet and as one page, each whole and private."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from monitor.csv_text import csv_heading, csv_line
from monitor.figures.suppression import WITHHELD
from monitor.files import make_private_folder, write_each, written_whole
from monitor.fleet import figures_page
from monitor.fleet.figures_by_authority import (
    FleetFigures,
    GivenCounts,
    describe_counts,
    describe_reach,
    describe_standing,
)
from monitor.messages.templates import open_templates
from monitor.workspace import Workspace, in_chunks, literal, load_rows, open_workspace

CSV, PARQUET, PAGE = "figures.csv", "figures.parquet", "figures.html"
TOGETHER = "All together"

NUMBERS = ("numerator", "denominator", "percent", "cannot_assess", "asked")
RANGE = ("numerator_least", "numerator_most", "percent_least", "percent_most")
"""Between which numbers both lie, where it is not told what they are."""
COLUMNS = {
    "authority": "VARCHAR",
    "name": "VARCHAR",
    "as_at": "DATE",
    "kind": "VARCHAR",
    "measure": "VARCHAR",
    "title": "VARCHAR",
    **dict.fromkeys(NUMBERS, "INTEGER"),
    **dict.fromkeys(RANGE, "INTEGER"),
    "withheld": "VARCHAR",
    "note": "VARCHAR",
}
"""The columns of both files. ``withheld``: the numbers that are, by name; in the CSV each of them is ``c`` itself."""

Row = tuple[object, ...]


def write_figures(figures: FleetFigures, folder: Path) -> tuple[Path, ...]:
    """Write the three files, and return their paths. One that cannot be written keeps no other back.

    Raises ``MonitorError``.
    """
    make_private_folder(folder)
    paths = csv, parquet, page = tuple(folder / name for name in (CSV, PARQUET, PAGE))
    with open_workspace() as workspace:
        load_rows(workspace, "figures", COLUMNS, list_rows(figures))
        write_each(
            [
                partial(_write_csv, workspace, csv),
                partial(_write_parquet, workspace, parquet),
                partial(_write_page, figures, page),
            ]
        )
    return paths


def as_dict(figures: FleetFigures) -> dict[str, object]:
    """Return the rows for a program to read; a withheld number is null, and ``withheld`` names it."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in list_rows(figures)]
    return {"as_at": figures.as_at, "suppress_below": figures.suppress_below, "figures": rows}


def list_rows(figures: FleetFigures) -> Iterator[Row]:
    """Give a row for each measure and authority, whether it has the measure or not, and one of all together."""
    for night in figures.nights:
        if night.as_at is None:
            yield (
                night.code,
                night.name,
                None,
                *[None] * (len(COLUMNS) - 4),
                _join(describe_standing(night, figures.as_at)),
            )
    for measure in figures.measures:
        named = measure.kind, measure.name, measure.title
        for night in figures.read:
            counts = measure.rows.get(night.code)
            notes = (*describe_counts(measure, night), *describe_standing(night, figures.as_at))
            yield (night.code, night.name, night.as_at, *named, *_list_numbers(counts), _join(notes))
        yield (
            TOGETHER,
            None,
            None,
            *named,
            *_list_numbers(measure.together),
            describe_reach(figures, measure),
        )


def _join(notes: tuple[str, ...]) -> str | None:
    return "; ".join(notes) or None


def _list_numbers(counts: GivenCounts | None) -> tuple[object, ...]:
    """Return ``NUMBERS``, ``RANGE``, and the names of the numbers that are withheld."""
    if counts is None:
        return (*[None] * (len(NUMBERS) + len(RANGE)), None)
    numbers = {name: getattr(counts, name) for name in NUMBERS}
    needs_no_percent = counts.denominator == 0 or counts.percent_least is not None
    withheld = [
        name for name, number in numbers.items() if number is None and not (name == "percent" and needs_no_percent)
    ]
    is_told = {"numerator": counts.numerator is not None, "percent": counts.percent is not None}
    ends = [None if is_told[name.partition("_")[0]] else getattr(counts, name) for name in RANGE]
    return (*numbers.values(), *ends, " ".join(withheld) or None)


def _write_csv(workspace: Workspace, path: Path) -> None:
    # A withheld number is the one text among numbers, and is not quoted either.
    cells = ", ".join(
        f"CASE WHEN list_contains(string_split(withheld, ' '), '{name}') THEN {literal(WITHHELD)} "
        f"ELSE CAST({name} AS VARCHAR) END AS {name}"
        for name in NUMBERS
    )
    columns = {name: kind for name, kind in COLUMNS.items() if name != "withheld"}
    lines = in_chunks(workspace, f"SELECT {csv_line(columns)} FROM (SELECT * REPLACE ({cells}) FROM figures)")
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_heading(columns))
        for chunk in lines:
            file.writelines(line for (line,) in chunk)


def _write_parquet(workspace: Workspace, path: Path) -> None:
    with written_whole(path) as unfinished:
        workspace.execute(f"COPY figures TO {literal(str(unfinished))} (FORMAT parquet)")


def _write_page(figures: FleetFigures, path: Path) -> None:
    with written_whole(path) as unfinished:
        text = figures_page.write_page(figures, open_templates())
        unfinished.write_text(text, encoding="utf-8", newline="\n")
