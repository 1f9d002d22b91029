"""``monitor start``: wakes the service every minute, until it is told to stop.

APScheduler only says when to look; ``due`` decides from the ledger of nights what there is to do.
"""

import datetime as dt
import os
import signal
import time
from types import FrameType
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from monitor.service.steps import Service
from monitor.workdays import LONDON

if TYPE_CHECKING:
    from monitor.log import Log

MISFIRE_SECONDS = 6 * 3600
"""A look that is late by less is made all the same; later than that, the next minute's does its work."""
STOP = tuple(number for name in ("SIGINT", "SIGTERM", "SIGBREAK") if (number := getattr(signal, name, None)))
SIGNALS_SEEN_SECONDS = 0.2
"""A signal that falls between two instructions of this thread is seen after so long, not at the next look."""


def serve(service: Service, log: "Log") -> None:
    """Work until a signal, then finish the step in hand and return; a second signal ends the process at once."""
    asked: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        # No more than this: it may interrupt whatever the main thread is doing, with any lock in its hands.
        if asked:
            os._exit(128 + number)
        asked.append(number)

    for number in STOP:
        signal.signal(number, stop)
    log.info("service started", run_at=f"{service.timetable.service.run_at:%H:%M}")
    scheduler = BackgroundScheduler(timezone=LONDON, executors={"default": ThreadPoolExecutor(1)})
    scheduler.add_job(
        service.look,
        IntervalTrigger(minutes=1, timezone=LONDON),
        next_run_time=dt.datetime.now(LONDON),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=MISFIRE_SECONDS,
    )
    scheduler.start()
    while not asked:
        time.sleep(SIGNALS_SEEN_SECONDS)
    service.stopping.set()
    log.info("stopping after the step in hand", signal=signal.Signals(asked[0]).name)
    scheduler.shutdown(wait=False)
    with service.at_work:
        log.info("service stopped")
