"""What a lead reads once a week and on the first night: who is critical and since when, and everyone by adviser."""

import re
from dataclasses import replace
from datetime import date

from support.lead_digests import AS_AT, BEFORE, lead_digest, lead_mail, line, mail_words, night, told

from monitor.messages.monday import CRITICAL_LISTED
from monitor.messages.parts import FlagLine
from monitor.messages.told import NOTHING_TOLD

LONG_AGO = date(2025, 3, 3)


def critical(flag_id: int, rule: str = "homeless", **given: object) -> FlagLine:
    usual: dict[str, object] = {"opened_on": BEFORE, "personal_adviser": None}
    return line(flag_id, rule, "critical", **{**usual, **given})


def test_the_critical_stand_by_name_with_a_reason_and_since_when_those_with_nobody_named_first() -> None:
    lines = (
        critical(1, personal_adviser="Ann Example", opened_on=LONG_AGO),
        critical(2, due_on=date(2025, 12, 31), in_breach_since=date(2026, 1, 1)),
        critical(3),
        critical(4),
        critical(5, "vulnerable"),
        critical(6),
        critical(7, "plan")._replace(person_id="P6"),
    )

    words = mail_words(lead_mail(*lines, known=told(*lines), the_night=night(seen=frozenset({4})), full=True))

    assert "Still critical: 6, 5 with no adviser" in words
    told_so = [
        "- No adviser: Nowhere settled to live: P2 since 1 January 2026; P4 since 9 January 2026; "
        "P3, P6 at least since 9 January 2026",
        "- No adviser: Priority check: P5 at least since 9 January 2026",
        "- Nowhere settled to live: P1 (Ann Example) at least since 3 March 2025",
    ]
    places = [words.index(each) for each in told_so]
    assert places == sorted(places)
    assert "Disabled" not in words
    assert "Secret" not in words


def test_no_more_critical_are_named_than_can_be_read_and_the_rest_are_counted() -> None:
    lines = [critical(n) for n in range(1, CRITICAL_LISTED + 13)]

    digest = lead_digest(*lines, known=told(*lines), full=True)

    assert digest is not None
    assert digest.weekly is not None
    assert len(digest.weekly.people) == CRITICAL_LISTED
    assert set(digest.weekly.people) <= set(digest.people)
    mail = lead_mail(*lines, known=told(*lines), full=True)
    assert "And 12 more critical young people in your list" in mail_words(mail)
    assert "P37" not in mail.html + mail.text


def test_each_adviser_has_a_line_by_seriousness_with_who_has_waited_longest() -> None:
    lines = (
        line(1, opened_on=LONG_AGO, due_on=date(2025, 3, 2)),
        line(2, opened_on=BEFORE),
        line(3, "contact", "low", opened_on=LONG_AGO),
        critical(4, personal_adviser="Ann Example"),
        line(5, "contact", "medium", personal_adviser=None, opened_on=BEFORE),
    )

    mail = lead_mail(*lines, known=told(*lines), full=True)

    words = mail_words(mail)
    assert "All 5 by adviser: how many, how many high, who has waited longest" in words
    told_so = [
        "- No adviser: 1; P5 (at least 3 days)",
        "- Ann Example: 1, 1 critical; P4 (at least 3 days)",
        "- Sam Okafor: 3, 2 high; P1 (315 days)",
    ]
    assert [row for row in mail.text.splitlines() if row.startswith("- ") and "day" in row] == told_so
    assert "<strong>Sam Okafor:</strong> 3, 2 high; <a" in mail.html


def test_advisers_give_way_to_the_days_news_which_comes_first() -> None:
    old = [line(n, opened_on=BEFORE, personal_adviser=f"Adviser {n}") for n in range(1, 60)]
    new = [line(n, "plan", "critical") for n in range(100, 106)]

    quiet = lead_mail(*old, known=told(*old), full=True)
    mail = lead_mail(*old, *new, known=told(*old), full=True)

    listed = [len(re.findall(r"^- (?:Adviser \d+|Sam Okafor): \d", each.text, re.MULTILINE)) for each in (quiet, mail)]
    assert 20 < listed[0] < 30
    assert 1 <= listed[1] < listed[0]
    for number, each in zip(listed, (quiet, mail), strict=True):
        others = 59 + (each is mail) - number
        assert f"{others} other advisers: " in mail_words(each)
    assert mail.text.index("P100") < mail.text.index("by adviser:")
    assert "Still critical" not in mail.text


def test_a_flag_that_keeps_changing_is_one_weekly_line_unless_it_is_critical() -> None:
    known = line(1, opened_on=BEFORE)
    changing = line(2, "contact", "medium", flips=4)
    grave = line(3, "homeless", "critical", flips=4)

    daily = lead_digest(known, changing, known=told(known))
    weekly = lead_mail(known, changing, known=told(known), full=True)
    at_once = lead_mail(known, grave, known=told(known))

    assert daily is None
    assert "1 flag keeps opening and clearing: P2 (Contact overdue)." in mail_words(weekly)
    assert "0 new" not in weekly.subject
    assert weekly.subject.startswith("OFFICIAL-SENSITIVE Leaving care: nothing new")
    assert "1 newly critical" in at_once.subject


def test_the_first_mail_says_how_the_record_stands_and_groups_the_critical_by_what_to_do() -> None:
    lines = (
        critical(1),
        critical(2, personal_adviser="Ann Example"),
        critical(3, "vulnerable"),
        line(4, "over-21-adviser", personal_adviser=None),
        line(5, "not-in-touch"),
        line(6, "contact", "medium")._replace(person_id="P5"),
        line(7, state="waived", waived_until=AS_AT),
    )

    mail = lead_mail(*lines, known=NOTHING_TOLD, the_night=night(baseline=True))

    words = mail_words(mail)
    assert "5 young people have something open: 3 critical, 2 high." in words
    assert "out of touch" not in words
    assert "There are 6 flags to work through, the critical first. The manager hears each week how many" in words
    assert "Critical, by what to do: 3" in words
    first = "- Nowhere settled to live: 2. Do: Go through the housing protocol today. No adviser: P1; Ann Example: P2."
    second = "- Priority check: 1. Do: Look at the record. No adviser: P3."
    assert words.index(first) < words.index(second)
    assert "Secret" not in mail.html + mail.text
    assert "The other 2 by adviser:" in words
    assert "- Sam Okafor: 1, 1 high" in words


def test_the_first_mail_of_a_large_team_names_the_first_and_counts_the_rest() -> None:
    lines = [critical(n, "homeless" if n % 2 else "plan") for n in range(1, 101)]

    digest = lead_digest(*lines, known=NOTHING_TOLD, the_night=replace(night(), baseline=True))

    assert digest is not None
    assert digest.start is not None
    assert digest.start.critical == 100
    assert sum(group.unnamed for group in digest.start.to_do) == 40
    assert len(digest.people) == 60
