"""The commands of the service: start it, and ask how it is."""

import os

import typer

from monitor.cli.options import CONFIG, ConfigPath, now


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
