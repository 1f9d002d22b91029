"""A small model of the life of flags, written from the table in the design and the law that flags are conserved.

It shares nothing with ``monitor``: a night is a pure function of what was known before and what the sources say
tonight. Every night in it is believed; what the gate does not believe is given as ``Facts.doubted``. Where the design
leaves the word of an ending open, ``Ending.reasons`` has every word that it allows.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

UNKNOWN: Any = "?"
"""A cell that cannot be read, or that no source supplies for this person."""

Key = tuple[str, str]
"""A person and a rule: at most one unresolved flag each."""

ORDER = ("data", "low", "medium", "high", "critical")
KEPT_DAYS = 30
"""For how long a flag that carries another on is no less severe than that one was."""


def worse(one: str, other: str) -> str:
    return max(one, other, key=ORDER.index)


@dataclass(frozen=True)
class Record:
    """What the sources say of one person: a value, None for blank, or UNKNOWN."""

    born: Any = dt.date(2006, 6, 1)
    eligibility: Any = "former relevant"
    contact: Any = None
    adviser: Any = "A Example"
    activity: Any = "F2"
    home: Any = "U"
    visited: Any = UNKNOWN
    died: bool = False
    team: str = "North"


def age_on(born: Any, day: dt.date) -> int | None:
    if born in (None, UNKNOWN):
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


# The rules that are asked


@dataclass(frozen=True)
class Version:
    """How a rule is asked tonight: its limit in days, and the least age of those it is asked of."""

    limit: int = 0
    from_age: int = 16


@dataclass(frozen=True)
class Rule:
    """``columns``: what its conditions read; ``needs``: those without which it cannot be assessed."""

    id: str
    severity: str
    needs: tuple[str, ...]
    continues: tuple[str, ...] = ()
    asks_absent: bool = False
    usual: Version = Version()
    other: tuple[Version, ...] = ()
    """What the council may change it to."""


CONTACT, CONTACT_21 = "contact-late", "contact-late-21"
ADVISER, ADVISER_STUDENT = "adviser-missing", "adviser-missing-student"
HOME, VISIT, LEFT = "no-home", "visit-late", "left-caseload"
RULES = {
    rule.id: rule
    for rule in (
        Rule(CONTACT, "medium", ("contact",), usual=Version(56), other=(Version(28), Version(84), Version(56, 20))),
        Rule(CONTACT_21, "high", ("contact",), (CONTACT,), usual=Version(60), other=(Version(100), Version(30))),
        Rule(ADVISER, "critical", ("adviser", "activity"), other=(Version(from_age=20),)),
        Rule(ADVISER_STUDENT, "medium", ("adviser", "activity"), (ADVISER,)),
        Rule(HOME, "critical", ("home",), asks_absent=True),
        Rule(VISIT, "low", ("visited",), asks_absent=True, usual=Version(30), other=(Version(60),)),
        Rule(LEFT, "high", (), asks_absent=True),
    )
}


@dataclass(frozen=True)
class Answer:
    outcome: str
    """ok, breach, not applicable, cannot assess."""
    due_on: dt.date | None = None


NOT_ASKED = Answer("not asked")
NO_ANSWER = "no answer yet"


def all_of(*parts: bool | None) -> bool | None:
    """Kleene's *and*: False if any is, else unknown if any is."""
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def ask(rule: Rule, version: Version, who: "Standing", as_at: dt.date) -> Answer:
    """Ask a rule of one person, with the age bound that the evaluator adds to every rule but those of any age."""
    age, record = who.age, who.record
    if rule.id == LEFT:
        return Answer("not applicable" if age is not None and age >= 25 else "ok" if who.present else "breach")
    if rule.id == HOME:
        applies: bool | None = age is None or 16 <= age < 25
    elif age is None:
        return Answer("cannot assess")
    else:
        applies = all_of(max(16, version.from_age) <= age < 25, cohort(rule, who))
    if applies is False:
        return Answer("not applicable")
    if applies is None or any(getattr(record, column) == UNKNOWN for column in rule.needs):
        return Answer("cannot assess")
    return breach(rule, version, record, as_at)


