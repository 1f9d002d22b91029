"""The report's paragraphs beside the rulebook."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, crowd
from typer.testing import CliRunner

from monitor.cli.command import app
from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.rulebook.report_map import draw
from monitor.rulebook.rule_folders import load_rulebook


def test_every_paragraph_from_28_to_54_has_a_rule_or_a_reason() -> None:
    paragraphs = draw(load_rulebook([shipped("rules")], {}), [shipped("rules")])

    assert [one.number for one in paragraphs] == list(range(28, 55))
    assert [one.number for one in paragraphs if not one.is_covered] == []


def test_each_paragraph_says_a_few_words_of_its_own_so_that_its_rules_can_be_checked() -> None:
    paragraphs = draw(load_rulebook([shipped("rules")], {}), [])
    gists = [one.about for one in paragraphs]

    assert len(set(gists)) == len(gists)
    assert [gist for gist in gists if not 4 <= len(gist.split()) <= 35] == []
    assert {one.as_dict()["report"] for one in paragraphs} == {"Ofsted on Cheshire East, March 2024"}


def test_every_paragraph_that_a_rule_names_is_on_the_map() -> None:
    beyond = [
        rule.id for rule in load_rulebook([shipped("rules")], {}).rules if not set(rule.report) <= {*range(28, 55)}
    ]

    assert beyond == []


def test_no_paragraph_is_said_to_have_no_rule_when_it_has_one() -> None:
    paragraphs = draw(load_rulebook([shipped("rules")], {}), [shipped("rules")])

    assert [one.number for one in paragraphs if one.rules and one.why_none] == []


def test_a_rule_switched_off_is_said_to_be(tmp_path: Path) -> None:
    paragraphs = draw(load_rulebook([shipped("rules")], {}), [shipped("rules")], switched_off=("homeless",))

    (about,) = [rule for one in paragraphs if one.number == 47 for rule in one.rules if rule.rule == "homeless"]
    assert about.standing == "switched off"


def test_a_paragraph_with_neither_is_not_covered() -> None:
    paragraphs = draw(load_rulebook([shipped("rules")], {}), [])

    assert not next(one for one in paragraphs if one.number == 39).is_covered


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[paragraph]]\nnumber = 39\n", "paragraph 1: its keys must be number, why"),
        ('[[paragraph]]\nnumber = 3\nwhy = "x"\n', "paragraph 1: number: not a paragraph from 28 to 54"),
        ('[[part]]\nnumber = 39\nwhat = " "\nwhy = "x"\n', "part 1: what: empty"),
        ('[[paragraf]]\nnumber = 39\nwhy = "x"\n', "paragraf: no such table"),
    ],
)
def test_a_reason_that_cannot_be_read_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "_not-rules.toml").write_text(text, encoding="utf-8")

    with pytest.raises(Problems, match=r"_not-rules\.toml: ") as caught:
        draw(load_rulebook([shipped("rules")], {}), [tmp_path])

    assert words in str(caught.value)


def test_the_map_says_of_which_paragraphs_nobody_could_be_asked_on_the_last_night(tmp_path: Path) -> None:
    council = Council(tmp_path)

    def find(number: int) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["rules", "map", "--json", "--config", str(council.config_path)])
        assert done.exit_code == 0, done.output
        return next(each for each in json.loads(done.output) if each["paragraph"] == number)

    council.write(crowd(21), leave_out=("plan", "contact", "in_touch", "adviser"))
    before = find(30), find(36)
    council.night(NIGHT)
    after = find(30), find(36)

    for plans, homes in (before, after):
        reasons = {rule["id"]: rule["unasked"] for rule in (*plans["rules"], *homes["rules"])}
        assert reasons["eligible-plan"] == "no source supplies pathway plan review date"
        assert reasons["homeless"] is None
        assert (plans["nobody_asked"], homes["nobody_asked"]) == (True, False)
