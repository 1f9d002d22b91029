"""The lists of what people have decided and said about flags: waivers, and what leads answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from monitor.flags.answers import WORDS
from monitor.flags.waivers import REMINDERS
from monitor.workspace import Workspace, step

WAIVER_COLUMNS = (
    "person_id", "team", "rule", "state", "until_on", "days_left", "reason", "note", "waived_on", "waived_by",
    "ended_on",
)  # fmt: skip
ANSWER_COLUMNS = (
    "person_id", "team", "rule", "title", "answer", "note", "until_on", "reason", "answered_on", "answered_by",
    "list_as_at", "flag_state",
)  # fmt: skip

UNMATCHED = {
    "flag withdrawn": "the rule is no longer asked",
    "flag rule changed": "the rule was changed and asks for it no longer",
    "flag merged": "the record was merged into another",
    "flag handed on": "another rule carries the flag on",
    "flag duty ended": "reached 25",
    "flag corrected": "the night that opened the flag was put right",
    "flag gone": "the flag is no longer held",
}
"""Ways in which a waiver comes to match nothing, other than that the record was put right."""


@step(reads=("caseload", "flag_list", "lead_answer", "team_name", "waiver_tonight"))
def prepare(workspace: Workspace, as_at: date) -> None:
    """Make ``waiver_list`` and ``answer_list``, where there is anything to list, after ``exceptions.prepare``.

    Of someone recorded as died nothing is listed.
    """
    ((waivers, answers),) = workspace.execute(
        "SELECT (SELECT count(*) FROM waiver_tonight), (SELECT count(*) FROM lead_answer)"
    ).fetchall()
    if waivers:
        _list_waivers(workspace, as_at)
    if answers:
        workspace.execute(ANSWER_LIST)
    for name in workspace.tables.intersection(("waiver_list", "answer_list")):
        if workspace.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None:
            workspace.execute(f"DROP TABLE {name}")


ANSWER_LIST = f"""
    CREATE OR REPLACE TABLE answer_list AS
    SELECT
        f.person_id, f.team, f.rule, f.title, a.answer, a.note, a.until_on, a.reason, a.answered_on, a.answered_by,
        a.list_as_at, f.state AS flag_state, list_position({list(reversed(WORDS))}, a.answer) AS place
    FROM lead_answer AS a JOIN flag_list AS f USING (flag_id)
"""


def _list_waivers(workspace: Workspace, as_at: date) -> None:
    unmatched = " ".join(f"WHEN '{why}' THEN 'matches nothing: {words}'" for why, words in UNMATCHED.items())
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE waiver_list AS
        SELECT
            w.person_id, coalesce(n.name, c.allocated_team) AS team, w.rule,
            CASE
                WHEN w.target = 'in force' THEN
                    CASE WHEN w.until_on - $as_at <= {max(REMINDERS)} THEN 'ending' ELSE 'in force' END
                WHEN w.target <> 'ended' THEN w.target
                ELSE w.ended_why
            END AS why,
            CASE why {unmatched} WHEN 'flag cleared' THEN 'closed: the flag was cleared'
                WHEN 'flag no longer asked' THEN 'closed: the rule does not ask any more' ELSE why END AS state,
            w.until_on, CASE WHEN w.target = 'in force' THEN CAST(w.until_on - $as_at AS INTEGER) END AS days_left,
            w.reason, w.note, w.waived_on, w.waived_by,
            CASE WHEN w.target IN ('in force', 'ended') THEN w.ended_on ELSE $as_at END AS ended_on
        FROM waiver_tonight AS w
        LEFT JOIN caseload AS c USING (person_id)
        LEFT JOIN team_name AS n ON n.team = c.allocated_team
        WHERE why <> 'flag died' AND NOT coalesce(c.died, false)
        """,
        {"as_at": as_at},
    )


@dataclass(frozen=True)
class Decided:
    """What the analyst is told of waivers and answers, counted.

    ``answered``: flags with an answer that a night after the analyst's last message was the first to know of, by what
    it says; ``to_look_at``: flags that stand and whose newest answer says that the record is wrong or that they are not
    ours, with the day of the oldest. ``unmatched``: waivers that have come to match nothing since that message.
    """

    answered: Mapping[str, int] = field(default_factory=dict)
    to_look_at: Mapping[str, tuple[int, date]] = field(default_factory=dict)
    in_force: int = 0
    ending: int = 0
    unmatched: int = 0


def count(workspace: Workspace, as_at: date, since: date) -> Decided:
    """Count what ``flag_line`` and ``waiver_tonight`` hold of decisions; nothing of someone recorded as died.

    ``since``: the date of the analyst's last message, or the day before tonight where there is none.
    """
    standing = workspace.execute(
        """
        SELECT answer, count(*), count(*) FILTER (answer_noticed_on > $since), min(answered_on)
        FROM flag_line WHERE answer IS NOT NULL AND state <> 'resolved' GROUP BY answer
        """,
        {"since": since},
    ).fetchall()
    all_told = {answer: (number, oldest) for answer, number, _, oldest in standing}
    ((in_force, near, unmatched),) = workspace.execute(
        f"""
        SELECT
            count(*) FILTER (target = 'in force'),
            count(*) FILTER (target = 'in force' AND until_on - $as_at <= {max(REMINDERS)}),
            count(*) FILTER (
                CASE WHEN target = 'ended' THEN ended_on > $since AND ended_why IN {tuple(UNMATCHED)}
                ELSE target IN {tuple(UNMATCHED)} END
            )
        FROM waiver_tonight LEFT JOIN caseload AS c USING (person_id)
        WHERE NOT coalesce(c.died, false)
        """,
        {"as_at": as_at, "since": since},
    ).fetchall()
    to_look_at = {word: all_told[word] for word in ("the record is wrong", "not ours") if word in all_told}
    new = {answer: number for answer, _, number, _ in standing if number}
    return Decided(new, to_look_at, in_force, near, unmatched)
