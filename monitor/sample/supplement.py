"""Writes a supplement of invented people: what a council's own spreadsheet would add to their List 9.

It covers some seven in ten of the people of ``monitor.sources.sample``, and a few who are on no caseload. As
there, the same day always gives the same cells, and what befalls people comes round in cycles of absolute days.
"""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

from monitor.catalogue.dictionary import write_supplement
from monitor.errors import Problems
from monitor.files import make_private_folder, written_whole
from monitor.sample.list_9 import MOST_SHEET_ROWS
from monitor.sample.people import Record, birthday, check_day, record

COVERED = 0.7
"""The share of people about whom the supplement says anything."""

STEP = 0.5497004779
"""Spreads who is covered evenly over the places, and over every age."""

STRANGERS = 4
"""People in the supplement whom the caseload does not know."""

HELD = (
    "accommodation_start_date", "accommodation_provided_by_authority", "out_of_area", "address_confirmed_date",
    "last_visit_date", "agreed_contact_interval_days", "pa_first_met_date", "pa_changes_12_months", "eligible_from",
    "needs_assessment_date", "plan_heads_complete", "plan_voice_recorded", "plan_professionals_consulted",
    "plan_identity_covered", "plan_trauma_support_covered", "plan_signed_off_date", "over21_offer_date",
    "over21_offer_outcome", "closure_date", "risk_open", "risk_plan_review_date", "local_offer_date",
    "health_history_date", "last_supervision_date", "adult_services_decision_date", "release_date", "is_parent",
    "eet_action_date",
)  # fmt: skip

PROVIDED = frozenset("CDETVW")
"""Homes that an authority usually pays for."""

Cell = str | int | date | None


def write_sample_supplement(path: Path, *, people: int, as_at: date, seed: int) -> Path:
    """Write what is known beside the List 9 of ``write_sample`` with the same arguments; returns ``path``."""
    suffix = path.suffix.lower()
    if suffix not in (".xlsx", ".csv"):
        raise Problems([f"{path.name}: a supplement is an .xlsx or a .csv; name one of those"])
    if suffix == ".xlsx" and people * COVERED > MOST_SHEET_ROWS * 0.9:
        raise Problems([f"{path.name}: {people} people do not fit on a worksheet; name a .csv"])
    check_day(as_at)
    make_private_folder(path.absolute().parent)
    rows = _rows(people=people, as_at=as_at, seed=seed)
    if suffix == ".xlsx":
        write_supplement(path, HELD, rows, as_at=as_at)
        return path
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("person_id", *HELD))
        for row in rows:
            writer.writerow(f"{cell:%d/%m/%Y}" if isinstance(cell, date) else cell for cell in row)
    return path


def _rows(*, people: int, as_at: date, seed: int) -> Iterator[list[Cell]]:
    rng = Random()  # noqa: S311 - invented people, not secrets
    today = as_at.toordinal()
    strangers = range(people + 10, people + 10 + STRANGERS)
    for place in (*range(people), *strangers):
        known = record(rng, seed=seed, place=place, day=today)
        if known is not None and (place in strangers or (place + seed * 0.371) * STEP % 1 < COVERED):
            held = _circumstances(rng, known, seed=seed, day=today)
            if place % 97 == 5:
                held["local_offer_date"] = "booked"
            yield [known.person_id, *(held[name] for name in HELD)]


class _Draws:
    """What befalls one person, drawn from ``rng``, as it is known on ``day``."""

    def __init__(self, rng: Random, known: Record, day: int) -> None:
        self.share, self.known, self.day = rng.random, known, day
        self.turned_18, self.turned_21 = birthday(known.born_on, 18), birthday(known.born_on, 21)
        self.grown, self.closed = day >= self.turned_21, known.closed_on is not None

    def lately(self, usual: int, late: float, *, whatever_closed: bool = False) -> int | None:
        """Return the last of a round of events ``usual`` days apart, of which about a share ``late`` comes too late.

        None happens once a case is closed, unless ``whatever_closed``.
        """
        share = self.share
        until = self.day if whatever_closed else self.known.closed_on or self.day
        every = usual - int(share() * usual * 0.4)
        longer, often = int(usual * (0.3 + share() * 1.2)), share()
        lapse = every + longer if often < late * 2.4 else every
        position = (until + int(share() * (every + lapse))) % (every + lapse)
        on = until - (position if position < every else position - every) - 1
        return on if on > self.known.entered_on else None

    def by_now(self, day: int | None) -> date | None:
        return _on(day if day is not None and day <= self.day else None)


