"""What no rule says beside what stands in test_words: numbers of its own, blame, and the title twice."""

import re

from monitor.rulebook.kept_rulebook import open_shipped
from monitor.rulebook.rule import Rule

RULES = open_shipped().rules
AGES = ("14", "16", "17", "18", "21", "24", "25")
"""Birthdays, which no council changes."""
COUNTED = re.compile(
    r"\b(\d+|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|twenty|thirty|ninety|hundred"
    r"|weeks?|months?|years?|weekly|monthly|yearly|fortnight)\b",
    re.IGNORECASE,
)
UNWANTED = re.compile(
    r"\b(nobody|nor|owed|put \w+ right|(a|the|your) manager(?!'s view)|too many|those with)\b", re.IGNORECASE
)
"""What a rule does not say though a message may: blame, and a manager told to ask the manager."""


def told(rule: Rule) -> dict[str, str]:
    """What is said to those who read of a flag, without the values in it."""
    said = {"title": rule.title, "why": rule.why, "action": rule.action, "because": rule.because.text}
    said["clears"] = rule.not_cleared_by or ""
    return {key: re.sub(r"\{\{.*?\}\}", "#", words) for key, words in said.items()}


def find(pattern: re.Pattern[str], *, known: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    return [
        (rule.id, key, found[0])
        for rule in RULES
        for key, words in told(rule).items()
        for found in pattern.finditer(words)
        if found[0] not in known
    ]


def test_no_number_or_period_is_written_that_the_limits_do_not_give() -> None:
    assert find(COUNTED, known=AGES) == []


def test_no_word_blames_or_hides_behind_the_law() -> None:
    assert find(UNWANTED) == []


def test_a_reason_does_not_repeat_the_title() -> None:
    """Both stand in one line."""
    repeated = [rule.id for rule in RULES if _folded(rule.title) in _folded(rule.because.text)]

    assert repeated == []


def _folded(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().lower()
