"""Plain English as a test can hold it: words that are not wanted, and how many years of school a text asks for."""

import re

UNWANTED = re.compile(
    r"\b(whoever|whosoever|nobody|nor|owed|put \w+ right|put the .* right|(a|the|your) manager(?!'s view)|heads"
    r"|failed|failing|neglect\w*|blame\w*|fault|too many|those with|not cooperat\w*|non-compliant|disengag\w*"
    r"|hard to reach|NEET)\b",
    re.IGNORECASE,
)
"""Blame, lawyers' English, one council's finding told as the reader's own, and a manager told to ask the manager."""


def split_sentences(text: str) -> list[str]:
    return [sentence for sentence in re.split(r"(?<=[.:;!?])\s", text) if sentence]


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade, the school year at which the text is easily read: 9 is the age of 14."""
    words = re.findall(r"[A-Za-z']+", text)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", word.lower().removesuffix("e")))) for word in words)
    return 0.39 * len(words) / len(split_sentences(text)) + 11.8 * syllables / len(words) - 15.59
