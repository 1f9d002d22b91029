"""Hostile council files made from a seed, and what each is put through: a problem in words, or nothing wrong."""

import atexit
import io
import os
import random
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from support.binary_workbooks import write_xls, write_xlsb
from support.council import HEADINGS, settled
from support.delivery_reports import FORMS, forwarded, report
from support.odd_workbooks import write_csv, write_odd_ods, write_odd_xlsx
from support.random_people import shipped_rules
from support.template_nursery import Nursery, template_nursery

from monitor.caseload.intake import CouncilNames, type_rows
from monitor.config.id_lists import read_ids, read_merged, read_restricted
from monitor.config.settings import load_config, shipped
from monitor.config.source_settings import Source
from monitor.delivery.delivery_report import read_reports
from monitor.delivery.mail_file import read_saved_mail
from monitor.errors import MonitorError, Problems
from monitor.lists import answer_mail, answer_page, answer_sheet
from monitor.messages import samples
from monitor.messages.own_templates import OwnTemplates, read_sources
from monitor.messages.templates import NAMES as NAMES_OF_TEMPLATES
from monitor.messages.templates import STOCK, Templates, open_templates, read_templates
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.examples import run_rules
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.type_check import open_binder
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import open_workspace

LONGEST_SECONDS = 10.0
LEFT_OUT = object()


@dataclass(frozen=True)
class Failure:
    """One file that was not answered in words, or not in time; ``seed`` and ``kind`` make it again."""

    kind: str
    seed: int
    fault: str


def campaign(kind: str, seeds: range, folder: Path) -> list[Failure]:
    """Put one file of each seed through what reads such files; return those that were not answered as they should."""
    failures = []
    shipped_rules(), real_conditions(), real_workbook(), a_few()  # made once, by nobody's fault
    if kind == "template":
        nursery()
    for seed in seeds:
        begun = seconds()
        try:
            KINDS[kind](random.Random(f"{kind} {seed}"), folder)
        except MonitorError as fault:
            if not str(fault).strip() or "Traceback" in str(fault):
                failures.append(Failure(kind, seed, f"no words: {fault!r}"))
        except Exception as fault:
            failures.append(Failure(kind, seed, f"{type(fault).__name__}: {str(fault)[:200]}"))
        if seconds() - begun > LONGEST_SECONDS:
            failures.append(Failure(kind, seed, f"{seconds() - begun:.0f} seconds"))
    return failures


def seconds() -> float:
    """Processor time of this process and of those it has waited for: however busy the machine is, the same."""
    spent = os.times()
    ours = spent.user + spent.system + spent.children_user + spent.children_system
    return ours + (nursery().seconds() if nursery.cache_info().currsize else 0)


# Texts and values

ODD_TEXTS = (
    "", " ", "\n", "\t", "\x00", "\ufeff", "\u202e", "é" * 50, "😀", "a" * 10_000, "{{", "{{ x }}", "{% raw %}", "%s",
    "%n", "'", '"', "--", "/*", ";", "../../etc/passwd", "/dev/zero", "C:\\CON", "~", "$HOME", "${x}", "nan", "0",
    "-1", "1e999", "2026-02-30", "sqlite:///", "https://", "a@b", "\ud7ff", "null", "true", "[]", "999 months",
    "-1 days", "0 weeks", "99999999999999 days",
)  # fmt: skip


def odd_value(rng: random.Random, depth: int = 0) -> str:
    """A TOML value of any kind, as text."""
    kinds: list[Callable[[], str]] = [
        lambda: quoted(rng.choice(ODD_TEXTS)),
        lambda: str(rng.choice([0, -1, 1, 2**63, -(2**70), 10**4000, 37])),
        lambda: rng.choice(["1.5", "nan", "inf", "-inf", "1e400", "0x10", "0b11", "1_000"]),
        lambda: rng.choice(["true", "false"]),
        lambda: rng.choice(["2026-01-01", "0001-01-01", "9999-12-31", "2026-01-01T10:00:00", "10:00:00",
                            "2026-01-01T10:00:00Z"]),
    ]  # fmt: skip
    if depth < 3:
        kinds.append(lambda: "[" + ", ".join(odd_value(rng, depth + 1) for _ in range(rng.randint(0, 3))) + "]")
        kinds.append(
            lambda: "{ " + ", ".join(f"k{n} = {odd_value(rng, depth + 1)}" for n in range(rng.randint(0, 3))) + " }"
        )
    return rng.choice(kinds)()


