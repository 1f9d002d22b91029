"""Since when somebody lives where they live, and until when elsewhere: nights in a row, each a home per person."""

import datetime as dt
from collections.abc import Sequence

import pytest

from monitor.caseload.roster import place_accommodation
from monitor.workspace import load_rows, open_workspace

FIRST = dt.date(2026, 1, 5)
ROSTER = {
    "person_id": "VARCHAR", "accommodation": "VARCHAR", "accommodation_since": "DATE",
    "previous_accommodation": "VARCHAR", "previous_since": "DATE", "first_seen_on": "DATE",
}  # fmt: skip
CASELOAD = {
    "person_id": "VARCHAR", "accommodation": "VARCHAR", "as_at": "DATE", "accommodation_since": "DATE",
    "elsewhere_until": "DATE",
}  # fmt: skip


def live(homes: str, days: Sequence[int]) -> tuple[dt.date | None, dt.date | None]:
    """Since when, and until when elsewhere, after nights in these homes; "-" is a blank, "." not on the caseload."""
    nights = [FIRST + dt.timedelta(n) for n in days]
    roster: list[tuple[object, ...]] = []
    for place, home in enumerate(homes):
        if home == ".":
            continue
        workspace = open_workspace()
        load_rows(workspace, "roster", ROSTER, roster)
        load_rows(workspace, "caseload", CASELOAD, [("P1", None if home == "-" else home, nights[place], None, None)])
        place_accommodation(workspace, nights=nights[:place])
        roster = workspace.execute("""
            SELECT person_id, stay.accommodation, stay.since, stay.previous, stay.previous_since,
                coalesce(roster.first_seen_on, caseload.as_at)
            FROM stay JOIN caseload USING (person_id) LEFT JOIN roster USING (person_id)
        """).fetchall()
        (answer,) = workspace.execute("SELECT accommodation_since, elsewhere_until FROM caseload").fetchall()
        workspace.close()
    since, until = answer
    return since, until


@pytest.mark.parametrize(
    ("homes", "days", "since", "elsewhere"),
    [
        ("UUU", (0, 1, 2), 0, None),  # the first night says nothing of a home before
        ("UUSS", (0, 1, 2, 3), 2, 1),
        ("US", (0, 7), 7, 0),  # the night before was a week ago
        ("UUSUS", (0, 1, 2, 3, 4), 4, 3),  # two odd nights: the second is a move
        ("UUSSUS", (0, 1, 2, 3, 4, 5), 2, 1),  # one odd night does not restart it, and is no night elsewhere
        ("SSUSS", (0, 1, 2, 3, 4), 0, None),
        (".SSUSS", (0, 1, 2, 3, 4, 5), 1, None),  # nights before they were on the caseload are none elsewhere
        ("UUS-S", (0, 1, 2, 3, 4), 2, 1),  # a blank is no move
        ("--S", (0, 1, 2), 2, None),  # and no home before
        ("UVW", (0, 1, 2), 2, 1),
    ],
)
def test_since_when_somebody_lives_there_and_until_when_elsewhere(
    homes: str, days: Sequence[int], since: int, elsewhere: int | None
) -> None:
    until = None if elsewhere is None else FIRST + dt.timedelta(elsewhere)

    assert live(homes, days) == (FIRST + dt.timedelta(since), until)
