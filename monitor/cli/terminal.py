"""What commands print as tables: a person at a terminal gets colours, a log file gets plain lines."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.plain_text import print_json
from monitor.rulebook import ledger
from monitor.words import write_count, write_date, write_people

if TYPE_CHECKING:
    from monitor.cli.check import CheckReport
    from monitor.config.settings import Config
    from monitor.figures.measures import MeasuresAccount as Measures
    from monitor.night.context import NightOutcome
    from monitor.outbox.receipts import Received
    from monitor.outbox.send import Delivered
    from monitor.record.backtest import NightReplayed, Replay
    from monitor.record.explain import Explanation, RuleAnswer
    from monitor.rulebook.examples import Result
    from monitor.rulebook.report_map import Paragraph
    from monitor.rulebook.rule import Rule
    from monitor.rulebook.rulebook import Rulebook
    from monitor.workspace import Step

PLAIN_WIDTH = 120
COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "data": "dim"}
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


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, soft_wrap=False)


def _make_table(*texts: str, figures: Iterable[str] = ()) -> Table:
    """A table with columns of text, then columns of figures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in figures:
        table.add_column(heading, justify="right")
    return table


def _print_lines(console: Console, lines: Iterable[object], indent: str = "  ", style: str = "") -> None:
    for line in lines:
        console.print(Text(f"{indent}{line}", style=style))


def _join_counts(counts: Iterable[tuple[int, str]], between: str) -> str:
    """What there is any of, each with its number."""
    return between.join(f"{number} {words}" for number, words in counts if number)


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of text."""
    table = _make_table(*headings)
    for row in rows:
        table.add_row(*map(Text, row))
    _console().print(table)


def print_steps(steps: "Iterable[Step]") -> None:
    """Print the pipeline of a night: each step, and beside it the tables that it reads, changes, makes and drops."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for step in steps:
        tables = {"reads": step.reads, "changes": step.changes, "makes": step.makes, "drops": step.drops}
        lines = [f"{verb} {', '.join(names)}" for verb, names in tables.items() if names]
        grid.add_row(f"{step.name}:", Text("\n".join(lines or ["reads no table"])))
    _console().print(grid)


def print_night(night: "NightOutcome", config: "Config") -> None:
    """Print what was asked, what came of it, what could not be judged, and where the files are."""
    console = _console()
    console.print(f"[bold]Night of {write_date(night.as_at)}[/bold]: {OUTCOMES[night.outcome]}")
    _print_verdict(console, night)
    if night.baseline:
        console.print("The first night: there is no history to compare with, so everything found is new.")
    _print_intake(console, night)
    _print_rules(console, night)
    _print_flags(console, night)
    _print_messages(console, night, config)


def _print_verdict(console: Console, night: "NightOutcome") -> None:
    """What the gate did not believe, and what that means for the night."""
    verdict = night.verdict
    if verdict.doubts:
        console.print(Text(VERDICTS["accepted" if verdict.accepted else verdict.word], style="red"))
    _print_lines(console, (*verdict.doubts, *verdict.notes))
    if night.evaluation.doubted:
        console.print(Text(f"  asked of nobody, flags held: {', '.join(night.evaluation.doubted)}"))


def _print_intake(console: Console, night: "NightOutcome") -> None:
    intake = night.intake
    console.print(f"{write_people(night.people)} from {write_count(intake.rows, 'row')}", end="")
    console.print(f"; {write_people(night.absent)} of earlier nights missing from it" if night.absent else "")
    if night.left:
        reasons = ", ".join(f"{number} {reason}" for reason, number in night.left.items())
        console.print(f"  gone since the last night: {reasons}")
    _print_lines(console, intake.notes)
    if night.deaths:
        console.print(f"  {write_people(night.deaths)} newly recorded as having died: monitor confirm ID --by NAME")


def _print_rules(console: Console, night: "NightOutcome") -> None:
    table = _make_table("Rule", figures=("asked", "ok", "breach", "cannot assess", "new tonight"))
    for rule, counts in night.evaluation.totals.items():
        if rule in night.evaluation.not_assessed or rule in night.evaluation.failed:
            continue
        breach = counts.breach if counts.breach or rule not in night.evaluation.cannot_fire else "cannot fire"
        figures = (counts.asked, counts.ok, breach, counts.cannot_assess, night.opened.get(rule, 0))
        table.add_row(rule, *map(str, figures), style="" if counts.breach else "dim")
    console.print(table)
    for rule, columns in night.evaluation.not_assessed.items():
        console.print(Text(f"Not assessed: {rule}: no source supplies {', '.join(columns)}"))
    for rule, why in night.evaluation.failed.items():
        console.print(Text(f"Failed: {rule}: {why}; its flags are held", style="red"))


