"""The words of the shipped rules, as a team lead reads them in the morning and a young person in their own file."""

import re

from support.plain_words import UNWANTED, grade, split_sentences

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
LONGEST_SENTENCE = 25
HIGHEST_GRADE = 9


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


def test_every_sentence_is_short() -> None:
    long = [
        (rule.id, key, sentence)
        for rule in RULES
        for key, words in told(rule).items()
        for sentence in split_sentences(words)
        if len(sentence.split()) > LONGEST_SENTENCE
    ]

    assert long == []


def test_what_a_rule_is_for_and_asks_to_be_done_is_read_at_fourteen() -> None:
    hard = {rule.id: grade(f"{rule.why} {rule.action}") for rule in RULES}

    assert {rule: round(found, 1) for rule, found in hard.items() if found > HIGHEST_GRADE} == {}


def test_a_reason_does_not_repeat_the_title() -> None:
    """Both stand in one line."""
    repeated = [rule.id for rule in RULES if _folded(rule.title) in _folded(rule.because.text)]

    assert repeated == []


def _folded(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().lower()
