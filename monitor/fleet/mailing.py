"""Finds the councils of a fleet that send mail, tells their nights what waits for the fleet, and what became of it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from monitor.errors import Problems
from monitor.fleet.authorities import open_config
from monitor.fleet.fleet_settings import Fleet
from monitor.fleet.join_letters import JoinedAccount, MailingCouncil, plan_shared
from monitor.messages.shared_readers import VARIABLE, write_shared
from monitor.store.location import locate
from monitor.words import write_count


def find_mailing(fleet: Fleet, environ: Mapping[str, str]) -> list[MailingCouncil]:
    """Return the councils in the file's order; one that cannot be used is told of by its own night."""
    found = []
    for authority in fleet.authorities:
        with suppress(Problems):
            config = open_config(fleet, authority)
            found.append(MailingCouncil(authority.code, config, locate(config, environ)))
    return found


def tell_nights(fleet: Fleet, environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return by code what each night finds in its environment of the readers whose mail the fleet sends."""
    councils = find_mailing(fleet, environ) if len(fleet.authorities) > 1 else []
    shared = plan_shared(councils)
    return {code: {VARIABLE: write_shared(readers)} for code, readers in shared.items()}


def write_joined(account: JoinedAccount) -> Iterator[str]:
    """Yield the lines of what was sent for all councils together, and of what was not; nothing where nothing waited."""
    if account.mails:
        letters = write_count(account.letters, "letter")
        yield f"mail: {write_count(account.mails, 'mail')} of several councils sent, with {letters}"
    if account.alone:
        yield f"mail: {write_count(account.alone, 'message')} of one council sent alone"
    yield from account.problems
