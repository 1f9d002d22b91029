"""The analyst's message: what needs them, what has changed, and all else in one line each."""

import datetime as dt
from typing import Any

import pytest
from support.council import NIGHT, Council, Mail, crowd, day, homeless, section, settled

from monitor.caseload.departures import Departed
from monitor.caseload.intake import Intake
from monitor.config.delivery_settings import People, Team
from monitor.config.list_findings import ListFinding
from monitor.figures.measures import Clearing, MeasuresAccount, MeasureTonight, Proportion
from monitor.flags.decision_lists import Decided
from monitor.gate.surges import Waiting
from monitor.messages.analyst import Addressed, AnalystDigest, NightAccount, compose_analyst
from monitor.messages.lead import NoLead
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render
from monitor.messages.told import Told
from monitor.record import last_night
from monitor.rulebook.evaluation import Counts

ANALYST = "analyst@example.gov.uk"
TABLES = ("Answers by rule", "Measures", "Data flags")
MOST_ROWS = 60


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A baseline; a night on which somebody dies, is lost and an address bounced; two that change little.

    Before the last, somebody confirms the death and the one who was lost is back.
    """
    folder = tmp_path_factory.mktemp("council")
    (folder / "merged.csv").write_text("old_id,new_id\nNOBODY1,NOBODY2\n", encoding="utf-8")
    council = Council(folder, settings='merged_ids = "merged.csv"\nescalation = { critical = [1, 2] }')
    config = council.config_path.read_text(encoding="utf-8")
    # South's lead is North's manager too.
    lead = 'lead = "north@example.gov.uk"'
    council.config_path.write_text(config.replace(lead, f'{lead}\n            manager = "south@example.gov.uk"'))
    here = [homeless("OLD1"), settled("DATA1", in_touch=""), *crowd(25)]
    council.night(NIGHT, [*here, settled("LOST1"), settled("DIED1")])
    with council.open_database() as database, database.writing() as store:
        store.exec_driver_sql("UPDATE message SET state = 'permanent-failure' WHERE recipient = 'north@example.gov.uk'")
    died = settled("DIED1", in_touch="d) Died")
    later = [*here, homeless("NEW1"), settled("DATA2", in_touch="", team="South")]
    council.night(day(1), [*later, died])
    later.append(homeless("NEW2", team="South"))
    council.night(day(2), [*later, died])
    with council.open_database() as database:
        last_night.confirm(database, "DIED1", by="A Analyst", today=day(2), now=council.clock)
    council.night(day(3), [*later, died, settled("LOST1")])
    return council


def the_mail(council: Council, n: int) -> Mail:
    (mail,) = council.mail_to(ANALYST, day(n))
    return mail


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_first_night_tells_everything_and_an_ordinary_one_no_table(lived: Council) -> None:
    first = the_mail(lived, 0)

    for table in TABLES:
        assert section(first, table), table
        assert not [n for n in (1, 2, 3) if section(the_mail(lived, n), table)], table
    assert "Changed since" not in first.text
    for n in (1, 2, 3):
        assert len([row for row in the_mail(lived, n).text.splitlines() if row.strip()]) < MOST_ROWS
        assert max(map(len, the_mail(lived, n).text.splitlines())) <= 120  # a folder's path is not broken


def test_what_waits_is_said_every_day_with_its_date_until_it_is_done(lived: Council) -> None:
    first, second, third = (section(the_mail(lived, n), "Needs you") for n in (1, 2, 3))

    for needs in (first, second):
        assert "Died, to be confirmed (1), since 13 January 2026: DIED1" in words(needs)
        assert "Lost (1), since 13 January 2026: LOST1" in words(needs)
    assert "Nothing has reached north@example.gov.uk since 12 January 2026." in words(first)
    assert "Nothing has reached" not in second  # the message of the first of the two nights did
    assert the_mail(lived, 2).subject.startswith(
        "OFFICIAL-SENSITIVE Leaving care data: needs you: 1 lost, 1 death to confirm (30 checked)"
    )
    assert third == ""
    assert "Nothing needs you." in the_mail(lived, 3).text
    assert "nothing needs you, 31 checked" in the_mail(lived, 3).subject


def test_what_has_changed_is_told_once(lived: Council) -> None:
    first, second, third = (words(section(the_mail(lived, n), "Changed since yesterday")) for n in (1, 2, 3))

    assert "In-touch status not recorded: 1 new: DATA2" in first
    assert "1 person has gone from the caseload: 1 lost." in first
    assert "DATA" not in second + third
    assert "gone from" not in second + third
    rows = [set(the_mail(lived, n).text.splitlines()) for n in (1, 2, 3)]
    assert len(rows[1] - rows[0]) < 12  # of them, the date, how many were checked, where the lists are


def test_what_is_amiss_with_the_settings_or_the_sources_stays_in_one_line(lived: Council) -> None:
    first_night = words(section(the_mail(lived, 0), "Needs you"))
    others = [words(section(the_mail(lived, n), "All else")) for n in (1, 2, 3)]

    assert "merged_ids" in first_night
    for all_else in others:
        assert all_else.count("merged_ids") == 1
        assert all_else.count("28 rules are asked of nobody") == all_else.count(" health-history,") == 1


def test_readers_are_counted_by_what_they_are(lived: Council) -> None:
    said = [words(the_mail(lived, n).text) for n in (0, 1, 2)]

    assert "2 leads, 1 manager and 1 head have a digest." in said[0]
    # North's manager leads South: one message, two parts, counted as each.
    assert [mail.to for mail in lived.mail(day(2))] == ["south@example.gov.uk", ANALYST]
    assert "1 lead and 1 manager have a digest." in said[2]


# Values in, values out.


def night(**given: Any) -> MessageContext:
    teams = [Team(name="North", lead="lead@x.uk", manager="both@x.uk"), Team(name="South", lead="both@x.uk")]
    routes = plan_routes(teams, People(analyst=ANALYST, head="head@x.uk"), frozenset({"R1"}))
    return MessageContext(day(1), "Exampleshire", "OFFICIAL", {}, routes, full_list_from=NIGHT, **given)


INTAKE = Intake(3, 3, 0, 0, 0, 0, 0, frozenset(), (), fingerprint="")
TOLD = Told(last_digest=NIGHT, parts={"analyst": NIGHT, "tables": NIGHT})


def digest(*lines: FlagLine, told: Told = TOLD, the_night: MessageContext | None = None, **given: Any) -> AnalystDigest:
    account = NightAccount(**({"intake": INTAKE, "totals": {}} | given))
    return compose_analyst(ANALYST, lines, told, the_night or night(), account)


def again(before: AnalystDigest) -> Told:
    """What the analyst knows after this message."""
    return Told(last_digest=NIGHT, parts=dict.fromkeys((*before.holds, "tables"), NIGHT))


def data_flag(flag_id: int, rule: str, person_id: str = "P1") -> FlagLine:
    usual: dict[str, Any] = dict.fromkeys(FlagLine._fields)
    about = {"person_id": person_id, "rule": rule, "severity": "data", "state": "open", "opened_on": NIGHT}
    return FlagLine(**(usual | about | {"flag_id": flag_id, "because": "", "earlier_spells": 0}))


def test_what_needs_the_analyst_stands_by_how_serious_it_is() -> None:
    found = digest(
        departed=Departed(deaths=(("P1", NIGHT),), alive_again=(("P2", NIGHT),), lost=(("R1", NIGHT), ("P3", day(1)))),
        waiting=(Waiting("homeless", 7, NIGHT),),
        unreached=(("gone@x.uk", NIGHT),),
        no_lead=(NoLead("East", "unknown team", 4),),
        decided=Decided(to_look_at={"not ours": (2, NIGHT)}),
        untold=1,
        the_night=night(failed={"contact-overdue": "it stopped"}),
    )

    assert [need.what for need in found.needs] == [
        "untold", "failed", "lost", "unreached", "waiting", "alive again", "died", "no lead", "to look at",
    ]  # fmt: skip
    text = words(render(found).text)
    assert (
        "Lost (2): P3 (13 January 2026), 1 on the restricted list" in text or "Lost (2), since 13 January 2026" in text
    )
    assert "R1" not in text
    assert "Nothing has reached gone@x.uk since 12 January 2026." in text
    assert "homeless: 7 flags have waited since 12 January 2026" in text
    assert "that still stand, since 12 January 2026" in text


def test_what_was_told_stays_in_a_line_and_what_is_new_or_put_right_is_told() -> None:
    notes = ("supplement covers 3 of the 4 people on the caseload", "list.csv: a heading is not known")
    given = {
        "no_lead": (NoLead("East", "unknown team", 4),),
        "intake": INTAKE.__class__(**{**vars(INTAKE), "notes": notes}),
    }
    the_night = night(not_assessed={"a-rule": ("closure_date",)}, adjustments=("A rule: 6 weeks",))
    first = digest(the_night=the_night, **given)
    second = digest(told=again(first), the_night=the_night, **given)
    other = night(not_assessed={"b-rule": ("closure_date",)}, adjustments=("A rule: 8 weeks",))
    third = digest(told=again(first), the_night=other)

    assert [need.what for need in first.needs] == ["no lead"]
    assert (first.notes.new, first.notes.old, second.notes.new, second.notes.old) == (notes, (), (), notes)
    assert (second.needs, [each.team for each in second.no_lead]) == ((), ["East"])
    assert [each.is_new for each in (*first.unasked, *second.unasked, *third.unasked)] == [True, False, True]
    assert (third.asked_again, third.adjustments.new) == (("a-rule",), ("A rule: 8 weeks",))
    said = words(render(second).text)
    for line in (*notes, "East", "Asked of nobody: a-rule (no source supplies closure_date)", "1 setting of yours"):
        assert said.count(line) == 1, line


def test_flags_are_counted_and_people_named_once() -> None:
    found = digest(data_flag(1, "a-rule"), data_flag(2, "a-rule"), data_flag(3, "b-rule"))

    assert (found.new_data_flags, found.open_data_flags) == (3, 3)
    assert [(rule.new, [one.person_id for one in rule.people.listed]) for rule in found.data_rules] == [
        (2, ["P1"]), (1, ["P1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "due"),
    [
        ({}, True),
        ({"analyst": NIGHT, "tables": NIGHT}, False),
        ({"analyst": NIGHT, "tables": NIGHT - dt.timedelta(1)}, True),
        ({"analyst": day(1), "tables": day(1)}, True),
    ],
    ids=["first", "had this week", "last week's", "a night that had them is put right"],
)
def test_the_tables_come_once_a_week(parts: dict[str, dt.date], due: bool) -> None:
    assert digest(told=Told(parts=parts)).is_whole is due


def test_one_who_is_two_things_is_both() -> None:
    routes = night().routes

    assert routes.roles_above("both@x.uk") == ("managers",)
    assert routes.roles_above("head@x.uk") == ("heads",)
    assert routes.is_in_use("lead@x.uk")
    assert not routes.is_in_use("gone@x.uk")
    assert Addressed(2, 1, 0, 1).counts == (
        (2, "lead", "leads"),
        (1, "manager", "managers"),
        (1, "other reader", "other readers"),
    )


def test_the_longest_message_is_under_60_kilobytes() -> None:
    rules = {f"a-rule-with-a-rather-long-name-{n}": Counts(1000, 900, 60, 40) for n in range(80)}
    figures = tuple(
        MeasureTonight(f"figure-{n}", f"Aged 21 or over: no contact or offer in {n} days", Proportion(10, 1000, 20))
        for n in range(25)
    )
    clearing = tuple(Clearing(rule, 3, 100, 7) for rule in rules)
    lists = tuple(ListFinding(f"list-{n}", (f"list-{n}: nothing matches {'x' * 290}",), True) for n in range(20))
    people = tuple((f"0000{n}", NIGHT) for n in range(500))

    mail = render(
        digest(
            *(data_flag(n, f"rule-{n % 10}", f"0000{n}") for n in range(400)),
            told=Told(last_digest=NIGHT, parts={"analyst": NIGHT}),
            totals=rules,
            cannot_assess={f"a_column_of_the_caseload_{n}": 100 for n in range(80)},
            unreadable={f"a_column_of_the_caseload_{n}": 100 for n in range(80)},
            measures=MeasuresAccount(figures, (), clearing),
            lists=lists,
            departed=Departed(people, people, people, {"lost": 500}),
        )
    )

    assert "a-rule-with-a-rather-long-name-79" in mail.html
    assert len(mail.html.encode()) < 60_000
