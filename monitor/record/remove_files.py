"""The generated files that name a person: removed, or made again without them where the store still has it all.

Made again: the last accepted night's lists of flags and teams' pages, and the latest report. Lists of older nights,
mails, exports and logs are removed. A file of a kind that the monitor does not make is left to the person who removes.
"""

import datetime as dt
import email
import os
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from email import policy
from pathlib import Path
from typing import Literal

from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.files import UNFINISHED
from monitor.messages.list_place import PAGE_SUFFIX
from monitor.messages.templates import open_templates
from monitor.record import last_night
from monitor.record.purge_files import EXCEPTIONS, LOGS, SAMPLE, SNAPSHOTS, remove_paths
from monitor.record.trace import Trace
from monitor.report.write import FOLDER as REPORT
from monitor.report.write import write_latest_report
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.database import Database

GENERATED = (".csv", ".eml", ".htm", ".html", ".json", ".part", ".xlsx")
CELL_TEXT = re.compile(r"<t(?: [^>]*)?>(.*?)</t>", re.DOTALL)


@dataclass(frozen=True)
class FileChange:
    """What is done to one file that names the person."""

    path: Path
    action: Literal["made again", "removed"]


def find_naming_files(
    config: Config, trace: Trace, *, newest: dt.date | None, database: Collection[Path]
) -> tuple[list[FileChange], list[Path]]:
    """Find the files of the data folder that name the person, and those that the monitor does not make or cannot read.

    Kept caseloads, samples (of invented people) and the files of the ``database`` aside. ``newest``: the last accepted
    night.
    """
    changes, left = [], []
    for path in _files(config.data_folder):
        below = path.relative_to(config.data_folder)
        if path in database or below.parts[0] in (SNAPSHOTS, SAMPLE):
            continue
        names = _names(path, trace)
        is_unfinished = UNFINISHED in below.as_posix()
        is_generated = below.suffix.casefold() in GENERATED or _is_log(path, config)
        if (names and is_generated) or (names is not False and is_unfinished):
            again = newest is not None and _can_be_made_again(below, newest)
            changes.append(FileChange(path, "made again" if again else "removed"))
        elif names is not False:
            left.append(path)
    return changes, left


def find_copies(folder: Path, trace: Trace) -> list[Path]:
    """Find the files of a folder that is not the monitor's own which name the person."""
    return [path for path in _files(folder) if _names(path, trace) is not False]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_log(path: Path, config: Config) -> bool:
    log_file = config.service.log_file
    is_in_use = log_file is not None and f"{path}.".startswith(f"{log_file}.")  # or one before it: monitor.log.1
    return is_in_use or path.is_relative_to(config.data_folder / LOGS)


def _can_be_made_again(path: Path, newest: dt.date) -> bool:
    folder, kind = path.parent.as_posix(), path.suffix
    if folder == REPORT:
        return path.name in ("report.html", "report.xlsx")
    is_of_team = path.stem.startswith("team-")
    is_list = kind in (".csv", ".xlsx") and (path.stem == "all" or is_of_team)
    return folder == f"{EXCEPTIONS}/{newest}" and (is_list or (kind == PAGE_SUFFIX and is_of_team))


# Reading


def _names(path: Path, trace: Trace) -> bool | None:
    """Return whether the file names the person; None if nobody can tell."""
    kind = path.suffix.casefold()
    if kind == ".xlsx":
        text = _workbook_text(path)
        return None if text is None else trace.is_in(text)
    if kind == ".eml" or path.name.endswith(".eml.part"):
        return trace.is_in(_mail_text(path))
    text = path.read_bytes().decode("utf-8", errors="replace")
    return trace.is_in_list(text) if kind == ".csv" else trace.is_in(text)


def _workbook_text(path: Path) -> str | None:
    """Return what its cells say; None if it is none."""
    try:
        with zipfile.ZipFile(path) as book:
            sheets = (book.read(name).decode("utf-8", errors="replace") for name in book.namelist())
            return "\n".join(text for sheet in sheets for text in CELL_TEXT.findall(sheet))
    except zipfile.BadZipFile:
        return None


def _mail_text(path: Path) -> str:
    mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    payloads = (part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart())
    texts = (payload.decode("utf-8", errors="replace") for payload in payloads if isinstance(payload, bytes))
    return "\n".join([str(mail["Subject"]), *texts])


# Removing


def change_files(
    database: Database, config: Config, changes: Sequence[FileChange], today: dt.date
) -> tuple[tuple[FileChange, ...], tuple[str, ...], str | None]:
    """Make again what can be made again, and remove the rest.

    Return what was done to each file, the problem of each that would not go, and why a list is not made again, if so.
    Each file is replaced whole. One that cannot be made now is removed, whatever the reason: the next night writes it.
    """
    made: set[Path] = set()
    not_made = None
    try:
        again = [change.path for change in changes if change.action == "made again"]
        for path in _make_again(database, config, again, today):
            made.add(path)
    except MonitorError as fault:
        not_made = str(fault)
    except Exception as fault:
        not_made = f"a defect, {type(fault).__name__}"
    done = tuple(FileChange(change.path, "made again" if change.path in made else "removed") for change in changes)
    gone = [change.path for change in done if change.action == "removed"]
    log_file = config.service.log_file
    if log_file in gone:  # the service goes on writing to the file it has open
        gone.remove(log_file)
        os.truncate(log_file, 0)
    return done, remove_paths(gone), not_made


def _make_again(database: Database, config: Config, paths: Sequence[Path], today: dt.date) -> Iterator[Path]:
    """Write these lists and reports from the store as it is now; each as it is done."""
    if not paths:
        return
    rulebook = open_rulebook(config)
    if lists := [path for path in paths if path.parent.name != REPORT]:
        yield from last_night.write_flag_lists(database, config, rulebook, lists)
    if len(lists) < len(paths):
        yield from write_latest_report(config, rulebook, open_templates(config.templates), database, made_on=today)
