"""The board's edition: no id, no small team, and no number from 1 to 5, however its numbers are put together."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from support.board_reader import bounds, by_heading, read_page, read_workbook
from support.report_contents import example
from support.whole_numbers import Solver

from monitor.figures.out_of_sight import SINCE
from monitor.messages.templates import open_templates
from monitor.report.board import round_count, share_out, suppress
from monitor.report.contents import (
    HIDDEN,
    OTHER_TEAMS,
    About,
    Change,
    ClearingDays,
    Contents,
    HowLong,
    OutOfSight,
    RuleCounts,
    RuleFigures,
    Sight,
    TeamSight,
    Trend,
    Trends,
)
from monitor.report.rule_figures import add_up
from monitor.report.write import write_report

COLUMNS = ("asked", "met", "breach", "cannot_assess", "waived", "held")
HEADINGS = dict(zip(("Asked", "Met", "In breach", "Cannot assess", "Waived", "Held"), COLUMNS, strict=True))
BANDS = ("16-17", "18-20", "21-24")
WEEKS = tuple(dt.date(2025, 12, 15) + dt.timedelta(7 * n) for n in range(5))
RULES = (
    ("contact-overdue", "Contact overdue", "high"),
    ("over-21-contact", "Contact over 21", "high"),
    ("known-address", "Address not known", "high"),
    ("left-caseload", "Gone from the caseload", "high"),
    ("pa-allocated", "Adviser to name", "high"),
    ("over-21-adviser", "Adviser over 21", "high"),
    ("neet", "Out of work and study", "medium"),
)
WAYS = {
    "no-contact": ("No contact", ("contact-overdue", "over-21-contact")),
    "no-address": ("No known address", ("known-address",)),
    "gone": ("Gone off the caseload, or closed", ("left-caseload",)),
}
TIERS = {
    "out-of-touch": ("Out of touch", tuple(rule for _, rules in WAYS.values() for rule in rules)),
    "nobody-named": ("Nobody named", ("pa-allocated", "over-21-adviser")),
}
KINDS = TIERS | WAYS
MADE_UP = {name: about for name, (_, about) in KINDS.items() if name != "out-of-touch"}
"""The rules that each adds up from."""
OVER_21 = {"no-contact": "over-21-contact", "nobody-named": "over-21-adviser"}
SIZES = ((0, 0, 1, 2, 3, 4, 7, 12, 25), (6, 14, 15, 24, 25), (0, 0, 0, 1, 1, 2), (0, 5, 5, 6))
STEPS = tuple(str(step) for step in range(len(SINCE) + 1))
"""How long, and last those of whom it is not known."""


def invent(seed: int) -> Contents:
    """A small service's report in which every sum is right, with many small numbers."""
    rng = Random(seed)
    teams = {f"Quill {n}": rng.choice([1, 3, 4, 6, 9, 20, 45]) for n in range(rng.randrange(2, 6))}
    rules = tuple(_rule(rng, rule, tuple(teams)) for rule in RULES)
    standing = {rule.rule: _whole(rule.total.breach) + _whole(rule.total.held) for rule in rules}
    ways = tuple(_kind(rng, name, standing) for name in WAYS)
    fewest = max(sum(map(max, zip(*[of(way) for way in ways], strict=True))) for of in (_bands, _steps))
    people = rng.randrange(fewest, sum(_whole(way.people) for way in ways) + 1)
    touch = _line("out-of-touch", _split_between(rng, people, list(map(_bands, ways))),
                  _split_between(rng, people, list(map(_steps, ways))))  # fmt: skip
    unnamed = _kind(rng, "nobody-named", standing)
    everyone = _line("everyone", _add(_bands(touch), _bands(unnamed)), _add(_steps(touch), _steps(unnamed)))
    lost = _split(rng, _whole(everyone.people), len(teams))
    lines = (everyone, touch, *ways, unnamed)
    weeks = _weeks(rng, lines, standing, lost, tuple(teams))
    everyone, *kinds = (
        replace(line, last_week=Change(WEEKS[-2], _whole(line.people) - _whole(trend.values[-2])))
        for line, trend in zip(lines, weeks.sight, strict=True)
    )
    base = example("small")
    return replace(
        base,
        header=replace(base.header, people=sum(teams.values()), as_at=WEEKS[-1], until=WEEKS[-1]),
        sight=OutOfSight(everyone, tuple(kinds), tuple(map(TeamSight, teams, teams.values(), lost))),
        teams=tuple(teams),
        rules=rules,
        week_starts=WEEKS,
        weeks=WEEKS,
        trends=weeks,
        clearing=tuple(ClearingDays(rule, title, severity, rng.randrange(12), standing[rule], 1, 2, 3)
                       for rule, title, severity in RULES),
        caseloads=replace(base.caseloads, teams=()),
        paragraphs=(),
    )  # fmt: skip


