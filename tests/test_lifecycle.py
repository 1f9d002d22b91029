"""The life of every flag through random nights, beside a small model that was written from the design alone.

The nights here write no messages and lists, which is a third of what they cost; those of ``simulations`` do.
"""

from collections.abc import Callable

import pytest
from support.lifecycle_council import live, shorten
from support.lifecycle_story import invent


@pytest.mark.parametrize("seed", [11, 15, 17, 21, 33, 43])
def test_flags_live_as_the_model_has_them(seed: int) -> None:
    failure = live(invent(seed, people=60, steps=32), quiet=True)

    assert failure is None, f"the shortest story that fails:\n{shorten(failure)}"


def test_flags_live_the_same_on_postgresql(new_database: Callable[[], str]) -> None:
    failure = live(invent(4, people=60, steps=14), new_database(), quiet=True)

    assert failure is None, f"the story up to where it fails:\n{failure}"
