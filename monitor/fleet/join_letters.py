"""Sends what the nights of several councils wrote to the same readers: one mail a day for each reader.

    plan     which addresses more than one council writes to, over one and the same mail account
    nights   each council's night leaves what it wrote to those in its own outbox (``messages/shared_readers``)
    join     for each address: every council's last check, one mail, and what came of it in every council's record
    alone    whatever still waits goes as each council would send it by itself

What happens when a step fails: a letter that was not yet begun waits in its council's outbox, and goes alone with the
council's next delivery. One that was begun counts as one that may have gone: it is never sent again, its reader's next
digest says so. A council whose record cannot be opened keeps its letters; the others' go.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import URL, Connection, and_, func, or_, select

from monitor.config.delivery_settings import DeliverySettings
from monitor.config.settings import Config
from monitor.delivery.channel import Channel, open_channel
from monitor.delivery.envelope import Envelope, Receipt
from monitor.errors import DeliveryError, MonitorError
from monitor.fleet.joined_mail import CouncilLetter, join
from monitor.log import place_of
from monitor.messages.shared_readers import SharedReaders
from monitor.outbox.couriers import Delivery
from monitor.outbox.envelopes import new_joined_key
from monitor.outbox.queue import OF_A_NIGHT, PENDING
from monitor.outbox.send import EVERY_DUE, Clock, DeliveryRound, deliver_due, find_ripe
from monitor.record.continuity import known_store, list_addresses
from monitor.store.database import Database, is_there
from monitor.store.tables import Flag, Message, MessageFlag, table_of
from monitor.words import join_words, write_count
from monitor.workdays import london_date

MOST_COUNCILS = 20
"""Councils in one mail, whose records are all held open while it goes; a reader of more has a mail for each so many."""
LARGEST = 1_000_000
"""Bytes of one mail, as every channel takes them; what would be larger goes in a mail of its own."""
MOST_NAMED = 3
CARDS_EACH = 100
"""Numbers of cards that each council of a reader has for itself."""
JOINING = ("smtp", "graph", "notify")
"""A folder is a trial: what is in one council's folder is about its own young people alone."""


@dataclass(frozen=True)
class MailingCouncil:
    """A council of the fleet, and where its record is."""

    code: str
    config: Config
    where: URL

    def open_channel(self, environ: Mapping[str, str]) -> Channel:
        return open_channel(self.config.delivery, self.config.data_folder, self.config.network.reach(environ))

    def open_store(self) -> AbstractContextManager[Database]:
        return known_store(self.config, self.where)


@dataclass(frozen=True)
class JoinedAccount:
    """What became of what waited for the fleet: mails of several councils, the letters in them, and those alone."""

    mails: int = 0
    letters: int = 0
    alone: int = 0
    problems: tuple[str, ...] = ()

    @property
    def all_went(self) -> bool:
        return not self.problems


def plan_shared(councils: Sequence[MailingCouncil]) -> dict[str, SharedReaders]:
    """Return by code the readers that a council shares with others; nothing of a council that shares none."""
    after: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for address, sharing in _find_sharing(councils):
        for place, council in enumerate(sharing):
            after[council.code][address] = place * CARDS_EACH
    return {code: SharedReaders(numbers) for code, numbers in after.items()}


def find_unjoined(councils: Sequence[MailingCouncil]) -> Iterator[str]:
    """Yield, of each few councils with readers in common whose letters are not all joined, who those are, and why."""
    apart: defaultdict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for address, writing in _find_writing(councils).items():
        if len(writing) > 1 and (why := _explain_apart(writing)):
            apart[tuple(council.code for council in writing), why].append(address)
    for (codes, why), addresses in apart.items():
        yield f"{_name_some(codes)}: their letters to {_name_some(addresses)} go in a mail each: {why}"


def _name_some(names: Sequence[str]) -> str:
    more = [f"{len(names) - MOST_NAMED:,} more"] if len(names) > MOST_NAMED else []
    return join_words([*names[:MOST_NAMED], *more])


