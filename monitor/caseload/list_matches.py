"""How the config's lists of ids and names meet tonight's data and the roster, and which entries meet nobody."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from monitor.catalogue.no_adviser import fold_adviser
from monitor.catalogue.person_ids import fold_id, folded_id_sql
from monitor.config.id_lists import ListedId, read_ids, read_merged, read_merged_lines
from monitor.config.list_findings import ListFinding, find_unmatched, quote_names
from monitor.config.settings import Config
from monitor.store.tables import Person, table_of
from monitor.words import fold_name, join_words, write_count
from monitor.workspace import Workspace, step

LINES_NAMED = 20
NO_IDS: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True)
class IdLists:
    """The lists of ids as they meet the records.

    ``merged``: each old id with the id that stands for it, both as the records write them.
    """

    restricted: ListFinding | None = None
    merged_ids: ListFinding | None = None
    merged: Mapping[str, str] = field(default_factory=dict)


NO_LISTS = IdLists()


@step(reads=("tonight", "roster"))
def match_ids(workspace: Workspace, config: Config) -> IdLists:
    """Return how the lists of restricted and of merged ids meet tonight's people and the roster."""
    if config.restricted is None and config.merged_ids is None:
        return NO_LISTS
    restricted = read_ids(config.restricted) if config.restricted else ()
    lines = read_merged_lines(config.merged_ids)
    wanted = {listed.key for listed in (*restricted, *(old for old, _ in lines))} | {fold_id(new) for _, new in lines}
    return describe_ids(config, restricted, lines, _find_known(workspace, wanted))


