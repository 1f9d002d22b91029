"""``monitor fleet status``: how each council's monitor stands, as its own ``monitor status`` says."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from monitor.fleet.children import ChildEnd
from monitor.fleet.council_end import LONGEST_WORDS, NOTHING_DONE, CouncilEnd, describe_failure, read_account
from monitor.fleet.each_council import CouncilCommand, CouncilsEnd, run_each
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.words import one_line, write_count, write_date


def ask_status(
    fleet: Fleet, authorities: Iterable[Authority], environ: Mapping[str, str], told: Callable[[str], None]
) -> CouncilsEnd:
    """Ask how every council stands: one that never ran, or cannot be read, is said too."""
    return run_each(fleet, authorities, CouncilCommand(("status", "--json"), describe_status), environ, told)


def describe_status(authority: Authority, child: ChildEnd) -> CouncilEnd:
    """Return how one council stands."""
    account = read_account(child)
    if account is None or child.exit_code is None:
        exit_code, words = describe_failure(child, f"monitor status --config {authority.config_path}")
        words = f"cannot be read: {words}"
    elif fault := account["database"]["fault"]:
        exit_code, words = NOTHING_DONE, f"cannot be read: {one_line(fault)[:LONGEST_WORDS]}"
    else:
        exit_code, words = child.exit_code, "; ".join(_write_standing(account))
    return CouncilEnd(authority.code, authority.name, exit_code, words, round(child.seconds, 1), account)


def _write_standing(account: Mapping[str, Any]) -> Iterator[str]:
    """Say the last night, those that are missing, what waits to be sent, and what needs a person."""
    if not account["nights"]:
        yield "no night yet"
    else:
        night = account["nights"][0]
        verdict = night["verdict"] if night["verdict"] not in (None, night["state"], "trusted") else ""
        yield f"night of {_write_day(night['as_at'])} {night['state']}" + (f" ({verdict})" if verdict else "")
        if night["state"] != "accepted":
            last = account["last_accepted"]
            yield f"the last accepted is of {_write_day(last)}" if last else "none accepted yet"
    if missed := account["working_days_missed"]:
        yield f"{write_count(missed, 'working day')} without a night"
    for name, pile in account["undelivered"].items():
        yield f"{write_count(pile['messages'], 'message')} {name}"
    if needed := account["needs_a_person"]:
        more = f", and {len(needed) - 1} more" if len(needed) > 1 else ""
        yield f"needs a person: {one_line(needed[0]['what'])[:LONGEST_WORDS]}{more}"


def _write_day(day: str) -> str:
    return write_date(dt.date.fromisoformat(day))
