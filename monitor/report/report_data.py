"""What every part of a report is gathered from."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from monitor.catalogue.person_ids import link_case
from monitor.config.id_lists import RestrictedIds, read_restricted
from monitor.report.contents import NO_TEAM
from monitor.report.report_nights import Nights
from monitor.words import fold_name
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.rulebook.rulebook import Rulebook


@dataclass(frozen=True)
class ReportData:
    """The database and the workspace of one report, its nights, and the ``team`` it is about, if it is one team's."""

    workspace: Workspace
    store: Connection
    config: "Config"
    rulebook: "Rulebook"
    nights: Nights
    team: str | None = None

    @property
    def run(self) -> Any:
        """The last accepted run."""
        return self.nights.last

    @property
    def as_at(self) -> dt.date:
        """The last accepted night, or the end of the period where there is none."""
        return self.run.as_at if self.run is not None else self.nights.until

    @cached_property
    def restricted(self) -> RestrictedIds:
        """People whom a report counts and does not list."""
        return read_restricted(self.config)

    @cached_property
    def known_teams(self) -> Mapping[str, str]:
        """Each spelling of a team in the config, folded, with the team's name."""
        return self.config.team_names

    def name_team(self, spelt: str | None) -> str:
        """Return what a spelling of a team is called: as the config has it, else as it is spelt."""
        return self.known_teams.get(fold_name(spelt), spelt.strip()) if spelt and spelt.strip() else NO_TEAM

    def is_about(self, team: str) -> bool:
        return self.team is None or team == self.team

    def link(self, person_id: str) -> str | None:
        """Return the address of a case, if the config has one."""
        return link_case(self.config.case_url, person_id)
