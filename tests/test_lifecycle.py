"""The life of every flag through random nights, beside a small model that was written from the design alone."""

from collections.abc import Callable

import pytest
from support.lifecycle_council import live, shorten
from support.lifecycle_story import invent


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flags_live_as_the_model_has_them(seed: int) -> None:
    failure = live(invent(seed, people=60, steps=18))

    assert failure is None, f"the shortest story that fails:\n{shorten(failure)}"


def test_flags_live_the_same_on_postgresql(new_database: Callable[[], str]) -> None:
    failure = live(invent(4, people=60, steps=10), new_database())

    assert failure is None, f"the story up to where it fails:\n{failure}"
