"""A council's own templates are hostile until they are shown not to be: what they can read, run, hang and fill."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, crowd, day, settled
from support.posix import needs_posix
from support.random_people import shipped_rules

from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.messages import own_templates, samples
from monitor.messages.news import PersonNews
from monitor.messages.notices import Notice
from monitor.messages.parts import ComingDue, FlagLine
from monitor.messages.template_process import TemplateSandbox
from monitor.messages.templates import STOCK, read_templates, render, render_together
from monitor.rulebook.rule import Rule

SECONDS = 2


@pytest.fixture
def stopped_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends an endless template sooner; what is to be filled in time has as long as ever, however busy the machine."""
    monkeypatch.setattr(own_templates, "SECONDS", SECONDS)


def problems_of(folder: Path, name: str, text: str | bytes) -> tuple[str, ...]:
    """What is said of a folder with one template, as ``monitor check`` and each night look at it."""
    written = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(written)
    with pytest.raises(Problems) as caught:
        samples.prove(read_templates(folder))
    return caught.value.problems


ENDLESS = {
    "a range longer than life": "{% for i in range(10**9) %}{{ i }}{% endfor %}",
    "ranges within ranges": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a text that doubles": "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}"
    "{% endfor %}{{ n.x }}",
    "a text times a milliard": "{{ 'a' * 10**11 }}",
    "a tower of powers": "{{ 9 ** (9 ** 9) }}",
    "a text set in the middle": "{{ 'a' | center(10**11) }}",
    "a width in a format": "{{ '%0999999999999d' | format(1) }}",
    "a list in pieces": "{{ range(10) | slice(10**10) | list | length }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself a little": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}"
    "{{ m(200) }}",
    "one that includes itself": "{% include 'lead.txt' %}",
    "much made-up text": "{{ lipsum(n=10**8) }}",
    "brackets without end": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "blocks within blocks": "{% if 1 %}" * 400 + "{% endif %}" * 400,
}


@pytest.mark.usefixtures("stopped_soon")
@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_template_that_does_not_end_is_stopped_and_named(tmp_path: Path, text: str) -> None:
    begun = time.monotonic()

    problems = problems_of(tmp_path, "lead.txt", text)

    assert any(problem.startswith("lead.txt: ") for problem in problems), problems
    assert time.monotonic() - begun < 120  # for ever is longer, however busy the machine is


@pytest.mark.parametrize(("work", "ends"), [("time.sleep(0.5)", 0), ("while True: pass", 1)], ids=["case0", "case1"])
def test_a_machine_that_is_busy_is_no_fault_of_a_template_where_the_system_counts_nothing(work: str, ends: int) -> None:
    program = f"""import faulthandler, os, sys, time
sys.modules["resource"] = None
faulthandler.dump_traceback_later = lambda *given, **named: None  # which ends it by the clock
from monitor.messages.template_process import Watch
Watch(0.3).start()
{work}
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == ends
    assert ('File "<string>", line 6 in <module>' in done.stderr) is bool(ends)


@pytest.mark.usefixtures("stopped_soon")
def test_the_template_is_named_that_hangs_and_not_the_one_that_calls_it(tmp_path: Path) -> None:
    phrases = (shipped("templates") / "phrases.txt").read_text(encoding="utf-8")
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    head = "{% macro heading(digest) -%}"
    assert head in phrases

    (problem,) = problems_of(tmp_path, "phrases.txt", phrases.replace(head, head + endless))

    assert problem.startswith(f"phrases.txt: stopped: it takes over {SECONDS} seconds")


@pytest.mark.usefixtures("stopped_soon")
def test_what_was_wrong_before_an_endless_one_is_told_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lead.txt").write_text("{{ digest.nothing_like_it }}", encoding="utf-8")

    problems = problems_of(tmp_path, "head.txt", ENDLESS["ranges within ranges"])

    assert [problem.partition(":")[0] for problem in problems] == ["lead.txt", "head.txt"]


def test_templates_that_take_too_long_together_are_told_of_before_all_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_templates, "SECONDS_OF_TRIAL", 0)
    text = (shipped("templates") / "lead.txt").read_text(encoding="utf-8")

    (problem,) = problems_of(tmp_path, "lead.txt", text)

    assert problem.startswith("lead.txt: takes 0 seconds for a few short messages; look for a loop")


def test_a_slow_template_that_only_shipped_ones_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_templates, "SECONDS_OF_TRIAL", -1)

    slow = own_templates.OwnTemplates({"team.css": "", "phrases.txt": ""}, STOCK).find_slow()

    assert slow is not None
    assert slow.startswith("phrases.txt: takes")


def test_what_templates_took_on_earlier_nights_counts_for_no_trial(tmp_path: Path) -> None:
    (tmp_path / "lead.txt").write_bytes((shipped("templates") / "lead.txt").read_bytes())
    templates = read_templates(tmp_path)
    assert templates.own is not None
    templates.own.spent["lead.txt"] = 100.0  # the mails of a month, in a service that keeps its templates

    samples.prove(templates)

    assert sum(templates.own.spent.values()) < 100


SHELL = "{{{{ {}.__init__.__globals__['os'].system('touch {}') }}}}"
BREAKING_OUT = {
    "a global of Jinja": "{{ cycler.__init__.__globals__.os.popen('touch MARK').read() }}",
    "a filter that fetches": "{{ (cycler | attr('__init__') | attr('__globals__'))['os'].system('touch MARK') }}",
    "our own object": "{{ digest.__class__.__init__.__globals__['__builtins__']['open']('MARK', 'w') }}",
    "the module behind it": "{{ digest.night.title.__func__.__globals__ }}",
    "a format": "{{ '{0.__class__.__init__.__globals__}'.format(digest) }}",
    "a map": "{{ [digest] | map(attribute='__class__') | first }}",
    "a list that is changed": "{{ digest.reasons.append(1) }}",
    "a file outside": "{% include '../secret.txt' %}",
    "a file by its whole name": "{% include '/etc/passwd' %}",
    "the people on the restricted list": "{{ digest.night.routes.restricted }}",
    "the reasons of a sensitive rule": "{% for line in digest.lines %}{{ line.because }}{% endfor %}",
    "the flags by person": "{% for person in digest.everyone %}{{ person }}{% endfor %}",
    "the rules": "{{ digest.night.rules }}",
}


@pytest.mark.parametrize("text", BREAKING_OUT.values(), ids=BREAKING_OUT)
def test_a_template_reads_and_runs_nothing_but_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "words").mkdir()
    mark = tmp_path / "mark"

    problems = problems_of(tmp_path / "words", "lead.txt", text.replace("MARK", str(mark)))

    assert all(problem.startswith("lead.txt: ") for problem in problems)
    assert not mark.exists()


def readable(value: Any, sandbox: TemplateSandbox, seen: set[int]) -> Iterator[Any]:
    """Everything that a template can come to from a value."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    if isinstance(value, Mapping):
        yield from (found for each in (*value, *value.values()) for found in readable(each, sandbox, seen))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (found for each in value for found in readable(each, sandbox, seen))
    elif dataclasses.is_dataclass(value) or isinstance(value, tuple):
        for name in (name for name in dir(value) if not name.startswith("_")):
            with_it = getattr(value, name)
            if not callable(with_it) and sandbox.is_safe_attribute(value, name, with_it):
                yield from readable(with_it, sandbox, seen)