def _print_flags(console: Console, night: "NightOutcome") -> None:
    changes = {
        "opened": "new", "held": "newly held", "released": "released", "resolved": "resolved",
        "waiver ended": "back from a waiver",
    }  # fmt: skip
    changed = _join_counts(((night.changes.get(change, 0), words) for change, words in changes.items()), ", ")
    known = ("open", "held", "waived", "quarantined")
    states = _join_counts(((night.states.get(state, 0), state) for state in known), ", ")
    console.print(f"Flags: {changed or 'nothing changed'}; now {states or 'none open'}")
    for surge in night.surges:
        words = f"Likely a data fault: {surge.rule}: {surge.new} new flags wait; if right: monitor confirm {surge.rule}"
        console.print(Text(f"{words} --by NAME", style="red"))
    for team, people in night.unrouted.items():
        name = f'team "{team}"' if team else "no team"
        console.print(Text(f"No lead to tell: {name}, {write_people(people)}; the fallback address hears instead"))


def _print_messages(console: Console, night: "NightOutcome", config: "Config") -> None:
    if night.outcome == "rehearsed":
        console.print(f"{write_count(night.messages, 'message')} would be sent")
        return
    print_delivery(night.delivered)
    if night.delivered.delivered and config.delivery.channel == "folder":
        console.print(Text(f"Messages are in {config.data_folder / 'outbox'}"))
    if night.lists:
        console.print(Text(f"Lists are in {night.lists[0].parent}"))
    if night.report:
        console.print(Text(f"The oversight report is in {night.report[0].parent}"))
    if night.report_fault:
        console.print(Text(night.report_fault, style="red"))


def print_receipts(received: "Received") -> None:
    """Print what became of receipts; nothing where none was waited for."""
    console = _console()
    counts = ((received.delivered, "arrived"), (received.failed, "did not arrive"), (received.awaited, "not known yet"))
    if receipts := _join_counts(counts, "; "):
        console.print(f"Receipts: {receipts}")
    _print_lines(console, received.problems, style="red")


def print_delivery(delivered: "Delivered") -> None:
    console = _console()
    others = (
        (delivered.to_retry, "to be tried again"),
        (delivered.given_up, "given up"),
        (delivered.doubtful, "in doubt: they may have arrived, and are not sent again"),
        (delivered.withheld, "withheld: something they say may no longer be said to that reader"),
    )
    sent = f"{write_count(delivered.delivered, 'message')} delivered"
    console.print("; ".join(part for part in (sent, _join_counts(others, "; ")) if part))
    _print_lines(console, delivered.problems, style="red")


