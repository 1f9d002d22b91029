"""What a council is shown before its first night: how every heading and text of its files is read, and what to add.

The reading is the night's own. What is shown holds no name: a text that may hold one is shown by its shape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitor.caseload.adviser_names import CouncilNames, know_teams
from monitor.caseload.intake import begin_reading, read_sources, type_rows
from monitor.caseload.own_words import suggest_code
from monitor.caseload.rows import PLACEHOLDER, Reading, count_filled, count_texts, read_texts
from monitor.catalogue import cells
from monitor.catalogue.columns import BY_NAME, COLUMNS, LIST_9_COLUMNS
from monitor.catalogue.headings import UnmatchedHeadings, find_near_misses, is_slip, match_headings
from monitor.catalogue.shapes import show, showable
from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.sources.extract import Extract, SourceContext
from monitor.words import fold_name, one_line
from monitor.workspace import Workspace, number_of, suit

How = Literal["known", "by your config", "looks like", "not needed", "not read", "could be either"]

SURE = 0.9
"""How like a description a text must be to be taken for it without asking."""


@dataclass(frozen=True)
class HeadingRead:
    """What one heading was taken for. ``filled``: rows of people in which it says something, where it is read."""

    heading: str
    column: str | None
    how: How
    filled: int | None = None


@dataclass(frozen=True)
class TextRead:
    """One distinct text of a column of codes: what of it may be shown, in how many cells, and what it is read as.

    ``read_as``: a code, yes, no or blank; None where it is not read. ``suggestion``: the code it looks like.
    """

    column: str
    shown: str
    cells: int
    first_row: int
    read_as: str | None
    means: str
    by_config: bool
    text: str | None = None
    suggestion: str | None = None


@dataclass(frozen=True)
class DatesRead:
    """In which order the dates of a column are read, and why."""

    column: str
    words: str
    certain: bool


@dataclass(frozen=True)
class SourceLook:
    """One source as it is read."""

    source: str
    kind: str
    place: str
    rows: int
    headings: tuple[HeadingRead, ...]
    texts: tuple[TextRead, ...]
    dates: tuple[DatesRead, ...]
    empty: tuple[str, ...]

    @property
    def unread_cells(self) -> int:
        return sum(text.cells for text in self.unread)

    @property
    def unread(self) -> tuple[TextRead, ...]:
        return tuple(text for text in self.texts if text.read_as is None)


@dataclass(frozen=True)
class TeamSeen:
    """A team as the sources spell it, how many young people it has, and whether the config names it."""

    team: str
    people: int
    is_known: bool


@dataclass(frozen=True)
class Onboarding:
    """Everything that is shown. ``nobody_rows``: rows that are nobody, by reason; ``bad_cells``: cells of
    dates, numbers and names that cannot be read, by column and reason; ``nobody_words``: words for nobody
    among advisers, with their cells; ``crowded``: advisers who may be no one person; ``fault``: why the rest could not
    be looked at; ``missing``: columns that must be there and have no heading; ``lacking``: those of a List 9 that no
    source has.
    """

    sources: tuple[SourceLook, ...]
    people: int = 0
    nobody_rows: tuple[tuple[str, int], ...] = ()
    bad_cells: tuple[tuple[str, int], ...] = ()
    nobody_words: tuple[tuple[str, int], ...] = ()
    crowded: int = 0
    teams: tuple[TeamSeen, ...] = ()
    fault: str | None = None
    missing: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return what is shown; no text that may hold a name."""
        return asdict(self)


@dataclass(frozen=True)
class Proposal:
    """A line to add to the config. ``table``: headings, or words.COLUMN; ``certain``: needs nobody to be asked."""

    source: str
    table: str
    key: str
    value: str
    certain: bool = False
    why: str = ""


def look(workspace: Workspace, config: Config, context: SourceContext) -> Onboarding:
    """Read every source of the config as a night would, and say how; nothing is written.

    A source that cannot be read ends it with what was found of those before it, and the fault.
    """
    looked: list[SourceLook] = []
    try:
        sources = read_sources(workspace, config, context)
        suit(workspace, [extract.table for extract in sources.extracts])
        names = CouncilNames(
            config.not_an_adviser, config.team_names, config.is_an_adviser, config.measures.adviser_cap
        )
        readings = [begin_reading(number, extract) for number, extract in enumerate(sources.extracts)]
        beside = cells.ReadBeside(context.as_at, know_teams(workspace, readings, names))
        lacking = {column.name for column in COLUMNS}.difference(*(reading.positions for reading in readings))
        for reading in readings:
            read_texts(workspace, reading, beside)
            looked.append(_look_at(workspace, reading, lacking))
        intake = type_rows(workspace, sources.extracts, as_at=context.as_at, names=names, care=sources.care)
    except UnmatchedHeadings as fault:
        return Onboarding((*looked, _look_at_headings(fault)), fault=str(fault), missing=fault.missing)
    except MonitorError as fault:
        return Onboarding(tuple(looked), fault=str(fault))
    counted = "SELECT reason, count(*) FROM unreadable WHERE \"column\" = '' GROUP BY ALL ORDER BY 2 DESC, 1"
    cells_counted = (
        "SELECT \"column\" || ': ' || reason, count(*) FROM unreadable "
        "WHERE \"column\" <> '' AND NOT list_contains(?, reason) GROUP BY ALL ORDER BY 2 DESC, 1"
    )
    told_elsewhere = [PLACEHOLDER, cells.NOT_A_CODE, cells.NOT_YES_OR_NO]
    in_teams = (
        "SELECT allocated_team, count(*) FROM tonight WHERE allocated_team IS NOT NULL GROUP BY ALL ORDER BY 2 DESC, 1"
    )
    known = set(config.team_names.values())
    return Onboarding(
        tuple(looked),
        people=number_of(workspace, "SELECT count(*) FROM tonight"),
        nobody_rows=tuple(workspace.execute(counted).fetchall()),
        bad_cells=tuple(workspace.execute(cells_counted, [told_elsewhere]).fetchall()),
        nobody_words=tuple((one_line(word)[:60], number) for word, number in intake.nobody),
        crowded=len(intake.crowded),
        lacking=tuple(name for name in LIST_9_COLUMNS if name not in intake.supplied),
        teams=tuple(
            TeamSeen(one_line(team)[:80], people, team in known)
            for team, people in workspace.execute(in_teams).fetchall()
        ),
    )


