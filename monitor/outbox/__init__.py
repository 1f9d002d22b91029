"""The outbox: messages are saved with the changes they tell of, then delivered, every attempt a row.

created -> sending -> delivered
                   -> temporary-failure   (tried again at the next delivery)
                   -> permanent-failure   (refused outright: given up)
                   -> technical-failure   (nobody knows whether it went: never sent again blindly)
created, temporary-failure -> replaced    (by a later night's message to the same address, or because
                                           someone it tells of has been recorded as died since)
"""

from monitor.outbox.due import find_due
from monitor.outbox.memory import NOTHING_TOLD, Memory, load_memory
from monitor.outbox.posting import Posting, post, tell
from monitor.outbox.sending import Delivered, deliver_due

__all__ = [
    "NOTHING_TOLD",
    "Delivered",
    "Memory",
    "Posting",
    "deliver_due",
    "find_due",
    "load_memory",
    "post",
    "tell",
]
