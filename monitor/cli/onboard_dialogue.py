"""``monitor onboard``: shows how files are read, asks what is not certain, and writes it into the config."""

import datetime as dt
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from monitor.caseload.onboarding import Onboarding, Proposal, SourceLook, TextRead, look, propose
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.headings import NOT_READ, PERSON_ID
from monitor.cli.onboard_terminal import print_onboarding
from monitor.cli.plain_text import print_json
from monitor.config.config_file import Addition, NewTeam, add_lines, write_new
from monitor.config.settings import Config, load_config
from monitor.config.source_settings import codes_of
from monitor.errors import Problems
from monitor.sources.extract import SourceContext
from monitor.words import did_you_mean, join_words, write_count, write_date, write_people
from monitor.workspace import open_workspace

PAGE = "onboard.html"
HOW_TO_WRITE = (
    "Nothing was written. In a terminal this command asks about each of these; with --yes it writes what is certain"
)


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    file: Path | None
    config: Path
    page: Path | None
    yes: bool
    as_json: bool
    as_at: dt.date


@dataclass
class Dialogue:
    """The config as it would be, what was added to it so far, and what was asked."""

    wanted: Wanted
    config: Config
    is_new: bool
    changes: list[Proposal] = field(default_factory=list)
    teams: list[NewTeam] = field(default_factory=list)
    asked: set[tuple[str, str, str]] = field(default_factory=set)

    def look(self) -> Onboarding:
        context = SourceContext(
            self.wanted.as_at, self.config.data_folder, os.environ, network=self.config.network.reach(os.environ)
        )
        with open_workspace() as workspace:
            return look(workspace, self.config, context)

    def accept(self, changes: Iterable[Proposal]) -> None:
        for change in changes:
            self.changes.append(change)
            self.config = _with(self.config, change)

    def take_back(self, changes: Sequence[Proposal]) -> None:
        """Undo headings that were taken for the wrong column."""
        self.changes = [change for change in self.changes if change not in changes]
        keys = {(change.source, change.key) for change in changes}
        sources = (
            source.model_copy(
                update={"headings": {key: to for key, to in source.headings.items() if (source.name, key) not in keys}}
            )
            for source in self.config.sources
        )
        self.config = self.config.model_copy(update={"sources": tuple(sources)})
        self.asked -= {key for key in self.asked if key[1] == "lacking" and key[2] in {one.value for one in changes}}

    @property
    def additions(self) -> list[Addition]:
        return [_addition(change) for change in self.changes]


def onboard(wanted: Wanted) -> int:
    """Show, ask and write; the exit code: 3 where a source cannot be read, else 0."""
    dialogue = _open(wanted)
    is_asking = sys.stdin.isatty() and sys.stdout.isatty() and not wanted.yes and not wanted.as_json
    seen = dialogue.look()
    if wanted.yes:
        seen = _accept_certain(dialogue, seen)
    if is_asking:
        print_onboarding(seen)
        seen = _ask_all(dialogue, seen)
    if wanted.as_json:
        print_json(_describe(dialogue, seen))
    elif not is_asking:
        print_onboarding(seen)
        _print_lines(dialogue, propose(seen))
    if wanted.yes or is_asking:
        _write(dialogue, seen, ask=is_asking)
    elif not wanted.as_json:
        typer.echo(HOW_TO_WRITE)
    _write_page(dialogue, seen, wanted.page or (wanted.config.parent / PAGE if wanted.yes or is_asking else None))
    if seen.fault and not wanted.as_json:
        typer.echo(seen.fault, err=True)
    return 3 if seen.fault else 0