def _look_at(workspace: Workspace, reading: Reading, lacking: set[str]) -> SourceLook:
    rows, filled = count_filled(workspace, reading)
    texts = [_look_at_text(reading.extract, *row) for row in count_texts(workspace, reading)]
    return SourceLook(
        source=reading.extract.source,
        kind=reading.extract.kind,
        place=reading.place,
        rows=rows,
        headings=tuple(_look_at_each(reading.extract, filled, lacking)),
        texts=tuple(sorted(texts, key=lambda text: (text.read_as is not None, text.column, -text.cells))),
        dates=tuple(_look_at_dates(reading)),
        empty=tuple(sorted(name for name, number in filled.items() if rows and not number)),
    )


def _look_at_each(extract: Extract, filled: Mapping[str, int], lacking: set[str]) -> Iterator[HeadingRead]:
    matched = extract.matched
    near = find_near_misses(matched.extra, lacking)
    columns = {position: name for name, position in matched.positions.items()}
    for position, heading in enumerate(extract.headings):
        shown = " ".join(heading.split())
        if not shown:
            continue
        column = columns.get(position)
        if column:
            how: How = "by your config" if extract.names.get(shown.casefold()) else "known"
            yield HeadingRead(shown, column, how, filled.get(column))
        elif shown in near:
            doubtful = shown in matched.doubtful.get(near[shown], ())
            yield HeadingRead(shown, near[shown], "could be either" if doubtful else "looks like")
        else:
            yield HeadingRead(shown, None, "not read" if shown not in matched.extra else "not needed")


def _look_at_headings(fault: UnmatchedHeadings) -> SourceLook:
    matched = match_headings(fault.headings)
    columns = {position: name for name, position in matched.positions.items()}
    near = find_near_misses(matched.extra, {*fault.missing, *BY_NAME} - matched.positions.keys())
    headings = []
    for position, heading in enumerate(fault.headings):
        shown = " ".join(heading.split())
        if shown:
            name = columns.get(position) or near.get(shown)
            how: How = "known" if position in columns else "looks like" if name else "not needed"
            headings.append(HeadingRead(shown, name, how))
    return SourceLook(fault.source, "", "", 0, tuple(headings), (), (), ())


def _look_at_text(extract: Extract, column: str, text: str, *found: Any) -> TextRead:
    number, first_row, value, yes, fault = found
    own = {fold_name(word) for word in extract.words.get(column, {})}
    read_as = None if fault else value if value is not None else {True: "yes", False: "no", None: "blank"}[yes]
    known = BY_NAME[column].codes.get(str(read_as), "") if read_as and column != "eligibility" else ""
    plain = showable(text)
    return TextRead(
        column, show(text), number, first_row, read_as, known, fold_name(text) in own, plain or None,
        suggest_code(column, plain) if read_as is None and plain else None,
    )  # fmt: skip


def _look_at_dates(reading: Reading) -> Iterator[DatesRead]:
    for name, order in reading.orders.items():
        yield DatesRead(name, order.words, order.certain)


# What to add


def propose(seen: Onboarding) -> tuple[Proposal, ...]:
    """Return the lines that would have more read: near misses of headings, and texts that look like a description."""
    changes: list[Proposal] = []
    for source in seen.sources:
        taken = {heading.column for heading in source.headings if heading.how in ("known", "by your config")}
        offered = [heading for heading in source.headings if heading.how in ("looks like", "could be either")]
        for heading in offered:
            rivals = sum(other.column == heading.column for other in offered)
            sure = heading.column not in taken and rivals == 1 and is_slip(heading.heading, heading.column or "")
            changes.append(
                Proposal(source.source, "headings", heading.heading, heading.column or "", sure, "looks like it")
            )
        for text in source.unread:
            if text.text and text.suggestion:
                sure = suggest_code(text.column, text.text, SURE) is not None
                changes.append(
                    Proposal(source.source, f"words.{text.column}", text.text, text.suggestion, sure, "looks like it")
                )
    return tuple(changes)
