"""The commands about nights: run one, send what is due, check what it needs, confirm what waits."""

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    CONFIG,
    WAIT,
    AsAt,
    AsJson,
    ConfigPath,
    Wait,
    date_option,
    load,
    locate_database,
    now,
    today,
)
from monitor.errors import Problems

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.network.policy import Network
    from monitor.outbox.bounce_mailbox import BouncesHeard


def run(
    config: ConfigPath = CONFIG,
    as_at: AsAt = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but save and send.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Put an accepted night right; needs --by.")] = False,
    accept: Annotated[
        str | None, typer.Option(metavar="REASON", help="Believe a night the gate would refuse; needs --by.")
    ] = None,
    withdraw: Annotated[
        dt.date | None,
        date_option("--withdraw", "Take back the last accepted night, which is of this date; needs --by and --reason."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided it.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why a night is taken back.")] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Print the night's steps: what each reads and makes.")] = False,
    every_rule: Annotated[bool, typer.Option("--all", help="Print every rule, not only those in breach.")] = False,
    wait: Wait = WAIT,
    as_json: AsJson = False,
) -> None:
    """Run one night: read, check, flag, write the lists and the e-mails; or take the last one back."""
    others = {
        "--as-at": as_at,
        "--dry-run": dry_run,
        "--again": again,
        "--accept": accept is not None,
        "--steps": steps,
        "--all": every_rule,
        "--json": as_json,
    }
    if withdraw is not None:
        _withdraw(config, withdraw, (by, reason), [name for name, used in others.items() if used], wait)
    if reason is not None:
        raise Problems(["--reason: goes with --withdraw; for a night that is to be believed: --accept REASON"])
    decided = {"--again": again, "--accept": accept is not None}
    problems = [f"{one}: needs --by, the name of who decided it" for one, used in decided.items() if used and not by]
    if accept is not None and not accept.strip():
        problems.append("--accept: needs a reason in words")
    if problems:
        raise Problems(problems)
    settings = load(config)

    from monitor.cli import night_account, plain_text, terminal
    from monitor.night.context import Tools
    from monitor.night.run import run_night
    from monitor.store.nights import Request

    day = today()
    request = Request(as_at or day, day, dry_run, again, by, accept)
    with plain_text.progress() as say:
        night = run_night(settings, request, Tools(now, os.environ, say), wait_seconds=wait)
    if as_json:
        plain_text.print_json(night_account.describe_night(night))
        raise typer.Exit(night.exit_code)
    if steps:
        terminal.print_steps(night.steps)
    night_account.print_night(night, settings, every_rule=every_rule)
    raise typer.Exit(night.exit_code)


def _withdraw(
    config: Path, day: dt.date, signed: tuple[str | None, str | None], others: list[str], wait: float
) -> None:
    """Take a night back, and end the command."""
    by, reason = ((text or "").strip() for text in signed)
    problems = [f"--withdraw: does not go with {name}" for name in others]
    problems += [] if by else ["--withdraw: needs --by, the name of who decided it"]
    problems += [] if reason else ["--withdraw: needs --reason, why the night is taken back"]
    if problems:
        raise Problems(problems)
    settings = load(config)

    from monitor.night import withdraw
    from monitor.night.context import Tools

    request = withdraw.WithdrawalRequest(day, by, reason, today())
    account = withdraw.withdraw_night(settings, request, Tools(now, os.environ, typer.echo), wait_seconds=wait)
    for line in withdraw.describe(account):
        typer.echo(line)
    raise typer.Exit(account.exit_code)


