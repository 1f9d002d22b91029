"""What each part of a condition can be: its kind, and its lowest and highest value; what no database could work out.

A database that overflows fails for everybody, or says something wrong to nobody's notice. So the parts are worked out
beforehand, with the lowest and the highest value that each column may hold.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import product

from monitor.catalogue import columns
from monitor.catalogue.dictionary import EARLIEST, LATEST
from monitor.durations import LONGEST_DAYS, Duration, Limit, parse_duration
from monitor.rulebook.condition import Tree
from monitor.rulebook.names import TYPES

BOOLEAN, DATE, TEXT, NUMBER, ANY = "true or false", "a date", "text", "a number", "anything"
KINDS: Mapping[str, str] = {"BOOLEAN": BOOLEAN, "DATE": DATE, "VARCHAR": TEXT, "INTEGER": NUMBER}
HIGHEST = 2_147_483_647
MOST_DECIMALS = 6
WRITE_KINDS = "write a date like date '2026-01-31', and a number without quotation marks"
MOST_DAYS = 36_500
LONGEST_TEXT = 1_000_000
OLDEST = LATEST.year - EARLIEST.year
LAST_DAY = date.max.toordinal()


@dataclass(frozen=True)
class Reach:
    """What a part can be: a kind, and for a number or a date (counted in days) the lowest and highest.

    ``decimals``: how many digits a number may have behind its point.
    """

    kind: str
    low: float = 0
    high: float = 0
    decimals: int = 0


@dataclass
class Reckoner:
    """Works out what the parts of one condition can be, and keeps what is wrong with them, by part."""

    limits: Mapping[str, Limit]
    faults: list[tuple[Tree, str]] = field(default_factory=list)

    def find(self, tree: Tree) -> Reach:
        """Return what a tree can be; ``faults`` gains what is wrong with it and inside it."""
        if tree.kind in ("add", "sub"):
            reach = self._find_sum(tree)
        elif tree.kind == "case":
            parts = [self.find(part) for part in tree.parts]
            reach = self._join(tree, [*parts[1::2], *(parts[-1:] if len(parts) % 2 else [])])
        elif tree.kind in ALIKE or (tree.kind == "call" and tree.word in FIRST_OF):
            joined = self._join(tree, [reach for part in tree.parts for reach in self._find_listed(part)])
            reach = Reach(BOOLEAN) if tree.kind in ALIKE else joined
        elif find := PLAIN.get(tree.kind):
            reach = find(self, tree)
        else:
            parts = [self.find(part) for part in tree.parts]
            # Anything may be blank; what else is so joined must be true or false.
            self._insist(tree, parts[:0] if tree.kind == "is" and parts[1].kind == ANY else parts, BOOLEAN)
            reach = Reach(BOOLEAN)
        self._bound(tree, reach)
        return reach

    def _find_listed(self, tree: Tree) -> list[Reach]:
        """A limit that is a list of codes is as many texts."""
        is_list = tree.kind == "column" and isinstance(self.limits.get(tree.word), tuple)
        return [Reach(TEXT)] if is_list else [self.find(tree)]

    def _find_name(self, tree: Tree) -> Reach:
        limit = self.limits.get(tree.word)
        if tree.word in TYPES or tree.word == "due_on":
            kind = KINDS[TYPES.get(tree.word, "DATE")]
            if kind == NUMBER:
                return Reach(NUMBER, *range_of(tree.word))
            return Reach(kind, EARLIEST.toordinal(), LATEST.toordinal())
        if isinstance(limit, date):
            return Reach(DATE, limit.toordinal(), limit.toordinal())
        return _read_number(str(limit))

    def _find_call(self, tree: Tree) -> Reach:
        parts = [self.find(part) for part in tree.parts]
        takes, gives = CALLS[tree.word]
        self._insist(tree, parts, takes)
        first = parts[0]
        if tree.word == "ABS":
            low = 0 if first.low <= 0 <= first.high else min(abs(first.low), abs(first.high))
            return Reach(NUMBER, low, max(abs(first.low), abs(first.high)), first.decimals)
        return gives

    def _find_count(self, tree: Tree) -> Reach:
        self._insist(tree, [self.find(tree.parts[0])], BOOLEAN)
        return Reach(NUMBER, 0, 1)

    def _find_product(self, tree: Tree) -> Reach:
        left, right = (self.find(part) for part in tree.parts)
        self._insist(tree, [left, right], NUMBER)
        ends = [one * other for one, other in product((left.low, left.high), (right.low, right.high))]
        return Reach(NUMBER, min(ends), max(ends), left.decimals + right.decimals)

    def _find_negative(self, tree: Tree) -> Reach:
        part = self.find(tree.parts[0])
        self._insist(tree, [part], NUMBER)
        return Reach(NUMBER, -part.high, -part.low, part.decimals)

    def _find_sum(self, tree: Tree) -> Reach:
        sign = 1 if tree.kind == "add" else -1
        for moved, start in (tree.parts[::-1], tree.parts):
            if duration := self._read_duration(moved):
                reach, days = self.find(start), _count_days(duration)
                self._insist(tree, [reach], DATE)
                return Reach(DATE, reach.low + min(sign * days, 0), reach.high + max(sign * days, 0))
        left, right = (self.find(part) for part in tree.parts)
        ends = [one + sign * other for one, other in product((left.low, left.high), (right.low, right.high))]
        dates = [left.kind, right.kind].count(DATE)
        if dates == 1:
            self._check_days(tree, right if left.kind == DATE else left)
            return Reach(DATE, min(ends), max(ends))
        if dates == 0:
            self._insist(tree, [left, right], NUMBER)
        return Reach(NUMBER, min(ends), max(ends), max(left.decimals, right.decimals))

    def _read_duration(self, tree: Tree) -> Duration | None:
        limit = parse_duration(tree.word) if tree.kind == "duration" else self.limits.get(tree.word)
        return limit if isinstance(limit, Duration) and tree.kind in ("duration", "column") else None

    def _check_days(self, tree: Tree, days: Reach) -> None:
        most = max(abs(days.low), abs(days.high))
        if days.kind == NUMBER and most > MOST_DAYS:
            ranges = self._tell_ranges(tree)
            self.faults.append((tree, f"moves a date by up to {most:,.0f} days{ranges}; at most {MOST_DAYS:,}"))

    def _join(self, tree: Tree, parts: Iterable[Reach]) -> Reach:
        """What one of these parts is; they must be of one kind."""
        known = [part for part in parts if part.kind != ANY]
        kinds = list(dict.fromkeys(part.kind for part in known))
        if len(kinds) > 1:
            self.faults.append((tree, f"puts {kinds[0]} beside {kinds[1]}; {WRITE_KINDS}"))
        if len(kinds) != 1:
            return Reach(ANY)
        ends = [*(part.low for part in known), *(part.high for part in known)]
        return Reach(kinds[0], min(ends), max(ends), max(part.decimals for part in known))

    def _insist(self, tree: Tree, parts: Iterable[Reach], kind: str) -> None:
        for part in parts:
            if part.kind not in (kind, ANY):
                self.faults.append((tree, f"takes {kind}, and is given {part.kind}"))
                return

    def _bound(self, tree: Tree, reach: Reach) -> None:
        """A part whose own parts are within bounds must be so too; what it is made of has been told already."""
        if self.faults:
            return
        if reach.kind == NUMBER and max(abs(reach.low), abs(reach.high)) > HIGHEST:
            most = reach.high if reach.high > HIGHEST else reach.low
            told = f"may come to {most:,.0f}{self._tell_ranges(tree)}; a number may be at most {HIGHEST:,}"
            self.faults.append((tree, told))
        elif reach.kind == NUMBER and reach.decimals > MOST_DECIMALS:
            told = f"has {reach.decimals} digits behind the point; at most {MOST_DECIMALS}"
            self.faults.append((tree, told))
        elif reach.kind == DATE and not 1 <= reach.low <= reach.high <= LAST_DAY:
            self.faults.append(
                (tree, f"leaves the years 1 to 9999{self._tell_ranges(tree)}; add fewer days to its date")
            )

    def _tell_ranges(self, tree: Tree) -> str:
        names = dict.fromkeys(part.word for part in tree.walk() if part.kind == "column" and part.word in TYPES)
        told = [f"{name} is from {low:,} to {high:,}" for name in names for low, high in [range_of(name)] if high]
        return f" ({', '.join(told)})" if told else ""


def range_of(name: str) -> tuple[int, int]:
    if name == "age":
        return 0, OLDEST
    column = columns.BY_NAME.get(name)
    if column is None or column.kind != "number":
        return 0, 0
    return column.lowest or 0, HIGHEST if column.highest is None else column.highest


def _read_number(text: str) -> Reach:
    """A number as it is written, a limit or in the condition."""
    _, _, decimals = f"{Decimal(text):f}".partition(".")
    return Reach(NUMBER, float(text), float(text), len(decimals))


def _read_date(tree: Tree) -> Reach:
    day = date.fromisoformat(tree.word).toordinal()
    return Reach(DATE, day, day)


def _count_days(duration: Duration) -> int:
    # Ten working days in a row may take a month, where many are bank holidays.
    each = 4 if duration.unit == "working day" else LONGEST_DAYS[duration.unit]
    return duration.count * each


ALIKE = ("eq", "neq", "gt", "gte", "lt", "lte", "same", "differs", "in", "between", "like", "not like")
"""The kinds whose parts must be of one kind."""
FIRST_OF = ("GREATEST", "LEAST", "COALESCE", "NULLIF")
CALLS: Mapping[str, tuple[str, Reach]] = {
    "ABS": (NUMBER, Reach(NUMBER)),
    "YEAR": (DATE, Reach(NUMBER, 1, 9999)),
    "MONTH": (DATE, Reach(NUMBER, 1, 12)),
    "DAY": (DATE, Reach(NUMBER, 1, 31)),
    "LENGTH": (TEXT, Reach(NUMBER, 0, LONGEST_TEXT)),
    **dict.fromkeys(("LOWER", "TRIM", "LTRIM", "RTRIM"), (TEXT, Reach(TEXT))),
}
"""What each function takes, and what it gives."""
BIRTHDAYS = Reach(DATE, EARLIEST.toordinal(), LATEST.toordinal() + 100 * 366)
PLAIN: Mapping[str, Callable[[Reckoner, Tree], Reach]] = {
    "column": Reckoner._find_name,
    "text": lambda *_: Reach(TEXT),
    "number": lambda _, tree: _read_number(tree.word),
    "date": lambda _, tree: _read_date(tree),
    "true": lambda *_: Reach(BOOLEAN),
    "false": lambda *_: Reach(BOOLEAN),
    "null": lambda *_: Reach(ANY),
    "blank": lambda *_: Reach(BOOLEAN),
    "birthday": lambda *_: BIRTHDAYS,
    "count": Reckoner._find_count,
    "paren": lambda reckoner, tree: reckoner.find(tree.parts[0]),
    "neg": Reckoner._find_negative,
    "mul": Reckoner._find_product,
    "call": Reckoner._find_call,
}
