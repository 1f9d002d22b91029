"""Young people who do not exist: what a caseload would hold about each of them on any day.

Everyone here is invented. A record is a pure function of (seed, place, day): a place on the caseload is
taken by one person from 16 to 25 and then by the next, and everything that happens to them repeats in
cycles counted in absolute days. So the same day always gives the same record, two days running differ in
little, and the caseload as a whole looks much the same whichever day is asked about.

Rare things (homelessness, custody, deaths, people leaving the extract) are spread over the places by
irrational steps rather than drawn, so their number hardly varies from one day to the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import TypeVar

from monitor.errors import Problems

TEAMS = ("Leaving Care North", "Leaving Care South", "Leaving Care East", "Leaving Care West")

SURNAMES = (
    "Brindlewick", "Oakenshade", "Fennimarsh", "Quillharbour", "Tamberlow", "Wexmoor",
    "Silverthwaite", "Pebblecombe", "Larkenfold", "Dunnerby", "Hazelgarth", "Mistlebrook",
    "Thornaby-Quay", "Applestoke", "Ravensmere", "Copperfen", "Winterholt", "Gorsefield",
    "Saltmarrow", "Emberley-Dell", "Foxhollow", "Nettlestone", "Bramblegate", "Otterscliffe",
)  # fmt: skip
"""Made-up surnames, six to a team."""

STAY = 3287
"""Days a place is held: nine years, from 16 to 25."""
ROUND = 2400
"""Days after which what befalls a place comes round again."""

GOLDEN, ROOT_2, ROOT_3, ROOT_5 = 0.6180339887, 0.4142135624, 0.7320508076, 0.2360679775
DIED_PLACES = range(11, 14)
"""Neighbours in golden steps: at least one of the three is recorded as having died on any day."""
STEADY_PLACES = range(200)
"""These never leave the extract between 16 and 25, so what they show is always there."""

SIXTEEN = (("F2", 52), ("P2", 6), ("F4", 7), ("F5", 6), ("P5", 3), ("G5", 19), ("G4", 3), ("G6", 1), (None, 3))
EIGHTEEN = (
    ("F2", 22), ("F1", 5), ("P2", 4), ("F4", 7), ("F5", 17), ("P5", 7), ("G5", 25), ("G4", 6), ("G6", 4),
    (None, 3),
)  # fmt: skip
TWENTY_ONE = (("F5", 33), ("P5", 11), ("F4", 4), ("P4", 1), ("G5", 27), ("G4", 9), ("G6", 9), (None, 6))
CHILD_HOMES = (("D", 30), ("E", 20), ("C", 22), ("B", 10), ("Y", 18))
ADULT_HOMES = (
    ("U", 42), ("D", 18), ("Z", 13), ("B", 12), ("E", 5), ("K", 4), ("T", 3), ("C", 1), ("Y", 1), ("G", 1),
)  # fmt: skip
ETHNICITIES = (
    ("WBRI", 62), ("WOTH", 4), ("WIRI", 1), ("MWBC", 5), ("MWAS", 2), ("MOTH", 3), ("APKN", 3), ("AIND", 1),
    ("BAFR", 6), ("BCRB", 3), ("BOTH", 2), ("OOTH", 3), ("NOBT", 5),
)  # fmt: skip
ARRIVED_ALONE = (("AOTH", 35), ("OOTH", 30), ("BAFR", 30), ("WOTH", 5))

FIRST_DAY, LAST_DAY = date(1930, 1, 1), date(2098, 12, 31)
"""People are invented for days between these: every date about them then lies in what a cell may hold."""

Choice = TypeVar("Choice")


@dataclass(slots=True)
class Record:
    """One invented person on one day: codes as the catalogue has them, dates as ordinals, None for blank."""

    place: int
    person_id: str
    born_on: int
    gender: str
    ethnicity: str
    uasc: bool
    disability: bool | None
    team: str
    worker: str | None
    adviser: str | None
    eligibility: str | None
    plan_on: int | None
    in_touch: str | None
    contact_on: int | None
    accommodation: str | None
    suitable: bool | None
    activity: str | None
    spoilt: str | None
    """The column, if any, whose cell cannot be read today."""
    entered_on: int
    closed_on: int | None
    home_since: int


class _Life:
    """What a record is worked out from: the person's draws, and where on ``day`` they are in their life and round."""

    def __init__(self, draws: list[float], place: int, turns: float, day: int, stay: int) -> None:
        self.draws, self.place, self.day, self.stay = draws, place, day, stay
        self.entered_on = day - stay
        self.born_on = self.entered_on - 5844 - 3 - int(draws[2] * 30)
        self.where = (day + int(turns * ROOT_2 % 1 * ROUND)) % ROUND
        self.fate = turns * ROOT_3 % 1
        self.since_unsuitable = (day + int(turns * ROOT_5 % 1 * 2600)) % 2600
        self.adult_on, grown_on = birthday(self.born_on, 18), birthday(self.born_on, 21)
        self.adult, self.grown = day >= self.adult_on, day >= grown_on
        self.studies = draws[3] < 0.05
        closes = draws[5] < (0.35 if self.studies else 0.72)
        self.closed_on = grown_on + int(draws[4] * 50) if closes else None
        self.closed = self.closed_on is not None and day > self.closed_on


