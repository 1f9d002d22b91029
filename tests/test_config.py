"""The configuration: read whole, every mistake named at once."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from monitor.config.id_lists import read_ids
from monitor.config.mailboxes import find_mailbox_fault
from monitor.config.settings import Config, load_config, shipped
from monitor.errors import Problems
from monitor.store.location import locate

LOADED = "import sys, monitor.config.settings; print(*sorted({'duckdb', 'sqlglot'} & set(sys.modules)))"
EXAMPLE = Path(__file__).parent.parent / "config.example.toml"

SMALLEST = """
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.xlsx"
"""


def test_the_settings_are_read_without_the_slow_libraries() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""


def write(folder: Path, text: str) -> Path:
    path = folder / "monitor.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> str:
    with pytest.raises(Problems) as caught:
        load_config(write(folder, text))
    return str(caught.value)


def test_the_example_config_loads() -> None:
    config = load_config(EXAMPLE)

    assert next(team.name for team in config.teams) == "Leaving Care North"
    assert config.data_folder == EXAMPLE.parent / "data"


def test_only_a_source_is_needed_and_paths_start_at_the_config_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALLEST))

    assert config.sources[0].path == tmp_path / "list-9.xlsx"
    assert locate(config, {}).database == str(tmp_path / "data" / "monitor.db")
    assert config.delivery.channel == "folder"


def test_own_rules_are_read_beside_the_shipped_rulebook_or_instead_of_it(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()

    beside = load_config(write(tmp_path, 'rules = ["own"]\n' + SMALLEST))
    alone = load_config(write(tmp_path, 'rules = ["own"]\nshipped_rules = false\n' + SMALLEST))

    assert beside.rule_folders() == (shipped("rules"), tmp_path / "own")
    assert alone.rule_folders() == (tmp_path / "own",)


def test_five_mistakes_are_all_reported_at_once(tmp_path: Path) -> None:
    said = problems_of(
        tmp_path,
        """
        authorty = "Exampleshire"
        case_url = "http://cms.example.gov.uk/"
        [[sources]]
        name = "caseload"
        kind = "annex-a"
        [[teams]]
        name = "North"
        lead = "not an address"
        [rule.contact-overdue]
        severity = "urgent"
        """,
    )

    assert len(said.splitlines()) == 5
    assert 'authorty: unknown key; did you mean "authority"?' in said
    assert "case_url: must start with https:// and hold {person_id}" in said
    assert "sources[caseload].kind: \"annex-a\" is not one of 'annex-a-list-9'" in said
    assert "teams[North].lead: not an e-mail address" in said
    assert 'rule.contact-overdue.severity: "urgent" is not one of' in said


@pytest.mark.parametrize(
    ("addition", "words"),
    [
        ("data_folder = [1]", "data_folder"),
        ('restricted = "nobody.txt"', "restricted: no file"),
        ('rules = ["no-such-folder"]', "no folder"),
        ("shipped_rules = false", "shipped_rules: is false, and rules names no folder"),
        ('database = "mysql://host/x"', "must be like sqlite:///data/monitor.db or postgresql://user@host/database"),
        ('database = "sqlite:///"', "must be like sqlite:///data/monitor.db or postgresql://user@host/database"),
        ('database = "postgresql://monitor@host"', "must be like sqlite:///data/monitor.db or"),
        ('database = "postgresql://monitor:hunter2@host/flags"', "holds a password; take it out and name with"),
        (
            'database = "postgresql://monitor@host/flags?password=hunter2"',
            "holds a password; take it out and name with",
        ),
        ('database_password_env = "DATABASE_PASSWORD"', "only for PostgreSQL; remove them"),
        ('people = { analyst = "a@example.gov.uk, b@example.gov.uk" }', "people.analyst: not an e-mail address"),
        ('delivery = { sender = "si\u00e2n@example.gov.uk" }', 'delivery.sender: holds "\u00e2", a letter that cannot'),
        ('delivery = { channel = "smtp" }', "needs a [delivery.smtp] table"),
        ('delivery = { marking = "TWO\\nLINES" }', "must be one line of text"),
        ('closed_days = ["Christmas"]', 'closed_days[1]: write one day or a range, and why if you like: "2026-06-01"'),
        ('closed_days = ["2026-06-01", "2026-12-25, 2026-12-29"]', "closed_days[2]: write one day or a range"),
        ('closed_days = ["2027-01-01 to 2026-12-25"]', "ends on 2026-12-25, before it begins on 2027-01-01; put the"),
        ('closed_days = ["2026-12-25 to 2036-01-01"]', "is longer than 42 days"),
        ('closed_days = ["2026-06-31"]', '"2026-06-31" is no day of the calendar'),
        ("closed_days = [9999-12-31]", "9999-12-31 is not of these years"),
        (
            'closed_days = ["2026-06-01 to 2026-07-01", "2026-07-02 to 2026-08-01"]',
            "leaves no working day from 2026-06",
        ),
        ('service = { run_at = "01:30" }', "service.run_at: between 01:00 and 01:59 the clocks change"),
        ('service = { run_at = "half past two" }', 'not a time of day; write it like "08:00"'),
        ("heartbeat = { retries = 2 }", "heartbeat: url_env: name the variable that holds the address, or url_file"),
    ],
)
def test_each_mistake_says_where_and_what_would_be_right(tmp_path: Path, addition: str, words: str) -> None:
    said = problems_of(tmp_path, addition + "\n" + SMALLEST)

    assert words in said
    assert str(tmp_path) in said


def test_closed_days_are_single_days_and_ranges_with_or_without_a_word(tmp_path: Path) -> None:
    written = '[2026-06-01, "2026-12-24 to 2026-12-31 Christmas closure", "2026-08-03 - 2026-08-04 (staff days)"]'

    config = load_config(write(tmp_path, f"closed_days = {written}\n{SMALLEST}"))

    assert [(entry.first.day, entry.last.day, entry.why) for entry in config.closed_days] == [
        (1, 1, ""), (24, 31, "Christmas closure"), (3, 4, "staff days"),
    ]  # fmt: skip
    assert len(config.working_days.closed) == 11


def test_one_name_for_two_teams_is_refused(tmp_path: Path) -> None:
    said = problems_of(
        tmp_path,
        SMALLEST + '[[teams]]\nname = "North"\n[[teams]]\nname = "South"\nalso_known_as = ["NORTH "]\n',
    )

    assert '"South" and "North" share the name' in said


def test_restricted_people_need_a_head_of_service(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text("P001\n", encoding="utf-8")

    said = problems_of(tmp_path, 'restricted = "restricted.txt"\n' + SMALLEST)

    assert "needs people.head" in said


def test_restricted_ids_are_read_without_comments(tmp_path: Path) -> None:
    path = tmp_path / "restricted.txt"
    path.write_text("# who\n0012\n\nP7  # a relative\n", encoding="utf-8")

    assert [listed.text for listed in read_ids(path)] == ["0012", "P7"]


@pytest.mark.parametrize("text", ["sources = \n", "a = 1\na = 2\n"])
def test_toml_that_cannot_be_parsed_says_where(tmp_path: Path, text: str) -> None:
    said = problems_of(tmp_path, text)

    assert "not valid TOML" in said
    assert "line" in said


def test_a_missing_config_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="name one with --config"):
        load_config(tmp_path / "none.toml")


def test_the_example_explains_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    missing = [name for name in settings_of(Config) if not re.search(rf"\b{name}\b", text)]

    assert missing == []


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key a config may have, in any table."""
    for name, info in model.model_fields.items():
        yield info.alias or name
        for kind in (info.annotation, *get_args(info.annotation)):
            inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)]
            for one in inner:
                yield from settings_of(one)


