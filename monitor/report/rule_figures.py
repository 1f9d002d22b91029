"""What each rule's asking gave that night, by team; why a rule has no figures; the report's paragraphs beside them."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from monitor.gate import source_fitness
from monitor.report.contents import ParagraphRule, ReportParagraph, RuleCounts, RuleFigures
from monitor.report.report_data import ReportData
from monitor.report.report_nights import Nights
from monitor.store.tables import Measure, Profile, Run, table_of

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.rulebook.report_map import Paragraph as Mapped
    from monitor.rulebook.rule import Rule
    from monitor.rulebook.rulebook import Rulebook

NAMES = ("asked", "ok", "breach", "cannot_assess", "waived", "held")


def read_counts(data: ReportData) -> dict[str, dict[str, RuleCounts]]:
    """Return each rule's figures by team that night; spellings of one team are one team."""
    table = table_of(Measure)
    rows = data.store.execute(
        select(table.c.rule, table.c.team, *(table.c[name] for name in NAMES)).where(table.c.run_id == data.run.id)
    )
    counts: defaultdict[str, dict[str, RuleCounts]] = defaultdict(dict)
    for rule, spelt, *figures in rows:
        team = data.name_team(spelt)
        if data.is_about(team):
            counts[rule][team] = add_up([counts[rule].get(team, RuleCounts(*[0] * len(NAMES))), RuleCounts(*figures)])
    return counts


def find_unanswered(store: Connection, run: Any, rules: Iterable["Rule"]) -> dict[str, str]:
    """Return the rules that had no answers that night, each with the reason."""
    profile = table_of(Profile)
    asked = select(profile.c.key).where(profile.c.run_id == run.id, profile.c.name == "asked")
    answered = {key for (key,) in store.execute(asked)}
    supplied, doubtful = (frozenset(json.loads(text or "[]")) for text in (run.supplied, run.not_believed))
    in_force = json.loads(run.rule_meanings or "{}").keys()

    def why(rule: "Rule") -> str | None:
        if rule.id not in in_force:
            return "not in force"
        if missing := [name for name in rule.needs if name not in supplied | doubtful]:
            return f"no source supplies {_words(missing)}"
        if doubted := [name for name in rule.columns if name in doubtful]:
            return f"{_words(doubted)} not believed"
        return "failed while running" if answered and rule.id not in answered else None

    return {rule.id: reason for rule in rules if (reason := why(rule)) is not None}


def find_asked(store: Connection, nights: Nights, rules: Sequence["Rule"]) -> dict[dt.date, frozenset[str]]:
    """Return the rules that could be asked on each night of the report."""
    run = table_of(Run)
    wanted = select(run.c.as_at, run.c.rule_meanings, run.c.supplied).where(
        run.c.id.in_(sorted({night.id for night in nights.counted}))
    )
    needs = {rule.id: frozenset(rule.needs) for rule in rules}
    asked: dict[dt.date, frozenset[str]] = {}
    for as_at, meanings, supplied in store.execute(wanted):
        columns = frozenset(json.loads(supplied or "[]"))
        in_force = json.loads(meanings or "{}").keys()
        asked[as_at] = frozenset(rule for rule, needed in needs.items() if rule in in_force and needed <= columns)
    return asked


def describe_rules(
    data: ReportData, counts: Mapping[str, Mapping[str, RuleCounts]], unanswered: Mapping[str, str]
) -> tuple[RuleFigures, ...]:
    """Return every rule, most severe first, with its figures or the reason it has none."""
    rules, supplies = data.rulebook.rules, _read_supplies(data)
    fitness = {verdict.rule: verdict for verdict in source_fitness.judge(rules, supplies)} if supplies else {}
    return tuple(
        _figures(rule, counts.get(rule.id, {}), unanswered.get(rule.id), fitness.get(rule.id)) for rule in rules
    )


def _read_supplies(data: ReportData) -> tuple[source_fitness.Supply, ...]:
    """What each source supplied that night."""
    profile, supplied_by = table_of(Profile), source_fitness.SUPPLIED_BY
    kinds = {source.name: source.kind for source in data.config.sources}
    columns: defaultdict[str, set[str]] = defaultdict(set)
    rows = data.store.execute(
        select(profile.c.name, profile.c.key).where(
            profile.c.run_id == data.run.id, profile.c.name.startswith(supplied_by)
        )
    )
    for name, column in rows:
        columns[name.removeprefix(supplied_by)].add(column)
    return tuple(source_fitness.Supply(name, kinds.get(name, ""), frozenset(found)) for name, found in columns.items())


def _figures(
    rule: "Rule", teams: Mapping[str, RuleCounts], standing: str | None, known: source_fitness.Fitness | None
) -> RuleFigures:
    if standing is None and known is not None and known.verdict == "cannot fire":
        standing = f"can never be in breach here: {known.why[0]}"
    return RuleFigures(
        rule.id,
        rule.title,
        rule.severity,
        rule.basis,
        tuple(rule.report),
        total=add_up(teams.values()) if teams or standing is None else RuleCounts(),
        teams={name: teams[name] for name in sorted(teams, key=str.casefold)},
        standing=standing,
        caveats=known.why if known is not None and known.verdict == "sound with a caveat" else (),
    )


def add_up(teams: Iterable[RuleCounts]) -> RuleCounts:
    """All teams together, of figures of which none is withheld."""
    rows = [[int(getattr(each, name)) for name in RuleCounts.__dataclass_fields__] for each in teams]
    return RuleCounts(*(sum(column) for column in zip(*rows, strict=True))) if rows else RuleCounts(0, 0, 0, 0, 0, 0)


def map_paragraphs(mapped: Iterable["Mapped"], figures: Sequence[RuleFigures]) -> tuple[ReportParagraph, ...]:
    """Each paragraph of the inspection report with what its rules found."""
    by_id = {each.rule: each for each in figures}
    return tuple(
        ReportParagraph(
            one.number,
            tuple(_beside(asked.rule, asked.title, asked.standing, by_id.get(asked.rule)) for asked in one.rules),
            one.why_none,
            one.parts,
            one.about,
        )
        for one in mapped
    )


def _beside(rule: str, title: str, standing: str | None, found: RuleFigures | None) -> ParagraphRule:
    if found is None:
        return ParagraphRule(rule, title, None, None, None, standing or "not in force")
    total = found.total
    return ParagraphRule(rule, title, total.asked, total.breach, total.cannot_assess, standing or found.standing)


def load_map(rulebook: "Rulebook", config: "Config") -> tuple["Mapped", ...]:
    """Return the paragraphs with every rule there is, those too that the config switches off."""
    from monitor.rulebook import report_map
    from monitor.rulebook.kept_rulebook import open_rulebook

    whole = open_rulebook(config, adjusted=False) if rulebook.switched_off else rulebook
    return report_map.draw(whole, config.rule_folders(), rulebook.switched_off)


def _words(columns: Iterable[str]) -> str:
    return ", ".join(columns).replace("_", " ")
