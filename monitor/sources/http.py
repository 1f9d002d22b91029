"""Web services: every page of a list, as JSON or CSV, streamed into the workspace as text.

All or nothing: a page that cannot be read after its retries refuses the whole source.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx

from monitor.catalogue.headings import check_headings, match_headings
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Loaded, SourceContext, form_of, number_rows
from monitor.sources.http_json import LONGEST_VALUE, Document, NotReadable, find_value
from monitor.sources.web_service import WebService, open_client
from monitor.workspace import Workspace, append_columns, make_table

ROWS = 10_000
"""Rows held before they go to the workspace."""

MISSING = object()
"""Stands for a key that an item does not have."""

MOST_KEYS = 500


def load(workspace: Workspace, table: str, source: Source, context: SourceContext) -> Loaded:
    """Make view ``table`` of every page's rows; its place is the service's host, its headings the items' keys.

    Raises ``SourceError``, leaving nothing that is used.
    """
    settings = source.http
    assert settings is not None  # noqa: S101 - the config insists on it
    form = form_of(source)
    rows = _Rows(workspace, f"{table}_read", source, context.say, form.names)
    with open_client(source, settings, context.network) as client:
        service = WebService(client, source, settings, context)
        said_next = _read_pages(service, rows)
    if not rows.stored:
        raise SourceError(f"{service.place}: no items; check the address, and what the account may see")
    headings = rows.headings()
    check_headings(headings, service.place, form)
    workspace.execute(f'ALTER TABLE "{rows.table}" DROP COLUMN item')
    number_rows(workspace, table, headings, form)
    return Loaded(service.host, headings, tuple(_note_items(rows)), only_page=_describe_only_page(service, said_next))


def _describe_only_page(service: WebService, said_next: bool) -> str | None:
    """Return what is odd about a list of one page whose config says where the next one is named."""
    key = service.settings.next
    if not key or said_next:
        return None
    where = "no Link header" if key == "header" else f'no key "{key}"'
    return f"one page read, and {where} in it: the rest of the list may be missing; correct next"


def _note_items(rows: "_Rows") -> Iterator[str]:
    if rows.nested:
        listed = ", ".join(f'"{name[:40]}"' for name in sorted(rows.nested)[:20])
        yield f"keys that hold lists or objects were not read: {listed}"
    for name, held in rows.held.items():
        if held < rows.stored and name not in rows.nested:
            yield f'{rows.stored - held:,} of {rows.stored:,} items have no "{name[:40]}"; read as blank'


def _read_pages(service: WebService, rows: "_Rows") -> bool:
    """Every page into ``rows``; whether any said where the next is, or that there is none."""
    seen: set[httpx.URL] = set()
    any_said = False
    url: httpx.URL | None = httpx.URL(service.settings.url)
    while url is not None:
        if url in seen:
            raise SourceError(
                f"{service.place}: page {len(seen)} names a page read before as its next one; ask who runs the service"
            )
        seen.add(url)
        if len(seen) > service.settings.most_pages:
            raise SourceError(
                f"{service.place}: more than {service.settings.most_pages:,} pages; raise most_pages if that is right"
            )
        said, url = _read_page(service, url, len(seen), rows)
        any_said |= said
    return any_said


# What is read, on its way to the workspace


@dataclass
class _Rows:
    """Rows so far: the keys seen, those of them that mean a column, and what the items lacked."""

    workspace: Workspace
    table: str
    source: Source
    say: Callable[[str], None]
    names: Mapping[str, str]
    stored: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    nested: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        make_table(self.workspace, self.table, {"item": "BIGINT"})

    def store(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            if not item.keys() <= self.keys.keys():
                self._meet(item)
        columns = {"item": "BIGINT"} | {f"c{position}": "VARCHAR" for position in self.wanted.values()}
        values: list[list[Any]] = [list(range(self.stored, self.stored + len(items)))]
        for key in self.wanted:
            cells = [item.get(key, MISSING) for item in items]
            self.held[key] += len(cells) - cells.count(MISSING)
            values.append([cell if type(cell) is str and cell.isascii() else self._text(key, cell) for cell in cells])
        append_columns(self.workspace, self.table, columns, values)
        self.stored += len(items)
        self.say(f"Reading {self.source.name}: {self.stored:,} rows")

    def _meet(self, item: dict[str, Any]) -> None:
        for key in item:
            if key in self.keys:
                continue
            if len(self.keys) >= MOST_KEYS:
                raise SourceError(
                    f"{self.source.place}: more than {MOST_KEYS} different keys in its items; set items to a "
                    "list of one kind of item"
                )
            self.keys[key] = len(self.keys)
            if match_headings([key], self.names).positions:
                self.wanted[key] = self.keys[key]
                self.held[key] = 0
                self.workspace.execute(f'ALTER TABLE "{self.table}" ADD COLUMN c{self.keys[key]} VARCHAR')
            elif isinstance(item[key], dict | list):
                self.nested.add(key)

    def _text(self, key: str, cell: Any) -> str | None:
        if cell is None or cell is MISSING:
            return None
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, dict | list):
            self.nested.add(key)
            return None
        # Half of a character pair is no text that the workspace could hold.
        return str(cell).encode("utf-8", "replace").decode("utf-8")

    def go_back(self, stored: int, held: Mapping[str, int]) -> None:
        """Drop the rows of a page that broke off."""
        if self.stored > stored:
            self.workspace.execute(f'DELETE FROM "{self.table}" WHERE item >= ?', [stored])
            self.stored = stored
            self.held = {key: held.get(key, 0) for key in self.held}

    def headings(self) -> tuple[str, ...]:
        """The keys. One that somewhere holds more than a value is left blank: its column is not supplied."""
        return tuple("" if key in self.nested and key in self.wanted else key for key in self.keys)


# Pages


Following = tuple[bool, httpx.URL | None]
"""Whether a page says where the next one is, or that there is none; and the next one's address."""


