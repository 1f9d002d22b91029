"""Tens of thousands of hostile files of a council: every one is answered in words, and in seconds."""

from pathlib import Path

import pytest
from support.hostile_files import KINDS, campaign

NUMBER = 5_000


@pytest.mark.simulation
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_is_a_problem_in_words(tmp_path: Path, kind: str) -> None:
    failures = campaign(kind, range(NUMBER), tmp_path)

    print(f"\n{NUMBER} of {kind}: {len(failures)} not answered in words and in time")
    assert failures == []
