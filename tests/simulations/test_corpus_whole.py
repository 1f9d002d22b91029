"""Hundreds of files as people save them: each is read right, refused, or lists its loss."""

from collections import Counter
from pathlib import Path

import pytest
from support.corpus import cases, judge


@pytest.mark.simulation
def test_no_file_of_the_corpus_is_silently_wrong(tmp_path: Path) -> None:
    outcomes = {case.name: judge(case, tmp_path) for case in cases()}

    print(f"\n{len(outcomes)} files: {dict(Counter(outcome.word for outcome in outcomes.values()))}")
    assert {name: outcome.why for name, outcome in outcomes.items() if outcome.word == "wrong"} == {}
