"""The commands about what is kept: removing what is past its time, or a person, and verifying what is left."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import CONFIG, AsJson, ConfigPath, load, locate_database, now, today
from monitor.errors import Problems


def purge(
    config: ConfigPath = CONFIG,
    person: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove this person everywhere; needs --by and --reason.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided it.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, without the id: it stays on record.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is past its time to be kept, or a person."""
    if person is None and (by or reason):
        raise Problems(["--by, --reason: go with --person; what is past its time goes by the config alone"])
    if person is not None and not (by and reason):
        raise Problems(["--person: needs --by, the name of who decided it, and --reason, why"])
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.record.continuity import known_store
    from monitor.record.purge import describe, insist_on_recent_night, purge_store

    with known_store(settings, locate_database(settings)) as database:
        if person is None:
            if not dry_run:
                insist_on_recent_night(database, settings, today())
            purged = purge_store(database, settings, today(), now(), dry_run=dry_run)
            lines, content, code = describe(purged, dry_run=dry_run), purged.as_dict(), purged.exit_code
        else:
            from monitor.record import remove_person as removing

            request = removing.RemovalRequest(person, by or "", reason or "", today(), now(), dry_run)
            with plain_text.progress() as say:
                account = removing.remove_person(database, settings, request, os.environ, say)
            lines, content, code = removing.describe(account), account.as_dict(), account.exit_code
    plain_text.print_account(lines, content, as_json=as_json)
    raise typer.Exit(code)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; it must be new.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a proved backup of the database to a file, also while a night runs; its owner alone can read it."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.record import backup as backing_up

    until, where = settings.retention.keeps_backup_until(today()), locate_database(settings)
    account = backing_up.make_backup(settings, where, file, now(), until=until)
    plain_text.print_account(backing_up.describe(account), asdict(account), as_json=as_json)
    raise typer.Exit(account.exit_code)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup made with: monitor backup FILE")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decided it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why: it stays on record.")],
    config: ConfigPath = CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be lost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, which is set aside; says what is lost."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.record import restore as restoring

    request = restoring.RestoreRequest(file.absolute(), by, reason, today(), now(), dry_run)
    account = restoring.restore(settings, locate_database(settings), request)
    plain_text.print_account(restoring.describe(account), account.as_dict(), as_json=as_json)
    raise typer.Exit(account.exit_code)


def audit(
    config: ConfigPath = CONFIG,
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="A head printed on a digest or report, or how it begins.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the record: the chain of events, every table it tells of and the files beside it; name what differs."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.record import audit as auditing
    from monitor.store.database import reading_store

    with reading_store(locate_database(settings)) as database, plain_text.progress() as say:
        found = auditing.audit(database, settings.data_folder, head=head, say=say)
    plain_text.print_account(auditing.describe(found), found.as_dict(), as_json=as_json)
    raise typer.Exit(found.exit_code)
