"""The board's edition: no id, no small team, and no number from 1 to 4, however its numbers are put together."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array
from support.board_reader import bounds, read_page, read_workbook
from support.report_contents import example

from monitor.figures.out_of_sight import SINCE
from monitor.messages.templates import open_templates
from monitor.report.board import suppress
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
from monitor.report.rounding import cover, near, near_all
from monitor.report.rule_figures import add_up
from monitor.report.write import write_report

COLUMNS = ("asked", "met", "breach", "cannot_assess", "waived", "held")
BANDS = ("16-17", "18-20", "21-24")
WEEKS = tuple(dt.date(2025, 12, 15) + dt.timedelta(7 * n) for n in range(5))
RULES = (
    ("pa-allocated", "Adviser to name", "high"),
    ("over-21-adviser", "Adviser over 21", "high"),
    ("known-address", "Address not known", "high"),
    ("neet", "Out of work and study", "medium"),
)
KINDS = {
    "no-adviser": ("No personal adviser", ("pa-allocated", "over-21-adviser")),
    "no-address": ("No known address", ("known-address",)),
}


def invent(seed: int) -> Contents:
    """A small service's report in which every sum is right, with many small numbers."""
    rng = Random(seed)
    teams = {f"Quill {n}": rng.choice([1, 3, 4, 6, 9, 20, 45]) for n in range(rng.randrange(2, 6))}
    rules = tuple(_rule(rng, rule, tuple(teams)) for rule in RULES)
    standing = {each.rule: _whole(each.total.breach) + _whole(each.total.held) for each in rules}
    kinds = tuple(_kind(rng, name, label, about, standing) for name, (label, about) in KINDS.items())
    fewest = max(sum(map(max, zip(*[of(kind) for kind in kinds], strict=True))) for of in (_bands, _steps))
    people = rng.randrange(fewest, sum(_whole(kind.people) for kind in kinds) + 1)
    bands = _split_between(rng, people, [kind.bands for kind in kinds])
    everyone = Sight("everyone", "Out of sight in any way", sum(bands), bands, 0, 0, rng.randrange(40))
    steps = _split_between(rng, sum(bands), [kind.since.counts for kind in kinds])
    everyone = replace(everyone, since=HowLong(counts=steps), rules=())
    lost = _split(rng, sum(bands), len(teams))
    weeks = _weeks(rng, kinds, everyone, standing, lost, tuple(teams))
    then = _whole(weeks.sight[0].values[-2])
    everyone = replace(everyone, last_week=Change(WEEKS[-2], sum(bands) - then))
    kinds = tuple(
        replace(kind, last_week=Change(WEEKS[-2], _whole(kind.people) - _whole(line.values[-2])))
        for kind, line in zip(kinds, weeks.sight[1:], strict=True)
    )
    base = example("small")
    return replace(
        base,
        header=replace(base.header, people=sum(teams.values()), as_at=WEEKS[-1], until=WEEKS[-1]),
        sight=OutOfSight(everyone, kinds, tuple(map(TeamSight, teams, teams.values(), lost))),
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
    return [_whole(number) for number in kind.since.counts]


def _whole(number: object) -> int:
    assert isinstance(number, int)
    return number


def _rule(rng: Random, rule: tuple[str, str, str], teams: tuple[str, ...]) -> RuleFigures:
    found = {}
    for team in teams:
        breach, cannot, met = (rng.choice([0, 0, 1, 2, 3, 4, 7, 12, 25]) for _ in range(3))
        held = rng.choice([0, 0, 1, 3, 8])
        found[team] = RuleCounts(breach + cannot + met, met, breach, cannot, rng.randrange(breach + 1), held)
    return RuleFigures(*rule[:2], rule[2], "law", (31,), add_up(found.values()), found)


def _kind(rng: Random, name: str, label: str, about: tuple[str, ...], standing: dict[str, int]) -> Sight:
    if name == "no-adviser":
        young = rng.randrange(standing["pa-allocated"] + 1)
        bands = (young, standing["pa-allocated"] - young, standing["over-21-adviser"])
    else:
        bands = _split(rng, standing["known-address"], 3)
    counts = _split(rng, sum(bands), len(SINCE))
    return Sight(name, label, sum(bands), bands, 0, 0, rng.randrange(30), HowLong(counts=counts), rules=about)


def _split(rng: Random, number: int, parts: int) -> tuple[int, ...]:
    found = [0] * parts
    for _ in range(number):
        found[rng.randrange(parts)] += 1
    return tuple(found)


def _split_between(rng: Random, people: int, rows: list[tuple[object, ...]]) -> tuple[int, ...]:
    """Bands of everyone: at least as many as of any way, at most as many as of all."""
    most = [sum(map(_whole, column)) for column in zip(*rows, strict=True)]
    found = [max(map(_whole, column)) for column in zip(*rows, strict=True)]
    while sum(found) < people:
        place = rng.choice([n for n, number in enumerate(found) if number < most[n]])
        found[place] += 1
    return tuple(found)


def _weeks(
    rng: Random, kinds: tuple[Sight, ...], everyone: Sight, standing: dict[str, int], lost: tuple[int, ...],
    teams: tuple[str, ...],
) -> Trends:  # fmt: skip
    by_rule: dict[str, list[int]] = {rule: [rng.randrange(14) for _ in WEEKS[1:]] for rule, _, _ in RULES}
    by_kind = {name: [sum(by_rule[rule][n] for rule in about) for n in range(len(WEEKS) - 1)]
               for name, (_, about) in KINDS.items()}  # fmt: skip
    whole = [rng.randrange(max(column), sum(column) + 1) for column in zip(*by_kind.values(), strict=True)]
    columns = [*(_split(rng, number, len(teams)) for number in whole), lost]
    return Trends(
        (
            Trend("everyone", everyone.label, (*whole, everyone.people)),
            *(Trend(kind.name, kind.label, (*by_kind[kind.name], kind.people)) for kind in kinds),
        ),
        tuple(Trend(team, team, values) for team, values in zip(teams, zip(*columns, strict=True), strict=True)),
        tuple(Trend(rule, title, (*by_rule[rule], standing[rule])) for rule, title, _ in RULES),
    )


# What somebody who has the page and the workbook can work out.

Cell = tuple[str, ...]


@dataclass
class Known:
    """Every number published, and every sum that must be right, as equations over numbers that are not negative."""

    said: dict[Cell, list[tuple[float, float | None]]] = field(default_factory=lambda: defaultdict(list))
    hidden: set[Cell] = field(default_factory=set)
    equal: list[dict[Cell, float]] = field(default_factory=list)
    at_most: list[dict[Cell, float]] = field(default_factory=list)

    def publish(self, cell: Cell, text: str) -> None:
        found = bounds(text)
        if found is not None:
            self.said[cell].append(found)
            if text == "[c]":
                self.hidden.add(cell)

    def add_up(self, total: Cell, parts: Iterable[Cell]) -> None:
        self.equal.append({total: 1.0, **dict.fromkeys(parts, -1.0)})

    def no_more(self, less: Iterable[Cell], more: Iterable[Cell]) -> None:
        self.at_most.append({**dict.fromkeys(less, 1.0), **dict.fromkeys(more, -1.0)})

    def solver(self) -> Callable[[Cell], tuple[float, float]]:
        """A function that gives the least and the most a cell can be."""
        cells = list({*self.said, *(each for row in (*self.equal, *self.at_most) for each in row)})
        place = {each: n for n, each in enumerate(cells)}

        def matrix(found: list[dict[Cell, float]]) -> csr_array:
            data = [(number, n, place[each]) for n, row in enumerate(found) for each, number in row.items()]
            numbers, rows, columns = zip(*data, strict=True)
            return csr_array((numbers, (rows, columns)), shape=(len(found), len(cells)))

        limits = []
        for each in cells:
            given = self.said.get(each, [(0, None)])
            tops = [top for _, top in given if top is not None]
            limits.append((max(low for low, _ in given), min(tops) if tops else 10_000))
        equal, most = matrix(self.equal), matrix(self.at_most)

        def solve(cell: Cell, sign: int) -> float:
            aim = [0.0] * len(cells)
            aim[place[cell]] = sign
            solved = linprog(aim, A_eq=equal, b_eq=[0.0] * len(self.equal), A_ub=most, b_ub=[0.0] * len(self.at_most),
                             bounds=limits)  # fmt: skip
            assert solved.status == 0, solved.message
            return sign * float(solved.fun)

        return lambda cell: (solve(cell, 1), solve(cell, -1))


def learn(folder: Path) -> Known:
    """Everything from the two files under the same names, and what a reader knows of how the numbers hang together."""
    known, page = Known(), read_page(folder / "board-report.html")
    book = read_workbook(folder / "board-report.xlsx")
    teams = [row[0] for row in book["Teams"][1:] if row[0] != "No figures by team"]
    ways = {"All of them": "everyone", "Out of sight in any way": "everyone"} | {
        label: name for name, (label, _) in KINDS.items()
    }
    for row in book["Out of sight"]:
        if row[0] in ways:
            _learn_sight(known, ways[row[0]], row[1], row[2:5], row[8], row[10 : 10 + len(SINCE)])
    for row in page["ways"]:
        if row[0] in ways:
            change = row[2].replace(" more", "").replace(" fewer", "")
            signed = f"-{change}" if "fewer" in row[2] else "0" if row[2] == "no change" else change
            _learn_sight(known, ways[row[0]], row[1], row[4:7], signed, [])
    for row in page.get("since-when", []):
        if row[0] in ways:
            for step, text in enumerate(row[1 : 1 + len(SINCE)]):
                known.publish((ways[row[0]], "step", str(step)), text)
    for row in (*book["Teams"], *page.get("sight-teams", [])):
        if row[0] in teams:
            known.publish(("team", row[0]), row[1])
            known.publish(("lost", row[0]), row[2])
    titles = {title: rule for rule, title, _ in RULES}
    for row in (*((row[0], *row[5:11]) for row in book["Rules"]),
                *((row[0], *row[3:6], *row[7:10]) for row in page["rules-all"])):  # fmt: skip
        if row[0] in titles:
            _learn_row(known, (titles[row[0]], ""), row[1:])
    for row in book["Rules by team"]:
        if row[0] in titles:
            _learn_row(known, (titles[row[0]], row[3]), row[4:10])
    for name, table in page.items():
        if name.startswith("rule-teams-"):
            for row in table[1:]:
                _learn_row(known, (RULES[int(name.removeprefix("rule-teams-")) - 1][0], row[0]), row[1:7])
    lines = {"Out of sight": ways, "Out of sight, by team": {team: f"lost {team}" for team in teams},
             "Flags standing, by rule": titles}  # fmt: skip
    for row in book["Weeks"]:
        if row[1] in lines.get(row[0], {}):
            for n, text in enumerate(row[2:]):
                known.publish(("week", lines[row[0]][row[1]], str(n)), text)
    for row in book["Days to clear"]:
        if row[1] in titles.values():
            known.publish(("cleared", row[1]), row[3])
            known.publish(("standing", row[1]), row[7])
    _relate(known, teams)
    return known


def _learn_sight(known: Known, name: str, people: str, bands: list[str], change: str, steps: list[str]) -> None:
    known.publish((name, "people"), people)
    for band, text in zip(BANDS, bands, strict=True):
        known.publish((name, band), text)
    for step, text in enumerate(steps):
        known.publish((name, "step", str(step)), text)
    by = bounds(change)
    if by is not None and change != "[c]":
        cell = (name, "change", change)
        known.said[cell] = [by]
        known.equal.append({(name, "people"): 1.0, ("week", name, str(len(WEEKS) - 2)): -1.0, cell: -1.0})


def _learn_row(known: Known, rule: Cell, cells: Iterable[str]) -> None:
    for column, text in zip(COLUMNS, cells, strict=True):
        known.publish((*rule, column), text)


def _relate(known: Known, teams: list[str]) -> None:
    names = tuple(KINDS)
    for name in ("everyone", *names):
        known.add_up((name, "people"), [(name, band) for band in BANDS])
        known.add_up((name, "people"), [(name, "step", str(n)) for n in range(len(SINCE))])
        known.add_up((name, "people"), [("week", name, str(len(WEEKS) - 1))])
    places = [("people",), *((band,) for band in BANDS)]
    for place in places:
        known.no_more([("everyone", *place)], [(name, *place) for name in names])
        for name in names:
            known.no_more([(name, *place)], [("everyone", *place)])
    for n in range(len(SINCE)):
        known.no_more([("everyone", "step", str(n))], [(name, "step", str(n)) for name in names])
    for n in range(len(WEEKS)):
        known.no_more([("week", "everyone", str(n))], [("week", name, str(n)) for name in names])
        for name, (_, about) in KINDS.items():
            known.no_more([("week", name, str(n))], [("week", "everyone", str(n))])
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
    known.add_up(("no-adviser", "21-24"), [("standing", "over-21-adviser")])
    known.add_up(("no-address", "people"), [("standing", "known-address")])
    known.add_up(("no-adviser", "people"), [("standing", "pa-allocated"), ("standing", "over-21-adviser")])


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
        found |= {(sight.name, "step", str(n)): _whole(number) for n, number in enumerate(sight.since.counts)}
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
    small = [cell for cell, number in sorted(truths.items()) if 0 < number < 5 and (board.teams or cell[1] == "")]
    seen, range_of = [cell for cell in small if cell in known.said], known.solver()
    for cell in seen:
        assert cell in known.hidden, (seed, cell)
        least, most = range_of(cell)
        assert least <= truths[cell] <= most, (seed, cell, least, most)
        assert most - least >= 2, (seed, cell, truths[cell], least, most)
    return len(seen)


@pytest.mark.parametrize("seed", [4, 8])
def test_no_number_under_five_follows_from_all_that_page_and_workbook_say(tmp_path: Path, seed: int) -> None:
    assert check_nothing_small_follows(seed, tmp_path) > 5


@pytest.mark.simulation
def test_no_number_under_five_follows_in_many_services(tmp_path: Path) -> None:
    numbers = [check_nothing_small_follows(seed, tmp_path / str(seed)) for seed in range(MANY)]

    print(f"\n{MANY} services: {sum(numbers)} withheld numbers under 5, each of which may be any of three or more")


MANY = 100


def test_ids_advisers_and_links_are_in_neither_file(tmp_path: Path) -> None:
    whole = example("council")
    rows = tuple(replace(row, person_id=f"QX{row.person_id}") for row in whole.flags.rows)
    waivers = tuple(replace(row, person_id=f"QX{row.person_id}") for row in whole.waivers.rows)
    whole = replace(whole, flags=replace(whole.flags, rows=rows), waivers=replace(whole.waivers, rows=waivers))

    _publish(whole, tmp_path)

    page = (tmp_path / "board-report.html").read_text(encoding="utf-8")
    book = " ".join(
        cell for rows in read_workbook(tmp_path / "board-report.xlsx").values() for row in rows for cell in row
    )
    for text in (page, book):
        assert "QX" not in text
        assert "A Example" not in text
        assert "cms.example.gov.uk" not in text


def test_the_name_of_a_team_of_fewer_than_five_is_nowhere(tmp_path: Path) -> None:
    whole = invent(3)
    sizes = {each.team: _whole(each.people) for each in whole.sight.teams}
    small = [team for team, people in sizes.items() if people < 5]
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
    ("parts", "shown"),
    [
        ([0, 7, 12], [0, 7, 12]),
        ([3, 7, 12], [HIDDEN, HIDDEN, 12]),
        ([3, 4, 0, 9], [HIDDEN, HIDDEN, 0, 9]),
        ([3, 3, 0], [HIDDEN, HIDDEN, HIDDEN]),
    ],
)
def test_small_parts_are_withheld_with_others_until_none_follows(parts: list[int], shown: list[object]) -> None:
    assert cover(parts) == shown


def test_the_nearest_ten_leaves_nought_and_withholds_what_is_small() -> None:
    assert [near(number) for number in (0, 4, 5, 14, 15, None)] == [0, HIDDEN, About(10), About(10), About(20), None]
    assert near_all([2, 30, 60]) == [HIDDEN, HIDDEN, About(60)]


def test_a_change_that_gives_away_a_small_number_is_withheld() -> None:
    whole = invent(0)
    everyone = replace(whole.sight.everyone, people=20, last_month=Change(dt.date(2025, 12, 1), 17))

    board = suppress(replace(whole, sight=replace(whole.sight, everyone=everyone), trends=Trends()))

    assert board.sight.everyone.last_month.by is HIDDEN


def test_a_report_without_an_accepted_night_has_a_board_edition(tmp_path: Path) -> None:
    board = _publish(example("empty"), tmp_path)

    assert board.is_board
    assert "no accepted night yet" in str(read_workbook(tmp_path / "board-report.xlsx")["Summary"])