def _explain_apart(councils: Sequence[MailingCouncil]) -> str | None:
    """Return why letters of these councils to one reader cannot all be joined; None where they can."""
    trying = [council.code for council in councils if council.config.delivery.channel not in JOINING]
    if trying:
        return f"{_name_some(trying)} {'sends' if len(trying) == 1 else 'send'} to a folder, which is a trial"
    with_lists = [council.code for council in councils if _describe_account(council.config.delivery) is None]
    if with_lists:
        return f"notify.attach_list of {_name_some(with_lists)}: a message of GOV.UK Notify has room for one list"
    accounts = {_describe_account(council.config.delivery) for council in councils}
    return "they do not send through one mail account with the same settings" if len(accounts) > 1 else None


def _find_writing(councils: Sequence[MailingCouncil]) -> dict[str, list[MailingCouncil]]:
    """Return by address the councils that may write to it, in order."""
    writing: defaultdict[str, list[MailingCouncil]] = defaultdict(list)
    for council in councils:
        for address in dict.fromkeys(each.lower() for each in list_addresses(council.config)):
            writing[address].append(council)
    return writing


def _find_sharing(councils: Sequence[MailingCouncil]) -> Iterator[tuple[str, tuple[MailingCouncil, ...]]]:
    """Yield each address that several councils may write to over one mail account, and those councils in order."""
    for address, writing in _find_writing(councils).items():
        by_account: defaultdict[str, list[MailingCouncil]] = defaultdict(list)
        for council in writing:
            if (account := _describe_account(council.config.delivery)) is not None:
                by_account[account].append(council)
        for sharing in by_account.values():
            if len(sharing) > 1:
                yield address, tuple(sharing)


def _describe_account(delivery: DeliverySettings) -> str | None:
    """Return through what, and as whom, messages leave; None where they cannot be joined.

    Notify has room for one list only, so with ``attach_list`` each council's message goes by itself.
    """
    if delivery.channel not in JOINING or (delivery.notify is not None and delivery.notify.attach_list):
        return None
    return f"{delivery.channel} {delivery.sender.lower()} {getattr(delivery, delivery.channel).model_dump_json()}"


def join_letters(
    councils: Sequence[MailingCouncil], environ: Mapping[str, str], clock: Clock, chosen: Collection[str] | None = None
) -> JoinedAccount:
    """Send what waits for readers of several councils: joined where two or more have something for one, else alone.

    ``councils``: of the whole fleet; ``chosen``: the codes of those to send for, where it is not all of them.
    """
    readers: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for address, sharing in _find_sharing(councils):
        codes = [council.code for council in sharing if chosen is None or council.code in chosen]
        for start in range(0, len(codes), MOST_COUNCILS):
            readers[tuple(codes[start : start + MOST_COUNCILS])].append(address)
    table = _SortingTable(environ, clock, {council.code: council for council in councils})
    last = {code: codes for codes in readers for code in codes}
    for group, addresses in readers.items():
        table.sort(group, addresses, done={code for code in group if last[code] == group})
    return JoinedAccount(table.mails, table.letters, table.alone, tuple(dict.fromkeys(table.problems)))


class JoinedChannel:
    """A council's channel as it carries a mail of several councils; it is opened when the first one goes.

    It cannot be asked what became of one, by whatever name each council has it: what may have gone is held.
    """

    idempotent = False
    tracing = None
    at_once = 1

    def __init__(self, council: MailingCouncil, environ: Mapping[str, str]) -> None:
        self.name = f"joined {council.config.delivery.channel}"
        self._council, self._environ = council, environ
        self._channel: Channel | None = None

    def open(self) -> Channel:
        """Open the council's own channel, once; raise ``Problems`` where something it needs is not there."""
        self._channel = self._channel or self._council.open_channel(self._environ)
        return self._channel

    def send(self, envelope: Envelope) -> Receipt:
        """Return the receipt, under the mail's own key where the transport gave no number of its own."""
        receipt = self.open().send(envelope)
        return replace(receipt, id=receipt.id or envelope.key)

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()


