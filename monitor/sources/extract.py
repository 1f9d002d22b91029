"""What one source says and is read with, and the workspace table that its rows come to stand in."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from monitor.catalogue.date_orders import Order
from monitor.catalogue.headings import (
    LIST_9,
    PERSON_ID,
    SUPPLEMENT,
    Form,
    Matched,
    check_headings,
    match_headings,
)
from monitor.config.list_findings import ListFinding
from monitor.config.source_settings import Source
from monitor.network.policy import Network
from monitor.workspace import Workspace, load_rows, number_of

Role = Literal["caseload", "detail"]


def say_nothing(step: str) -> None:
    """For a caller who shows no progress."""


@dataclass(frozen=True)
class SourceContext:
    """What every source is read with: the night's date, where samples are kept, where secrets are found, how
    web services are reached, and whom progress is told.

    ``left_out``: by source, the columns that count as not supplied while nothing stands under their headings.
    """

    as_at: date
    data_folder: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = say_nothing
    sleep: Callable[[float], None] = time.sleep
    left_out: frozenset[tuple[str, str]] = frozenset()
    network: Network = field(default_factory=Network)


@dataclass(frozen=True)
class Loaded:
    """What a kind of source made of itself: where it was read, its headings, and what it had to decide."""

    place: str
    headings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sheet: str | None = None
    lists: tuple[ListFinding, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    only_page: str | None = None
    implied: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Extract:
    """What one source said tonight.

    ``table`` is a workspace table: ``row`` as the file counts (the headings' row included), ``fault`` (why the
    row could not be split into cells, else NULL) and ``c0``, ``c1`` ... for those of the headings that mean a
    catalogue column. ``fingerprint`` is of those headings and cells in order, so saving a file again, or a
    change in a column that is never read, leaves it as it was. ``role``: a caseload decides who is on it, detail
    only adds columns. ``prefer``: the columns in which this source's cell stands, even a blank one. ``notes``: what
    the source had to decide, in plain lines without a person. ``declared_on``: of what date the config says it is.
    ``lists``: what was found of the config's lists. ``made``: how a column was made that is not merely as written.
    ``blank_means_none``: the columns whose blank says *never*, even with nothing else under the heading; ``left_out``:
    those that count as not supplied for as long as nothing stands under theirs.
    ``names``: headings, folded, that the form or the council says mean a column; ``own_headings`` and ``words``: the
    council's own as its config has them, words folded by column.
    ``only_page``: why a web service that should have further pages may have given only the first.
    ``implied``: columns that no cell says, but being in the source does; any other source's cell goes before.
    ``date_order``: how its dates are written, if the config says it.
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
    declared_on: date | None = None
    lists: tuple[ListFinding, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    blank_means_none: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    own_headings: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only_page: str | None = None
    implied: frozenset[str] = frozenset()
    date_order: Order | None = None

    @property
    def own_meaning(self) -> str:
        """Return what the council says its headings and texts mean, to be told from other nights by; "" for nothing."""
        said = sorted(self.own_headings.items()), sorted((name, sorted(to.items())) for name, to in self.words.items())
        return f"{said} " if any(said) else ""

    @cached_property
    def matched(self) -> Matched:
        """Return which column each heading means."""
        return match_headings(self.headings, self.names)


def form_of(source: Source) -> Form:
    """Return what kind of list the rows of a database or a service are."""
    return (SUPPLEMENT if source.role_played == "detail" else LIST_9).knowing(source.headings)


def load_cells(workspace: Workspace, table: str, positions: Iterable[int], rows: Iterable[tuple[Any, ...]]) -> None:
    """Make view ``table`` of a file's rows: number, fault, and the cells at ``positions`` in order."""
    columns = {"row": "BIGINT", "fault": "VARCHAR"} | {f"c{n}": "VARCHAR" for n in sorted(positions)}
    load_rows(workspace, f"{table}_rows", columns, rows)
    show_rows(workspace, table)


def number_rows(workspace: Workspace, table: str, headings: Sequence[str], form: Form = LIST_9) -> int:
    """Make view ``table`` of ``table``_read with a number for each row; how many.

    A database gives rows in whatever order it likes: numbered by person, the same rows always give the same night.
    """
    positions = check_headings(headings, table, form).positions
    others = sorted(position for name, position in positions.items() if name != PERSON_ID)
    order = ", ".join(f"c{position}" for position in (positions[PERSON_ID], *others))
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE "{table}_rows" AS
        SELECT row_number() OVER (ORDER BY {order}) AS "row", NULL::VARCHAR AS fault, * FROM "{table}_read" ORDER BY 1
        """
    )
    workspace.execute(f'DROP TABLE "{table}_read"')
    show_rows(workspace, table)
    return number_of(workspace, f'SELECT count(*) FROM "{table}_rows"')


def show_rows(workspace: Workspace, table: str, numbered: str = "*") -> None:
    """Make view ``table`` of ``table``_rows."""
    workspace.execute(f'CREATE OR REPLACE VIEW "{table}" AS SELECT {numbered} FROM "{table}_rows"')
