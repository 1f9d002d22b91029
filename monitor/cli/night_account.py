"""What a night's command prints: how it went first, then what was found, then what to know of the sources and where."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from monitor.cli import terminal
from monitor.cli.console import COLOURS, join_counts, make_table, open_console, print_lines
from monitor.flags.priority import rank
from monitor.rulebook.evaluation import Counts
from monitor.words import write_count, write_date, write_people

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.night.context import NightOutcome

OUTCOMES = {
    "accepted": "accepted",
    "put right": "put right: the flags follow the new input, and the mail says correction",
    "unchanged": "accepted already from the same input: nothing has changed and nothing new is sent",
    "rehearsed": "rehearsed: nothing was saved or sent",
}
VERDICTS = {
    "accepted": "Believed on request:",
    "refused": "The gate would refuse this night:",
    "degraded": "Not all of this night is believed; what rests on the following is held, not judged:",
    "stale": "The data is old:",
}
CHANGES = {
    "opened": "new", "held": "newly held", "released": "released", "resolved": "resolved",
    "waiver ended": "back from a waiver",
}  # fmt: skip
STATES = ("open", "held", "waived", "quarantined")


def print_night(night: "NightOutcome", config: "Config", *, every_rule: bool = False) -> None:
    """Print how the night went, the rules in breach (or every rule), the sources' notes, and where the files are."""
    console = open_console()
    _print_summary(console, night)
    _print_amiss(console, night)
    _print_rules(console, night, every_rule=every_rule)
    print_lines(console, night.intake.notes)
    _print_places(console, night, config)


def _print_summary(console: Console, night: "NightOutcome") -> None:
    console.print(Text.assemble((f"Night of {write_date(night.as_at)}", "bold"), f": {OUTCOMES[night.outcome]}"))
    if night.baseline:
        console.print("The first night: there is no history to compare with, so everything found is new.")
    missing = f"; {write_people(night.absent)} of earlier nights missing from it" if night.absent else ""
    console.print(f"{write_people(night.people)} from {write_count(night.intake.rows, 'row')}{missing}")
    if night.left:
        reasons = ", ".join(f"{number} {reason}" for reason, number in night.left.items())
        console.print(f"  gone since the last night: {reasons}")
    changed = join_counts(((night.changes.get(change, 0), words) for change, words in CHANGES.items()), ", ")
    states = join_counts(((night.states.get(state, 0), state) for state in STATES), ", ")
    console.print(f"Flags: {changed or 'nothing changed'}; now {states or 'none open'}")
    if night.outcome == "rehearsed":
        console.print(f"{write_count(night.messages, 'message')} would be sent")
    else:
        terminal.print_delivery(night.delivered)


def _print_amiss(console: Console, night: "NightOutcome") -> None:
    """Print what was not believed, what waits for a decision, and who could not be told."""
    verdict, evaluation = night.verdict, night.evaluation
    if verdict.doubts:
        console.print(Text(VERDICTS["accepted" if verdict.accepted else verdict.word], style="red"))
    print_lines(console, (*verdict.doubts, *verdict.notes))
    if evaluation.doubted:
        console.print(Text(f"  asked of nobody, flags held: {', '.join(evaluation.doubted)}"))
    print_lines(console, _list_decisions(night), indent="", style="red")
    for rule, why in evaluation.failed.items():
        console.print(Text(f"Failed: {rule}: {why}; its flags are held", style="red"))
    for team, people in night.unrouted.items():
        name = f'team "{team}"' if team else "no team"
        console.print(Text(f"No lead to tell: {name}, {write_people(people)}; the fallback address hears instead"))
    if night.report_fault:
        console.print(Text(night.report_fault, style="red"))


def _list_decisions(night: "NightOutcome") -> Iterator[str]:
    if night.deaths:
        yield f"{write_people(night.deaths)} newly recorded as having died: monitor confirm ID --by NAME"
    for surge in night.surges:
        waits = f"{surge.rule}: {surge.new} new flags wait"
        yield f"Likely a data fault: {waits}; if right: monitor confirm {surge.rule} --by NAME"


