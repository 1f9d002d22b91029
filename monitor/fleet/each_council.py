"""Runs one command for each council, and tells how it ended, in one line each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from monitor.fleet.children import ChildCommand, ChildEnd, ChildLimits, run_children
from monitor.fleet.council_end import CouncilEnd, describe_unusable, find_worst
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.messages.shared_readers import VARIABLE
from monitor.words import write_count

SIGNALLED = 128
"""A process that a signal stopped ends with this and the signal's number."""


@dataclass(frozen=True)
class CouncilCommand:
    """A command of the monitor: its arguments, beside the config, and what is said of how it ended.

    ``environ``: by code, what one council's alone finds in the environment.
    """

    arguments: tuple[str, ...]
    describe: Callable[[Authority, ChildEnd], CouncilEnd]
    environ: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class CouncilsEnd:
    """How the command ended for each council, in the file's order; ``signal``: what stopped it, if anything did."""

    ends: tuple[CouncilEnd, ...]
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        return find_worst(end.exit_code for end in self.ends) if self.signal is None else SIGNALLED + self.signal

    def as_dict(self) -> dict[str, Any]:
        return {"exit_code": self.exit_code, "councils": [asdict(end) for end in self.ends]}


def run_each(
    fleet: Fleet,
    authorities: Iterable[Authority],
    command: CouncilCommand,
    environ: Mapping[str, str],
    told: Callable[[str], None],
) -> CouncilsEnd:
    """Run the command for every council whose config can be used; ``told`` is called with a line as each ends."""
    asked = {authority.code: authority for authority in authorities}
    ends = {code: describe_unusable(one) for code, one in asked.items() if one.problems}
    for end in ends.values():
        told(end.line)

    def note(child: ChildEnd) -> None:
        ends[child.code] = command.describe(asked[child.code], child)
        told(ends[child.code].line)

    verb, *options = command.arguments
    commands = [
        ChildCommand(code, (verb, f"--config={one.config_path}", *options), command.environ.get(code, {}))
        for code, one in asked.items()
        if code not in ends
    ]
    # The config of each council is named to it, as are its readers, and what it prints is read by this process.
    told_anew = ("MONITOR_CONFIG", VARIABLE)
    own = {name: value for name, value in environ.items() if name not in told_anew} | {"PYTHONIOENCODING": "utf-8"}
    signal = run_children(commands, ChildLimits(fleet.workers, fleet.minutes * 60, own), note).signal
    return CouncilsEnd(tuple(ends[code] for code in asked), signal)


def summarize(ends: Iterable[CouncilEnd], well: str) -> str:
    """Return the last line: how many councils are well, and at which to look."""
    ends = list(ends)
    amiss = [end.code for end in ends if end.exit_code]
    said = write_count(len(ends), "council")
    return (
        f"{said}: all {well}" if not amiss else f"{said}: {len(ends) - len(amiss)} {well}, look at {', '.join(amiss)}"
    )
