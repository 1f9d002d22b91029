"""Sources: where caseload rows come from, each read into one workspace table of text.

A source knows a format, never a meaning: values stay as text, and only the columns that some rule could need
are loaded.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from monitor.catalogue.headings import LIST_9, SUPPLEMENT, match_headings
from monitor.errors import MonitorError, SourceError
from monitor.files import make_private_folder
from monitor.workdays import LONDON
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from monitor.config.source_settings import Source

Role = Literal["caseload", "detail"]

WORKBOOKS = (".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file begins that is an old .xls workbook, or any Office file with a password."""

MOST_OLE_BYTES = 256_000_000

ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Extract:
    """What one source said tonight.

    ``table`` is a workspace table: ``row`` as the file counts (the headings' row included), ``fault`` (why the
    row could not be split into cells, else NULL) and ``c0``, ``c1`` ... for those of the headings that mean a
    catalogue column. ``fingerprint`` is of those headings and cells in order, so saving a file again, or a
    change in a column that is never read, leaves it as it was. ``role``: a caseload decides who is on it, detail
    only adds columns. ``prefer``: the columns in which this source's cell stands, even a blank one. ``notes``: what
    the source had to decide, in plain lines without a person.
    """

    source: str
    kind: str
    file: str
    sheet: str | None
    table: str
    headings: tuple[str, ...]
    fingerprint: str
    modified_on: date | None
    role: Role = "caseload"
    prefer: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_source(
    source: "Source",
    workspace: Workspace,
    *,
    as_at: date,
    data_folder: Path,
    environ: Mapping[str, str] = MappingProxyType({}),
    say: Callable[[str], None] = lambda step: None,
) -> Extract:
    """Load ``source`` into the workspace; raises ``SourceError`` naming the place and the remedy.

    ``environ`` is where a source's secrets are found; ``say`` is told how far a long reading has come.
    """
    table = "extract_" + hashlib.blake2s(source.name.encode(), digest_size=6).hexdigest()
    if source.is_database or source.kind == "http":
        return _read_remote(source, workspace, table, as_at, environ, say)
    path = _sample(source, as_at, data_folder) if source.kind == "sample" else source.path
    if path is None:
        raise SourceError(f'source "{source.name}": path: missing; name the file to read')
    modified_on = _modified_on(path)
    form = SUPPLEMENT if source.kind == "supplement" or source.is_sample_supplement else LIST_9
    notes: tuple[str, ...] = ()
    try:
        if source.kind == "ssda903-oc3":
            from monitor.sources import oc3

            sheet = None
            headings, notes = oc3.load(workspace, table, path, as_at=as_at, return_year=source.return_year)
        elif _is_workbook(path):
            from monitor.sources import spreadsheet

            sheet, headings = spreadsheet.load(workspace, table, path, wanted=source.sheet, form=form)
        else:
            from monitor.sources import delimited

            sheet, headings = None, delimited.load(workspace, table, path, form)
    except OSError as fault:
        raise _unopened(path, fault) from None
    return Extract(
        source=source.name,
        kind=source.kind,
        file=path.name,
        sheet=sheet,
        table=table,
        headings=headings,
        fingerprint=_fingerprint(workspace, table, headings),
        modified_on=modified_on,
        role=source.role_played,
        prefer=source.prefer,
        notes=notes,
    )


def _read_remote(
    source: "Source",
    workspace: Workspace,
    table: str,
    as_at: date,
    environ: Mapping[str, str],
    say: Callable[[str], None],
) -> Extract:
    notes: tuple[str, ...] = ()
    form = SUPPLEMENT if source.role_played == "detail" else LIST_9
    if source.kind == "http":
        from monitor.sources import http

        file, headings, notes = http.load(workspace, table, source, environ, form=form, say=say)
    elif source.kind == "sql":
        from monitor.sources import sql

        file, headings = sql.load(workspace, table, source, environ, form, say)
    else:
        from monitor.sources import ssd

        file = "ssd_care_leavers"
        headings, notes = ssd.load(workspace, table, source, environ, as_at=as_at, say=say)
    return Extract(
        source=source.name,
        kind=source.kind,
        file=file,
        sheet=None,
        table=table,
        headings=headings,
        fingerprint=_fingerprint(workspace, table, headings),
        modified_on=None,
        role=source.role_played,
        prefer=source.prefer,
        notes=notes,
    )


def _sample(source: "Source", as_at: date, data_folder: Path) -> Path:
    if source.is_sample_supplement:
        from monitor.sample.supplement import write_sample_supplement as write
    else:
        from monitor.sample.list_9 import write_sample as write

    path = data_folder / "sample" / f"{'supplement' if source.is_sample_supplement else 'list-9'}-{as_at}.xlsx"
    try:
        make_private_folder(path.parent)
        write(path, people=source.people, as_at=as_at, seed=source.seed)
    except (OSError, MonitorError) as fault:
        why = fault.strerror or type(fault).__name__ if isinstance(fault, OSError) else str(fault)
        raise SourceError(
            f"{path.parent}: the sample cannot be written ({why}); set data_folder to a folder the monitor may write to"
        ) from None
    return path


def _modified_on(path: Path) -> date:
    try:
        status = path.stat()
        if path.is_dir():
            raise SourceError(f"{path.name}: a folder; name the file inside it")
        if status.st_size == 0:
            raise SourceError(f"{path.name}: empty; export the list again")
    except FileNotFoundError:
        raise SourceError(f"{path.name}: no such file in {path.parent}; correct the path or export it") from None
    except OSError as fault:
        raise _unopened(path, fault) from None
    return datetime.fromtimestamp(status.st_mtime, LONDON).date()


def _unopened(path: Path, fault: OSError) -> SourceError:
    return SourceError(
        f"{path.name}: cannot be opened ({fault.strerror or type(fault).__name__}); close it elsewhere, and let "
        "the account that runs the monitor read it"
    )


def _is_workbook(path: Path) -> bool:
    """By its first bytes, whatever its name; raises for a file that is named like a workbook and is none."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start == OLE:
                _refuse_ole(path, start + file.read(MOST_OLE_BYTES))
    except OSError as fault:
        raise _unopened(path, fault) from None
    if start.startswith(ZIP):
        return True
    if path.suffix.casefold() in WORKBOOKS:
        raise SourceError(f"{path.name}: not a workbook, though named like one; open it in Excel and save it as .xlsx")
    return False


def _refuse_ole(path: Path, content: bytes) -> None:
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise SourceError(f"{path.name}: protected by a password; save a copy without one where only the monitor reads")
    raise SourceError(f"{path.name}: an old .xls workbook; open it in Excel and save it as .xlsx")


def _fingerprint(workspace: Workspace, table: str, headings: tuple[str, ...]) -> str:
    positions = sorted(match_headings(headings).positions.values())
    # The row number is in each row's hash, so that two equal rows do not cancel out and order counts.
    cells = ", ".join(f"chr(31), c{position}" for position in positions)
    row = workspace.execute(
        f'SELECT count(*), bit_xor(md5_number(concat("row", chr(31), fault, {cells}))) FROM "{table}"'
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    told = "\x1f".join([*(headings[position] for position in positions), str(row[0]), str(row[1])])
    return hashlib.sha256(told.encode()).hexdigest()