def _bands(kind: Sight) -> list[int]:
    return [_whole(number) for number in kind.bands]


def _steps(kind: Sight) -> list[int]:
    return [_whole(number) for number in (*kind.since.counts, kind.since.not_known)]


def _add(*columns: list[int]) -> list[int]:
    return [sum(numbers) for numbers in zip(*columns, strict=True)]


def _line(name: str, bands: Sequence[int], steps: Sequence[int]) -> Sight:
    label, about = KINDS.get(name, ("Out of sight in any way", ()))
    within = "" if name == "everyone" else "everyone" if name in TIERS else "out-of-touch"
    since = HowLong(dt.date(2024, 1, 9), 700, 40, tuple(steps[:-1]), steps[-1], dt.date(2025, 12, 1))
    return Sight(name, label, sum(bands), tuple(bands), 3, 2, 7, since, rules=about, within=within)


def _whole(number: object) -> int:
    assert isinstance(number, int)
    return number


def _rule(rng: Random, rule: tuple[str, str, str], teams: tuple[str, ...]) -> RuleFigures:
    found, sizes = {}, rng.choice(SIZES)
    for team in teams:
        breach, cannot, met = (rng.choice(sizes) for _ in range(3))
        held = rng.choice([0, 0, 1, 3, 8])
        found[team] = RuleCounts(breach + cannot + met, met, breach, cannot, rng.randrange(breach + 1), held)
    return RuleFigures(*rule[:2], rule[2], "law", (31,), add_up(found.values()), found)


def _kind(rng: Random, name: str, standing: dict[str, int]) -> Sight:
    about = KINDS[name][1]
    if name in OVER_21:
        young = rng.randrange(standing[about[0]] + 1)
        bands: tuple[int, ...] = (young, standing[about[0]] - young, standing[about[1]])
    else:
        bands = _split(rng, standing[about[0]], 3)
    return _line(name, bands, _split(rng, sum(bands), len(STEPS)))


def _split(rng: Random, number: int, parts: int) -> tuple[int, ...]:
    found = [0] * parts
    for _ in range(number):
        found[rng.randrange(parts)] += 1
    return tuple(found)


def _split_between(rng: Random, people: int, rows: list[list[int]]) -> list[int]:
    """Parts of people who are in one way or more: at least as many as of any way, at most as many as of all."""
    found, most = [max(column) for column in zip(*rows, strict=True)], _add(*rows)
    while sum(found) < people:
        place = rng.choice([n for n, number in enumerate(found) if number < most[n]])
        found[place] += 1
    return found


def _weeks(
    rng: Random, lines: tuple[Sight, ...], standing: dict[str, int], lost: tuple[int, ...], teams: tuple[str, ...]
) -> Trends:
    by_rule = {rule: [rng.choice(rng.choice(SIZES)) for _ in WEEKS[1:]] for rule, _, _ in RULES}
    counts = {name: _add(*(by_rule[rule] for rule in about)) for name, about in MADE_UP.items()}
    columns = zip(*(counts[way] for way in WAYS), strict=True)
    counts["out-of-touch"] = [rng.randrange(max(column), sum(column) + 1) for column in columns]
    counts["everyone"] = _add(*(counts[tier] for tier in TIERS))
    by_team = [*(_split(rng, number, len(teams)) for number in counts["everyone"]), lost]
    return Trends(
        tuple(Trend(line.name, line.label, (*counts[line.name], line.people)) for line in lines),
        tuple(Trend(team, team, values) for team, values in zip(teams, zip(*by_team, strict=True), strict=True)),
        tuple(Trend(rule, title, (*by_rule[rule], standing[rule])) for rule, title, _ in RULES),
    )


# What somebody who has the page and the workbook can work out.