def record(rng: Random, *, seed: int, place: int, day: int) -> Record | None:
    """Return the record of whoever holds ``place`` on ``day`` (an ordinal), or None while it is not in the extract.

    ``rng`` is only a workbench: it is seeded afresh here, so its state on entry does not matter.
    """
    turns = place + seed * 0.1234567
    generation, stay = divmod(day + int(turns * GOLDEN % 1 * STAY), STAY)
    rng.seed((seed << 64) + (place << 24) + generation)
    # Every draw is made for every person, in this order, whatever the day: a life must not depend on when
    # it is looked at.
    u = [rng.random() for _ in range(40)]
    if place not in STEADY_PLACES and _is_away(u, stay):
        return None
    life = _Life(u, place, turns, day, stay)
    uasc = u[6] < 0.12
    team = _pick(((0, 28), (1, 25), (2, 24), (3, 23)), u[7])
    contact_on, back = _contact(life)
    in_touch = _in_touch(life, back, contact_on)
    accommodation = "B" if in_touch == "RHOM" else _home(life)
    plan_on = _plan(life)
    return Record(
        place=place,
        person_id=f"{place * 10 + generation % 10:07d}",
        born_on=life.born_on,
        gender=_pick((("a) Male", 50), ("b) Female", 47), ("d) Neither", 3)), u[8] * (0.55 if uasc else 1)),
        ethnicity=_pick(ARRIVED_ALONE if uasc else ETHNICITIES, u[9]),
        uasc=uasc,
        disability=None if u[10] > 0.985 else u[10] < 0.17,
        team=TEAMS[team],
        worker=_worker(life, team),
        adviser=_adviser(life, team, back),
        eligibility=_eligibility(life),
        plan_on=plan_on,
        in_touch="DIED" if place in DIED_PLACES and stay > STAY * 0.39 else in_touch,
        contact_on=contact_on,
        accommodation=accommodation,
        suitable=_suitable(life, accommodation),
        activity=_activity(life),
        spoilt=_spoilt(life, plan_on, contact_on),
        entered_on=life.entered_on,
        closed_on=life.closed_on if life.closed and not back else None,
        home_since=max(life.entered_on, day - _at_home(life, accommodation)),
    )


