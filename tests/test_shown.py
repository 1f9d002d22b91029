"""What may be said of a flag is decided in one place, and every reader is shown the same."""

import ast
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

import monitor
from monitor.messages.shown import shown, shown_title

HOUSE = Path(monitor.__file__).parent
KEYS = {"sensitive", "email_title", "shown_title"}


@dataclass(frozen=True)
class Words:
    title: str = "Disabled, no adviser"
    email_title: str | None = None
    sensitive: bool = False
    action: str = "Name an adviser."
    folds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    rule: str = "vulnerable"
    because: str = "No adviser since 5 July 2025."
    due_on: date | None = date(2026, 1, 5)


SECRET = Words(email_title="Priority check", sensitive=True)


def keys_read(source: str) -> list[tuple[int, str]]:
    """Each line that reads one of the keys, by a dot or by ``getattr``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in KEYS:
            found.append((node.lineno, node.attr))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            found += [(node.lineno, name) for name in names if name in KEYS]
    return found


def test_no_other_module_asks_if_a_rule_is_sensitive() -> None:
    read = {
        path.relative_to(HOUSE).as_posix(): keys_read(path.read_text(encoding="utf-8"))
        for path in sorted(HOUSE.rglob("*.py"))
    }
    asking = {path for path, keys in read.items() if keys}

    assert "messages/shown.py" in asking
    assert {path for path in asking if not path.startswith("rulebook/")} == {"messages/shown.py"}


def test_a_module_that_asked_would_be_found() -> None:
    assert keys_read("x = rule.sensitive\ny = getattr(rule, 'email_title')") == [(1, "sensitive"), (2, "email_title")]


def test_a_plain_rule_is_shown_in_full() -> None:
    words = shown(Words(), Facts())

    assert (words.rule, words.title, words.because) == ("vulnerable", "Disabled, no adviser", Facts().because)
    assert (words.action, words.due_on, words.if_full("done")) == ("Name an adviser.", date(2026, 1, 5), "done")


@pytest.mark.parametrize(("rule", "title"), [(SECRET, "Priority check"), (None, None)])
def test_a_sensitive_rule_and_one_that_is_gone_are_a_title_and_a_due_date(
    rule: Words | None, title: str | None
) -> None:
    words = shown(rule, Facts())

    assert (words.title, words.due_on) == (title, date(2026, 1, 5))
    assert (words.rule, words.because, words.action, words.if_full("done")) == (None, None, None, None)
    assert shown_title(rule) == title
