"""Rules that fail while they run, which the checker would refuse: it knows the highest value of every column."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.rulebook import reach


@contextmanager
def overflow_allowed() -> Iterator[None]:
    """Let the rules that are checked meanwhile work out numbers larger than a database holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "HIGHEST", 10**12)
        yield