def _open(wanted: Wanted) -> Dialogue:
    """Open the config that is there, or begin one about the file; a file that the config does not read is a problem."""
    if wanted.file is None:
        return Dialogue(wanted, load_config(wanted.config), is_new=False)
    file = wanted.file.absolute()
    if not file.is_file():
        raise Problems([f"{wanted.file}: no such file; name the list as it was exported"])
    if not wanted.config.exists():
        return Dialogue(wanted, Config.model_validate({"sources": [_begin_source(file)]}), is_new=True)
    config = load_config(wanted.config)
    if not any(source.path and source.path.absolute() == file for source in config.sources):
        raise Problems(
            [
                f"{wanted.config}: no source of it reads {wanted.file}; leave the file out to look at its own sources, "
                "or name another config with --config to begin one"
            ]
        )
    return Dialogue(wanted, config, is_new=False)


def _begin_source(file: Path) -> dict[str, str]:
    kind = "ssda903-oc3" if "oc3" in file.stem.casefold() else "annex-a-list-9"
    return {"name": "caseload", "kind": kind, "path": str(file)}


def _with(config: Config, change: Proposal) -> Config:
    """Return the config as it would be with a change: what it is read with from now on."""

    def changed(source: Any) -> Any:
        if source.name != change.source:
            return source
        if change.table == "headings":
            return source.model_copy(update={"headings": {**source.headings, change.key: change.value}})
        if change.table:
            column = change.table.removeprefix("words.")
            words = {**source.words.get(column, {}), change.key: change.value}
            return source.model_copy(update={"words": {**source.words, column: words}})
        value = tuple(change.value.split(", ")) if change.key == "blank_means_none" else change.value
        return source.model_copy(update={change.key: value})

    return config.model_copy(update={"sources": tuple(map(changed, config.sources))})


def _addition(change: Proposal) -> Addition:
    within = tuple(change.table.split(".")) if change.table else ()
    listed = change.key == "blank_means_none" and not change.table
    return Addition(change.source, within, change.key, tuple(change.value.split(", ")) if listed else change.value)


# Without a question


def _accept_certain(dialogue: Dialogue, seen: Onboarding) -> Onboarding:
    """Accept what is certain, and look again until nothing more is: a heading that is read brings texts with it."""
    while certain := [change for change in propose(seen) if change.certain and change.source]:
        dialogue.accept(certain)
        seen = dialogue.look()
    return seen


# Asking


def _ask_all(dialogue: Dialogue, seen: Onboarding) -> Onboarding:
    """Ask about everything that is not read, and look again after each round of answers that changed something."""
    while True:
        changes = [change for change in _ask(dialogue, seen) if change.value]
        if not changes:
            break
        dialogue.accept(changes)
        seen = dialogue.look()
        if wrong := [change for change in changes if _reads_little(seen, change) and not _is_kept(change)]:
            dialogue.take_back(wrong)
            seen = dialogue.look()
        print_onboarding(seen, brief=True)
    if not seen.fault:
        dialogue.teams = list(_ask_teams(seen)) if dialogue.is_new else []
    return seen


def _reads_little(seen: Onboarding, change: Proposal) -> bool:
    """Whether a heading was taken for a column of codes as which most of its cells are not read."""
    texts = [
        text
        for source in seen.sources
        for text in source.texts
        if source.source == change.source and text.column == change.value and change.table == "headings"
    ]
    return sum(text.cells for text in texts if text.read_as is None) > sum(text.cells for text in texts) / 2


def _is_kept(change: Proposal) -> bool:
    words = f'Most cells under "{change.key}" cannot be read as {change.value}. Is it that column all the same?'
    return bool(typer.confirm(words, default=False))


def _ask(dialogue: Dialogue, seen: Onboarding) -> Iterator[Proposal]:
    """Yield an answer for each question that was not asked before; one with no value leaves things as they are."""
    if seen.missing:
        yield from _ask_missing(dialogue, seen)
        return
    found: set[str] = set()
    for change in propose(seen):
        if change.table == "headings" and _is_new(dialogue, change.source, "headings", change.key):
            answer = _ask_heading(change)
            found.add(answer.value)
            yield answer
    if seen.sources:
        yield from _ask_lacking(dialogue, seen, found)
    for source in seen.sources:
        for text in source.unread:
            if text.text and _is_new(dialogue, source.source, text.column, text.text):
                if _is_new(dialogue, source.source, "codes", text.column):
                    _print_codes(text.column)
                yield _ask_text(source, text)
        yield from _ask_empty(dialogue, source)
        yield from _ask_dates(dialogue, source)


