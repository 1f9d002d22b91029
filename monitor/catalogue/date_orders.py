"""In which order a column's dates are written: judged for the whole column, with the evidence in words.

A column is read one way or not at all. ``cells`` counts its distinct texts by a *sign*, like ``"numbers 25 D--"``: how
they are written, the larger of the two numbers that could be the day, and the orders that fit: D day first, M month
first, Y year first. A small letter is a day of the calendar after the list was made. For a real date D is the date as
it stands, and M the date with day and month swapped.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Order = Literal["day-first", "month-first", "year-first"]
ORDERS: Mapping[str, Order] = {"D": "day-first", "M": "month-first", "Y": "year-first"}

Signs = Mapping[str, int]
"""How many distinct texts of a column have each sign. Written: ``real`` (a real date, or the year first), ``numbers``
(3/4/2026), ``short`` (3/4/26), ``dashed`` (3-4-26) or ``named`` (3 Apr 26).
"""

ENOUGH = 3
"""So many distinct texts are no slip of the pen."""

FUTURES = 5
"""So many dates that one order alone puts after the list was made show the order by themselves."""

UP_TO_12 = 12 / 30.4
"""The share of dates whose day could be a month too."""

SUSPECT, SURE = 0.1, 0.001
"""How rarely chance would make a column look as if Excel had swapped days and months, to say that it may, or did."""

SET_IT = 'set date_order = "day-first" or "month-first" under this source, or export dates as 2026-03-31'
IN_ONE_ORDER = "export the column again with its dates in one order, best as 2026-03-31"
NOT_THROUGH_EXCEL = "export the list again, and do not open it in Excel before the monitor has read it"


@dataclass(frozen=True)
class DateOrder:
    """How a column's dates are read; ``order`` is None where the whole column is unreadable.

    ``certain``: the column, the rest of its source or the config says so; otherwise it is only the country's way.
    ``flipped``: day and month of its real dates are swapped back. ``short_years``: years in two digits are read.
    ``contradicts``: the column does not fit the order that the config says. ``judged``: it has texts to judge.
    """

    order: Order | None = "day-first"
    evidence: str = "nothing to judge"
    certain: bool = True
    flipped: bool = False
    short_years: bool = False
    contradicts: bool = False
    judged: bool = True

    @property
    def as_written(self) -> bool:
        """Return whether the column is read as one with nothing to judge is."""
        return self.order == "day-first" and not self.flipped and not self.short_years

    @property
    def made(self) -> str | None:
        """Return how the column is made, where that is not merely as written."""
        if self.order is None:
            return "not read, as the order of its dates cannot be told"
        if self.flipped:
            return f"read {self.order}, its real dates with day and month swapped back"
        return None if self.order == "day-first" else f"read {self.order}"

    @property
    def words(self) -> str:
        """Return how it is read, and why, for a note."""
        return f"{self.made or f'read {self.order}'}: {self.evidence}"


@dataclass
class _Column:
    """The counts of one column's texts and real dates. ``fits``: by the orders that fit, in capitals."""

    fits: Counter[str] = field(default_factory=Counter)
    on_time: Counter[str] = field(default_factory=Counter)
    """The texts that fit two orders, by the only one that does not put them after the list was made."""
    over: set[str] = field(default_factory=set)
    slashed: bool = False
    short: int = 0
    bare_short: int = 0
    untold: int = 0
    """Years in two digits: of all, of those without the month in words, and of those that fit no order."""
    real: int = 0
    real_over: int = 0
    real_wrong: int = 0
    """Real dates that could not be swapped, and those that are no dates until they are."""
    real_days: set[str] = field(default_factory=set)
    real_on_time: Counter[str] = field(default_factory=Counter)

    @property
    def texts(self) -> int:
        return self.fits.total()

    @property
    def either(self) -> int:
        """Return how many texts the order decides about."""
        return sum(count for fits, count in self.fits.items() if len(fits) > 1)

    @property
    def tenable(self) -> str:
        """Return the orders that all texts fit but slips of the pen; a year first is not written with slashes."""
        found = "".join(letter for letter in "DMY" if self._is_slip(self.fails(letter)))
        return found.replace("Y", "") if self.slashed and len(found) > 1 else found

    def fails(self, letter: str) -> int:
        """Return how many texts do not fit an order."""
        return sum(count for fits, count in self.fits.items() if letter not in fits)

    def _is_slip(self, fails: int) -> bool:
        others = self.texts + self.real_over - fails
        return 100 * fails <= others or (fails == 1 and others >= 20)


