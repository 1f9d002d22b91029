"""What one address is told tonight: its parts, drafted one after another, and put into one message."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from monitor.caseload.intake import Intake
from monitor.caseload.list_matches import IdLists
from monitor.config.list_findings import ListFinding
from monitor.config.secret_ends import SecretEnd
from monitor.figures.week import count_restricted, gather
from monitor.flags.backlog import Backlog
from monitor.gate.surges import Surge
from monitor.gate.verdict import Verdict
from monitor.messages.answering import Answerable, list_answerable
from monitor.messages.attachment import number_attached, write_attachment
from monitor.messages.backlog_week import NO_BACKLOG_FOUND, BacklogFound, compose_backlog
from monitor.messages.cover_notes import CoverNote, CoverNotice
from monitor.messages.duty import ClosedDay
from monitor.messages.head import RestrictedDigest, compose_head
from monitor.messages.lead import LeadDigest, compose_lead
from monitor.messages.manager import MailSoFar, Raised, compose_manager
from monitor.messages.night_lines import NightLines
from monitor.messages.notices import Notice
from monitor.messages.parts import ComingDue, Digest, FlagLine, MessageContext, Posting
from monitor.messages.room import PHONE_LINES
from monitor.messages.routes import fold
from monitor.messages.templates import Templates, render_together
from monitor.messages.told import NOTHING_TOLD, Told
from monitor.rulebook.evaluation import Evaluation
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace

PARTS = ("analyst", "head", "manager", "lead", "cover")
"""The order of the parts of one message."""
LEAST_OF_A_PART = 36
"""Lines of a phone that are kept for each part that comes after another in the same mail."""


@dataclass(frozen=True)
class NightBasis:
    """What the messages of one judged night rest on, beside its flags (``flag_line``).

    ``told``: what each address was told before. ``raised``: what goes above the leads; ``backlog``: what does not.
    ``ids``: what was found of the lists of ids. ``closed``: it is the night of a closed day.
    """

    rulebook: Rulebook
    intake: Intake
    evaluated: Evaluation
    verdict: Verdict
    surges: Sequence[Surge]
    ids: IdLists
    told: Mapping[str, Told]
    raised: Sequence[Raised]
    backlog: Backlog
    lists_folder: str
    attach_lists: bool = False
    closed: ClosedDay | None = None
    secrets: tuple[SecretEnd, ...] = ()
    unreached: Mapping[str, dt.date] = field(default_factory=dict)
    """By address, since when nothing has arrived there."""
    run_id: int | None = None
    """The run that has been saved; None for a rehearsal."""

    def told_to(self, address: str) -> Told:
        return self.told.get(address, NOTHING_TOLD)


@dataclass(frozen=True)
class Desk:
    """Where the night's messages are written from.

    ``heads``: to whom the weekly summary is due, with the teams it is of, none for every team; ``managers``: to whom
    the weekly part about the backlog is due, which rests on ``backlog``; ``raised``: to whom a flag is raised.
    """

    workspace: Workspace
    store: Connection
    night: MessageContext
    basis: NightBasis
    heads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    managers: frozenset[str] = frozenset()
    raised: frozenset[str] = frozenset()
    backlog: BacklogFound = NO_BACKLOG_FOUND
    notes: Mapping[str, tuple[CoverNote, ...]] = field(default_factory=dict)

    def is_manager(self, address: str) -> bool:
        """Whether an address is told of flags above the lead, or of the backlog."""
        return address in self.managers or address in self.raised


def _place_part(part: Digest) -> tuple[bool, int]:
    """Return the sort key of a part: who is newly critical comes first, whatever else the reader is told."""
    is_urgent = isinstance(part, LeadDigest) and part.counts["critical"] > 0
    return not is_urgent, PARTS.index(part.kind)


@dataclass
class Draft:
    """What one address is to be told tonight, gathered before it is put into words."""

    parts: list[Digest] = field(default_factory=list)
    lines: list[FlagLine] = field(default_factory=list)
    coming: tuple[ComingDue, ...] = ()
    escalations: tuple[int, ...] = ()
    answerable: tuple[Answerable, ...] = ()
    attached: str | None = None
    listed: tuple[str, ...] = ()
    """Everyone in what is attached."""
    said: tuple[str, ...] = ()
    """What its parts say in passing, as ``holds`` has it."""

    phone_lines: int = 0
    """About how many its parts take."""

    def add(self, part: Digest, *, lines: Iterable[FlagLine] = (), phone_lines: int = 0) -> None:
        self.parts.append(part)
        self.lines += lines
        self.phone_lines += phone_lines

    def find_room(self, others: int = 0) -> int:
        """Return how many lines of a phone the next part may take; so many ``others`` come after it."""
        return max(PHONE_LINES - self.phone_lines - LEAST_OF_A_PART * others, 0)

    def finish(self, told: Told, templates: Templates) -> Posting:
        """Return the message, with what it makes an address newly know that was told ``told``."""
        message = render_together(sorted(self.parts, key=_place_part), templates)
        # Everyone in the list is looked at again before it goes, as are those whom the message names.
        people = tuple(dict.fromkeys((*message.people, *self.listed)))
        return Posting(
            replace(message, people=people, holds=(*message.holds, *self.said)),
            _find_new_to(told, self.lines, set(message.flag_ids)),
            coming=self.coming,
            attached=self.attached,
            escalations=self.escalations,
            answerable=self.answerable,
        )


def draft_parts(desk: Desk, address: str, lines: NightLines) -> Draft:
    """Draft all an address is told but the analyst's part; its lines are taken out of ``lines``."""
    draft = Draft()
    if taken_back := desk.basis.told_to(address).taken_back:
        desk = replace(desk, night=replace(desk.night, taken_back=taken_back))
    own = lines.by_address.pop(address, None)
    if own is not None:
        _draft_lead(desk, address, own, lines.coming.get(address, ()), draft)
    if address == desk.night.routes.head and (finding := find_restricted_fault(desk)):
        draft.add(RestrictedDigest(address, desk.night, finding))
    if address in desk.heads:
        _draft_summary(desk, address, draft)
    _draft_escalations(desk, address, draft)
    _draft_cover_notes(desk, address, draft)
    if taken_back and not draft.parts and address != desk.night.routes.analyst:
        draft.add(Notice(address, desk.night, "taken back"))
    return draft