def test_addresses_outside_the_allowed_domains_are_named_together(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text(
        """
        [[sources]]
        name = "caseload"
        kind = "sample"
        [people]
        analyst = "analyst@example.gov.uk"
        head = "head@elsewhere.example"
        [[teams]]
        name = "North @ night"
        lead = "lead@sub.example.gov.uk"
        manager = "Manager@EXAMPLE.gov.uk"
        [delivery]
        allowed_domains = ["Example.gov.uk"]
        reply_to = "desk@elsewhere.example"
        """,
        encoding="utf-8",
    )

    with pytest.raises(Problems) as caught:
        load_config(path)

    (problem,) = caught.value.problems
    assert "delivery.reply_to, people.head, teams[North @ night].lead: not an address at @example.gov.uk" in problem


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('send_hour = "8 o\'clock"', 'not a time of day; write it like "08:00"'),
        ('allowed_domains = ["@example.gov.uk"]', "is not a domain"),
        ('marking = "OFFICIAL\\u0085"', "must be one line of text"),
        ('[delivery.smtp]\nhost = "smtp..example"', "not the name of a machine; write it like smtp.example.gov.uk"),
        ('channel = "notify"', 'channel "notify" needs a [delivery.notify] table'),
        ('[delivery.notify]\ntemplate_id = "7"\napi_key_env = "KEY"', "not a UUID"),
        (f'[delivery.notify]\ntemplate_id = "{UUID(int=1)}"', "api_key_env: give it or api_key_file"),
    ],
)
def test_what_is_wrong_with_delivery_says_what_would_be_right(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text(f'[[sources]]\nname = "c"\nkind = "sample"\n[delivery]\n{lines}\n', encoding="utf-8")

    with pytest.raises(Problems) as caught:
        load_config(path)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("name@example.gov.uk", None),
        ("Tegan.O'Neill+north_1@xn--bcher-kva.example", None),
        ("x" * 64 + "@example.gov.uk", None),
        ("siân@example.gov.uk", 'holds "â", a letter that cannot be mailed to; write it without accents'),
        ("o\u2019neill@example.gov.uk", "write a plain apostrophe (')"),
        ("name@bücher.example", 'its domain has letters that mail cannot carry; write "xn--bcher-kva.example"'),
        ("name@straße.example", "write its ASCII form, which begins with xn--"),
        ("name\u200b@example.gov.uk", "(this one holds a zero width space)"),
        (" name@example.gov.uk", "(this one holds a space)"),
        ("name@example.gov.uk\r\nBcc: all@example.com", "(this one holds a character U+000D)"),
        ("@example.gov.uk", "(nothing stands before the @)"),
        ("name@", "(nothing stands after the @)"),
        ("name", "(nothing stands after the @)"),
        ("", "not an e-mail address"),
        ("name@team@example.gov.uk", "not an e-mail address"),
        ('"a name"@example.gov.uk', "not an e-mail address"),
        ('"name"@example.gov.uk', "not an e-mail address"),
        ("Name <name@example.gov.uk>", "not an e-mail address"),
        ("mailto:name@example.gov.uk", "not an e-mail address"),
        ("name.@example.gov.uk", "a dot stands first, last or beside another"),
        (".name@example.gov.uk", "a dot stands first, last or beside another"),
        ("a..name@example.gov.uk", "a dot stands first, last or beside another"),
        ("name@example", "is not a domain"),
        ("name@example..gov.uk", "is not a domain"),
        ("name@example.gov.uk.", 'its domain ends in ""'),
        ("name@-example.gov.uk", "is not a domain"),
        ("name@ex_ample.gov.uk", "is not a domain"),
        ("name@192.0.2.7", 'its domain ends in "7", which no domain does'),
        ("name@[192.0.2.7]", "not an e-mail address"),
        ("x" * 65 + "@example.gov.uk", "too long: at most 64 characters before the @"),
        ("name@" + "x" * 64 + ".example", "is not a domain"),
        ("name@" + "long." * 50 + "example", "is not a domain"),
        ("name" * 10 + "@" + "long." * 42 + "example", "and 254 in all"),
    ],
)
def test_an_address_is_one_that_every_mail_server_takes_or_says_what_to_write(address: str, words: str | None) -> None:
    fault = find_mailbox_fault(address)

    assert (fault is None) if words is None else (fault is not None and words in fault)
