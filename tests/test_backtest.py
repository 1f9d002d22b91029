"""Replaying a rule over the kept nights: history again where it is unchanged, and what would have been where it is."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, settled

from monitor.config.delivery_settings import People
from monitor.config.id_lists import read_merged
from monitor.config.settings import load_config, shipped
from monitor.errors import Problems, Refused
from monitor.flags.life import UNRESOLVED
from monitor.messages.routes import plan_routes
from monitor.record import backtest
from monitor.record.backtest import Replay, ReplayQuestion
from monitor.record.kept_nights import KeptNight, find_nights
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.store.database import open_store

NIGHTS = 6
OWN_RULE = """
title = "Visit overdue"
severity = "medium"
basis = "practice"
reference = "Practice"
why = "Regular contact is how trouble is noticed."
action = "Get in touch."
needs = ["latest_contact_date"]
applies_to = "category in ('relevant', 'former relevant')"
due_on = "latest_contact_date + within"
breach_if = "due_on < as_at"
because = "Latest contact: {{ latest_contact_date | date }}."

[limits]
within = "5 days"
"""


def tell_people(night: int) -> list[dict[str, str]]:
    """Who is on the caseload of a night, so that every part of a flag's life happens to somebody."""
    homeless = {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}
    people = [
        settled("P1", **homeless),
        settled("P2", plan="01/01/2025", team="South"),
        # Turns 21 without an adviser: one rule hands its flag on to another.
        settled("P3", born="15/01/2005", adviser=""),
        settled("P6", **{**homeless, "accommodation": "#REF!"} if night == 1 else homeless),
        settled("P7", **{} if night in (1, 2) else homeless),
        # Turns 25.
        settled("P8", born="14/01/2001", **homeless),
        settled("P9", contact="12/11/2025"),
        # One person under two ids: the second record takes the flag over.
        settled("M1" if night < 3 else "M2", **homeless),
        *crowd(30),
    ]
    if night not in (2, 3):
        people.append(settled("P4", **homeless))
    if night < 2:
        people.append(settled("P5", **homeless))
    else:
        people.append(settled("P5", **homeless, in_touch="c) Died"))
    return people


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Council:
    council = Council(tmp_path_factory.mktemp("council"), 'merged_ids = "merged.csv"')
    (council.folder / "merged.csv").write_text("old_id,new_id\nM1,M2\n", encoding="utf-8")
    for night in range(NIGHTS):
        council.night(day(night), tell_people(night))
    # A night put right replaces the first attempt, in the history and in the replay.
    people = [person for person in tell_people(NIGHTS - 1) if person["id"] != "P9"]
    council.night(day(NIGHTS - 1), [*people, settled("P9", contact="10/01/2026")], again=True, by="A Example")
    return council


def nights_of(council: Council) -> list[KeptNight]:
    database = open_store(f"sqlite:///{council.folder / 'data' / 'monitor.db'}")
    found = find_nights(database, council.folder / "data" / "snapshots")
    database.close()
    return found


def rulebook_of(council: Council) -> Rulebook:
    config = load_config(council.config_path)
    return load_rulebook(config.rule_folders(), config.rule)


def replay(
    council: Council,
    rule: str,
    limits: dict[str, str] | None = None,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
) -> Replay:
    config = load_config(council.config_path)
    whole = rulebook_of(council)
    question = replace(backtest.choose_rule(whole, whole, rule, limits or {}), since=since, until=until)
    routes = plan_routes(config.teams, config.people)
    merged = read_merged(config.merged_ids)
    return backtest.replay(question, nights_of(council), routes, merged=merged)


def test_every_unchanged_rule_replayed_is_its_history_exactly(council: Council) -> None:
    names = [name for name in UNRESOLVED if name not in ("flag_id", "quarantined_on", "released_on", "released_by",
                 "continues_flag_id")]  # fmt: skip
    columns = ", ".join(names)
    history: dict[str, list[tuple[str, ...]]] = {}
    for row in council.rows(f"SELECT rule, {columns} FROM flag WHERE coalesce(resolved_reason, '') <> 'corrected'"):
        history.setdefault(str(row[0]), []).append(tuple(map(str, row[1:])))

    replayed = {
        rule: [tuple(str(flag[name]) for name in names) for flag in replay(council, rule).flags] for rule in history
    }

    assert {rule: sorted(flags) for rule, flags in replayed.items()} == {
        rule: sorted(flags) for rule, flags in history.items()
    }
    reasons = {flag[names.index("resolved_reason")] for flags in history.values() for flag in flags}
    assert reasons >= {"None", "cleared", "died", "duty ended", "handed on", "merged"}