Cell = tuple[str, ...]
MOST = 2_000
"""No number of an invented service is larger."""


@dataclass
class Known:
    """Every number published, and every sum that must be right, as equations over numbers that are not negative."""

    said: dict[Cell, tuple[int, int]] = field(default_factory=dict)
    hidden: set[Cell] = field(default_factory=set)
    equal: list[dict[Cell, int]] = field(default_factory=list)
    at_most: list[dict[Cell, int]] = field(default_factory=list)

    def publish(self, cell: Cell, text: str) -> None:
        found = bounds(text)
        if found is not None:
            self.narrow(cell, found[0], MOST if found[1] is None else found[1])
            if text == "[c]":
                self.hidden.add(cell)

    def narrow(self, cell: Cell, least: int, most: int) -> None:
        low, high = self.said.get(cell, (0, MOST))
        self.said[cell] = max(low, least), min(high, most)

    def add_up(self, total: Cell, parts: Iterable[Cell]) -> None:
        self.equal.append({total: 1, **dict.fromkeys(parts, -1)})

    def no_more(self, less: Iterable[Cell], more: Iterable[Cell]) -> None:
        self.at_most.append({**dict.fromkeys(less, 1), **dict.fromkeys(more, -1)})

    def name_small(self, cells: Iterable[Cell], *, alone: bool = False) -> None:
        """Take [c] for 1 to 5 where the number stands alone, or any part beside it is given."""
        found = [cell for cell in cells if cell in self.said]
        if alone or any(cell not in self.hidden for cell in found):
            for cell in self.hidden.intersection(found):
                self.narrow(cell, 1, 5)


def learn(folder: Path) -> Known:
    """Everything from the two files under the same names, and what a reader knows of how the numbers hang together."""
    known = Known()
    page = {name: by_heading(table) for name, table in read_page(folder / "board-report.html").items()}
    book = {name: by_heading(sheet) for name, sheet in read_workbook(folder / "board-report.xlsx").items()}
    teams = [row["Team"] for row in book["Teams"] if row["Team"] != "No figures by team"]
    ways = {"All of them": "everyone", "Out of sight in any way": "everyone"} | {
        label: name for name, (label, _) in KINDS.items()
    }
    titles = {title: rule for rule, title, _ in RULES}
    for row in (*book["Out of sight"], *page["ways"], *page.get("since-when", [])):
        name = ways.get(row.get("Way", row.get("Way of being out of sight", "")))
        if name is not None:
            _learn_sight(known, name, row)
    for row in book["Teams"]:
        if row["Team"] in teams:
            known.publish(("lost", row["Team"]), row["Out of sight"])
    for row in page.get("sight-teams", []):
        known.publish(("lost", row["Team"]), row["Out of sight"])
    for row in (*book["Rules"], *book["Rules by team"], *page["rules-all"]):
        title = row.get("Title", row.get("Rule", ""))
        if title in titles:
            _learn_row(known, (titles[title], row.get("Team", "")), row)
    for name, table in page.items():
        if name.startswith("rule-teams-"):
            for row in table:
                _learn_row(known, (RULES[int(name.removeprefix("rule-teams-")) - 1][0], row["Team"]), row)
    lines = {"Out of sight": ways, "Out of sight, by team": {team: f"lost {team}" for team in teams},
             "Flags standing, by rule": titles}  # fmt: skip
    for row in book["Weeks"]:
        what, line, *values = row.values()
        if line in lines.get(what, {}):
            for n, text in enumerate(values):
                known.publish(("week", lines[what][line], str(n)), text)
    for row in book.get("Days to clear", []):
        if row["Rule"] in titles.values():
            known.publish(("cleared", row["Rule"]), row["Cleared"])
            known.publish(("standing", row["Rule"]), row["Not cleared yet"])
    _name_small(known, teams)
    _relate(known, teams)
    return known


