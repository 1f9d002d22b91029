"""Writes a config file: a new one, or lines added to one that is there, of which every other line stays as it is.

A file is replaced only once what would stand in its place has been read as a config, says what was wanted and nothing
else, and has no problem.
"""

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.config.paste_lines import quote, write_line
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.files import written_whole

MARK = "\ufeff"
HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]\]?\s*(#.*)?$")


@dataclass(frozen=True)
class Addition:
    """What belongs in a source's table: ``within`` names a table of it (none: its own), then a key and its value."""

    source: str
    within: tuple[str, ...]
    key: str
    value: str | tuple[str, ...]

    @property
    def line(self) -> str:
        """Return the line as it is written."""
        if isinstance(self.value, tuple):
            return f"{self.key} = [{', '.join(map(quote, self.value))}]"
        return write_line(self.key, self.value) if self.within else f"{self.key} = {quote(self.value)}"

    @property
    def header(self) -> str:
        return f"[{'.'.join(('sources', *self.within))}]"


@dataclass(frozen=True)
class NewTeam:
    """A team to name, and the address of its lead."""

    name: str
    lead: str

    @property
    def lines(self) -> list[str]:
        return ["", "[[teams]]", f"name = {quote(self.name)}", f"lead = {quote(self.lead)}"]


def write_new(path: Path, *, source: Mapping[str, str], people: Mapping[str, str], today: str) -> None:
    """Write a config of one source; ``Problems``, and nothing written, where a file is there already."""
    if path.exists():
        raise Problems([f"{path}: is there already, and nothing is overwritten; name another with --config"])
    lines = [
        f"# Written by monitor onboard on {today}. config.example.toml shows every other setting; monitor check says",
        "# whether all is there, and monitor run --dry-run rehearses a night.",
        "",
        'data_folder = "data"                        # all that the monitor writes; only its owner can read it',
        "",
        "[[sources]]",
        *(f"{key} = {quote(value)}" for key, value in source.items()),
        *(("", "[people]", *(f"{key} = {quote(value)}" for key, value in people.items())) if people else ()),
    ]
    _replace(path, "\n".join(lines) + "\n")


def add_lines(path: Path, additions: Sequence[Addition], teams: Sequence[NewTeam] = ()) -> None:
    """Add lines to the sources of a config, and teams at its end; comments, order and line ends stay as they are.

    Raises ``Problems``, and leaves the file as it was, where the result would not be the config with just that more.
    """
    if not additions and not teams:
        return
    path = path.resolve()
    text = path.read_bytes().decode()
    ends = "\r\n" if "\r\n" in text else "\n"
    before = tomllib.loads(text.removeprefix(MARK))
    lines = text.removeprefix(MARK).replace("\r\n", "\n").rstrip("\n").split("\n")
    for number, source in enumerate(before.get("sources", ())):
        own = [addition for addition in additions if addition.source == source.get("name")]
        for addition in own:
            lines = _add_line(lines, number, addition)
    lines += [line for team in teams for line in team.lines]
    after = "\n".join(lines) + "\n"
    try:
        is_right = tomllib.loads(after) == _with(before, additions, teams)
    except ValueError:
        is_right = False
    if not is_right:
        wanted = [f"{addition.header} of {addition.source}: {addition.line}" for addition in additions]
        raise Problems([f"{path}: left as it was, for lines cannot be added to it safely; add them by hand", *wanted])
    _replace(path, (MARK if text.startswith(MARK) else "") + after.replace("\n", ends))


def _with(config: Mapping[str, Any], additions: Iterable[Addition], teams: Sequence[NewTeam]) -> dict[str, Any]:
    """Return the config's tables with what is added."""
    wanted = copy.deepcopy(dict(config))
    for addition in additions:
        table = next(source for source in wanted["sources"] if source.get("name") == addition.source)
        for name in addition.within:
            table = table.setdefault(name, {})
        table[addition.key] = list(addition.value) if isinstance(addition.value, tuple) else addition.value
    if teams:
        wanted["teams"] = [*wanted.get("teams", []), *({"name": team.name, "lead": team.lead} for team in teams)]
    return wanted


def _add_line(lines: list[str], number: int, addition: Addition) -> list[str]:
    """Return the lines with one more, in the table it belongs to of the source of that number."""
    headers = _find_headers(lines)
    sources = [at for at, (kind, name) in headers.items() if (kind, name) == ("[[", "sources")]
    if number >= len(sources):
        return lines
    start = sources[number]
    others = [at for at, (_, name) in headers.items() if at > start and not name.startswith("sources.")]
    end = min(others, default=len(lines))
    own = [at for at in headers if start < at < end]
    table = ".".join(("sources", *addition.within))
    here = start if not addition.within else next((at for at in own if headers[at][1] == table), None)
    if here is None:
        at = _last_said(lines, start, end)
        return [*lines[:at], "", addition.header, addition.line, *lines[at:]]
    there = min((at for at in own if at > here), default=end)
    old = next((n for n in range(here, there) if re.match(rf"\s*{re.escape(addition.key)}\s*=", lines[n])), None)
    if old is not None and not addition.within:
        return [*lines[:old], addition.line, *lines[old + 1 :]]
    at = _last_said(lines, here, there)
    return [*lines[:at], addition.line, *lines[at:]]


def _find_headers(lines: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Return where tables begin: by line, [ or [[, and the name; what stands in a text of many lines is none."""
    found: dict[int, tuple[str, str]] = {}
    inside = False
    for at, line in enumerate(lines):
        header = None if inside else HEADER.match(line)
        if header:
            name = ".".join(part.strip(" \t\"'") for part in header[2].split("."))
            found[at] = (header[1], name)
        inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found


def _last_said(lines: Sequence[str], start: int, end: int) -> int:
    """Return the place behind the last line of a table that is neither empty nor a comment."""
    said = (at for at in range(start, end) if lines[at].strip() and not lines[at].lstrip().startswith("#"))
    return max(said, default=start) + 1


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    with written_whole(path) as unfinished:
        unfinished.write_bytes(text.encode())
        try:
            load_config(unfinished)
        except Problems as fault:
            said = (line.replace(str(unfinished), str(path)) for line in fault.problems)
            raise Problems([*said, f"{path}: left as it was"]) from None
    if os.name != "nt":
        path.chmod(mode)
