"""Figures of the service: numerator, denominator and who cannot be counted; and rules said once for the service."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, section, settled
from support.random_people import shipped_rules
from support.timed_service import few_rules

from monitor.figures import measures
from monitor.figures.measures import Proportion
from monitor.figures.moves import count_moves
from monitor.rulebook import evaluation, examples
from monitor.rulebook.rule import Example, Rule
from monitor.workspace import Workspace, open_workspace

PLANS = [shipped_rules().by_id[rule] for rule in ("pathway-plan-missing", "pathway-plan-current")]
ANALYST, NORTH = "analyst@example.gov.uk", "north@example.gov.uk"
SUPPLIED = frozenset({"disability", "in_touch", "personal_adviser", "activity", "pathway_plan_review_date"})


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    workspace = open_workspace()
    yield workspace
    workspace.close()


def young(*, unreadable: tuple[str, ...] = (), flagged: bool = False, **given: object) -> tuple[Example, bool]:
    usual = {
        "date_of_birth": dt.date(2006, 6, 1), "eligibility": "former relevant", "in_touch": "YES",
        "allocated_team": "North", "personal_adviser": "A Example", "activity": "F2", "disability": False,
        "latest_contact_date": dt.date(2026, 1, 8), "pathway_plan_review_date": dt.date(2026, 1, 5),
    }  # fmt: skip
    kept = {name: value for name, value in {**usual, **given}.items() if name not in unreadable}
    return Example("someone", NIGHT, "ok", kept, unreadable=unreadable), flagged


def take(
    workspace: Workspace,
    *people: tuple[Example, bool],
    cap: int = 25,
    rules: Sequence[Rule] = PLANS,
    opened_on: str = "2026-01-01",
    movers: Sequence[str] = (),
) -> dict[str, dict[str, Proportion]]:
    examples.build_caseload(workspace, [one for one, _ in people])
    evaluation.ask(workspace, rules)
    workspace.execute(
        "CREATE TABLE flag_line (person_id VARCHAR, state VARCHAR, severity VARCHAR, rule VARCHAR, opened_on DATE)"
    )
    for place, (_, flagged) in enumerate(people, start=1):
        if flagged:
            workspace.execute("INSERT INTO flag_line VALUES (?, 'open', 'high', 'neet', ?)", [f"E{place}", opened_on])
    measures.count(workspace, SUPPLIED, adviser_cap=cap, movers=movers)
    found: dict[str, dict[str, Proportion]] = {}
    for name, team, *figures in workspace.execute("SELECT * FROM indicator").fetchall():
        found.setdefault(name, {})[team] = Proportion(*figures)
    return found


def test_an_adviser_over_the_cap_counts_once_in_the_team_most_of_their_people_are_in(
    workspace: Workspace,
) -> None:
    people = [young(personal_adviser="B Example", allocated_team="South") for _ in range(3)]
    people += [young(personal_adviser="b example "), young(), young(personal_adviser=None)]

    found = take(workspace, *people, young(unreadable=("personal_adviser",)), cap=3)["adviser-over-cap"]

    assert found == {"South": Proportion(1, 1, 0), "North": Proportion(0, 1, 1)}


def test_out_of_work_for_health_or_caring_leaves_out_whom_the_record_does_not_say(
    workspace: Workspace,
) -> None:
    found = take(
        workspace, young(activity="G4"), young(activity="G6"), young(activity="G5"), young(activity=None),
        young(unreadable=("activity",)),
    )  # fmt: skip

    assert found["neet-health-or-caring"] == {"North": Proportion(2, 3, 2)}


def test_a_plan_is_current_when_it_is_there_and_not_overdue_by_group(workspace: Workspace) -> None:
    found = take(
        workspace,
        young(disability=True),
        young(disability=True, pathway_plan_review_date=dt.date(2025, 1, 1)),
        young(disability=True, pathway_plan_review_date=None),
        young(disability=None),
        young(),
    )

    assert found["plan-current:disabled"] == {"North": Proportion(1, 3, 1)}
    assert found["plan-current:not-disabled"] == {"North": Proportion(1, 1, 1)}


def test_something_open_is_counted_by_group(workspace: Workspace) -> None:
    found = take(workspace, young(disability=True, flagged=True), young(disability=True), young(flagged=True))

    assert found["flagged:disabled"] == {"North": Proportion(1, 2, 0)}
    assert found["flagged:not-disabled"] == {"North": Proportion(1, 1, 0)}


def test_those_of_21_and_over_are_reached_refused_or_not_and_touched_within_thirty_days(
    workspace: Workspace,
) -> None:
    grown = {"date_of_birth": dt.date(2003, 6, 1)}
    found = take(
        workspace,
        young(**grown, latest_contact_date=dt.date(2025, 12, 13)),
        young(**grown, in_touch="REFU", latest_contact_date=dt.date(2025, 12, 12)),
        young(**grown, in_touch="NREQ", latest_contact_date=None),
        young(**grown, in_touch="NO", latest_contact_date=None, over21_offer_date=dt.date(2026, 1, 5)),
        young(**grown, in_touch=None),
        young(),
    )

    assert found["over-21-reached"] == {"North": Proportion(1, 4, 1)}
    assert found["over-21-refused"] == {"North": Proportion(2, 4, 1)}
    assert found["over-21-not-reached"] == {"North": Proportion(1, 4, 1)}
    assert found["over-21-untouched"] == {"North": Proportion(2, 5, 0)}


def test_an_adviser_before_18_is_asked_of_the_eligible_and_relevant_only(workspace: Workspace) -> None:
    seventeen = {"date_of_birth": dt.date(2008, 6, 1)}
    found = take(
        workspace,
        young(**seventeen, eligibility="eligible"),
        young(**seventeen, eligibility="relevant", personal_adviser=None),
        young(**seventeen, eligibility="qualifying", personal_adviser=None),
        young(personal_adviser=None),
    )

    assert found["adviser-before-18"] == {"North": Proportion(1, 2, 0)}


def test_how_far_a_column_is_filled_in_leaves_out_cells_that_cannot_be_read(workspace: Workspace) -> None:
    found = take(workspace, young(), young(activity=None), young(unreadable=("activity",)), young(in_touch="DIED"))

    assert found["filled:activity"] == {"North": Proportion(1, 2, 1)}
    assert "filled:accommodation" not in found


def test_a_column_filled_in_less_than_it_was_is_named_with_both_shares() -> None:
    nights: measures.Nights = {
        day(n): {
            "filled:activity": {"North": Proportion(93, 100, 0)},
            "filled:in_touch": {"North": Proportion(93, 100, 0)},
        }
        for n in range(3)
    }
    nights[day(3)] = {
        "filled:activity": {"North": Proportion(71, 100, 4)}, "filled:in_touch": {"North": Proportion(92, 100, 0)}
    }  # fmt: skip

    (fallen,) = measures.compare(nights, day(3)).fallen

    assert (fallen.label, fallen.tonight) == ("Filled in: activity", Proportion(71, 100, 4))
    assert fallen.before is not None
    assert fallen.before.share == 0.93


def test_a_share_is_shown_beside_the_one_four_weeks_before() -> None:
    nights: measures.Nights = {
        day(n): {"over-21-reached": {"North": Proportion(n, 40, 0), "South": Proportion(1, 10, 2)}} for n in range(31)
    }

    (standing,) = measures.compare(nights, day(30)).standings

    assert (standing.tonight, standing.before, standing.before_on) == (
        Proportion(31, 50, 2),
        Proportion(3, 50, 2),
        day(2),
    )


# Through whole nights


def test_the_analyst_reads_each_measure_with_its_denominator_and_who_is_not_told(tmp_path: Path) -> None:
    council = Council(tmp_path)

    council.night(NIGHT, [settled("P1", activity="G4"), settled("P2", activity=""), *crowd(8)])

    (mail,) = council.mail_to(ANALYST)
    line = next(each for each in section(mail, "Measures").splitlines() if each.startswith("Out of work"))
    assert line.split()[-4:] == ["1", "9", "11%", "1"]
    assert council.rows(
        "SELECT numerator, denominator, not_assessed FROM indicator WHERE name = 'adviser-over-cap'"
    ) == [(0, 1, 0)]


def test_measures_of_a_night_put_right_replace_those_it_had(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [settled("P1", activity="G4"), *crowd(8)])

    council.night(NIGHT, [settled("P1"), *crowd(8)], again=True, by="A Example")

    rows = council.rows("SELECT numerator, denominator FROM indicator WHERE name = 'neet-health-or-caring'")
    assert rows == [(0, 9)]


def test_how_long_clearing_took_is_told_with_how_many_it_is_of(tmp_path: Path) -> None:
    council = Council(tmp_path)
    late = {"plan": "09/07/2025"}  # due on 9 January
    council.night(NIGHT, [settled("P1", **late), settled("P2", **late), *crowd(20)])

    council.night(day(7), [settled("P1"), settled("P2", **late), *crowd(20)])

    (mail,) = council.mail_to(ANALYST, day(7))
    assert "pathway-plan-current: 9 (1 cleared, 1 standing)" in section(mail, "Measures")


def with_a_recording_rule(folder: Path) -> Council:
    """A council with a recording rule of its own, about a column nothing else asks for."""
    own = folder / "own"
    own.mkdir()
    (own / "own-recording.toml").write_text(
        """
        title = "Discussion not recorded"
        severity = "medium"
        basis = "practice"
        reference = "Our own standard"
        why = "A case that is talked about is not forgotten."
        action = "Talk about it."
        recording = true
        needs = ["allocated_worker"]
        applies_to = "category = 'former relevant'"
        breach_if = "allocated_worker is null"
        because = "Nothing recorded."
        cleared_by = { allocated_worker = "'A named worker'" }
        """,
        encoding="utf-8",
    )
    return Council(folder, settings='rules = ["own"]')


def test_a_recording_rule_in_breach_for_over_a_third_is_one_line_and_names_nobody(tmp_path: Path) -> None:
    council = with_a_recording_rule(tmp_path)
    unrecorded = [settled(f"C90{n}", worker="") for n in range(6)]

    council.night(NIGHT, [*unrecorded, settled("C910", team="South", worker=""), *crowd(9)])

    (mail,) = council.mail_to(NORTH)
    for words in (mail.text, mail.html):
        assert "Discussion not recorded: 6 of 15 young people" in words
        assert "C901" not in words
    assert {row["person_id"] for row in council.listed(NIGHT, "all.csv")} == {*(f"C90{n}" for n in range(6)), "C910"}


def test_a_recording_rule_in_breach_for_a_third_or_less_names_each_young_person(tmp_path: Path) -> None:
    council = with_a_recording_rule(tmp_path)

    council.night(NIGHT, [settled("C901"), settled("C902"), *crowd(4)])
    council.night(day(1), [settled("C901", worker=""), settled("C902", worker=""), *crowd(4)])

    (mail,) = council.mail_to(NORTH, day(1))
    assert "C901" in mail.text
    assert "C902" in mail.text
    assert "About our records" not in mail.text


def test_what_was_one_line_for_the_service_is_not_new_when_it_becomes_a_line_each(tmp_path: Path) -> None:
    council = with_a_recording_rule(tmp_path)
    council.night(NIGHT, [*(settled(f"C90{n}", worker="") for n in range(6)), *crowd(9)])

    council.night(day(1), [settled("C900", worker=""), *(settled(f"C90{n}") for n in range(1, 6)), *crowd(9)])

    assert all("C900" not in section(mail, "New") for mail in council.mail_to(NORTH, day(1)))


def test_what_lasts_for_six_months_is_told_only_where_the_monitor_has_watched_so_long(workspace: Workspace) -> None:
    seen = {"first_seen_on": dt.date(2025, 1, 6)}
    people = [
        young(**seen, activity="G5", flagged=True), young(**seen, activity="G5"), young(**seen), young(),
        young(unreadable=("activity",), **seen),
    ]  # fmt: skip

    found = take(workspace, *people, rules=[shipped_rules().by_id["neet"]], opened_on="2025-07-01", movers=["E4"])

    assert found["neet-long"] == {"North": Proportion(1, 4, 1)}
    assert found["moved-often"] == {"North": Proportion(1, 5, 0)}


def test_living_with_former_foster_carers_is_counted_of_who_turns_21_within_six_months(workspace: Workspace) -> None:
    soon, later = dt.date(2005, 7, 12), dt.date(2005, 7, 13)
    people = [
        young(date_of_birth=soon, accommodation="Z"), young(date_of_birth=soon, accommodation="U"),
        young(date_of_birth=soon), young(date_of_birth=later, accommodation="Z"),
    ]  # fmt: skip

    assert take(workspace, *people)["foster-carers-at-21"] == {"North": Proportion(1, 2, 1)}


def test_moves_are_counted_as_they_were_recorded_and_an_odd_night_is_none() -> None:
    since, first = dt.date(2025, 7, 12), dt.date(2025, 8, 1)
    later = [first + dt.timedelta(weeks) for weeks in (7, 14, 21)]

    assert count_moves([first, *later], since) == 4
    assert count_moves([first, *later], first) == 3
    assert count_moves([first, *later, first], first) == 0
    assert count_moves([*later[:2], later[2], later[1]], since) == 2


def test_three_moves_seen_in_six_months_are_a_measure_and_two_are_not(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless"))
    for n, (home, other) in enumerate((("U", "U"), ("T", "T"), ("B", "B"), ("K", "B"))):
        homes = [settled("C900", accommodation=home), settled("C901", accommodation=other)]
        council.night(day(7 * n), [*homes, *crowd(20)], accept="three weeks on the same extract", by="A Example")

    kept = council.rows("SELECT as_at, numerator, denominator FROM indicator WHERE name = 'moved-often'")

    assert [row[1:] for row in kept] == [(0, 0), (0, 0), (0, 0), (1, 1)]