def _draft_lead(desk: Desk, address: str, own: Sequence[FlagLine], coming: Iterable[ComingDue], draft: Draft) -> None:
    told = desk.basis.told_to(address)
    night = desk.night
    if desk.basis.attach_lists:
        night = replace(night, list_rows=number_attached(own, night))
    digest = compose_lead(address, drop_unknown_ends(own, told), told, night, coming)
    if digest is None:
        return
    digest = digest.within(draft.find_room((address in desk.heads) + desk.is_manager(address)))
    add_lead(draft, digest, own, desk.workspace if desk.basis.attach_lists else None)


def add_lead(draft: Draft, digest: LeadDigest, own: Sequence[FlagLine], attaching: Workspace | None) -> None:
    """Add a lead's part, with what it makes its reader know; ``attaching``: whence the list that goes with it."""
    news = drop_unknown_ends(own, digest.told)
    draft.add(digest, lines=_mark_flipping(news, digest.flipping, digest.quiet), phone_lines=digest.phone_lines)
    draft.coming += digest.coming_told
    numbers = {card.flag_id: card.number for card in (*digest.critical_cards, *digest.lost_cards)}
    draft.answerable = list_answerable(own, numbers, digest.night)
    if attaching is not None:
        draft.attached, draft.listed = write_attachment(attaching, own, digest.night)


def _mark_flipping(lines: Iterable[FlagLine], flipping: frozenset[int], quiet: frozenset[int]) -> list[FlagLine]:
    """Return the lines as the address is taken to know them: without the quiet ones."""
    return [
        line._replace(state="flipping") if line.flag_id in flipping and line.state == "open" else line
        for line in lines
        if line.flag_id not in quiet
    ]


def _draft_cover_notes(desk: Desk, address: str, draft: Draft) -> None:
    """Add that a cover has begun or is over; a lead's part says itself for whom its reader reads."""
    notes = desk.notes.get(address, ())
    if any(part.kind == "lead" for part in draft.parts):
        draft.said = tuple(note.token for note in notes if note.is_reader_told)
        notes = tuple(note for note in notes if not note.is_reader_told)
    if notes:
        draft.add(CoverNotice(address, desk.night, notes))


def _draft_escalations(desk: Desk, address: str, draft: Draft) -> None:
    night, routes = desk.night, desk.night.routes
    backlog = None
    if address in desk.managers:
        headed = {fold(team) for team in routes.headed.get(address, ())}

        def is_managed(team: str | None) -> bool:
            return routes.escalate("manager", team, "")[0] == address and fold(team or "") not in headed

        backlog = compose_backlog(desk.backlog, night, is_managed)
    if not desk.basis.raised and backlog is None:
        return
    mail = MailSoFar(backlog, draft.find_room(), desk.basis.told_to(address).perhaps_had)
    digest = compose_manager(address, desk.basis.raised, night, mail)
    if digest is not None:
        draft.add(digest)
        draft.escalations += digest.told


def _draft_summary(desk: Desk, address: str, draft: Draft) -> None:
    night, told, teams = desk.night, desk.basis.told_to(address), desk.heads[address]
    since = told.parts.get("summary") or night.as_at - dt.timedelta(7)
    week = gather(desk.workspace, desk.store, night.as_at, since, teams or None)
    week = count_restricted(desk.workspace, week, night.routes.restricted, teams or None)
    all_teams = address == night.routes.head

    def is_headed(team: str | None) -> bool:
        return all_teams or fold(team or "") in {fold(each) for each in teams}

    backlog = compose_backlog(desk.backlog, night, is_headed, with_restricted=True)
    mail = MailSoFar(backlog, draft.find_room(desk.is_manager(address)), told.perhaps_had)
    digest = compose_head(address, teams, week, night, mail)
    draft.add(digest, phone_lines=digest.phone_lines)


def find_restricted_fault(desk: Desk) -> ListFinding | None:
    """Return what the head of service is told of the restricted list: what is new of it, and weekly what is amiss."""
    finding, head = desk.basis.ids.restricted, desk.night.routes.head
    if finding is None or not finding.is_fault or head is None:
        return None
    return finding if head in desk.heads or finding.token not in desk.basis.told_to(head).parts else None


def drop_unknown_ends(lines: Sequence[FlagLine], told: Told) -> list[FlagLine]:
    """Return the lines without the resolved flags that this address never knew of, or knows to be resolved."""
    return [line for line in lines if line.state != "resolved" or not told.knows_resolved(line.flag_id)]


def _find_new_to(told: Told, lines: Iterable[FlagLine], reported: set[int]) -> tuple[tuple[int, str, str], ...]:
    """Return the lines that a message reports and that differ from what its address was told."""
    news = []
    for line in lines:
        known = told.flags.get(line.flag_id)
        is_reported = line.flag_id in reported or (line.state == "resolved" and known is not None)
        if is_reported and (known is None or (known.severity, known.state) != (line.severity, line.state)):
            news.append((line.flag_id, line.severity, line.state))
    return tuple(news)
