"""Reads what a lead has answered, in whichever file it comes: a workbook, a page's file, or a saved reply."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import Problems
from monitor.flags.answer_file import AnsweredFile
from monitor.lists import answer_mail, answer_page, answer_sheet
from monitor.messages.list_place import PAGE_SUFFIX
from monitor.words import fold_name

if TYPE_CHECKING:
    from monitor.config.delivery_settings import Team


def read_answered(path: Path, by: str | None, readers: Mapping[str, frozenset[str]]) -> AnsweredFile:
    """Return the answers of a file; ``Problems`` names everything wrong with it.

    ``by``: who answered. ``readers``: the addresses that have each team's list, by its folded names.
    """
    kind = path.suffix.lower()
    if kind == PAGE_SUFFIX:
        raise Problems([f"{path.name}: is the page itself; press “Save my answers” on it, and name the file it saves"])
    if kind == ".eml":
        sha256, reply = answer_mail.read(path)
        teams = frozenset(team for team, addresses in readers.items() if reply.sender in addresses)
        return AnsweredFile(path.name, sha256, (), by, "answer", replace(reply, teams=teams))
    if kind == answer_page.SUFFIX:
        sha256, givens = answer_page.read(path)
        return AnsweredFile(path.name, sha256, givens, by, answer_page.ANSWER)
    sha256, givens = answer_sheet.read(path)
    return AnsweredFile(f'{path.name}: sheet "{answer_sheet.SHEET}"', sha256, givens, by)


def find_readers(teams: Iterable["Team"], day: dt.date) -> dict[str, frozenset[str]]:
    """Return the addresses that have each team's list on a day, by each of its names, folded: lead, cover, manager."""
    found: dict[str, frozenset[str]] = {}
    for team in teams:
        addresses = frozenset(each.lower() for each in (team.lead, team.reader(day), team.manager) if each)
        found |= {fold_name(name): addresses for name in (team.name, *team.also_known_as)}
    return found
