"""The words of rules and templates, as a lead reads them at eight and a young person their own file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.random_people import shipped_rules

from monitor.config.settings import shipped
from monitor.handbook.topics import PAGES, TOPICS, read_topic
from monitor.messages import samples
from monitor.messages.templates import render

BANNED = {
    r"\bnobody needs anything\b": "silence is no good news: nothing is open on the record",
    r"\bneeds nothing\b": "silence is no good news: nothing is open on the record",
    r"\bwhoever\b": "say who: a person who, those who",
    r"\bwhosoever\b|\bwhomever\b": "say who",
    r"\bheads complete\b": "say how many sections are complete",
    r"\bthe greatest needs\b": "that blames: say what is not recorded",
    r"\b(so|as) many of so many\b": "say how many, out of how many",
    r"\banew\b": "say again",
    r"\bnotwithstanding\b|\bherein\b|\bthereof\b|\bhereby\b|\bpursuant\b|\bshall\b": "lawyers' English: say it plainly",
    r"\bfail(ed|s|ure)? to\b|\bneglect": "that blames: say what is not recorded",
    r"\bnon-complian|\bdefault(ed|er)\b": "that blames: say what is not recorded",
    r"\bput the recorded category right\b": "say what to check in the record",
    r"\bstops being entitled before 25\b": "not always true",
    r"\bnobody gives it\b": "say who should",
    r"\bCheshire East'?s? (has|had|was|were|did)\b": "no council's finding as a fact about the reader's",
    r"\babscond|\bservice user|\bclient\b|\bhard to reach\b|\bnon-engag": "not a young person's word",
    r"\bLAC\b|\bNEETs\b": "not a young person's word",
    r"\btick(ed)? the box\b": "say what is recorded",
}
"""What no rule and no message says, and what is said instead."""

OF_THE_MONITOR = {
    r"\bheld\b": "could not be checked last night",
    r"\bnot believed\b": "does not look right",
    r"\bcheck the source\b|\bcase system sends\b": "check what is recorded",
    r"\bno longer asked\b|\bwas not asked\b|\bwere not asked\b": "no longer applies, or is no longer checked",
    r"\bquarantine|\bcannot assess\b|\bin breach\b|\bunresolved\b": "the monitor's own word",
}
"""What only whoever runs the monitor says, and what a lead reads instead."""

LONGEST_SENTENCE = 34
"""Words of one sentence."""
LONGEST_TITLE = 12
HARDEST = 11.0
"""The most years at school that a reader needs, by Flesch and Kincaid."""
OF_THE_FIELD = frozenset({"accommodation", "disability", "education", "personal", "suitable", "unsuitable"})
"""Long words that every reader of these texts knows: counted as of two syllables."""
SHORTEST = 10
"""Of fewer words the formula says nothing."""


def rule_texts() -> Iterator[tuple[str, str, str]]:
    """Each rule's words by place and kind; what stands in a sentence for a value is one word of it."""
    for rule in shipped_rules().rules:
        for kind in ("title", "why", "action"):
            yield f"{rule.id}: {kind}", kind, getattr(rule, kind)
        yield f"{rule.id}: because", "because", re.sub(r"\{\{.*?\}\}", "May", rule.because.text)


def template_texts() -> Iterator[tuple[str, str]]:
    """Each shipped template without its logic, as far as it is read by somebody."""
    for path in sorted(Path(shipped("templates")).iterdir()):
        if path.suffix in (".txt", ".html"):
            text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.S)
            quoted = re.findall(r'"([^"{}<>]*)"', path.read_text(encoding="utf-8"))
            yield path.name, " ".join([text, *quoted])


def count_syllables(word: str) -> int:
    """Count about as a dictionary does: groups of vowels, less a silent e."""
    if word.lower() in OF_THE_FIELD:
        return 2
    bare = re.sub(r"(?<=[^aeiouyl])e$|(?<=[^aeiouydt])ed$", "", word.lower())
    return max(len(re.findall(r"[aeiouy]+", bare)), 1)


def read_sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence; a colon or a semicolon ends one."""
    sentences = re.split(r"[.!?;:]+(?:\s|$)", text)
    return [words for sentence in sentences if (words := re.findall(r"[A-Za-z][A-Za-z'\u2019-]*|\d+", sentence))]


def reading_age(text: str) -> float:
    """Return the years at school that a reader needs, by Flesch and Kincaid."""
    sentences = read_sentences(text)
    words = [word for sentence in sentences for word in sentence]
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(count_syllables, words)) / len(words) - 15.59


def find_banned(place: str, text: str, banned: Mapping[str, str] = BANNED) -> list[str]:
    return [
        f'{place}: "{found[0]}": {instead}'
        for pattern, instead in banned.items()
        if (found := re.search(pattern, text, re.IGNORECASE if pattern.islower() else 0))
    ]


def test_no_rule_and_no_message_says_what_blames_or_takes_silence_for_good_news() -> None:
    rules = [fault for place, _, text in rule_texts() for fault in find_banned(place, text)]
    templates = [fault for name, text in template_texts() for fault in find_banned(name, text)]

    assert [*rules, *templates] == []


def test_readme_and_handbook_are_plain() -> None:
    pages = [Path(__file__).parent.parent / "README.md", *(PAGES / f"{name}.md" for name in TOPICS)]
    code = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)

    texts = [(page.name, code.sub("", page.read_text(encoding="utf-8"))) for page in pages]
    of_the_field = {r"\babscond|\bservice user|\bclient\b|\bhard to reach\b|\bnon-engag"}  # the client of a sign-in
    banned = {pattern: instead for pattern, instead in BANNED.items() if pattern not in of_the_field}
    assert [fault for name, text in texts for fault in find_banned(name, text, banned)] == []


def test_the_handbooks_page_for_leads_is_short_enough_to_be_read_once() -> None:
    text = read_topic("lead").split("## For the analyst")[0]

    prose = re.sub(r"^\|.*|^#.*", "", text, flags=re.MULTILINE)
    assert [words for words in read_sentences(prose) if len(words) > LONGEST_SENTENCE] == []
    assert reading_age(prose) <= HARDEST


def test_a_leads_mail_has_none_of_the_monitors_own_words() -> None:
    mails = [render(digest) for digest in samples.make() if digest.template == "lead"]

    assert len(mails) > 4
    assert [fault for mail in mails for fault in find_banned(mail.subject, mail.text, OF_THE_MONITOR)] == []


def test_every_title_and_sentence_of_a_rule_is_short_enough_to_be_read_once() -> None:
    long = [
        f"{place}: {len(words)} words"
        for place, kind, text in rule_texts()
        for words in read_sentences(text)
        if len(words) > (LONGEST_TITLE if kind == "title" else LONGEST_SENTENCE)
    ]

    assert long == []


def test_the_words_of_a_rule_are_read_with_the_schooling_of_a_sixteen_year_old() -> None:
    hard = [
        f"{place}: {age:.1f}: {text}"
        for place, kind, text in rule_texts()
        if kind != "title" and len(text.split()) >= SHORTEST and (age := reading_age(text)) > HARDEST
    ]

    assert hard == []


@pytest.mark.parametrize(("text", "least", "most"), [
    ("The cat sat on the mat.", -2, 2),
    ("Get in touch in the way the young person prefers, and record it.", 3, 7),
    ("Notwithstanding contractual obligations, accommodation arrangements necessitate authorisation.", 20, 40),
])  # fmt: skip
def test_the_reading_age_is_that_of_the_formula(text: str, least: float, most: float) -> None:
    assert least <= reading_age(text) <= most
