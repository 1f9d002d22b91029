"""The settings of waivers and of answers: why a flag may be left alone, for how long, and which lists still count."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.config.fields import Line, Table
from monitor.durations import Duration, parse_duration

MOST_REASONS = 30
"""What a person can choose from."""


def _duration(value: str) -> str:
    if parse_duration(value).unit == "working day":
        raise ValueError(f'"{value}" is in working days; a waiver ends on a date, so write days, weeks or months')
    return value


def _codes(reasons: Mapping[str, "Reason"]) -> Mapping[str, "Reason"]:
    for code in reasons:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", code) or len(code) > 40:
            raise ValueError(f'"{code[:60]}" is not a code; write small letters, digits and hyphens, 40 at most')
    if not 0 < len(reasons) <= MOST_REASONS:
        raise ValueError(f"{len(reasons)} reasons; give between 1 and {MOST_REASONS}")
    return reasons


class Reason(Table):
    """Why a flag may be left alone, in words, and the longest time for which it may."""

    meaning: Line
    longest: Annotated[str, AfterValidator(_duration)]

    @property
    def longest_time(self) -> Duration:
        return parse_duration(self.longest)


USUAL = {
    "under-way": ("The work is under way and has a date", "4 weeks"),
    "waiting-for-others": ("Another service has to act first, and has been asked", "8 weeks"),
    "their-choice": ("The young person, knowing what is offered, has asked us to wait", "3 months"),
    "not-safe-now": ("Doing it now could harm someone; a manager has looked at the risk", "4 weeks"),
    "system-cannot-record": ("It is done, and the case system has no place to record it", "6 months"),
}
"""The usual reasons: what each means, and the longest time."""


def _usual() -> Mapping[str, Reason]:
    return MappingProxyType({code: Reason(meaning=words, longest=time) for code, (words, time) in USUAL.items()})


class WaiverSettings(Table):
    """The reasons for which a flag may be waived, by code; a council's own take the place of the usual ones."""

    reasons: Annotated[Mapping[str, Reason], AfterValidator(_codes)] = Field(default_factory=_usual)


class Answers(Table):
    """How long an exception list may be answered, in working days from its date."""

    list_working_days: int = Field(default=10, ge=1, le=60)