def _read_page(service: WebService, url: httpx.URL, page: int, rows: _Rows) -> Following:
    """One page into ``rows``, and nothing of an attempt at it that broke off; the page that follows."""
    stored, held = rows.stored, dict(rows.held)

    def take(response: httpx.Response) -> Following:
        rows.go_back(stored, held)
        return _take(service, response, rows)

    return service.try_page(url, page, take)


def _take(service: WebService, response: httpx.Response, rows: _Rows) -> Following:
    text = service.text(response)
    beside: dict[str, Any] = {}
    if service.settings.format == "csv":
        items = _csv_items(text)
    else:
        document = Document(text, keep=service.settings.next or "")
        items, beside = _objects(document.items(service.settings.items or "")), document.beside
    while batch := list(islice(items, ROWS)):
        rows.store(batch)
    return _next(service, response, beside)


def _next(service: WebService, response: httpx.Response, beside: dict[str, Any]) -> Following:
    said, found = False, None
    if service.settings.next == "header":
        links = response.links.values()
        said = bool(links)
        found = next((link.get("url") for link in links if "next" in link.get("rel", "").split()), None)
    elif service.settings.next:
        said, found = find_value(beside, service.settings.next)
    if found is None or found == "":
        return said, None
    try:
        url = response.url.join(found)
    except (TypeError, httpx.InvalidURL):
        raise NotReadable(f"what it gives as {service.settings.next} is no address; correct next") from None
    if (url.scheme, url.host, url.port) != (response.url.scheme, response.url.host, response.url.port):
        raise NotReadable(
            "its next page is at another host, to which nothing is sent; set url to where the pages really are"
        )
    return True, url.copy_with(fragment=None)


# Bodies


def _objects(items: Iterator[Any]) -> Iterator[dict[str, Any]]:
    for place, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise NotReadable(f"item {place} is not an object; correct items")
        yield item


def _csv_items(pieces: Iterator[str]) -> Iterator[dict[str, Any]]:
    reader = csv.reader(_lines(pieces), strict=True)
    try:
        headings = next(reader, [])
        if len(set(headings)) < len(headings):
            raise NotReadable("two columns have the same heading; ask who runs the service")
        for record in reader:
            if len(record) == len(headings):
                yield dict(zip(headings, record, strict=True))
            elif record:
                raise NotReadable(f"line {reader.line_num}: {len(record)} cells under {len(headings)} headings")
    except csv.Error:
        raise NotReadable(f"line {reader.line_num}: not CSV, or cut short; ask who runs the service") from None


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
        if len(rest) > LONGEST_VALUE:
            raise NotReadable("a line too long to be one of a list; ask who runs the service")
    if rest:
        yield rest