def test_a_replay_tells_each_night_what_it_did(council: Council) -> None:
    found = replay(council, "homeless")

    first, second, third, *_ = found.nights
    assert (first.as_at, first.changes, first.open) == (NIGHT, {"opened": 7}, 7)
    assert (second.changes, second.open, second.held) == ({"held": 1, "resolved": 1}, 5, 1)
    assert second.resolved == {"cleared": 1}
    assert third.resolved == {"died": 1, "duty ended": 1}
    assert found.back_again == 1
    assert found.churn is not None
    assert 0 < found.churn < 1


def test_it_says_who_would_be_told_and_of_how_many_people_and_names_nobody(council: Council) -> None:
    found = replay(council, "pathway-plan-current")

    assert [(one.address, one.team, one.people, one.flags) for one in found.told] == [
        ("south@example.gov.uk", "South", 1, 1)
    ]
    assert "P2" not in str(found.as_dict())


def test_a_shorter_limit_opens_flags_that_the_rule_itself_does_not(council: Council) -> None:
    as_is = replay(council, "contact-overdue", until=NIGHT)
    shorter = replay(council, "contact-overdue", {"contact_within": "3 days"}, until=NIGHT)

    assert [night.open for night in as_is.nights] == [1]
    assert shorter.nights[0].open > 30


def test_a_rule_file_not_yet_in_the_rulebook_is_replayed(council: Council, tmp_path: Path) -> None:
    path = tmp_path / "contact-soon.toml"
    path.write_text(OWN_RULE, encoding="utf-8")

    found = replay(council, str(path))

    assert found.rule.id == "contact-soon"
    assert found.nights[1].changes == {}
    assert found.nights[2].changes["opened"] > 30


def test_a_draft_is_replayed_as_if_it_were_live(council: Council, tmp_path: Path) -> None:
    path = tmp_path / "contact-soon.toml"
    path.write_text('status = "draft"\neffective_from = 2030-01-01\n' + OWN_RULE, encoding="utf-8")

    assert sum(night.open for night in replay(council, str(path)).nights) > 30


def test_the_nights_told_of_can_be_chosen_without_making_old_flags_new(council: Council) -> None:
    found = replay(council, "homeless", since=day(3), until=day(4))

    assert [night.as_at for night in found.nights] == [day(3), day(4)]
    assert found.nights[0].changes == {"opened": 2, "resolved": 1}


@pytest.mark.parametrize(
    ("rule", "limits", "words"),
    [
        ("homless", {}, 'homless: no such rule; did you mean "homeless"?'),
        ("none.toml", {}, "none.toml: cannot be opened"),
        ("contact-overdue", {"contact_wthin": "1 week"}, '--limit contact_wthin: no such limit; did you mean "contact'),
        ("contact-overdue", {"contact_within": "soon"}, "--limit contact_within: \"soon\" is not a duration"),
        ("combined-risk", {"markers": "many"}, "--limit markers: \"many\" is not a duration"),
    ],
)  # fmt: skip
def test_what_cannot_be_replayed_says_what_would_be_right(rule: str, limits: dict[str, str], words: str) -> None:
    whole = load_rulebook([shipped("rules")], {})

    with pytest.raises(Problems) as caught:
        backtest.choose_rule(whole, whole, rule, limits)

    assert words in str(caught.value)


def test_a_missing_or_altered_night_is_said_and_the_rest_is_replayed(council: Council, tmp_path: Path) -> None:
    kept = nights_of(council)
    folder = tmp_path / "snapshots"
    shutil.copytree(kept[0].path.parent, folder)
    (folder / kept[1].path.name).unlink()
    (folder / kept[2].path.name).write_bytes(b"altered")
    database = open_store(f"sqlite:///{council.folder / 'data' / 'monitor.db'}")
    whole = rulebook_of(council)

    nights = find_nights(database, folder)
    database.close()
    question = ReplayQuestion(whole.find("homeless"), whole)
    found = backtest.replay(question, nights, plan_routes((), load_config(council.config_path).people))

    assert [(one.as_at, one.why_not) for one in found.left_out] == [
        (day(1), f"{kept[1].path.name} is missing"),
        (day(2), f"{kept[2].path.name} has been altered since it was kept"),
    ]
    assert found.nights[3].open > 0


def test_with_no_night_kept_there_is_nothing_to_replay() -> None:
    whole = load_rulebook([shipped("rules")], {})

    with pytest.raises(Refused, match="nothing to replay"):
        backtest.replay(ReplayQuestion(whole.find("homeless"), whole), [], plan_routes((), People()))
