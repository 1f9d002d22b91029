"""Names what the removal of a person does not reach, and what to do about each, in plain words."""

from sqlalchemy import Connection, select

from monitor.catalogue.person_ids import fold_id
from monitor.config.id_lists import read_ids, read_merged
from monitor.config.settings import Config
from monitor.outbox.person_messages import load_person_messages
from monitor.record import backup_list, remove_files
from monitor.record.trace import Trace
from monitor.store.database import looking_at
from monitor.store.tables import Person, table_of


def list_beyond_reach(store: Connection, config: Config, trace: Trace) -> tuple[str, ...]:
    lines = [_describe_sent(store, trace)]
    if folder := config.lists.lists_folder:
        copies = remove_files.find_copies(folder, trace)
        named = ": " + ", ".join(path.relative_to(folder).as_posix() for path in copies) if copies else ""
        lines.append(
            f"{len(copies)} lists in {folder} name this person{named}. They are the leads' copies: remove them "
            "there, or the rows"
        )
    lines.append(
        "Lists and reports that somebody exported, printed, or has filled in and not yet returned: ask the leads and "
        "the analyst to look for this id and remove it"
    )
    lines += _describe_backups(config, trace)
    lines.append(
        "Backups of the data folder and the database from before today still hold this person, where another program "
        "made them: let them run out on their own date or remove them; after putting one back, give this command again"
    )
    if store.dialect.name != "sqlite":
        lines.append("PostgreSQL's write-ahead log, its archives and replicas hold it until they are recycled")
    lines.append("The heartbeat service was told counts only: nothing to do")
    return (*lines, *_describe_council_files(config, trace))


def _describe_backups(config: Config, trace: Trace) -> list[str]:
    """Name each backup of the monitor's own that has the person, and until when."""
    lines, person = [], table_of(Person)
    theirs = select(person.c.person_id).where(person.c.person_id == trace.person_id)
    for backup in backup_list.find_standing(config.data_folder):
        with looking_at(backup.url) as store:
            if store.execute(theirs).first() is None:
                continue
        until = config.retention.keeps_backup_until(backup.made_at.date())
        when = f"until {until}, when a purge removes it" if until else "for ever: remove it when nobody needs it"
        lines.append(f"The backup {backup.path} holds this person {when}; monitor restore removes them again")
    return lines


def _describe_sent(store: Connection, trace: Trace) -> str:
    messages = load_person_messages(store, trace.person_id)
    sent = [message for message in messages if message.accepted_at is not None]
    if not sent:
        return "E-mails: no message that is still on record here named this person; older ones may have"
    days = sorted({message.as_at for message in sent})
    readers = ", ".join(sorted({message.recipient for message in sent}))
    return (
        f"E-mails: {len(sent)} that named this person went to {readers} between {days[0]} and {days[-1]}, and cannot "
        "be called back: ask these readers to delete them, and your mail system's keeper about archives"
    )


def _describe_council_files(config: Config, trace: Trace) -> list[str]:
    """List the council's own files that name the person, and a merged record of the same person, which is to go too."""
    lines = []
    key = fold_id(trace.person_id)
    if config.restricted and key in {listed.key for listed in read_ids(config.restricted)}:
        lines.append(f"{config.restricted.name} (restricted) names this id: take the line out")
    merged = read_merged(config.merged_ids)
    same = {new for old, new in merged.items() if fold_id(old) == key}
    same |= {old for old, new in merged.items() if fold_id(new) == key}
    if same and config.merged_ids:
        lines.append(
            f"{config.merged_ids.name} (merged_ids) says that this is the same person as {', '.join(sorted(same))}, "
            "whose record is still here: remove it too, if it is them you mean to remove, and then take the line out"
        )
    return lines