def _find_known(workspace: Workspace, keys: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Return by folded id the ids that tonight's people, the roster and the care history write so."""
    if not keys:
        return NO_IDS
    tables = [table for table in ("tonight", "roster", "care_history") if table in workspace.tables]
    people = " UNION ".join(f"SELECT person_id FROM {table}" for table in tables)
    rows = workspace.execute(
        f"""
        SELECT key, list(person_id ORDER BY person_id)
        FROM (SELECT {folded_id_sql("person_id")} AS key, person_id FROM ({people}))
        WHERE key IN (SELECT unnest($keys::VARCHAR[])) GROUP BY key
        """,
        {"keys": sorted(keys)},
    )
    return dict(rows.fetchall())


def describe_ids(
    config: Config,
    restricted: Sequence[ListedId],
    lines: Sequence[tuple[ListedId, str]],
    known: Mapping[str, Sequence[str]],
) -> IdLists:
    """Return what is found of both lists; ``known``: by folded id, the ids of people that are written so."""
    merged = {old.text: new for old, new in lines}
    same = write_as_recorded(merged, known)
    return IdLists(
        _describe_restricted(config.restricted.name, restricted, merged, known) if config.restricted else None,
        _describe_merged(config.merged_ids.name, lines, known) if config.merged_ids else None,
        same,
    )


def read_merged_as_recorded(store: Connection, path: Path | None) -> dict[str, str]:
    """Return the merged ids of the list as the roster writes them."""
    merged = read_merged(path)
    wanted = {fold_id(text) for pair in merged.items() for text in pair}
    known: defaultdict[str, list[str]] = defaultdict(list)
    for person_id in read_people(store) if merged else ():
        if (key := fold_id(person_id)) in wanted:
            known[key].append(person_id)
    return write_as_recorded(merged, known)


def read_people(store: Connection) -> list[str]:
    """Return the id of everyone on the roster."""
    return list(store.execute(select(table_of(Person).c.person_id)).scalars())


def write_as_recorded(merged: Mapping[str, str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return merged ids as the records write them; without those that could be more than one person's."""
    pairs = ((_as_recorded(old, known), _as_recorded(new, known)) for old, new in merged.items())
    return {old: new for old, new in pairs if old and new and old != new}


def _as_recorded(text: str, known: Mapping[str, Sequence[str]]) -> str | None:
    """The record's own way of writing an id; None where people differ in nothing but zeros or case."""
    people = known.get(fold_id(text), (text,))
    return text if text in people else people[0] if len(people) == 1 else None


# What is said


def _describe_restricted(
    file: str, restricted: Sequence[ListedId], merged: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> ListFinding:
    certain = [listed for listed in restricted if listed.certain]
    same = SamePeople(merged)
    nobody = [listed for listed in certain if not any(key in known for key in same.of(listed.key))]
    several = [listed for listed in restricted if len(known.get(listed.key, ())) > 1]
    beside = [listed for listed in restricted if not listed.certain and listed.key in known]
    matched = len(certain) - len(nobody)
    ids = write_count(len(certain), "id")
    lines = [f"restricted: {ids} in {file}, of which {matched:,} {_verb(matched, 'match')} somebody on record"]
    if not certain:
        lines = [f"restricted: {file} holds no id, so nobody is protected by it; write one id a line, or take it out"]
    elif not matched:
        lines.append(f"restricted: nobody is protected by {file}: check how the case system writes its ids")
    named = list(lines)
    if nobody:
        match, protect = _verb(len(nobody), "match"), _verb(len(nobody), "protect")
        how = f"{match} nobody, tonight or on the roster, and {protect} nobody"
        lines.append(f"restricted: {_lines(nobody)} {how}")
        named.append(f"restricted: {_ids(nobody)} {how}; check the id in the case system, or take the line out")
    if several:
        how = "people whose ids differ in zeros or case alone; all of them are restricted"
        lines.append(f"restricted: {_lines(several)} {_verb(len(several), 'match')} several {how}")
        named.append(f"restricted: {_ids(several)} {_verb(len(several), 'match')} several {how}")
    if beside:
        how = "a second id on a line, which matches somebody: they are restricted too"
        lines.append(f"restricted: {_lines(beside)}: {how}")
        named.append(f"restricted: {_ids(beside)}: {how}; put it on a line of its own, or take it out")
    told = (nobody, several, beside)
    state = repr(([[each.key for each in listed] for listed in told], not certain))
    return ListFinding("restricted", tuple(lines), any(told) or not certain, state, tuple(named))


def _describe_merged(
    file: str, lines: Sequence[tuple[ListedId, str]], known: Mapping[str, Sequence[str]]
) -> ListFinding:
    no_old = [old for old, _ in lines if old.key not in known]
    no_new = [old for old, new in lines if fold_id(new) not in known]
    several = [old for old, new in lines if None in (_as_recorded(old.text, known), _as_recorded(new, known))]
    missing = {old.line for old in (*no_old, *no_new, *several)}
    matched = sum(old.line not in missing for old, _ in lines)
    said = [f"merged_ids: {write_count(len(lines), 'line')} in {file}, of which {matched:,} {_verb(matched, 'match')}"]
    if no_old:
        said.append(f"merged_ids: the old id of {_lines(no_old)} is nobody's, tonight or on the roster")
    if no_new:
        said.append(
            f"merged_ids: the new id of {_lines(no_new)} is nobody's, tonight or on the roster, so nothing is merged "
            "by it"
        )
    if several:
        said.append(
            f"merged_ids: {_lines(several)} could be several people, whose ids differ in zeros or case alone, "
            "so nothing is merged by it; write the ids as the case system does"
        )
    state = repr([sorted(old.key for old in each) for each in (no_old, no_new, several)])
    return ListFinding("merged_ids", tuple(said), bool(missing), state)


class SamePeople:
    """The folded ids that are one person's, by any of them."""

    def __init__(self, merged: Mapping[str, str]) -> None:
        self._heirs = {fold_id(old): fold_id(new) for old, new in merged.items()}
        self._of_heir: dict[str, set[str]] = {}
        for old, new in self._heirs.items():
            self._of_heir.setdefault(new, {new}).add(old)

    def of(self, key: str) -> Collection[str]:
        heir = self._heirs.get(key, key)
        return {key, *self._of_heir.get(heir, {heir})}


def _verb(number: int, verb: str) -> str:
    return verb if number != 1 else f"{verb}es" if verb.endswith("ch") else f"{verb}s"


def _lines(listed: Sequence[ListedId]) -> str:
    numbers = sorted({each.line for each in listed})
    more = [f"{len(numbers) - LINES_NAMED} more"] if len(numbers) > LINES_NAMED else []
    return f"line{'s' if len(numbers) > 1 else ''} {join_words([*map(str, numbers[:LINES_NAMED]), *more])}"


def _ids(listed: Sequence[ListedId]) -> str:
    named = [f"{each.text} (line {each.line})" for each in listed[:LINES_NAMED]]
    return join_words([*named, *([f"{len(listed) - LINES_NAMED} more"] if len(listed) > LINES_NAMED else [])])


# Lists of names


def find_names(
    config: Config, *, teams: Collection[str], nobody: Collection[str], somebody: Collection[str]
) -> Iterator[ListFinding]:
    """Return what is found of the teams' names and of what the config says of advisers' names.

    By what the extracts hold, folded: ``teams``, what stands for ``nobody``, and names that are ``somebody`` all the
    same.
    """
    for team in config.teams:
        if team.also_known_as:
            name = f'also_known_as of team "{team.name}"'
            yield find_unmatched(name, team.also_known_as, teams, what="names occur tonight")
    occurring = {config.team_names[name] for name in teams if name in config.team_names}
    if empty := [team.name for team in config.teams if team.name not in occurring]:
        yield ListFinding("teams", (f"teams: nobody is tonight in {quote_names(empty)}",))
    for name, entries, found in (
        ("not_an_adviser", config.not_an_adviser, nobody),
        ("is_an_adviser", config.is_an_adviser, somebody),
    ):
        if entries:
            occur = {fold_name(entry) for entry in entries if fold_adviser(entry) in found}
            yield find_unmatched(name, entries, occur, what="entries occur tonight")
