"""Worst person first: lists and messages put people in one order."""

import random

from monitor.flags.priority import WEIGHTS, WORST_FIRST, place_person, priority_sql, rank
from monitor.rulebook.severity import SEVERITIES
from monitor.workspace import load_rows, open_workspace

COLUMNS = {"person_id": "VARCHAR", "rule": "VARCHAR", "severity": "VARCHAR", "state": "VARCHAR", "unfolded": "BOOLEAN"}


def test_every_severity_has_a_rank_and_a_weight_and_nothing_comes_last() -> None:
    assert [rank(severity) for severity in SEVERITIES] == list(range(len(SEVERITIES)))
    assert rank(None) == rank("unheard of") == len(SEVERITIES)
    assert list(WEIGHTS) == list(SEVERITIES)
    assert list(WEIGHTS.values()) == sorted(WEIGHTS.values(), reverse=True)


def test_a_list_and_a_message_put_the_same_people_first() -> None:
    draw = random.Random(7)
    flags = [
        (f"P{number % 40:02}", f"rule-{number}", draw.choice(SEVERITIES), draw.choice(("open", "held", "waived")),
         draw.random() < 0.7)
        for number in range(150)
    ]  # fmt: skip
    workspace = open_workspace()
    load_rows(workspace, "flags", COLUMNS, flags)

    priority = priority_sql("flags", "unfolded")
    rows = workspace.execute(
        f"SELECT person_id FROM flags JOIN ({priority}) USING (person_id) ORDER BY {WORST_FIRST}"
    ).fetchall()
    listed = list(dict.fromkeys(person for (person,) in rows))

    def place(person: str) -> tuple[int, int, str]:
        theirs = [flag for flag in flags if flag[0] == person and flag[3] != "waived"]
        worst = min((flag[2] for flag in theirs), key=rank, default=None)
        return place_person(worst, (flag[2] for flag in theirs if flag[4]), person)

    assert listed == sorted(listed, key=place)
    assert len(listed) == 40
