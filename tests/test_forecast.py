"""Coming due: the day a flag is said to open is the day it opens when the clock moves and nothing else does."""

import datetime as dt
from dataclasses import replace

from people import AS_AT, invent, shipped_rules

from monitor import columns, evaluation, examples, forecast
from monitor.rulebook import Example, Rulebook
from monitor.workspace import load_rows, lock_down, open_workspace

RULEBOOK = shipped_rules()
EVERYTHING = frozenset(columns.BY_NAME)
Due = dict[tuple[str, str], dt.date]


def breaches(people: list[Example], days: range) -> list[set[tuple[str, str]]]:
    """Who is in breach of what on each day, each person's record made for that very day."""
    con = open_workspace()
    examples.build_caseload(con, [replace(one, as_at=AS_AT + dt.timedelta(n)) for n in days for one in people])
    evaluation.answer(con, RULEBOOK.rules)
    found: list[set[tuple[str, str]]] = [set() for _ in days]
    for rule in RULEBOOK.rules:
        rows = con.execute(f'SELECT person_id FROM outcome WHERE "{rule.id}" = {evaluation.BREACH}').fetchall()
        for (person_id,) in rows:
            day, place = divmod(int(person_id[1:]) - 1, len(people))
            found[day].add((f"E{place + 1}", rule.id))
    con.close()
    return found


def look_ahead(people: list[Example], as_at: dt.date = AS_AT, rulebook: Rulebook = RULEBOOK) -> tuple[Due, Due]:
    """Every person and rule coming due with the day, and those of them said in another's line."""
    con = open_workspace()
    examples.build_caseload(con, [replace(one, as_at=as_at) for one in people])
    lock_down(con)
    evaluation.ask(con, rulebook.in_force(as_at))
    kinds = {"person_id": "VARCHAR", "rule": "VARCHAR", "target": "VARCHAR"}
    load_rows(con, "decision", kinds, ())
    con.execute("CREATE OR REPLACE TABLE opening AS SELECT person_id, rule FROM breach")
    forecast.look_ahead(con, rulebook, as_at, EVERYTHING)
    rows = con.execute("SELECT person_id, rule, opens_on, inside FROM coming_due").fetchall()
    con.close()
    return {row[:2]: row[2] for row in rows}, {row[:2]: row[2] for row in rows if row[3]}


def test_every_flag_opens_on_the_day_that_was_forecast_and_none_is_missed() -> None:
    people = invent(400, seed=5)
    nights = breaches(people, range(29))
    then = set.union(*(nights[days] for days in forecast.DAYS)) - nights[0]
    opens = {each: next(n for n, night in enumerate(nights) if each in night) for each in then}

    due, _ = look_ahead(people)

    assert due == {each: AS_AT + dt.timedelta(n) for each, n in opens.items()}
    assert len({rule for _, rule in due}) > 20
    born_on_leap_days = {f"E{n}" for n, one in enumerate(people, 1) if one.given["date_of_birth"].day == 29}
    assert born_on_leap_days & {person for person, _ in due}


def young(**given: object) -> Example:
    usual = {
        "date_of_birth": dt.date(2006, 6, 1), "eligibility": "former relevant", "in_touch": "YES",
        "personal_adviser": "A Example", "accommodation": "U", "accommodation_suitable": True, "activity": "F2",
        "latest_contact_date": dt.date(2026, 1, 8), "pathway_plan_review_date": dt.date(2026, 1, 5),
        "local_offer_date": dt.date(2026, 1, 5), "last_supervision_date": dt.date(2026, 1, 5),
        "health_history_date": dt.date(2025, 1, 1), "address_confirmed_date": dt.date(2026, 1, 5),
        "plan_heads_complete": 10, "plan_voice_recorded": True, "plan_professionals_consulted": True,
        "plan_signed_off_date": dt.date(2026, 1, 5),
    }  # fmt: skip
    return Example("someone", AS_AT, "ok", {**usual, **given})


def test_a_deadline_opens_the_day_after_it() -> None:
    due, _ = look_ahead([young(latest_contact_date=dt.date(2025, 11, 20))])

    assert due == {("E1", "contact-overdue"): dt.date(2026, 1, 16)}


def test_someone_born_on_29_february_comes_due_by_their_birthday_on_1_march() -> None:
    one = young(date_of_birth=dt.date(2008, 2, 29), eligibility="eligible", personal_adviser=None, uasc=False)

    due, _ = look_ahead([one], as_at=dt.date(2026, 1, 20))

    assert due[("E1", "turning-18-adviser")] == dt.date(2026, 1, 30)  # 30 days before 1 March


def test_a_rule_folded_by_one_that_is_due_no_later_is_said_inside_it() -> None:
    one = young(
        date_of_birth=dt.date(2008, 4, 20), eligibility="eligible", pathway_plan_review_date=dt.date(2025, 7, 20)
    )

    due, inside = look_ahead([one])

    assert ("E1", "transition-plan-before-18") in due
    assert ("E1", "eligible-plan") in inside


def test_nothing_of_tonight_is_changed_by_looking_ahead() -> None:
    con = open_workspace()
    examples.build_caseload(con, invent(50))
    evaluation.ask(con, RULEBOOK.rules)
    con.execute("CREATE TABLE decision AS SELECT person_id, rule, 'continue' AS target FROM breach WHERE false")
    con.execute("CREATE TABLE opening AS SELECT person_id, rule FROM breach")
    names = ("answer", "breach", "cannot_assess", "outcome", "caseload")
    before = {name: con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}

    forecast.look_ahead(con, RULEBOOK, AS_AT, EVERYTHING)

    assert {name: con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names} == before


def test_a_rule_no_source_can_answer_is_not_forecast() -> None:
    con = open_workspace()
    examples.build_caseload(con, [young(latest_contact_date=dt.date(2025, 11, 20))])
    evaluation.ask(con, RULEBOOK.rules)
    con.execute("CREATE TABLE decision AS SELECT person_id, rule, 'hold' AS target FROM breach WHERE false")
    con.execute("CREATE TABLE opening AS SELECT person_id, rule FROM breach")

    forecast.look_ahead(con, RULEBOOK, AS_AT, EVERYTHING - {"latest_contact_date"})

    assert con.execute("SELECT count(*) FROM coming_due").fetchall() == [(0,)]


def test_a_rule_that_comes_into_force_opens_its_flags_on_that_day() -> None:
    begins = AS_AT + dt.timedelta(5)
    neet = replace(RULEBOOK.by_id["neet"], effective_from=begins)

    due, _ = look_ahead([young(activity="G5")], rulebook=Rulebook((neet,)))

    assert due == {("E1", "neet"): begins}
