"""Which flags are a backlog: opened on the first night on which the monitor could open them at all.

    the first accepted night                      every flag that opened
    a rule's first night, or its first again      every flag of that rule
    the first night of a changed condition or limit, or of a source that brings a column which the rule needs
                                                  every flag of that rule

Such a flag says how the record stood, not what happened, so that it is worked through and not chased by the day. It
counts as new again, from that day on, when it is *newly worse*: carried on by a flag of a more severe rule, or its
person has a more severe flag that is no backlog. A severity that the config changes makes no flag newly worse.

All of it follows from the dates of flags, who carries which on, and the runs: each says which rules began that night.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Connection, func, select

from monitor.flags.carried import Lineage, load_lineage
from monitor.flags.priority import rank
from monitor.gate.source_fitness import SUPPLIED_BY
from monitor.store.bulk import read_by_ids
from monitor.store.tables import Flag, Profile, Run, table_of
from monitor.workspace import literal

Line = tuple[str, dt.date]
"""One line of descent of a flag: the rule that opened the first flag of it, and when."""


class RuleAsked(Protocol):
    """What deciding needs to know of a rule."""

    @property
    def id(self) -> str: ...
    @property
    def meaning(self) -> str: ...
    @property
    def needs(self) -> Collection[str]: ...
    @property
    def columns(self) -> Collection[str]: ...


@dataclass(frozen=True)
class NightAsked:
    """What an accepted night asked: the meaning of each rule, the columns it had, and what it could not ask."""

    meanings: Mapping[str, str]
    supplied: Collection[str]
    not_believed: Collection[str] = ()
    failed: Collection[str] = ()

    def answered(self, rule: RuleAsked) -> bool:
        """Return whether a rule that was in force could open flags that night."""
        believed = not set(rule.columns).intersection(self.not_believed)
        return rule.id not in self.failed and believed and set(self.supplied).issuperset(rule.needs)


def find_begun(
    answered: Iterable[RuleAsked], earlier: Iterable[NightAsked], brought: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the rules that could open flags tonight and never could before, as they are asked now.

    ``answered``: the rules that have answers tonight. ``earlier``: the accepted nights before, the last one first, read
    as far as it takes. ``brought``: columns that a source brings for the first time.
    """
    open_still = {rule.id: rule for rule in answered}
    begun = [rule.id for rule in open_still.values() if set(brought).intersection(rule.needs)]
    for rule_id in begun:
        del open_still[rule_id]
    for night in earlier:
        for rule in list(open_still.values()):
            if night.meanings.get(rule.id) != rule.meaning:
                begun.append(rule.id)
            elif not night.answered(rule):
                continue
            del open_still[rule.id]
        if not open_still:
            break
    return tuple(sorted([*begun, *open_still]))


@dataclass(frozen=True)
class Backlog:
    """Which flags are backlog. ``begun``: by night, the rules that began on it.

    ``lines``: of each flag that carries others on, where its lines of descent began. ``rose``: since when such a flag
    of the backlog is more severe than what it carries on, and so is backlog no more.
    """

    first_night: dt.date | None = None
    begun: Mapping[dt.date, Collection[str]] = field(default_factory=dict)
    lines: Mapping[int, Sequence[Line]] = field(default_factory=dict)
    rose: Mapping[int, dt.date] = field(default_factory=dict)

    def began(self, rule: str, opened_on: dt.date) -> bool:
        """Return whether what this rule opened on that night is backlog."""
        is_first = self.first_night is not None and opened_on <= self.first_night
        return is_first or rule in self.begun.get(opened_on, ())

    def holds(self, flag_id: int, rule: str, opened_on: dt.date) -> bool:
        """Return whether a flag is backlog: every flag that it carries on was, and it is no more severe than these."""
        return flag_id not in self.rose and all(
            self.began(*line) for line in self.lines.get(flag_id, [(rule, opened_on)])
        )

    def sql(self, flag: str) -> str:
        """Return the DuckDB condition that says the same of a relation with flag_id, rule and opened_on; never NULL."""
        nights = [f"{flag}.opened_on <= DATE '{self.first_night}'"] if self.first_night else []
        nights += [
            f"({flag}.opened_on = DATE '{night}' AND {flag}.rule IN ({', '.join(map(literal, sorted(rules)))}))"
            for night, rules in sorted(self.begun.items())
            if rules
        ]
        began = f"({' OR '.join(nights) or 'false'})"
        if not self.lines:
            return began
        inside = [flag_id for flag_id in self.lines if self.holds(flag_id, "", dt.date.max)]
        listed, held = (f"{flag}.flag_id IN ({', '.join(map(str, ids)) or 'NULL'})" for ids in (self.lines, inside))
        return f"CASE WHEN {listed} THEN coalesce({held}, false) ELSE {began} END"


NO_BACKLOG = Backlog()


