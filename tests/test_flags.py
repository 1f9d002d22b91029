"""The life of a flag, night by night: what opens, holds, releases, resolves, and under which word."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text
from support.flag_nights import DAY, RULES, Answer, Nights, Person, day, overdue

from monitor.errors import MonitorError
from monitor.flags import carried
from monitor.flags.before import restore
from monitor.flags.life import RuleFacts
from monitor.store.events import Stamp


def test_a_breach_opens_a_flag_since_the_day_after_it_was_due(tmp_path: Path) -> None:
    nights = Nights(tmp_path)

    (line,) = nights.night(DAY, {"P1": overdue()})

    assert (line["state"], line["change"], line["opened_on"]) == ("open", "opened", DAY)
    assert line["in_breach_since"] == DAY - dt.timedelta(9)
    assert nights.events() == [("opened", 1)]


def test_the_same_breach_next_night_changes_nothing(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    (line,) = nights.night(day(1), {"P1": overdue()})

    assert (line["state"], line["change"], line["opened_on"]) == ("open", None, DAY)
    assert nights.events() == [("opened", 1)]


@pytest.mark.parametrize(
    ("tonight", "reason"),
    [
        (Person({"contact-overdue": "ok"}), "cleared"),
        (Person({"contact-overdue": "not applicable"}), "no longer asked"),
        (Person({"contact-overdue": "not applicable"}, age=25), "duty ended"),
        (Person(died=True), "died"),
    ],
)
def test_a_flag_is_resolved_under_the_right_word(tmp_path: Path, tonight: Person, reason: str) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    (line,) = nights.night(day(1), {"P1": tonight})

    assert (line["state"], line["change"], line["resolved_reason"]) == ("resolved", "resolved", reason)
    assert nights.events() == [("opened", 1), ("resolved", 1)]


@pytest.mark.parametrize(
    ("tonight", "why"),
    [
        (Person({"contact-overdue": "cannot assess"}), "latest contact date unreadable"),
        (overdue(present=False), "not on the caseload"),
        (Person(present=False), "not on the caseload"),
    ],
)
def test_what_can_be_neither_confirmed_nor_cleared_is_held(tmp_path: Path, tonight: Person, why: str) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    if why == "not on the caseload":
        tonight = Person(present=False)

    (line,) = nights.night(day(1), {"P1": tonight})

    assert (line["state"], line["change"], line["held_since"], line["held_why"]) == ("held", "held", day(1), why)


def test_someone_missing_from_every_table_holds_their_flag(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    (line,) = nights.night(day(1), {})

    assert (line["state"], line["held_why"]) == ("held", "not on the caseload")


@pytest.mark.parametrize("unanswered", ["the rule failed while running", "no source supplies latest contact date"])
def test_a_rule_without_answers_holds_its_flags(tmp_path: Path, unanswered: str) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    (line,) = nights.night(
        day(1), {"P1": Person()}, rules=[RuleFacts("contact-overdue", "medium", unanswered=unanswered)]
    )

    assert (line["state"], line["held_why"]) == ("held", unanswered)


def test_a_held_flag_keeps_since_when_it_is_held_and_is_released_by_the_next_breach(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    nights.night(day(1), {"P1": Person(present=False)})

    (still,) = nights.night(day(2), {"P1": Person(present=False)})
    (released,) = nights.night(day(3), {"P1": overdue()})

    assert still["held_since"] == day(1)
    assert (released["state"], released["change"], released["held_since"]) == ("open", "released", None)
    assert nights.events() == [("opened", 1), ("held", 1), ("released", 1)]


def test_a_recurring_condition_opens_a_new_flag_that_knows_the_spell_before(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    nights.night(day(1), {"P1": Person({"contact-overdue": "ok"})})

    first, second = nights.night(day(30), {"P1": overdue()})

    assert first["state"] == "resolved"
    assert (second["flag_id"], second["state"], second["earlier_spells"]) == (2, "open", 1)
    assert second["last_cleared_on"] == day(1)


def test_a_flag_that_continues_another_keeps_its_day_and_its_severity(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": Person({"turning-18-adviser": "breach"}, age=17)})
    turned_18 = Person({"turning-18-adviser": "not applicable", "pa-allocated": "breach"}, age=18)

    old, new = nights.night(day(9), {"P1": turned_18})

    assert (old["state"], old["resolved_reason"]) == ("resolved", "handed on")
    assert (new["rule"], new["opened_on"], new["severity"]) == ("pa-allocated", DAY, "critical")


def test_the_kept_severity_lasts_thirty_days(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": Person({"turning-18-adviser": "breach"}, age=17)})
    turned_18 = Person({"turning-18-adviser": "not applicable", "pa-allocated": "breach"}, age=18)
    nights.night(day(1), {"P1": turned_18})

    last_kept = nights.night(day(31), {"P1": turned_18})[-1]
    after = nights.night(day(32), {"P1": turned_18})[-1]

    assert (last_kept["severity"], after["severity"]) == ("critical", "high")


def test_the_kept_severity_lasts_no_longer_for_a_flag_that_is_held(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": Person({"turning-18-adviser": "breach"}, age=17)})
    turned_18 = Person({"turning-18-adviser": "not applicable", "pa-allocated": "breach"}, age=18)
    nights.night(day(1), {"P1": turned_18})

    unreadable = Person({"turning-18-adviser": "not applicable", "pa-allocated": "cannot assess"}, age=18)
    last_kept = nights.night(day(31), {"P1": unreadable})[-1]
    after = nights.night(day(32), {"P1": unreadable})[-1]

    assert [(one["state"], one["severity"]) for one in (last_kept, after)] == [("held", "critical"), ("held", "high")]


def test_a_withdrawn_rule_closes_its_flags_with_that_reason(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    (line,) = nights.night(day(1), {"P1": Person()}, rules=RULES[1:])

    assert (line["state"], line["resolved_reason"]) == ("resolved", "withdrawn")


def test_a_new_reason_for_the_same_breach_is_an_event_and_no_change_to_tell(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    later = Person({"contact-overdue": Answer("breach", due_on=DAY, because="Seen since, but not lately.")})

    (line,) = nights.night(day(1), {"P1": later})

    assert (line["change"], line["because"], line["due_on"]) == (None, "Seen since, but not lately.", DAY)
    assert nights.events() == [("opened", 1), ("changed", 1)]


def test_a_night_put_right_withdraws_what_it_opened_and_restores_what_it_resolved(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue(), "P2": Person({"contact-overdue": "ok"})})
    nights.night(day(1), {"P1": Person({"contact-overdue": "ok"}), "P2": overdue()})

    first, second = nights.night(day(1), {"P1": overdue(), "P2": Person({"contact-overdue": "ok"})}, corrects=[2])

    assert (first["state"], first["opened_on"], first["earlier_spells"]) == ("open", DAY, 0)
    assert (second["state"], second["resolved_reason"]) == ("resolved", "corrected")
    assert nights.events()[-2:] == [("restored", 1), ("resolved", 2)]


def test_the_database_itself_refuses_a_second_unresolved_flag(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})

    with pytest.raises(MonitorError, match="UNIQUE"), nights.database.writing() as store:
        store.execute(text("INSERT INTO flag SELECT 99, person_id, rule, severity, NULL, NULL, opened_on, "
                                "opened_run_id, in_breach_since, due_on, because, NULL, NULL, NULL, NULL, NULL, 0, "
                                "NULL, NULL, NULL, NULL, NULL FROM flag"))  # fmt: skip


FACTS = (
    "id, person_id, rule, severity, kept_severity, kept_until, opened_on, in_breach_since, due_on, because, "
    "held_since, held_why, resolved_on, resolved_reason, earlier_spells, last_cleared_on"
)


def read_flags(nights: Nights) -> list[tuple[object, ...]]:
    with nights.database.reading() as store:
        return [tuple(row) for row in store.execute(text(f"SELECT {FACTS} FROM flag ORDER BY id"))]


TWO_NIGHTS = (
    {"P1": overdue(), "P2": overdue(), "P3": overdue(), "P4": Person({"turning-18-adviser": "breach"}, age=17)},
    {"P1": Person(present=False), "P2": overdue(), "P3": overdue(), "P4": Person({"turning-18-adviser": "breach"})},
)
HANDED_ON = Person({"turning-18-adviser": "not applicable", "pa-allocated": "breach"}, age=18)
RIGHT = {
    "P1": Person(present=False), "P2": Person({"contact-overdue": "cannot assess"}), "P3": overdue(), "P4": HANDED_ON,
    "P5": overdue(),
}  # fmt: skip
WRONG = {
    # held and held again; cleared; died; another severity and sentence; opened, and handed on
    "P1": Person({"contact-overdue": Answer("breach", because="Another reason.")}),
    "P2": Person({"contact-overdue": "ok"}),
    "P3": Person(died=True),
    "P4": HANDED_ON,
    "P5": overdue(),
    "P6": overdue(),
}


@pytest.mark.parametrize("attempts", [[WRONG], [{}, WRONG], [WRONG, {"P1": overdue(age=25)}], [RIGHT]])
def test_a_night_put_right_leaves_what_a_first_run_with_the_right_data_leaves(
    tmp_path: Path, attempts: list[dict[str, Person]]
) -> None:
    (tmp_path / "right").mkdir()
    straight, again = Nights(tmp_path / "right"), Nights(tmp_path)
    for number, people in enumerate(TWO_NIGHTS):
        straight.night(day(number), people)
        again.night(day(number), people)

    straight.night(day(2), RIGHT)
    for people in [*attempts, RIGHT]:
        again.night(day(2), people, corrects=range(3, again.run_id + 1))

    kept = [flag for flag in read_flags(again) if flag[13] != "corrected"]
    assert [flag[1:] for flag in kept] == [flag[1:] for flag in read_flags(straight)]
    assert kept[0][10] == day(1).isoformat()
    assert ("turning-18-adviser", "handed on") in {(flag[2], flag[13]) for flag in kept}


def test_what_both_attempts_open_keeps_its_id_and_a_third_finds_the_same_ground(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    nights.night(day(1), {"P1": overdue(), "P2": overdue(), "P3": overdue()})
    first = read_flags(nights)

    nights.night(day(1), {"P1": Person({"contact-overdue": "ok"}), "P2": overdue()}, corrects=[2])
    second = read_flags(nights)
    nights.night(day(1), {"P1": overdue(), "P2": overdue(), "P3": overdue()}, corrects=[2, 3])

    assert [(flag[0], flag[13]) for flag in second] == [(1, "cleared"), (2, None), (3, "corrected")]
    assert read_flags(nights) == first
    assert nights.events()[-4:] == [("resolved", 1), ("resolved", 3), ("restored", 1), ("restored", 3)]


def test_a_night_taken_back_leaves_every_flag_as_it_was(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    for number, people in enumerate(TWO_NIGHTS):
        nights.night(day(number), people)
    ground = read_flags(nights)
    with nights.database.writing() as store:
        store.execute(text("INSERT INTO run (id, as_at, state, started_at) VALUES (3, :as_at, 'accepted', :as_at)"),
                      {"as_at": day(2).isoformat()})  # fmt: skip
    nights.night(day(2), WRONG)

    with nights.database.writing() as store:
        stamp = Stamp(day(2), dt.datetime(2026, 1, 7, 9, tzinfo=dt.UTC), 3)
        restore(store, 3, stamp)
        carried.take_back(store, [3], stamp)

    now = read_flags(nights)
    assert now[: len(ground)] == ground
    assert {flag[13] for flag in now[len(ground) :]} == {"corrected"}
    with nights.database.reading() as store:
        assert store.execute(text("SELECT count(*) FROM flag_carried")).scalar() == 0


@pytest.mark.parametrize("silent", ["cell", "rule"])
def test_a_flag_is_held_while_what_continues_it_cannot_answer_and_then_handed_on(tmp_path: Path, silent: str) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    turned_21 = {"contact-overdue": "not applicable"} | (
        {"over-21-contact": "cannot assess"} if silent == "cell" else {}
    )
    failed = (*RULES[:1], RuleFacts("over-21-contact", "high", ("contact-overdue",), "the rule failed while running"))

    (held,) = nights.night(day(1), {"P1": Person(turned_21, age=21)}, rules=RULES if silent == "cell" else failed)
    answered = {"contact-overdue": "not applicable", "over-21-contact": "breach"}
    old, heir = nights.night(day(2), {"P1": Person(answered, age=21)})

    why = "latest contact date unreadable" if silent == "cell" else "the rule failed while running"
    assert (held["state"], held["held_why"]) == ("held", why)
    assert (old["resolved_reason"], heir["opened_on"], heir["in_breach_since"]) == (
        "handed on", DAY, DAY - dt.timedelta(9)
    )  # fmt: skip


def test_a_rule_whose_column_no_source_supplies_is_no_heir(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    unsupplied = RuleFacts("over-21-contact", "high", ("contact-overdue",), "no source supplies it", assessed=False)

    (line,) = nights.night(
        day(1), {"P1": Person({"contact-overdue": "not applicable"}, age=21)}, rules=(*RULES[:1], unsupplied)
    )

    assert line["resolved_reason"] == "no longer asked"


def test_a_waiver_follows_a_flag_that_is_handed_on(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    with nights.database.writing() as store:
        store.execute(text(
            "INSERT INTO waiver (id, flag_id, person_id, rule, reason, note, until_on, waived_on, waived_by, "
            "recorded_at) VALUES (1, 1, 'P1', 'contact-overdue', 'known', 'x', :until, :on, 'A', :at)"
        ), {"until": str(day(20)), "on": str(DAY), "at": f"{DAY} 09:00:00.000000"})  # fmt: skip

    answered = {"contact-overdue": "not applicable", "over-21-contact": "breach"}
    _, heir = nights.night(day(1), {"P1": Person(answered, age=21)})

    assert (heir["state"], heir["waived_until"]) == ("waived", day(20))
