"""The judge of the benchmarks, apart from measuring: what is kept, what is passed, and what is said then."""

import sys
from pathlib import Path

import pytest
from support.budget import Aim, growth, judge, passed, settled
from support.measured import ACCOUNTED, Measured, python, spent

AIM = Aim(3.5, 215)


def measured(*ratios: float, megabytes: float = 200, what: str = "a night") -> Measured:
    return Measured(what, tuple(ratio * 0.5 for ratio in ratios), (0.5,) * len(ratios), (megabytes,) * len(ratios))


def test_the_median_of_the_paired_ratios_is_judged() -> None:
    noisy = Measured("a night", (1.5, 3.0, 9.0), (0.5, 1.0, 1.5), (200, 200, 900))

    assert noisy.ratio == 3.0
    assert noisy.peak == 200
    assert passed(noisy, AIM) == []


def test_a_budget_that_is_passed_fails_and_says_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    slow, fat = measured(4.2, what="a night"), measured(1.0, megabytes=230, what="a large one")

    with pytest.raises(pytest.fail.Exception) as failed:
        judge([slow, fat], {"a night": AIM, "a large one": AIM})

    _, *said = str(failed.value).splitlines()
    assert said[:2] == [
        "a night: CPU 4.20, aim 3.50x: 20% over",
        "a large one: peak 230 MB, aim 215 MB: 15 MB over",
    ]
    assert said[2].startswith("Find what the last changes added")
    assert " ".join(capsys.readouterr().out.splitlines()[1].split()) == (
        "a night 4.20 aim 3.50x 2.10 s 200 MB (aim 215)"
    )


def test_a_budget_that_is_kept_to_the_last_does_not_fail() -> None:
    judge([measured(3.5, megabytes=215)], {"a night": AIM})


def test_a_tenth_is_left_to_the_machine_and_no_more() -> None:
    assert passed(measured(3.84), AIM) == []
    assert passed(measured(3.86), AIM) == ["a night: CPU 3.86, aim 3.50x: 10% over"]


def test_a_thing_without_an_aim_is_not_measured_for_nothing() -> None:
    with pytest.raises(KeyError):
        judge([measured(1.0, what="a thing nobody gave an aim")])


def test_more_rounds_are_measured_only_when_an_aim_is_passed_by_little() -> None:
    asked: list[range] = []

    def measure(first: float, more: float) -> float:
        asked.clear()

        def rounds(numbers: range) -> dict[str, Measured]:
            asked.append(numbers)
            return {"a night": measured(*(first if number < 2 else more for number in numbers))}

        [result] = settled(rounds, {"a night": AIM})
        return result.ratio

    assert measure(3.4, 9.0) == 3.4
    assert asked == [range(2)]
    assert measure(3.9, 3.4) == 3.4
    assert asked == [range(2), range(2, 6)]
    assert measure(7.0, 3.4) == 7.0
    assert asked == [range(2)]


def test_growth_is_what_a_thousand_people_more_cost_in_probes_of_the_small_night() -> None:
    small, large = measured(4.0, what="1,500"), Measured("80,000", (14.56,), (0.9,), (480,))

    assert growth(large, small, 78.5).ratio == pytest.approx(0.32)
    assert growth(large, small, 78.5).peak == 480


@pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used")
def test_a_process_is_accounted_with_its_children_and_not_with_whoever_started_it(tmp_path: Path) -> None:
    folder, ballast = tmp_path, bytearray(300_000_000)
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint('worked')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"

    account = spent(python(parent), folder)

    assert account.seconds >= 0.3
    assert account.megabytes < len(ballast) / 1_048_576
    assert account.printed == "worked"


@pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used")
def test_a_process_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 3"):
        spent([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
