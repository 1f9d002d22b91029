"""Random stories of a council, night by night: what happens, in words, and what the model makes of it."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from support import lifecycle as model
from support.lifecycle import CONTACT, CONTACT_21, LEFT, RULES, UNKNOWN, Ending, Facts, Record, State, Version

FIRST = dt.date(2026, 1, 12)


def day(n: int) -> dt.date:
    return FIRST + dt.timedelta(n)


# A story


@dataclass(frozen=True)
class Act:
    """One thing that happens before a run: to a person's record, to a file, to the rules, or by somebody's decision."""

    verb: str
    who: str = ""
    what: str = ""
    value: Any = None

    def __str__(self) -> str:
        return WORDS[self.verb](self)


def _cell(value: Any) -> str:
    return {None: "blank", UNKNOWN: "unreadable"}.get(value, str(value))


WORDS: Mapping[str, Callable[[Act], str]] = {
    "record": lambda act: f"{act.who}'s {act.what} is {_cell(act.value)}",
    "join": lambda act: f"{act.who} is new: {_described(act.value)}",
    "leave": lambda act: f"{act.who} is absent",
    "return": lambda act: f"{act.who} is back",
    "merge": lambda act: f"{act.who} is merged into {act.value}",
    "take back": lambda act: f"the line that merged {act.who} is taken back, and {act.who} is back",
    "drop": lambda act: f"no source supplies {act.what}",
    "source gone": lambda act: "the supplement is missing",
    "fail": lambda act: f"{act.what} fails while it runs",
    "edit": lambda act: f"{act.what} is now asked from age {act.value.from_age} with a limit of {act.value.limit} days",
    "remove rule": lambda act: f"{act.what} is taken out of the rulebook",
    "put back rule": lambda act: f"{act.what} is in the rulebook again",
    "waive": lambda act: f"{act.what} of {act.who} is waived until {act.value}",
    "unwaive": lambda act: f"the waiver of {act.what} of {act.who} is ended",
    "confirm alive": lambda act: f"{act.who} is confirmed to be alive",
}
DECISIONS = ("waive", "unwaive", "confirm alive")
TONIGHT_ONLY = ("drop", "source gone", "fail")


@dataclass(frozen=True)
class Step:
    """One run, of the day given; ``kind``: night, again (of the last night), or withdraw (of the last night)."""

    kind: str
    day: int
    acts: tuple[Act, ...] = ()

    def __str__(self) -> str:
        heads = {"night": f"night of {day(self.day)}", "again": "put right", "withdraw": "withdrawn"}
        return f"{heads[self.kind]}: {'; '.join(map(str, self.acts)) or 'nothing happens'}"


def _described(record: Record) -> str:
    usual = Record()
    parts = [
        f"{name} {_cell(getattr(record, name))}"
        for name in ("born", "eligibility", "contact", "adviser", "activity", "home", "visited")
        if getattr(record, name) != getattr(usual, name)
    ]
    return ", ".join(parts) or "nothing to say"


@dataclass(frozen=True)
class Story:
    seed: int
    people: Mapping[str, Record]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        told = [f"  at first: {person}: {_described(record)}" for person, record in self.people.items()]
        return "\n".join([f"seed {self.seed}", *told, *(f"  {step}" for step in self.steps)])


# The council as it is: its people, files and rules

PILLARS = {f"K{n}": Record(born=dt.date((2006, 2005, 2003)[n % 3], 9, 1)) for n in range(1, 9)}
"""People about whom there is never anything to say, in contact every night, so that each extract is of its day.

