"""The commands about the rulebook."""

import os
from typing import Annotated

import typer

from monitor.cli.options import CONFIG, AsJson, ConfigPath, load, read_rulebook, today

rules_app = typer.Typer(help="The rulebook: what is asked, why, and its own examples.", no_args_is_help=True)


@rules_app.command("list")
def rules_list(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Every rule: severity, basis, title."""
    from monitor.cli import terminal

    terminal.print_rules(read_rulebook(config), as_json=as_json)


@rules_app.command("show")
def rules_show(
    rule: Annotated[str, typer.Argument(help="The rule's id.")], config: ConfigPath = CONFIG, as_json: AsJson = False
) -> None:
    """One rule in full: what it asks, why, its limits and its examples."""
    from monitor.cli import terminal

    terminal.print_rule(read_rulebook(config).find(rule), as_json=as_json)


@rules_app.command("test")
def rules_test(
    rule: Annotated[str | None, typer.Argument(help="One rule's id; every rule if left out.")] = None,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Run the rules' own examples; exit code 1 if any gives another answer."""
    from monitor.cli import terminal
    from monitor.rulebook import examples

    rulebook = read_rulebook(config, adjusted=False)
    rules = (rulebook.find(rule),) if rule else rulebook.rules
    without = [each.id for each in rules if not each.examples]
    raise typer.Exit(terminal.print_examples(examples.run_rules(rules), without, as_json=as_json))


@rules_app.command("map")
def rules_map(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """The inspection report's paragraphs 28 to 54, each with its rules or the reason it has none.

    With a config also those of which nobody could be asked on the last night, or could be with its sources, and why.
    """
    from monitor.cli import terminal
    from monitor.config.settings import shipped
    from monitor.rulebook import report_map

    rulebook = read_rulebook(config)
    folders, when, unasked = [shipped("rules")], None, dict[str, str]()
    if config != CONFIG or config.exists():
        from monitor.cli.unasked_rules import find_unasked

        settings = load(config)
        folders = list(settings.rule_folders())
        when, unasked = find_unasked(settings, rulebook.rules, today=today(), environ=os.environ)
    examples = read_rulebook(config, adjusted=False)
    paragraphs = report_map.draw(examples, folders, rulebook.switched_off, unasked)
    terminal.print_map(paragraphs, when, as_json=as_json)
