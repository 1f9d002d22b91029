"""A share of the corpus: each fault of a council's files in one layout, none of them silently wrong."""

from itertools import islice
from pathlib import Path

import pytest
from support.corpus import FAULTS, cases, judge

SHARE = 12


def test_no_file_of_a_share_of_the_corpus_is_silently_wrong(tmp_path: Path) -> None:
    share = list(islice(cases(), 0, None, len(list(cases())) // SHARE + 1))

    outcomes = {case.name: judge(case, tmp_path) for case in share}

    assert {name: outcome.why for name, outcome in outcomes.items() if outcome.word == "wrong"} == {}


def test_the_corpus_crosses_every_fault_with_layouts() -> None:
    assert len(list(cases())) >= 120
    assert {case.fault for case in cases()} == FAULTS.keys()


@pytest.mark.parametrize("fault", ["nothing", "rows cut short", "formulas that failed"])
def test_the_judge_of_the_corpus_sees_what_is_silently_wrong(tmp_path: Path, fault: str) -> None:
    case = next(case for case in cases() if case.fault == fault)
    sheet = case.make()
    sheet.truth[next(iter(sheet.truth))]["in_touch"] = "RHOM"

    assert judge(case, tmp_path, sheet).word == "wrong"
