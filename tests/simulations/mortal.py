"""Runs nights and deliveries in processes of their own, each killed at the moment it is told, or left to finish.

Orders are lines of JSON on standard input. Everything is imported once and each order is a fork of that, so that a
night costs a night and not the start of a Python.
"""

import datetime as dt
import json
import os
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from monitor.config.settings import load_config
from monitor.delivery.channel import open_channel
from monitor.errors import MonitorError
from monitor.messages.templates import open_templates
from monitor.night.context import Tools
from monitor.night.on_duty import write_anew
from monitor.night.run import run_night
from monitor.outbox.receipts import poll_receipts
from monitor.outbox.send import deliver_due
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.database import working_store
from monitor.store.location import locate
from monitor.store.nights import Request


def work(order: dict[str, Any]) -> None:
    """One run of the night, if it is asked for, and one delivery, by a clock that is ahead of the real one."""
    environ = order["environ"]
    config = load_config(Path(order["config"]))
    as_at = dt.date.fromisoformat(order["as_at"])

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=order["minutes_ahead"])

    if order["night"]:
        run_night(
            config,
            Request(as_at, as_at, unattended=order["unattended"]),
            Tools(clock, environ, lambda step: None),
        )
    network = config.network.reach(environ)
    with working_store(locate(config, environ)) as database:
        poll_receipts(database, open_channel(config.delivery, config.data_folder, network), config, clock=clock)
        write_anew(database, config, lambda: (open_rulebook(config), open_templates(config.templates)), clock())
        deliver_due(database, open_channel(config.delivery, config.data_folder, network), config, clock=clock)


def learn(names: list[str]) -> None:
    """Import what a whole night has imported, so that the next fork need not."""
    for name in names:
        with suppress(Exception):
            import_module(name)


def live(order: dict[str, Any]) -> dict[str, Any]:
    """Fork, work, and be killed after so many seconds if that comes first."""
    started = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        code = 0
        try:
            work(order)
        except MonitorError as fault:
            print(fault, file=sys.stderr)
            code = 1
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 99
        finally:
            if order["learn"]:
                os.write(writing, "\n".join(sys.modules).encode())
            os._exit(code)
    os.close(writing)
    if order["learn"]:
        with os.fdopen(reading, "rb") as pipe:
            learn(pipe.read().decode().split("\n"))
    else:
        os.close(reading)
    killed = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if not killed and order["kill_after"] is not None and time.monotonic() - started >= order["kill_after"]:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(0.001)
    return {
        "killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - started,
    }  # fmt: skip


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(live(json.loads(line))), flush=True)
