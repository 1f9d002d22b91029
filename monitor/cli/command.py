"""The ``monitor`` command: reads the clock and the environment, calls one function, shows what it says.

One module for each kind of command. Libraries that are slow to import are imported by the command that needs them.
"""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from typing import Annotated

import typer

from monitor.cli import (
    decision_commands,
    fleet_commands,
    handbook_commands,
    night_commands,
    record_commands,
    rule_commands,
    scan_commands,
    service_commands,
    setup_commands,
    upkeep_commands,
)
from monitor.cli.plain_text import show_nearest_letters
from monitor.errors import MonitorError, Problems


def print_version(asked: bool) -> None:
    """Print the installed version, where it is asked for, and end the command."""
    if asked:
        typer.echo(f"care-leaver-monitor {metadata.version('care-leaver-monitor')}")
        raise typer.Exit


app = typer.Typer(
    name="monitor",
    help="Checks every night that no young person leaving care has dropped out of sight.",
    epilog="monitor help lists the pages of the handbook, for leads, analysts and IT.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def identify(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=print_version)
    ] = False,
) -> None: ...


COMMANDS = (
    night_commands.run,
    service_commands.start,
    service_commands.status,
    night_commands.deliver,
    night_commands.bounced,
    night_commands.check,
    night_commands.confirm,
    decision_commands.waive,
    decision_commands.unwaive,
    decision_commands.answers,
    record_commands.export,
    record_commands.measures,
    record_commands.report,
    record_commands.explain,
    record_commands.backtest,
    upkeep_commands.audit,
    upkeep_commands.backup,
    upkeep_commands.restore,
    upkeep_commands.purge,
    setup_commands.init,
    setup_commands.onboard,
    setup_commands.sample,
    setup_commands.columns,
    scan_commands.scan,
)
"""In the order in which ``monitor --help`` lists them."""
for command in COMMANDS:
    app.command()(command)
# A message that is asked about may begin like an option.
app.command(context_settings={"ignore_unknown_options": True})(handbook_commands.help)
app.add_typer(rule_commands.rules_app, name="rules")
app.add_typer(fleet_commands.fleet_app, name="fleet")


def main() -> None:
    """Run the command line, then leave the process with its exit code."""
    # A night makes some 120,000 objects that stay: looking through them for garbage at every 700 takes 0.1 s.
    gc.set_threshold(50_000)
    _leave(run_command())


def run_command() -> int:
    """Run the command line and return its exit code; a ``MonitorError`` is shown without a traceback."""
    # Files made by libraries must be private too.
    os.umask(0o077)
    # No other package has a say in how settings are read, and looking for one that wants it takes 15 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    show_nearest_letters()
    try:
        _refuse_broken_text(sys.argv[1:])
        app(standalone_mode=True)
    except MonitorError as fault:
        for line in str(fault).splitlines():
            typer.secho(line, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        return fault.exit_code
    except KeyboardInterrupt:
        typer.echo("stopped; what was not finished has changed nothing, run again when ready", err=True)
        return 130
    except SystemExit as ending:
        if isinstance(ending.code, int | None):
            return ending.code or 0
        raise
    return 0


def _refuse_broken_text(arguments: Sequence[str]) -> None:
    """Refuse what was typed in another alphabet than this machine's, for nothing kept could hold it; a file may."""
    for argument in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in argument) and not os.path.exists(argument):
            raise Problems([f"{argument}: holds bytes that are no letters in UTF-8; set the terminal to UTF-8"])


def _is_watched() -> bool:
    """Return whether a debugger, a profiler or a count of coverage looks on; from Python 3.12 on some ask otherwise."""
    monitoring = getattr(sys, "monitoring", None)
    named = monitoring is not None and any(map(monitoring.get_tool, range(MOST_TOOLS)))
    return named or sys.gettrace() is not None or sys.getprofile() is not None


MOST_TOOLS = 6
"""Tools that ``sys.monitoring`` has room for."""


def _leave(exit_code: int) -> None:
    """Leave at once: taking apart some 900 modules takes a third of a second, and nothing needs it.

    What asked to be called at the end is called, and what was printed is flushed. While a thread is at work, a
    debugger or a profiler looks on, or the output cannot be written, the interpreter ends in its own way.
    """
    if threading.active_count() == 1 and not _is_watched():
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(exit_code)
    sys.exit(exit_code)