def check_day(day: date) -> None:
    """Refuse a day for which nobody is invented; raises ``Problems``."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Problems([f"--as-at {day}: nobody is invented for that day; name one from {FIRST_DAY} to {LAST_DAY}"])


def _is_away(u: list[float], stay: int) -> bool:
    away = 300 + int(u[0] * 2600)
    return away <= stay < away + 10 + int(u[1] * 30)


def birthday(born_on: int, years: int) -> int:
    """Return the ordinal of that birthday; someone born on 29 February turns a year older on 1 March."""
    born = date.fromordinal(born_on)
    if born.month == 2 and born.day == 29:
        return date(born.year + years, 2, 28).toordinal() + 1
    return date(born.year + years, born.month, born.day).toordinal()


def _pick(choices: Iterable[tuple[Choice, int]], share: float) -> Choice:
    """The choice that lies ``share`` of the way along weights adding up to 100."""
    mark = share * 100
    for choice, weight in choices:  # noqa: B007 - the last one is wanted when rounding runs past the end
        mark -= weight
        if mark < 0:
            break
    return choice


def _since(position: int, gaps: tuple[int, ...]) -> int:
    for gap in gaps:
        if position < gap:
            return position
        position -= gap
    return position


def _last(day: int, phase: float, gaps: tuple[int, ...]) -> int:
    total = sum(gaps)
    return day - _since((day + int(phase * total)) % total, gaps)


def _contact(life: _Life) -> tuple[int | None, bool]:
    """When they were last spoken to, and whether a closed case has been taken up again."""
    u, day, where, closed_on = life.draws, life.day, life.where, life.closed_on
    usual = 16 + int(u[11] * 34)
    lapse = 70 + int(u[12] * 150) if u[13] < 0.5 else usual + 5
    last = _last(day if closed_on is None else min(day, closed_on), u[14], (usual, usual - 7, lapse, usual + 4))
    back = False
    if closed_on is not None and day > closed_on:
        if u[15] < 0.07:
            return None, False
        reached = _last(day, u[16], (120 + int(u[17] * 300), 300 + int(u[18] * 700)))
        if reached > closed_on and u[19] < 0.75:
            last = max(last, reached)
        # A tenth of closed cases are taken up again for some months in every round.
        opened, shut = day - where + 1400, day - where + 1700
        if u[20] < 0.4 and closed_on < opened <= day:
            back = day < shut
            last = max(last, day - (where - 1400) % 30 if back else shut - 1)
    last = _working_day(last - 1)
    return (last if last >= life.entered_on else None), back


def _working_day(day: int) -> int:
    return day - max(0, date.fromordinal(day).weekday() - 4)


def _in_touch(life: _Life, back: bool, contact_on: int | None) -> str | None:
    u = life.draws
    if u[21] < 0.008:
        return None
    if not life.grown and 0.008 < u[21] < 0.022:
        return "RHOM"
    if life.closed and not back:
        return _in_touch_once_closed(u[22])
    if refusal := _refusal(life):
        return refusal
    silent = contact_on is None or life.day - contact_on > 84
    return "NO" if life.adult and silent and u[22] < 0.6 else "YES"


def _in_touch_once_closed(share: float) -> str:
    return "NREQ" if share < 0.06 else "REFU" if share < 0.10 else "NO" if share < 0.35 else "YES"


def _refusal(life: _Life) -> str | None:
    if not life.adult or life.grown:
        return None
    return "REFU" if 800 <= life.where < 845 else "NREQ" if 900 <= life.where < 930 else None


def _plan(life: _Life) -> int | None:
    """When the pathway plan was last started or reviewed; on a closed case, by the day it closed."""
    u, entered = life.draws, life.entered_on
    day = life.day if life.closed_on is None else min(life.day, life.closed_on)
    if u[23] < 0.05 and day < entered + 1300:
        return None
    usual = 130 + int(u[24] * 48)
    lapse = 215 + int(u[25] * 190) if u[26] < 0.75 else usual
    first = entered + 20 + int(u[27] ** 2 * 230)
    last = _working_day(_last(day, u[28], (usual, lapse)) - 1)
    return max(first, last) if day > first else None


def _eligibility(life: _Life) -> str | None:
    u = life.draws
    if u[29] < 0.035:
        return "qualifying"
    if life.day >= life.adult_on + (int(u[30] * 200) - 160 if u[30] > 0.8 else 0):
        if u[29] > 0.992 or (life.grown and 1200 <= life.where < 1255):
            return "no current eligibility" if u[31] < 0.85 else None
        return "former relevant"
    return "relevant" if u[31] < 0.2 and life.day > life.entered_on + 100 else "eligible"


def _adviser(life: _Life, team: int, back: bool) -> str | None:
    u, place = life.draws, life.place
    spell, into = divmod(life.day + int(u[32] * 560), 560)
    let_go = life.closed and not back
    still_waiting = life.stay < u[33] ** 2.5 * 850 and not (life.adult and life.stay > 760)
    between_two = into < 34 and (place + spell) % 3 > 0
    if let_go or still_waiting or between_two:
        return ("Duty", "TBC")[place % 2] if u[34] < 0.1 else None
    name = f"{'ABDEHJKLMNPR'[(place + spell) % 12]} {SURNAMES[team * 6 + (place + spell * 5) % 6]}"
    # Some 900 people share a set of advisers, so that a bigger caseload has more of them.
    return name if place < 900 else f"{name} {place // 900 + 1}"


def _worker(life: _Life, team: int) -> str | None:
    return None if life.adult else f"S {SURNAMES[(team * 6 + life.place + 3) % len(SURNAMES)]}"


def _home(life: _Life) -> str | None:
    u, fate = life.draws, life.fate
    if life.where < 60 and (life.adult or 0.42 <= fate < 0.7):
        return _stopgap(fate)
    if life.adult and fate < 0.2 and 400 <= life.where < 550:
        return "X"
    if life.closed and u[35] < 0.05:
        return None if u[35] < 0.03 else "R"
    moved = (life.day + int(u[36] * 1500)) % 1500 < 750
    return _pick(ADULT_HOMES if life.adult else CHILD_HOMES, u[37] if moved else (u[37] + 0.37) % 1)


def _stopgap(fate: float) -> str:
    return "S" if fate < 0.42 else "V" if fate < 0.56 else "W" if fate < 0.8 else "R"


def _at_home(life: _Life, accommodation: str | None) -> int:
    """For how many days the present home has been theirs."""
    if accommodation in ("S", "V", "W", "R") and life.where < 60:
        return life.where
    if accommodation == "X":
        return life.where - 400
    return life.since_unsuitable if life.since_unsuitable < 50 else (life.day + int(life.draws[36] * 1500)) % 750


def _suitable(life: _Life, accommodation: str | None) -> bool | None:
    share = life.draws[38]
    if accommodation in (None, "R", "G"):
        return None
    if accommodation in ("S", "X"):
        return False
    if accommodation in ("V", "W"):
        return share < 0.15
    if life.since_unsuitable < 50:
        return False
    return None if share > 0.985 else True


def _activity(life: _Life) -> str | None:
    u = life.draws
    if life.grown and life.studies:
        return "F1" if u[38] < 0.7 else "F2"
    share = u[39] if (life.day + int(u[38] * 800)) % 800 < 400 else (u[39] + 0.43) % 1
    return _pick(TWENTY_ONE if life.grown else EIGHTEEN if life.adult else SIXTEEN, share)


def _spoilt(life: _Life, plan_on: int | None, contact_on: int | None) -> str | None:
    """Twice a round one cell cannot be read for a fortnight: by choice one that some rule had failed."""
    if not (1000 <= life.where < 1014 or 2100 <= life.where < 2112):
        return None
    if plan_on is not None and life.day - plan_on > 183 and not life.closed:
        return "plan"
    if contact_on is not None and life.day - contact_on > (365 if life.closed else 56):
        return "contact"
    return ("plan", "contact", "accommodation", "activity", "in_touch")[int(life.fate * 5)]
