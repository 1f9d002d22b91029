"""A small share of the campaign in ``tests/simulations/test_hostile_files.py``: hostile files are problems in words."""

from pathlib import Path

import pytest
from support.hostile_files import campaign
from support.posix import needs_posix

NUMBERS = {"condition": 300, "rule file": 40, "config": 60, "answers": 60, "template": 8,
           "saved mail": 60, "page": 60, "id list": 60, "extract": 10}  # fmt: skip
FORKED = pytest.param("template", marks=needs_posix("fork, by which the process of each template starts at once"))


@pytest.mark.parametrize("kind", [FORKED, *sorted(NUMBERS.keys() - {"template"})])
def test_a_hostile_file_is_a_problem_in_words(tmp_path: Path, kind: str) -> None:
    first = 1_000_000  # others than the campaign's

    assert campaign(kind, range(first, first + NUMBERS[kind]), tmp_path) == []