def quoted(text: str) -> str:
    escapes = "".join(f"\\u{ord(each):04x}" if ord(each) < 32 or each in '"\\' else each for each in text)
    return f'"{escapes}"'


def spoil_text(rng: random.Random, text: str) -> str:
    """A text with a few places changed, left out, doubled or moved."""
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(text) + 1)
        till = min(len(text), at + rng.choice([1, 1, 2, 5, 40]))
        piece = rng.choice(
            ["", text[at:till] * 2, rng.choice(ODD_TEXTS)[:200], chr(rng.randrange(0xD000)), "[", "]]", "="]
        )
        text = text[:at] + piece + text[till:]
    return text


def spoil_toml(rng: random.Random, text: str) -> bytes:
    """A TOML file with some values of another kind, keys renamed, tables doubled, or bytes that are no text."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        key, equals, _value = lines[at].partition(" = ")
        if equals and rng.random() < 0.7:
            lines[at] = f"{key} = {odd_value(rng)}"
        else:
            lines[at : at + 1] = rng.choice([
                [], [lines[at], lines[at]], ["[[limits]]"], ["[examples]"], [f"{quoted(rng.choice(ODD_TEXTS))} = 1"],
                ["[" + ".".join("a" * 1 for _ in range(rng.choice([1, 3, 3000]))) + "]"],
                [f"k = {'[' * rng.choice([3, 3000])}"], [f"{key} = {odd_value(rng)}"],
            ])  # fmt: skip
    spoilt = "\n".join(lines)
    if rng.random() < 0.3:
        spoilt = spoil_text(rng, spoilt)
    written = spoilt.encode("utf-8", "replace")
    if rng.random() < 0.1:
        at = rng.randrange(len(written) + 1)
        written = written[:at] + rng.choice([b"\xff", b"\x00", b"\xfe\xff", b"\r", b"\xed\xa0\x80"]) + written[at:]
    return written


# Conditions

WORDS = (
    "age", "age", "category", "activity", "as_at", "due_on", "personal_adviser", "latest_contact_date", "disability",
    "and", "or", "not", "in", "is", "null", "true", "false", "(", ")", ",", "=", "<", ">", "<>", "+", "-", "*", "/",
    "%", "'G5'", "''", "1", "2", "999999999", "1e5", "interval", "day", "month", "'6'", "case", "when", "then",
    "else", "end", "between", "like", "cast(", "as", "integer", "date", "'2020-02-30'", "'2020-02-29'", "coalesce(",
    "greatest(", "least(", "birthday(", "blank(", "[", "]", "{", "}", "::", ".", ";", "--", "/*", "$$", '"', "`", "|",
    "||", "->", "~", "!", "!=", "@", "#", "?", ":", "distinct", "from", "exists", "select", "over", "filter",
    "lambda", "struct", "map", "array", "any", "all", "escape", "collate", "extract(", "year", "position(", "trim(",
    "try_cast(", "if(", "nullif(", "ilike", "similar", "to", "isnull", "notnull", "at", "time", "zone", "unnest",
    "pivot", "using", "limit", "order", "by", "union", "with", "length(", "upper(", "day(", "month(", "abs(",
    "relevant", "'relevant'", "'former", "relevant'", "18", "21", "review_within",
)  # fmt: skip


@cache
def real_conditions() -> tuple[str, ...]:
    return tuple(one.text for rule in shipped_rules().rules for one in rule.conditions)


def make_condition(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.4:
        words = rng.choice(real_conditions()).split()
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(words) + 1)
            words[at : at + rng.randint(0, 2)] = [rng.choice(WORDS) for _ in range(rng.randint(0, 2))]
        return " ".join(words)
    if kind < 0.7:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 30)))
    if kind < 0.85:
        return spoil_text(rng, rng.choice(real_conditions()))
    part, times = rng.choice(WORDS), rng.choice([30, 45, 300, 1_000, 4_000])
    inside, after = rng.choice(["age", "1", "true", "'x'", ""]), rng.choice(["", ")", "]", " end", ")) "])
    return f"{part} " * times + inside + after * times


def try_condition(rng: random.Random, folder: Path) -> None:
    limits = {"review_within": 7}
    condition = parse_condition(make_condition(rng), limits, due_on=rng.random() < 0.5, may_go_back=rng.random() < 0.2)
    list(open_binder().check(condition, limits, kind=rng.choice(["BOOLEAN", "DATE"])))


# Rule files and configs


def try_rule_file(rng: random.Random, folder: Path) -> None:
    rule = rng.choice(shipped_rules().rules)
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    for old in rules.iterdir():
        old.unlink()
    text = rule.as_written
    if rng.random() < 0.4:
        key = rng.choice(["applies_to", "breach_if", "because", "due_on"])
        text = "\n".join(
            f"{key} = {quoted(make_condition(rng))}" if line.startswith(f"{key} = ") else line
            for line in text.splitlines()
        )
    (rules / f"{rule.id}.toml").write_bytes(spoil_toml(rng, text))
    run_rules(load_rulebook([rules], {}).rules)


CONFIG = """
authority = "Exampleshire"
data_folder = "data"
case_url = "https://cms.example.gov.uk/person/{person_id}"
restricted = "restricted.txt"
not_an_adviser = ["duty"]

