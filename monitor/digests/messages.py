"""What messages are made of: flags as the night left them, what was told before, the finished words."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from monitor.digests.routes import Routes
from monitor.rulebook.severity import SEVERITIES

if TYPE_CHECKING:
    from monitor.templating import Templates
    from monitor.trust import Verdict

RANKS: Mapping[str | None, int] = {severity: number for number, severity in enumerate(SEVERITIES)}


class RuleWords(Protocol):
    """What a message needs to know of a rule."""

    @property
    def title(self) -> str: ...
    @property
    def email_title(self) -> str | None: ...
    @property
    def sensitive(self) -> bool: ...
    @property
    def action(self) -> str: ...
    @property
    def folds(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class FlagLine:
    """One row of ``flag_line``: an unresolved flag, or one resolved tonight."""

    flag_id: int
    person_id: str
    team: str | None
    personal_adviser: str | None
    age: int | None
    eligibility: str | None
    rule: str
    severity: str
    state: str
    change: str | None
    resolved_reason: str | None
    opened_on: date
    in_breach_since: date | None
    due_on: date | None
    because: str
    held_since: date | None
    held_why: str | None
    waived_until: date | None
    earlier_spells: int
    last_cleared_on: date | None
    unconfirmed: bool = False
    """It waited as a likely data fault, and nobody confirmed it."""
    waived_on: date | None = None
    """When the waiver in force was made; ``flags.waivers.remind`` says if its end (``waived_until``) is to be told."""
    waiver_ended_on: date | None = None
    """The first accepted night that found it standing without its last waiver (run out, or ended by name): news to a
    reader whose last digest is older than that, and ``change`` is *waiver ended* on that night."""
    answer: str | None = None
    """The newest answer on an exception list: done, waive until, not ours, the record is wrong."""
    answered_on: date | None = None
    answered_by: str | None = None
    answer_noticed_on: date | None = None
    """The first accepted night that knew of the answer: news to a reader whose last digest is older than that."""


@dataclass(frozen=True, slots=True)
class ComingDue:
    """A flag that will open within days if nothing changes. ``on_birthday``: on a birthday, which no message names."""

    person_id: str
    team: str | None
    personal_adviser: str | None
    rule: str
    opens_on: date
    days_until: int
    on_birthday: bool = False


class Figures(Protocol):
    """How a rule was answered: of how many, and how many could not be assessed."""

    @property
    def asked(self) -> int: ...
    @property
    def breach(self) -> int: ...
    @property
    def cannot_assess(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Told:
    """A flag that a digest accepted at one address reported, and how severe it was then."""

    flag_id: int
    person_id: str
    severity: str
    as_at: date


@dataclass(frozen=True)
class Night:
    """What every message of one night needs: the date, the marking, the rules, who may be told.

    ``service_wide``: rules in breach for so many that it says something of the service, with each team's figures.
    """

    as_at: date
    authority: str
    marking: str
    rules: Mapping[str, RuleWords]
    routes: Routes
    case_url: str | None = None
    baseline: bool = False
    correction: bool = False
    adjustments: tuple[str, ...] = ()
    rules_changed: tuple[str, ...] = ()
    rules_withdrawn: tuple[str, ...] = ()
    """What messages may call the rules that are no longer asked."""
    not_assessed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    previous_accepted_on: date | None = None
    chain_head: str | None = None
    lists_folder: str | None = None
    verdict: "Verdict | None" = None
    """What the gate believed of the night; None where it never came to that."""
    doubted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules asked of nobody, with the columns they rest on that are not believed."""
    service_wide: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)

    def title(self, rule: str) -> str | None:
        """What an e-mail may call a rule; None for one no longer in the rulebook, whose id may disclose."""
        words = self.rules.get(rule)
        if words is None:
            return None
        return words.email_title if words.sensitive else words.title

    def link(self, person_id: str) -> str | None:
        return self.case_url and self.case_url.replace("{person_id}", quote(person_id, safe=""))


class Digest(Protocol):
    """What ``render`` needs of a digest, beside what its own template reads."""

    @property
    def template(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def flag_ids(self) -> tuple[int, ...]: ...
    @property
    def people(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Message:
    """A message for the outbox.

    ``flag_ids``: every unresolved flag it reports, by line or by count. ``people``: everyone it names, for
    the last check before it is sent.
    """

    recipient: str
    kind: str
    subject: str
    text: str
    html: str
    flag_ids: tuple[int, ...]
    people: tuple[str, ...]


def rank(severity: str | None) -> int:
    """0 for critical; worse is lower; nothing at all is last."""
    return RANKS.get(severity, len(SEVERITIES))


def one_line(value: str) -> str:
    """The text without line breaks or runs of spaces."""
    return " ".join(value.split())


def render(digest: Digest, templates: "Templates | None" = None) -> Message:
    """The digest in words, by ``templates`` or the shipped ones."""
    if templates is None:
        from monitor.templating import open_templates

        templates = open_templates()
    parts = templates.fill(digest.template, digest)
    return Message(
        recipient=digest.recipient,
        kind=digest.kind,
        subject=clean_subject(parts["subject.txt"]),
        text=parts["txt"].strip("\n") + "\n",
        html=parts["html"],
        flag_ids=digest.flag_ids,
        people=digest.people,
    )


def clean_subject(subject: str) -> str:
    """One line of printable characters: nothing in it can begin another header."""
    return " ".join("".join(c if c.isprintable() else " " for c in subject).split())
