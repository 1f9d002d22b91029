"""Every figure of one night, recomputed: mails, page, workbook, lists and commands say the same of the same words.

The figures are worked out here from the rows of the database alone: flags, waivers, events and measures.
"""

import csv
import datetime as dt
import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from openpyxl import load_workbook
from sqlalchemy import func, select
from support.board_reader import read_page
from support.command import monitor
from support.council import Council, crowd, day, settled
from support.timed_service import few_rules

from monitor.figures import measures
from monitor.figures.out_of_sight import BY_NAME, EVERYONE, LINES, NOBODY_NAMED, OUT_OF_TOUCH, SINCE
from monitor.store.tables import Answer, Escalation, Flag, Message, Run, Waiver, table_of

RULES = (
    "not-in-touch", "contact-overdue", "over-21-contact", "known-address", "left-caseload", "status-dropped",
    "pa-allocated", "over-21-adviser", "turning-18-adviser", "eligible-adviser", "homeless", "birth-date-recorded",
)  # fmt: skip
"""Two or so of each way, a critical one and one of the data: a night of few rules is a short one."""
NIGHTS = 20
READ = (0, 1, 3, 5, 7, 13, 19)
"""The nights of which every figure is read; the others have no report."""
TOLD = (2, 7, 17)
"""The nights of which the lead of North has the digest; the next ones tell what is new since."""
RESTRICTED, NO_BIRTH_DATE, TURNS_25, MERGED, STANDS_FOR_IT, ANSWERED = "C003", "C040", "C041", "C042", "C043", "C044"
BIRTHDAY = dt.date(2026, 1, 16)
"""Of ``TURNS_25``."""
ODD = frozenset({RESTRICTED, NO_BIRTH_DATE, TURNS_25, MERGED, STANDS_FOR_IT, ANSWERED})
STATES = ("open", "held", "waived")
SEVERITIES = ("critical", "high", "medium", "low")
CHANGES: tuple[Mapping[str, str], ...] = (
    {"adviser": ""},
    {"adviser": "", "born": "01/06/2002"},
    {"adviser": "", "contact": ""},
    {"contact": ""},
    {"contact": "01/03/2025"},
    {"contact": "01/06/2024", "born": "01/06/2003"},
    {"contact": "", "accommodation": "X: In custody"},
    {"accommodation": "R: Residence not known"},
    {"accommodation": "", "adviser": "", "born": "01/06/2003"},
    {"in_touch": "b) No"},
    {"in_touch": "d) No - young person no longer requires services"},
    {"eligibility": "e) No current eligibility"},
    {"adviser": "#MULTIVALUE"},
    {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"},
    {},
    {},
    {},
)


def live() -> Iterator[list[dict[str, str]]]:
    """Night after night, the whole list: each night somebody changes, and somebody goes missing or comes back."""
    rng = Random(11)
    teams = {f"C{n:03}": {"team": "South" if n % 3 == 0 else "LC North" if n % 7 == 0 else "North"} for n in range(45)}
    teams["C010"] = {"team": ""}
    everyone = {row["id"]: row | teams[row["id"]] for row in crowd(45)}
    everyone[RESTRICTED] |= {"contact": "01/03/2025", "adviser": ""}
    everyone[NO_BIRTH_DATE]["born"] = ""
    everyone[TURNS_25] |= {"born": "16/01/2001", "contact": ""}
    everyone[MERGED] |= {"contact": "01/03/2025"}
    everyone[ANSWERED] |= {"team": "", "adviser": ""}
    usual = sorted(everyone.keys() - ODD)
    for person_id in usual[:14]:
        everyone[person_id] |= rng.choice(CHANGES)
    missing: list[str] = []
    for n in range(NIGHTS):
        for person_id in rng.sample(usual, 3) if n else ():
            everyone[person_id] = settled(person_id) | teams[person_id] | rng.choice(CHANGES)
        missing = rng.sample(usual, 2) if rng.random() < 0.4 and n else missing[:1]
        if n == 3:
            everyone[STANDS_FOR_IT] |= {"contact": everyone.pop(MERGED)["contact"]}
        yield [row for person_id, row in everyone.items() if person_id not in missing]


def waive(council: Council, on: dt.date) -> None:
    """Decide not to chase one flag for a while, as the command would have done on that day."""
    with council.open_database() as database, database.writing() as store:
        flag = table_of(Flag)
        wanted = select(flag.c.id, flag.c.person_id, flag.c.rule).where(flag.c.rule == "known-address")
        flag_id, person_id, rule = store.execute(wanted.where(flag.c.resolved_on.is_(None))).first() or (0, "", "")
        values = {
            "flag_id": flag_id, "person_id": person_id, "rule": rule, "reason": "under-way", "note": "Agreed.",
            "until_on": on + dt.timedelta(30), "waived_on": on, "waived_by": "M Manager",
            "recorded_at": dt.datetime.combine(on, dt.time(9), dt.UTC),
        }  # fmt: skip
        store.execute(table_of(Waiver).insert().values(values))


def escalate(council: Council, on: dt.date) -> None:
    """Take the flag of the record that is merged later to the manager, as a night does."""
    with council.open_database() as database, database.writing() as store:
        flag, run = table_of(Flag), table_of(Run)
        values = {
            "flag_id": store.execute(select(flag.c.id).where(flag.c.person_id == MERGED)).scalar_one(),
            "step": "manager", "as_at": on, "run_id": store.execute(select(func.max(run.c.id))).scalar_one(),
            "recipient": "manager@example.gov.uk", "severity": "medium", "working_days": 5,
        }  # fmt: skip
        store.execute(table_of(Escalation).insert().values(values))


def answer(council: Council, on: dt.date) -> None:
    """Answer the flag of somebody without an adviser, as the command would have done on that day."""
    with council.open_database() as database, database.writing() as store:
        flag = table_of(Flag)
        values = {
            "flag_id": store.execute(select(flag.c.id).where(flag.c.person_id == ANSWERED)).scalar_one(),
            "person_id": ANSWERED, "rule": "pa-allocated", "answer": "done", "list_as_at": on, "file_sha256": "0",
            "file_row": 2, "answered_on": on, "answered_by": "A Lead",
            "recorded_at": dt.datetime.combine(on, dt.time(9), dt.UTC),
        }  # fmt: skip
        store.execute(table_of(Answer).insert().values(values))


def tell_north(council: Council) -> None:
    """Deliver the digest of one lead, whose next one then tells what is news; the others stay as they are."""
    with council.open_database() as database, database.writing() as store:
        message = table_of(Message)
        others = message.c.recipient != "north@example.gov.uk"
        store.execute(message.update().where(message.c.state == "created", others).values(state="replaced"))
    night = council.clock
    council.deliver(night + dt.timedelta(hours=6))
    council.clock = night


DECIDED = {2: escalate, 5: waive, 8: answer}
"""What people do before a night."""


# What the database says


@dataclass(frozen=True)
class StoredFlag:
    """An unresolved flag. ``state``: open, held, waived or quarantined."""

    flag_id: int
    person_id: str
    rule: str
    severity: str
    state: str
    team: str
    opened_on: dt.date

    @property
    def is_restricted(self) -> bool:
        return self.person_id == RESTRICTED

    def is_for(self, team: str) -> bool:
        """Whether the digest of a team's lead counts it."""
        return self.team == team and self.state != "waived" and not self.is_restricted


def read_flags(council: Council, as_at: dt.date) -> list[StoredFlag]:
    rows = council.rows(f"""
        SELECT f.id, f.person_id, f.rule, f.severity,
            CASE WHEN quarantined_on IS NOT NULL AND released_on IS NULL THEN 'quarantined'
                 WHEN EXISTS (SELECT 1 FROM waiver AS w WHERE w.flag_id = f.id AND w.ended_on IS NULL
                              AND w.until_on >= '{as_at}') THEN 'waived'
                 WHEN held_since IS NOT NULL THEN 'held' ELSE 'open' END,
            replace(coalesce(p.team, ''), 'LC North', 'North'), f.opened_on
        FROM flag AS f JOIN person AS p USING (person_id) WHERE resolved_on IS NULL
    """)
    return [StoredFlag(*row[:6], dt.date.fromisoformat(str(row[6]))) for row in rows]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Truth:
    """One night, from the rows of the database. ``flags``: those that a reader is told of."""

    flags: tuple[StoredFlag, ...]
    since: dt.date
    as_at: dt.date
    caseload: tuple[Mapping[str, str], ...]
    """The rows of the source about everyone alive and under 25."""

    def people(self, line: str, *, team: str | None = None) -> set[str]:
        rules = BY_NAME[line].rules
        found = {flag.person_id for flag in self.flags if flag.rule in rules and team in (None, flag.team)}
        return found - self.people(OUT_OF_TOUCH, team=team) if line == NOBODY_NAMED else found

    def ways(self, person_id: str) -> str:
        ways = [line for line in LINES if line.within == OUT_OF_TOUCH or line.name == NOBODY_NAMED]
        own = {flag.rule for flag in self.flags if flag.person_id == person_id}
        return "; ".join(line.label for line in ways if own & set(line.rules))

    @property
    def told(self) -> list[StoredFlag]:
        """The flags of leads, managers and heads: none about the data."""
        return [flag for flag in self.flags if flag.severity != "data"]


def read_truth(council: Council, as_at: dt.date, people: Iterable[Mapping[str, str]]) -> Truth:
    flags = (flag for flag in read_flags(council, as_at) if flag.state != "quarantined")
    caseload = (row for row in people if row["id"] != TURNS_25 or as_at < BIRTHDAY)
    return Truth(tuple(flags), as_at - dt.timedelta(7), as_at, tuple(caseload))


# What is read of each output


Figures = dict[str, tuple[int, tuple[int, ...], int]]
"""By label: young people, by ``SINCE``, and not known."""


def flat(text: str) -> str:
    return " ".join(text.split())


def read_sight(text: str) -> Figures:
    part = text.split("\nOut of sight\n---", 1)[1].split("\nTeams\n---", 1)[0]
    found: Figures = {}
    for item in re.findall(r"^- (.*?)(?=^- |\n\n)", part, flags=re.MULTILINE | re.DOTALL):
        label, people, detail = re.fullmatch(r"(?:of them: )?(.*): ([\d,]+) \((.*)\)", flat(item)).groups()  # type: ignore[union-attr]
        by_name = {name: int(number) for number, name in re.findall(rf"(\d+) ({'|'.join(SINCE)}|not known)", detail)}
        found[label] = (int(people), tuple(by_name.get(name, 0) for name in SINCE), by_name.get("not known", 0))
    return found


def read_teams(text: str) -> dict[str, tuple[int, ...]]:
    """By team of the weekly mail: open, held, waived; opened, cleared and raised."""
    names = ("open", "held", "waived", "opened", "cleared", "raised")
    part = text.split("\nTeams\n---", 1)[1]
    rows = re.findall(r"^- ([^:]+): (\d+ open.*?)(?=^- |\n\n)", part, flags=re.MULTILINE | re.DOTALL)
    return {
        team: tuple(int((re.search(rf"(\d+) {name}\b", flat(said)) or ["", 0])[1]) for name in names)
        for team, said in rows
    }


def read_backlog(text: str) -> dict[str, int]:
    return {team: int(left) for team, left in re.findall(r"^- (.+): (\d+) left", text, flags=re.MULTILINE)}


Book = dict[str, list[dict[str, object]]]


def open_book(path: Path, *names: str) -> tuple[Book, dict[str, str]]:
    """Sheets of a workbook, their rows by heading; and what stands above the rows of each."""
    with path.open("rb") as file:
        book = load_workbook(file, read_only=True)
        sheets = {name: list(book[name].values) for name in names}
        book.close()
    tops = {name: next(n for n, row in enumerate(rows) if row[1] is not None) for name, rows in sheets.items()}
    above = {name: " ".join(str(row[0]) for row in rows[: tops[name]]) for name, rows in sheets.items()}
    return {
        name: [dict(zip(rows[tops[name]], row, strict=True)) for row in rows[tops[name] + 1 :]]  # type: ignore[arg-type]
        for name, rows in sheets.items()
    }, above


def read_cells(rows: list[dict[str, object]]) -> Figures:
    return {
        str(row["Way of being out of sight"]): (
            row["Young people"], tuple(row[name] for name in SINCE), row["Since when not known"],
        )
        for row in rows if row["Young people"] is not None
    }  # type: ignore[misc]  # fmt: skip


@dataclass(frozen=True)
class PageFigures:
    """Figures of the report's page: people by line, in its two tables; by since when; flags; and those listed."""

    ways: dict[str, int]
    now: dict[str, int]
    since: tuple[int, ...]
    deeds: dict[str, int]
    backlog: int | None
    unanswered: int
    rules: dict[str, int]
    teams: dict[str, int]
    people: list[str]


@dataclass(frozen=True)
class Report:
    """The report of one night: its page and its workbook."""

    page: PageFigures
    book: Book
    above: dict[str, str]


SHEETS = (
    "Summary", "Out of sight", "People out of sight", "Teams", "Rules", "Flags", "Waivers", "Measures", "Advisers",
)  # fmt: skip


def read_report(council: Council) -> Report:
    folder = council.folder / "data" / "report"
    return Report(read_html(folder / "report.html"), *open_book(folder / "report.xlsx", *SHEETS))


def read_html(path: Path) -> PageFigures:
    page, text = read_page(path), path.read_text(encoding="utf-8")

    def first(row: list[str]) -> tuple[str, int]:
        label, number = re.match(r"(.*?): (\d+)", row[0]).groups()  # type: ignore[union-attr]
        return BY_NAME[EVERYONE].label if label == "All of them" else label, int(number)

    def last(name: str) -> dict[str, int]:
        return {row[0].partition(": ")[0]: int(row[-1]) for row in page[name][1:]}

    since = {row[0].lower(): int(row[1]) for row in page["since-when"][1:]}
    waiting = re.search(r"No answer from a lead: ([\d,]+) open flags", text)
    return PageFigures(
        ways=dict(map(first, page["ways"][1:])),
        now=last("sight-lines"),
        since=tuple(since.get(name, 0) for name in (*SINCE, "not known")),
        deeds={row[0]: int(row[1]) for row in page["deeds"][1:]},
        backlog=int(page["backlog"][-1][1]) if "backlog" in page else None,
        unanswered=int(waiting[1]) if waiting else 0,
        rules={first(row)[0]: int(row[4]) for row in page["rules-all"][1:]},
        teams=last("sight-teams"),
        people=[row[0] for row in page["people-table"][1:]],
    )


# The nights


def test_every_figure_of_a_first_night_and_up_to_a_twentieth_is_what_the_database_says(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text(f"{RESTRICTED}\n", encoding="utf-8")
    (tmp_path / "merged.csv").write_text("old_id,new_id\n", encoding="utf-8")
    lists = 'restricted = "restricted.txt"\nmerged_ids = "merged.csv"'
    council = Council(tmp_path, few_rules(tmp_path, *RULES) + lists, report=True)
    config = council.config_path.read_text(encoding="utf-8")
    managed = re.sub(r'(lead = "(?:north|south)@[^"]*")', r'\1\nmanager = "manager@example.gov.uk"', config)
    seen: Counter[str] = Counter()
    before: Truth | None = None
    for n, people in enumerate(live()):
        if n == 3:
            (tmp_path / "merged.csv").write_text(f"old_id,new_id\n{MERGED},{STANDS_FOR_IT}\n", encoding="utf-8")
        if n in DECIDED:
            DECIDED[n](council, day(n))
        reported = managed if n in READ else managed.replace("every_night = true", "every_night = false")
        reported = reported.replace("workbooks = false", "workbooks = true") if n in READ else reported
        council.config_path.write_text(reported, encoding="utf-8")
        # The summary of a week is due each night until one has gone.
        council.night(day(n), people, unattended=True, accept="invented")
        truth = read_truth(council, day(n), people)
        mails = dict(council.rows(f"SELECT recipient, text FROM message WHERE as_at = '{day(n)}'"))
        texts = {str(to).partition("@")[0]: str(text) for to, text in mails.items()}
        if n in READ:
            report = read_report(council)
            check_out_of_sight(report, truth, texts["head"])
            check_people(council, report, truth, people)
            check_lists(council, truth)
            check_report(council, report, truth)
            check_page(report, truth, texts["head"])
            check_mails(council, truth, texts)
            check_raised(council, report, truth, texts["head"])
            check_news(council, truth, before, texts["north"])
            check_analyst(council, truth, texts["analyst"])
            check_measures(council, report, truth, texts["analyst"])
            check_workbooks(council, truth)
            check_team_pages(council, truth)
        if n in TOLD:
            tell_north(council)
            before = truth
        seen.update(flag.state for flag in truth.flags)
        seen.update(flag.rule for flag in truth.flags if flag.is_restricted)
    assert {*STATES, "contact-overdue", "pa-allocated"} <= seen.keys()
    assert council.rows(f"SELECT 1 FROM person WHERE person_id = '{TURNS_25}' AND ended_on IS NOT NULL")
    assert council.rows(f"SELECT 1 FROM flag WHERE person_id = '{MERGED}' AND resolved_reason = 'merged'")
    assert council.rows("SELECT 1 FROM person WHERE absent_since IS NOT NULL AND ended_on IS NULL")
    check_commands(council)
    council.deliver(dt.datetime(2026, 2, 2, 9, tzinfo=dt.UTC))
    assert monitor(tmp_path, "report", "--to", str(day(NIGHTS - 1)), "--output", "out").returncode == 0
    (book, _) = open_book(tmp_path / "out" / "report.xlsx", "People out of sight")
    told = Counter(row["Done last"] for row in book["People out of sight"])
    assert told["Told by e-mail"] > 2
    assert not told["Nothing yet"]


def check_out_of_sight(report: Report, truth: Truth, head: str) -> None:
    """One number and the same people in the weekly mail, on the page, in the workbook and in its list."""
    seen, book = report.page, report.book

    figures = read_cells(book["Out of sight"])
    assert {label: row for label, row in figures.items() if row[0]} == read_sight(head)
    for line in LINES:
        found, bands, not_known = figures[line.label]
        assert found == len(truth.people(line.name)) == sum(bands) + not_known, line.name
        assert seen.ways.get(line.label, found) == seen.now.get(line.label, found) == found, line.name
    assert seen.ways.keys() == {line.label for line in LINES}
    _, bands, not_known = figures[BY_NAME[EVERYONE].label]
    assert seen.since == (*bands, not_known)
    everyone = truth.people(EVERYONE)
    rows = book["People out of sight"]
    assert [row["Person"] for row in rows] == seen.people
    assert {row["Person"]: row["In which ways"] for row in rows} == {
        person_id: truth.ways(person_id) for person_id in everyone - {RESTRICTED}
    }
    assert ("1 restricted young person is not listed." in report.above["People out of sight"]) is (
        RESTRICTED in everyone
    )
    known = sum(row["Since"] is not None for row in rows)
    assert 0 <= sum(bands) - known <= (RESTRICTED in everyone)
    teams = {row["Team"]: row["Out of sight"] for row in book["Teams"]}
    assert teams == seen.teams
    assert {team: number for team, number in teams.items() if number} == {
        team or "No team": len(people)
        for team in ("North", "South", "")
        if (people := truth.people(EVERYONE, team=team))
    }
    both = {flag.person_id for flag in truth.flags if flag.rule in BY_NAME[NOBODY_NAMED].rules}
    both &= truth.people(OUT_OF_TOUCH)
    assert not both or f"{len(both)} of those out of touch also" in flat(head)


def check_people(council: Council, report: Report, truth: Truth, people: list[dict[str, str]]) -> None:
    """Each of them has their last contact, and what was done last about a way that they are out of sight in now."""
    contacts = {row["id"]: row["contact"] for row in people}
    steps = [(STANDS_FOR_IT, "Escalated to the manager", day(2)), (ANSWERED, "Answered “done”", day(8))]
    steps += [
        (flag.person_id, "Waived until 16 February 2026", day(5)) for flag in truth.flags if flag.state == "waived"
    ]
    words = {"manager": "Escalated to the manager", "head": "Escalated to the head of service"}
    rules = ", ".join(f"'{rule}'" for rule in BY_NAME[EVERYONE].rules)
    steps += [
        (str(person_id), words[str(step)], dt.date.fromisoformat(str(on)))
        for person_id, step, on in council.rows(
            "SELECT person_id, step, as_at FROM escalation AS e JOIN flag AS f ON f.id = e.flag_id "
            f"WHERE resolved_on IS NULL AND rule IN ({rules})"
        )
    ]
    mailed = {
        str(person_id): ("Told by e-mail", dt.date.fromisoformat(str(on)))
        for person_id, on in council.rows(
            "SELECT person_id, min(m.as_at) FROM message AS m JOIN message_flag AS t ON t.message_id = m.id "
            "JOIN flag AS f ON f.id = t.flag_id "
            f"WHERE m.accepted_at IS NOT NULL AND resolved_on IS NULL AND rule IN ({rules}) GROUP BY person_id"
        )
    }
    found = {}
    for row in report.book["People out of sight"]:
        contact, done_on = row["Last contact"], row["Done on"]
        if row["Person"] in contacts:
            assert (f"{contact:%d/%m/%Y}" if contact else "") == contacts[str(row["Person"])], row
        found[row["Person"]] = (row["Done last"], done_on and done_on.date())  # type: ignore[attr-defined]
    for person_id, told in found.items():
        own = [(on, said) for about, said, on in steps if about == person_id and on <= truth.as_at]
        assert told == (max(own)[::-1] if own else mailed.get(person_id, ("Nothing yet", None))), person_id
    assert {ANSWERED} | ({STANDS_FOR_IT} if truth.as_at >= day(3) else set()) <= found.keys()


def check_lists(council: Council, truth: Truth) -> None:
    """``all.csv`` is every flag but those of restricted people, who have a list of their own; teams share it out."""

    def read(name: str) -> Counter[tuple[str, ...]]:
        columns = ("person_id", "rule", "state", "team", "out_of_sight")
        return Counter(tuple(row[column] for column in columns) for row in council.listed(truth.as_at, name))

    expected = [
        Counter(
            (flag.person_id, flag.rule, flag.state, flag.team, truth.ways(flag.person_id))
            for flag in truth.flags
            if flag.is_restricted is restricted
        )
        for restricted in (False, True)
    ]
    assert [read("all.csv"), read("restricted.csv")] == expected
    shares = {"North": "team-north.csv", "South": "team-south.csv", "": "other-teams.csv"}
    for team, name in shares.items():
        assert read(name) == Counter({row: number for row, number in expected[0].items() if row[3] == team}), name


def check_report(council: Council, report: Report, truth: Truth) -> None:
    """The figures of rules, teams and flags in the workbook; the page is made of the same values."""
    book = report.book
    summary = {row["What"]: row["Value"] for row in book["Summary"]}
    measured = council.rows(
        "SELECT rule, sum(asked), sum(ok), sum(breach), sum(cannot_assess), sum(waived), sum(held) FROM measure "
        f"WHERE as_at = '{truth.as_at}' GROUP BY rule"
    )
    figures = ("Asked", "Met", "In breach", "Cannot assess", "Waived", "Held")
    in_book = {
        row["Rule"]: tuple(row[name] for name in figures) for row in book["Rules"] if row["Asked"] or row["Held"]
    }

    assert in_book == {rule: tuple(numbers) for rule, *numbers in measured}
    states = Counter((flag.rule, flag.state) for flag in truth.flags)
    for rule, (asked, met, breach, cannot, waived, held) in in_book.items():
        assert asked == met + breach + cannot  # type: ignore[operator]
        assert (states[rule, "waived"], states[rule, "held"]) == (waived, held), rule
        assert states[rule, "open"] <= breach <= states[rule, "open"] + states[rule, "waived"], rule  # type: ignore[operator]
    on_it = sum(row["Young people"] for row in book["Teams"])  # type: ignore[misc]
    assert on_it == summary["Young people on the caseload"] == len(truth.caseload)
    assert (on_it,) == council.rows(f"SELECT people FROM run WHERE as_at = '{truth.as_at}'")[0]
    shown = [flag for flag in truth.flags if not flag.is_restricted]
    assert Counter((row["Person"], row["State"]) for row in book["Flags"]) == Counter(
        (flag.person_id, flag.state) for flag in shown
    )
    assert ("1 restricted young person is not listed." in report.above["Flags"]) is (len(shown) < len(truth.flags))
    assert sum(row["Until"] is not None and row["Ended on"] is None for row in book["Waivers"]) == sum(
        flag.state == "waived" for flag in truth.flags
    )


def check_page(report: Report, truth: Truth, head: str) -> None:
    """The page's own figures: flags of the week, the backlog, what waits for an answer, and the flags of each rule."""
    page, book = report.page, report.book
    week = read_teams(head)["All together"]
    answered = {ANSWERED} if truth.as_at >= day(8) else set()
    waiting = [flag for flag in truth.told if flag.state == "open" and flag.person_id not in answered]
    flags = Counter(flag.rule for flag in truth.flags)

    # The mail counts what a first night found as opened; the page has a line of its own for it.
    assert page.deeds["Opened"] + page.deeds.get("Found on a first night", 0) == week[3]
    assert page.deeds["Cleared"] == week[4]
    assert page.backlog == sum(flag.opened_on == day(0) for flag in truth.told)
    assert page.unanswered == len(waiting)
    titles = {str(row["Title"]): flags[str(row["Rule"])] for row in book["Rules"]}
    assert page.rules == {title: titles[title] for title in page.rules}


def check_mails(council: Council, truth: Truth, texts: Mapping[str, str]) -> None:
    """The numbers of the head's week, of the backlog, of each lead and of the analyst."""
    names = {"North": "North", "South": "South", "": "No team recorded"}
    head, labels = texts["head"], {name: team for team, name in names.items()}
    teams = read_teams(head)
    for label, numbers in teams.items():
        own = [flag for flag in truth.told if label == "All together" or flag.team == labels[label]]
        states = Counter(flag.state for flag in own)
        assert numbers[:3] == tuple(states[state] for state in STATES), label
        assert numbers[3] >= sum(flag.opened_on > truth.since for flag in own), label
    assert set(teams) - {"All together"} >= {names[flag.team] for flag in truth.told}
    hidden = [flag for flag in truth.told if flag.is_restricted]
    said = f"1 young person on the restricted list is counted here, with {len(hidden)} flag"
    assert (said in flat(head)) is bool(hidden)

    old = [flag for flag in truth.told if flag.opened_on == day(0)]
    for reader, seen in (("head", old), ("manager", [flag for flag in old if not flag.is_restricted])):
        left = Counter(names[flag.team] for flag in seen if reader == "head" or flag.team)
        found = read_backlog(texts[reader])
        assert found.pop("All together", left.total()) == left.total()
        assert {team: number for team, number in found.items() if number} == left, reader

    for reader, team in (("north", "North"), ("south", "South")):
        own = [flag for flag in truth.told if flag.team == team and not flag.is_restricted and flag.state != "waived"]
        worst = dict(sorted(((flag.person_id, SEVERITIES.index(flag.severity)) for flag in own), reverse=True))
        tally = Counter(worst.values())
        told = ", ".join(f"{tally[place]} {name}" for place, name in enumerate(SEVERITIES) if tally[place])
        opening = f"{len(worst)} young {'person has' if len(worst) == 1 else 'people have'} something open: {told}."
        assert opening in flat(texts[reader]) or f"All {len(worst)} by adviser" in flat(texts[reader])
        many = f"{len(own)} flag{'' if len(own) == 1 else 's'} to work through"
        assert many in flat(texts[reader]) or "baseline" not in texts[reader]
        held = sum(flag.state == "held" for flag in own)
        assert (f"Of the open flags, {held} could not be checked" in flat(texts[reader])) is bool(held)


def check_raised(council: Council, report: Report, truth: Truth, head: str) -> None:
    """What went above the lead since: the week's mail and the page count flags, not steps."""
    rows = council.rows(
        f"SELECT flag_id, team FROM escalation WHERE as_at > '{truth.since}' AND as_at <= '{truth.as_at}' ORDER BY id"
    )
    raised = Counter({flag_id: str(team or "No team recorded") for flag_id, team in rows}.values())
    for label, numbers in read_teams(head).items():
        assert numbers[5] == (raised.total() if label == "All together" else raised[label]), label
    assert report.page.deeds.get("Raised above the lead", 0) == raised.total()


def check_news(council: Council, truth: Truth, before: Truth | None, text: str) -> None:
    """What is news to a lead: who has a flag that the last digest had not, and of whom something was put right."""
    if before is None:
        return
    theirs, last = ([flag for flag in each.told if flag.is_for("North")] for each in (truth, before))
    known = {flag.flag_id for flag in last}
    new = [flag for flag in theirs if flag.flag_id not in known]
    critical = {flag.person_id for flag in new if flag.severity == "critical"}
    gone = BY_NAME[OUT_OF_TOUCH].rules
    lost = {flag.person_id for flag in new if flag.severity == "high" and flag.rule in gone} - critical
    cleared = {flag_id for (flag_id,) in council.rows(
        f"SELECT id FROM flag WHERE resolved_reason = 'cleared' AND resolved_on > '{before.as_at}'"
    )}  # fmt: skip
    now = {(flag.person_id, flag.rule) for flag in theirs}
    put_right = {flag.person_id for flag in last if flag.flag_id in cleared and (flag.person_id, flag.rule) not in now}
    said = {
        word: int(number) for number, word in re.findall(r"(\d+) (to ring|to find|smaller|new|put right)", text[:300])
    }
    smaller = {flag.person_id for flag in new} - critical - lost
    expected = {"to ring": critical, "to find": lost, "put right": put_right}
    expected["smaller" if critical or lost else "new"] = smaller
    assert said == {word: len(people) for word, people in expected.items() if people}, truth.as_at


def check_analyst(council: Council, truth: Truth, analyst: str) -> None:
    """The analyst's own numbers: who was checked, flags of the night, data flags, and the answers by rule."""
    text = flat(analyst)
    assert f"{len(truth.caseload)} young people checked" in text
    opened = Counter(
        str(rule)
        for (rule,) in council.rows(
            "SELECT rule FROM flag JOIN flag_event ON flag_event.flag_id = flag.id "
            f"WHERE flag_event.as_at = '{truth.as_at}' AND kind = 'opened'"
        )
    )
    resolved = council.rows(f"SELECT count(*) FROM flag WHERE resolved_on = '{truth.as_at}'")[0][0]
    tonight = re.search(r"Flags tonight, those about the data too: ([^.]+)\.", text)
    changes = {
        kind: int(number) for number, kind in re.findall(r"(\d+) (opened|resolved)", tonight[1] if tonight else "")
    }
    assert changes == {kind: number for kind, number in (("opened", opened.total()), ("resolved", resolved)) if number}
    waivers = sum(flag.state == "waived" for flag in truth.flags)
    assert not waivers or f"{waivers} waiver{' is' if waivers == 1 else 's are'} in force" in text
    data = [flag for flag in truth.flags if flag.severity == "data"]
    assert f"Date of birth not recorded: {len(data)} new, {len(data)} open" in text

    table = analyst.split("\nAnswers by rule\n---", 1)[1].split("\n\n\n", 1)[0]
    told = re.findall(r"^([a-z][a-z0-9-]+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", table, flags=re.MULTILINE)
    measured = council.rows(
        "SELECT rule, sum(asked), sum(ok), sum(breach), sum(cannot_assess) FROM measure "
        f"WHERE as_at = '{truth.as_at}' GROUP BY rule"
    )
    answers = {str(rule): (*numbers, opened[str(rule)]) for rule, *numbers in measured}
    assert {rule: tuple(map(int, numbers)) for rule, *numbers in told if any(map(int, numbers))} == {
        rule: numbers for rule, numbers in answers.items() if any(numbers)
    }


def check_measures(council: Council, report: Report, truth: Truth, analyst: str) -> None:
    """The measures in the mail and in the workbook are those kept, and those are what the rows and the flags say."""
    kept = {
        str(name): tuple(numbers)
        for name, *numbers in council.rows(
            "SELECT name, sum(numerator), sum(denominator), sum(not_assessed) FROM indicator "
            f"WHERE as_at = '{truth.as_at}' GROUP BY name"
        )
    }
    book = report.book
    in_book = {row["Measure"]: (row["So many"], row["Of so many"], row["Cannot be told"]) for row in book["Measures"]}
    assert in_book == {measures.label(name): numbers for name, numbers in kept.items()}
    table = analyst.split("\nMeasures\n---", 1)[1]
    lines = re.findall(r"^(\S.*?) +(\d+) +(\d+) +(?:\d+%|-) +(\d+)$", table, flags=re.MULTILINE)
    told = {label: tuple(map(int, numbers)) for label, *numbers in lines}
    assert told == {label: numbers for label, numbers in in_book.items() if not str(label).startswith("Filled in: ")}

    people, rows = {row["id"] for row in truth.caseload}, truth.caseload
    flagged = people & {flag.person_id for flag in truth.told}
    assert kept["flagged:not-disabled"] == (len(flagged), len(people), 0)
    unread = [row for row in rows if row["adviser"] == "#MULTIVALUE"]
    named = [row for row in rows if row["adviser"] and row not in unread]
    assert kept["filled:personal_adviser"] == (len(named), len(rows) - len(unread), len(unread))
    contacts = [row for row in rows if row["contact"]]
    assert kept["filled:latest_contact_date"] == (len(contacts), len(rows), 0)
    over_21 = [row for row in rows if "" < row["born"][-4:] < "2005"]
    reached = [row for row in over_21 if row["in_touch"] == "a) Yes"]
    assert kept["over-21-reached"] == (len(reached), len(over_21), 0)
    advisers = Counter(row["adviser"] for row in named)
    shown = {row["Personal adviser"]: (row["Young people"], row["With a flag"]) for row in book["Advisers"]}
    assert shown == {
        name: (number, len({row["id"] for row in named if row["adviser"] == name} & flagged))
        for name, number in advisers.items()
    }


LISTS = {"team-north": "North", "team-south": "South", "other-teams": ""}


def check_workbooks(council: Council, truth: Truth) -> None:
    """Each workbook has the rows of its list, and sums of them by rule and state on its first sheet."""
    folder = council.folder / "data" / "exceptions" / truth.as_at.isoformat()
    for name, team in {"all": None, **LISTS}.items():
        book, above = open_book(folder / f"{name}.xlsx", "Summary", "Flags")
        own = [flag for flag in truth.flags if not flag.is_restricted and team in (None, flag.team)]
        rows = Counter(
            (row["Young person"], row["Rule"], row["State"], row["Team"] or "", row["Out of sight"] or "")
            for row in book["Flags"]
        )
        assert rows == Counter(
            (flag.person_id, flag.rule, flag.state, flag.team, truth.ways(flag.person_id)) for flag in own
        ), name
        people, states = {flag.person_id for flag in own}, Counter(flag.state for flag in own)
        said = ", ".join(f"{states[state]} {state}" for state in STATES)
        many = f"{len(own)} flag{'' if len(own) == 1 else 's'} about {len(people)} young "
        assert not own or (many in above["Summary"] and said in above["Summary"]), name
        by_rule = Counter((rule, flag.state) for flag in own for rule in (flag.rule, ""))
        for row in book["Summary"]:
            counts = tuple(row[state.capitalize()] for state in STATES)
            assert counts == tuple(by_rule[str(row["Rule"]), state] for state in STATES), (name, row)
        assert {row["Rule"] for row in book["Summary"]} == {rule for rule, _ in by_rule}, name


def check_team_pages(council: Council, truth: Truth) -> None:
    """A team's page has the young people of its list, each with their flags and ways, and counts them by state."""
    folder = council.folder / "data" / "exceptions" / truth.as_at.isoformat()
    for name, team in LISTS.items():
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        own = [flag for flag in truth.flags if not flag.is_restricted and flag.team == team]
        states, people = Counter(flag.state for flag in own), {flag.person_id for flag in own}
        data = sum(flag.severity == "data" for flag in own)
        shown = {
            html.unescape(person): (ways.replace("|", "; "), len(re.findall('<article class="flag"', rest)))
            for ways, person, rest in re.findall(
                r'<li class="person".*? data-ways="(.*?)".*?<strong class="id">(.*?)</strong>(.*?)</details>',
                text,
                re.DOTALL,
            )
        }
        assert shown == {
            person: (truth.ways(person), sum(flag.person_id == person for flag in own)) for person in people
        }, name
        assert not own or ", ".join(f"{states[state]} {state}" for state in STATES) in text, name
        about = re.search(r"(\d+) of them (?:is|are) about the data", text)
        assert (int(about[1]) if about else 0) == data, name


def check_commands(council: Council) -> None:
    """What the commands say between nights is what the last night left."""
    folder, as_at = council.folder, day(NIGHTS - 1)
    told = json.loads(monitor(folder, "measures", "--json").stdout)
    status = json.loads(monitor(folder, "status", "--json").stdout)["flags"]
    assert monitor(folder, "export", "--format", "csv", "--output", "out.csv").returncode == 0

    stored = council.rows(
        f"SELECT name, team, numerator, denominator, not_assessed FROM indicator WHERE as_at = '{as_at}'"
    )
    keys = ("numerator", "denominator", "not_assessed")
    given = {
        (each["name"], row["team"] or "", *(row[key] for key in keys))
        for each in told["measures"] for row in each["teams"]
    }  # fmt: skip
    assert told["as_at"] == as_at.isoformat()
    assert given <= {(name, team, *numbers) for name, team, *numbers in stored}
    flags = read_flags(council, dt.datetime.now(dt.UTC).date())
    assert status == {"unresolved": len(flags)} | {
        state: sum(flag.state == state for flag in flags) for state in ("held", "quarantined", "waived")
    }
    with (folder / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        assert list(csv.DictReader(file)) == council.listed(as_at, "all.csv")
