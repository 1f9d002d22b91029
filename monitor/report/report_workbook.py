"""Writes the figures of a report as a workbook: one sheet for each part, real numbers, ready to print.

Text is written as text, whatever it starts with. A number that is withheld says [c]; one to the nearest ten says so.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.figures.out_of_sight import AGES, SEVERAL, SINCE
from monitor.files import written_whole
from monitor.lists import workbook
from monitor.lists.workbook import LOOK, MOST_LINES, NARROWEST, distinct, set_up_page
from monitor.lists.workbook_file import LINE_HEIGHT, Cell, Sheet, SheetColumn, draw_row, place
from monitor.report.contents import HIDDEN, About, Contents, Header, Hidden, RuleCounts
from monitor.rulebook.ledger import REPORT
from monitor.words import write_count, write_date

WIDEST, HEADING_WIDTH = 48, 14
"""Characters of the widest column, and of a heading before it wraps."""
MOST_ACROSS = 24
"""Columns that can still be read on the width of one page."""
COUNTS = ("Asked", "Met", "In breach", "Cannot assess", "Waived", "Held")
NOT_SHOWN = (
    '[c]: a number from 1 to 5, or one that would tell of such a number. "about": to the nearest ten. Nought is shown.'
)
NOT_FOR_BOARD = frozenset({
    "Of them held", "Of them waived", "Checks not made", "Change since last week", "Change since last month",
    "At least since", "Longest, days", "Longest, since", "Of them also with nobody named", "Asked", "Waived", "Held",
    "Per cent", "Per cent before", "On",
})  # fmt: skip
"""Headings of the columns that the board's edition leaves out."""


@dataclass(frozen=True)
class Part:
    """One part of the report, a sheet of its own: what stands above the table, its headings and its rows."""

    name: str
    lines: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    empty: str = "Nothing to show"


def write(contents: Contents, path: Path) -> None:
    """Write the workbook to ``path``, whole or not at all; only its owner can read it."""
    header = contents.header
    title, made_on = f"Oversight report, {header.authority}", header.as_at or header.made_on
    sheets = [_lay_out(part, header) for part in list_parts(contents)]
    with written_whole(path) as unfinished:
        workbook.write(unfinished, sheets, title=title, made_on=made_on)