def _learn_sight(known: Known, name: str, row: dict[str, str]) -> None:
    known.publish((name, "people"), row.get("Young people", ""))
    for band in BANDS:
        known.publish((name, band), row.get(band, row.get(band.replace("-", " to "), "")))
    for n, step in enumerate((*SINCE, "Since when not known")):
        known.publish((name, "step", str(n)), row.get(step, row.get(step.capitalize(), "")))
    known.publish((name, "step", STEPS[-1]), row.get("Not known", ""))
    change = row.get("Change since last week", row.get("Since last week", ""))
    change = f"-{change}".removesuffix(" fewer") if "fewer" in change else change.removesuffix(" more")
    by = bounds("0" if change == "no change" else change)
    if by is not None and change != "[c]":
        cell = (name, "change", change)
        known.said[cell] = (by[0], by[0])
        known.equal.append({(name, "people"): 1, ("week", name, str(len(WEEKS) - 2)): -1, cell: -1})


def _learn_row(known: Known, rule: Cell, row: dict[str, str]) -> None:
    for heading, column in HEADINGS.items():
        known.publish((*rule, column), row.get(heading, ""))


def _name_small(known: Known, teams: list[str]) -> None:
    """What a reader who knows how the edition is made takes [c] for."""
    for name in ("everyone", *KINDS):
        known.name_small((name, band) for band in BANDS)
        known.name_small((name, "step", step) for step in STEPS)
    for name in MADE_UP:
        known.name_small([(name, "people"), *(("week", name, str(n)) for n in range(len(WEEKS)))], alone=True)
    known.name_small(("lost", team) for team in teams)
    for rule, _, _ in RULES:
        known.name_small([(rule, "", column) for column in ("met", "cannot_assess")], alone=True)
        for column in COLUMNS:
            known.name_small((rule, team, column) for team in teams)
    known.name_small([("neet", "", "breach")], alone=True)


def _relate(known: Known, teams: list[str]) -> None:
    for name in ("everyone", *KINDS):
        known.add_up((name, "people"), [(name, band) for band in BANDS])
        known.add_up((name, "people"), [(name, "step", step) for step in STEPS])
        known.add_up((name, "people"), [("week", name, str(len(WEEKS) - 1))])
    of_line: list[Callable[[str], Cell]] = [
        lambda name: (name, "people"),
        *(lambda name, band=band: (name, band) for band in BANDS),
        *(lambda name, week=week: ("week", name, str(week)) for week in range(len(WEEKS))),
    ]
    for cell in of_line:
        known.add_up(cell("everyone"), map(cell, TIERS))
        known.no_more([cell("out-of-touch")], map(cell, WAYS))
        for way in WAYS:
            known.no_more([cell(way)], [cell("out-of-touch")])
    for step in STEPS:
        known.add_up(("everyone", "step", step), [(tier, "step", step) for tier in TIERS])
        known.no_more([("out-of-touch", "step", step)], [(way, "step", step) for way in WAYS])
    for n in range(len(WEEKS)):
        for name, about in MADE_UP.items():
            known.add_up(("week", name, str(n)), [("week", rule, str(n)) for rule in about])
        if teams:
            known.add_up(("week", "everyone", str(n)), [("week", f"lost {team}", str(n)) for team in teams])
    if teams:
        known.add_up(("everyone", "people"), [("lost", team) for team in teams])
    for rule, _, _ in RULES:
        for team in ("", *teams):
            known.add_up((rule, team, "asked"), [(rule, team, name) for name in ("met", "breach", "cannot_assess")])
            known.no_more([(rule, team, "waived")], [(rule, team, "breach"), (rule, team, "held")])
        for column in COLUMNS if teams else ():
            known.add_up((rule, "", column), [(rule, team, column) for team in teams])
        known.add_up(("standing", rule), [(rule, "", "breach"), (rule, "", "held")])
        known.add_up(("standing", rule), [("week", rule, str(len(WEEKS) - 1))])
    for name, about in MADE_UP.items():
        known.add_up((name, "people"), [("standing", rule) for rule in about])
    for name, rule in OVER_21.items():
        known.add_up((name, "21-24"), [("standing", rule)])


def _publish(contents: Contents, folder: Path) -> Contents:
    board = suppress(contents)
    write_report(board, folder, open_templates(None))
    return board


