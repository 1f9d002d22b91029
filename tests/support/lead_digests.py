"""What one lead is told, from values: rules about nothing, a night, lines, and the mail they make."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from monitor.config.delivery_settings import People, Team
from monitor.messages.lead import LeadDigest, compose_lead
from monitor.messages.parts import FlagLine, MessageContext, WrittenMessage
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render
from monitor.messages.told import Told, ToldFlag

AS_AT, BEFORE = date(2026, 1, 12), date(2026, 1, 9)
LEAD = "lead.north@example.gov.uk"
TEAM = "Leaving Care North"


@dataclass(frozen=True)
class Words:
    """A rule about nothing."""

    title: str
    action: str = "Make contact and record it."
    sensitive: bool = False
    shown_as: str | None = None
    stands_for: tuple[str, ...] = ()
    due_on: object | None = "due"
    folds: frozenset[str] = frozenset()


RULES = {
    "homeless": Words("Nowhere settled to live", "Go through the housing protocol today."),
    "not-in-touch": Words("Not in touch", folds=frozenset({"contact"})),
    "over-21-adviser": Words("No adviser named", "Name an adviser."),
    "contact": Words("Contact overdue"),
    "plan": Words("Pathway plan overdue for review", "Hold the review and record it."),
    "vulnerable": Words("Disabled, no adviser", "Secret action.", sensitive=True, shown_as="priority"),
    "priority": Words("Priority check", "Look at the record.", stands_for=("vulnerable",)),
}


def night(*teams: Team, **given: Any) -> MessageContext:
    teams = teams or (Team(name=TEAM, lead=LEAD),)
    people = People(analyst="analyst@example.gov.uk", fallback="care@example.gov.uk", head="head@example.gov.uk")
    usual: dict[str, Any] = {
        "as_at": AS_AT, "authority": "Exampleshire", "marking": "OFFICIAL-SENSITIVE", "rules": RULES,
        "routes": plan_routes(teams, people, given.pop("restricted", frozenset())),
        "case_url": "https://cms.example.gov.uk/person/{person_id}",
    }  # fmt: skip
    return MessageContext(**(usual | given))


def line(flag_id: int = 1, rule: str = "plan", severity: str = "high", **given: Any) -> FlagLine:
    """A flag of tonight, of the young person ``P<flag_id>``."""
    usual: dict[str, Any] = dict.fromkeys(FlagLine._fields)
    usual |= {
        "flag_id": flag_id, "person_id": f"P{flag_id}", "rule": rule, "severity": severity, "state": "open",
        "team": TEAM, "personal_adviser": "Sam Okafor", "opened_on": AS_AT, "because": f"Reason {flag_id}.",
        "earlier_spells": 0, "flips": 0, "unconfirmed": False,
    }  # fmt: skip
    return FlagLine(**(usual | given))


def told(*lines: FlagLine, on: date = BEFORE) -> Told:
    """What whoever was told of these lines knows."""
    return Told({each.flag_id: ToldFlag(each.person_id, each.severity) for each in lines}, on, parts={"lead": on})


def lead_digest(
    *lines: FlagLine, known: Told | None = None, the_night: MessageContext | None = None, full: bool = False
) -> LeadDigest | None:
    """What the lead is told; ``full``: the weekly list is due."""
    the_night = replace(the_night or night(), full_list_from=AS_AT if full else None)
    return compose_lead(LEAD, lines, known or told(), the_night)


def lead_mail(*lines: FlagLine, **given: Any) -> WrittenMessage:
    digest = lead_digest(*lines, **given)
    assert digest is not None
    return render(digest)


def mail_words(mail: WrittenMessage) -> str:
    """The text with wrapping undone."""
    return " ".join(mail.text.split())