def find_lines(
    lineage: Lineage, flags: Mapping[int, tuple[str, dt.date, str]]
) -> tuple[dict[int, list[Line]], dict[int, dt.date]]:
    """Return where the lines of each flag that carries others began, and since when it is more severe than these.

    ``flags``: the rule, first day and severity of every flag of the lineage.
    """
    first_days = {flag_id: opened_on for flag_id, (_, opened_on, _) in flags.items()}
    lines = {
        heir: [(flags[line.flags[0][0]][0], line.opened_on) for line in lineage.list_lines(heir, first_days)]
        for heir in lineage.heirs
    }
    rose = {heir: since for heir in lineage.heirs if (since := _find_rise(heir, lineage, flags))}
    return lines, rose


def _find_rise(flag_id: int, lineage: Lineage, flags: Mapping[int, tuple[str, dt.date, str]]) -> dt.date | None:
    """Return since when a flag is more severe than all that it carries on."""
    links = lineage.carried.get(flag_id, ())
    if not links:
        return None
    own, before = rank(flags[flag_id][2]), min(rank(flags[link.flag_id][2]) for link in links)
    if own < before:
        return max(link.since for link in links)
    earlier = (_find_rise(link.flag_id, lineage, flags) for link in links)
    return max((since for since in earlier if since), default=None) if own == before else None


def load_backlog(
    store: Connection, as_at: dt.date, begun: Collection[str] = (), *, since: dt.date | None = None
) -> Backlog:
    """Load what is backlog as at a night.

    ``begun``: the rules that begin tonight, where its run does not say so yet. ``since``: flags resolved later are
    looked at too.
    """
    run = table_of(Run)
    standing = run.c.state == "accepted", run.c.as_at <= as_at
    first_night: dt.date | None = store.execute(select(func.min(run.c.as_at)).where(*standing)).scalar()
    said = select(run.c.as_at, run.c.begun_rules).where(*standing, run.c.begun_rules.is_not(None))
    nights: dict[dt.date, Collection[str]] = {night: json.loads(rules) for night, rules in store.execute(said)}
    if begun:
        nights[as_at] = begun
    lineage = load_lineage(store, resolved_since=since)
    ids = {*lineage.heirs, *(old for heir in lineage.heirs for old in lineage.list_earlier(heir))}
    flag = table_of(Flag)
    facts = select(flag.c.id, flag.c.rule, flag.c.opened_on, flag.c.severity)
    flags = {row[0]: (row[1], row[2], row[3]) for row in read_by_ids(store, facts, flag.c.id, ids)}
    lines, rose = find_lines(lineage, flags)
    stood = Backlog(first_night or as_at, nights, lines)
    return replace(
        stood, rose={flag_id: day for flag_id, day in rose.items() if stood.holds(flag_id, *flags[flag_id][:2])}
    )


Brought = tuple[str, str]
"""A source, as the profile of a night names what it supplied, and one of its columns."""


def load_begun(
    store: Connection, last: Run | None, answered: Iterable[RuleAsked], brought: Collection[Brought]
) -> tuple[str, ...]:
    """Return the rules that begin tonight, from the earlier nights read as far as it takes; none on the first night.

    ``last``: the last accepted night; ``brought``: every column that a source brings tonight.
    """
    if last is None:
        return ()
    columns = {column for _, column in _find_new_pairs(store, last, brought)}
    return find_begun(answered, _read_earlier(store, last), columns)


def _find_new_pairs(store: Connection, last: Run, brought: Collection[Brought]) -> set[Brought]:
    """Return the columns that no source brought before under the same name; none where no night says what it had."""
    profile = table_of(Profile)
    known = select(profile.c.name, profile.c.key).where(profile.c.name.startswith(SUPPLIED_BY)).distinct()
    had = {(row[0], row[1]) for row in store.execute(known.where(profile.c.as_at == last.as_at))}
    if not had or had.issuperset(brought):
        return set()
    earlier = {(row[0], row[1]) for row in store.execute(known.where(profile.c.as_at < last.as_at))}
    return set(brought) - had - earlier


def _read_earlier(store: Connection, last: Run) -> Iterator[NightAsked]:
    """Read the accepted nights from the last one back, each when it is asked for."""
    run = table_of(Run)
    columns = (run.c.rule_meanings, run.c.supplied, run.c.not_believed, run.c.failed_rules)
    yield _read_night(last)
    earlier = select(run.c.as_at).where(run.c.state == "accepted", run.c.as_at < last.as_at)
    for as_at in store.execute(earlier.order_by(run.c.as_at.desc())).scalars().all():
        night = store.execute(select(*columns).where(run.c.state == "accepted", run.c.as_at == as_at)).one()
        yield _read_night(night)


def _read_night(night: Any) -> NightAsked:
    return NightAsked(
        json.loads(night.rule_meanings or "{}"),
        *(json.loads(said or "[]") for said in (night.supplied, night.not_believed, night.failed_rules)),
    )
