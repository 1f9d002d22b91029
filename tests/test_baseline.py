"""Nothing is believed because it is first: what has no history is refused with its numbers, or accepted on record."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.timed_service import few_rules

from monitor.config.settings import Gate, load_config
from monitor.errors import Refused
from monitor.gate.baseline import (
    BaselineTerms,
    ColumnCells,
    Unproven,
    doubt,
    doubt_answers,
    find_doubted_cells,
    find_mixed_ids,
    find_telling,
)
from monitor.rulebook.evaluation import Counts
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import load_rows, open_workspace

ANALYST = "analyst@example.gov.uk"
ACCEPT = {"accept": "the service does not hold it", "by": "A Example"}
NEVER = 'path = "list-9.csv"\nblank_means_none = ["latest_contact_date"]'


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    council = Council(tmp_path_factory.mktemp("rules"))
    council.write([])
    return open_rulebook(load_config(council.config_path))


def doubts(unproven: Unproven) -> list[str]:
    return list(doubt(unproven, Gate(), NIGHT))


# Values in, values out


def test_only_columns_in_which_a_blank_puts_somebody_in_breach_are_asked_about(rulebook: Rulebook) -> None:
    telling = find_telling(rulebook.in_force(NIGHT))

    assert {
        "latest_contact_date", "pathway_plan_review_date", "personal_adviser", "accommodation", "in_touch",
        "eligibility", "activity", "date_of_birth", "allocated_team", "over21_offer_date",
    } <= telling  # fmt: skip
    assert not telling & {"death_date", "closure_date", "closure_reason", "release_date", "risk_open"}


def test_over_a_fifth_of_a_column_that_rules_need_is_refused_and_a_fifth_is_not(rulebook: Rulebook) -> None:
    workspace = open_workspace()
    load_rows(workspace, "unreadable", {"column": "VARCHAR", "reason": "VARCHAR"}, [("in_touch", "not a code")] * 13)
    terms = BaselineTerms(NIGHT, rulebook.in_force(NIGHT), Gate().fewest)
    fifth = ColumnCells("caseload", "in_touch", 60, 12)
    others = [fifth, ColumnCells("caseload", "death_date", 60, 60), ColumnCells("caseload", "in_touch", 4, 4)]

    assert find_doubted_cells(workspace, others, terms) == ()
    found = find_doubted_cells(workspace, [*others, replace(fifth, unreadable=13)], terms)

    (said,) = doubts(Unproven(cells=found))
    assert "caseload: in_touch: 13 of 60 cells cannot be read" in said
    assert "because: not a code" in said


def test_a_rule_in_breach_for_over_four_in_five_of_twenty_asked_is_refused(rulebook: Rulebook) -> None:
    def refused(asked: int, breach: int, unproven: Unproven, *never: str) -> list[str]:
        totals = {"contact-overdue": Counts(asked, asked - breach, breach, 0)}
        return list(doubt_answers(totals, rulebook.by_id, unproven, never))

    (said,) = refused(20, 17, Unproven(whole=True))
    assert "contact-overdue: in breach for 17 of 20 asked" in said
    assert "check latest_contact_date" in said
    assert refused(20, 16, Unproven(whole=True)) == refused(19, 19, Unproven(whole=True)) == []
    assert refused(60, 60, Unproven(whole=True), "latest_contact_date") == []
    assert refused(60, 60, Unproven(whole=True, in_breach_before=frozenset({"contact-overdue"}))) == []
    assert refused(60, 60, Unproven(pairs=frozenset({("visits", "last_visit_date")}))) == []
    assert refused(60, 60, Unproven(pairs=frozenset({("visits", "latest_contact_date")})))


def test_a_newest_date_over_a_month_before_the_night_is_refused() -> None:
    assert doubts(Unproven(newest={"caseload": dt.date(2025, 12, 12)})) == []

    (said,) = doubts(Unproven(newest={"caseload": dt.date(2025, 12, 11)}))
    assert "caseload: the newest date is 11 December 2025, 32 days before the night" in said


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ({"9999999": 30, "A999": 30}, (("9999999", 30), ("A999", 30))),
        ({"9999999": 54, "AA/99999": 6}, (("9999999", 54), ("AA/99999", 6))),
        ({"9999999": 55, "AA/99999": 5}, ()),  # few enough to be slips
        ({"9": 9, "99": 90, "999": 900, "9999": 200}, ()),  # numbers as they grow
        ({"9999999": 40, "9999999999": 20}, (("9999999", 40), ("9999999999", 20))),
        ({"A999": 40, "A9": 9, "AAAA": 11}, ()),
    ],
)
def test_ids_of_two_kinds_are_mixed(shapes: dict[str, int], told: tuple[tuple[str, int], ...]) -> None:
    assert find_mixed_ids(shapes, 5) == told


# Nights


def start(folder: Path, *rules: str) -> Council:
    return Council(folder, settings=few_rules(folder, *rules))


def test_a_column_with_nothing_under_its_heading_is_refused_accepted_as_not_supplied_and_never_by_config(
    tmp_path: Path,
) -> None:
    council = start(tmp_path, "contact-overdue", "homeless")
    blank = [homeless("P1", contact=""), *crowd(9, contact="")]
    filled = [homeless("P1"), *crowd(8), settled("C008", contact="01/09/2025")]

    with pytest.raises(Refused) as caught:
        council.night(NIGHT, blank)
    refused = council.mail(NIGHT)
    rehearsed = council.night(NIGHT, dry_run=True)
    accepted = council.night(NIGHT, **ACCEPT)
    said = council.rows("SELECT count(*) FROM flag_event WHERE kind = 'night accepted anyway'")
    repeated = council.night(NIGHT)
    second = council.night(day(1))
    put_right = council.night(day(1), [*blank, settled("C100", contact="")], again=True, by="A Example")
    third = council.night(day(2), filled)
    fourth = council.night(day(3), blank)
    held = council.flags()["C008", "contact-overdue"]
    fifth = council.night(day(4), blank, **ACCEPT)
    sixth = council.night(day(5), blank)

    why = str(caught.value)
    assert 'latest_contact_date: nothing under the heading "Latest Date of Contact" in any of 10 rows' in why
    assert "it would put 10 in breach of contact-overdue" in why
    assert [mail.to for mail in refused] == [ANALYST]
    assert (rehearsed.exit_code, rehearsed.verdict.refusals) == (3, (why,))
    assert (accepted.exit_code, accepted.evaluation.not_assessed) == (0, {"contact-overdue": ("latest_contact_date",)})
    assert (said, repeated.outcome) == ([(1,)], "unchanged")
    assert [night.verdict.word for night in (second, put_right)] == ["trusted", "trusted"]
    assert any("counted as not supplied: latest_contact_date" in note for note in second.intake.notes)
    assert third.opened == {"contact-overdue": 1}
    assert (fourth.verdict.word, list(fourth.verdict.columns)) == ("degraded", ["latest_contact_date"])
    assert held == council.flags()["C008", "contact-overdue"] == "held"
    assert fifth.evaluation.not_assessed == sixth.evaluation.not_assessed == accepted.evaluation.not_assessed
    assert (fifth.verdict.accepted, sixth.verdict.word) == (True, "trusted")

    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace('path = "list-9.csv"', NEVER), encoding="utf-8")
    council.night(day(6), blank, **ACCEPT)
    assert sum(rule == "contact-overdue" for _, rule in council.flags()) == 10


def test_a_first_night_with_a_column_that_means_never_says_so(tmp_path: Path) -> None:
    council = start(tmp_path, "contact-overdue")
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace('path = "list-9.csv"', NEVER), encoding="utf-8")

    night = council.night(NIGHT, crowd(25, contact=""))

    assert (night.verdict.word, night.opened) == ("trusted", {"contact-overdue": 25})


def test_a_small_old_list_is_refused_though_its_file_is_new(tmp_path: Path) -> None:
    council = start(tmp_path)

    with pytest.raises(Refused, match="the newest date is 8 January 2026, 66 days before the night"):
        council.night(dt.date(2026, 3, 15), crowd(3))


def test_a_first_night_is_not_put_right_over_other_people(tmp_path: Path) -> None:
    council = start(tmp_path)
    council.night(NIGHT, [homeless("P1"), *crowd(20)])

    with pytest.raises(Refused, match="only 0 of the 21 people of 12 January 2026 are present"):
        council.night(NIGHT, [settled(f"X{n:03}") for n in range(21)], again=True, by="A Example")

    assert council.night(NIGHT, crowd(20), again=True, by="A Example").outcome == "put right"


def test_a_new_source_is_judged_beside_those_that_are_known(tmp_path: Path) -> None:
    council = start(tmp_path, "contact-overdue")
    council.night(NIGHT, crowd(40))
    added = '[[sources]]\nname = "south"\nkind = "annex-a-list-9"\npath = "south.csv"\n[people]'
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("[people]", added), encoding="utf-8")
    council.write([settled(f"S{n:03}", contact="") for n in range(8)])
    (tmp_path / "list-9.csv").rename(tmp_path / "south.csv")

    with pytest.raises(Refused, match="south: latest_contact_date: nothing under the heading"):
        council.night(day(1), crowd(40))
    night = council.night(day(1), **ACCEPT)

    counts = night.evaluation.totals["contact-overdue"]
    assert (counts.ok, counts.breach, counts.cannot_assess) == (40, 0, 8)
    assert council.night(day(2)).verdict.word == "trusted"


def test_the_first_night_after_the_samples_people_is_a_first_night(tmp_path: Path) -> None:
    council = start(tmp_path)
    config = council.config_path.read_text(encoding="utf-8")
    sample = config.replace('path = "list-9.csv"', "people = 20").replace("annex-a-list-9", "sample")
    council.config_path.write_text(sample, encoding="utf-8")
    council.night(NIGHT)
    council.config_path.write_text(config, encoding="utf-8")

    with pytest.raises(Refused) as caught:
        council.night(day(1), crowd(20, contact=""))

    assert "was of the sample's invented people" in str(caught.value)
    assert "people of 12 January 2026 are present" in str(caught.value)
    council.night(day(1), crowd(20), accept="these are real people", by="A Analyst")
    ((begun,),) = council.rows("SELECT begun_rules FROM run WHERE state = 'accepted' AND as_at = '2026-01-13'")
    assert "homeless" in str(begun), "what opens tonight is a backlog"


def test_check_says_before_the_first_night_what_that_night_says(tmp_path: Path) -> None:
    council = start(tmp_path, "contact-overdue")
    today = dt.datetime.now(dt.UTC).date()
    council.write(crowd(6, contact="", plan=f"{today - dt.timedelta(3):%d/%m/%Y}"))

    checked, ran = monitor(tmp_path, "check"), monitor(tmp_path, "run")

    said = [" ".join(text.split()) for text in (checked.stdout + checked.stderr, ran.stderr)]
    assert (checked.returncode, ran.returncode) == (3, 3)
    assert said[1] in said[0]
    assert 'caseload: nothing under the heading: "Latest Date of Contact"' in said[0]
    assert "3 days before" in said[0]
