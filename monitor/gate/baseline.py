"""Nothing is believed because it is first: what has no history is judged by itself.

That is all of a first night, of a night put right, of one after a jump of the clock, and of the first after the
sample's invented people; on any other night, the columns that a source has for the first time. What somebody accepted
on an earlier night, and which is still so, is not asked about again.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, or_, select

from monitor.caseload.full_caseload import write_people_tonight
from monitor.caseload.intake import CaseloadRead, EmptyColumn
from monitor.config.settings import Gate
from monitor.durations import Duration
from monitor.gate.source_fitness import SUPPLIED_BY, find_supplies
from monitor.rulebook import evaluation, questions
from monitor.store.tables import Profile, table_of
from monitor.words import write_date
from monitor.workspace import Workspace, literal, step

if TYPE_CHECKING:
    from monitor.rulebook.evaluation import Counts
    from monitor.rulebook.rule import Rule

HIGHEST_SHARE_UNREADABLE = 0.2
HIGHEST_SHARE_IN_BREACH = 0.8
FEWEST_ASKED = 20
"""Of fewer people asked, nearly all can be in breach of a rule."""

OLDEST_DATE = Duration(1, "month")

LOWEST_SHARE_OF_OTHER_IDS, LOWEST_SHARE_OF_OTHER_SIGNS = 0.25, 0.1
"""Fewer ids of another shape than this share are slips, and no second system; the second, where only one of the two
shapes has letters.
"""

LONGEST_STEP = 2
"""Ids of one kind that are longer than others by more than this, with none between, are of another shape."""

NEVER_WITHOUT = {"date_of_birth": "every age rests on it", "allocated_team": "who hears about whom rests on it"}
"""Columns without which a night is refused rather than asked in part."""

OR_ACCEPT = "or, if it is right, run the night with --accept"

Pair = tuple[str, str]
"""A source and one of its columns."""


@dataclass(frozen=True)
class Known:
    """What the last accepted night knew, as far as a judgment without history must not ask again.

    ``supplied``: the columns of each source. ``blank``: columns with nothing under their heading that were taken for
    blank, ``left_out`` for not supplied. ``unreadable``: columns with too many cells that could not be read;
    ``in_breach``: rules in breach for nearly everybody; ``mixed``: sources with ids of mixed shapes; ``one_page``:
    web services that gave one page and did not say where another is. ``sample``: its people were invented.
    """

    supplied: frozenset[Pair] = frozenset()
    blank: frozenset[Pair] = frozenset()
    left_out: frozenset[Pair] = frozenset()
    unreadable: frozenset[str] = frozenset()
    in_breach: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    one_page: frozenset[str] = frozenset()
    sample: bool = False


NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class BaselineTerms:
    """What a night without history is judged by; ``fewest``: what concerns fewer people is never a bulk fault."""

    as_at: dt.date
    rules: Sequence["Rule"]
    fewest: int


BLANK, LEFT_OUT, IN_BREACH, MIXED, SAMPLE = "blank column", "left out", "mostly in breach", "mixed ids", "sample"
ONE_PAGE = "one page"
"""Names under which a night's profile keeps what ``Known`` says."""

FILLED, UNREADABLE = "filled", "unreadable"
"""The names of the shares of people with a value and with a cell that cannot be read, by column."""

AT = "="
"""Between a source and a column, in a profile's key."""


def read_known(store: Connection, night: dt.date | None) -> Known:
    """Return what the accepted night of that date knew."""
    table = table_of(Profile)
    named = or_(
        table.c.name.in_((BLANK, LEFT_OUT, IN_BREACH, MIXED, ONE_PAGE, SAMPLE)),
        table.c.name.startswith(SUPPLIED_BY),
        # A night before any of this was kept took such a column for blank.
        and_(table.c.name == FILLED, table.c.value == 0),
        and_(table.c.name == UNREADABLE, table.c.value > HIGHEST_SHARE_UNREADABLE),
    )
    found: dict[str, list[str]] = {}
    for name, key in store.execute(select(table.c.name, table.c.key).where(table.c.as_at == night, named)):
        found.setdefault(name, []).append(key)
    supplied = frozenset(
        (name.removeprefix(SUPPLIED_BY), key)
        for name, keys in found.items()
        if name.startswith(SUPPLIED_BY)
        for key in keys
    )
    return Known(
        supplied=supplied,
        blank=_read_pairs(found.get(BLANK, ())) | {pair for pair in supplied if pair[1] in found.get(FILLED, ())},
        left_out=_read_pairs(found.get(LEFT_OUT, ())),
        unreadable=frozenset(found.get(UNREADABLE, ())),
        in_breach=frozenset(found.get(IN_BREACH, ())),
        mixed=frozenset(found.get(MIXED, ())),
        one_page=frozenset(found.get(ONE_PAGE, ())),
        sample=SAMPLE in found,
    )


