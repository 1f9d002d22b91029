"""Finds the entry of the handbook that a message belongs to, though the message holds names and numbers of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from monitor.handbook.topics import read_topic
from monitor.words import MARKS

LEFT_OUT = "\u2026"
"""Stands in a named message for what differs each time."""
SHORTEST = 10
"""Letters: a shorter message, or part of one, may be of any other."""
LONG_RUN = 16
"""Letters that two texts do not have in common by chance."""
LIKE_ENOUGH = 0.6
FEWEST_WORDS = 4
MOST_ENTRIES = 5


@dataclass(frozen=True)
class TroubleEntry:
    """An entry: its heading, its whole text in Markdown, and the messages it names."""

    title: str
    text: str
    messages: tuple[str, ...]


def read_troubles() -> list[TroubleEntry]:
    """Return the entries of the page, in its order."""
    found = []
    for part in re.split(r"^(?=#{1,3} )", read_topic("troubleshooting"), flags=re.MULTILINE):
        if part.startswith("### "):
            messages = tuple(re.findall(r"^- `(.+)`$", part, flags=re.MULTILINE))
            found.append(TroubleEntry(part[4:].partition("\n")[0], part, messages))
    return found


def find_troubles(text: str, troubles: Sequence[TroubleEntry]) -> list[tuple[TroubleEntry, str]]:
    """Return the entries whose messages are most like ``text``, each with its message; none where no message is."""
    said = _plain(text)
    for measure in (_all_of_it, _longest_run, _share_of_words):
        scored = [
            (score, trouble, message)
            for trouble in troubles
            for score, message in [max((measure(_pieces(message), said), message) for message in trouble.messages)]
        ]
        if best := max((score for score, _, _ in scored), default=0):
            return [(trouble, message) for score, trouble, message in scored if score == best][:MOST_ENTRIES]
    return []


def _all_of_it(pieces: Sequence[str], said: str) -> float:
    """Return how long a message is whose wording is all there, in order; else 0."""
    size = sum(map(len, pieces))
    is_there = size >= SHORTEST and re.search(".*".join(map(re.escape, pieces)), said)
    return size if is_there else 0


def _longest_run(pieces: Sequence[str], said: str) -> float:
    """Return the longest run of letters that message and text have in common, where it is too long for chance."""
    runs = (SequenceMatcher(None, piece, said, autojunk=False).find_longest_match().size for piece in pieces)
    longest = max(runs, default=0)
    return longest if longest >= LONG_RUN or SHORTEST <= longest == len(said) else 0


def _share_of_words(pieces: Sequence[str], said: str) -> float:
    """Return the share of a message's words that are there, where that is most of more than a few."""
    words = set(re.findall(r"\w+", " ".join(pieces)))
    share = len(words & set(re.findall(r"\w+", said))) / max(len(words), 1)
    return share if share >= LIKE_ENOUGH and len(words) >= FEWEST_WORDS else 0


def _pieces(message: str) -> list[str]:
    """Return the wording of a message between what differs each time."""
    return [piece.strip() for piece in _plain(message).split(LEFT_OUT) if re.search(r"\w", piece)]


def _plain(text: str) -> str:
    """Return a text in lower case, in one line, with one kind of quotation mark."""
    return re.sub(f"[{re.escape(MARKS)}]", '"', " ".join(text.split())).lower()