def _circumstances(rng: Random, known: Record, *, seed: int, day: int) -> dict[str, Cell]:
    rng.seed(f"{seed} {known.person_id} circumstances")
    draws = _Draws(rng, known, day)
    # Every draw is made for everyone, in this order, whatever the day: what is known of someone must not
    # depend on when it is looked at.
    return {
        "eligible_from": _on(known.entered_on),
        "closure_date": _on(known.closed_on),
        **_home(draws),
        "address_confirmed_date": _on(draws.lately(140 if draws.grown else 48, 0.12)),
        "last_visit_date": _on(draws.lately(52, 0.12)),
        **_adviser(draws),
        **_plan(draws),
        **_offers(draws),
        **_risk(draws),
        **_services(draws),
        **_coming_of_age(draws),
    }


def _home(draws: _Draws) -> dict[str, Cell]:
    known, share = draws.known, draws.share
    return {
        "accommodation_start_date": _on(known.home_since if known.accommodation else None),
        "accommodation_provided_by_authority": _yes_no(share() < 0.9 and known.accommodation in PROVIDED),
        "out_of_area": _yes_no(share() < 0.2),
        "agreed_contact_interval_days": 84 if share() < 0.06 and not draws.grown else None,
    }


def _adviser(draws: _Draws) -> dict[str, Cell]:
    share, day = draws.share, draws.day
    met_on = None if share() < 0.15 else min(day, draws.known.entered_on + 60)
    unsettled, spell = share() < 0.3, int(share() * 1500)
    return {"pa_first_met_date": _on(met_on), "pa_changes_12_months": (day + spell) % 1500 // 375 if unsettled else 0}


def _plan(draws: _Draws) -> dict[str, Cell]:
    share, known, day = draws.share, draws.known, draws.day
    assessed_on = None if share() < 0.07 else min(day, known.entered_on + 70)
    plan: dict[str, Cell] = {
        "plan_heads_complete": 10 if share() < 0.88 else 7,
        "plan_voice_recorded": _yes_no(share() < 0.93),
        "plan_professionals_consulted": _yes_no(share() < 0.9),
        "plan_identity_covered": _yes_no(share() < 0.8),
        "plan_trauma_support_covered": _yes_no(share() < 0.75),
        "plan_signed_off_date": draws.by_now((known.plan_on or 0) + 1 + int(share() * 14) if share() < 0.95 else None),
    }
    if known.plan_on is None:
        plan = dict.fromkeys(plan)
    return {"needs_assessment_date": _on(assessed_on), **plan}


def _offers(draws: _Draws) -> dict[str, Cell]:
    share, known, day = draws.share, draws.known, draws.day
    talked_on = draws.turned_21 - 70 + int(share() * 50) if share() < 0.6 else day + 1
    offered_on, no_offer, outcome = draws.lately(340, 0.16, whatever_closed=True), share() < 0.14, share()
    offers = [talked_on] if talked_on <= day else []
    if draws.grown and not no_offer and offered_on is not None and (draws.closed or known.adviser is None):
        offers.append(offered_on)
    return {
        "over21_offer_date": _on(max(offers, default=None)),
        "over21_offer_outcome": _outcome(known, outcome) if offers else None,
    }


def _risk(draws: _Draws) -> dict[str, Cell]:
    is_open = (draws.day + int(draws.share() * 1000)) % 1000 < 90 and not draws.closed
    seen_on = draws.lately(26, 0.2)
    return {"risk_open": _yes_no(is_open), "risk_plan_review_date": _on(seen_on if is_open else None)}


def _services(draws: _Draws) -> dict[str, Cell]:
    told_on = draws.lately(330, 0.1, whatever_closed=True)
    supervised_on = draws.lately(84, 0.12, whatever_closed=True)
    acted_on = draws.lately(50, 0.15)
    return {
        "local_offer_date": _on(told_on),
        "last_supervision_date": _on(supervised_on),
        "eet_action_date": _on(acted_on if (draws.known.activity or "").startswith("G") else None),
    }


def _coming_of_age(draws: _Draws) -> dict[str, Cell]:
    share, known = draws.share, draws.known
    history_on = draws.turned_18 - 180 + int(share() * 150) if share() < 0.82 else None
    decided_on = draws.turned_18 - 200 if share() < 0.65 else None
    released_on = known.home_since + 30 + int(share() * 300)
    return {
        "health_history_date": draws.by_now(history_on),
        "adult_services_decision_date": draws.by_now(decided_on if known.disability else None),
        "release_date": _on(released_on if known.accommodation == "X" else None),
        "is_parent": _yes_no(share() < 0.04 or known.activity == "G6"),
    }


def _on(ordinal: int | None) -> date | None:
    return None if ordinal is None else date.fromordinal(ordinal)


def _yes_no(yes: bool) -> str:
    return "Y" if yes else "N"


def _outcome(known: Record, share: float) -> str:
    if known.in_touch in ("REFU", "NREQ"):
        return "declined"
    return "accepted" if share < 0.3 else "no reply" if share < 0.7 else "declined"
