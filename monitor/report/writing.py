"""Writes a report: the workbook of its figures, in the edition asked for; and the latest of every night."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import Problems
from monitor.files import make_private_folder
from monitor.report import figures, workbook
from monitor.report.contents import Contents

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.rulebook import Rulebook
    from monitor.store import Store

FOLDER = "report"
"""Where the latest stands, under the data folder."""


def gather_edition(
    store: "Store",
    config: "Config",
    rulebook: "Rulebook",
    *,
    made_on: dt.date,
    since: dt.date | None = None,
    until: dt.date | None = None,
    team: str | None = None,
    board: bool = False,
) -> Contents:
    """The service's edition, or the board's, which is about every team: one team's figures could be subtracted."""
    if board and team is not None:
        raise Problems(["--board: is about every team, for one team's figures could be subtracted; leave out --team"])
    return figures.gather(store, config, rulebook, made_on=made_on, since=since, until=until, team=team)


def write(contents: Contents, folder: Path) -> tuple[Path, ...]:
    """Write the report into ``folder``, each file whole or not at all and readable by its owner only.

    The two editions have different names, so that one cannot be sent for the other.
    """
    make_private_folder(folder)
    name = "board-report" if contents.is_board else "report"
    book = folder / f"{name}.xlsx"
    workbook.write(contents, book)
    return (book,)


def write_latest(config: "Config", rulebook: "Rulebook", store: "Store", *, made_on: dt.date) -> tuple[Path, ...]:
    """The service's edition as at the last accepted night, in place of the one before."""
    return write(figures.gather(store, config, rulebook, made_on=made_on), config.data_folder / FOLDER)
