"""In which order a column's dates are written: one way for the whole column, with its evidence, or not at all."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from support.council import NIGHT, Council, day, settled

from monitor.catalogue.cells import ReadBeside, read_cells
from monitor.catalogue.date_orders import DateOrder, Order
from monitor.workspace import load_rows, open_workspace

AS_AT = dt.date(2026, 3, 31)
CONTACT, BORN, PLAN = "latest_contact_date", "date_of_birth", "pathway_plan_review_date"
CONTACTS = [dt.date(2026, 3, 30) - dt.timedelta(3 * n) for n in range(40)]
BIRTHS = [dt.date(2009, 11, 5) - dt.timedelta(67 * n) for n in range(40)]


class Read:
    """The columns of one source, each a list of texts, as they are read."""

    def __init__(self, columns: Mapping[str, Iterable[str]], order: Order | None = None) -> None:
        workspace = open_workspace()
        texts = {name: list(column) for name, column in columns.items()}
        positions = {name: place for place, name in enumerate(texts)}
        longest = max(map(len, texts.values()))
        rows = [tuple(column[n] if n < len(column) else None for column in texts.values()) for n in range(longest)]
        load_rows(workspace, "listed", {f"c{place}": "VARCHAR" for place in positions.values()}, rows)
        beside = ReadBeside(AS_AT, date_order=order)
        found = read_cells(workspace, "meaning", positions, "listed", beside)
        self.orders = {name: column.order or DateOrder() for name, column in found.columns.items()}
        meant = workspace.execute('SELECT "column", text, day, fault FROM meaning').fetchall()
        days = {(name, text): day for name, text, day, _ in meant}
        self.days = {name: [days[name, text] for text in column] for name, column in texts.items()}
        self.faults = {(name, text): fault for name, text, _, fault in meant if fault}


def write(days: Iterable[dt.date], how: str) -> list[str]:
    return [day.strftime(how) for day in days]


def read(days: Iterable[dt.date], how: str, order: Order | None = None) -> tuple[DateOrder, list[dt.date | None]]:
    one = Read({CONTACT: write(days, how)}, order)
    return one.orders[CONTACT], one.days[CONTACT]


def mix(days: list[dt.date], text: str, real: str) -> list[str]:
    """What Excel makes of texts: those whose first number could be a month in its order are real dates afterwards."""
    return [day.strftime(real if day.day <= 12 else text) for day in days]


FLIPPED = "%Y-%d-%m"


@pytest.mark.parametrize(
    ("how", "order"),
    [
        ("%d/%m/%Y", "day-first"), ("%m/%d/%Y", "month-first"), ("%m-%d-%Y %H:%M", "month-first"),
        ("%d/%m/%y", "day-first"), ("%m/%d/%y", "month-first"), ("%d.%m.%y", "day-first"), ("%y-%m-%d", "year-first"),
        ("%d-%b-%y", "day-first"), ("%d %B %y", "day-first"), ("%b %d, %y", "day-first"), ("%Y-%m-%d", "day-first"),
        ("%d%b%Y", "day-first"), ("%m/%d/%Y 12:00:00 AM", "month-first"),
    ],
)  # fmt: skip
def test_a_whole_column_is_read_in_the_order_that_its_dates_show(how: str, order: str) -> None:
    both = Read({CONTACT: write(CONTACTS, how), BORN: write(BIRTHS, how)})

    assert (both.days[CONTACT], both.days[BORN]) == (CONTACTS, BIRTHS)
    assert {(one.order, one.certain) for one in both.orders.values()} == {(order, True)}
    assert both.faults == {}


@pytest.mark.parametrize(("text", "order"), [("%d/%m/%Y", "day-first"), ("%m/%d/%Y", "month-first")])
def test_real_dates_that_excel_swapped_are_swapped_back(text: str, order: str) -> None:
    both = Read({CONTACT: mix(CONTACTS, text, FLIPPED), BORN: mix(BIRTHS, text, FLIPPED)})

    assert (both.days[CONTACT], both.days[BORN]) == (CONTACTS, BIRTHS)
    assert {(one.order, one.flipped, one.certain) for one in both.orders.values()} == {(order, True, True)}
    assert "Excel has swapped them" in both.orders[CONTACT].words


def test_real_dates_beside_texts_stay_as_they_are_where_some_are_late_in_a_month() -> None:
    days = [day.strftime("%Y-%m-%d" if n % 2 else "%d/%m/%Y") for n, day in enumerate(CONTACTS)]

    one = Read({CONTACT: days})

    assert one.days[CONTACT] == CONTACTS
    assert one.orders[CONTACT].as_written


@pytest.mark.parametrize(
    "texts",
    [
        write(CONTACTS[:20], "%d/%m/%Y") + write(CONTACTS[20:], "%m/%d/%Y"),
        write(CONTACTS[:30], "%d/%m/%Y") + write(CONTACTS[30:], "%m/%d/%Y"),
        mix(CONTACTS, "%d/%m/%Y", "%m/%d/%Y"),  # swapped real dates, saved as texts
        [*mix(CONTACTS, "%d/%m/%Y", FLIPPED), "2026-01-25"],  # one typed since
        ["31/01/2026", "02/03/2026", "01/31/2026"],
        ["03/04/2025", "01/31/2026"],
        write(CONTACTS[:20], "%d/%m/%y") + write(CONTACTS[20:], "%y/%m/%d"),
        ["03/04/25", "05/06/25"],
        ["03-04-25", "17-02-25"],
        [f"{n}/{n + 1}/{n + 40}" for n in range(1, 12)],
    ],
    ids=[
        "half", "a quarter", "swapped texts", "partly", "one each way", "one the other way", "years first",
        "two digits that show nothing", "a day or a year", "no such years",
    ],
)  # fmt: skip
def test_a_column_in_doubt_is_read_not_at_all_never_half(texts: list[str]) -> None:
    one = Read({CONTACT: texts})

    assert one.orders[CONTACT].order is None
    assert not one.orders[CONTACT].certain
    assert set(one.days[CONTACT]) == {None}
    assert {one.faults[CONTACT, text] for text in texts} == {one.orders[CONTACT].evidence}


def test_a_slip_of_the_pen_in_a_long_column_is_one_unreadable_cell() -> None:
    one = Read({CONTACT: [*write(CONTACTS, "%d/%m/%Y"), "01/25/2026", "31/02/2026", "soon"]})

    assert one.days[CONTACT] == [*CONTACTS, None, None, None]
    assert "1 cannot be so, and is not read" in one.orders[CONTACT].evidence


def test_a_column_that_shows_nothing_follows_its_source_and_else_the_country() -> None:
    unclear = ["03/04/2025", "05/06/2025"]

    alone = Read({PLAN: unclear})
    followed = Read({PLAN: unclear, CONTACT: write(CONTACTS, "%m/%d/%Y")})
    torn = Read({PLAN: unclear, CONTACT: write(CONTACTS, "%m/%d/%Y"), BORN: write(BIRTHS, "%d/%m/%Y")})

    assert alone.days[PLAN] == [dt.date(2025, 4, 3), dt.date(2025, 6, 5)]
    assert (alone.orders[PLAN].order, alone.orders[PLAN].certain) == ("day-first", False)
    assert followed.days[PLAN] == [dt.date(2025, 3, 4), dt.date(2025, 5, 6)]
    assert "the other columns of the source are month-first" in followed.orders[PLAN].evidence
    assert torn.days[PLAN] == [None, None]


def test_a_few_texts_over_a_whole_source_show_its_order() -> None:
    one = Read({BORN: ["10/27/2007"], PLAN: ["11/05/2025"], CONTACT: ["03/30/2026"]})

    assert [days[0] for days in one.days.values()] == [
        dt.date(2007, 10, 27), dt.date(2025, 11, 5), dt.date(2026, 3, 30)
    ]  # fmt: skip


def test_a_few_texts_that_could_have_the_year_first_show_nothing() -> None:
    one = Read({BORN: ["09-05-14", "04-02-13"], CONTACT: ["25-11-25", "26-03-05"]})

    assert {day for days in one.days.values() for day in days} == {None}


def test_what_would_be_after_the_list_was_made_shows_the_order_where_no_day_is_over_12() -> None:
    early = [dt.date(2026, month, day) for month in (1, 2, 3) for day in (4, 7, 9, 11)]

    for how, order in (("%d/%m/%Y", "day-first"), ("%m/%d/%Y", "month-first")):
        found, days = read(early, how)
        assert (found.order, found.certain, days) == (order, True, early)


def test_the_config_says_the_order_unless_the_column_says_otherwise() -> None:
    unclear = ["03/04/2025", "05/06/2025"]

    assert Read({PLAN: unclear}, "month-first").days[PLAN] == [dt.date(2025, 3, 4), dt.date(2025, 5, 6)]
    assert Read({PLAN: ["03-04-25"]}, "year-first").days[PLAN] == [dt.date(2003, 4, 25)]
    assert not read(CONTACTS, "%d/%m/%Y", "day-first")[0].contradicts
    for how, order in (("%d/%m/%Y", "month-first"), ("%m/%d/%Y", "day-first"), ("%d/%m/%Y", "year-first")):
        found, days = read(CONTACTS, how, order)  # type: ignore[arg-type]
        assert found.contradicts, how
        assert set(days) == {None}


def test_a_column_read_in_another_order_than_on_the_night_before_is_told_and_not_believed(tmp_path: Path) -> None:
    council = Council(tmp_path)
    contacts = [dt.date(2026, 1, 11) - dt.timedelta(n % 40) for n in range(60)]

    def people(how: str) -> list[dict[str, str]]:
        rest = {"born": "27/06/2006", "plan": "30/12/2025"}
        return [settled(f"P{n:02}", contact=f"{day:{how}}", **rest) for n, day in enumerate(contacts)]

    council.night(NIGHT, people("%d/%m/%Y"))
    second = council.night(day(1), people("%m/%d/%Y"))

    doubt = second.verdict.columns["latest_contact_date"]
    assert doubt.startswith("latest_contact_date: read month-first tonight, taken as written on 12 January 2026")
    assert any("latest_contact_date: read month-first: " in note for note in second.intake.notes)


@pytest.mark.parametrize("text", ["00/01/00", "00-Jan-00", "00/01/1900", "1/0/1900"])
def test_a_zero_that_is_shown_as_a_date_is_blank(text: str) -> None:
    one = Read({CONTACT: [*write(CONTACTS, "%d/%m/%y"), text]})

    assert one.days[CONTACT] == [*CONTACTS, None]
    assert one.faults == {}
