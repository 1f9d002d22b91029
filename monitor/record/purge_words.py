"""What a purge did, in lines for the person who asked for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.record.purge import Purged

if TYPE_CHECKING:
    from monitor.record.remove_person import RemovalAccount

THINGS = {
    "snapshots": "kept caseloads",
    "resolved_flags": "resolved flags emptied of what they said",
    "events": "events emptied of what they said",
    "messages": "messages emptied of their words",
    "exports": "nights of exception lists",
    "outbox": "nights of message files",
    "logs": "log files",
}
TABLES = {
    "person": "row of the roster",
    "person_before": "row of how the roster stood before the last night",
    "flag": "flags",
    "flag_event": "events emptied; their rows stay, so that the chain still verifies",
    "message": "messages emptied, and withdrawn where they had not gone",
    "message_flag": "notes of which message told of which flag",
    "message_coming": "notes of what messages said would come due",
    "snapshots": "kept caseloads written anew without this person",
    "waiver": "waivers",
    "answer": "answers",
    "escalation": "escalations",
    "message_escalation": "notes of which message told of which escalation",
}


def purged(account: Purged, *, dry_run: bool) -> list[str]:
    if not (account.removed or account.problems):
        return ["nothing is past its time"]
    lines = ["Would be removed, past its time:" if dry_run else "Removed, past its time:"]
    for thing, number in account.removed.items():
        days = account.nights.get(thing, ())
        when = f", {days[0]} to {days[-1]}" if days else ""
        lines.append(f"  {number} {THINGS[thing]}{when}")
    return [*lines, *_problems(account.problems)]


def person(account: "RemovalAccount") -> list[str]:
    lines = ["Would be removed:" if account.rehearsed else "Removed:"]
    if account.completed and not account.rehearsed:
        lines = ["Removed before; looked through everything once more:"]
    lines += _counted(account.rows)
    if account.nights:
        lines.append(f"    of {len(account.nights)} nights, {account.nights[0]} to {account.nights[-1]}")
    for action in ("rewritten", "removed"):
        paths = [change.path for change in account.files if change.action == action]
        lines += _listed(f"  files {action}", paths)
    if not account.rows and not account.files:
        lines.append("  nothing more was found")
    lines.append("Counts of past nights stay; the record says that somebody was removed, by whom and why, not whom")
    lines.append("Not within reach of this command:")
    lines += [f"  - {line}" for line in account.outside]
    return [*lines, *_problems(account.problems)]


def _counted(rows: Mapping[str, int]) -> list[str]:
    return [f"  {number} {TABLES.get(table, f'rows of {table}')}" for table, number in rows.items()]


def _listed(what: str, paths: list[Path]) -> list[str]:
    if not paths:
        return []
    return [f"{what}:", *(f"    {path}" for path in paths)]


def _problems(problems: tuple[str, ...]) -> list[str]:
    if not problems:
        return []
    again = "NOT FINISHED. Put this right and give the same command again:"
    return [again, *(f"  {problem}" for problem in problems)]