def judge_orders(columns: Mapping[str, Signs], setting: Order | None = None) -> dict[str, DateOrder]:
    """Return how each column of one source is read, from the signs of its distinct texts.

    A column with too little evidence follows the others of its source where they are certain and agree, and cannot be
    read where they do not; where they show nothing either it is read day first. ``setting``: what the config says.
    """
    counted = {name: _count(signs) for name, signs in columns.items()}
    alone = {name: _judge(column, setting) for name, column in counted.items()}
    shown = {one.order for one in alone.values() if one and one.order and one.judged} or _lean(counted.values())
    orders = {name: alone[name] or _follow(column, shown) for name, column in counted.items()}
    if setting is None and "month-first" in shown:
        orders = {name: _doubt_few(counted[name], order) for name, order in orders.items()}
    swaps = {name: _find_swap(counted[name], order) for name, order in orders.items()}
    orders = {name: _swap(counted[name], order, swaps[name], set(swaps.values())) for name, order in orders.items()}
    return {name: _read_short(counted[name], order) for name, order in orders.items()}


def _count(signs: Signs) -> _Column:
    column = _Column()
    for sign, count in signs.items():
        written, number, letters = sign.split(" ")
        fits = letters.replace("-", "")
        on_time = "".join(letter for letter in fits if letter.isupper())
        only_one = len(fits) > 1 and len(on_time) == 1
        if written == "real":
            column.real += count
            if fits.upper() == "D":
                column.real_over += count
            elif fits.upper() == "M":
                column.real_wrong += count
            else:
                column.real_days.add(number)
            column.real_on_time[on_time] += count * only_one
            continue
        if written != "numbers":
            column.short += count
            column.untold += count * (not fits)
            column.bare_short += count * (written != "named")
        if fits and written != "named":
            column.fits[fits.upper()] += count
            column.on_time[on_time] += count * only_one
            column.slashed |= written != "dashed"
            column.over |= {number} if int(number) > 12 else set()
    return column


# One column by itself


def _judge(column: _Column, setting: Order | None) -> DateOrder | None:
    """Return how the column's texts are read; None where the column itself holds too little evidence."""
    if not column.texts:
        return DateOrder(judged=False)
    found = _find_evidence(column)
    if setting is None or (found and found.order is None and column.tenable):
        return found
    wrong, few = column.fails(setting[0].upper()), ENOUGH
    is_much = 5 * wrong > column.texts
    if found and found.order is None and is_much:
        return found
    if is_much or (found and found.order != setting and not 0 < wrong < few):
        why = found.evidence if found else f"{_of(wrong, column.texts)} cannot be so"
        return DateOrder(None, f"date_order says {setting}, but {why}", contradicts=True)
    return DateOrder(setting, f"date_order says {setting}{_list_slips(wrong)}")


def _find_evidence(column: _Column) -> DateOrder | None:
    tenable = column.tenable
    if not tenable and column.either:
        wrong = (f"{column.fails(letter):,} cannot be {ORDERS[letter]}" for letter in "DM")
        return _doubt(f"of {column.texts:,} different dates {' and '.join(wrong)}", IN_ONE_ORDER)
    if len(tenable) == 1:
        return _find_only(column, tenable)
    for letter, other in ("DM", "MD"):
        late = column.on_time[letter]
        if tenable == "DM" and late >= FUTURES and not column.on_time[other]:
            why = f"read {ORDERS[other]}, {_of(late, column.texts)} would be after the list was made"
            return DateOrder(ORDERS[letter], why)
    return None


def _find_only(column: _Column, letter: str) -> DateOrder | None:
    """Return the one order that is tenable, if enough texts speak against the others."""
    other = "M" if letter == "D" else "D"
    against = min(column.fails(each) for each in "DM" if each != letter)
    if column.on_time[other] >= ENOUGH and not column.on_time[letter]:
        why = f"unless day and month are swapped in some, {column.on_time[other]:,} dates are after the list was made"
        return _doubt(why, NOT_THROUGH_EXCEL)
    if letter != "D" and against < ENOUGH:
        return None
    seen = {
        "D": "a day over 12 in first place",
        "M": "a day over 12 in second place",
        "Y": "a year that only fits first",
    }
    found = f"{_of(against, column.texts)} have {seen[letter]}"
    return DateOrder(ORDERS[letter], found + _list_slips(column.fails(letter)))


def _of(some: int, texts: int) -> str:
    return f"{some:,} of {texts:,} different dates"


def _list_slips(wrong: int) -> str:
    return f"; {wrong:,} cannot be so, and {'is' if wrong == 1 else 'are'} not read" if wrong else ""


def _doubt(why: str, remedy: str) -> DateOrder:
    return DateOrder(None, f"{why}; {remedy}", certain=False)


# What the rest of the source says


