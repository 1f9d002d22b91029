"""What a council calls its teams and advisers, and which "advisers" are perhaps no one person's name."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitor.caseload.rows import Reading
from monitor.catalogue.headings import PERSON_ID
from monitor.catalogue.no_adviser import A_TEAM, AdviserNames, fold_adviser
from monitor.config.list_findings import LONGEST, MOST_NAMED, ListFinding
from monitor.words import one_line, write_people
from monitor.workspace import Workspace

MANY_TEAMS = 3
"""A person seldom works in so many teams."""


@dataclass(frozen=True)
class CouncilNames:
    """Names of the council's own. ``not_an_adviser``, ``is_an_adviser``: what is in an adviser's cell and names nobody,
    and what names somebody all the same; ``teams``: by each folded spelling, the name of a team.

    ``adviser_cap``: how many young people an adviser may have before somebody asks whether that is one person.
    """

    not_an_adviser: Sequence[str] = ()
    teams: Mapping[str, str] = field(default_factory=dict)
    is_an_adviser: Sequence[str] = ()
    adviser_cap: int = 25

    @property
    def advisers(self) -> AdviserNames:
        nobody, somebody, teams = (
            frozenset(map(fold_adviser, names)) for names in (self.not_an_adviser, self.is_an_adviser, self.teams)
        )
        return AdviserNames(nobody, somebody, teams)


@dataclass(frozen=True)
class AdviserLoad:
    """A text under the advisers' heading, how many people have it, and in how many teams."""

    text: str
    people: int
    teams: int


def know_teams(workspace: Workspace, readings: Sequence[Reading], names: CouncilNames) -> AdviserNames:
    """Return the council's names, with those of the teams that another extract than the advisers' has."""
    advisers = names.advisers
    having = [reading for reading in readings if "allocated_team" in reading.positions]
    if len(readings) == 1 or not having or not any("personal_adviser" in reading.positions for reading in readings):
        return advisers
    rows = " UNION ".join(
        f"SELECT c{one.positions['allocated_team']} AS team, c{one.positions[PERSON_ID]} AS person "
        f'FROM "{one.extract.table}"'
        for one in having
    )
    counted = workspace.execute(f"SELECT team, count(*) FROM ({rows}) WHERE team IS NOT NULL GROUP BY team").fetchall()
    sizes = Counter[str]()
    for team, people in counted:
        sizes[fold_adviser(team)] += people
    return replace(advisers, teams={*advisers.teams, *(team for team, people in sizes.items() if people >= A_TEAM)})


def find_crowded(supplied: Collection[str]) -> str:
    """SQL for a list of the advisers in ``typed`` with more people than ``$cap``, or in three teams or more."""
    if "personal_adviser" not in supplied:
        return "CASE WHEN $cap > 0 THEN [] END"
    team = "allocated_team" if "allocated_team" in supplied else "CAST(NULL AS VARCHAR)"
    # By name and team first: a count of distinct teams for each name would take several times as long.
    return f"""(
        SELECT list([text, people::VARCHAR, teams::VARCHAR] ORDER BY people DESC, text) FROM (
            SELECT min(text) AS text, sum(people)::BIGINT AS people, count(team) AS teams
            FROM (
                SELECT lower(personal_adviser) AS name, {team} AS team, min(personal_adviser) AS text,
                    count(*) AS people
                FROM typed WHERE personal_adviser IS NOT NULL GROUP BY ALL
            )
            GROUP BY name HAVING sum(people) > $cap OR count(team) >= {MANY_TEAMS}
        )
    )"""


def leave_out_known(crowded: Sequence[Sequence[str]] | None, names: CouncilNames) -> tuple[AdviserLoad, ...]:
    """Return the advisers' loads, without those of whom the council has said that they are somebody."""
    somebody = names.advisers.somebody
    loads = (AdviserLoad(text, int(people), int(teams)) for text, people, teams in crowded or ())
    return tuple(load for load in loads if fold_adviser(load.text) not in somebody)


def describe_crowded(crowded: Sequence[AdviserLoad], cap: int) -> Iterator[ListFinding]:
    """Return what to tell the analyst of advisers who may be no one person."""
    if not crowded:
        return
    named = [
        f'"{one_line(load.text)[:LONGEST]}" ({write_people(load.people)}'
        + (f" in {load.teams} teams)" if load.teams >= MANY_TEAMS else ")")
        for load in crowded
    ]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    line = (
        f"personal advisers with over {cap} young people or in {MANY_TEAMS} teams or more: "
        f"{', '.join(named[:MOST_NAMED])}{more}; one that is no person's name belongs in not_an_adviser, a person's "
        "in is_an_adviser"
    )
    yield ListFinding("advisers", (line,), is_fault=True, state=repr(sorted(load.text.lower() for load in crowded)))