def test_no_flag_as_it_is_and_no_rule_can_be_come_to_from_a_message() -> None:
    sandbox, seen = TemplateSandbox(), set[int]()
    kept = samples.make()

    found = {type(each) for digest in kept for each in readable(digest, sandbox, seen)}

    assert len(found) > 30
    assert found & {FlagLine, PersonNews, ComingDue, Rule, samples.Words} == set()


@needs_posix("links or pipes that anybody may make")
def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (words / "report.css").symlink_to(tmp_path / "secret")
    (words / "lead.txt").symlink_to(words / "lead.txt")
    (words / "head.txt").symlink_to("/dev/zero")
    (words / "folder").symlink_to("/")
    os.mkfifo(words / "page.txt")

    problems = problems_of(words, "notice.txt", b"\xff\xfe\x00")

    assert {problem.partition(":")[0] for problem in problems} == {
        "report.css", "lead.txt", "head.txt", "page.txt", "notice.txt"
    }  # fmt: skip


def test_a_secret_of_the_environment_is_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")

    assert "secret" not in own_templates._environment().values()


def test_the_shipped_templates_say_the_same_in_the_sandbox(tmp_path: Path) -> None:
    templates = read_templates(shipped("templates"))

    assert templates.own is not None
    for digest in samples.make():
        assert render_together((digest,), templates) == render_together((digest,))


def test_what_a_template_leaves_out_of_a_message_is_escaped_as_ever(tmp_path: Path) -> None:
    (tmp_path / "notice.html").write_text("<p>{{ digest.reasons[0] }}</p>", encoding="utf-8")
    notice = next(digest for digest in samples.make() if isinstance(digest, Notice))

    mail = render(dataclasses.replace(notice, reasons=("<b>&",)), read_templates(tmp_path))

    assert "<p>&lt;b&gt;&amp;</p>" in mail.html


def test_a_fault_of_the_templates_is_told_in_the_shipped_words(tmp_path: Path) -> None:
    (tmp_path / "notice.txt").write_text("{{ 'a' * 10**11 }}", encoding="utf-8")
    notice = next(digest for digest in samples.make() if isinstance(digest, Notice))

    assert render(notice, read_templates(tmp_path)) == render(notice)


def test_a_night_is_told_in_a_councils_own_words_and_names_no_sensitive_rule(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    own = "{% for p in digest.also_new %}{{ p.items | map(attribute='title') | list }}"
    own = f"Our own words: {own}{{% endfor %}}"
    (tmp_path / "words" / "lead.txt").write_text(own, encoding="utf-8")
    council = Council(tmp_path, 'templates = "words"')
    in_custody = settled("P1", accommodation="X: In custody", suitable="b) Unsuitable", contact="01/06/2025")

    council.night(NIGHT, [settled("P1"), *crowd(9)])
    council.night(day(1), [in_custody, *crowd(9)])

    mail = next(mail for mail in council.mail() if "Our own words: [" in mail.text)
    assert "Pathway plan missing or incomplete" in mail.text
    assert "custody" not in mail.text


def test_the_words_of_a_sensitive_rule_are_not_passed_on() -> None:
    rule = shipped_rules().by_id["custody-contact"]

    passed = own_templates._write_pickle({"custody-contact": rule})

    assert b"custody" not in passed.replace(b"custody-contact", b"").lower()


def test_the_shipped_templates_start_no_process_and_no_sandbox() -> None:
    program = (
        "import sys\nfrom monitor.messages import samples\nfrom monitor.messages.templates import open_templates\n"
        "samples.prove(open_templates())\n"
        "print([name for name in ('jinja2.sandbox', 'monitor.messages.own_templates') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_process_that_ended_for_want_of_work_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_templates, "IDLE_SECONDS", 0.2)
    (tmp_path / "notice.txt").write_text("In our own words", encoding="utf-8")
    notice = next(digest for digest in samples.make() if isinstance(digest, Notice))
    templates = read_templates(tmp_path)
    assert templates.own is not None
    before = render(notice, templates)

    process = templates.own._process
    assert process is not None
    assert process.status == 0

    assert render(notice, templates) == before
    assert templates.own._process is not process
