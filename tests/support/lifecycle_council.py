"""Live an invented story on a real council, compare every flag with the model, and find the shortest that fails."""

import csv
import datetime as dt
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from support import lifecycle as model
from support.beyond_reach import overflow_allowed
from support.council import Council, settled
from support.lifecycle import (
    ADVISER,
    ADVISER_STUDENT,
    CONTACT,
    CONTACT_21,
    HOME,
    LEFT,
    RULES,
    UNKNOWN,
    VISIT,
    Ending,
    Facts,
    Flag,
    Key,
    Version,
)  # fmt: skip
from support.lifecycle_story import DECISIONS, PILLARS, Act, Chronicle, Step, Story, day

from monitor.config.settings import load_config, shipped
from monitor.errors import MonitorError, SourceError
from monitor.figures import measures
from monitor.flags import coming_due, waiver_request
from monitor.flags.waiver_request import UnwaiveRequest, WaiverLimits, WaiverRequest
from monitor.messages.compose import Post
from monitor.night import publish, save, withdraw
from monitor.night.context import Tools
from monitor.night.withdraw import WithdrawalRequest
from monitor.record import audit as auditing
from monitor.record import last_night
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.events import Stamp

FAILS = {CONTACT: "plan_heads_complete", CONTACT_21: "pa_changes_12_months"}
"""Which column of the supplement, where a pillar has 9 in it, lets a rule fail while it runs."""
HEADINGS = {"contact": "contact", "adviser": "adviser", "activity": "activity", "home": "accommodation"}
ELIGIBILITY = {
    "former relevant": "b) Former relevant child", "qualifying": "c) Qualifying care leaver", None: "", UNKNOWN: "?#",
}  # fmt: skip
HOMES = {"S": "S: No fixed abode", "U": "U: Independent living", "B": "B: With parents or relatives"}

RULE = """
title = "{title}"
severity = "{severity}"
basis = "practice"
reference = "Practice"
why = "What is not known cannot be supported."
action = "Find out."
needs = [{needs}]
applies_to = "{applies_to}"
{keys}
breach_if = "{breach_if}"
because = "As recorded."
"""
COLUMNS = {
    "contact": "latest_contact_date", "adviser": "personal_adviser", "activity": "activity", "home": "accommodation",
    "visited": "last_visit_date",
}  # fmt: skip
CONDITIONS = {
    CONTACT: "age between {from_age} and 20 and category in ('relevant', 'former relevant')",
    CONTACT_21: "age between 21 and 24",
    ADVISER: "activity is distinct from 'F1' and age >= {from_age}",
    ADVISER_STUDENT: "activity is not distinct from 'F1'",
    HOME: "(age between 16 and 24) is not false",
    VISIT: "age >= {from_age}",
}


def write_rule(rule_id: str, version: Version) -> str:
    """Write the rule as a council would, in its own words and not the model's."""
    rule = RULES[rule_id]
    keys = [f"continues = {list(rule.continues)}"] if rule.continues else []
    keys += ["asks_absent = true"] if rule.asks_absent else []
    keys += ["any_age = true"] if rule_id == HOME else []
    dated = {CONTACT: "latest_contact_date", CONTACT_21: "latest_contact_date", VISIT: "last_visit_date"}.get(rule_id)
    keys += [f'due_on = "{dated} + within"'] if dated else []
    breach = f"{dated} is null or due_on < as_at"
    if rule_id in FAILS:
        breach += f" or ({FAILS[rule_id]} * 290000000 > 5) is true"
    if rule_id in (ADVISER, ADVISER_STUDENT):
        breach = "personal_adviser is null"
    if rule_id == HOME:
        breach = "accommodation is not distinct from 'S'"
    text = RULE.format(
        title=rule_id.replace("-", " ").capitalize(),
        severity=rule.severity,
        needs=", ".join(f'"{COLUMNS[name]}"' for name in rule.needs),
        applies_to=CONDITIONS[rule_id].format(from_age=version.from_age),
        keys="\n".join(keys),
        breach_if=breach,
    )
    return text + (f'[limits]\nwithin = "{version.limit} days"\n' if dated else "")


