"""What the removal of a person does not reach, and what to do about each, in plain words."""

import json

from sqlalchemy import Connection, select

from monitor.caseload.departures import read_merged
from monitor.config.settings import Config
from monitor.record import remove_traces
from monitor.record.remove_rows import in_json
from monitor.record.remove_traces import Trace
from monitor.store.tables import Message, table_of


def describe(store: Connection, config: Config, trace: Trace) -> tuple[str, ...]:
    lines = [_say_sent(store, trace)]
    folder = config.lists.lists_folder
    if folder:
        copies = remove_traces.find_copies(folder, trace) if folder.is_dir() else []
        named = ": " + ", ".join(path.relative_to(folder).as_posix() for path in copies) if copies else ""
        lines.append(
            f"{len(copies)} lists in {folder} name this person{named}. They are the leads' copies: remove them "
            "there, or the rows"
        )
    lines.append(
        "Lists and reports that somebody exported, printed, or has filled in and not yet returned: ask the leads and "
        "the analyst to look for this id and remove it"
    )
    lines.append(
        "Backups of the data folder and the database from before today still hold this person: let them run out "
        "on their own date or remove them; after putting one back, give this command again"
    )
    if store.dialect.name != "sqlite":
        lines.append("PostgreSQL's write-ahead log, its archives and replicas hold it until they are recycled")
    lines.append("The heartbeat service was told counts only: nothing to do")
    lines.extend(_say_named_in_files(config, trace))
    return tuple(lines)


def _say_sent(store: Connection, trace: Trace) -> str:
    message = table_of(Message)
    rows = store.execute(
        select(message.c.recipient, message.c.as_at, message.c.people).where(
            message.c.accepted_at.is_not(None),
            message.c.people.contains(in_json(trace.person_id), autoescape=True),
        )
    )
    sent = [(row.recipient, row.as_at) for row in rows if trace.person_id in json.loads(row.people)]
    if not sent:
        return "E-mails: no message that is still on record here named this person; older ones may have"
    days = sorted({day for _, day in sent})
    readers = ", ".join(sorted({recipient for recipient, _ in sent}))
    return (
        f"E-mails: {len(sent)} that named this person went to {readers} between {days[0]} and {days[-1]}, and cannot "
        "be called back: ask these readers to delete them, and your mail system's keeper about archives"
    )


def _say_named_in_files(config: Config, trace: Trace) -> list[str]:
    """The council's own files that name the person; the record a merged one stands in is somebody to remove too."""
    lines = []
    if config.restricted and trace.is_in(config.restricted.read_text(encoding="utf-8-sig", errors="replace")):
        lines.append(f"{config.restricted.name} (restricted) names this id: take the line out")
    merged = read_merged(config.merged_ids)
    same = {new for old, new in merged.items() if old == trace.person_id}
    same |= {old for old, new in merged.items() if new == trace.person_id}
    if same and config.merged_ids:
        lines.append(
            f"{config.merged_ids.name} (merged_ids) says that this is the same person as {', '.join(sorted(same))}, "
            "whose record is still here: remove it too, if it is them you mean to remove, and then take the line out"
        )
    return lines
