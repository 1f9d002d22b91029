"""The handbook: printed by topic and by message, made into one file, and true of the code."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from support.command import Terminal, monitor
from typer.testing import CliRunner

from monitor.catalogue import dictionary
from monitor.cli.command import app
from monitor.cli.handbook_commands import describe_commands, write_commands
from monitor.handbook.handbook_page import write_handbook
from monitor.handbook.topics import PAGES, TOPICS, read_topic
from monitor.handbook.troubles import LEFT_OUT, find_troubles, read_troubles

HOUSE = PAGES.parent
TOLD = {
    "Problems", "SourceError", "StoreError", "Refused", "RequestRefused", "LockHeld", "DeliveryError", "MonitorError",
    "NotReadable", "KeyFault", "NotAMail", "NotUsable", "MailboxNotRead", "LimitFault", "UnmatchedHeadings",
    "NightAhead",
}  # fmt: skip
"""What is raised with words that a person reads and must act on."""
SAID = ("gate/verdict", "gate/baseline", "network/", "store/database_faults", "catalogue/broken_cells")
"""Where each sentence that has a remedy, after a semicolon, is said to a person without being raised there."""
FEWEST_LETTERS = 15
"""With fewer of its own a message is what another says."""


@pytest.fixture(scope="module")
def commands() -> str:
    return write_commands(describe_commands(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def page(commands: str) -> str:
    return write_handbook(commands)


# By topic


def test_help_alone_lists_every_topic_with_a_line() -> None:
    printed = CliRunner().invoke(app, ["help"])

    assert printed.exit_code == 0
    assert [line for line in printed.stdout.splitlines() if line.startswith("- ")] == [
        f"- **{name}**: {about}" for name, about in TOPICS.items()
    ]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed_as_markdown_where_nobody_looks_on(topic: str, commands: str) -> None:
    printed = CliRunner().invoke(app, ["help", topic])

    assert printed.exit_code == 0
    assert printed.stdout == read_topic(topic, commands)
    assert len(printed.stdout.splitlines()) > 15


@pytest.mark.parametrize("asked", [("run",), ("monitor", "run"), ("rules", "show"), ("Data", "Protection")])
def test_a_command_or_a_topic_of_two_words_is_found(asked: tuple[str, ...]) -> None:
    printed = CliRunner().invoke(app, ["help", *asked])

    assert printed.exit_code == 0
    assert printed.stdout.splitlines()[0].lower().endswith(" ".join(asked).lower())


def test_an_unknown_topic_is_answered_with_the_nearest_and_all(tmp_path: Path) -> None:
    misspelt, elsewhere, nowhere = (monitor(tmp_path, "help", word) for word in ("sendin", "heartbeat", "xyzzy"))

    assert (misspelt.returncode, elsewhere.returncode, nowhere.returncode) == (2, 2, 2)
    assert 'no topic "sendin"; did you mean "sending"? The topics are lead, report,' in misspelt.stderr
    assert 'no topic "heartbeat"; the word stands in it' in elsewhere.stderr
    assert 'no topic "xyzzy". The topics are lead' in nowhere.stderr


def test_the_commands_page_has_every_option(commands: str) -> None:
    group = typer.main.get_command(app)
    leaves = [one for each in group.commands.values() for one in getattr(each, "commands", {"": each}).values()]  # type: ignore[attr-defined]
    options = {opt for leaf in leaves for each in leaf.params for opt in each.opts if opt.startswith("--")}

    assert len(options) > 30
    assert {opt for opt in options if f"`{opt}`" not in commands} == set()


def test_the_dictionary_is_that_of_the_catalogue() -> None:
    text = read_topic("dictionary")

    for name, holds, meaning, _ in dictionary.column_rows():
        assert f"| `{name}` | {holds} | {meaning} |\n" in text


def test_a_topic_is_set_for_a_terminal_of_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    shown = monitor(tmp_path, "help", "lead", output=Terminal())

    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout)
    assert "For team leads" in plain
    assert "**" not in plain
    assert max(map(len, plain.splitlines())) <= 80


# By message


NO_FILE = "The file is not there, or is not what its name says"
LOCKED_FILE = "The workbook has a password, or is damaged"
CUT_SHORT = "only 12 of the 900 people of 1 May 2026 are present (1%; at least 90% is expected)"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("database a.db: another run is at work on this database (host a); try again", "It is locked, or another run"),
        ("list-9.xlsx: no such file in /data; correct the path or export it", NO_FILE),
        ("NO SUCH FILE IN /data; correct the path\n   or export it", NO_FILE),
        ("protected by a password", LOCKED_FILE),
        (f"{CUT_SHORT}; check that the extract is whole", "Too few people, or other people than before"),
        ("a.xlsx: North: row 4: missing; say what is wrong, and what would be right", "A filled-in list"),
        ("the certificate of a.example has expired; have the service\u2019s renewed", "The server is not reached"),
    ],
)
def test_a_message_leads_to_its_entry(said: str, title: str) -> None:
    found = find_troubles(said, read_troubles())

    assert [trouble.title.startswith(title) for trouble, _ in found] == [True]


def test_a_message_may_begin_like_an_option_and_there_may_be_several(tmp_path: Path) -> None:
    option = monitor(tmp_path, "help", "--from 2026-02-01: is after --to 2026-01-01; give the earlier date first")
    both = monitor(
        tmp_path, "help", "a.csv: empty; export the list again\nb.xlsx: protected by a password; save a copy"
    )

    assert "`--from \u2026: is after --to \u2026; give the earlier date first`" in option.stdout
    assert [line for line in both.stdout.splitlines() if line.startswith("### ")] == [
        f"### {NO_FILE}",
        f"### {LOCKED_FILE}",
    ]


def test_what_is_no_message_leads_nowhere(tmp_path: Path) -> None:
    printed = monitor(tmp_path, "help", "the cat sat on the mat")

    assert printed.returncode == 2
    assert 'no topic and no message "the cat sat on the mat". The topics are' in printed.stderr
    assert "; the words stand in sending." in monitor(tmp_path, "help", "535 5.7.3  Authentication").stderr
    assert monitor(tmp_path, "help", "protected", "by", "a", "password").stdout.startswith(f"### {LOCKED_FILE}")


@dataclass(frozen=True)
class CodeText:
    """A text of the code, in one line; ``is_raised``: for a person to read."""

    place: str
    words: str
    is_raised: bool

    @property
    def is_told(self) -> bool:
        return self.is_raised or (self.place.startswith(SAID) and bool(re.search(r"; [a-z]", self.words)))


@pytest.fixture(scope="module")
def texts() -> list[CodeText]:
    return [text for path in sorted(HOUSE.rglob("*.py")) for text in read_texts(path)]


def read_texts(path: Path) -> Iterator[CodeText]:
    place, raised, inner = path.relative_to(HOUSE).as_posix(), set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):  # from the outside in
        if isinstance(node, ast.Expr):  # a docstring
            inner.add(id(node.value))
        if isinstance(node, ast.Raise):
            raised |= {id(text) for text in find_raised(node)}
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            words = "".join(part.value if isinstance(part, ast.Constant) else LEFT_OUT for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            words = node.value
        else:
            continue
        words = re.sub(r"\{(host|database|named|seconds|proof)\}", LEFT_OUT, " ".join(words.split()))
        yield CodeText(f"{place}:{node.lineno}", words, id(node) in raised)


def find_raised(node: ast.Raise) -> list[ast.expr]:
    """The texts that are raised: the first argument, or each of the list it is."""
    call = node.exc
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in TOLD and call.args:
        return call.args[0].elts if isinstance(call.args[0], ast.List) else call.args[:1]
    return []


def named_messages() -> list[list[str]]:
    """Each message that the page names, as the pieces of its wording."""
    messages = [message for trouble in read_troubles() for message in trouble.messages]
    return [
        [part for part in (each.strip(" :;.,") for each in message.split(LEFT_OUT)) if part] for message in messages
    ]


def has(words: str, pieces: list[str]) -> bool:
    """Whether a text has all pieces in order."""
    at = 0
    for piece in pieces:
        at = words.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def test_every_named_message_is_one_of_the_code(texts: list[CodeText]) -> None:
    all_words = {text.words for text in texts if len(text.words) >= FEWEST_LETTERS}

    assert [pieces for pieces in named_messages() if not any(has(words, pieces) for words in all_words)] == []


def test_every_message_that_is_raised_is_named(texts: list[CodeText]) -> None:
    """Put one that is missing under its entry, as the code has it, with an ellipsis for what differs."""
    named = named_messages()

    told = [text for text in texts if text.is_told and len(re.findall("[a-z]", text.words)) >= FEWEST_LETTERS]
    assert len(told) > 200
    assert [f"{text.place}: {text.words}" for text in told if not any(has(text.words, each) for each in named)] == []


# As one file


class Outline(HTMLParser):
    """The ids, links and tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_every_link_of_the_page_leads_to_one_place_in_it(page: str) -> None:
    outline = Outline(page)

    assert set(TOPICS) < set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))
    assert [link for link in outline.links if not link.startswith("#") or link[1:] not in outline.ids] == []
    assert '<a href="#sending"><code>monitor help sending</code></a>' in page


def test_the_page_can_load_and_run_nothing(page: str) -> None:
    assert re.search(
        r"content=\"default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'\"", page
    )
    assert not Outline(page).tags & {"script", "img", "iframe", "link", "form"}


def test_markup_in_a_page_is_text() -> None:
    assert "&lt;date&gt;" in write_handbook("## monitor x\n\n<date>\n")