def _truths(whole: Contents, board: Contents) -> dict[Cell, int]:
    """What the cells of the rules, the teams and the first screen really hold, by the names ``learn`` gives them."""
    found: dict[Cell, int] = {}
    for sight in (whole.sight.everyone, *whole.sight.kinds):
        found[(sight.name, "people")] = _whole(sight.people)
        found |= {(sight.name, band): _whole(number) for band, number in zip(BANDS, sight.bands, strict=True)}
        found |= {(sight.name, "step", step): number for step, number in zip(STEPS, _steps(sight), strict=True)}
    kept = set(board.teams) - {OTHER_TEAMS}

    def row(team: str) -> str:
        return team if team in kept else OTHER_TEAMS

    sums: defaultdict[Cell, int] = defaultdict(int)
    for each in whole.sight.teams:
        sums[("lost", row(each.team))] += _whole(each.out_of_sight)
    for line in whole.trends.teams:
        for n, number in enumerate(line.values):
            sums[("week", f"lost {row(line.name)}", str(n))] += _whole(number)
    for rule in whole.rules:
        for column in COLUMNS:
            sums[(rule.rule, "", column)] = _whole(getattr(rule.total, column))
            for team, counts in rule.teams.items():
                sums[(rule.rule, row(team), column)] += _whole(getattr(counts, column))
    for line in (*whole.trends.sight, *whole.trends.rules):
        found |= {("week", line.name, str(n)): _whole(number) for n, number in enumerate(line.values)}
    return {**found, **sums}


def check_nothing_small_follows(seed: int, folder: Path) -> int:
    """How many withheld small numbers there were, each of which may still be any of three or more."""
    whole = invent(seed)
    board = _publish(whole, folder)
    known, truths = learn(folder), _truths(whole, board)
    small = [cell for cell, number in sorted(truths.items()) if 0 < number < 6 and (board.teams or cell[1] == "")]
    seen = [cell for cell in small if cell in known.said]
    solver = Solver({cell: known.said.get(cell, (0, MOST)) for cell in _cells(known)}, known.equal, known.at_most)
    assert solver.allows({cell: number for cell, number in truths.items() if cell in solver.limits}), seed
    assert known.hidden.issuperset(seen), (seed, set(seen) - known.hidden)
    for cell in sorted(known.hidden):
        assert len(solver.find_values(cell, 3)) >= 3, (seed, cell, truths.get(cell))
    return len(seen)


def _cells(known: Known) -> list[Cell]:
    return list(dict.fromkeys([*known.said, *(cell for row in (*known.equal, *known.at_most) for cell in row)]))


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_no_number_under_six_follows_from_all_that_page_and_workbook_say(tmp_path: Path, first: int) -> None:
    small = [check_nothing_small_follows(seed, tmp_path / str(seed)) for seed in range(first, first + 15)]

    assert sum(small) > 100


def test_ids_advisers_and_links_are_in_neither_file(tmp_path: Path) -> None:
    whole = example("council")
    rows = tuple(replace(row, person_id=f"QX-{row.person_id}") for row in whole.flags.rows)
    waivers = tuple(replace(row, person_id=f"QX-{row.person_id}") for row in whole.waivers.rows)
    whole = replace(whole, flags=replace(whole.flags, rows=rows), waivers=replace(whole.waivers, rows=waivers))

    _publish(whole, tmp_path)

    page = (tmp_path / "board-report.html").read_text(encoding="utf-8")
    book = " ".join(
        cell for rows in read_workbook(tmp_path / "board-report.xlsx").values() for row in rows for cell in row
    )
    for text in (page, book):
        assert "QX-" not in text
        assert "A Example" not in text
        assert "cms.example.gov.uk" not in text


def test_the_name_of_a_team_of_five_or_fewer_is_nowhere(tmp_path: Path) -> None:
    whole = invent(3)
    sizes = {each.team: _whole(each.people) for each in whole.sight.teams}
    small = [team for team, people in sizes.items() if people < 6]
    doubt = replace(whole.header.trust, doubts=(f'team "{small[0]}" had 3 people and none is here tonight',))
    whole = replace(whole, header=replace(whole.header, trust=doubt))

    board = _publish(whole, tmp_path)

    book = str(read_workbook(tmp_path / "board-report.xlsx"))
    page = (tmp_path / "board-report.html").read_text(encoding="utf-8")
    assert small
    for team in small:
        assert team not in book
        assert team not in page
    assert OTHER_TEAMS in board.teams


def test_a_lone_small_team_is_one_row_with_the_next_smallest() -> None:
    whole = invent(0)
    teams = (TeamSight("A", 3, 1), TeamSight("B", 12, 2), TeamSight("C", 40, 30))
    whole = replace(whole, rules=(), trends=Trends(), sight=replace(whole.sight, teams=teams))

    board = suppress(whole)

    assert [each.team for each in board.sight.teams] == ["C", OTHER_TEAMS]
    assert board.sight.teams[1].people == About(20)