@dataclass(frozen=True)
class OpenCouncil:
    """A council whose record is open: what waits in it, and its own rules of what may go and what came of it."""

    council: MailingCouncil
    database: Database
    channel: JoinedChannel
    round: DeliveryRound
    waiting: Mapping[str, Sequence[Any]]
    """By reader, oldest first."""

    @property
    def code(self) -> str:
        return self.council.code

    @property
    def largest(self) -> int:
        smtp = self.council.config.delivery.smtp
        return min(LARGEST, smtp.largest_kilobytes * 1024 // 2) if smtp else LARGEST


@dataclass
class _SortingTable:
    """Where letters are joined and sent; what became of them so far."""

    environ: Mapping[str, str]
    clock: Clock
    councils: Mapping[str, MailingCouncil]
    mails: int = 0
    letters: int = 0
    alone: int = 0
    problems: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    """Councils whose record or channel cannot be used, each told of once."""

    def sort(self, codes: Iterable[str], readers: Iterable[str], *, done: Collection[str]) -> None:
        """Send one mail to each of the readers who has letters of two or more of these councils.

        ``done``: the councils that have no other readers to share; what still waits in them goes alone.
        """
        with ExitStack() as stack:
            there = [opened for code in codes if (opened := self._open(self.councils[code], stack)) is not None]
            for reader in readers:
                for pack in _pack((each, row) for each in there for row in each.waiting.get(reader, ())):
                    self._send(pack)
            for each in there:
                with self._told_of(each.council):
                    each.round.give_up_rejected()
                    self._tell_unsent(each, each.round.problems)
                    if each.code in done and each.code not in self.failed:
                        self._send_rest(each)

    def _open(self, council: MailingCouncil, stack: ExitStack) -> OpenCouncil | None:
        """Open a council's record; None for one that has had no night yet, or whose record cannot be used."""
        if council.code in self.failed:
            return None
        with self._told_of(council):
            if not is_there(council.where):
                return None
            database = stack.enter_context(council.open_store())
            channel = JoinedChannel(council, self.environ)
            stack.callback(channel.close)
            with database.reading() as store:
                waiting = _load_waiting(store, self.clock())
            delivery = DeliveryRound(database, channel, council.config, self.clock)
            return OpenCouncil(council, database, channel, delivery, waiting)
        return None

    @contextmanager
    def _told_of(self, council: MailingCouncil) -> Iterator[None]:
        """Tell of a council whose record or channel cannot be used: it keeps its letters, and the others' go."""
        try:
            yield
        except Exception as fault:
            self.failed.add(council.code)
            why = str(fault) if isinstance(fault, MonitorError) else _describe_defect(fault)
            self.problems.append(f"{council.code}: its messages wait for its own next delivery ({why})")

    def _send(self, pack: Sequence[tuple[OpenCouncil, Any]]) -> None:
        """Send one mail, through the first council's channel, and record in each council what came of it."""
        usable = [(each, row) for each, row in pack if self._is_usable(each)]
        carrier = next((each for each, _ in usable if self._opens(each)), None)
        usable = [(each, row) for each, row in usable if self._is_usable(each)]
        if carrier is None or len({each.code for each, _ in usable}) < 2:
            return
        key = new_joined_key(london_date(self.clock()))
        going = []
        for each, row in usable:
            with self._told_of(each.council):
                parcel = each.round.begin(row.id, mail=key)
                going += [(each, parcel, _describe_letter(each, row, parcel.envelope))] if parcel else []
        if not going:
            return
        result = _carry(carrier.channel, [letter for _, _, letter in going], key)
        for each, parcel, _ in going:
            with self._told_of(each.council):
                each.round.finish(Delivery(parcel, result))
        if isinstance(result, Receipt):
            self.mails += 1
            self.letters += len(going)
        elif not isinstance(result, DeliveryError):
            self.problems += (f"{each.code}: {_describe_defect(result)}" for each, _, _ in going)

    def _tell_unsent(self, each: OpenCouncil, problems: Sequence[str]) -> None:
        """Tell how many messages did not go: why, and whose they are, stays on the council's own record."""
        if problems:
            self.problems.append(f"{each.code}: {write_count(len(problems), 'message')} not sent; its status says why")

    def _is_usable(self, each: OpenCouncil) -> bool:
        return each.code not in self.failed and not each.round.stopped

    def _opens(self, each: OpenCouncil) -> bool:
        """Open a council's channel; return whether that can be done."""
        with self._told_of(each.council):
            each.channel.open()
            return True
        return False

    def _send_rest(self, each: OpenCouncil) -> None:
        """Send what still waits in a council's outbox as the council would by itself."""
        with each.database.reading() as store:
            if not _has_work(store):
                return
        config = each.council.config
        delivered = deliver_due(each.database, each.council.open_channel(self.environ), config, clock=self.clock)
        self.alone += delivered.delivered + delivered.taken
        self._tell_unsent(each, delivered.problems)
        if delivered.stopped:
            self.problems.append(f"{each.code}: {delivered.stopped}")


def _carry(channel: JoinedChannel, letters: Sequence[CouncilLetter], key: str) -> Receipt | Exception:
    """Send the letters as one mail; return its receipt, or the fault."""
    try:
        return channel.send(join(letters, key))
    except Exception as fault:
        return fault


def _describe_defect(fault: Exception) -> str:
    return f"a defect of the monitor: {type(fault).__name__} at {place_of(fault)}"


def _load_waiting(store: Connection, now: dt.datetime) -> dict[str, list[Any]]:
    """Load by reader what a night wrote and may go now: id, bytes, its cards, and how many are newly critical in it."""
    message, news, flag = table_of(Message), table_of(MessageFlag), table_of(Flag)
    critical = (
        select(func.count(flag.c.person_id.distinct()))
        .join(news, news.c.flag_id == flag.c.id)
        .where(news.c.message_id == message.c.id, news.c.severity == "critical", news.c.state == "open")
        .scalar_subquery()
    )
    size = (
        func.length(message.c.text) + func.length(message.c.html) + func.length(func.coalesce(message.c.attached, ""))
    )
    ripe = find_ripe(now, EVERY_DUE).where(message.c.kind.in_(sorted(OF_A_NIGHT)))
    waiting: defaultdict[str, list[Any]] = defaultdict(list)
    for row in store.execute(ripe.add_columns(size.label("size"), critical.label("critical"), message.c.answerable)):
        waiting[row.recipient.lower()].append(row)
    return waiting


def _has_work(store: Connection) -> bool:
    """Return whether a council's own delivery would find anything: to send, to find out about, or to tell of."""
    message = table_of(Message)
    open_ended = and_(message.c.state == "sending", message.c.accepted_at.is_(None))
    untold = and_(message.c.trouble.is_not(None), message.c.reported_at.is_(None))
    found = select(message.c.id).where(or_(message.c.state.in_(PENDING), open_ended, untold)).limit(1)
    return store.execute(found).first() is not None


def _pack(letters: Iterable[tuple[OpenCouncil, Any]]) -> Iterator[list[tuple[OpenCouncil, Any]]]:
    """Yield the letters of one reader, as many together as one mail holds.

    A letter that was written outside the fleet may number its cards as another does. They stand in no mail together:
    an answer by number would be about two young people.
    """
    pack: list[tuple[OpenCouncil, Any]] = []
    size, numbers = 0, set[int]()
    for each, row in letters:
        own = {number for number, *_ in json.loads(row.answerable or "[]")}
        if pack and (size + row.size > each.largest or own & numbers):
            yield pack
            pack, size, numbers = [], 0, set()
        pack.append((each, row))
        size += row.size
        numbers |= own
    if pack:
        yield pack


def _describe_letter(each: OpenCouncil, row: Any, envelope: Envelope) -> CouncilLetter:
    config = each.council.config
    return CouncilLetter(each.council.code, config.authority, config.delivery.marking, envelope, row.critical)
