"""What messages are made of: flags as the night left them, what a night is, the finished words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from monitor.catalogue.person_ids import link_case
from monitor.messages.list_place import ListShelf
from monitor.messages.shown import RuleWords, Shown, find_alike, shown, shown_title

if TYPE_CHECKING:
    from monitor.gate.verdict import Verdict
    from monitor.messages.routes import Routes
    from monitor.messages.told import TakenBack
    from monitor.rulebook.evaluation import Counts


class FlagLine(NamedTuple):
    """One row of ``flag_line``: an unresolved flag, or one resolved tonight.

    A tuple, because one is made of every row: a frozen dataclass takes nine times as long.
    """

    flag_id: int
    person_id: str
    team: str | None
    personal_adviser: str | None
    age: int | None
    eligibility: str | None
    rule: str
    severity: str
    state: str
    resolved_reason: str | None
    opened_on: date
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
    """The first accepted night on which it was open without its last waiver (run out, or ended by name): news to a
    reader whose last digest is older than that, and ``change`` is *waiver ended* on that night."""
    answer: str | None = None
    """The newest answer on an exception list: done, waive until, not ours, the record is wrong."""
    answered_on: date | None = None
    answer_noticed_on: date | None = None
    """The first accepted night that knew of the answer: news to a reader whose last digest is older than that."""
    in_breach_since: date | None = None
    flips: int = 0
    """How often the same rule has opened for the same person within the nights that the settings say."""


DIGESTS = ("lead", "manager", "head", "analyst", "duty")
"""The kinds of message that every night decides again: a later one has all the news of one that did not go."""

LINE_FIELDS = tuple(name for name in FlagLine._fields if name != "flips")
"""The columns of ``flag_line`` that a line is made of, in its order."""


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


@dataclass(frozen=True, slots=True)
class Handover:
    """What becomes of a rule that ends with a birthday or an adviser: its heirs, and what is asked from now on."""

    heirs: frozenset[str]
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A young person of whom most rules can ask nothing: their date of birth is missing, or cannot be read."""

    person_id: str
    team: str | None
    is_unreadable: bool = False


@dataclass(frozen=True)
class MessageContext:
    """What every message of one night needs: the date, the marking, the rules, who may be told.

    ``service_wide``: rules in breach for so many that it says something of the service, with each team's figures.
    """

    as_at: date
    authority: str
    marking: str
    rules: Mapping[str, RuleWords]
    routes: "Routes"
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
    after_jump: bool = False
    """It is the first night after a jump, on which what no later night can undo waits."""
    chain_head: str | None = None
    taken_back: "tuple[TakenBack, ...]" = ()
    """Nights that this reader was told of, and that no longer stand."""
    shelf: ListShelf = field(default_factory=ListShelf)
    """What ``find_lists`` needs to know of the lists."""
    verdict: "Verdict | None" = None
    """What the gate believed of the night; None where it never came to that."""
    doubted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules asked of nobody, with the columns they rest on that are not believed."""
    service_wide: "Mapping[str, Mapping[str, Counts]]" = field(default_factory=dict)

    handovers: Mapping[tuple[str, str], Handover] = field(default_factory=dict)
    """By person and rule, the flags that ended with a birthday or with the adviser whom the rule presumes."""

    before: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By person and rule, what stood on the record the night before, where what the rule reads has changed since."""
    list_rows: Mapping[int, int] = field(default_factory=dict)
    """By flag, the row of its list in which a reader finds what a message may not say of it."""
    unchecked: tuple[Unchecked, ...] = ()

    seen: frozenset[int] = frozenset()
    """Serious flags without a due day whose beginning the monitor saw; loaded where a weekly list is due."""
    flips: int = 3
    """A flag that opened so often within the nights that the settings say keeps changing."""
    flip_nights: int = 30
    full_list_from: date | None = None
    """The weekly list and, below, the summary are due to an address that has had none since that day."""
    summary_from: date | None = None
    closed_until: date | None = None
    """On a closed day, for whoever is on duty: the next working day, when the usual reader has it all."""
    cards_after: Mapping[str, int] = field(default_factory=dict)
    """By address that other councils of a fleet write to as well, the number before its first card."""
    most_escalated: int = 20
    """Young people of a team whom an escalation names; the rest are counted."""

    answers_to: str | None = None
    """The mailbox that reads answers by e-mail, and below the secret of their keys; without both there are none."""
    answer_secret: bytes | None = field(default=None, repr=False)
    answers_by_number: bool = True
    """Whether a reply names the message that it answers, so that the number of a card says which flag is meant."""

    @cached_property
    def alike(self) -> frozenset[str]:
        """The rules that a message shows as another, and those others."""
        return find_alike(self.rules)

    def title(self, rule: str) -> str | None:
        """Return what a message may call a rule; None for one no longer in the rulebook."""
        return shown_title(self.rules, rule)

    def shown(self, line: FlagLine) -> Shown:
        """Return what may be said of a flag."""
        return shown(self.rules, line)

    def is_of_service(self, about: FlagLine | ComingDue) -> bool:
        """Return whether a flag's rule is said once of the service, and of nobody by name."""
        return about.rule in self.service_wide

    def link(self, person_id: str) -> str | None:
        return link_case(self.case_url, person_id)


class Digest(Protocol):
    """What ``templates.render`` needs of a digest, beside what its own template reads."""

    @property
    def template(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def holds(self) -> tuple[str, ...]: ...
    @property
    def recipient(self) -> str: ...
    @property
    def night(self) -> MessageContext: ...
    @property
    def flag_ids(self) -> tuple[int, ...]: ...
    @property
    def people(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class WrittenMessage:
    """A message for the outbox.

    ``flag_ids``: every unresolved flag it reports, by line or by count. ``people``: everyone it names, for
    the last check before it is sent. ``holds``: its parts, in words.
    """

    recipient: str
    kind: str
    subject: str
    text: str
    html: str
    flag_ids: tuple[int, ...]
    people: tuple[str, ...]
    holds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posting:
    """A finished message with the flags it tells of that differ from the last telling: (flag id, severity, state).

    ``answerable``: its cards that can be answered by e-mail: number, flag, and how that stood.
    ``coming``: what it newly says will come due. ``escalations``: those it tells of. ``attached``: the list that goes
    with it, as CSV.
    """

    message: WrittenMessage
    news: tuple[tuple[int, str, str], ...] = ()
    coming: tuple[ComingDue, ...] = ()
    attached: str | None = None
    escalations: tuple[int, ...] = ()
    answerable: tuple[tuple[int, int, str], ...] = ()