def cohort(rule: Rule, who: "Standing") -> bool | None:
    age, activity = who.age or 0, who.record.activity
    if rule.id == CONTACT:
        return all_of(age <= 20, who.entitled)
    if rule.id == CONTACT_21:
        return age >= 21
    if rule.id in (ADVISER, ADVISER_STUDENT):
        return None if activity == UNKNOWN else (activity == "F1") == (rule.id == ADVISER_STUDENT)
    return True


def breach(rule: Rule, version: Version, record: Record, as_at: dt.date) -> Answer:
    if rule.id == HOME:
        return Answer("breach" if record.home == "S" else "ok")
    if rule.id in (ADVISER, ADVISER_STUDENT):
        return Answer("breach" if record.adviser is None else "ok")
    last = record.visited if rule.id == VISIT else record.contact
    if last is None:
        return Answer("breach")
    due_on = last + dt.timedelta(version.limit)
    return Answer("breach", due_on) if due_on < as_at else Answer("ok", due_on)


# What is remembered


@dataclass(frozen=True)
class Known:
    """One person as the roster has them. ``record``: their last believed values."""

    record: Record
    once_entitled: bool = False
    died: bool = False
    said_alive: bool = False
    """The records say alive of someone who died, and nobody has confirmed it."""
    ended: bool = False


@dataclass(frozen=True)
class Flag:
    """One unresolved flag. ``kept``: a severity it carries from another, and the last day on which that counts.

    ``asked``: the version of the rule that last found it in breach. ``carried``: since when a merged record's flag was
    in breach, which stands where it is the older, for as long as the record shows the due day of its first answer.
    """

    opened_on: dt.date
    since: dt.date
    severity: str
    asked: Version
    held: bool = False
    kept: tuple[str, dt.date] | None = None
    waived_until: dt.date | None = None
    carried: dt.date | None = None
    carried_due_on: dt.date | str | None = None


@dataclass(frozen=True)
class Ending:
    """A flag that tonight ended, with each reason the design allows, and the flag that carries it on, if one does."""

    person: str
    rule: str
    reasons: frozenset[str]
    heir: Key | None = None


