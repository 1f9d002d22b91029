"""What a process has open, and a stop that comes in the middle of what it waits for."""

import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

OPEN = Path("/proc/self/fd")
needs_list_of_open = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what a process has open")


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fail where what is done here leaves a file or a connection open, or leaves it to be closed by chance."""
    gc.freeze()  # what was there before is no affair of this one
    before = list_open()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ResourceWarning)
            yield
            until = time.monotonic() + 60  # the threads of a server here close their side in their own time
            while (left := list_open() - before) and time.monotonic() < until:
                time.sleep(0.01)
            gc.collect()
    finally:
        gc.unfreeze()
    assert not left, f"left open: {dict(left)}"
    closed_by_chance = [str(one.message) for one in said]
    assert not closed_by_chance, f"closed by chance: {closed_by_chance}"


def list_open() -> Counter[str]:
    """Count what this process has open: paths, and sockets and pipes by their number."""
    found: Counter[str] = Counter()
    for name in os.listdir(OPEN):
        try:
            found[os.readlink(OPEN / name)] += 1
        except OSError:  # the listing itself, closed by now
            continue
    return found


@contextmanager
def stopped_by() -> Iterator[Callable[[], None]]:
    """Give what stops this thread as Ctrl-C does, called from another; the block ends where it is stopped."""
    main = threading.get_ident()

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
