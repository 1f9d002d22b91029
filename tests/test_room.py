"""How the parts of a mail share its length: the more serious first, and never more than three screens of a phone."""

from dataclasses import replace
from datetime import date

from support.lead_digests import BEFORE, lead_digest, line, night, told
from support.mail_size import count_rows

from monitor.figures.week import TeamWeek, Week
from monitor.messages.head import compose_head
from monitor.messages.lead import LeadDigest
from monitor.messages.manager import MailSoFar
from monitor.messages.room import PHONE_LINES, Wish, share_room
from monitor.messages.templates import render

MOST_ROWS = 70


def test_each_part_has_its_least_and_then_one_more_in_turn() -> None:
    cards, lines = Wish([8, 8, 8], least=1), Wish([2] * 9, title=2)

    assert share_room(0, {"cards": cards, "lines": lines}) == {"cards": 1, "lines": 0}
    assert share_room(22, {"cards": cards, "lines": lines}) == {"cards": 2, "lines": 2}
    assert share_room(18, {"cards": cards, "lines": lines}) == {"cards": 2, "lines": 0}
    assert share_room(18, {"lines": lines, "cards": cards}) == {"cards": 1, "lines": 4}
    assert share_room(99, {"cards": cards, "lines": lines}) == {"cards": 3, "lines": 9}


def flood(*, full: bool) -> LeadDigest:
    """The worst Monday: everything at once, of everything more than can be read."""
    words = "A long reason that fills more than one line of a narrow screen, as reasons may, on 2 November 2025."
    old = [
        line(n, "homeless", "critical", opened_on=BEFORE, personal_adviser=f"Adviser {n % 30} Longname")
        for n in range(1, 60)
    ]
    rules = (("homeless", "critical"), ("not-in-touch", "high"), ("plan", "high"), ("contact", "medium"))
    new = [
        line(1000 + n, *rules[n % 4], because=words, personal_adviser=f"Adviser {n % 30} Longname") for n in range(80)
    ]
    digest = lead_digest(*old, *new, known=told(*old), full=full)
    assert digest is not None
    return digest


def test_whatever_comes_at_once_a_leads_mail_is_seventy_rows_and_names_25_newly_critical() -> None:
    for full in (False, True):
        digest = flood(full=full)
        newly = [*(card.person_id for card in digest.critical_cards),
                 *(each.person_id for _, people in digest.critical_others for each in people)]  # fmt: skip

        assert count_rows(render(digest).text) <= MOST_ROWS
        assert len(newly) == 20
        assert digest.also_more > 0
        assert len(digest.flag_ids) == 139


def test_beside_other_parts_a_leads_part_gives_way_and_still_names_everyone_critical() -> None:
    digest = flood(full=True)

    beside = digest.within(PHONE_LINES // 2)

    assert len(beside.critical_cards) == 2
    assert count_rows(render(beside).text) < count_rows(render(digest).text)
    named = [
        {each.person_id for each in part.critical_cards}
        | {each.person_id for _, people in part.critical_others for each in people}
        for part in (digest, beside)
    ]
    assert named[0] == named[1]


def test_of_many_teams_a_head_reads_those_with_the_most_and_the_others_together() -> None:
    teams = tuple(TeamWeek(f"Team {n:02}", n, 0, 0, 2, 1, 1) for n in range(1, 31))

    digest = compose_head("head@example.gov.uk", (), Week(date(2026, 1, 5), (), teams), night(), MailSoFar())
    mail = render(replace(digest, cleared_nothing=()))

    assert digest.week.teams[-2].team == "Team 30"
    others = digest.week.teams[-1]
    assert (others.label, others.open) == ("The other teams", sum(range(1, 32 - len(digest.week.teams))))
    assert digest.week.total.open == sum(range(1, 31))
    assert count_rows(mail.text) <= MOST_ROWS
