"""The commands by which people decide about flags: waive one, end a waiver, read back what leads answered."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import CONFIG, AsJson, ConfigPath, load, locate_database, now, today

Person = Annotated[str, typer.Argument(metavar="PERSON", help="The young person's id.")]
Rule = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decided it; needed.")]


def waive(
    person: Person,
    rule: Rule,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="The last day it stands, like 2026-03-31.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="CODE", help="A reason code of the config.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What was agreed, and with whom.")] = None,
    by: By = None,
    config: ConfigPath = CONFIG,
) -> None:
    """Leave one rule's flag for one person alone until a date, for a reason, in somebody's name."""
    settings = load(config)

    from monitor.config.id_lists import read_restricted
    from monitor.flags import waiver_request
    from monitor.record.continuity import known_store
    from monitor.rulebook.kept_rulebook import open_rulebook
    from monitor.store.events import Stamp

    rulebook = open_rulebook(settings)
    with known_store(settings, locate_database(settings)) as database:
        request = waiver_request.WaiverRequest(person.strip(), rule.strip(), until, reason, note, by)
        limits = waiver_request.WaiverLimits(settings.waivers.reasons, read_restricted(settings))
        typer.echo(waiver_request.waive(database, rulebook, request, limits, Stamp(today(), now())))


def unwaive(
    person: Person,
    rule: Rule,
    by: By = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why it ends early.")] = None,
    config: ConfigPath = CONFIG,
) -> None:
    """End a waiver before its date; the flag, if it still stands, is told again from the next night."""
    settings = load(config)

    from monitor.flags import waiver_request
    from monitor.record.continuity import known_store
    from monitor.store.events import Stamp

    with known_store(settings, locate_database(settings)) as database:
        request = waiver_request.UnwaiveRequest(person.strip(), rule.strip(), by, note)
        typer.echo(waiver_request.unwaive(database, request, Stamp(today(), now())))


def answers(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A list (.xlsx), a team's page (.json) or a reply (.eml)."),
    ],
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every answer and record none.")] = False,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Read back what a lead answered, on a list, a team's page or by e-mail: every answer is recorded, or none."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.flags import answer_file
    from monitor.lists.answered_file import find_readers, read_answered
    from monitor.record.continuity import known_store
    from monitor.store.database import reading_store
    from monitor.store.events import Stamp

    answered = read_answered(file, by, find_readers(settings.teams, today()))
    where = locate_database(settings)
    with reading_store(where) if dry_run else known_store(settings, where) as database:
        answers = settings.answers.list_working_days
        limits = answer_file.AnswerLimits(settings.waivers.reasons, answers, settings.working_days)
        saved = answer_file.save_answers(database, answered, limits, Stamp(today(), now()), dry_run=dry_run)
    plain_text.print_account((saved.in_words(),), saved.as_dict(), as_json=as_json)
