"""The settings of the service that runs every night, and of what watches it."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.fields import Hour, Line, Located, Table

NEVER_FROM, NEVER_TO = dt.time(1), dt.time(2)
"""Between these a clock time comes twice in October and not at all in March."""


def _not_when_clocks_change(hour: dt.time) -> dt.time:
    if NEVER_FROM <= hour < NEVER_TO:
        raise ValueError('between 01:00 and 01:59 the clocks change; choose another time, like "02:30"')
    return hour


class ServiceSettings(Table):
    """When the service works, and how it tells of it.

    ``retries``: how often a night that was not accepted is tried again on its date, every ``retry_after_minutes``.
    """

    run_at: Annotated[Hour, AfterValidator(_not_when_clocks_change)] = dt.time(2, 30)
    retry_after_minutes: int = Field(default=60, ge=1, le=720)
    retries: int = Field(default=6, ge=0, le=48)
    deliver_every_minutes: int = Field(default=5, ge=1, le=120)
    receipts_every_minutes: int = Field(default=15, ge=1, le=720)
    log: Literal["text", "json"] = "text"
    log_file: Located | None = None
    least_free_megabytes: int = Field(default=1000, ge=0)


class HeartbeatSettings(Table):
    """An outside service that is pinged, and raises the alarm when no ping comes; its address is a secret."""

    url_env: Line | None = None
    url_file: Located | None = None
    timeout_seconds: int = Field(default=10, ge=1, le=60)
    retries: int = Field(default=3, ge=0, le=10)

    @model_validator(mode="after")
    def _is_one_place(self) -> "HeartbeatSettings":
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("url_env: name the variable that holds the address, or url_file, the file, and not both")
        return self
