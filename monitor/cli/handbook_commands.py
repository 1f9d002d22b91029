"""The handbook on the command line: a topic, the entry of a message, and what the commands say of themselves."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from monitor.errors import Problems
from monitor.words import did_you_mean, join_words, one_line


def help(
    context: typer.Context,
    topic: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC|MESSAGE", help="A topic, a command, or a message you saw.")
    ] = None,
) -> None:
    """Print a page of the handbook, or what stands behind a message; alone it lists the topics."""
    from monitor.handbook.topics import TOPICS, read_topic

    asked = " ".join(topic or ()).strip()
    commands = describe_commands(context.find_root().command)
    if not asked:
        text = _list_topics()
    elif (name := asked.lower().replace(" ", "-")) in TOPICS:
        text = read_topic(name, write_commands(commands))
    elif (name := asked.lower().removeprefix("monitor ")) in commands:
        text = commands[name]
    else:
        text = _explain(asked)
    _print(text)


def describe_commands(group: Any) -> dict[str, str]:
    """Return each command's part of the handbook by its name: what it does, its arguments and its options."""
    return dict(_describe(group, ""))


def write_commands(commands: dict[str, str]) -> str:
    """Return the parts of all commands, one after the other."""
    return "\n".join(commands.values())


def _describe(group: Any, before: str) -> Iterator[tuple[str, str]]:
    for own, command in group.commands.items():
        name = f"{before}{own}"
        if hasattr(command, "commands"):
            yield from _describe(command, f"{name} ")
            continue
        lines = [f"## monitor {name}", "", " ".join(command.help.split()), ""]
        for parameter in command.params:
            if parameter.name != "help":
                words = ", ".join(f"`{opt}`" for opt in (*parameter.opts, *parameter.secondary_opts))
                if parameter.param_type_name == "argument":
                    words = f"`{parameter.metavar or parameter.name.upper()}`"
                lines.append(f"- {words}: {parameter.help or ''}".rstrip(": "))
        yield name, "\n".join(lines) + "\n"


def _list_topics() -> str:
    from monitor.handbook.topics import TOPICS

    lines = ["# Handbook of the care-leaver monitor", ""]
    lines += [f"- **{name}**: {about}" for name, about in TOPICS.items()]
    lines += ["", "`monitor help TOPIC` prints one; `monitor help COMMAND` says what a command takes."]
    lines.append('`monitor help "the message"` says what stands behind a message, or a part of one.')
    return "\n".join(lines) + "\n"


def _explain(asked: str) -> str:
    """Return the entries a message belongs to; ``Problems`` with the nearest topics where there is none."""
    from monitor.handbook.topics import TOPICS, find_word
    from monitor.handbook.troubles import find_troubles, read_troubles

    troubles = read_troubles() if len(asked.split()) > 1 else []
    each = [pair for line in asked.splitlines() for pair in find_troubles(line, troubles)]
    found = {trouble.title: (trouble, message) for trouble, message in each}.values()
    if not found:
        topics = f"The topics are {join_words(tuple(TOPICS))}"
        what, stand = ("topic and no message", "words stand") if troubles else ("topic", "word stands")
        close, there = did_you_mean(asked.lower(), TOPICS), join_words(find_word(asked))
        where = f"; the {stand} in {there}." if there else "."
        raise Problems([f'help: no {what} "{one_line(asked)[:60]}"{close or where} {topics}'])
    parts = []
    for trouble, message in found:
        said, _, named = trouble.text.partition("\n- `")
        parts.append(f"{said.strip()}\n\nThe message is like this one:\n\n- `{message}`\n" if named else said)
    return "\n".join(parts)


def _print(text: str) -> None:
    """Print Markdown: set for a person at a terminal, as it is for a file or a program."""
    if not sys.stdout.isatty():
        typer.echo(text, nl=False)
        return
    from rich.markdown import Markdown

    from monitor.cli.console import open_console

    open_console().print(Markdown(text, hyperlinks=False))
