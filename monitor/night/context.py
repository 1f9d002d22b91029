"""What the parts of a night pass between them: what it is given, what it has judged, what it did."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import URL

from monitor.caseload.intake import Intake
from monitor.caseload.list_matches import NO_LISTS, IdLists
from monitor.config.settings import Config
from monitor.errors import StoreError
from monitor.flags.carried import NOTHING_UNDONE, Undone
from monitor.gate.surges import Surge
from monitor.gate.verdict import Comparison, Verdict
from monitor.messages.shared_readers import SharedReaders, read_shared
from monitor.messages.templates import Templates
from monitor.outbox.send import Delivered
from monitor.record import continuity, heads, left_overs
from monitor.record.purge_files import SNAPSHOTS
from monitor.rulebook.evaluation import Evaluation
from monitor.rulebook.rulebook import Rulebook
from monitor.store.database import Database, working_store
from monitor.store.nights import Ledger, Request
from monitor.workspace import Step, Workspace, open_workspace

Clock = Callable[[], dt.datetime]
Say = Callable[[str], None]
Outcome = Literal["accepted", "put right", "unchanged", "rehearsed"]
NOT_ASKED = Evaluation({}, {}, {})


class Note(Protocol):
    """Log one stage of the night: a few words that never change, and counts; never a person."""

    def __call__(self, stage: str, /, **counts: int | str | None) -> None: ...


def note_nothing(stage: str, /, **counts: int | str | None) -> None:
    """Log nothing: a person watches this night, and the closing account tells them all of it."""


@dataclass(frozen=True)
class Tools:
    """What the night takes from the world, handed in by ``cli``: the clock, the environment, where progress goes.

    ``told``: the alarms that this process has raised.
    """

    clock: Clock
    environ: Mapping[str, str]
    say: Say
    note: Note = note_nothing
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Night:
    """One night: what each of its parts is given. ``run_id``: its row among the runs; None for a rehearsal."""

    config: Config
    request: Request
    tools: Tools
    rulebook: Rulebook
    templates: Templates
    database: Database
    past: Ledger
    workspace: Workspace = field(default_factory=open_workspace)
    run_id: int | None = None

    @property
    def as_at(self) -> dt.date:
        return self.request.as_at

    @property
    def is_after_jump(self) -> bool:
        """Whether it is the first night after a jump, on which nothing is done that no later night can undo."""
        return self.past.is_jump(self.as_at)

    @property
    def shared(self) -> SharedReaders:
        """Readers whose messages the fleet sends, together with other councils'; nobody outside a fleet."""
        return read_shared(self.tools.environ)

    @property
    def snapshots(self) -> Path:
        return self.config.data_folder / SNAPSHOTS

    @property
    def lists(self) -> Path:
        return self.config.data_folder / "exceptions" / self.as_at.isoformat()

    @property
    def corrects(self) -> Sequence[int]:
        """The runs that were ever accepted for this date, which this one puts right."""
        return self.past.same_date

    def close(self) -> None:
        self.workspace.close()

    def note(self, stage: str, **counts: int | str | None) -> None:
        self.tools.note(stage, run=self.run_id, **counts)


@dataclass(frozen=True)
class Judged:
    """The night as decided, before anything is saved; the rest is in the workspace's tables.

    ``deaths``: the ids of those whose death tonight is the first to know of.
    """

    intake: Intake
    seen: Comparison
    verdict: Verdict
    evaluation: Evaluation = NOT_ASKED
    ids: IdLists = NO_LISTS
    deaths: Sequence[str] = ()
    surges: tuple[Surge, ...] = ()
    snapshot: Path | None = None
    undone: Undone = NOTHING_UNDONE


@dataclass(frozen=True)
class NightOutcome:
    """What one night did, for the terminal: counts, and no person.

    ``severities``: of every rule, by its id; ``verdict``: what the gate said; ``believed``: False for a rehearsal that
    a real run would refuse; ``steps``: the steps of its workspace, in the order in which they were run.
    """

    as_at: dt.date
    outcome: Outcome
    baseline: bool
    people: int
    absent: int
    deaths: int
    intake: Intake
    evaluation: Evaluation
    severities: Mapping[str, str]
    changes: Mapping[str, int]
    opened: Mapping[str, int]
    states: Mapping[str, int]
    messages: int
    unrouted: Mapping[str, int]
    verdict: Verdict
    surges: tuple[Surge, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    believed: bool = True
    steps: tuple[Step, ...] = ()
    lists: tuple[Path, ...] = ()
    report: tuple[Path, ...] = ()
    report_fault: str | None = None
    delivered: Delivered = field(default_factory=Delivered)

    @property
    def exit_code(self) -> int:
        if not self.believed:
            return 3
        whole = not (self.evaluation.failed or self.verdict.is_in_doubt or self.states.get("quarantined"))
        return 0 if whole and self.delivered.all_went and self.report_fault is None else 1


@contextmanager
def open_database(
    config: Config, where: URL, request: Request, tools: Tools, wait_seconds: float
) -> Iterator[tuple[Database, Request]]:
    """Open the database to write to, and make it first if no night has been run here; give the request as it stands.

    Where the database does not know all that stands beside it, ``--accept`` goes on without: then it says nothing of
    the night itself, which is judged like any other.
    """
    found = continuity.find_break(config, where, wait_seconds=wait_seconds)
    if found and (request.accept is None or not found.is_passable):
        raise StoreError(str(found))
    with working_store(where, wait_seconds=wait_seconds) as database:
        if found and found.gap:
            by, addresses = request.by or "", continuity.list_addresses(config)
            acceptance = continuity.Acceptance(by, request.accept or "", request.today, tools.clock(), addresses)
            continuity.go_on(database, config.data_folder, found.gap, acceptance)
            request = replace(request, accept=None)
        if swept := left_overs.sweep(database, config):
            tools.note("left-overs of a killed run removed", files=swept)
        with heads.kept_on_both_sides(database, config.data_folder):
            yield database, request
