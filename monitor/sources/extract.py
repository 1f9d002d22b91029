"""What one source says, and what it is read with."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

Role = Literal["caseload", "detail"]


def say_nothing(step: str) -> None:
    """For a caller who shows no progress."""


@dataclass(frozen=True)
class SourceContext:
    """What every source is read with: the night's date, where samples are kept, where secrets are found, and whom
    progress is told.
    """

    as_at: date
    data_folder: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = say_nothing
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Loaded:
    """What a kind of source made of itself: where it was read, its headings, and what it had to decide."""

    place: str
    headings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sheet: str | None = None


@dataclass(frozen=True)
class Extract:
    """What one source said tonight.

    ``table`` is a workspace table: ``row`` as the file counts (the headings' row included), ``fault`` (why the
    row could not be split into cells, else NULL) and ``c0``, ``c1`` ... for those of the headings that mean a
    catalogue column. ``fingerprint`` is of those headings and cells in order, so saving a file again, or a
    change in a column that is never read, leaves it as it was. ``role``: a caseload decides who is on it, detail
    only adds columns. ``prefer``: the columns in which this source's cell stands, even a blank one. ``notes``: what
    the source had to decide, in plain lines without a person. ``declared_on``: of what date the config says it is.
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
