"""Stories in which lines of the list of merged ids are taken back on later nights, and put in again.

The model of the life of flags knows no such line; of these nights it is asked only who is in breach of what. What is
looked at beside it: no night is refused, the record audits, no flag is missing or too many, and a waiver stands where
the flag does that it was made for, or an heir of it, and nowhere else.

MONITOR_LIFECYCLE_SEEDS=100-199 tells other stories; each is told by its seed alone.
"""

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support import lifecycle as model
from support.lifecycle import Ending
from support.lifecycle_council import Lived, overflow_allowed, telling_nobody
from support.lifecycle_story import NEXT_LETTER, Act, invent

from monitor.errors import MonitorError

pytestmark = pytest.mark.simulation

FIRST, _, LAST = os.environ.get("MONITOR_LIFECYCLE_SEEDS", "1-20").partition("-")
STEPS = 28


class LivedByWhatIsSeen(Lived):
    """A story of which only what the nights leave is looked at, because the model goes another way."""

    def differences(self, as_at: dt.date) -> list[str]:
        return []

    def wrong_endings(self, as_at: dt.date, endings: Sequence[Ending]) -> list[str]:
        return []

    def decide(self, act: Act) -> None:
        try:
            super().decide(act)
        except MonitorError:
            return  # the flag that the model has there is another's

    def wrong_flags(self) -> Iterator[str]:
        """Say which flags are missing, and which are too many."""
        facts = self.told.facts
        if facts is None:
            return
        known = model.remember(self.told.before.known, facts)
        merged = {old for old in facts.merged if old in known and old not in facts.records}
        rows = self.council.rows("SELECT person_id, rule FROM flag WHERE resolved_on IS NULL")
        flagged = {tuple(row) for row in rows}
        for person, one in known.items():
            if person in merged:
                continue
            who = model.stand(person, one, facts)
            for rule in facts.rules:
                outcome = model.answer_of(model.RULES[rule], who, facts).outcome
                if outcome == "breach" and (person, rule) not in flagged:
                    yield f"{rule} of {person} is in breach and has no flag"
                if outcome == "ok" and (person, rule) in flagged:
                    yield f"{rule} of {person} is ok and has a flag"

    def wrong_waivers(self, as_at: dt.date) -> Iterator[str]:
        """Say which waivers stand where they should not, and which flags should be waived and are not."""
        waivers = {row[0]: row for row in self.council.rows(
            "SELECT id, flag_id, until_on, ended_on, ended_why, carries_waiver_id FROM waiver"
        )}  # fmt: skip
        flags = {row[0]: row for row in self.council.rows("SELECT id, person_id, rule, resolved_on FROM flag")}
        links = self.council.rows("SELECT flag_id, heir_flag_id FROM flag_carried WHERE undone_run_id IS NULL")
        in_force = {number: row for number, row in waivers.items() if row[3] is None}
        for number, row in in_force.items():
            made = row
            while made[5] is not None:
                made = waivers[made[5]]
            if flags[row[1]][3] is not None:
                yield f"waiver {number} is in force on a flag that was resolved: {flags[row[1]]}"
            if made is not row and made[1] not in list_carried(row[1], links):
                yield f"waiver {number} repeats one of flag {made[1]}, which {flags[row[1]]} does not carry on"
        waived = {row[1] for row in in_force.values()}
        ended_alone = {row[1] for row in waivers.values() if row[4] in ("unwaived", "ran out")}
        for flag_id, flag in flags.items():
            if flag[3] is not None or flag_id in waived | ended_alone:
                continue
            for row in waivers.values():
                followed = row[4] in (None, "flag merged", "flag handed on") and row[5] is None
                if followed and row[2] >= str(as_at) and row[1] in list_carried(flag_id, links):
                    yield f"{flag} carries flag {row[1]} on, and is not waived until {row[2]}"


def list_carried(flag_id: int, links: Sequence[Any]) -> set[int]:
    """Return every flag that this one carries on."""
    found: set[int] = set()
    waiting = [flag_id]
    while waiting:
        heir = waiting.pop()
        nearest = {earlier for earlier, carries in links if carries == heir} - found
        found |= nearest
        waiting += nearest
    return found


def take_back_or_merge_again(rng: Random, lived: Lived, merged: set[str], people: Sequence[str]) -> list[Act]:
    """Take back some of the lines that stand, and put in again some that were taken back, perhaps into another."""
    standing = lived.told.world.merged
    acts = [Act("take back", person) for person in sorted(standing) if rng.random() < 0.25]
    for person in sorted(merged - standing.keys()):
        if rng.random() < 0.3:
            acts.append(Act("merge", person, value=rng.choice((NEXT_LETTER[person[0]] + person[1:], *people[:3]))))
    return acts


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_lines_taken_back_on_later_nights_lose_no_flag_and_move_no_waiver(tmp_path: Path, seed: int) -> None:
    rng, story = Random(f"merges {seed}"), invent(seed, people=40, steps=STEPS)
    people = sorted(story.people)
    merged: set[str] = set()
    done = 0
    with overflow_allowed(), telling_nobody():
        lived = LivedByWhatIsSeen.begin(tmp_path, story)
        for number, step in enumerate(story.steps, start=1):
            rng.shuffle(people)
            gone = any(act.verb == "source gone" for act in step.acts)
            more = [] if gone or step.kind == "withdraw" else take_back_or_merge_again(rng, lived, merged, people)
            done += len(more)
            wrong = lived.live(replace(step, acts=(*step.acts, *more))) + lived.faults()
            if not gone and step.kind != "withdraw":
                wrong += [*lived.wrong_flags(), *lived.wrong_waivers(lived.told.today)]
            merged |= lived.told.world.merged.keys()
            assert wrong == [], f"seed {seed}, step {number}: {step}; {'; '.join(map(str, more))}"
    print(f"seed {seed}: {STEPS} runs, {done} lines taken back or put in again")
