"""The settings of what readers are told besides the news: escalation, the weekly list, flags that keep changing."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from monitor.config.fields import Table

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _steps(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(value) > 2 or any(days < 1 for days in value) or tuple(sorted(set(value))) != value:
        meant = "working days after which the manager and then the head of service hears"
        raise ValueError(f"must be {meant}, like [2, 5]; [] where nobody does")
    return value


Steps = Annotated[tuple[int, ...], AfterValidator(_steps)]


class EscalationSettings(Table):
    """After how many working days somebody above the lead hears of a flag, by its severity."""

    critical: Steps = (2, 5)
    high: Steps = (10, 20)
    medium: Steps = ()
    low: Steps = ()
    backlog_days: int = Field(default=20, ge=1)
    most_listed: int = Field(default=20, ge=1)
    summary_day: Weekday = "Monday"

    @property
    def steps(self) -> Mapping[str, tuple[int, ...]]:
        """The steps of each severity, data aside, which is the analyst's."""
        return {"critical": self.critical, "high": self.high, "medium": self.medium, "low": self.low}


class Digests(Table):
    """What a lead's digest holds besides the news."""

    full_list_day: Weekday = "Monday"
    flips: int = Field(default=3, ge=2)
    flip_nights: int = Field(default=30, ge=2, le=40)


def latest(day: Weekday, as_at: date) -> date:
    """Return the last such weekday up to and with ``as_at``."""
    return as_at - timedelta((as_at.weekday() - get_args(Weekday).index(day)) % 7)
