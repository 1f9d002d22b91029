"""The topics of the handbook: a page each, written by hand or made from the one place that knows."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from monitor.catalogue import dictionary
from monitor.config.settings import shipped

PAGES = Path(__file__).parent

TOPICS: Mapping[str, str] = {
    "lead": "what a team lead reads each morning, and how to answer it",
    "report": "the oversight report, the board's edition, and what goes up to managers and the head of service",
    "analyst": "the first night, the lists, the decisions that are yours, several sources",
    "rules": "writing a rule of your own, from an idea to a tested rule",
    "it": "installing, the database, running it every night, watching it, backups, upgrades",
    "sending": "how mail leaves: Exchange Online, a mail server, GOV.UK Notify, proxies and certificates",
    "councils": "many councils side by side (fleet), rows in a lake (scan): which for whom, settings, costs",
    "data-protection": "what is kept and for how long, removing a person, the audit, the impact assessment",
    "promises": "what is promised of every night, and what is not believed",
    "troubleshooting": "every message that asks something of you, and what stands behind it",
    "commands": "every command and option, and the exit codes",
    "settings": "every setting of the config, with an example",
    "dictionary": "every column: what it holds and what it means",
    "glossary": "what the words mean",
    "changing": "for those who change the monitor: the decisions, the habits, the speed",
}
"""Each topic, in the order in which the handbook has them, with what it is about."""


def read_topic(name: str, commands: str = "") -> str:
    """Return a topic's page as Markdown; ``commands``: what the command line says of its own commands."""
    made: dict[str, Callable[[], str]] = {
        "commands": lambda: commands,
        "settings": _write_settings,
        "dictionary": write_dictionary,
    }
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return text + (f"\n{made[name]()}" if name in made else "")


def find_word(word: str) -> list[str]:
    """Return the topics on whose hand-written page a word, or several in their order, stand."""
    pattern = re.compile(r"\b" + r"\s+".join(map(re.escape, word.split())), re.IGNORECASE)
    return [name for name in TOPICS if pattern.search((PAGES / f"{name}.md").read_text(encoding="utf-8"))]


def write_dictionary() -> str:
    """Return the data dictionary as a table."""
    lines = ["| Column | Holds | Meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {holds} | {meaning} |" for name, holds, meaning, _ in dictionary.column_rows()]
    return "\n".join(lines) + "\n"


def _write_settings() -> str:
    return f"```toml\n{shipped('config.example.toml').read_text(encoding='utf-8').strip()}\n```\n"
