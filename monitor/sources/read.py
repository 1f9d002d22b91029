"""Sources: where caseload rows come from, each read into one workspace table of text.

A source knows a format, never a meaning: values stay as text, and only the columns that some rule could need
are loaded.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from monitor.catalogue.headings import LIST_9, OC3, SUPPLEMENT, Form, match_headings
from monitor.config.source_settings import Source
from monitor.errors import MonitorError, SourceError
from monitor.files import make_private_folder
from monitor.sample.list_9 import write_sample
from monitor.sample.supplement import write_sample_supplement
from monitor.sources import delimited, oc3, spreadsheet
from monitor.sources.binary_workbook import OLE
from monitor.sources.extract import Extract, Loaded, SourceContext, form_of
from monitor.workdays import LONDON
from monitor.workspace import Workspace

WORKBOOKS = (".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods")

ZIP = b"PK\x03\x04"


def read_source(source: Source, workspace: Workspace, context: SourceContext) -> Extract:
    """Load ``source`` into the workspace; raises ``SourceError`` naming the place and the remedy."""
    table = "extract_" + hashlib.blake2s(source.name.encode(), digest_size=6).hexdigest()
    if source.is_database or source.kind == "http":
        modified_on = None
        loaded = _load_remote(source, workspace, table, context)
    else:
        path = _sample(source, context) if source.kind == "sample" else source.path
        if path is None:
            raise SourceError(f"{source.place}: path: missing; name the file to read")
        modified_on = _modified_on(path)
        try:
            loaded = _load_file(source, workspace, table, path, context.as_at)
        except OSError as fault:
            raise _unopened(path, fault) from None
    names = _form(source).names
    return Extract(
        source=source.name,
        kind=source.kind,
        file=loaded.place,
        sheet=loaded.sheet,
        table=table,
        headings=loaded.headings,
        fingerprint=_fingerprint(workspace, table, loaded.headings, names),
        modified_on=modified_on,
        role=source.role_played,
        prefer=source.prefer,
        blank_means_none=source.blank_means_none,
        left_out=frozenset(column for name, column in context.left_out if name == source.name),
        notes=loaded.notes,
        declared_on=source.extracted_on,
        lists=loaded.lists,
        made=loaded.made,
        names=names,
        own_headings=source.headings,
        words=source.words,
        only_page=loaded.only_page,
        implied=loaded.implied,
        date_order=source.date_order,
    )


def _form(source: Source) -> Form:
    """What kind of list a source is; a List 9 that only adds detail is a List 9 still where it is a file."""
    if source.kind == "ssda903-oc3":
        return OC3.knowing(source.headings)
    if source.is_database or source.kind == "http":
        return form_of(source)
    return (SUPPLEMENT if source.kind == "supplement" or source.is_sample_supplement else LIST_9).knowing(
        source.headings
    )


def _load_file(source: Source, workspace: Workspace, table: str, path: Path, as_at: date) -> Loaded:
    form = _form(source)
    if _is_workbook(path):
        sheet, headings = spreadsheet.load(workspace, table, path, wanted=source.sheet, form=form)
        loaded = Loaded(path.name, headings, sheet=sheet)
    else:
        loaded = Loaded(path.name, delimited.load(workspace, table, path, form))
    return oc3.complete(workspace, table, loaded, source, as_at=as_at) if source.kind == "ssda903-oc3" else loaded


def _load_remote(source: Source, workspace: Workspace, table: str, context: SourceContext) -> Loaded:
    # SQLAlchemy and httpx are slow to load.
    if source.kind == "http":
        from monitor.sources import http

        return http.load(workspace, table, source, context)
    if source.kind == "sql":
        from monitor.sources import sql

        return sql.load(workspace, table, source, context)
    from monitor.sources import ssd

    return ssd.load(workspace, table, source, context)


def _sample(source: Source, context: SourceContext) -> Path:
    write = write_sample_supplement if source.is_sample_supplement else write_sample
    name = "supplement" if source.is_sample_supplement else "list-9"
    path = context.data_folder / "sample" / f"{name}-{context.as_at}.xlsx"
    try:
        make_private_folder(path.parent)
        write(path, people=source.people, as_at=context.as_at, seed=source.seed)
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
            start = file.read(len(OLE))
    except OSError as fault:
        raise _unopened(path, fault) from None
    if start == OLE or start.startswith(ZIP):
        return True
    if path.suffix.casefold() in WORKBOOKS:
        raise SourceError(f"{path.name}: not a workbook, though named like one; open it in Excel and save it as .xlsx")
    return False


def _fingerprint(workspace: Workspace, table: str, headings: tuple[str, ...], names: Mapping[str, str]) -> str:
    positions = sorted(match_headings(headings, names).positions.values())
    # The row number is in each row's hash, so that two equal rows do not cancel out and order counts.
    cells = ", ".join(f"chr(31), c{position}" for position in positions)
    row = workspace.execute(
        f'SELECT count(*), bit_xor(md5_number(concat("row", chr(31), fault, {cells}))) FROM "{table}"'
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    told = "\x1f".join([*(headings[position] for position in positions), str(row[0]), str(row[1])])
    return hashlib.sha256(told.encode()).hexdigest()
