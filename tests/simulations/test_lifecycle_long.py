"""Thousands of random nights beside the model of the life of flags.

MONITOR_LIFECYCLE_SEEDS=100-199 tells other stories; each is told by its seed alone.
"""

import os
from collections.abc import Callable

import pytest
from support.lifecycle_council import live, shorten
from support.lifecycle_story import invent

pytestmark = pytest.mark.simulation

FIRST, _, LAST = os.environ.get("MONITOR_LIFECYCLE_SEEDS", "100-149").partition("-")
STEPS = 50


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_flags_live_as_the_model_has_them(seed: int) -> None:
    failure = live(invent(seed, people=60, steps=STEPS))

    assert failure is None, f"the shortest story that fails:\n{shorten(failure)}"
    print(f"seed {seed}: {STEPS} runs, no difference")


@pytest.mark.parametrize("seed", [1, 2])
def test_flags_live_the_same_on_postgresql(seed: int, new_database: Callable[[], str]) -> None:
    failure = live(invent(seed, people=60, steps=STEPS), new_database())

    assert failure is None, f"the story up to where it fails:\n{failure}"