def _read_pairs(keys: Iterable[str]) -> frozenset[Pair]:
    return frozenset((source, column) for source, _, column in (key.rpartition(AT) for key in keys))


@dataclass(frozen=True)
class BlankColumn:
    """A column with nothing under its heading: how many people it stands for, and whom a blank would put in breach."""

    empty: EmptyColumn
    rule: str = ""
    in_breach: int = 0


@dataclass(frozen=True)
class ColumnCells:
    """One column in the rows of one source: how many of its cells are supplied, and how many cannot be read."""

    source: str
    column: str
    cells: int
    unreadable: int
    filled: int = 0
    reason: str = ""
    """Why most of them cannot be."""


@dataclass(frozen=True)
class Unproven:
    """What of tonight has no history. ``whole``: all of it; else ``pairs`` alone.

    ``newest``: of each source to be judged, the newest date inside it or, with none inside, the file's own. ``ids``: of
    each, how many ids of each shape.
    """

    whole: bool = False
    pairs: frozenset[Pair] = frozenset()
    blank: tuple[BlankColumn, ...] = ()
    cells: tuple[ColumnCells, ...] = ()
    newest: Mapping[str, dt.date] = field(default_factory=dict)
    ids: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    only_page: Mapping[str, str] = field(default_factory=dict)
    """Of each web service that may have given only its first page, why; not of those that did so on the last night."""
    in_breach_before: frozenset[str] = frozenset()
    """The rules that were in breach for nearly everybody on the last accepted night too."""
    remembered: tuple[tuple[str, str], ...] = ()
    """What the night's profile keeps of it, by name and key."""
    after_sample: dt.date | None = None
    """The last night, where its people were invented and tonight's are not."""


NOTHING_UNPROVEN = Unproven()


# What to look at


def find_new_pairs(read: CaseloadRead, known: Known, *, whole: bool) -> frozenset[Pair]:
    """Return the columns of each source that have no history."""
    pairs = {
        (supply.source, column)
        for supply in find_supplies(read.extracts, read.intake.supplied)
        for column in supply.columns
    }
    return frozenset(pairs if whole else pairs - known.supplied)


def find_telling(rules: Iterable["Rule"]) -> frozenset[str]:
    """Return the columns in which a blank can put somebody in breach, and without which no night is asked."""
    return frozenset(NEVER_WITHOUT).union(*(set(rule.needs) & rule.cleared_by.keys() for rule in rules))


@step(reads=("tonight",))
def find_blank(
    workspace: Workspace, read: CaseloadRead, terms: BaselineTerms, pairs: frozenset[Pair] | None
) -> tuple[BlankColumn, ...]:
    """Find the columns, of ``pairs`` or of all, with nothing under their heading whose blank would put some in breach.

    So a date of death that nobody has is none of them, nor is an offer at 21 before anybody is 21; nor a column that
    another source fills for the same people.
    """
    rules, telling = terms.rules, find_telling(terms.rules)
    never = {(extract.source, name) for extract in read.extracts for name in extract.blank_means_none}
    asked = {(one.source, one.column) for one in read.intake.empty} if pairs is None else pairs
    empty = [
        one
        for one in read.intake.empty
        if one.column in telling
        and one.rows >= terms.fewest
        and not one.left_out
        and (one.source, one.column) in asked - never
    ]
    if not empty:
        return ()
    blamed = [
        (one, rule) for one in empty for rule in rules if one.column in rule.needs and one.column in rule.cleared_by
    ]
    details = {extract.source for extract in read.extracts if extract.role == "detail"}
    needed = frozenset(name for rule in rules for name in rule.needs) - {one.column for one in empty}
    evaluation.create_functions(workspace, [rule for _, rule in blamed])
    counted = [f"count({one.column}) FILTER ({_whose(one, details)})" for one in empty]
    counted += [
        f"count_if({questions.outcome_sql(rule, needed)} = {questions.BREACH} AND {_whose(one, details)})"
        for one, rule in blamed
    ]
    (figures,) = workspace.execute(f"SELECT {', '.join(counted)} FROM {write_people_tonight(terms.as_at)}").fetchall()
    filled = dict(zip(empty, figures, strict=False))
    breaches = list(zip(blamed, figures[len(empty) :], strict=True))
    return tuple(_find_blamed(filled, breaches))


