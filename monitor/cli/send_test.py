"""``monitor check --send-test``: whether mail arrives, by sending some, with what became of it in a table."""

import os
import time

import typer
from pydantic import TypeAdapter, ValidationError

from monitor.cli import plain_text
from monitor.cli.console import make_table, open_console
from monitor.cli.options import locate_database, now, today
from monitor.config.fields import Mailbox
from monitor.config.settings import Config
from monitor.delivery.channel import open_channel
from monitor.errors import MonitorError, Problems
from monitor.outbox import trial
from monitor.record.continuity import known_store
from monitor.store.database import is_there


def send(config: Config, address: str | None, *, as_json: bool) -> int:
    """Send the test to one address or to every reader, show what became of it, and return the exit code."""
    readers = trial.list_readers(config, today())
    if address is not None:
        one = _check_address(address)
        readers = {one: readers.get(one, ())}
    channel = open_channel(config.delivery, config.data_folder, config.network.reach(os.environ))
    trials = trial.send_trials(channel, config, readers, now=now(), sleep=time.sleep)
    fault = _record(config, trials)
    if as_json:
        plain_text.print_json({**trials.as_dict(), "not_recorded": fault})
    else:
        _print(trials, fault)
    return 1 if trials.failed else 0


def _check_address(address: str) -> str:
    try:
        return str(TypeAdapter(Mailbox).validate_python(address)).lower()
    except ValidationError as fault:
        words = fault.errors()[0].get("ctx", {}).get("error", "write it like name@example.gov.uk")
        raise Problems([f"{address}: {words}"]) from None


def _record(config: Config, trials: trial.Trials) -> str | None:
    """Record that a test was sent, where there is a database yet; return why it could not be recorded."""
    try:
        where = locate_database(config)
        if is_there(where):
            with known_store(config, where) as database, database.writing() as store:
                trial.record(store, trials, now())
    except MonitorError as fault:
        return str(fault).splitlines()[0]
    return None


def _print(trials: trial.Trials, fault: str | None) -> None:
    console = open_console()
    table = make_table("Address", "Reads as", "What became of it")
    for each in trials.each:
        table.add_row(each.address, ", ".join(each.reads_as) or "no reader of the config", each.words)
    console.print(table)
    went = len(trials.each) - trials.failed
    typer.echo(f"{went} of {len(trials.each)} went through the channel {trials.channel}; {trials.failed} did not")
    if fault:
        typer.echo(f"not on record that a test was sent: {fault}")