def _lay_out(part: Part, header: Header) -> Sheet:
    """Return a part as it is printed: A4 across, headings on each page, marked, numbered, sealed."""
    seal = f"&8Audit chain {header.chain_head[:16]}" if header.chain_head else ""
    top, columns = 3 + len(part.lines), len(part.headings)
    headings = distinct(part.headings)
    lengths = [tuple(map(_measure, row)) for row in part.rows]
    longest = map(max, zip((min(len(heading), HEADING_WIDTH) for heading in headings), *lengths, strict=True))
    widths = [min(max(length + 2, NARROWEST), WIDEST) for length in longest]
    sheet = Sheet(
        part.name,
        _draw(part, header.marking, widths, lengths),
        place(0, 0, top + max(len(part.rows), 1), columns - 1),
        [SheetColumn(width) for width in widths],
        frozen=(top + 1, 1),
        filtered=place(top, 0, top + len(part.rows), columns - 1) if part.rows and columns > 1 else "",
        pages_across=max(-(-columns // MOST_ACROSS), 1),
        repeated=("A:B" if columns > MOST_ACROSS else "A:A", f"{top + 1}:{top + 1}"),
    )
    return set_up_page(sheet, header.marking, seal=seal)


def _draw(part: Part, marking: str, widths: Sequence[int], lengths: Sequence[Sequence[int]]) -> Iterator[str]:
    above = [(marking, LOOK["strong"]), (part.name, LOOK["title"]), *((line, LOOK["plain"]) for line in part.lines)]
    for number, line in enumerate(above):
        yield draw_row(number, [line])
    headings, top = distinct(part.headings), len(above) + 1
    height = LINE_HEIGHT * _lines(map(len, headings), widths)
    yield draw_row(top, [(heading, LOOK["framed heading"]) for heading in headings], height)
    for number, (row, measured) in enumerate(zip(part.rows, lengths, strict=True), start=top + 1):
        # Not every program makes a row as high as its wrapped text.
        yield draw_row(number, map(_as_cell, row), LINE_HEIGHT * _lines(measured, widths))
    if not part.rows:
        yield draw_row(top + 1, [(part.empty, LOOK["plain"])])


def _as_cell(value: Any) -> Cell:
    """Return a value of the report with its look."""
    if isinstance(value, str) and value:
        return value, LOOK["text"]
    if value is None or value == "":
        return None, LOOK["plain"]
    if isinstance(value, Hidden):
        return value.value, LOOK["withheld"]
    if isinstance(value, About):
        return value.nearest, LOOK["about"]
    if isinstance(value, dt.date):
        return value, LOOK["date"]
    return (value, LOOK["count"]) if isinstance(value, int) else (str(value), LOOK["text"])


def _lines(lengths: Iterable[int], widths: Sequence[int]) -> int:
    """How many lines the longest of a row's texts takes; a word is not broken, so a little more than its length."""
    needed = [-(-(length + 4) // width) for length, width in zip(lengths, widths, strict=True) if length > width - 2]
    return min(max(needed), MOST_LINES) if needed else 1


def _measure(value: Any) -> int:
    """Return how many characters a value takes as it is shown."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dt.date):
        return len("00/00/0000")
    if isinstance(value, About):
        return len(f"about {value.nearest:,}")
    if isinstance(value, int):
        return len(f"{value:,}")
    return len("[c]") if value is HIDDEN else 0 if value is None else len(str(value))


def list_parts(contents: Contents) -> tuple[Part, ...]:
    """Return the parts, in order: what the page shows, with the rows of people only where the edition has them."""
    if contents.is_empty:
        return (_summary(contents),)
    parts = [
        _summary(contents), _sight(contents), _teams(contents), _rules(contents), _rules_by_team(contents),
        _weeks(contents), _done(contents), _measures(contents), _paragraphs(contents),
    ]  # fmt: skip
    if contents.is_board:
        return tuple(map(_leave_out_columns, parts))
    parts[6:7] = [_clearing(contents), _done(contents), _caseloads(contents)]
    return (*parts, _people(contents), _advisers(contents), _waivers(contents), _flags(contents))


def _leave_out_columns(part: Part) -> Part:
    kept = [place for place, heading in enumerate(part.headings) if heading not in NOT_FOR_BOARD]
    rows = tuple(tuple(row[place] for place in kept) for row in part.rows)
    return replace(part, headings=tuple(part.headings[place] for place in kept), rows=rows)


def _summary(contents: Contents) -> Part:
    header = contents.header
    rows: list[tuple[Any, ...]] = [
        ("Authority", header.authority),
        ("Edition", "For the board: no ids, small numbers withheld" if contents.is_board else "For the service"),
        ("Period", f"{write_date(header.since)} to {write_date(header.until)}"),
        ("As at the last accepted night", header.as_at or "no accepted night yet"),
        ("Made on", header.made_on),
        ("Team", header.team or "Every team"),
        ("Young people on the caseload", header.people),
        ("Known, and not on it", header.absent),
        ("Accepted nights in the period", header.nights),
        ("How far the night is believed", header.trust.verdict if header.as_at else None),
        ("Rules asked as at", header.trust.asked_on),
        ("Believed because", header.trust.accepted_because),
        *_doubts(header),
        *(("Source", _source(source.name, source.kind, source.working_days_old)) for source in header.sources),
        *(("Adjusted rule", line) for line in header.adjustments),
        ("Audit chain", header.chain_head),
    ]
    lines = (f"Oversight report: {header.authority}", *((NOT_SHOWN,) if contents.is_board else ()))
    return Part("Summary", lines, ("What", "Value"), tuple(row for row in rows if row[1] is not None))


def _doubts(header: Header) -> Iterable[tuple[str, str]]:
    yield from (("Not believed", line) for line in header.trust.doubts)
    yield from (("Column not believed", name.replace("_", " ")) for name in header.trust.not_believed)
    for night in header.not_accepted:
        yield "Night not accepted since", _not_accepted(night.as_at, night.state, night.reasons)


def _not_accepted(as_at: dt.date, state: str, reasons: Sequence[str]) -> str:
    return f"{write_date(as_at)}: {state}" + (f": {'; '.join(reasons)}" if reasons else "")


def _source(name: str, kind: str, days: int | None) -> str:
    age = "date not known" if days is None else f"{write_count(days, 'working day')} old"
    return f"{name} ({kind}): {age}"


def _sight(contents: Contents) -> Part:
    sights = (contents.sight.everyone, *contents.sight.kinds)
    labels = {sight.name: sight.label for sight in sights}
    ages = AGES[: max(len(sight.bands) for sight in sights)]
    headings = (
        "Way of being out of sight", "Young people", *ages, "Of them held", "Of them waived", "Checks not made",
        "Change since last week", "Change since last month", *SINCE, "Since when not known", "At least since",
        "Median days", "Longest, days", "Longest, since", "Of them also with nobody named", "Part of",
        "Not asked because",
    )  # fmt: skip
    rows = tuple(
        (
            sight.label, sight.people, *_padded(sight.bands, len(ages)), sight.held, sight.waived, sight.not_assessed,
            sight.last_week.by, sight.last_month.by, *_padded(sight.since.counts, len(SINCE)), sight.since.not_known,
            sight.since.at_least_since, sight.since.median_days, sight.since.longest_days, sight.since.longest_since,
            sight.also_nobody_named, labels.get(sight.within), sight.why_not,
        )
        for sight in sights
    )  # fmt: skip
    then = contents.sight.everyone
    lines = ["Out of touch and nobody named add up to everybody; who is both counts as out of touch."]
    if not contents.is_board:
        lines += ["Not known: the record has no date. At least since: the first night that saw it."]
        spans = (("week", then.last_week.since), ("month", then.last_month.since))
        lines += [f"Since last {span}: since {write_date(since)}" for span, since in spans if since]
    return Part("Out of sight", tuple(lines), headings, rows)


def _people(contents: Contents) -> Part:
    rows = tuple(
        (row.person_id, row.team, row.adviser, row.tier, SEVERAL.join(row.ways), row.since, row.at_least_since,
         row.last_contact, row.done, row.done_on)
        for row in contents.sight.people
    )  # fmt: skip
    headings = (
        "Person", "Team", "Personal adviser", "Out of sight", "In which ways", "Since",
        "Not known, at least since", "Last contact", "Done last", "Done on",
    )  # fmt: skip
    lines = tuple(_beside_restricted(contents.sight.restricted))
    return Part("People out of sight", lines, headings, rows, "Nobody")


def _padded(values: Sequence[Any], length: int) -> tuple[Any, ...]:
    return (*values, *[None] * (length - len(values)))


def _teams(contents: Contents) -> Part:
    rows = tuple((each.team, each.people, each.out_of_sight) for each in contents.sight.teams)
    return Part("Teams", (), ("Team", "Young people", "Out of sight"), rows, "No figures by team")


def _counts(counts: RuleCounts) -> tuple[Any, ...]:
    return counts.asked, counts.met, counts.breach, counts.cannot_assess, counts.waived, counts.held


def _rules(contents: Contents) -> Part:
    rows = tuple(
        (one.title, one.rule, one.severity, one.basis, ", ".join(map(str, one.paragraphs)), *_counts(one.total),
         one.standing, "; ".join(one.caveats))
        for one in contents.rules
    )  # fmt: skip
    headings = ("Title", "Rule", "Severity", "Basis", "Paragraphs", *COUNTS, "No figures because", "To know of it")
    return Part("Rules", (f"Paragraphs: of {REPORT}.",), headings, rows)


def _rules_by_team(contents: Contents) -> Part:
    rows = tuple(
        (one.title, one.rule, one.severity, team, *_counts(counts))
        for one in contents.rules
        for team, counts in one.teams.items()
    )
    return Part("Rules by team", (), ("Title", "Rule", "Severity", "Team", *COUNTS), rows, "No figures by team")


def _weeks(contents: Contents) -> Part:
    parts = (("Out of sight", contents.trends.sight), ("Out of sight, by team", contents.trends.teams),
             ("Flags standing, by rule", contents.trends.rules))  # fmt: skip
    rows = tuple((what, line.label, *line.values) for what, lines in parts for line in lines)
    headings = ("What", "Line", *(f"Week of {write_date(monday)}" for monday in contents.week_starts))
    lines = ("Each week is told by its last accepted night; a week without one is blank.",)
    return Part("Weeks", lines, headings, rows)


def _clearing(contents: Contents) -> Part:
    rows = tuple(
        ("All rules" if not one.rule else one.label, one.rule, one.severity, one.cleared, one.lower, one.median,
         one.upper, one.standing)
        for one in contents.clearing
    )  # fmt: skip
    headings = ("What", "Rule", "Severity", "Cleared", "Lower quarter, days", "Median days", "Upper quarter, days",
                "Not cleared yet")  # fmt: skip
    return Part("Days to clear", ("From the start of the breach to the night that cleared it.",), headings, rows)


def _done(contents: Contents) -> Part:
    done, waivers = contents.done, contents.waivers
    flags = (done.opened, done.backlog, done.cleared, done.no_longer_asked, done.rule_changed)
    rows = (
        *(("Flags", each.label, each.count) for each in flags if each.count is not None),
        *(("Escalations", each.label, each.count) for each in done.escalations),
        *(("Answers", each.label, each.count) for each in done.answers),
        ("Waivers", "In force", waivers.in_force),
        ("Waivers", "Ending within 14 days", waivers.ending_soon),
        ("Waivers", "Ended in the period", waivers.ended),
        *(("Waivers in force, by reason", each.label, each.count) for each in waivers.reasons),
    )
    return Part("What was done", (), ("Part", "What", "How many"), rows)


def _caseloads(contents: Contents) -> Part:
    rows = tuple((one.team, one.advisers, one.over_cap, one.without_adviser) for one in contents.caseloads.teams)
    headings = ("Team", "Advisers", f"With more than {contents.caseloads.cap} young people", "Young people with none")
    return Part("Caseloads", (), headings, rows, "No figures by team")


def _measures(contents: Contents) -> Part:
    rows = tuple(
        (one.label, one.numerator, one.denominator, one.percent, one.not_assessed, one.percent_before, one.before_on)
        for one in contents.measures
    )
    headings = ("Measure", "So many", "Of so many", "Per cent", "Cannot be told", "Per cent before", "On")
    return Part("Measures", (), headings, rows)


def _paragraphs(contents: Contents) -> Part:
    rows: list[tuple[Any, ...]] = []
    for one in contents.paragraphs:
        rows += [
            (one.number, one.about, each.title, each.asked, each.breach, each.cannot_assess, each.standing)
            for each in one.rules
        ]
        rows += [(one.number, one.about, None, None, None, None, one.why_none)] if one.why_none else []
        rows += [(one.number, one.about, f"Not asked: {what}", None, None, None, why) for what, why in one.not_asked]
    headings = ("Paragraph", "What it says", "What is asked", "Asked", "In breach", "Cannot assess",
                "No figures because")  # fmt: skip
    lines = (f"The paragraphs of {REPORT}, each in a few words of our own.",)
    return Part("Report paragraphs", lines, headings, tuple(rows))


def _advisers(contents: Contents) -> Part:
    rows = tuple(
        (one.adviser, one.team, one.people, one.with_flags, "yes" if one.over_cap else "no")
        for one in contents.caseloads.advisers
    )
    headings = ("Personal adviser", "Team", "Young people", "With a flag", "Over the cap")
    return Part("Advisers", (), headings, rows)


def _waivers(contents: Contents) -> Part:
    rows = tuple(
        (one.person_id, one.team, one.title, one.reason, one.by, one.until, one.ended_on)
        for one in contents.waivers.rows
    )
    headings = ("Person", "Team", "Rule", "Reason", "Signed by", "Until", "Ended on")
    left_out = contents.waivers.rows_left_out
    return Part(
        "Waivers", (f"{left_out:,} more are not listed here.",) if left_out else (), headings, rows, "No waivers"
    )


def _flags(contents: Contents) -> Part:
    flags = contents.flags
    rows = tuple(
        (one.person_id, one.team, one.adviser, one.age, one.title, one.severity, one.state, one.since, one.days,
         one.because, one.action)
        for one in flags.rows
    )  # fmt: skip
    headings = ("Person", "Team", "Personal adviser", "Age", "Rule", "Severity", "State", "In breach since", "Days",
                "Because", "What to do")  # fmt: skip
    return Part("Flags", tuple(_beside_flags(contents)), headings, rows, "No flags")


def _beside_flags(contents: Contents) -> Iterable[str]:
    flags = contents.flags
    if flags.left_out:
        yield f"The worst {len(flags.rows):,} of {flags.total:,} flags; the exception lists have them all."
    yield from _beside_restricted(flags.restricted)


def _beside_restricted(restricted: int) -> Iterable[str]:
    if restricted:
        yield f"{write_count(restricted, 'restricted young person is', 'restricted young people are')} not listed."