@pytest.mark.parametrize(
    ("total", "parts", "shown"),
    [
        (42, [0, 17, 25], [0, About(20), About(30)]),
        (49, [3, 20, 26], [HIDDEN] * 3),
        (20, [5, 5, 5, 5], [HIDDEN] * 4),
        (15, [5, 5, 5, 0], [HIDDEN] * 4),
        (25, [3, 22, 0], [HIDDEN] * 3),
        (4, [4, 0, 0], [HIDDEN] * 3),
        (0, [0, None, 0], [0, None, 0]),
    ],
)
def test_parts_are_given_together_where_none_of_them_is_small(
    total: int, parts: list[int | None], shown: list[object]
) -> None:
    assert list(share_out(round_count(total), [round_count(part) for part in parts])) == shown


def _with_people(whole: Contents, people: dict[str, int]) -> Contents:
    everyone, *kinds = (
        replace(line, people=people.get(line.name, 0)) for line in (whole.sight.everyone, *whole.sight.kinds)
    )
    return replace(whole, sight=replace(whole.sight, everyone=everyone, kinds=tuple(kinds)))


def test_a_number_made_up_of_small_ones_alone_is_withheld_with_them() -> None:
    people = {"everyone": 15, "out-of-touch": 15, "no-contact": 5, "no-address": 5, "gone": 5}

    sight = suppress(_with_people(invent(0), people)).sight

    assert [line.people for line in (sight.everyone, *sight.kinds)] == [HIDDEN] * 5 + [0]


def test_everyone_is_not_told_by_age_since_when_or_team_beside_a_small_number() -> None:
    people = {"everyone": 56, "out-of-touch": 55, "no-contact": 55, "nobody-named": 1}
    whole = _with_people(invent(0), people)
    everyone = replace(whole.sight.everyone, bands=(14, 14, 28), since=HowLong(counts=(14, 14, 14, 14), not_known=0))

    sight = suppress(replace(whole, sight=replace(whole.sight, everyone=everyone))).sight

    assert sight.everyone.people == About(60)
    assert {*sight.everyone.bands, *sight.everyone.since.counts, sight.everyone.since.not_known} == {HIDDEN}
    assert {team.out_of_sight for team in sight.teams} <= {HIDDEN}


def test_the_rules_of_a_way_are_given_together_or_not_at_all() -> None:
    whole = _with_people(invent(0), {"everyone": 40, "out-of-touch": 20, "no-contact": 20, "nobody-named": 20})
    breaches = {"contact-overdue": 18, "over-21-contact": 2, "pa-allocated": 12, "over-21-adviser": 8, "neet": 3}
    rules = (replace(rule, total=replace(rule.total, breach=breaches.get(rule.rule, 0))) for rule in whole.rules)

    board = suppress(replace(whole, rules=tuple(rules)))

    assert {rule.rule: rule.total.breach for rule in board.rules} == {
        "contact-overdue": HIDDEN, "over-21-contact": HIDDEN, "known-address": 0, "left-caseload": 0,
        "pa-allocated": About(10), "over-21-adviser": About(10), "neet": HIDDEN,
    }  # fmt: skip


def test_the_nearest_ten_leaves_nought_and_withholds_what_is_small() -> None:
    numbers = [round_count(number) for number in (0, 1, 5, 6, 14, 15, None)]

    assert numbers == [0, HIDDEN, HIDDEN, About(10), About(10), About(20), None]


def test_a_change_is_left_out_for_it_gives_away_the_number_before() -> None:
    whole = invent(0)
    everyone = replace(whole.sight.everyone, people=20, last_month=Change(dt.date(2025, 12, 1), 17))

    board = suppress(replace(whole, sight=replace(whole.sight, everyone=everyone)))

    assert board.sight.everyone.last_month.by is None


def test_a_report_without_an_accepted_night_has_a_board_edition(tmp_path: Path) -> None:
    board = _publish(example("empty"), tmp_path)

    assert board.is_board
    assert "no accepted night yet" in str(read_workbook(tmp_path / "board-report.xlsx")["Summary"])