def _whose(one: EmptyColumn, details: Iterable[str]) -> str:
    return "true" if one.source in details else f"source = {literal(one.source)}"


def _find_blamed(
    filled: Mapping[EmptyColumn, int], breaches: Sequence[tuple[tuple[EmptyColumn, "Rule"], int]]
) -> Iterator[BlankColumn]:
    for one, others in filled.items():
        worst = max(((number, rule.id) for (column, rule), number in breaches if column == one), default=(0, ""))
        if not others and (worst[0] or one.column in NEVER_WITHOUT):
            yield BlankColumn(one, worst[1], worst[0])


def find_doubted_cells(
    workspace: Workspace, cells: Iterable[ColumnCells], terms: BaselineTerms
) -> tuple[ColumnCells, ...]:
    """Find the columns that rules rest on of which too many cells cannot be read, each with the commonest reason."""
    asked = frozenset(NEVER_WITHOUT).union(*(rule.columns for rule in terms.rules))
    doubted = [
        one
        for one in cells
        if one.column in asked
        and one.unreadable >= terms.fewest
        and one.unreadable > HIGHEST_SHARE_UNREADABLE * one.cells
    ]
    if not doubted:
        return ()
    rows = workspace.execute(
        'SELECT "column", mode(reason) FROM unreadable WHERE list_contains($columns::VARCHAR[], "column") GROUP BY ALL',
        {"columns": [one.column for one in doubted]},
    ).fetchall()
    reasons = dict(rows)
    return tuple(replace(one, reason=reasons.get(one.column, "")) for one in doubted)


def list_remembered(
    read: CaseloadRead, known: Known, ids: Mapping[str, Mapping[str, int]], terms: BaselineTerms
) -> Iterator[tuple[str, str]]:
    """Yield what the night's profile keeps, by name and key, so that it is not asked about again."""
    sources = {extract.source for extract in read.extracts}
    for one in read.intake.empty:
        yield LEFT_OUT if one.left_out else BLANK, f"{one.source}{AT}{one.column}"
    for source in sorted(sources):
        if source in known.mixed or find_mixed_ids(ids.get(source, {}), terms.fewest):
            yield MIXED, source
    for extract in read.extracts:
        if extract.only_page:
            yield ONE_PAGE, extract.source
    if is_sample(read):
        yield SAMPLE, ""


def list_figures(
    unproven: Unproven, totals: Mapping[str, "Counts"], doubtful: frozenset[str]
) -> list[tuple[str, str, float]]:
    """Return what the night's profile keeps, rules in breach for nearly everybody among it.

    A column that the night was not believed in, ``doubtful``, was taken for nothing.
    """
    kept = [*unproven.remembered, *((IN_BREACH, rule) for rule in find_mostly_in_breach(totals))]
    return [(name, key, 1) for name, key in kept if not (name == BLANK and key.rpartition(AT)[2] in doubtful)]


def is_sample(read: CaseloadRead) -> bool:
    """Return whether some of the people were invented by the monitor."""
    return any(extract.kind == "sample" for extract in read.extracts)


# What is refused


def doubt(unproven: Unproven, gate: Gate, as_at: dt.date) -> Iterator[str]:
    """Yield why what has no history is not believed, each reason with its numbers and a way on."""
    if unproven.after_sample:
        yield (
            f"the last accepted night ({write_date(unproven.after_sample)}) was of the sample's invented people; give "
            f"your own a data_folder and a database of their own, {OR_ACCEPT}"
        )
    for source, why in unproven.only_page.items():
        yield f"{source}: {why}, {OR_ACCEPT}"
    for one in unproven.blank:
        yield describe_blank(one)
    for cells in unproven.cells:
        most = f", most of them because: {cells.reason}" if cells.reason else ""
        yield (
            f"{cells.source}: {cells.column}: {cells.unreadable:,} of {cells.cells:,} cells cannot be read (at most "
            f"{HIGHEST_SHARE_UNREADABLE:.0%} of a column is believed where no earlier night had it){most}; "
            f"put the column right, {OR_ACCEPT}"
        )
    for source, newest in unproven.newest.items():
        if newest < OLDEST_DATE.before(as_at):
            yield (
                f"{source}: the newest date is {write_date(newest)}, {(as_at - newest).days:,} days before the night; "
                f"export it again, {OR_ACCEPT}"
            )
    for source, shapes in unproven.ids.items():
        if mixed := find_mixed_ids(shapes, gate.fewest):
            yield (
                f"{source}: ids of mixed shapes: {' and '.join(f'{number:,} like {like}' for like, number in mixed)}; "
                f"check that they come from one system, and that no spreadsheet has changed them, {OR_ACCEPT}"
            )