@dataclass(frozen=True)
class State:
    """All that is remembered between two nights."""

    known: Mapping[str, Known] = field(default_factory=dict)
    flags: Mapping[Key, Flag] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What is true of one night. ``records``: of those on the caseload; ``merged``: old ids with the new one each."""

    as_at: dt.date
    records: Mapping[str, Record]
    rules: Mapping[str, Version]
    merged: Mapping[str, str] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Standing:
    """One person tonight, as the rules are asked about them."""

    record: Record
    age: int | None
    entitled: bool | None
    present: bool
    silent: bool
    """Recorded as having died."""
    ended: bool


# One night


def pass_night(before: State, facts: Facts) -> tuple[State, list[Ending]]:
    """Return what is remembered after the night, and what ended in it."""
    known = remember(before.known, facts)
    merged = {old: new for old, new in facts.merged.items() if new in known and old not in facts.records}
    people = {person: stand(person, one, facts) for person, one in known.items() if person not in merged}
    answers = {
        (person, rule): answer_of(RULES[rule], who, facts) for person, who in people.items() for rule in facts.rules
    }
    flags, came_from = follow_merges(run_out(before.flags, facts.as_at), merged)
    judged = judge(flags, people, answers, facts)
    after, ended = hand_on(flags, judged, answers, facts)
    after = continue_flags(after, answers, facts)
    open_flags(after, answers, facts)
    endings = [each for key, how in ended.items() for each in tell(key, how, came_from, before.flags)]
    moved = [(origin, key) for key, origins in came_from.items() if key in after for origin in origins]
    return State(known, after), endings + [Ending(*origin, frozenset({"merged"}), key) for origin, key in moved]


def remember(before: Mapping[str, Known], facts: Facts) -> dict[str, Known]:
    """Put what tonight says of everyone on the caseload into the roster."""
    known = dict(before)
    for person, told in facts.records.items():
        was = known.get(person)
        record = replace(told, **{name: getattr(was.record, name) if was else UNKNOWN for name in facts.doubted})
        elsewhere = [known[old] for old, new in facts.merged.items() if new == person and old in known]
        entitled = told.eligibility in ("relevant", "former relevant") or any(
            one.once_entitled for one in (*elsewhere, *([was] if was else []))
        )
        died = told.died or (was.died if was else False)
        known[person] = Known(record, entitled, died, died and not told.died, False)
    return {
        person: replace(one, ended=ended if (ended := is_25(one, facts.as_at)) is not None else one.ended)
        for person, one in known.items()
    }


def is_25(one: Known, day: dt.date) -> bool | None:
    age = age_on(one.record.born, day)
    return None if age is None else age >= 25


def stand(person: str, one: Known, facts: Facts) -> Standing:
    recorded = {None: None, UNKNOWN: None}.get(one.record.eligibility, False)
    entitled = True if one.once_entitled else recorded
    age = age_on(one.record.born, facts.as_at)
    return Standing(one.record, age, entitled, person in facts.records, one.died, one.ended)


def answer_of(rule: Rule, who: Standing, facts: Facts) -> Answer:
    if who.silent or who.ended or not (who.present or rule.asks_absent):
        return NOT_ASKED
    if rule.id in facts.failed or facts.doubted & set(rule.needs):
        return Answer("cannot assess")
    return ask(rule, facts.rules[rule.id], who, facts.as_at)


def run_out(flags: Mapping[Key, Flag], as_at: dt.date) -> dict[Key, Flag]:
    """Let go the waivers whose last day is past."""
    return {
        key: replace(flag, waived_until=None) if flag.waived_until and flag.waived_until < as_at else flag
        for key, flag in flags.items()
    }


def follow_merges(flags: Mapping[Key, Flag], merged: Mapping[str, str]) -> tuple[dict[Key, Flag], dict[Key, list[Key]]]:
    """Move each flag of a merged id to the record that stands for it; with whose flags each of those now is."""
    after = {key: flag for key, flag in flags.items() if key[0] not in merged}
    came_from: dict[Key, list[Key]] = {}
    for (person, rule), flag in flags.items():
        if person in merged:
            key = (merged[person], rule)
            flag = replace(flag, carried=flag.since, carried_due_on=NO_ANSWER)
            after[key] = unite(after[key], flag) if key in after else flag
            came_from.setdefault(key, []).append((person, rule))
    return after, came_from


def unite(own: Flag, other: Flag) -> Flag:
    """Return one flag for two about the same thing: the older first day stands, and nothing else is lost."""
    kept = max((flag.kept for flag in (own, other) if flag.kept), key=lambda one: ORDER.index(one[0]), default=None)
    return replace(
        own,
        opened_on=min(own.opened_on, other.opened_on),
        since=min(own.since, other.since),
        kept=kept,
        carried_due_on=NO_ANSWER,
        carried=min((flag.carried for flag in (own, other) if flag.carried), default=None),
        waived_until=own.waived_until or other.waived_until,
    )


def judge(
    flags: Mapping[Key, Flag],
    people: Mapping[str, Standing],
    answers: Mapping[Key, Answer],
    facts: Facts,
) -> dict[Key, str]:
    """Return what tonight makes of each flag: open, held, or why it ends (the table of the design)."""
    judged = {}
    for key in flags:
        person, rule = key
        outcome = answers[key].outcome if key in answers else "not asked"
        if people[person].silent:
            judged[key] = "died"
        elif people[person].ended:
            judged[key] = "duty ended"
        elif rule not in facts.rules:
            judged[key] = "withdrawn"
        else:
            judged[key] = {
                "breach": "open", "ok": "cleared", "not applicable": "no longer asked",
            }.get(outcome, "held")  # fmt: skip
        if judged[key] in ("cleared", "no longer asked"):
            judged[key] = told_as(judged[key], flags[key], rule, people[person], facts)
    return judged


def told_as(why: str, flag: Flag, rule: str, who: Standing, facts: Facts) -> str:
    """Return why a flag ended, where the rule may have been changed since it last found a breach.

    If the rule as it was would still find one, only the change ended it. If not, both words are true.
    """
    if flag.asked == facts.rules[rule]:
        return why
    if ask(RULES[rule], flag.asked, who, facts.as_at).outcome == "breach":
        return "rule changed"
    return f"{why}|rule changed"


@dataclass(frozen=True)
class Ended:
    reasons: frozenset[str]
    heir: Key | None = None


def hand_on(
    flags: Mapping[Key, Flag], judged: Mapping[Key, str], answers: Mapping[Key, Answer], facts: Facts
) -> tuple[dict[Key, Flag], dict[Key, Ended]]:
    """Return the flags that stand, and those that ended; a rule that is no longer asked may hand its flag on."""
    after = {key: replace(flag, held=judged[key] == "held") for key, flag in flags.items() if judged[key] in STANDING}
    ended = {}
    for key, why in judged.items():
        if why in STANDING:
            continue
        person, rule = key
        following = [(person, one) for one in facts.rules if rule in RULES[one].continues and "no longer asked" in why]
        heirs = [one for one in following if answers[one].outcome == "breach"]
        if heirs:
            after[heirs[0]] = carry(flags[key], after.get(heirs[0]), heirs[0][1], answers[heirs[0]], facts)
            ended[key] = Ended(frozenset({"handed on"}), heirs[0])
        elif any(answers[one].outcome in ("cannot assess", "not asked") for one in following):
            after[key] = replace(flags[key], held=True)
        else:
            ended[key] = Ended(frozenset(why.split("|")))
    return after, ended


STANDING = ("open", "held")


def carry(flag: Flag, own: Flag | None, rule: str, answer: Answer, facts: Facts) -> Flag:
    """Return the flag that carries ``flag`` on, which may be there already; the older first day stands."""
    until = facts.as_at + dt.timedelta(KEPT_DAYS)
    heir = Flag(
        opened_on=flag.opened_on,
        since=answer.due_on + dt.timedelta(1) if answer.due_on else flag.since,
        severity=RULES[rule].severity,
        asked=facts.rules[rule],
        kept=(shown_severity(flag, facts.as_at), until),
        waived_until=flag.waived_until,
    )
    return unite(own, heir) if own else heir


def shown_severity(flag: Flag, as_at: dt.date) -> str:
    return worse(flag.severity, flag.kept[0]) if flag.kept and as_at <= flag.kept[1] else flag.severity


def continue_flags(flags: Mapping[Key, Flag], answers: Mapping[Key, Answer], facts: Facts) -> dict[Key, Flag]:
    """Take from tonight's breach what it says of a flag that stands: since when, by a due day; and that it is sure."""
    after = {}
    for key, flag in flags.items():
        answer = answers.get(key, NOT_ASKED)
        if answer.outcome == "breach":
            since = answer.due_on + dt.timedelta(1) if answer.due_on else flag.since
            if flag.carried and flag.carried_due_on in (NO_ANSWER, answer.due_on):
                since = min(since, flag.carried)
                flag = replace(flag, carried_due_on=answer.due_on)
            else:
                flag = replace(flag, carried=None)
            flag = replace(flag, since=since, held=False, asked=facts.rules[key[1]])
        after[key] = flag
    return after


