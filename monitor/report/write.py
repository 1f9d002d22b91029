"""Write a report, page and workbook, in the edition asked for; and the latest of every night."""

import datetime as dt
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.files import make_private_folder, write_each, written_whole
from monitor.messages.templates import Templates
from monitor.report import page, report_workbook, written_note
from monitor.report.board import suppress
from monitor.report.contents import Contents
from monitor.report.gather import gather_report
from monitor.report.report_nights import ReportRequest

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.rulebook.rulebook import Rulebook
    from monitor.store.database import Database

FOLDER = "report"
"""Where the latest stands, under the data folder."""


def gather_edition(
    database: "Database",
    config: "Config",
    rulebook: "Rulebook",
    request: ReportRequest,
) -> Contents:
    """Return the service's edition, or the board's."""
    contents = gather_report(database, config, rulebook, request)
    return suppress(contents) if request.board else contents


def write_report(contents: Contents, folder: Path, templates: Templates) -> tuple[Path, ...]:
    """Write the report into ``folder``, each file whole or not at all and readable by its owner only.

    One that cannot be written keeps no other back. Raises ``MonitorError``.
    """
    make_private_folder(folder)
    shown, book = _name_files(contents, folder)
    write_each([partial(_write_page, contents, shown, templates), partial(report_workbook.write, contents, book)])
    return shown, book


def _write_page(contents: Contents, path: Path, templates: Templates) -> None:
    with written_whole(path) as unfinished:
        unfinished.write_text(page.write_page(contents, templates), encoding="utf-8", newline="\n")


def write_latest_report(
    config: "Config", rulebook: "Rulebook", templates: Templates, database: "Database", *, made_on: dt.date
) -> tuple[Path, ...]:
    """Write the service's edition as at the last accepted night, unless it stands there as it would be written."""
    contents = gather_report(database, config, rulebook, ReportRequest(made_on))
    folder, basis = config.data_folder / FOLDER, written_note.hash_basis(contents, templates)
    if written_note.is_as_written(folder, basis):
        return _name_files(contents, folder)
    paths = write_report(contents, folder, templates)
    written_note.note_written(folder, paths, basis)
    return paths


def _name_files(contents: Contents, folder: Path) -> tuple[Path, Path]:
    """Return the page and the workbook: the editions have different names, so that none is sent for the other."""
    name = "board-report" if contents.is_board else "report"
    return folder / f"{name}.html", folder / f"{name}.xlsx"