def _is_new(dialogue: Dialogue, *question: str) -> bool:
    """Whether this was not asked yet; it is from now on."""
    key = (question[0], question[1], question[2])
    fresh = key not in dialogue.asked
    dialogue.asked.add(key)
    return fresh


def _ask_missing(dialogue: Dialogue, seen: Onboarding) -> Iterator[Proposal]:
    source = seen.sources[-1].source
    headings = [heading.heading for heading in seen.sources[-1].headings]
    for column in seen.missing:
        if _is_new(dialogue, source, "missing", column):
            yield from _ask_which(source, headings, column)


def _ask_lacking(dialogue: Dialogue, seen: Onboarding, found: Set[str]) -> Iterator[Proposal]:
    """Ask for the columns of a List 9 that no source has, where the first one has headings that are not read.

    Not for those ``found`` by an answer just given.
    """
    source = seen.sources[0]
    free = [heading.heading for heading in source.headings if heading.how == "not needed"]
    for column in seen.lacking:
        if free and column not in found and _is_new(dialogue, source.source, "lacking", column):
            for answer in _ask_which(source.source, free, column):
                free.remove(answer.key)
                yield answer


def _ask_which(source: str, headings: Sequence[str], column: str) -> Iterator[Proposal]:
    what = "the id of the young person" if column == PERSON_ID else f"{column} ({BY_NAME[column].meaning.rstrip('.')})"
    for number, heading in enumerate(headings, start=1):
        typer.echo(f"  {number}. {heading}")
    chosen = typer.prompt(f"Which heading has {what}? Its number, or 0 for none", type=int, default=0)
    if 1 <= chosen <= len(headings):
        yield Proposal(source, "headings", headings[chosen - 1], column)


def _ask_heading(change: Proposal) -> Proposal:
    agreed = typer.confirm(f'Is "{change.key}" the column {change.value}?', default=change.certain)
    return change if agreed else replace(change, value=NOT_READ)


def _print_codes(column: str) -> None:
    known = BY_NAME[column].codes
    typer.echo(f"The codes of {column}:")
    for code in codes_of(column):
        typer.echo(f"  {code}" + (f"  {known[code]}" if code in known else ""))


def _ask_text(source: SourceLook, text: TextRead) -> Proposal:
    """Ask which code a text means; an empty answer leaves it unread."""
    codes = codes_of(text.column)
    typer.echo(f'{text.column}: "{text.shown}" in {write_count(text.cells, "cell")} is not read')
    by_fold = {code.casefold(): code for code in codes}
    by_fold |= {"y": "yes", "n": "no"} if "yes" in codes else {}
    while True:
        said = str(typer.prompt("Which code is it? Enter leaves it unread", default=text.suggestion or "")).strip()
        if not said or said.casefold() in by_fold:
            return Proposal(source.source, f"words.{text.column}", text.text or "", by_fold.get(said.casefold(), ""))
        typer.echo(f'no code "{said}"{did_you_mean(said, codes) or "; the codes are " + ", ".join(codes)}')


def _ask_empty(dialogue: Dialogue, source: SourceLook) -> Iterator[Proposal]:
    """Ask whether nothing under a heading means never; only that answer makes it so."""
    never = [
        name
        for name in source.empty
        if _is_new(dialogue, source.source, "empty", name)
        and typer.confirm(
            f"{name} has a heading and nothing under it. Has it truly never happened to anybody (yes), or is it not "
            "exported (no)?",
            default=False,
        )
    ]
    if never:
        own = next(one for one in dialogue.config.sources if one.name == source.source)
        there = own.blank_means_none
        yield Proposal(source.source, "", "blank_means_none", ", ".join((*there, *never)))


