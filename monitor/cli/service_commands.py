"""The commands of the service: start it, and ask how it is."""

import os

import typer

from monitor.cli.options import CONFIG, AsJson, ConfigPath, load, locate_database, now


def start(config: ConfigPath = CONFIG) -> None:
    """Run every night, deliver, and look after itself, until it is stopped; what it does is logged."""
    from monitor.log import open_log
    from monitor.service.start import serve
    from monitor.service.steps import Service

    settings = load(config).service
    log = open_log(settings.log, settings.log_file)
    service = Service(config, os.environ, now, log)
    service.insist_on_history()
    serve(service, log)
    raise typer.Exit(0)


def status(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """How the monitor stands, and what needs a person: the last nights, the next, what waits, the disk."""
    settings = load(config)

    from monitor.cli import plain_text
    from monitor.service import concerns, status, status_words

    found = status.gather(settings, locate_database(settings), now(), wait_seconds=2)
    needed = concerns.judge(found, settings)
    lines = status_words.describe(found, needed)
    plain_text.print_account(lines, status_words.as_dict(found, needed), as_json=as_json)
    raise typer.Exit(1 if needed else 0)
