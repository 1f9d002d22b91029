"""The few connections to one mail server, kept for the next message and shared by the threads that send."""

import threading
from collections.abc import Callable

from monitor.delivery.smtp_conversation import Conversation
from monitor.errors import DeliveryError

LEFT = "the delivery was stopped; it will be tried again"
"""What a message is told that would be sent after its delivery has ended."""


class Connections:
    """At most so many connections, each used by one thread at a time.

    The first is made alone, so that a server that cannot be used is found out by one; where it works, others follow.
    A server that takes no more of them is used by those there are. Once it cannot be used at all, every later
    message fails at once with the same words rather than waiting for it again.
    """

    def __init__(self, connect: Callable[[], Conversation], most: int) -> None:
        self._connect, self._most = connect, most
        self._limit = 1
        self._open = 0
        self._idle: list[Conversation] = []
        self._lent: dict[Conversation, int] = {}
        """Those in use, with the thread that uses each."""
        self._left = False
        """Whether they were closed while some were in use or being made: each of those is closed as it comes back."""
        self._changed = threading.Condition()
        self._unusable: str | None = None

    def take(self) -> tuple[Conversation, bool]:
        """Return a connection, and whether it was used before; raises a ``DeliveryError`` that stops the rest."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unusable or self._idle or self._open < self._limit)
                if self._unusable is not None:
                    raise DeliveryError(self._unusable, stops=True)
                if self._idle:
                    return self._lend(self._idle.pop()), True
                self._open += 1
            if (made := self._make()) is not None:
                return made, False

    def give_back(self, conversation: Conversation) -> None:
        with self._changed:
            if not self._left:
                del self._lent[conversation]
                self._idle.append(conversation)
                self._changed.notify_all()
                return
        self.drop(conversation)

    def drop(self, conversation: Conversation) -> None:
        conversation.close()
        with self._changed:
            self._lent.pop(conversation, None)
            self._open -= 1
            self._changed.notify_all()

    def condemn(self, why: str) -> DeliveryError:
        """Let no later message try; return the fault that says so."""
        with self._changed:
            self._unusable = self._unusable or why
            self._changed.notify_all()
        return DeliveryError(why, stops=True)

    def close(self) -> None:
        """Close every connection: one that another thread still uses, once its message has gone or failed."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            interrupted = [one for one, thread in self._lent.items() if thread == threading.get_ident()]
            if self._open > len(interrupted):
                self._left = True
                self._unusable = self._unusable or LEFT
        for conversation in idle:
            conversation.leave()
        for conversation in interrupted:
            self.drop(conversation)

    def _lend(self, conversation: Conversation) -> Conversation:
        self._lent[conversation] = threading.get_ident()
        return conversation

    def _make(self) -> Conversation | None:
        """Make a connection that is counted already; None where it failed and others work, which are waited for."""
        try:
            made = self._connect()
        except BaseException as fault:
            with self._changed:
                self._open -= 1
                self._limit = self._most = max(self._open, 1)
                self._changed.notify_all()
                if self._open and isinstance(fault, DeliveryError):
                    return None
            if isinstance(fault, DeliveryError):
                self.condemn(str(fault))
            raise
        with self._changed:
            self._limit = self._most
            self._changed.notify_all()
            if not self._left:
                return self._lend(made)
        self.drop(made)
        raise DeliveryError(LEFT, stops=True)
