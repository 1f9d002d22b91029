"""The outbox: messages are saved with the changes they tell of, then delivered, every attempt a row.

    created -> sending -> delivered          (told from the moment the transport took it)
                       -> temporary-failure  (tried again after a growing wait, then given up)
                       -> permanent-failure  (refused outright or given up: manager and analyst are told)
                       -> technical-failure  (nobody knows whether it went: held, and told)
    created, temporary-failure -> replaced   (by a later night's digest to the same address, or because something it
                                              says may no longer be said to that reader)

``sending`` without acceptance is in doubt: the process was killed, or no answer came. ``settling`` says how each
channel finds out; until then, and when it is held, the next digest to that address has its news again and says so.
"""

from monitor.outbox.due import find_due
from monitor.outbox.memory import NOTHING_TOLD, Memory, load_memory, load_told_escalations
from monitor.outbox.posting import Posting, post, tell
from monitor.outbox.receipts import Received, poll_receipts
from monitor.outbox.sending import Delivered, deliver_due

__all__ = [
    "NOTHING_TOLD",
    "Delivered",
    "Memory",
    "Posting",
    "Received",
    "deliver_due",
    "find_due",
    "load_memory",
    "load_told_escalations",
    "poll_receipts",
    "post",
    "tell",
]
