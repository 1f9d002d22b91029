"""Invented people by the million: lives like those of ``people`` and ``supplement``, as one query of DuckDB.

The draws are others than theirs, so nobody here is in a List 9 of the same seed; what befalls people befalls as large
a share of them, and a test holds that. A record is a pure function of (seed, place, day) too. Every place has a row, in
the order of the places, typed as the night types a List 9 with its supplement; whoever is not in the extract on the
day is there with ``present`` false. The first places hold the corners that real caseloads have.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from monitor.catalogue.caseload_contract import AS_AT, AUTHORITY, DIED, PERSON_ID, PRESENT
from monitor.catalogue.columns import COLUMNS, Column
from monitor.errors import Problems
from monitor.files import make_private_folder, written_whole
from monitor.sample.people import (
    ADULT_HOMES,
    CHILD_HOMES,
    DIED_PLACES,
    EIGHTEEN,
    GOLDEN,
    ROOT_2,
    ROOT_3,
    ROOT_5,
    ROUND,
    SIXTEEN,
    STAY,
    SURNAMES,
    TEAMS,
    TWENTY_ONE,
    check_day,
)
from monitor.sample.supplement import COVERED, HELD, PROVIDED, STEP
from monitor.workspace import literal, open_workspace

AS_PARQUET = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440, USE_TMP_FILE false"
FIRST_CODE = 301
"""The code of the first authority; the others count on from it."""

INITIALS = "ABDEHJKLMNPR"
UNREADABLE, NOT_SUPPLIED = literal("unreadable"), literal("not supplied")
NULL = "NULL"

_RECORDED = tuple(column.name for column in COLUMNS)
SPOILT = ("pathway_plan_review_date", "latest_contact_date", "accommodation", "activity", "in_touch")
"""The columns that now and then hold a cell that cannot be read."""
_BORN = "date_of_birth"

CORNERS: Mapping[int, Mapping[str, str]] = {
    0: {_BORN: NULL},
    1: {_BORN: NULL, "date_of_birth_gap": UNREADABLE},
    2: {_BORN: "CAST({as_at} - INTERVAL 16 YEAR AS DATE)"},
    3: {_BORN: "CAST({as_at} - INTERVAL 18 YEAR AS DATE)"},
    4: {_BORN: "CAST({as_at} - INTERVAL 21 YEAR AS DATE)"},
    5: {_BORN: "CAST({as_at} - INTERVAL 25 YEAR AS DATE)"},
    6: {_BORN: "CAST({as_at} - INTERVAL 25 YEAR AS DATE) + 1"},
    7: {_BORN: "DATE '2004-02-29'"},
    8: {_BORN: "DATE '1902-01-01'", "release_date": "DATE '2100-12-31'"},
    9: {"allocated_team": literal("=cmd|' /c calc'!A0"), "personal_adviser": literal(r"it's \ here")},
    10: {"in_touch": literal("DIED"), DIED: "true"},
    11: {PRESENT: NULL},
    12: {PRESENT: "false"},
    13: dict.fromkeys((*_RECORDED, *(f"{name}_gap" for name in _RECORDED)), NULL),
    14: dict.fromkeys(_RECORDED, NULL) | {f"{name}_gap": UNREADABLE for name in _RECORDED},
    15: {"latest_contact_date": "{as_at}", "pathway_plan_review_date": "{as_at}"},
    16: {"agreed_contact_interval_days": "183", "pa_changes_12_months": "99", "plan_heads_complete": "0"},
    17: {"allocated_team": literal("Zespół Łódź ẞ"), "eligibility": NULL, "eligibility_gap": UNREADABLE},
}
"""What the first places hold instead, by column: cells that real caseloads have and a careless reader trips on."""


def write_people(*, people: int, as_at: date, seed: int, authorities: int = 1) -> str:
    """Write the query of ``people`` invented people in ``authorities`` authorities of about the same size.

    It has the columns ``authority``, ``person_id``, ``as_at``, ``present``, ``died``, and each of the catalogue's with
    its gap. Ids are an authority's own: those of two authorities are alike, as they are between real ones.
    """
    lives = _Lives(people=people, day=as_at.toordinal(), seed=seed, authorities=authorities)
    query = f"SELECT range AS place FROM range({people})"
    made = {"place"}
    for columns in lives.steps():
        kept = made - columns.keys()
        new = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        query = f"SELECT {', '.join(sorted(kept))}, {new} FROM ({query})"
        made.update(columns)
    cells = {
        AUTHORITY: f"CAST(council + {FIRST_CODE} AS VARCHAR)",
        PERSON_ID: "printf('%07d', seat * 10 + generation % 10)",
        AS_AT: f"DATE '{as_at}'",
        DIED: "coalesce(touch = 'DIED', false)",
        PRESENT: "NOT away",
    }
    for column in COLUMNS:
        cells[column.name], cells[f"{column.name}_gap"] = _cell(column)
    listed = (f"{_with_corners(name, sql, as_at)} AS {name}" for name, sql in cells.items())
    return f"SELECT {', '.join(listed)} FROM ({query})"


def write_caseload(path: Path, *, people: int, as_at: date, seed: int, authorities: int = 1) -> Path:
    """Write exactly ``people`` invented people as a table of ``caseload_v1`` in Parquet; returns ``path``.

    The same arguments always give the same bytes. Memory does not grow with the people: a row group is written as soon
    as it is made. Raises ``Problems`` for more authorities than people.
    """
    check_day(as_at)
    if authorities > people:
        raise Problems([f"{path.name}: {authorities} authorities for {people} people; name at most one for each"])
    import duckdb

    make_private_folder(path.absolute().parent)
    query = write_people(people=people, as_at=as_at, seed=seed, authorities=authorities)
    with written_whole(path) as unfinished, open_workspace() as workspace:
        try:
            workspace.execute(f"COPY ({query}) TO {literal(str(unfinished))} ({AS_PARQUET})")
        except duckdb.IOException:
            raise OSError(errno.EIO, "no room left, or the disk does not work") from None
    return path


def _with_corners(name: str, sql: str, as_at: date) -> str:
    branches, today = [], f"DATE '{as_at}'"
    for place, cells in CORNERS.items():
        # A cell that is given has no gap beside it.
        if cell := cells.get(name) or (NULL if name.removesuffix("_gap") in cells else None):
            branches.append(f"WHEN {place} THEN {cell.format(as_at=today)}")
    if not branches:
        return sql
    return f"CASE WHEN place < {len(CORNERS)} THEN CASE place {' '.join(branches)} ELSE {sql} END ELSE {sql} END"


# Pieces of SQL


def _whole(share: str, of: int | str) -> str:
    return f"CAST(floor(({share}) * ({of})) AS INTEGER)"


def _since(position: str, gaps: Sequence[str]) -> str:
    """How long ago the last event was, ``position`` days into a round of events with these gaps between them."""
    branches, past = [], "0"
    for gap in gaps[:-1]:
        branches.append(f"WHEN {position} < {past} + {gap} THEN {position} - ({past})")
        past = f"{past} + {gap}"
    return f"CASE {' '.join(branches)} ELSE {position} - ({past}) END"


def _pick(choices: Iterable[tuple[str | None, int]], share: str) -> str:
    """The choice that lies ``share`` of the way along weights adding up to 100."""
    branches, mark = [], 0
    for choice, weight in choices:
        mark += weight
        branches.append(f"WHEN {share} < {mark / 100} THEN {NULL if choice is None else literal(choice)}")
    return f"CASE {' '.join(branches)} END"


def _birthday(years: int) -> str:
    """The ordinal of a birthday, at most a day early."""
    return f"born_on + {years * 1461 // 4}"


def _weekday(day: str) -> str:
    """The day, or the Friday before it."""
    return f"{day} - greatest(0, ({day} + 6) % 7 - 4)"


def _date(ordinal: str) -> str:
    return f"DATE '0001-01-01' + CAST(({ordinal}) - 1 AS INTEGER)"


def _by_now(ordinal: str, day: int) -> str:
    return f"CASE WHEN ({ordinal}) <= {day} THEN {_date(ordinal)} END"


def _number_of(share: str, weights: Sequence[int]) -> str:
    """The number, from 0, of the choice that lies ``share`` of the way along; the last takes what the weights leave."""
    marks = [sum(weights[: n + 1]) / 100 for n in range(len(weights))]
    return " + ".join(f"CAST({share} >= {mark} AS INTEGER)" for mark in marks)


def _one_of(texts: Sequence[str], place: str) -> str:
    return f"([{', '.join(map(literal, texts))}])[1 + {place}]"


class _Draws:
    """Numbers from 0 to 1, each another function of a person's ``key``: arithmetic that every version does alike."""

    BITS = f"CAST({2**32 - 1} AS UBIGINT)"

    def __init__(self) -> None:
        self._numbers = Random(19)  # noqa: S311 - invented people, not secrets

    def factor(self) -> str:
        return f"CAST({self._numbers.getrandbits(31) * 2 + 1} AS UBIGINT)"

    def mixed(self, number: str) -> str:
        """Return a number of 32 bits, of which each depends on most of those of another such number."""
        product = f"(({number} * {self.factor()}) & {self.BITS})"
        return f"((xor({product}, {product} >> 15) * {self.factor()}) & {self.BITS})"

    def share(self) -> str:
        return f"({self.mixed('key')} / {2**32}.0::DOUBLE)"


