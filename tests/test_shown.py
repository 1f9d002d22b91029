"""What may be said of a flag is decided in one place, and every reader is shown the same."""

import ast
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import monitor
from monitor.messages.shown import TELLABLE, shown, shown_folds, shown_title, tell_before

HOUSE = Path(monitor.__file__).parent
KEYS = {"sensitive", "shown_as", "stands_for"}


@dataclass(frozen=True)
class Words:
    title: str = "Disabled, no adviser"
    sensitive: bool = False
    shown_as: str | None = None
    stands_for: tuple[str, ...] = ()
    due_on: object | None = "due"
    action: str = "Name an adviser."
    folds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    rule: str = "vulnerable"
    because: str = "No adviser since 5 July 2025."
    due_on: date | None = date(2026, 1, 5)


SECRET = Words(sensitive=True, shown_as="cover")
COVER = Words("Priority check", action="Look.", stands_for=("vulnerable",))
RULES = {"vulnerable": SECRET, "cover": COVER}


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

    # A scan writes no message: it marks the rows of such a rule, and withholds its sentence beside a pseudonym.
    only = {"messages/shown.py", "scan/rule_statements.py"}
    assert {path for path in asking if not path.startswith("rulebook/")} == only


def test_a_module_that_asked_would_be_found() -> None:
    assert keys_read("x = rule.sensitive\ny = getattr(rule, 'shown_as')") == [(1, "sensitive"), (2, "shown_as")]


def test_a_plain_rule_is_shown_in_full() -> None:
    words = shown({"vulnerable": Words()}, Facts())

    assert (words.rule, words.title, words.because) == ("vulnerable", "Disabled, no adviser", Facts().because)
    assert (words.action, words.due_on, words.if_full("done")) == ("Name an adviser.", date(2026, 1, 5), "done")


def test_a_sensitive_rule_and_its_cover_are_the_same_to_every_reader() -> None:
    secret, cover = shown(RULES, Facts()), shown(RULES, Facts(rule="cover", because="A plain reason."))

    assert secret == cover
    assert (secret.title, secret.action, secret.due_on) == ("Priority check", "Look.", date(2026, 1, 5))
    assert (secret.rule, secret.because, secret.if_full("done")) == (None, None, None)
    assert shown_title(RULES, "vulnerable") == shown_title(RULES, "cover") == "Priority check"


def test_no_due_day_is_said_where_the_cover_never_has_one() -> None:
    without = {**RULES, "cover": replace(COVER, due_on=None)}

    assert shown(without, Facts()).due_on is None


@pytest.mark.parametrize("rules", [{}, {"vulnerable": SECRET}, {"vulnerable": SECRET, "cover": SECRET}])
def test_of_a_rule_that_is_gone_or_whose_cover_is_nothing_is_said(rules: dict[str, Words]) -> None:
    words = shown(rules, Facts())

    assert (words.title, words.rule, words.because, words.action) == (None, None, None, None)
    assert shown_title(rules, "vulnerable") is None


def test_what_one_folds_all_that_are_shown_alike_fold() -> None:
    folding = {
        "vulnerable": replace(SECRET, folds=("contact",)), "cover": replace(COVER, folds=("plan", "vulnerable"))
    }  # fmt: skip

    assert shown_folds(folding, "vulnerable") == shown_folds(folding, "cover") == {"contact", "plan"}


HOMELESS = Words("No fixed abode", needs=("accommodation", "personal_adviser", "in_touch", "disability"))


@pytest.mark.parametrize(("before", "now", "told"), [
    ({"accommodation": "U"}, {"accommodation": "S"}, ("independent living",)),
    ({"in_touch": "YES", "personal_adviser": "A Example"}, {"in_touch": "NO", "personal_adviser": None},
     ("A Example", "in touch")),
    ({"accommodation": "U"}, {"accommodation": "U"}, ()),
    ({"accommodation": None}, {"accommodation": "S"}, ()),
    ({}, {"accommodation": "S"}, ()),
    ({"accommodation": "U"}, {}, ()),
    ({"accommodation": "X"}, {"accommodation": "S"}, ()),
    ({"accommodation": "U"}, {"accommodation": "X"}, ()),
    ({"accommodation": "C"}, {"accommodation": "S"}, ()),
    ({"accommodation": "H"}, {"accommodation": "S"}, ()),
    ({"in_touch": "REFU"}, {"in_touch": "NO"}, ()),
    ({"disability": False}, {"disability": True}, ()),
    ({"latest_contact_date": "2026-01-05"}, {"latest_contact_date": None}, ()),
])  # fmt: skip
def test_what_stood_before_is_told_only_where_both_may_be_told(before: Any, now: Any, told: tuple[str, ...]) -> None:
    assert tell_before(HOMELESS, before, now) == told
    assert tell_before(replace(HOMELESS, sensitive=True, shown_as="cover"), before, now) == ()
    assert tell_before(replace(HOMELESS, stands_for=("vulnerable",)), before, now) == ()


def test_no_message_tells_an_earlier_value_of_what_no_message_may_hold() -> None:
    assert TELLABLE.keys().isdisjoint({
        "date_of_birth", "uasc", "disability", "is_parent", "release_date", "death_date", "health_history_date",
        "activity", "risk_open", "closure_reason", "over21_offer_outcome", "adult_services_decision_date",
    })  # fmt: skip
    assert not {"X", "C", "G", "H"} & set(TELLABLE["accommodation"] or "")
    assert TELLABLE["in_touch"] == {"YES", "NO"}
