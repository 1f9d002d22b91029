"""A small share of the campaign in ``tests/simulations/test_hostile_files.py``: hostile files are problems in words."""

from pathlib import Path

import pytest
from support.hostile_files import campaign

NUMBERS = {"condition": 300, "rule file": 40, "config": 60, "answers": 60, "template": 8,
           "saved mail": 60, "page": 60, "id list": 60, "extract": 10}  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_hostile_file_is_a_problem_in_words(tmp_path: Path, kind: str) -> None:
    first = 1_000_000  # others than the campaign's

    assert campaign(kind, range(first, first + NUMBERS[kind]), tmp_path) == []