def _ask_dates(dialogue: Dialogue, source: SourceLook) -> Iterator[Proposal]:
    doubtful = [column for column in source.dates if not column.certain]
    if doubtful and _is_new(dialogue, source.source, "dates", "order"):
        for column in doubtful:
            typer.echo(f"{column.column}: {column.words}")
        words = "How are the dates of this file written: day-first, month-first, or Enter to leave it"
        said = typer.prompt(words, default="")
        if said in ("day-first", "month-first"):
            yield Proposal(source.source, "", "date_order", said)


def _ask_teams(seen: Onboarding) -> Iterator[NewTeam]:
    for team in seen.teams:
        if not team.is_known:
            words = f'E-mail of the lead of "{team.team}" ({write_people(team.people)}); Enter for none yet'
            lead = str(typer.prompt(words, default="")).strip()
            if lead:
                yield NewTeam(team.team, lead)


# Writing


def _print_lines(dialogue: Dialogue, changes: Sequence[Proposal]) -> None:
    """Print what would be written, and what could be added by hand."""
    for change in changes:
        addition = _addition(change)
        sure = "certain" if change.certain else "to be confirmed"
        typer.echo(f'{addition.header} of "{change.source}": {addition.line}  # {sure}')
    if dialogue.is_new and not dialogue.wanted.yes:
        typer.echo(f"There is no {dialogue.wanted.config} yet; it would be written")


def _write(dialogue: Dialogue, seen: Onboarding, *, ask: bool) -> None:
    path = dialogue.wanted.config
    if not dialogue.is_new and not dialogue.additions:
        typer.echo(f"{path} has all that it needs; nothing was written")
        return
    for addition in dialogue.additions:
        typer.echo(f'  {addition.header} of "{addition.source}": {addition.line}')
    if seen.missing or (ask and not typer.confirm(f"Write this into {path}?", default=True)):
        typer.echo("Nothing was written")
        return
    if dialogue.is_new:
        _write_new(dialogue, ask=ask)
    add_lines(path, dialogue.additions, dialogue.teams)
    if dialogue.is_new and not ask:
        typer.echo(f"Name in {path} your analyst in [people], and your teams with their leads in [[teams]]")
    typer.echo(f"{path} written. Next: monitor check --config {path}, then monitor run --dry-run --config {path}")
    never = {name for source in dialogue.config.sources for name in source.blank_means_none}
    if empty := sorted({name for source in seen.sources for name in source.empty} - never):
        typer.echo(
            f"The first night may be refused while there is nothing under the heading of {join_words(empty)}: have it "
            "exported, or run that night with --accept, and it counts as not supplied until it fills"
        )


def _write_new(dialogue: Dialogue, *, ask: bool) -> None:
    wanted = dialogue.wanted
    source = dict(_begin_source(wanted.file.absolute() if wanted.file else Path()))
    people: Mapping[str, str] = {}
    if ask:
        words = "E-mail of the analyst, who is told when something needs a person"
        analyst = str(typer.prompt(words, default="")).strip()
        people = {"analyst": analyst, "fallback": analyst} if analyst else {}
    folder = wanted.config.absolute().parent
    if Path(source["path"]).is_relative_to(folder):
        source["path"] = Path(source["path"]).relative_to(folder).as_posix()
    write_new(wanted.config, source=source, people=people, today=write_date(wanted.as_at))


def _write_page(dialogue: Dialogue, seen: Onboarding, path: Path | None) -> None:
    if path is None:
        return
    from monitor.report.onboard_page import write_onboard_page

    lines = [(_addition(change), change.certain) for change in propose(seen)]
    write_onboard_page(path, seen, dialogue.config, lines, made_on=dialogue.wanted.as_at)
    if not dialogue.wanted.as_json:
        typer.echo(f"The page is in {path}")


def _describe(dialogue: Dialogue, seen: Onboarding) -> dict[str, Any]:
    lines = [asdict(change) for change in (*dialogue.changes, *propose(seen))]
    return {**seen.as_dict(), "lines": lines}
