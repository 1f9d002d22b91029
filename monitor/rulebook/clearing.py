"""What would clear a flag: a rule's ``cleared_by`` in words."""

import re

from monitor.catalogue import columns
from monitor.rulebook.condition import Condition
from monitor.rulebook.names import CODES
from monitor.rulebook.rule import Rule

NAMES = {
    "over21_offer_date": "date of the offer after 21",
    "pa_first_met_date": "date the personal adviser was first met",
    "eet_action_date": "date of the last action on education, employment or training",
}
"""Columns whose own name does not read well."""


def in_words(rule: Rule) -> str:
    """Return the smallest change to the record that clears the rule, as a phrase; or why no change to it does."""
    if rule.cleared_by:
        return "; ".join(f"{_name(column)}: {_value(column, one)}" for column, one in rule.cleared_by.items())
    return rule.not_cleared_by or "not said by the rule"


def _name(column: str) -> str:
    return NAMES.get(column, column.replace("_", " "))


def _value(column: str, to: Condition) -> str:
    text = to.text.strip()
    if text == "as_at":
        return "the day it is done"
    if text.lower() in ("true", "false"):
        return "yes" if text.lower() == "true" else "no"
    if code := re.fullmatch(r"'([^']*)'", text):
        meaning = CODES.get(column, {}).get(code[1])
        if meaning is None:
            return code[1].lower()
        # A long code is a word itself; a letter needs its meaning.
        return f"for example {code[1]}" + (f" ({meaning[:1].lower()}{meaning[1:]})" if len(code[1]) <= 4 else "")
    if re.fullmatch(r"date '[^']*'", text, re.IGNORECASE):
        return "the date"
    return f"the {text} worked out from age and status" if text in columns.DERIVED else text
