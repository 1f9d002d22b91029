"""The commands of the service: start it, and ask how it is."""

import os

import typer

from monitor.cli.options import CONFIG, AsJson, ConfigPath, database, load, now


def start(config: ConfigPath = CONFIG) -> None:
    """Run every night, deliver, and look after itself, until it is stopped; what it does is logged."""
    from monitor import logbook
    from monitor.schedule import Service, serve
    from monitor.schedule.settings import Watch

    watch = Watch(config, os.environ)
    settings = watch.settings.config.service
    log = logbook.open_log(settings.log, settings.log_file)
    serve(Service(watch, os.environ, now, log), log)
    raise typer.Exit(0)


def status(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """How the monitor stands, and what needs a person: the last nights, the next, what waits, the disk."""
    settings = load(config)

    from monitor import terminal
    from monitor.schedule import concerns, standing, wording

    found = standing.gather(settings, database(settings), now(), wait_seconds=2)
    needed = concerns.judge(found, settings)
    if as_json:
        terminal.print_json(wording.as_dict(found, needed))
    else:
        for line in wording.describe(found, needed):
            typer.echo(line)
    raise typer.Exit(1 if needed else 0)
