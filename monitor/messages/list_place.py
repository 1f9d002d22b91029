"""Where a reader finds the lists: the name of each team's file, and the folder or the address that has it.

The one place that says so: each mail asks ``find_lists``, and the lists are written under ``file_names``.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.messages.parts import MessageContext

LONGEST_NAME = 80
OTHER_TEAMS = "other-teams"
PAGE_SUFFIX = ".html"


@dataclass(frozen=True)
class ListShelf:
    """What a council does with its lists: the file of each team, the shared folder and its address, if any."""

    files: tuple[tuple[str, str], ...] = ()
    suffix: str = ".csv"
    folder: str | None = None
    link: str | None = None
    attached: bool = False
    """Each lead's list goes with the mail."""

    @property
    def has_pages(self) -> bool:
        """Whether a team's page stands beside its list."""
        return self.suffix == ".xlsx"


@dataclass(frozen=True)
class ListPlace:
    """Where one reader finds a list: the files, in the folder of the night's date. Neither folder nor link: ask.

    ``files``: each with its own address, where it has one; none where it is about the lists of all teams. ``pages``:
    the same of the teams' pages.
    """

    files: tuple[tuple[str, str | None], ...]
    day: date
    folder: str | None
    link: str | None
    """The page of all the lists."""
    ask: str
    """The analyst's address, who has every list."""
    attached: bool = False
    pages: tuple[tuple[str, str | None], ...] = ()


def describe_shelf(config: "Config") -> ListShelf:
    """Return what the settings say of the lists."""
    lists = config.lists
    files = tuple(file_names(team.name for team in config.teams).items())
    folder = str(lists.lists_folder) if lists.lists_folder else None
    suffix = ".xlsx" if lists.workbooks else ".csv"
    return ListShelf(files, suffix, folder, lists.lists_url, config.delivery.attaches_lists)


def find_lists(night: "MessageContext", teams: Sequence[str | None]) -> ListPlace:
    """Return where the lists of these teams are, as the settings spell them; of any other, the list of other teams."""
    shelf = night.shelf
    known = dict(shelf.files)
    names = list(dict.fromkeys(known.get(team or "", OTHER_TEAMS) for team in teams))
    # A page is an address of its own, and what the monitor does not copy may stand in no folder of that date.
    has_files = shelf.link and shelf.folder and not _is_page(shelf.link)
    within = f"{shelf.link}/{night.as_at.isoformat()}/" if has_files else None
    files = tuple((name + shelf.suffix, within and within + name + shelf.suffix) for name in names)
    # Pages stand beside workbooks, and go with no e-mail.
    paged = [name_page(name) for name in names] if shelf.has_pages and (shelf.folder or shelf.link) else ()
    pages = tuple((page, within and within + page) for page in paged)
    return replace(find_all_lists(night), files=files, pages=pages, attached=shelf.attached)


def find_all_lists(night: "MessageContext") -> ListPlace:
    """Return where the lists of all teams are."""
    shelf = night.shelf
    return ListPlace((), night.as_at, shelf.folder, shelf.link, night.routes.analyst)


def _is_page(link: str) -> bool:
    return link.lower().endswith((".aspx", ".html", ".htm", ".php"))


def file_names(teams: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return a file name, without suffix, for each team: safe on every system, no two the same.

    ``team-`` in front keeps a team called "all" or "CON" from taking a name that means something else. ``others``:
    teams that the settings do not know, which take no name from one that they know.
    """
    slugs = {team: _slug(team) for team in teams}
    taken = list(slugs.values())
    names = {team: _name(team, slug, plain=taken.count(slug) == 1) for team, slug in slugs.items()}
    slugs = {team: _slug(team) for team in others if team not in names}
    taken += slugs.values()
    return names | {team: _name(team, slug, plain=taken.count(slug) == 1) for team, slug in slugs.items()}


def name_page(file: str) -> str:
    """Return the file name of a team's page, as ``team-north.html``; ``file``: its list's name, of ``file_names``.

    It stands beside the team's workbook (``team-north.xlsx``), in the night's folder and in that of ``lists_folder``,
    wherever the settings have workbooks written; ``other-teams`` has one on the nights on which it has a workbook.
    """
    return file + PAGE_SUFFIX


def _name(team: str, slug: str, *, plain: bool) -> str:
    if slug and len(slug) <= LONGEST_NAME and plain:
        return f"team-{slug}"
    return f"team-{slug[:LONGEST_NAME]}-{hashlib.sha256(team.encode()).hexdigest()[:8]}".replace("--", "-")


def _slug(team: str) -> str:
    plain = unicodedata.normalize("NFKD", team).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