@dataclass(frozen=True)
class _Lives:
    """What is asked for, and the steps from a ``place`` to all that is recorded of whoever holds it on ``day``.

    Ordinals of days are numbers, as in ``people``; a step is a set of columns that rest on those of the steps before.
    """

    people: int
    day: int
    seed: int
    authorities: int

    def steps(self) -> Iterator[Mapping[str, str]]:
        draws = _Draws()
        yield from self._places(draws)
        yield from self._ages(draws)
        yield from self._contacts(draws)
        yield from self._homes_and_plans(draws)
        yield from self._circumstances(draws)

    def _places(self, draws: _Draws) -> Iterator[Mapping[str, str]]:
        yield {"council": f"CAST(place * {self.authorities} // {self.people} AS INTEGER)"}
        first = f"(council * {self.people}::BIGINT + {self.authorities - 1}) // {self.authorities}"
        yield {"seat": f"place - {first}", "turns": f"place + {self.seed * 0.1234567 % 1000}::DOUBLE"}
        yield {"since_start": f"{self.day} + {_whole(f'turns * {GOLDEN} % 1', STAY)}"}
        yield {"generation": f"since_start // {STAY}", "stay": f"since_start % {STAY}"}
        yield {"key": f"CAST(place & {2**32 - 1} AS UBIGINT)"}
        seed = Random(self.seed).getrandbits(31)  # noqa: S311 - invented people, not secrets
        yield {"key": f"{draws.mixed('key')} + CAST({seed} + generation * 7919 AS UBIGINT)"}
        yield {"key": draws.mixed(f"(key & {draws.BITS})")}

    def _ages(self, draws: _Draws) -> Iterator[Mapping[str, str]]:
        yield {
            "gone_at": f"300 + {_whole(draws.share(), 2600)}",
            "entered_on": f"{self.day} - stay",
            "born_on": f"{self.day} - stay - 5847 - {_whole(draws.share(), 30)}",
            "in_round": f"({self.day} + {_whole(f'turns * {ROOT_2} % 1', ROUND)}) % {ROUND}",
            "fate": f"turns * {ROOT_3} % 1",
            "since_unsuitable": f"({self.day} + {_whole(f'turns * {ROOT_5} % 1', 2600)}) % 2600",
            "studies": f"{draws.share()} < 0.05",
            "asylum": f"{draws.share()} < 0.12",
            "unit": _number_of(draws.share(), (28, 25, 24)),
            **{name: draws.share() for name in ("u_disability", "u_touch", "u_silence", "u_category", "u_recorded")},
            **{name: draws.share() for name in ("u_home", "u_moved", "u_suits", "u_activity", "u_back", "u_early")},
        }
        yield {
            "away": f"seat >= 200 AND stay BETWEEN gone_at AND gone_at + 9 + {_whole(draws.share(), 30)}",
            "turned_18": _birthday(18),
            "turned_21": _birthday(21),
        }
        closes = f"{draws.share()} < CASE WHEN studies THEN 0.35 ELSE 0.72 END"
        yield {
            "adult": f"turned_18 <= {self.day}",
            "grown": f"turned_21 <= {self.day}",
            "ends_on": f"CASE WHEN {closes} THEN turned_21 + {_whole(draws.share(), 50)} END",
        }
        yield {"closed": f"coalesce(ends_on < {self.day}, false)", "until": f"least({self.day}, ends_on)"}

    def _contacts(self, draws: _Draws) -> Iterator[Mapping[str, str]]:
        yield {
            "usual": f"16 + {_whole(draws.share(), 34)}",
            "lapse": f"CASE WHEN {draws.share()} < 0.5 THEN 70 + {_whole(draws.share(), 150)} END",
            "reach": f"120 + {_whole(draws.share(), 300)}",
            "pause": f"300 + {_whole(draws.share(), 700)}",
            "opened": f"{self.day} - in_round + 1400",
            "gone_quiet": f"closed AND {draws.share()} < 0.07",
        }
        yield {
            "lapse": "coalesce(lapse, usual + 5)",
            "reopened": f"closed AND u_back < 0.4 AND ends_on < opened AND opened <= {self.day}",
        }
        turn = "(3 * usual - 3 + lapse)"
        yield {
            "point": f"(until + {_whole(draws.share(), turn)}) % {turn}",
            "reached": f"({self.day} + {_whole(draws.share(), '(reach + pause)')}) % (reach + pause)",
            "back": f"NOT gone_quiet AND reopened AND {self.day} < opened + 300",
        }
        answered = f"{self.day} - {_since('reached', ('reach', 'pause'))}"
        yield {
            "heard": f"until - {_since('point', ('usual', '(usual - 7)', 'lapse', '(usual + 4)'))}",
            "answered": f"CASE WHEN closed AND {draws.share()} < 0.75 THEN {answered} END",
            "seen_back": f"CASE WHEN reopened THEN CASE WHEN back THEN {self.day} - (in_round - 1400) % 30 "
            "ELSE opened + 299 END END",
            "shut": "closed AND NOT back",
        }
        yield {"heard": "greatest(heard, CASE WHEN answered > ends_on THEN answered END, seen_back) - 1"}
        yield {"heard": _weekday("heard")}
        yield {"contact_on": "CASE WHEN NOT gone_quiet AND heard >= entered_on THEN heard END"}

    def _homes_and_plans(self, draws: _Draws) -> Iterator[Mapping[str, str]]:
        died = f"seat BETWEEN {DIED_PLACES[0]} AND {DIED_PLACES[-1]} AND stay > {int(STAY * 0.39)}"
        silent = f"coalesce({self.day} - contact_on > 84, true)"
        lag = "CASE WHEN u_early > 0.8 THEN CAST(floor(u_early * 200) AS INTEGER) - 160 ELSE 0 END"
        stopgap = "CASE WHEN fate < 0.42 THEN 'S' WHEN fate < 0.56 THEN 'V' WHEN fate < 0.8 THEN 'W' ELSE 'R' END"
        moved = f"({self.day} + CAST(floor(u_moved * 1500) AS INTEGER)) % 1500"
        yield {
            "touch": f"""CASE WHEN {died} THEN 'DIED' WHEN u_touch < 0.008 THEN NULL
                WHEN NOT grown AND u_touch < 0.022 THEN 'RHOM'
                WHEN shut THEN CASE WHEN u_silence < 0.06 THEN 'NREQ' WHEN u_silence < 0.1 THEN 'REFU'
                    WHEN u_silence < 0.35 THEN 'NO' ELSE 'YES' END
                WHEN adult AND NOT grown AND in_round BETWEEN 800 AND 844 THEN 'REFU'
                WHEN adult AND NOT grown AND in_round BETWEEN 900 AND 929 THEN 'NREQ'
                WHEN adult AND u_silence < 0.6 AND {silent} THEN 'NO' ELSE 'YES' END""",
            "eligibility_code": f"""CASE WHEN u_category < 0.035 THEN 'qualifying'
                WHEN {self.day} >= turned_18 + {lag} THEN
                    CASE WHEN u_category > 0.992 OR grown AND in_round BETWEEN 1200 AND 1254
                    THEN CASE WHEN u_recorded < 0.85 THEN 'no current eligibility' END ELSE 'former relevant' END
                WHEN u_recorded < 0.2 AND stay > 100 THEN 'relevant' ELSE 'eligible' END""",
            "plan_usual": f"130 + {_whole(draws.share(), 48)}",
            "plan_lapse": f"CASE WHEN {draws.share()} < 0.75 THEN 215 + {_whole(draws.share(), 190)} END",
            "planned": f"entered_on + 20 + {_whole(f'pow({draws.share()}, 2)', 230)}",
            "never_planned": f"{draws.share()} < 0.05 AND until < entered_on + 1300",
            "spell": f"{self.day} + {_whole(draws.share(), 560)}",
            "waits": f"stay < pow({draws.share()}, 2.5) * 850 AND NOT (adult AND stay > 760)",
            "moved_on": f"{moved} % 750",
            "home": f"""CASE WHEN in_round < 60 AND (adult OR fate >= 0.42 AND fate < 0.7) THEN {stopgap}
                WHEN adult AND fate < 0.2 AND in_round BETWEEN 400 AND 549 THEN 'X'
                WHEN closed AND u_home < 0.03 THEN NULL WHEN closed AND u_home < 0.05 THEN 'R'
                WHEN adult THEN {_pick(ADULT_HOMES, f"(u_suits + CASE WHEN {moved} < 750 THEN 0 ELSE 0.37 END) % 1")}
                ELSE {_pick(CHILD_HOMES, f"(u_suits + CASE WHEN {moved} < 750 THEN 0 ELSE 0.37 END) % 1")} END""",
        }
        worker = f"(unit * 6 + seat + 3) % {len(SURNAMES)}"
        plan_turn = "(plan_usual + coalesce(plan_lapse, plan_usual))"
        yield {
            "plan_position": f"(until + {_whole(draws.share(), plan_turn)}) % {plan_turn}",
            "spell": "spell // 560",
            "waits": "waits OR (spell % 560 < 34 AND (seat + spell // 560) % 3 > 0)",
            "home": "CASE WHEN touch = 'RHOM' THEN 'B' ELSE home END",
        }
        yield {"reviewed": f"until - {_since('plan_position', ('plan_usual', 'plan_usual'))} - 1"}
        yield {
            "plan_on": f"""CASE WHEN until > planned AND NOT never_planned
                THEN greatest(planned, {_weekday("reviewed")}) END""",
            "at_home": """CASE WHEN home IN ('S', 'V', 'W', 'R') AND in_round < 60 THEN in_round
                WHEN home = 'X' THEN in_round - 400 WHEN since_unsuitable < 50 THEN since_unsuitable
                ELSE moved_on END""",
            "suits": """CASE WHEN home IS NULL OR home IN ('R', 'G') THEN NULL WHEN home IN ('S', 'X') THEN false
                WHEN home IN ('V', 'W') THEN u_back < 0.15 WHEN since_unsuitable < 50 THEN false
                WHEN u_back > 0.985 THEN NULL ELSE true END""",
            "activity_code": f"""CASE WHEN grown AND studies THEN CASE WHEN u_early < 0.7 THEN 'F1' ELSE 'F2' END
                WHEN grown THEN {_pick(TWENTY_ONE, self._occupied())}
                WHEN adult THEN {_pick(EIGHTEEN, self._occupied())} ELSE {_pick(SIXTEEN, self._occupied())} END""",
            "adviser": f"""CASE WHEN NOT shut AND NOT waits THEN
                {_one_of(tuple(INITIALS), f"(seat + spell) % {len(INITIALS)}")} || ' ' ||
                {_one_of(SURNAMES, "unit * 6 + (seat + spell * 5) % 6")} ||
                CASE WHEN seat < 900 THEN '' ELSE ' ' || CAST(seat // 900 + 1 AS VARCHAR) END END""",
            "worker": f"CASE WHEN NOT adult THEN 'S ' || {_one_of(SURNAMES, worker)} END",
        }
        late = f"{self.day} - contact_on > CASE WHEN closed THEN 365 ELSE 56 END"
        yield {
            "spoilt": f"""CASE WHEN in_round BETWEEN 1000 AND 1013 OR in_round BETWEEN 2100 AND 2111 THEN
                CASE WHEN {self.day} - plan_on > 183 AND NOT closed THEN 'pathway_plan_review_date'
                WHEN {late} THEN 'latest_contact_date'
                ELSE {_one_of(SPOILT, f"CAST(floor(fate * {len(SPOILT)}) AS INTEGER)")} END ELSE '' END""",
        }

    def _occupied(self) -> str:
        now = f"({self.day} + CAST(floor(u_early * 800) AS INTEGER)) % 800 < 400"
        return f"(u_activity + CASE WHEN {now} THEN 0 ELSE 0.43 END) % 1"

    def _circumstances(self, draws: _Draws) -> Iterator[Mapping[str, str]]:
        """Yield what the supplement says, each column named as the catalogue's behind ``held_``."""
        day = self.day
        rounds: dict[str, tuple[str, float, str]] = {
            "address_confirmed_date": ("CASE WHEN grown THEN 140 ELSE 48 END", 0.12, "open_until"),
            "last_visit_date": ("52", 0.12, "open_until"),
            "over21_offer_date": ("340", 0.16, str(day)),
            "risk_plan_review_date": ("26", 0.2, "open_until"),
            "local_offer_date": ("330", 0.1, str(day)),
            "last_supervision_date": ("84", 0.12, str(day)),
            "eet_action_date": ("50", 0.15, "open_until"),
        }
        yield {
            "covered": f"(place + {self.seed * 0.371 % 1000}::DOUBLE) * {STEP} % 1 < {COVERED}",
            "open_until": f"CASE WHEN shut THEN ends_on ELSE {day} END",
            "home_since": f"greatest(entered_on, {day} - at_home)",
            "talked_on": f"CASE WHEN {draws.share()} < 0.6 THEN turned_21 - 70 + {_whole(draws.share(), 50)} END",
            "u_offer": draws.share(),
            **{
                f"every_{name}": f"{usual} - {_whole(draws.share(), f'{usual} * 0.4')}"
                for name, (usual, _, _) in rounds.items()
            },
            **{
                f"more_{name}": f"CASE WHEN {draws.share()} < {late * 2.4} "
                f"THEN {_whole(f'0.3 + {draws.share()} * 1.2', usual)} ELSE 0 END"
                for name, (usual, late, _) in rounds.items()
            },
        }
        yield {
            f"place_{name}": f"({until} + {_whole(draws.share(), turn)}) % {turn}"
            for name, (_, _, until) in rounds.items()
            for turn in [f"(2 * every_{name} + more_{name})"]
        }
        yield {
            f"last_{name}": f"{until} - 1 - {_since(f'place_{name}', (f'every_{name}', ''))}"
            for name, (_, _, until) in rounds.items()
        }
        yield {f"last_{name}": f"CASE WHEN last_{name} > entered_on THEN last_{name} END" for name in rounds}
        offered = f"grown AND {draws.share()} >= 0.14 AND (shut OR adviser IS NULL)"
        yield {
            "offered_on": f"greatest(CASE WHEN talked_on <= {day} THEN talked_on END, "
            f"CASE WHEN {offered} THEN last_over21_offer_date END)",
            "at_risk": f"({day} + {_whole(draws.share(), 1000)}) % 1000 < 90 AND NOT shut",
            "unsettled": f"CASE WHEN {draws.share()} < 0.3 THEN {_whole(draws.share(), 1500)} END",
            "history_on": f"CASE WHEN {draws.share()} < 0.82 THEN turned_18 - 180 + {_whole(draws.share(), 150)} END",
        }
        signed_on = f"CASE WHEN {draws.share()} < 0.95 THEN plan_on + 1 + {_whole(draws.share(), 14)} END"
        answer = "CASE WHEN u_offer < 0.3 THEN 'accepted' WHEN u_offer < 0.7 THEN 'no reply' ELSE 'declined' END"
        planned = {
            "plan_heads_complete": f"CASE WHEN {draws.share()} < 0.88 THEN 10 ELSE 7 END",
            "plan_voice_recorded": f"{draws.share()} < 0.93",
            "plan_professionals_consulted": f"{draws.share()} < 0.9",
            "plan_identity_covered": f"{draws.share()} < 0.8",
            "plan_trauma_support_covered": f"{draws.share()} < 0.75",
        }
        provided = ", ".join(map(literal, sorted(PROVIDED)))
        held = {
            "eligible_from": _date("entered_on"),
            "closure_date": _date("CASE WHEN shut THEN ends_on END"),
            "accommodation_start_date": _date("CASE WHEN home IS NOT NULL THEN home_since END"),
            "accommodation_provided_by_authority": f"coalesce({draws.share()} < 0.9 AND home IN ({provided}), false)",
            "out_of_area": f"{draws.share()} < 0.2",
            "agreed_contact_interval_days": f"CASE WHEN {draws.share()} < 0.06 AND NOT grown THEN 84 END",
            "pa_first_met_date": _date(f"CASE WHEN {draws.share()} >= 0.15 THEN least({day}, entered_on + 60) END"),
            "pa_changes_12_months": f"coalesce(({day} + unsettled) % 1500 // 375, 0)",
            "needs_assessment_date": _date(f"CASE WHEN {draws.share()} >= 0.07 THEN least({day}, entered_on + 70) END"),
            **{name: f"CASE WHEN plan_on IS NOT NULL THEN {sql} END" for name, sql in planned.items()},
            "plan_signed_off_date": _by_now(signed_on, day),
            "over21_offer_date": _date("offered_on"),
            "over21_offer_outcome": "CASE WHEN offered_on IS NOT NULL THEN "
            f"CASE WHEN touch IN ('REFU', 'NREQ') THEN 'declined' ELSE {answer} END END",
            "risk_open": "at_risk",
            "risk_plan_review_date": _date("CASE WHEN at_risk THEN last_risk_plan_review_date END"),
            "eet_action_date": _date("CASE WHEN activity_code LIKE 'G%' THEN last_eet_action_date END"),
            "health_history_date": _by_now("history_on", day),
            "adult_services_decision_date": _by_now(
                f"CASE WHEN u_disability < 0.17 AND {draws.share()} < 0.65 THEN turned_18 - 200 END", day
            ),
            "release_date": _date(f"CASE WHEN home = 'X' THEN home_since + 30 + {_whole(draws.share(), 300)} END"),
            "is_parent": f"{draws.share()} < 0.04 OR coalesce(activity_code = 'G6', false)",
        }
        yield {f"held_{name}": held.get(name, _date(f"last_{name}")) for name in HELD}


