"""Texts that some thirty councils write, as facts: each is read as spellings.csv says, or is unread."""

import csv
from pathlib import Path

from monitor.catalogue.accommodation import read_accommodation
from monitor.catalogue.codes import read_code, read_yes_no
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.phrases import UNREADABLE

FACTS = Path(__file__).parent / "spellings.csv"


def _say(column: str, text: str) -> str:
    """What a text is read as, written as the table has it: a code, S2 for an unsuitable S, yes, no, blank or unread."""
    digit = ""
    read: object
    if column == "accommodation":
        place = read_accommodation(text)
        read, digit = place.code, {None: "", True: "1", False: "2"}[place.suitable]
    else:
        read = read_yes_no(column, text) if BY_NAME[column].kind == "yes_no" else read_code(column, text)
    words = {UNREADABLE: "unread", None: "blank", True: "yes", False: "no"}
    return f"{words.get(read, read)}{digit}"  # type: ignore[call-overload]


def test_every_spelling_of_the_table_is_read_as_it_says() -> None:
    with FACTS.open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))

    wrong = {
        (fact["column"], fact["text"]): _say(fact["column"], fact["text"])
        for fact in facts
        if _say(fact["column"], fact["text"]) != fact["read_as"]
    }

    assert wrong == {}
    assert sum(fact["read_as"] != "unread" for fact in facts) > 0.7 * len(facts)
    assert {fact["column"] for fact in facts} > {"accommodation", "in_touch", "activity", "eligibility", "disability"}


def test_nobody_is_homeless_or_in_custody_but_by_their_own_words() -> None:
    with FACTS.open(encoding="utf-8", newline="") as file:
        grave = [fact["text"] for fact in csv.DictReader(file) if fact["read_as"][:1] in ("S", "X")]

    own = ("abode", "homeless", "nfa", "custody", "prison", "young offender", "hmp")
    assert grave
    for text in grave:
        assert text.strip(" -12")[:1] in "SX" or any(word in text.casefold() for word in own)
