"""The ``monitor`` command: reads the clock and the environment, calls one function, shows what it says.

One module for each kind of command. Libraries that are slow to import are imported by the command that needs them.
"""

import os
import sys

import typer

from monitor.cli import decisions, keeping, looking, nights, rules, service, trials
from monitor.errors import MonitorError

app = typer.Typer(
    name="monitor",
    help="Checks every night that no young person leaving care has dropped out of sight.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    nights.run,
    service.start,
    service.status,
    nights.deliver,
    nights.check,
    nights.confirm,
    decisions.waive,
    decisions.unwaive,
    decisions.answers,
    looking.export,
    looking.measures,
    looking.report,
    looking.explain,
    looking.backtest,
    keeping.audit,
    keeping.purge,
    trials.init,
    trials.sample,
    trials.columns,
)
"""In the order in which ``monitor --help`` lists them."""
for command in COMMANDS:
    app.command()(command)
app.add_typer(rules.rules_app, name="rules")


def main() -> None:
    """Run the command line; a ``MonitorError`` is shown without a traceback and sets the exit code."""
    # Whatever a library leaves behind, too, is nobody else's to read.
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except MonitorError as fault:
        for line in str(fault).splitlines():
            typer.secho(line, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        typer.echo("stopped; what was not finished has changed nothing, run again when ready", err=True)
        sys.exit(130)