[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.csv"

[people]
analyst = "analyst@example.gov.uk"
head = "head@example.gov.uk"

[[teams]]
name = "North"
lead = "lead@example.gov.uk"
also_known_as = ["LC North"]
cover = "cover@example.gov.uk"
cover_until = 2026-02-01

[delivery]
channel = "folder"
marking = "OFFICIAL-SENSITIVE"

[lists]
workbooks = true

[gate]
fewest = 5
lowest_share_present = 0.9

[retention]
people = "6 years"

[service]
at = "06:00"

[digests]
flips = 3

[escalation]
most_listed = 20

[waivers]
longest = "6 months"

[rule.contact-overdue]
limits = { contact_within = "6 weeks" }
severity = "medium"
reason = "Agreed"
"""


def try_config(rng: random.Random, folder: Path) -> None:
    path = folder / "monitor.toml"
    (folder / "list-9.csv").touch()
    (folder / "restricted.txt").write_bytes(spoil_text(rng, "P1\nP2 # a relative\n").encode("utf-8", "replace"))
    path.write_bytes(spoil_toml(rng, CONFIG))
    config = load_config(path)
    read_restricted(config)
    load_rulebook(config.rule_folders(), config.rule)


# Templates

PIECES = (
    "{{ digest.night.as_at | long_date }}", "{% for s in digest.also_new %}", "{% endfor %}", "{% if digest.teams %}",
    "{% endif %}", "{{ digest.%s }}", "{{ say.heading(digest) }}", "{% include 'lead.txt' %}",
    "{% include '/etc/passwd' %}", "{% import 'phrases.txt' as p %}", "{% extends 'page.txt' %}",
    "{% block a %}{% endblock %}", "{% macro m() %}", "{% endmacro %}", "{{ m() }}", "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 10 ** 8 }}", "{{ range(10 ** 9) }}", "{{ ().__class__.__bases__ }}", "{{ digest | attr('__class__') }}",
    "{{ '%s' | format(digest) }}", "{{ '{0.__class__}'.format(digest) }}", "{{ x }}", "{{ 1 / 0 }}",
    "{{ 'a' | int + 'b' }}", "{{ [1] | first | upper | batch(0) | list }}", "{{ digest.night.rules }}",
    "{{ lipsum(99) }}", "{% set n = namespace(x='a') %}",
    "{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "{% raw %}", "{% endraw %}",
    "{{ dict(a=1) | dictsort | tojson }}", "{{ digest.flag_ids | sort | join(',') | center(99999) }}", "{# #}", "{#",
    "{{", "}}", "{%", "%}", "{{ cycler(1, 2).next() }}", "{{ self._TemplateReference__context }}",
    "{% filter upper %}", "{% endfilter %}", "{% call m() %}", "{% do 1 %}", "{% break %}", "{% autoescape false %}",
    "{{ caller() }}", "{{ loop.index }}", "{{ digest.lines[0] }}", "\x00", "é" * 99,
    "{{ 'x' | wrapped | underlined | tallied }}", "{{ digest.night.as_at.replace(year=99999) }}", "{{ now() }}",
    "{{ -1 | slice(3) | list }}",
)  # fmt: skip
NAMES = (
    "lead.txt", "lead.html", "lead.subject.txt", "phrases.txt", "page.txt", "page.html", "parts.html", "head.txt",
    "analyst.html", "notice.txt", "manager.txt",
)  # fmt: skip


@cache
def shipped_template(name: str) -> str:
    return (shipped("templates") / name).read_text(encoding="utf-8")


def make_template(rng: random.Random, name: str) -> str:
    if rng.random() < 0.5:
        return "".join(
            rng.choice(PIECES).replace("%s", rng.choice(["teams", "x", "_y", "counts"]))
            for _ in range(rng.randint(1, 8))
        )
    text = shipped_template(name)
    at = rng.randrange(len(text))
    return spoil_text(rng, text) if rng.random() < 0.5 else text[:at] + rng.choice(PIECES) + text[at:]


def try_template(rng: random.Random, folder: Path) -> None:
    words = folder / "words"
    words.mkdir(exist_ok=True)
    for old in words.iterdir():
        old.unlink()
    for name in rng.sample(NAMES, rng.choice([1, 1, 2])):
        (words / name).write_text(make_template(rng, name), encoding="utf-8", errors="replace")
    templates = open_own(words) if rng.random() < 0.9 else read_templates(words)
    try:
        templates.prove(a_few())
    finally:
        if templates.own is not None:
            templates.own.close()


def open_own(words: Path) -> Templates:
    """What ``read_templates`` does, by a process that is quick to start."""
    own = OwnTemplates(read_sources(words), STOCK, nursery().command)
    try:
        problems = own.ask("check", *(name for name in NAMES_OF_TEMPLATES if name in own.sources))
        if problems:
            raise Problems(problems)
    except Problems:
        own.close()
        raise
    return Templates(open_templates().environment, own)


@cache
def nursery() -> Nursery:
    """What starts template processes, for the life of this one."""
    lives = ExitStack()
    atexit.register(lives.close)
    return lives.enter_context(template_nursery())


@cache
def a_few() -> tuple[Any, ...]:
    """One message of each kind."""
    return tuple({digest.template: digest for digest in samples.make()}.values())


# Answer workbooks


@cache
def real_workbook() -> Mapping[str, bytes]:
    """The files in an answered list."""
    book = Workbook()
    book.active.title = answer_sheet.SHEET
    for row in [answer_sheet.NEEDED, *(("P1", "homeless", "done", "", "", "", "k") for _ in range(5))]:
        book.active.append(list(row))
    written = io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


ODD_XML = (
    b"<", b"&", b"&#0;", b"&e;", b"<!DOCTYPE a [<!ENTITY e 'x'>]>", b"<!-- -->", b"<![CDATA[",
    b'<c r="XFD1048576" t="e"><v>#N/A</v></c>', b'<c t="s"><v>999999</v></c>',
    b'<c t="inlineStr"><is><t>x</t></is></c>', b'<row r="1048577">', b"<c><v>1e999</v></c>", b"\x00", b"\xff",
    b'<c t="d"><v>9999-99-99</v></c>', b'<c r="A0"><v>1</v></c>', b'<c r="AAAA1"><v>1</v></c>',
    b'<mergeCell ref="A1:XFD1048576"/>', b'<dimension ref="A1:XFD1048576"/>', b'<c t="b"><v>7</v></c>',
    b'<c s="99999"><v>1</v></c>', b"</sheetData>", b"</worksheet>",
)  # fmt: skip


def try_answers(rng: random.Random, folder: Path) -> None:
    parts = dict(real_workbook())
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(parts))
        content = parts[name]
        at = rng.randrange(len(content) + 1)
        change = rng.choice(["insert", "cut", "drop", "swap", "repeat", "empty"])
        if change == "drop":
            parts.pop(name) if len(parts) > 1 else None
        elif change == "insert":
            parts[name] = content[:at] + rng.choice(ODD_XML) * rng.choice([1, 1, 1, 5000]) + content[at:]
        else:
            other = content[: at // 2] + content[at:]
            parts[name] = {"cut": content[:at], "swap": other, "repeat": content * 3, "empty": b""}[change]
    path = folder / "answers.xlsx"
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    if rng.random() < 0.4:
        data = bytearray(path.read_bytes())
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]))
    answer_sheet.read(path)


# What comes by mail, what a page saves, lists of ids, and extracts


def spoil_bytes(rng: random.Random, content: bytes) -> bytes:
    """A file with a few places changed, left out, doubled or filled with what breaks parsers, or its end cut off."""
    odd = (
        *ODD_XML,
        *(text.encode("utf-8", "replace") for text in ODD_TEXTS),
        b"\r",
        b"\n\n",
        b"=?utf-8?q?=FF?=",
        b"--",
    )
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(content) + 1)
        till = min(len(content), at + rng.choice([0, 1, 2, 8, 200]))
        piece = rng.choice([b"", content[at:till] * 3, bytes([rng.randrange(256)]), rng.choice(odd)[:3000]])
        content = content[:at] + piece + content[till:]
    return content[: rng.randrange(len(content) + 1)] if rng.random() < 0.1 else content


def try_saved_mail(rng: random.Random, folder: Path) -> None:
    """What ``monitor bounced`` and ``monitor answers`` read of an e-mail."""
    content = report("20260112-1", "lead@example.gov.uk", rng.choice(list(FORMS)))
    if rng.random() < 0.5:
        reply = EmailMessage()
        reply["From"], reply["To"], reply["Subject"] = "A Lead <lead@example.gov.uk>", "a@example.gov.uk", "Re: done"
        reply["In-Reply-To"] = "<20260112-1@example.gov.uk>"
        reply.set_content("1 done\n2 not ours\nthe record is wrong: 1.20260101." + "0" * 10 + "." + "0" * 32)
        if rng.random() < 0.5:
            reply.add_alternative("<p>1 done</p><br>2 not ours", subtype="html")
        content = reply.as_bytes()
    if rng.random() < 0.2:
        content = forwarded(content)
    path = folder / "saved.eml"
    path.write_bytes(spoil_bytes(rng, content))
    read_reports(read_saved_mail(path))
    answer_mail.read(path)


PAGE = (
    '{"made_by": "care-leaver-monitor", "version": 1, "list": "North", "as_at": "2026-01-12", "answers": '
    '[{"person_id": "P1", "rule": "homeless", "answer": "done", "key": "1.20260112.0123456789.'
    + "0" * 32
    + '", "answer_note": "a note", "answer_until": "2026-02-01", "answer_reason": "x"}]}'
)


def try_page(rng: random.Random, folder: Path) -> None:
    path = folder / "answers.json"
    deep = rng.choice(["[", '{"a":', "[[1],"]) * rng.choice([10, 1_000, 200_000])
    content = deep.encode() if rng.random() < 0.05 else spoil_bytes(rng, PAGE.encode())
    path.write_bytes(content)
    answer_page.read(path)


def try_id_list(rng: random.Random, folder: Path) -> None:
    path = folder / "ids.csv"
    ids = [
        rng.choice(["P1", '"P2"', "00123", "12.0", "1e5", " p3 ", "x" * 3000, "a,b", "id", "P4 # why"])
        for _ in range(9)
    ]
    heading = rng.choice(["", "old_id,new_id\n", "id;name\n"])
    text = heading + "\n".join(f"{one},{rng.choice(ids)}" if rng.random() < 0.5 else one for one in ids)
    path.write_bytes(spoil_bytes(rng, text.encode(rng.choice(["utf-8", "utf-16", "cp1252"]))))
    rng.choice([read_ids, read_merged])(path)


EXTRACT: tuple[tuple[Any, ...], ...] = (
    tuple(HEADINGS.values()),
    *(tuple(settled(f"P{number}")[key] for key in HEADINGS) for number in range(4)),
)
WRITERS = {
    ".csv": write_csv, ".xlsx": write_odd_xlsx, ".ods": write_odd_ods, ".xls": write_xls, ".xlsb": write_xlsb,
}  # fmt: skip


@cache
def real_extract(ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"list-9{ending}"
        WRITERS[ending](path, EXTRACT)
        return path.read_bytes()


def spoil_file(rng: random.Random, content: bytes) -> bytes:
    """The bytes of a file spoilt, or in a zip those of one file in it."""
    if not content.startswith(b"PK") or rng.random() < 0.2:
        return spoil_bytes(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in rng.sample(list(parts), min(len(parts), rng.choice([1, 1, 2]))):
        parts[name] = spoil_bytes(rng, parts[name])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return written.getvalue()


def try_extract(rng: random.Random, folder: Path) -> None:
    ending = rng.choice(list(WRITERS))
    path = folder / f"list-9{ending}"
    path.write_bytes(spoil_file(rng, real_extract(ending)))
    source = Source(name="caseload", kind="annex-a-list-9", path=path)
    workspace = open_workspace()
    try:
        extract = read_source(source, workspace, SourceContext(date(2026, 1, 12), folder))
        type_rows(workspace, [extract], as_at=date(2026, 1, 12), names=CouncilNames())
    finally:
        workspace.close()


KINDS: Mapping[str, Callable[[random.Random, Path], None]] = {
    "template": try_template,
    "condition": try_condition,
    "rule file": try_rule_file,
    "config": try_config,
    "answers": try_answers,
    "saved mail": try_saved_mail,
    "page": try_page,
    "id list": try_id_list,
    "extract": try_extract,
}