def describe_blank(one: BlankColumn) -> str:
    """Say of a column with nothing under its heading what would come of it, and what to do."""
    empty = one.empty
    read_as_never = f"read as never, it would put {one.in_breach:,} in breach of {one.rule}"
    told = NEVER_WITHOUT.get(empty.column, read_as_never)
    return (
        f'{empty.source}: {empty.column}: nothing under the heading "{empty.heading[:60]}" in any of {empty.rows:,} '
        f"rows; {told}. Put the column right; or run the night with --accept, and it counts as not supplied until it "
        f'fills; or, if a blank does mean never or none, write blank_means_none = ["{empty.column}"] into the source'
    )


def doubt_answers(
    totals: Mapping[str, "Counts"], rules: Mapping[str, "Rule"], unproven: Unproven, never: Iterable[str]
) -> Iterator[str]:
    """Yield the rules in breach for nearly everybody that rest on what has no history.

    ``never``: columns whose blank says *never*, by the config: what rests on one may be in breach for everybody.
    """
    fresh = {column for _, column in unproven.pairs}
    said = {*never, *(one.empty.column for one in unproven.blank)}
    for name in find_mostly_in_breach(totals):
        rests_on = rules[name].columns
        new = name not in unproven.in_breach_before and (unproven.whole or not fresh.isdisjoint(rests_on))
        if new and said.isdisjoint(rests_on):
            counts, most = totals[name], f"{HIGHEST_SHARE_IN_BREACH:.0%}"
            columns = ", ".join(rules[name].needs or rests_on) or "who is on the caseload"
            yield (
                f"{name}: in breach for {counts.breach:,} of {counts.asked:,} asked (at most {most} is believed where "
                f"no earlier night said so); check {columns}, {OR_ACCEPT}"
            )


def find_mostly_in_breach(totals: Mapping[str, "Counts"]) -> list[str]:
    """Find the rules in breach for nearly all of many asked."""
    return [
        rule
        for rule, counts in totals.items()
        if counts.asked >= FEWEST_ASKED and counts.breach > HIGHEST_SHARE_IN_BREACH * counts.asked
    ]


# The shapes of ids

SHAPE = "translate(upper(person_id), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 'AAAAAAAAAAAAAAAAAAAAAAAAAA9999999999')"
"""SQL for an id's shape: each letter an A, each digit a 9."""


def find_mixed_ids(shapes: Mapping[str, int], fewest: int) -> tuple[tuple[str, int], ...]:
    """Return the two commonest kinds of ids, each as its commonest shape and a number; nothing where there is one.

    A kind is digits, letters or both, with what stands between them, and about one length: 999 goes on to 1000.
    """
    kinds: dict[tuple[str, bool, bool], Counter[str]] = {}
    for shape, number in shapes.items():
        kind = (re.sub("[A9]", "", shape), "A" in shape, "9" in shape)
        kinds.setdefault(kind, Counter())[shape] += number
    found = [group for kind in kinds.values() for group in _split_by_length(kind)]
    found.sort(key=lambda group: (-group.total(), min(group)))
    if len(found) < 2:
        return ()
    told = [(group.most_common(1)[0][0], group.total()) for group in found[:2]]
    alike = ("A" in told[0][0]) == ("A" in told[1][0])
    share = LOWEST_SHARE_OF_OTHER_IDS if alike else LOWEST_SHARE_OF_OTHER_SIGNS
    return tuple(told) if told[1][1] >= max(fewest, share * sum(shapes.values())) else ()


def _split_by_length(shapes: Counter[str]) -> Iterator[Counter[str]]:
    """Yield the shapes of each run of lengths without a wide gap."""
    group: Counter[str] = Counter()
    length = 0
    for shape in sorted(shapes, key=lambda shape: (len(shape), shape)):
        if group and len(shape) > length + LONGEST_STEP:
            yield group
            group = Counter()
        group[shape] += shapes[shape]
        length = len(shape)
    yield group