def open_flags(flags: dict[Key, Flag], answers: Mapping[Key, Answer], facts: Facts) -> None:
    for key, answer in answers.items():
        if answer.outcome == "breach" and key not in flags:
            since = answer.due_on + dt.timedelta(1) if answer.due_on else facts.as_at
            flags[key] = Flag(facts.as_at, since, RULES[key[1]].severity, facts.rules[key[1]])


def tell(key: Key, how: Ended, came_from: Mapping[Key, Sequence[Key]], before: Mapping[Key, Flag]) -> Iterable[Ending]:
    """Return the endings of a flag and of the merged ones it stood for."""
    if key in before:
        yield Ending(*key, how.reasons, how.heir)
    # A flag of a merged record ends by what the other record says, except that it may also be called merged.
    told = how.reasons if "died" in how.reasons else how.reasons | {"merged"}
    for origin in came_from.get(key, ()):
        yield Ending(*origin, told, how.heir)


def decide(state: State, decisions: Iterable[Any]) -> State:
    """Return the state after what people decided between two nights: waivers, and that somebody is alive."""
    known, flags = dict(state.known), dict(state.flags)
    for act in decisions:
        key = (act.who, act.what)
        if act.verb == "confirm alive" and act.who in known:
            known[act.who] = replace(known[act.who], died=False, said_alive=False)
        elif key in flags:
            flags[key] = replace(flags[key], waived_until=act.value if act.verb == "waive" else None)
    return State(known, flags)
