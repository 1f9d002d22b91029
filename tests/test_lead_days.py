"""A lead's mails over several nights of news: who comes first, what changed, and where the rest stands."""

import datetime as dt
import re
from pathlib import Path

from support.council import Council, Mail, crowd, day, homeless, settled

FOLK = ("P1", "P2", "P3", "P4", "P5", "P6")
VULNERABLE = {"born": "03/03/2003", "disability": "a) Yes"}


def people(**changed: dict[str, str] | None) -> list[dict[str, str]]:
    """Six young people of North among many; ``changed``: who is otherwise, or not on the caseload."""
    others = [settled(f"S{n:02}", team="South") for n in range(12)]
    folk = [changed.get(each, settled(each)) for each in FOLK]
    return [*crowd(24), *others, *(each for each in folk if each is not None)]


def critical(council: Council, night: dt.date) -> dict[str, set[str]]:
    """Who has an open or held critical flag in each list of a team."""
    return {
        team: {
            row["person_id"]
            for row in council.listed(night, f"team-{team}.csv")
            if row["severity"] == "critical" and row["state"] != "waived"
        }
        for team in ("north", "south")
    }


def ids_in(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\b[PSC]\d+\b", text)))


def test_over_days_of_news_whoever_is_newly_critical_comes_first_and_is_in_the_subject(
    tmp_path: Path,
) -> None:
    council = Council(tmp_path)
    visited = settled("P3", contact="01/10/2025")
    nights = [
        people(P3=settled("P3", adviser="", **VULNERABLE)),
        people(P1=homeless("P1"), P2=None, P3=settled("P3", **VULNERABLE), P4=settled("P4", plan="01/03/2025")),
        people(P1=homeless("P1"), P3=settled("P3", adviser="", **VULNERABLE), P4=settled("P4", in_touch="b) No")),
        people(P1=settled("P1"), P3=visited, P5=homeless("P5", adviser=""), P6=settled("P6", adviser="")),
        people(P1=homeless("P1"), P5=homeless("P5"), P6=homeless("P6"), P4=None),
    ]
    before: dict[str, set[str]] = {}
    for n, folk in enumerate(nights):
        council.night(day(n), folk)
        now = critical(council, day(n))
        for mail in council.mail(day(n)) if n else ():
            team = mail.to.partition("@")[0]
            if team in now:
                check(mail, now[team] - before[team], now[team])
        before = now

    second = next(mail for mail in council.mail(day(1)) if mail.to.startswith("north"))
    words = " ".join(second.text.split())
    assert "Ring A Example today about P1" in words
    assert "No fixed abode since last night (independent living before). Latest contact: 8 January 2026." in words
    assert "2. Find P2, with A Example No longer on the caseload since last night." in words
    assert "No longer critical: P3." in words
    third = " ".join(next(mail for mail in council.mail(day(2)) if mail.to.startswith("north")).text.split())
    assert "Recorded as not in touch since last night (in touch before)." in third
    said = re.search(r"1. Act today on P3, no adviser (.+?) again since last night. Row (\d+) of your list", third)
    assert said is not None
    row = council.listed(day(2), "team-north.csv")[int(said[2]) - 2]
    assert (row["person_id"], row["rule"], row["title_in_mail"]) == ("P3", "over-21-vulnerable", said[1])


def check(mail: Mail, newly: set[str], everybody: set[str]) -> None:
    first = ids_in(mail.text)[: len(newly)]
    assert set(first) == newly, mail.text
    said = re.search(r"(\d+) newly critical", mail.subject)
    assert (int(said[1]) if said else 0) == len(newly), mail.subject
    still = re.search(r"Still critical: (\d+)", mail.text)
    assert (int(still[1]) if still else 0) == len(everybody - newly), mail.text