SETTINGS = """
rules = ["rules"]
shipped_rules = false
merged_ids = "merged.csv"
[gate]
fewest = 1000
lowest_share_present = 0
highest_share_joined = 10
most_new_deaths = 1000
highest_share_birth_dates_changed = 1
highest_share_teams_changed = 1
[quarantine]
fewest = 1000
[[sources]]
name = "visits"
kind = "supplement"
path = "visits.csv"
"""


def _written(date: Any) -> str:
    if date in (None, UNKNOWN):
        return "" if date is None else "#MULTIVALUE"
    return f"{date:%d/%m/%Y}"


@dataclass
class Lived:
    """A story as it is lived: on a council, and beside it by the model."""

    council: Council
    told: Chronicle
    database: Any = None
    """Open while somebody decides."""

    @classmethod
    def begin(cls, folder: Path, story: Story, database: str | None = None) -> "Lived":
        (folder / "rules").mkdir()
        (folder / "rules" / f"{LEFT}.toml").write_bytes((shipped("rules") / f"{LEFT}.toml").read_bytes())
        return cls(Council(folder, SETTINGS, database=database), Chronicle.begin(story.people))

    def live(self, step: Step) -> list[str]:
        """Do one step on both; return every difference in words."""
        told = self.told
        with ExitStack() as deciding:
            for act in step.acts:
                told.world.do(act)
                if act.verb in DECISIONS and told.can_decide(act):
                    self.database = self.database or deciding.enter_context(self.council.open_database())
                    self.decide(act)
        self.database = None
        if not told.is_possible(step):
            return []
        if step.kind == "withdraw":
            as_at = told.withdraw()
            withdraw_night(self.council, as_at)
            return self.differences(as_at)
        again = step.kind == "again"
        facts = told.world.facts(told.nights[-1] if again else day(step.day), step.acts)
        gone = any(act.verb == "source gone" for act in step.acts)
        self.write(facts, gone=gone)
        try:
            self.council.night(facts.as_at, again=again, by="A Example")
        except SourceError as refused:
            return self.differences(facts.as_at) if gone else [f"the night failed: {refused}"]
        except MonitorError as refused:
            return [f"the night was refused: {refused}"]
        if gone:
            return ["a night without its supplement was accepted"]
        endings = told.put_right(facts) if again else told.pass_night(facts)
        return [*self.differences(facts.as_at), *self.wrong_endings(facts.as_at, endings)]

    def decide(self, act: Act) -> None:
        """Let somebody decide the same on both."""
        if act.verb == "waive":
            terms = (act.value.isoformat(), "system-cannot-record", "Agreed", "A Lead")
            self.with_store(lambda database, stamp: waiver_request.waive(
                database, open_rulebook(self.config), WaiverRequest(act.who, act.what, *terms),
                WaiverLimits(self.config.waivers.reasons), stamp,
            ))  # fmt: skip
        elif act.verb == "unwaive":
            ended = UnwaiveRequest(act.who, act.what, "A Lead", "No longer agreed")
            self.with_store(lambda database, stamp: waiver_request.unwaive(database, ended, stamp))
        else:
            self.with_store(lambda database, stamp: last_night.confirm(
                database, act.who, by="A Example", today=stamp.as_at, now=stamp.recorded_at
            ))  # fmt: skip
        self.told.decide(act)

    def with_store(self, decide: Callable[[Any, Stamp], object]) -> None:
        decide(self.database, Stamp(self.told.today, self.council.clock))

    @property
    def config(self) -> Any:
        return load_config(self.council.config_path)

    # What the council's files say

    def write(self, facts: Facts, *, gone: bool) -> None:
        folder = self.council.folder
        rows = []
        for person in facts.records:
            record = facts.records[person] if person in PILLARS else self.told.world.records[person]
            rows.append(settled(
                person, team=record.team, born=_written(record.born), eligibility=ELIGIBILITY[record.eligibility],
                plan=_written(facts.as_at), contact=_written(record.contact),
                adviser={None: "", UNKNOWN: "#MULTIVALUE"}.get(record.adviser, record.adviser),
                activity={None: "", UNKNOWN: "#MULTIVALUE"}.get(record.activity, record.activity),
                accommodation={None: "", UNKNOWN: "#MULTIVALUE"}.get(record.home, HOMES.get(record.home, "")),
                in_touch="c) Died" if record.died else "a) Yes",
            ))  # fmt: skip
        self.council.write(rows, leave_out=[HEADINGS[name] for name in facts.doubted])
        with (folder / "visits.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["person_id", "last_visit_date", *FAILS.values()])
            # Of someone absent too: a supplement is nobody's caseload.
            for person, record in self.told.world.records.items():
                visited = facts.as_at if person in PILLARS else record.visited
                if visited != UNKNOWN:
                    fails = [9 if person in PILLARS and rule in facts.failed else "" for rule in FAILS]
                    writer.writerow([person, _written(visited), *fails])
        if gone:
            (folder / "visits.csv").unlink()
        lines = [f"{old},{new}" for old, new in self.told.world.merged.items()]
        (folder / "merged.csv").write_text("\n".join(["old_id,new_id", *lines, ""]), encoding="utf-8")
        for rule in RULES.keys() - {LEFT}:
            path = folder / "rules" / f"{rule}.toml"
            text = write_rule(rule, facts.rules[rule]) if rule in facts.rules else None
            if text is None:
                path.unlink(missing_ok=True)
            elif not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")

    # Comparing

    def faults(self) -> list[str]:
        """What the audit says of a record that nobody has touched."""
        with self.council.open_database() as database:
            return [
                f"the audit: {problem}" for problem in auditing.audit(database, self.council.folder / "data").problems
            ]

    def differences(self, as_at: dt.date) -> list[str]:
        """Compare every unresolved flag of the store with the model's."""
        rows = self.council.rows(FLAGS.format(as_at=as_at))
        found = {(str(row[0]), str(row[1])): row[2:] for row in rows}
        expected = {key: _shown(flag, as_at) for key, flag in self.told.state.flags.items()}
        told = [f"{_flag(key)} should stand, and does not" for key in sorted(expected.keys() - found.keys())]
        told += [f"{_flag(key)} stands, and should not" for key in sorted(found.keys() - expected.keys())]
        for key in sorted(expected.keys() & found.keys()):
            told += [
                f"{_flag(key)}: {name} should be {right}, is {is_}"
                for name, right, is_ in zip(SHOWN, expected[key], map(_plain, found[key]), strict=True)
                if right != is_
            ]
        return told

    def wrong_endings(self, as_at: dt.date, endings: Sequence[Ending]) -> list[str]:
        """Compare how the flags that ended tonight did, and whether each heir says whom it continues."""
        rows = self.council.rows(
            f"SELECT person_id, rule, id, resolved_reason FROM flag WHERE resolved_on = '{as_at}' ORDER BY id"
        )
        ended = {(str(person), str(rule)): (number, str(reason)) for person, rule, number, reason in rows}
        told = []
        for each in endings:
            key = (each.person, each.rule)
            if key not in ended:
                told.append(f"{_flag(key)} should have ended ({' or '.join(sorted(each.reasons))})")
            elif ended[key][1] not in each.reasons:
                told.append(f"{_flag(key)} should end as {' or '.join(sorted(each.reasons))}, is {ended[key][1]}")
        return told


FLAGS = """
    SELECT flag.person_id, flag.rule, opened_on, in_breach_since, severity, held_since IS NOT NULL, until_on
    FROM flag LEFT JOIN waiver ON waiver.flag_id = flag.id AND ended_on IS NULL AND until_on >= '{as_at}'
    WHERE resolved_on IS NULL
"""
SHOWN = ("opened_on", "in_breach_since", "severity", "held", "waived until")


def _shown(flag: Flag, as_at: dt.date) -> tuple[str, ...]:
    waived = flag.waived_until if flag.waived_until and flag.waived_until >= as_at else None
    return (
        str(flag.opened_on), str(flag.since), model.shown_severity(flag, as_at), str(flag.held), str(waived),
    )  # fmt: skip


def _plain(value: object) -> str:
    return str(bool(value)) if isinstance(value, (bool, int)) else str(value)


def _flag(key: Key) -> str:
    return f"{key[1]} of {key[0]}"


def withdraw_night(council: Council, as_at: dt.date) -> None:
    council.clock += dt.timedelta(days=1)
    request = WithdrawalRequest(as_at, "A Example", "The extract was of another day", as_at)
    tools = Tools(lambda: council.clock, {}, lambda step: None)
    withdraw.withdraw_night(load_config(council.config_path), request, tools)


@dataclass(frozen=True)
class Failure:
    """A story that the monitor and the model tell differently, after its last step."""

    story: Story
    told: tuple[str, ...]
    quiet: bool = False

    def __str__(self) -> str:
        return "\n".join([str(self.story), *(f"  -> {words}" for words in self.told)])


@contextmanager
def telling_nobody() -> Iterator[None]:
    """Nights that only remember: without messages and lists, which cost a third of a small night."""
    with ExitStack() as left_out:
        for module, name, instead in (
            (publish, "publish", lambda night, outcome, channel: outcome),
            (save, "_write_messages", lambda *given: Post(iter(()), {})),
            (save, "prepare_lists", lambda night: None),
            (measures, "save", lambda *given, **named: None),
            (coming_due, "look_ahead", lambda *given: None),
        ):
            left_out.enter_context(mock.patch.object(module, name, instead))
        yield


@overflow_allowed()
def live(story: Story, database: str | None = None, *, quiet: bool = False) -> Failure | None:
    """Live a story on a new council up to the first step after which something differs, and audit what it remembers.

    ``quiet``: write no messages and lists, of which the model knows nothing, and audit once, after the last step.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle") as folder, telling_nobody() if quiet else nullcontext():
        lived = Lived.begin(Path(folder), story, database)
        for number, step in enumerate(story.steps, 1):
            differing = lived.live(step)
            if not differing and (not quiet or number == len(story.steps)):
                differing = lived.faults()
            if differing:
                return Failure(replace(story, steps=story.steps[:number]), tuple(differing), quiet)
    return None


def shorten(failure: Failure, *, tries: int = 120) -> Failure:
    """Return the shortest story found that still differs in the same words, whoever is meant: fewer people and acts."""
    alike, shortest = _without_names(failure.told[0]), failure
    going_on = True
    while going_on and tries > 0:
        going_on = False
        for story in _shorter(shortest):
            tries -= 1
            found = live(story, quiet=failure.quiet)
            if found and any(_without_names(words) == alike for words in found.told):
                first = sorted(found.told, key=lambda words: _without_names(words) != alike)
                shortest, going_on = replace(found, told=tuple(first)), True
                break
            if tries <= 0:
                break
    return shortest


def _shorter(failure: Failure) -> Iterator[Story]:
    """Each story that leaves out a part, the large parts first: half the people, a run, one person, one act."""
    story, names = failure.story, sorted(failure.story.people)
    meant = {*re.findall(ID, failure.told[0])}
    merging = [{act.who, act.value} for act in _acts(story) if act.verb == "merge"]
    close = meant.union(*(pair for pair in merging if pair & meant))
    if close < {*names, *(act.who for act in _acts(story))}:
        yield _with_people(story, close)
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        if 0 < len(half) < len(names):
            yield _without_people(story, set(half))
    for number in range(len(story.steps) - 1):
        yield replace(story, steps=story.steps[:number] + story.steps[number + 1 :])
    for name in names:
        yield _without_people(story, {name})
    for number, step in enumerate(story.steps):
        for act in step.acts:
            left = replace(step, acts=tuple(one for one in step.acts if one is not act))
            yield replace(story, steps=(*story.steps[:number], left, *story.steps[number + 1 :]))


ID = r"\b[JLMNP]\d{2}\b"


def _acts(story: Story) -> list[Act]:
    return [act for step in story.steps for act in step.acts]


def _with_people(story: Story, people: set[str]) -> Story:
    everyone = {*story.people, *(act.who for act in _acts(story) if act.who)}
    return _without_people(story, everyone - people)


def _without_people(story: Story, people: set[str]) -> Story:
    def stays(act: Act) -> bool:
        return act.who not in people and not (act.verb == "merge" and act.value in people)

    steps = tuple(replace(step, acts=tuple(filter(stays, step.acts))) for step in story.steps)
    return replace(story, people={key: one for key, one in story.people.items() if key not in people}, steps=steps)


def _without_names(words: str) -> str:
    return re.sub(rf"{ID}|\d{{4}}-\d\d-\d\d", "", words)