def _print_rules(console: Console, night: "NightOutcome", *, every_rule: bool) -> None:
    asked = [line for line in list_rules(night) if line.was_asked]
    shown = [line for line in asked if every_rule or line.breach or line.standing != "asked"]
    headings = (*(("asked", "ok") if every_rule else ()), "breach", "new", "cannot assess")
    table = make_table("Rule", "Severity", figures=headings, ids=2)
    for line in shown:
        breach = line.breach if line.standing == "asked" else line.standing
        figures = (*((line.asked, line.ok) if every_rule else ()), breach, line.new, line.cannot_assess)
        severity = Text(line.severity, COLOURS[line.severity] if line.breach else "")
        table.add_row(line.rule, severity, *map(str, figures), style="" if line.breach else "dim")
    console.print(table if shown else "No rule is in breach.")
    if rest := len(asked) - len(shown):
        console.print(f"{write_count(rest, 'other rule')} asked, none in breach; --all shows every rule")
    for rule, columns in night.evaluation.not_assessed.items():
        console.print(Text(f"Not assessed: {rule}: no source supplies {', '.join(columns)}"))


@dataclass(frozen=True)
class RuleLine:
    """One rule on one night: how it stands, why it was not asked where it was not, and what came of asking."""

    rule: str
    severity: str
    standing: str
    why: str | None
    asked: int
    ok: int
    breach: int
    cannot_assess: int
    new: int

    @property
    def was_asked(self) -> bool:
        return self.standing in ("asked", "cannot fire")


def list_rules(night: "NightOutcome") -> list[RuleLine]:
    """Return a line for each rule in force: the most serious first, then the most often in breach."""
    evaluation = night.evaluation
    unasked = {
        **{rule: ("not assessed", f"no source supplies {', '.join(columns)}")
           for rule, columns in evaluation.not_assessed.items()},
        **{rule: ("not believed", ", ".join(columns)) for rule, columns in evaluation.doubted.items()},
        **{rule: ("failed", why) for rule, why in evaluation.failed.items()},
    }  # fmt: skip
    lines = []
    for rule in [*evaluation.totals, *(rule for rule in unasked if rule not in evaluation.totals)]:
        counts = evaluation.totals.get(rule, Counts())
        standing, why = unasked.get(rule, ("asked", None))
        if standing == "asked" and not counts.breach and rule in evaluation.cannot_fire:
            standing, why = "cannot fire", evaluation.cannot_fire[rule]
        figures = (counts.asked, counts.ok, counts.breach, counts.cannot_assess, night.opened.get(rule, 0))
        lines.append(RuleLine(rule, night.severities[rule], standing, why, *figures))
    return sorted(lines, key=lambda line: (rank(line.severity), -line.breach, line.rule))


def _print_places(console: Console, night: "NightOutcome", config: "Config") -> None:
    if night.delivered.delivered and config.delivery.channel == "folder":
        _print_place(console, f"Messages are in {config.data_folder / 'outbox'}")
    for what, files in (("Lists are in", night.lists), ("The oversight report is in", night.report)):
        if files:
            _print_place(console, f"{what} {files[0].parent}")


def _print_place(console: Console, words: str) -> None:
    """Print a line with a path, which is not broken: it can be copied."""
    console.print(Text(words), soft_wrap=True)


def describe_night(night: "NightOutcome") -> dict[str, Any]:
    """Return the night's account for a program: counts and rules, and no person."""
    verdict = night.verdict
    return {
        "as_at": night.as_at,
        "outcome": night.outcome,
        "exit_code": night.exit_code,
        "first_night": night.baseline,
        "believed": night.believed,
        "verdict": {"word": verdict.word, "accepted": verdict.accepted, "doubts": verdict.doubts,
                    "notes": verdict.notes},
        "people": night.people,
        "rows": night.intake.rows,
        "absent": night.absent,
        "left": night.left,
        "new_deaths": night.deaths,
        "rules": [asdict(line) for line in list_rules(night)],
        "flags": {"changed": night.changes, "standing": night.states},
        "waiting": [{"rule": surge.rule, "new": surge.new} for surge in night.surges],
        "without_a_lead": [{"team": team or None, "people": people} for team, people in night.unrouted.items()],
        "messages": {"written": night.messages, **terminal.describe_delivery(night.delivered)},
        "sources": night.intake.notes,
        "lists": _name_files(night.lists),
        "report": _name_files(night.report),
        "report_fault": night.report_fault,
    }  # fmt: skip


def _name_files(files: Iterable[object]) -> list[str]:
    return [str(file) for file in files]