def print_check(report: "CheckReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    console = _console()
    for section, lines in report.sections:
        console.print(f"[bold]{section}[/bold]")
        _print_lines(console, lines)
    _print_lines(console, report.problems, indent="", style="red")
    console.print("[bold]Ready[/bold]" if not report.problems else "[bold red]Not ready[/bold red]")


def print_measures(account: "Measures") -> None:
    """Print each figure with its denominator and who is not told, and the days that clearing took."""
    console = _console()
    figures = ("number", "of", "share", "not told", "then", "of", "share", "not told")
    table = _make_table("Measure", figures=figures)
    for measure in (*account.standings, *account.fallen):
        cells = []
        for then in (measure.tonight, measure.before):
            share = f"{then.share:.0%}" if then and then.share is not None else "-"
            cells += [str(then.numerator), str(then.denominator), share, str(then.not_assessed)] if then else ["-"] * 4
        table.add_row(measure.label, *cells)
    console.print(table)
    if account.fallen:
        console.print(f"The last {write_count(len(account.fallen), 'line')}: filled in less than before")
    for rule in account.clearing:
        days = write_count(rule.median_days, "day")
        console.print(f"{rule.rule}: {days} to clear (median of {rule.cleared:,}); {rule.unresolved:,} standing")


def print_rules(rulebook: "Rulebook", *, as_json: bool) -> None:
    if as_json:
        print_json([_rule_row(rule) for rule in rulebook.rules])
        return
    console = _console()
    table = _make_table("Rule", "Severity", "Basis", "Paragraphs", "Title")
    for rule in rulebook.rules:
        paragraphs = " ".join(map(str, rule.report))
        table.add_row(rule.id, Text(rule.severity, COLOURS[rule.severity]), rule.basis, paragraphs, rule.title)
    console.print(table)
    console.print(f"{write_count(len(rulebook.rules), 'rule')}; paragraphs of {ledger.REPORT}")


def _rule_row(rule: "Rule") -> dict[str, Any]:
    names = ("id", "title", "severity", "basis", "reference", "report", "status", "sensitive", "folds", "continues")
    return {**{name: getattr(rule, name) for name in names}, "law": [asdict(provision) for provision in rule.law]}


def print_rule(rule: "Rule", *, as_json: bool) -> None:
    if as_json:
        print_json({**_rule_row(rule), "text": rule.as_written})
        return
    console = _console()
    console.print(f"[bold]{rule.id}[/bold]  ({rule.file})")
    console.print(Text(f"Stands on: {rule.basis}. {rule.reference}."))
    for provision in rule.law:
        console.print(Text(f"  {provision.title} ({provision.key}): {provision.says}"))
        console.print(Text(f"    Grade {provision.grade}: {provision.how_sure}. {provision.read}"))
    console.print(Text(f"\n{rule.as_written}"))


def print_examples(results: Sequence["Result"], *, as_json: bool) -> int:
    """Print the failures, each with expected, got and the row; the exit code."""
    failed = [result for result in results if not result.agrees]
    exit_code = 1 if failed else 0
    if as_json:
        rows = [
            {
                "rule": result.rule,
                "example": result.name,
                "expected": result.expected,
                "got": result.got,
                "row": dict(result.row),
            }
            for result in failed
        ]
        print_json({"run": len(results), "failed": rows})
        return exit_code
    console = _console()
    for result in failed:
        console.print(Text(f"{result.rule}: {result.name}", style="red"))
        console.print(Text(f"  expected {result.expected}, got {result.got}"))
        console.print(Text("  " + ", ".join(f"{name} = {value}" for name, value in result.row.items())))
    rules = len({result.rule for result in results})
    console.print(f"{write_count(len(results), 'example')} of {write_count(rules, 'rule')}: {len(failed)} failed")
    return exit_code


def print_map(paragraphs: Sequence["Paragraph"], when: str | None = None, *, as_json: bool) -> None:
    """Print the paragraphs; ``when``, in words: what is said of those that nobody could be asked about holds for."""
    if as_json:
        print_json([paragraph.as_dict() for paragraph in paragraphs])
        return
    console = _console()
    console.print(f"{ledger.REPORT}: each paragraph, in a few words of our own, and the rules that ask about it")
    for paragraph in paragraphs:
        console.print(Text.assemble((f"Paragraph {paragraph.number}", "bold"), f": {paragraph.about}"))
        for rule in paragraph.rules:
            why = rule.standing or (f"not asked: {rule.unasked}" if rule.unasked else "")
            console.print(Text(f"  {rule.rule}: {rule.title}" + (f" ({why})" if why else "")))
        if paragraph.nobody_asked:
            console.print(Text(f"  nobody could be asked about this {when or 'with these rules'}", style="red"))
        if not paragraph.rules:
            why_none = paragraph.why_none or "and no reason given"
            console.print(Text(f"  no rule: {why_none}", style="dim" if paragraph.why_none else "red"))
        _print_lines(console, (f"not asked: {what}: {why}" for what, why in paragraph.parts), style="dim")


def print_replay(replay: "Replay", *, as_json: bool) -> None:
    """Print what the rule would have done night by night, and who would have been told; no person is named."""
    if as_json:
        print_json(replay.as_dict())
        return
    console = _console()
    console.print(f"[bold]{replay.rule.id}[/bold]: {replay.rule.title}")
    _print_lines(console, (f"{name} = {limit}" for name, limit in replay.as_dict()["limits"].items()))
    _print_replayed(console, replay.nights)
    for night in replay.left_out:
        console.print(Text(f"{night.as_at}: {night.why_not}", style="red"))
    churn = "" if replay.churn is None else f"; {replay.churn:.1%} of open flags opened or resolved a night"
    console.print(f"{write_count(len(replay.flags), 'flag')}, {replay.back_again} of them back again{churn}")
    console.print("Who would have been told of new flags:" if replay.told else "Nobody would have been told anything")
    for reader in replay.told:
        team = f'team "{reader.team}"' if reader.team else "no team"
        many = f"{write_people(reader.people)}, {write_count(reader.flags, 'flag')}"
        console.print(Text(f"  {reader.address}: {team}: {many}"))


def _print_replayed(console: Console, nights: Sequence["NightReplayed"]) -> None:
    table = _make_table("Night", figures=("new", "newly held", "released", "resolved", "open", "held"))
    for night in nights:
        moved = [night.changes.get(change) or "" for change in ("opened", "held", "released", "resolved")]
        table.add_row(*map(str, (night.as_at, *moved, night.open, night.held or "")))
    console.print(table)


def print_person(account: "Explanation", *, restricted: bool, as_json: bool) -> None:
    """Print what the rules say of one person, and what is held about them."""
    if restricted:
        Console(stderr=True).print("On the restricted list: to be shown to nobody but the head of service")
    if as_json:
        print_json(account.as_dict())
        return
    console = _console()
    console.print(Text(f"{account.person_id}, as at {account.as_at}, from {account.source}", style="bold"))
    elsewhere = [answer.rule for answer in account.answers if answer.outcome == "not applicable"]
    for answer in account.answers:
        if answer.outcome != "not applicable":
            _print_answer(console, answer)
    if elsewhere:
        console.print(Text(f"not applicable: {', '.join(elsewhere)}", style="dim"))
    _print_history(console, account)
    _print_flags_of(console, account)
    _print_held(console, account)


def _print_answer(console: Console, answer: "RuleAnswer") -> None:
    style = COLOURS[answer.severity] if answer.because else "dim"
    console.print(Text(f"{answer.rule}: {answer.outcome}", style=style), end="")
    console.print(Text(f": {answer.why}" if answer.why else ""))
    if answer.outcome != "not asked":
        console.print(Text("  " + ", ".join(f"{value.name} = {value.shown}" for value in answer.values)))
    due = f"Due on {write_date(answer.due_on)}" if answer.due_on else None
    changed = "The rule has changed since that night" if answer.changed_since else None
    clears = answer.clears and f"Cleared by: {answer.clears}"
    stands_on = answer.because and f"Stands on: {answer.stands_on}"
    _print_lines(console, filter(None, (answer.because, due, clears, stands_on, changed)))


def _print_history(console: Console, account: "Explanation") -> None:
    console.print(Text("What has happened", style="bold"))
    for event in account.events or [{"as_at": "", "kind": "nothing yet"}]:
        about = ": ".join(str(event[key]) for key in ("rule", "why") if event.get(key))
        console.print(Text(f"  {event['as_at']}  {event['kind']}" + (f"  {about}" if about else "")))


def _print_flags_of(console: Console, account: "Explanation") -> None:
    console.print(Text("Flags that stand", style="bold"))
    standing = [flag for flag in account.flags if flag["resolved_on"] is None]
    for flag in standing:
        held = f"; held since {flag['held_since']}: {flag['held_why']}" if flag["held_since"] else ""
        console.print(Text(f"  {flag['rule']} ({flag['severity']}) since {flag['opened_on']}{held}"))
        _print_lines(console, account.decisions(flag["id"]), indent="    ")
    if not standing:
        console.print("  none")


def _print_held(console: Console, account: "Explanation") -> None:
    console.print(Text("Messages that name them", style="bold"))
    for message in account.messages:
        console.print(Text(f"  {message['as_at']}  {message['recipient']}  {message['kind']}  {message['state']}"))
    if not account.messages:
        console.print("  none")
    console.print(Text("What is held, in rows (--json prints them)", style="bold"))
    for table, rows in account.held.items():
        if rows:
            console.print(f"  {table}: {len(rows)}")
    nights = account.kept_nights
    console.print(f"  kept caseloads: {len(nights)}" + (f", {nights[0]} to {nights[-1]}" if nights else ""))
