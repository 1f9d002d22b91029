"""What is asked of the database: the outcome of each rule for each person, how many of each, and who is in breach."""

from dataclasses import dataclass

from monitor.catalogue.caseload_contract import AUTHORITY, PERSON_ID
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.derived import derived_sql
from monitor.rulebook import questions
from monitor.rulebook.questions import BREACH, CANNOT_ASSESS, OK, by_rule_sql
from monitor.rulebook.rule import Rule
from monitor.scan.scan_engine import ScanEngine

COUNTED = (OK, BREACH, CANNOT_ASSESS)
PADS = "pseudonym_pads"


@dataclass(frozen=True)
class Asked:
    """Rules asked of people: ``people`` is SQL with the contract's columns, ``gapped`` the columns with a gap."""

    engine: ScanEngine
    rules: tuple[Rule, ...]
    people: str
    gapped: frozenset[str]


def counts_sql(asked: Asked) -> str:
    """Return SQL for a row of each authority: its name, then how many of each rule are ok, breach, cannot assess."""
    named = [asked.engine.dialect.name_of(rule.id) for rule in asked.rules]
    counts = ", ".join(f"count_if({name} = {number})" for name in named for number in COUNTED)
    return f"SELECT {AUTHORITY}, {counts} FROM ({_outcomes_sql(asked, AUTHORITY)}) GROUP BY {AUTHORITY}"


def breaches_sql(asked: Asked, person: str, pads: str | None = None) -> str:
    """Return SQL for a row of each breach: authority, the person, rule, severity, sensitive, its days, its sentence.

    ``person``: SQL for what tells people apart; with ``pads``, a relation joined by authority, it is a pseudonym.
    """
    engine = asked.engine
    no_text, no_date = f"CAST(NULL AS {engine.dialect.text})", "CAST(NULL AS DATE)"
    told = (
        (lambda rule: questions.because_sql(rule, engine.dialect))
        if pads is None
        else (lambda rule: _safe_sentence(engine, rule))
    )
    in_breach = [
        f"CASE WHEN {engine.dialect.name_of(rule.id)} = {BREACH} THEN {which} END"
        for which, rule in enumerate(asked.rules)
    ]
    spread = engine.spread(in_breach)
    dated = by_rule_sql(asked.rules, lambda rule: questions.due_on_sql(rule, engine.dialect), no_date)
    literal = engine.dialect.text_literal
    joined = f" JOIN {pads} AS pads ON pads.authority = breaches.{AUTHORITY}" if pads else ""
    return f"""
        SELECT breaches.{AUTHORITY} AS {AUTHORITY}, {person} AS {"pseudonym" if pads else PERSON_ID},
            {by_rule_sql(asked.rules, lambda rule: literal(rule.id), "''")} AS rule,
            {by_rule_sql(asked.rules, lambda rule: literal(rule.severity), "''")} AS severity,
            {by_rule_sql(asked.rules, lambda rule: "true" if rule.sensitive else "false", "false")} AS sensitive,
            due_on, due_on + 1 AS in_breach_since,
            {by_rule_sql(asked.rules, told, no_text)} AS because
        FROM (
            SELECT placed.*, {dated} AS due_on
            FROM (SELECT *, {spread} AS rule_number FROM ({_outcomes_sql(asked, "*")})) AS placed
            WHERE rule_number IS NOT NULL
        ) AS breaches{joined}"""


def _outcomes_sql(asked: Asked, keys: str) -> str:
    """SQL for ``keys`` of everyone and a number for each rule; what several rules ask alike is asked once."""
    answers, beside = questions.outcomes_sql(asked.rules, asked.gapped, asked.engine.dialect)
    derived = f"SELECT *, {derived_sql()} FROM ({asked.people})"
    return f"SELECT {keys}{answers} FROM (SELECT *{beside} FROM ({derived}))"


def _safe_sentence(engine: ScanEngine, rule: Rule) -> str:
    """The sentence of a rule beside a pseudonym: none that is sensitive, or has a text in it that may name somebody."""
    holds_text = any(name in BY_NAME and BY_NAME[name].kind == "text" for name in rule.because.names)
    return (
        f"CAST(NULL AS {engine.dialect.text})"
        if rule.sensitive or holds_text
        else questions.because_sql(rule, engine.dialect)
    )
