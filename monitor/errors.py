"""Everything that can go wrong and that a person can put right.

    MonitorError                exit code 1
    ├── Problems                2   wrong usage, config or rules: every problem at once
    ├── SourceError             3   a source cannot be read
    ├── StoreError              3   the database cannot be used; nothing of the step was saved
    ├── Refused                 3   the night, or the request, is refused; nothing has changed
    ├── LockHeld                4   another run holds the lock
    └── DeliveryError           1   one message was not delivered
        └── DoubtfulRefusal         and perhaps every other would be refused alike

Wording: place, what is wrong, what would be right. No full stop, no personal data. ``cli`` prints
these without a traceback; anything else is a defect and keeps its traceback.
"""

from collections.abc import Iterable
from datetime import datetime


class MonitorError(Exception):
    """A person can act on this."""

    exit_code = 1


class Problems(MonitorError):
    """Several things wrong in what a person wrote, each one line: place, fault, remedy."""

    exit_code = 2

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class SourceError(MonitorError):
    """A source cannot be read, so the night cannot be judged."""

    exit_code = 3


class StoreError(MonitorError):
    """The database cannot be used, so nothing can be remembered; what was being saved was not saved at all."""

    exit_code = 3


class Refused(MonitorError):
    """The night would not be believed, or the request would harm the record; nothing has changed."""

    exit_code = 3


class LockHeld(MonitorError):
    """Another run is at work on the same database."""

    exit_code = 4


class DeliveryError(MonitorError):
    """One message was not delivered.

    ``permanent``: trying again cannot help. ``ambiguous``: the other side may have accepted it. ``stops``: it says
    nothing of this message, since no message can be sent until it is put right. ``not_before``: when to try again.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        ambiguous: bool = False,
        stops: bool = False,
        not_before: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.ambiguous = ambiguous
        self.stops = stops
        self.not_before = not_before


class DoubtfulRefusal(DeliveryError):
    """One message was refused for good, for a reason that may be the fault of every message alike."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)
