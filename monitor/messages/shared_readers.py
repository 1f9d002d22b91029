"""Readers to whom several councils of a fleet write: the fleet puts their letters together into one mail a day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.errors import Problems

VARIABLE = "MONITOR_FLEET_READERS"
"""The environment variable by which the fleet tells a council's night of them: no address stands on a command line."""


@dataclass(frozen=True)
class SharedReaders:
    """The readers that a council shares with others. ``cards_after``: by address, the number before its first card.

    So no two councils number a card of one reader alike, and an answer by number is about one young person.
    """

    cards_after: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, address: str) -> bool:
        return address.lower() in self.cards_after


NOBODY_SHARED = SharedReaders()


def write_shared(shared: SharedReaders) -> str:
    """Return the readers as the environment variable holds them."""
    return json.dumps(shared.cards_after)


def read_shared(environ: Mapping[str, str]) -> SharedReaders:
    """Return the readers that the fleet told of; nobody where no fleet started this process."""
    told = environ.get(VARIABLE)
    if not told:
        return NOBODY_SHARED
    try:
        numbers = json.loads(told)
        return SharedReaders({str(address).lower(): int(number) for address, number in numbers.items()})
    except (ValueError, TypeError, AttributeError):
        raise Problems(
            [f"{VARIABLE}: is not as monitor fleet writes it; unset it, for the fleet alone needs it"]
        ) from None
