"""A sensitive flag beside the plain one that it is shown as: one line, and news once."""

from support.lead_digests import lead_digest, lead_mail, line, told


def test_what_is_shown_as_a_flag_already_told_is_not_news_when_that_one_ends() -> None:
    plain, secret = line(1, "priority", "critical"), line(2, "vulnerable", "critical", person_id="P1")

    first = lead_digest(plain, secret)
    assert first is not None
    known = told(*(each for each in (plain, secret) if each.flag_id in first.flag_ids))
    ended = plain._replace(state="resolved", resolved_reason="no longer asked")

    assert lead_digest(ended, secret, known=known) is None


def test_a_critical_flag_shown_as_a_known_one_that_is_less_serious_is_newly_critical() -> None:
    plain, secret = line(1, "priority", "high"), line(2, "vulnerable", "critical", person_id="P1")

    mail = lead_mail(plain, secret, known=told(plain))

    assert "1 newly critical" in mail.subject
