"""What each source can be believed about: verdicts by rule, from what is known of columns and from the conditions."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest
from support.council import Council, crowd, settled

from monitor.catalogue.columns import BY_NAME, COLUMNS, LIST_9_COLUMNS
from monitor.cli.check import check
from monitor.config.settings import load_config, shipped
from monitor.gate import source_fitness
from monitor.gate.source_fitness import Supply
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook

LIST_9 = Supply("caseload", "annex-a-list-9", frozenset(LIST_9_COLUMNS))


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return load_rulebook((shipped("rules"),), {})


def own_rule(folder: Path, applies_to: str, breach_if: str, needs: str = "[]", due_on: str = "") -> Rulebook:
    """A rulebook of one rule that a council might write."""
    folder.mkdir()
    due = f'due_on = "{due_on}"' if due_on else ""
    (folder / "own.toml").write_text(
        f"""
        title = "A rule of our own"
        severity = "medium"
        basis = "practice"
        reference = "Practice"
        report = []
        why = "Because."
        action = "Look."
        known_gaps = "None."
        needs = {needs}
        applies_to = "{applies_to}"
        {due}
        breach_if = "{breach_if}"
        because = "It is so."
        not_cleared_by = "Nothing does."
        """,
        encoding="utf-8",
    )
    return load_rulebook((folder,), {})


def verdict_of(rulebook: Rulebook, supply: Supply, rule: str = "own") -> source_fitness.Fitness:
    (found,) = (each for each in source_fitness.judge(rulebook.rules, [supply]) if each.rule == rule)
    return found


def test_a_rule_without_a_needed_column_is_not_supplied(rulebook: Rulebook) -> None:
    found = verdict_of(rulebook, LIST_9, "risk-plan")

    assert found.verdict == "not supplied"
    assert "risk plan review date" in found.why[0]


def test_a_rule_inherits_what_is_said_of_its_columns(rulebook: Rulebook) -> None:
    everything = frozenset(BY_NAME)

    systemc = verdict_of(rulebook, Supply("a", "ssd-systemc", everything), "pathway-plan-current")
    sql = verdict_of(rulebook, Supply("a", "sql", everything), "pathway-plan-current")

    assert systemc.verdict == "sound with a caveat"
    assert any("last edit of the plan's record" in why for why in systemc.why)
    assert (sql.verdict, sql.why) == ("sound", ())


def test_a_query_that_removes_the_people_a_rule_looks_for_means_it_cannot_fire(rulebook: Rulebook) -> None:
    everything = frozenset(BY_NAME)

    mosaic = verdict_of(rulebook, Supply("a", "ssd-mosaic", everything), "eligibility-unclear")

    assert mosaic.verdict == "cannot fire"
    assert "removes everyone without an eligibility" in mosaic.why[0]


@pytest.mark.parametrize(
    ("applies_to", "breach_if"),
    [
        ("true", "risk_open is true"),
        ("true", "(closure_date <= as_at) is true"),
        ("blank(closure_date)", "age >= 18"),
        ("age >= 18 and release_date > as_at", "true"),
        ("true", "closure_reason in ('moved', 'gone')"),
        ("age >= 18", "greatest(closure_date, release_date) < as_at"),
    ],
)
def test_a_rule_that_rests_on_what_no_source_has_cannot_fire(tmp_path: Path, applies_to: str, breach_if: str) -> None:
    rulebook = own_rule(tmp_path / "own", applies_to, breach_if)

    found = verdict_of(rulebook, LIST_9)

    assert found.verdict == "cannot fire"
    assert "it is never in breach" in found.why[0]
    assert verdict_of(rulebook, Supply("a", "sql", frozenset(BY_NAME))).verdict == "sound"


@pytest.mark.parametrize(
    ("applies_to", "breach_if"),
    [
        ("true", "(risk_open is true) is not true"),
        ("age >= 18 or risk_open", "age >= 20"),
        ("not declined", "(release_date < as_at) is not true and age >= 18"),
    ],
)
def test_a_rule_that_can_do_without_a_column_still_fires(tmp_path: Path, applies_to: str, breach_if: str) -> None:
    found = verdict_of(own_rule(tmp_path / "own", applies_to, breach_if), LIST_9)

    assert found.verdict == "sound"


def test_every_shipped_rule_can_fire_where_everything_is_supplied(rulebook: Rulebook) -> None:
    found = source_fitness.judge(rulebook.rules, [Supply("a", "sql", frozenset(BY_NAME))])

    assert {each.verdict for each in found} == {"sound"}


def test_each_source_is_judged_by_itself(rulebook: Rulebook) -> None:
    supplement = Supply("local", "supplement", frozenset({"risk_open", "risk_plan_review_date"}))

    alone = {
        (each.source, each.rule): each.verdict
        for each in source_fitness.judge_each(rulebook.rules, [LIST_9, supplement])
    }
    together = {each.rule: each.verdict for each in source_fitness.judge(rulebook.rules, [LIST_9, supplement])}

    assert alone[("caseload", "risk-plan")] == "not supplied"
    assert alone[("local", "homeless")] == "not supplied"
    assert together["risk-plan"] != "not supplied"


def test_what_is_said_is_said_of_real_columns_and_rules(rulebook: Rulebook) -> None:
    known = tomllib.loads(resources.files("monitor.gate").joinpath("source_fitness.toml").read_text(encoding="utf-8"))

    for kind, said in known.items():
        assert set(said) <= {"known", "columns", "cannot_fire"}, kind
        assert set(said.get("columns", {})) <= {column.name for column in COLUMNS}
        assert set(said.get("cannot_fire", {})) <= set(rulebook.by_id)
        for sentence in said.get("columns", {}).values():
            assert sentence.endswith("."), sentence
    for kind in ("ssd-systemc", "ssd-mosaic", "ssd-eclipse"):
        assert "published SQL" in known[kind]["known"]
        assert "not seen on a real system" in known[kind]["known"]


def test_check_prints_every_rule_on_every_source(tmp_path: Path, rulebook: Rulebook) -> None:
    council = Council(tmp_path)
    council.write(crowd(5))

    report = check(load_config(council.config_path), as_at=council.clock.date(), environ={})

    lines = "\n".join(dict(report.sections)["Fitness"])
    assert all(rule.id in lines for rule in rulebook.rules)
    assert "personal adviser: A name left in the list" in lines
    listed = report.as_dict()["fitness"]
    assert {"rule": "risk-plan", "source": "caseload", "verdict": "not supplied"}.items() <= next(
        each.items() for each in listed if each["rule"] == "risk-plan"
    )


def test_the_analyst_reads_the_caveats_of_tonights_breaches_and_no_others(tmp_path: Path) -> None:
    council = Council(tmp_path)

    council.night(council.clock.date(), [settled("P1", adviser=""), *crowd(5)])

    (mail,) = [mail for mail in council.mail() if mail.to.startswith("analyst")]
    foot = mail.text.split("What to know of the sources")[1]
    assert "personal adviser: A name left in the list" in foot
    assert "latest contact date" not in foot
    assert "What to know of the sources" in mail.html


def test_a_rule_that_cannot_fire_is_never_shown_as_no_breaches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from monitor.cli import night_account

    own_rule(tmp_path / "own", "true", "risk_open is true")
    council = Council(tmp_path, settings='rules = ["own"]')

    night = council.night(council.clock.date(), crowd(5))
    night_account.print_night(night, load_config(council.config_path))

    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.split()[:1] == ["own"]]
    assert "cannot fire" in row
    (mail,) = [mail for mail in council.mail() if mail.to.startswith("analyst")]
    (row,) = [line for line in mail.text.splitlines() if line.startswith("own ")]
    assert row.split() == ["own", "5", "cannot", "fire"]
    assert "cannot fire" in mail.html
