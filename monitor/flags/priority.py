"""Worst person first: the order of every list, report and message.

Who has the most severe flag comes first, then who has the most to weigh, then by id; a person's own flags are
ordered by severity, then by rule. A waived flag counts for neither; one folded into another does not weigh again.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from monitor.rulebook.severity import SEVERITIES

WEIGHTS: Mapping[str, int] = MappingProxyType({"critical": 8, "high": 4, "medium": 2, "low": 1, "data": 0})
"""What each severity adds to a person's weight."""
RANKS: Mapping[str | None, int] = MappingProxyType({severity: place for place, severity in enumerate(SEVERITIES)})


def rank(severity: str | None) -> int:
    """Return 0 for critical; worse is lower; nothing at all is last."""
    return RANKS.get(severity, len(SEVERITIES))


def place_person(worst: str | None, unfolded: Iterable[str], person_id: str) -> tuple[int, int, str]:
    """Return the sort key of a person: their worst severity, and those of their flags folded into no other."""
    return rank(worst), -sum(WEIGHTS.get(severity, 0) for severity in unfolded), person_id


def rank_sql(severity: str = "severity") -> str:
    """Return a severity's place as a DuckDB expression, NULL for none of them."""
    return f"list_position({list(SEVERITIES)}, {severity})"


def priority_sql(flags: str, unfolded: str) -> str:
    """Return the DuckDB query of each person's ``worst`` place and ``weight``.

    ``flags``: a relation with person_id, severity and state. ``unfolded``: the condition that a flag weighs.
    """
    weights = " ".join(f"WHEN '{severity}' THEN {weight}" for severity, weight in WEIGHTS.items())
    return f"""
        SELECT person_id, min({rank_sql()}) FILTER (state <> 'waived') AS worst,
            coalesce(sum(CASE severity {weights} END) FILTER (state <> 'waived' AND {unfolded}), 0) AS weight
        FROM {flags} GROUP BY person_id
    """


WORST_FIRST = f"worst NULLS LAST, weight DESC, person_id, {rank_sql()} NULLS LAST, rule"
"""The order of flags joined to their person's priority."""

LIST_ORDER = f"{WORST_FIRST}, opened_on"
"""The order of an exception list."""


def list_rows_sql(flags: str, wanted: str, restricted: str) -> str:
    """Return the DuckDB query of the row that each ``wanted`` flag has in its team's list; the heading is row 1.

    ``flags``: the relation that the lists are made of. ``restricted``: the condition of being in no team's list.
    """
    return f"""
        SELECT flag_id, list_row FROM (
            SELECT flag_id, rule, 1 + row_number() OVER (PARTITION BY team ORDER BY {LIST_ORDER}) AS list_row
            FROM {flags} JOIN ({priority_sql(flags, "NOT folded")}) USING (person_id) WHERE NOT ({restricted})
        ) WHERE {wanted}
    """


BACKLOG_FIRST = "criticals DESC, weight DESC, in_breach_longest, person_id"
WORTH_WORKING_FIRST = f"{BACKLOG_FIRST}, {rank_sql()} NULLS LAST, rule"
"""The order in which a backlog is worked through: the most critical flags, the most to weigh, the oldest breach."""


def place_backlog_sql(flags: str, most: int) -> str:
    """Return the DuckDB query of the first people of each team's backlog, ``most`` at most, with what places them.

    ``flags``: a relation with person_id, team, severity, folded and in_breach_since.
    """
    weights = " ".join(f"WHEN '{severity}' THEN {weight}" for severity, weight in WEIGHTS.items())
    return f"""
        SELECT person_id, count(*) FILTER (severity = 'critical') AS criticals,
            coalesce(sum(CASE severity {weights} END) FILTER (NOT folded), 0) AS weight,
            min(in_breach_since) AS in_breach_longest
        FROM {flags} GROUP BY person_id, team
        QUALIFY row_number() OVER (PARTITION BY team ORDER BY {BACKLOG_FIRST}) <= {most}
    """