Of them, somebody is of every age from which a rule may be asked: a rule fails on these.
"""


@dataclass
class World:
    """What the sources would say, which acts change; a person absent keeps the record they would have."""

    records: dict[str, Record]
    absent: set[str] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    rules: dict[str, Version] = field(default_factory=lambda: {rule.id: rule.usual for rule in RULES.values()})

    def do(self, act: Act) -> None:
        """Change what the act changes; one that makes no sense any more changes nothing."""
        if act.verb == "record" and act.who in self.records:
            self.records[act.who] = replace(self.records[act.who], **{act.what: act.value})
        elif act.verb == "join":
            self.records.setdefault(act.who, act.value)
        elif act.verb == "leave":
            self.absent.add(act.who)
        elif act.verb == "return" and act.who not in self.merged:
            self.absent.discard(act.who)
        elif act.verb == "merge" and self._may_merge(act.who, act.value):
            self.merged[act.who] = act.value
            self.records.setdefault(act.value, self.records[act.who])
            self.absent.add(act.who)
        elif act.verb == "take back" and act.who in self.merged:
            del self.merged[act.who]
            self.absent.discard(act.who)
        elif act.verb == "edit":
            self.rules[act.what] = act.value
        elif act.verb == "remove rule":
            self.rules.pop(act.what, None)
        elif act.verb == "put back rule":
            self.rules.setdefault(act.what, RULES[act.what].usual)

    def _may_merge(self, old: str, new: str) -> bool:
        return old in self.records and old not in self.merged and new not in self.merged and old != new

    def last_id(self, person: str) -> str:
        while person in self.merged:
            person = self.merged[person]
        return person

    def facts(self, as_at: dt.date, acts: Sequence[Act]) -> Facts:
        here = {person: one for person, one in self.records.items() if person not in self.absent}
        return Facts(
            as_at,
            {person: _tonight(person, one, as_at) for person, one in here.items()},
            dict(self.rules),
            {old: self.last_id(old) for old in self.merged},
            frozenset(act.what for act in acts if act.verb == "drop"),
            frozenset(act.what for act in acts if act.verb == "fail"),
        )


def _tonight(person: str, record: Record, as_at: dt.date) -> Record:
    """A record as the night has it: a date later than the night or before the birth is unreadable."""
    if person in PILLARS:
        return replace(record, contact=as_at, visited=as_at)
    born = record.born if isinstance(record.born, dt.date) else dt.date.min
    wrong = {
        name: UNKNOWN
        for name in ("contact", "visited")
        if isinstance(date := getattr(record, name), dt.date) and not born <= date <= as_at
    }
    return replace(record, **wrong)


# The story as the model has it


@dataclass
class Chronicle:
    """A story so far: the world, and what the model remembers of it.

    ``before``: as it was before the last accepted night; ``decided``: by people since that night; ``facts``: of that
    night, None where it was withdrawn.
    """

    world: World
    state: State = field(default_factory=State)
    before: State = field(default_factory=State)
    decided: list[Act] = field(default_factory=list)
    facts: Facts | None = None
    nights: list[dt.date] = field(default_factory=list)
    today: dt.date = FIRST
    """The latest day there was: taking a night back does not turn the calendar back."""
    merged_before: frozenset[str] = frozenset()
    """Who was merged on an earlier night than the last: such a line is not taken back in these stories."""

    @classmethod
    def begin(cls, people: Mapping[str, Record]) -> "Chronicle":
        return cls(World({**PILLARS, **people}))

    def is_possible(self, step: Step) -> bool:
        if step.kind == "night":
            return not self.nights or day(step.day) > self.nights[-1]
        return self.facts is not None

    def can_decide(self, act: Act) -> bool:
        """Return whether there is what somebody decides about."""
        if not self.facts:
            return False
        flag = self.state.flags.get((act.who, act.what))
        if act.verb == "confirm alive":
            return act.who in self.state.known and self.state.known[act.who].said_alive
        if act.verb == "unwaive":
            return flag is not None and flag.waived_until is not None and flag.waived_until >= self.today
        return (
            flag is not None
            and flag.waived_until is None
            and act.what in self.facts.rules.keys() & self.world.rules.keys()
            and not self.state.known[act.who].died
            and act.value > self.today
        )

    def decide(self, act: Act) -> None:
        self.state = model.decide(self.state, [act])
        self.decided.append(act)

    def pass_night(self, facts: Facts) -> list[Ending]:
        self.before, self.decided = self.state, []
        self.merged_before = frozenset(self.facts.merged) if self.facts else self.merged_before
        self.state, endings = model.pass_night(self.state, facts)
        self.nights.append(facts.as_at)
        self.today = max(self.today, facts.as_at)
        self.facts = facts
        return endings

    def put_right(self, facts: Facts) -> list[Ending]:
        """Pass the last night again from where it began, with what people have decided since."""
        if facts == self.facts:
            return []
        self.state, endings = model.pass_night(model.decide(self.before, self.decided), facts)
        self.state = model.decide(self.state, [act for act in self.decided if act.verb != "confirm alive"])
        self.facts = facts
        return endings

    def withdraw(self) -> dt.date:
        """Take the last night back; its date."""
        self.state, self.facts, self.decided = model.decide(self.before, self.decided), None, []
        return self.nights.pop()


# Inventing stories

AGO = (0, 3, 20, 27, 29, 40, 54, 56, 58, 70, 83, 86, 99, 103, 130)
"""Days since a contact or a visit, near every limit."""


def invent(seed: int, *, people: int, steps: int) -> Story:
    """Invent a story; the same seed tells the same."""
    rng = Random(seed)
    first = {f"P{n:02}": _person(rng, FIRST) for n in range(1, people + 1)}
    told = Chronicle.begin(first)
    invented: list[Step] = []
    today = 0
    while len(invented) < steps:
        kind = rng.choices(("night", "again", "withdraw"), (10, 3, 1))[0] if told.facts else "night"
        today = today if kind != "night" else _next_day(rng, told, today)
        acts = _acts(rng, told, day(today)) if kind != "withdraw" else []
        if kind == "again":
            new = sorted(told.world.merged.keys() - told.merged_before)
            back = [Act("take back", person) for person in new if rng.random() < 0.5]
            # The model knows no line that is taken back on a later night, as one is where this attempt is refused.
            acts = [act for act in acts if not (back and act.verb == "source gone")] + back
        step = Step(kind, today, tuple(acts))
        invented.append(step)
        tell(told, step)
    return Story(seed, first, tuple(invented))


def tell(told: Chronicle, step: Step) -> None:
    """Let the model alone live a step."""
    for act in step.acts:
        told.world.do(act)
        if act.verb in DECISIONS and told.can_decide(act):
            told.decide(act)
    if not told.is_possible(step) or any(act.verb == "source gone" for act in step.acts):
        return
    if step.kind == "withdraw":
        told.withdraw()
    elif step.kind == "again":
        told.put_right(told.world.facts(told.nights[-1], step.acts))
    else:
        told.pass_night(told.world.facts(day(step.day), step.acts))


def _next_day(rng: Random, told: Chronicle, today: int) -> int:
    if not told.nights:
        return today
    return (told.nights[-1] - FIRST).days + rng.choice((1, 1, 1, 2, 4))


def _person(rng: Random, on: dt.date) -> Record:
    born = on - dt.timedelta(rng.choice((19, 19, 20, 21, 22, 24)) * 365 + rng.randrange(300))
    if rng.random() < 0.3:
        turning = rng.choice((21, 21, 25, 20))
        later = on + dt.timedelta(rng.randrange(1, 40))
        born = dt.date(later.year - turning, later.month, min(later.day, 28))
    return Record(
        born=born,
        eligibility=rng.choice(("former relevant",) * 5 + ("qualifying", None)),
        contact=_ago(rng, on),
        adviser=rng.choice(("A Example", "A Example", None)),
        activity=rng.choice(("F1", "F2")),
        home=rng.choice(("U", "U", "U", "B", "S")),
        visited=rng.choice((UNKNOWN, None, _ago(rng, on))),
    )


NEXT_LETTER = {"P": "N", "J": "N", "N": "M", "M": "L", "L": "L"}
"""How the new id of a merged record begins."""


def _ago(rng: Random, on: dt.date) -> dt.date:
    return on - dt.timedelta(rng.choice(AGO))


def _cell_of(rng: Random, column: str, on: dt.date) -> Any:
    values = {
        "contact": (None, UNKNOWN, UNKNOWN, _ago(rng, on), _ago(rng, on), _ago(rng, on)),
        "visited": (None, UNKNOWN, _ago(rng, on), _ago(rng, on)),
        "adviser": ("A Example", None, None, UNKNOWN),
        "activity": ("F1", "F2", None, UNKNOWN),
        "home": ("S", "S", "U", None, UNKNOWN),
        "eligibility": ("former relevant", "qualifying", None),
    }
    return rng.choice(values[column])


def _acts(rng: Random, told: Chronicle, on: dt.date) -> list[Act]:
    """What happens to some of the people before a run, and now and then to everybody."""
    people = sorted(told.world.records.keys() - PILLARS.keys() - told.world.merged.keys())
    acts = [act for person in people if rng.random() < 0.3 for act in _happening(rng, told, person, on)]
    if told.facts:
        acts += _decisions(rng, told)
    if rng.random() < 0.35:
        acts.append(_for_everybody(rng, told))
    return acts


def _happening(rng: Random, told: Chronicle, person: str, on: dt.date) -> list[Act]:
    record = told.world.records[person]
    if person in told.world.absent:
        return [Act("return", person)] if rng.random() < 0.5 else []
    what = rng.choices(("cell", "birth date", "leave", "die", "merge", "team", "new"), (20, 2, 4, 0.5, 1.5, 1, 0.5))[0]
    if what == "birth date":
        wrong = rng.choice((None, UNKNOWN, record.born, dt.date(2000, 3, 4), dt.date(2003, 5, 6), dt.date(2006, 7, 8)))
        return [Act("record", person, "born", wrong)]
    if what == "leave":
        return [Act("leave", person)]
    if what == "die":
        return [Act("record", person, "died", not record.died)]
    if what == "team":
        return [Act("record", person, "team", rng.choice(("North", "South", "LC North")))]
    if what == "merge":
        others = sorted(told.world.records.keys() - PILLARS.keys() - told.world.merged.keys() - {person})
        new = [NEXT_LETTER[person[0]] + person[1:]]
        return [Act("merge", person, value=rng.choice(new if rng.random() < 0.4 or not others else others))]
    if what == "new":
        return [Act("join", f"J{person[1:]}", value=_person(rng, on))]
    if record.died:
        return [Act("record", person, "died", False)]
    column = rng.choice(("contact", "contact", "adviser", "activity", "home", "visited", "eligibility"))
    return [Act("record", person, column, _cell_of(rng, column, on))]


def _decisions(rng: Random, told: Chronicle) -> list[Act]:
    alive = [Act("confirm alive", who) for who, one in told.state.known.items() if one.said_alive]
    acts = [act for act in alive if rng.random() < 0.5]
    for (who, rule), flag in sorted(told.state.flags.items()):
        if rng.random() < 0.06:
            until = told.today + dt.timedelta(rng.choice((1, 3, 8, 40)))
            waived = flag.waived_until is not None
            acts.append(Act("unwaive" if waived else "waive", who, rule, None if waived else until))
    return acts


def _for_everybody(rng: Random, told: Chronicle) -> Act:
    what = rng.choice(("drop", "drop", "fail", "source gone", "edit", "edit", "rule"))
    if what == "drop" and len(told.nights) > 1:
        return Act("drop", what=rng.choice(("contact", "adviser", "activity", "home")))
    if what == "fail":
        return Act("fail", what=rng.choice((CONTACT, CONTACT_21)))
    if what == "rule":
        missing = sorted(RULES.keys() - told.world.rules.keys())
        return Act("put back rule", what=missing[0]) if missing else Act("remove rule", what=rng.choice(REMOVED))
    if what == "edit":
        rule = RULES[rng.choice([rule.id for rule in RULES.values() if rule.other and rule.id in told.world.rules])]
        return Act("edit", what=rule.id, value=rng.choice((rule.usual, *rule.other)))
    return Act("source gone")


CONTINUED = {continued for rule in RULES.values() for continued in rule.continues}
REMOVED = tuple(rule for rule in RULES if rule != LEFT and rule not in CONTINUED)
"""Rules that may be taken out of the rulebook: the file of one that another continues has to stay."""
