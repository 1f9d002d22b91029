"""What commands print as tables: a person at a terminal gets colours, a log file gets plain lines."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.console import COLOURS, join_counts, make_table, open_console, print_lines
from monitor.cli.plain_text import print_json
from monitor.rulebook import ledger
from monitor.words import write_count, write_date, write_people

if TYPE_CHECKING:
    from monitor.cli.check import CheckReport
    from monitor.figures.measures import MeasuresAccount as Measures
    from monitor.figures.measures import Proportion
    from monitor.outbox.receipts import Received
    from monitor.outbox.send import Delivered
    from monitor.record.backtest import NightReplayed, Replay
    from monitor.record.explain import Explanation, RuleAnswer
    from monitor.rulebook.examples import Result
    from monitor.rulebook.report_map import Paragraph
    from monitor.rulebook.rule import Rule
    from monitor.rulebook.rulebook import Rulebook
    from monitor.workspace import Step


def print_columns(rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Print the data dictionary: each column's name, what it holds, what it means, and what sources call it."""
    console = open_console()
    for name, holds, meaning, known in rows:
        console.print(Text.assemble((name, "bold"), f": {holds}"))
        print_lines(console, (meaning, f"Known as: {known}"))


def print_steps(steps: "Iterable[Step]") -> None:
    """Print the pipeline of a night: each step, and beside it the tables that it reads, changes, makes and drops."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for step in steps:
        tables = {"reads": step.reads, "changes": step.changes, "makes": step.makes, "drops": step.drops}
        lines = [f"{verb} {', '.join(names)}" for verb, names in tables.items() if names]
        grid.add_row(f"{step.name}:", Text("\n".join(lines or ["reads no table"])))
    open_console().print(grid)


def print_receipts(received: "Received") -> None:
    """Print what became of receipts; nothing where none was waited for."""
    console = open_console()
    counts = ((received.delivered, "arrived"), (received.failed, "did not arrive"), (received.awaited, "not known yet"))
    if receipts := join_counts(counts, "; "):
        console.print(f"Receipts: {receipts}")
    print_lines(console, received.problems, style="red")


def describe_delivery(delivered: "Delivered") -> dict[str, Any]:
    """Return what one delivery did, for a program: counts, and what went wrong in words."""
    return {**delivered.counts, "problems": delivered.problems, "stopped": delivered.stopped}


def print_delivery(delivered: "Delivered") -> None:
    """Print how many messages went, and what became of the others."""
    console = open_console()
    others = (
        (delivered.to_retry, "to be tried again"),
        (delivered.given_up, "given up"),
        (delivered.doubtful, "in doubt: they may have arrived, and are not sent again"),
        (delivered.withheld, "withheld: something they say may no longer be said to that reader"),
    )
    taken = f"{write_count(delivered.taken, 'message')} taken by the server" if delivered.taken else ""
    arrived = f"{write_count(delivered.delivered, 'message')} delivered" if delivered.delivered or not taken else ""
    console.print("; ".join(part for part in (taken, arrived, join_counts(others, "; ")) if part))
    print_lines(console, delivered.problems, style="red")


def print_check(report: "CheckReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    console = open_console()
    for section, lines in report.sections:
        console.print(f"[bold]{section}[/bold]")
        print_lines(console, lines)
    print_lines(console, report.problems, indent="", style="red")
    console.print("[bold]Ready[/bold]" if not report.problems else "[bold red]Not ready[/bold red]")


def print_measures(account: "Measures") -> None:
    """Print each figure with its denominator and who is not told, and the days that clearing took."""
    console = open_console()
    table = make_table("Measure", figures=("now", "not told", "four weeks before", "not told"), ids=0)
    for measure in (*account.standings, *account.fallen):
        table.add_row(measure.label, *(cell for then in (measure.tonight, measure.before) for cell in _share(then)))
    console.print(table)
    if account.fallen:
        console.print(f"The last {write_count(len(account.fallen), 'line')}: filled in less than before")
    for rule in account.clearing:
        days = write_count(rule.median_days, "day")
        console.print(f"{rule.rule}: {days} to clear (median of {rule.cleared:,}); {rule.unresolved:,} standing")


def _share(standing: "Proportion | None") -> tuple[str, str]:
    """Return a figure of its denominator with the share, and how many are not told."""
    if standing is None:
        return "-", "-"
    share = f" ({standing.share:.0%})" if standing.share is not None else ""
    return f"{standing.numerator:,} of {standing.denominator:,}{share}", f"{standing.not_assessed:,}"


def print_rules(rulebook: "Rulebook", *, as_json: bool) -> None:
    if as_json:
        print_json([_rule_row(rule) for rule in rulebook.rules])
        return
    console = open_console()
    for rule in rulebook.rules:
        paragraphs = f"; paragraphs {', '.join(map(str, rule.report))}" if rule.report else ""
        severity = (rule.severity, COLOURS[rule.severity])
        console.print(Text.assemble((rule.id, "bold"), ": ", severity, f": {rule.title} ({rule.basis}{paragraphs})"))
    console.print(f"{write_count(len(rulebook.rules), 'rule')}; paragraphs of {ledger.REPORT}")


def _rule_row(rule: "Rule") -> dict[str, Any]:
    names = ("id", "title", "severity", "basis", "reference", "report", "status", "sensitive", "folds", "continues")
    return {**{name: getattr(rule, name) for name in names}, "law": [asdict(provision) for provision in rule.law]}


def print_rule(rule: "Rule", *, as_json: bool) -> None:
    if as_json:
        print_json({**_rule_row(rule), "text": rule.as_written})
        return
    console = open_console()
    console.print(f"[bold]{rule.id}[/bold]  ({rule.file})")
    console.print(Text(f"Stands on: {rule.basis}. {rule.reference}."))
    for provision in rule.law:
        console.print(Text(f"  {provision.title} ({provision.key}): {provision.says}"))
        console.print(Text(f"    Grade {provision.grade}: {provision.how_sure}. {provision.read}"))
    console.print(Text(f"\n{rule.as_written}"))


def print_examples(results: Sequence["Result"], without: Sequence[str], *, as_json: bool) -> int:
    """Print the failures, each with expected, got and the row, and the rules ``without`` examples; the exit code."""
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
        print_json({"run": len(results), "failed": rows, "without_examples": without})
        return exit_code
    console = open_console()
    for rule in without:
        console.print(Text(f"{rule}: has no examples, so nothing was tested; add [[examples]]", style="red"))
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
    console = open_console()
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
        print_lines(console, (f"not asked: {what}: {why}" for what, why in paragraph.parts), style="dim")


def print_replay(replay: "Replay", *, as_json: bool) -> None:
    """Print what the rule would have done night by night, and who would have been told; no person is named."""
    if as_json:
        print_json(replay.as_dict())
        return
    console = open_console()
    console.print(f"[bold]{replay.rule.id}[/bold]: {replay.rule.title}")
    print_lines(console, (f"{name} = {limit}" for name, limit in replay.as_dict()["limits"].items()))
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
    table = make_table("Night", figures=("new", "newly held", "released", "resolved", "open", "held"))
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
    console = open_console()
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
    print_lines(console, filter(None, (answer.because, due, clears, stands_on, changed)))


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
        print_lines(console, account.decisions(flag["id"]), indent="    ")
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