def deliver(
    config: ConfigPath = CONFIG,
    hurried: Annotated[bool, typer.Option("--now", help="Do not wait for the time of the next try.")] = False,
    wait: Wait = WAIT,
    as_json: AsJson = False,
) -> None:
    """Send the messages that are due, and find out what became of those that were taken."""
    settings = load(config)

    from monitor.cli import plain_text, terminal
    from monitor.delivery.channel import open_channel
    from monitor.messages.templates import open_templates
    from monitor.night.on_duty import write_anew
    from monitor.outbox.receipts import poll_receipts
    from monitor.outbox.send import Choice, deliver_due
    from monitor.record.continuity import known_store
    from monitor.rulebook.kept_rulebook import open_rulebook

    network = settings.network.reach(os.environ)
    channel = open_channel(settings.delivery, settings.data_folder, network)
    heard = _hear_bounces(settings, network, wait)
    with known_store(settings, locate_database(settings), wait_seconds=wait, existing=False) as database:
        received = poll_receipts(database, channel, settings, clock=now)
        write_anew(database, settings, lambda: (open_rulebook(settings), open_templates(settings.templates)), now())
        delivered = deliver_due(database, channel, settings, clock=now, choice=Choice(hurried=hurried))
    if as_json:
        found = {"receipts": vars(received), "bounces": vars(heard)}
        plain_text.print_json({**terminal.describe_delivery(delivered), **found})
    else:
        for line in heard.in_words():
            typer.echo(line)
        terminal.print_receipts(received)
        terminal.print_delivery(delivered)
    raise typer.Exit(0 if delivered.all_went and not (received.failed or heard.failed or heard.fault) else 1)


def _hear_bounces(settings: "Config", network: "Network", wait: float) -> "BouncesHeard":
    """Look into the mailbox of delivery reports, where the config names one."""
    from monitor.delivery.report_mailbox import open_mailbox
    from monitor.outbox import bounce_mailbox
    from monitor.record.continuity import known_store

    bounces = settings.delivery.bounces
    if bounces is None:
        return bounce_mailbox.BouncesHeard()
    mailbox = open_mailbox(bounces, network)
    try:
        seen = bounce_mailbox.look(mailbox, today(), bounces.look_back_days)
        with known_store(settings, locate_database(settings), wait_seconds=wait, existing=False) as database:
            return bounce_mailbox.record_look(database, mailbox, seen, now())
    finally:
        mailbox.close()


def bounced(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Reports of a mail server, saved as .eml.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    wait: Wait = WAIT,
) -> None:
    """Read delivery reports: what came back counts as not told, and the manager and the analyst hear of it at once."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.delivery.channel import open_channel
    from monitor.outbox import bounces
    from monitor.outbox.send import deliver_due
    from monitor.record.continuity import known_store

    channel = open_channel(settings.delivery, settings.data_folder, settings.network.reach(os.environ))
    with known_store(settings, locate_database(settings), wait_seconds=wait) as database:
        read = bounces.read_files(database, files, now())
        if any(each.failed for file in read for each in file.heard):
            deliver_due(database, channel, settings, clock=now)
    lines = [line for file in read for line in file.in_words()]
    plain_text.print_account(lines, [file.as_dict() for file in read], as_json=as_json)
    raise typer.Exit(bounces.find_exit_code(read))


def check(
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="With --send-test: the one address to send it to.")
    ] = None,
    send_test: Annotated[
        bool,
        typer.Option("--send-test", help="Send a test to every reader, or to ADDRESS; look at nothing else."),
    ] = False,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Check config, rules, sources and routes; nothing is saved, and nothing is sent but what --send-test sends."""
    settings = load(config)
    if address is not None and not send_test:
        raise Problems([f'{address}: an address goes with --send-test; "monitor check" alone takes none'])
    if send_test:
        from monitor.cli import send_test as test

        raise typer.Exit(test.send(settings, address, as_json=as_json))

    from monitor.cli import check, terminal

    report = check.check(settings, as_at=today(), environ=os.environ)
    terminal.print_check(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


def confirm(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A rule whose new flags wait, or the id of someone recorded as died.")
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who confirmed it.")],
    config: ConfigPath = CONFIG,
) -> None:
    """Confirm a rule's flags that wait as a likely data fault, or what the records say of someone recorded as died."""
    settings = load(config)

    from monitor.flags.quarantine import confirm_surge, list_waiting
    from monitor.record import last_night
    from monitor.record.continuity import known_store
    from monitor.rulebook.kept_rulebook import open_rulebook

    day, moment = today(), now()
    with known_store(settings, locate_database(settings)) as database:
        said = confirm_surge(database, what, by=by, today=day, now=moment)
        if said is None and what in open_rulebook(settings).by_id:
            waiting = ", ".join(list_waiting(database)) or "no rule's"
            raise Problems([f"{what}: no flags of this rule wait to be confirmed; {waiting} do"])
        typer.echo(said or last_night.confirm(database, what, by=by, today=day, now=moment))