LIST_9 = {
    "date_of_birth": _date("born_on"),
    "eligibility": "eligibility_code",
    "uasc": "asylum",
    "disability": "CASE WHEN u_disability <= 0.985 THEN u_disability < 0.17 END",
    "allocated_team": _one_of(TEAMS, "unit"),
    "allocated_worker": "worker",
    "personal_adviser": "adviser",
    "in_touch": "touch",
    "latest_contact_date": _date("contact_on"),
    "accommodation": "home",
    "accommodation_suitable": "suits",
    "activity": "activity_code",
    "pathway_plan_review_date": _date("plan_on"),
}
"""Each column of a List 9, from the columns of the steps."""


def _cell(column: Column) -> tuple[str, str]:
    """Return the SQL of a column and of its gap."""
    name = column.name
    if name in LIST_9:
        value, gap = LIST_9[name], NULL
        if name in SPOILT:
            value = f"CASE WHEN spoilt <> '{name}' THEN {value} END"
            # A status that says it is not recorded is blank rather than unreadable.
            gap = NULL if name == "in_touch" else f"CASE WHEN spoilt = '{name}' THEN {UNREADABLE} END"
    elif name in HELD:
        unread = "place % 97 = 5" if name == "local_offer_date" else "false"
        value = f"CASE WHEN covered AND NOT {unread} THEN held_{name} END"
        gap = f"CASE WHEN NOT covered THEN {NOT_SUPPLIED} WHEN {unread} THEN {UNREADABLE} END"
    else:
        value, gap = NULL, NOT_SUPPLIED
    return f"CAST({value} AS {column.duckdb_type})", f"CAST({gap} AS VARCHAR)"