def _lean(columns: Collection[_Column]) -> set[Order]:
    """Return the order of a source that a few texts here and there can only have, and that none speaks against."""
    rivals = {"M": "D", "Y": "DM", "D": "M" if any(column.slashed for column in columns) else "MY"}
    for letter, others in rivals.items():
        few = min(sum(column.fails(other) for column in columns) for other in others)
        if few > 1 and not any(column.fails(letter) for column in columns):
            return {ORDERS[letter]}
    return set()


def _follow(column: _Column, shown: set[Order]) -> DateOrder:
    """Return how a column with too little evidence is read beside columns that have shown these orders."""
    tenable = {ORDERS[letter] for letter in column.tenable}
    (order,) = shown if len(shown) == 1 else (None,)
    against = sum(column.on_time[letter] for letter in "DMY" if ORDERS[letter] != order)
    if order in tenable and against < (ENOUGH if order == "day-first" else 1):
        return DateOrder(order, f"too few dates show their order; the other columns of the source are {order}")
    if not column.either:
        return DateOrder(evidence="no date can be read in two orders")
    if shown:
        return _doubt("too few dates show their order, and the other columns of the source do not decide it", SET_IT)
    if tenable != {"day-first", "month-first"}:
        return _doubt("too few dates show their order", SET_IT)
    if column.on_time["M"] > column.on_time["D"]:
        late = _of(column.on_time["M"], column.texts)
        return _doubt(f"no day is over 12, and read day-first {late} would be after the list was made", SET_IT)
    if column.on_time["D"]:
        late = _of(column.on_time["D"], column.texts)
        return DateOrder(evidence=f"read month-first, {late} would be after the list was made")
    return DateOrder(evidence="no day is over 12, so nothing shows the order; day first is usual here", certain=False)


def _doubt_few(column: _Column, order: DateOrder) -> DateOrder:
    """Return the order, in doubt where hardly anything but the country's way speaks for it in a month-first source."""
    if not order.judged or order.order != "day-first" or not column.either or column.fails("M") >= ENOUGH:
        return order
    return _doubt("too few dates show their order, and other columns of the source are month-first", SET_IT)


# Real dates that Excel made of texts in the wrong order: those whose day could be a month, and no others


Swap = Literal["swapped", "partly", "perhaps", "no"]


def _find_swap(column: _Column, order: DateOrder) -> Swap | None:
    """Return whether day and month of the column's real dates are swapped; None where nothing tells."""
    if not column.real or order.order is None:
        return None
    if column.real_wrong >= ENOUGH:
        return "partly" if column.real_over else "swapped"
    by_chance = UP_TO_12 ** len(column.real_days) * (1 - UP_TO_12) ** len(column.over)
    if column.real_over or column.real_on_time["D"] or column.either:
        # Of usual dates, six in ten real ones have a day over 12, and four in ten texts do not.
        few = 10 * column.real_over <= column.real and 10 * column.either <= column.texts
        if few and by_chance < SURE:
            return "partly"
        return "no" if column.real_over or column.real_on_time["D"] else None
    if not column.texts:
        return None
    if by_chance < SURE or column.real_on_time["M"] >= ENOUGH:
        return "swapped"
    return "perhaps" if by_chance < SUSPECT else None


def _swap(column: _Column, order: DateOrder, swap: Swap | None, others: Collection[Swap | None]) -> DateOrder:
    """Return the order with the real dates swapped back where that is sure, and in doubt where it may be so."""
    texts = "texts whose day is over 12" if column.texts else "no texts"
    what = f"{column.real:,} different real dates whose day is at most 12, beside {texts}"
    if swap == "swapped" or (swap == "perhaps" and "swapped" in others and "no" not in others):
        return replace(order, flipped=True, judged=True, evidence=f"{order.evidence}; {what}: Excel has swapped them")
    if swap == "partly":
        why = (
            f"{column.real - column.real_over:,} real dates have a day of at most 12, {column.real_over:,} a later one"
        )
        return _doubt(f"{why}, and few texts could be a month: Excel may have swapped some", NOT_THROUGH_EXCEL)
    doubtful = swap == "perhaps" and "no" not in others
    if doubtful or (swap is None and column.real and order.order and "swapped" in others):
        return _doubt(f"{what}: Excel may have swapped day and month", NOT_THROUGH_EXCEL)
    return order


# Years in two digits


def _read_short(column: _Column, order: DateOrder) -> DateOrder:
    """Return the order with years in two digits read, or in doubt where they leave any."""
    if not column.short or order.order is None:
        return order
    if column.untold > 1 and 20 * column.untold > column.short:
        why = f"{column.untold:,} of {column.short:,} different years in two digits are none that this column can have"
        return _doubt(why, "export dates with four digits of the year")
    if column.bare_short and not order.certain:
        return _doubt(f"years in two digits, and {order.evidence}", SET_IT)
    return replace(order, short_years=True, judged=True, evidence=f"{order.evidence}; years in two digits")
