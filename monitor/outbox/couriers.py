"""Threads that hand messages to the channel, a few at once; none of them touches the database.

They end with the process: one that waits ten minutes for a mail server holds up nobody who stops the monitor, and what
it carried is then a message of which nobody knows whether it went.
"""

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Envelope, Receipt

ALONE_SECONDS = 2.0
"""How long the first message goes alone: a channel that is out of order is found out by one, and a slow one is not
waited for."""
LOOK_UP_SECONDS = 1.0
"""How often a wait lets the process see that it is to stop."""


@dataclass(frozen=True)
class Parcel:
    """A message on its way: its row, the number of the attempt, and what the channel is given."""

    message: Any
    attempt: int
    envelope: Envelope


@dataclass(frozen=True)
class Delivery:
    """What came of a parcel: the receipt, or the fault."""

    parcel: Parcel
    result: Receipt | Exception


class Couriers:
    """At most ``channel.at_once`` messages on their way, and never two to one reader.

    One goes at a time until the channel has taken one, or has not answered for ``ALONE_SECONDS``.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._given: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._threads = 0
        self._readers: set[str] = set()
        self._at_once = 1

    @property
    def under_way(self) -> int:
        return len(self._readers)

    @property
    def has_room(self) -> bool:
        return self.under_way < self._at_once

    def can_take(self, recipient: str) -> bool:
        """Return whether a message to this reader can go now: what was written later never overtakes."""
        return self.has_room and recipient not in self._readers

    def give(self, parcel: Parcel) -> None:
        self._readers.add(parcel.message.recipient)
        if self._threads < self.under_way:
            self._threads += 1
            threading.Thread(target=self._carry, name=f"courier-{self._threads}", daemon=True).start()
        self._given.put(parcel)

    def wait(self) -> Delivery | None:
        """Return what came of a message that was given; None where another may go before that is known."""
        waited = 0.0
        while True:
            with suppress(queue.Empty):
                delivery = self._done.get(timeout=LOOK_UP_SECONDS)
                self._readers.discard(delivery.parcel.message.recipient)
                if isinstance(delivery.result, Receipt):
                    self._at_once = self._channel.at_once
                return delivery
            waited += LOOK_UP_SECONDS
            if waited >= ALONE_SECONDS and self._at_once < self._channel.at_once:
                self._at_once = self._channel.at_once
                return None

    def dismiss(self) -> None:
        """Let every thread end once it has nothing on its way."""
        for _ in range(self._threads):
            self._given.put(None)

    def _carry(self) -> None:
        while (parcel := self._given.get()) is not None:
            try:
                result: Receipt | Exception = self._channel.send(parcel.envelope)
            except Exception as fault:
                result = fault
            self._done.put(Delivery(parcel, result))
