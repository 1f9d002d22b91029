"""Rule files as a council writes them: what is refused, in what words, and what the config may adjust."""

import re
from datetime import date
from pathlib import Path

import pytest

from monitor.config.settings import RuleSettings
from monitor.durations import Duration
from monitor.errors import Problems
from monitor.rulebook.covers import find_ages
from monitor.rulebook.kept_rulebook import open_shipped
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook

BAD_RULES = Path(__file__).parent / "bad_rules"

PLAN = """
title = "Pathway plan overdue for review"
severity = "high"
basis = "law"
law = ["ca1989-23c-1-5a"]
report = [32, 50]
why = "A plan that is not reviewed stops fitting."
action = "Hold the review."
needs = ["pathway_plan_review_date"]
applies_to = "age between 16 and 20 and pathway_plan_review_date is not null"
due_on = "pathway_plan_review_date + review_within"
breach_if = "due_on < as_at"
because = "Plan last reviewed {{ pathway_plan_review_date | date }}; due {{ due_on | date }}."

[limits]
review_within = "6 months"
"""
NEET = """
title = "Not in education, employment or training"
severity = "medium"
basis = "report"
reference = "Report"
why = "Work and study open doors."
action = "Ask what would help."
needs = ["activity"]
applies_to = "age >= longest_wait"
breach_if = "activity in (neet)"
because = "Activity: {{ activity | meaning }}."

[limits]
neet = ["G5"]
longest_wait = 17
"""


def write(folder: Path, **rules: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in rules.items():
        (folder / f"{name.replace('_', '-')}.toml").write_text(text, encoding="utf-8")
    return folder


def problems_of(*folders: Path, **settings: RuleSettings) -> tuple[str, ...]:
    with pytest.raises(Problems) as caught:
        load_rulebook(folders, {name.replace("_", "-"): value for name, value in settings.items()})
    return caught.value.problems


def load(*folders: Path, **settings: RuleSettings) -> Rulebook:
    return load_rulebook(folders, {name.replace("_", "-"): value for name, value in settings.items()})


# Bad files


@pytest.fixture(scope="module")
def bad_rules() -> tuple[str, ...]:
    return problems_of(BAD_RULES)


@pytest.mark.parametrize("path", sorted(BAD_RULES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_bad_rule_is_refused_with_its_file_its_key_and_the_remedy(path: Path, bad_rules: tuple[str, ...]) -> None:
    first = path.read_bytes().splitlines()[0].decode()
    expected = first.removeprefix("# expect: ")

    said = [problem for problem in bad_rules if problem.startswith(f"bad_rules/{path.name}: ")]

    assert len(said) == 1, said
    assert expected in said[0]


def test_a_problem_is_one_plain_line(bad_rules: tuple[str, ...]) -> None:
    for problem in bad_rules:
        place, key, rest = problem.split(": ", 2)

        assert place.startswith("bad_rules/")
        assert key
        assert rest
        assert not problem.endswith(".")
        assert "\n" not in problem
        assert "error" not in problem.lower()


def test_every_mistake_of_one_file_is_listed_at_once(tmp_path: Path) -> None:
    wrong = PLAN.replace('"high"', '"urgent"').replace("age between", "aeg between").replace("| date", "| day")
    wrong = wrong.replace("report = [32, 50]", "report = [99]").replace('why = "', 'wy = "')
    rules = write(tmp_path / "rules", plan=wrong)

    problems = problems_of(rules)

    keys = {problem.split(": ")[1] for problem in problems}
    assert keys == {"severity", "applies_to", "because", "report", "wy", "why"}


def test_a_folder_that_is_missing_or_empty_is_a_problem(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty")

    problems = problems_of(empty, tmp_path / "nowhere")

    assert problems == (
        "config: rules: empty: holds no rule file; name a folder that does",
        "config: rules: nowhere: no such folder; name a folder of rule files",
    )


# What a rulebook is


def test_rules_stand_most_severe_first_then_by_id(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", b=NEET, a=NEET, plan=PLAN)

    book = load(rules)

    assert [rule.id for rule in book.rules] == ["plan", "a", "b"]
    assert book.find("plan").limits["review_within"] == Duration(6, "month")
    assert book.find("plan").file == "rules/plan.toml"


def test_a_file_that_begins_with_an_underscore_is_not_a_rule(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", plan=PLAN)
    (rules / "_not-rules.toml").write_text("anything = 1")

    book = load(rules)

    assert [rule.id for rule in book.rules] == ["plan"]


def test_asking_for_an_unknown_rule_names_the_nearest(tmp_path: Path) -> None:
    book = load(write(tmp_path / "rules", plan=PLAN))

    with pytest.raises(Problems, match=r'plam: no such rule; did you mean "plan"\?'):
        book.find("plam")


def test_a_rule_is_in_force_only_while_it_is_live_and_within_its_dates(tmp_path: Path) -> None:
    dated = "effective_from = 2026-02-01\neffective_to = 2026-03-31\n" + PLAN
    rules = write(tmp_path / "rules", dated=dated, draft='status = "draft"\n' + PLAN, plan=PLAN)

    book = load(rules)

    asked = {day: [rule.id for rule in book.in_force(date.fromisoformat(day))] for day in (
        "2026-01-31", "2026-02-01", "2026-03-31", "2026-04-01"
    )}  # fmt: skip
    assert asked == {
        "2026-01-31": ["plan"],
        "2026-02-01": ["dated", "plan"],
        "2026-03-31": ["dated", "plan"],
        "2026-04-01": ["plan"],
    }
    assert [rule.id for rule in book.rules] == ["dated", "draft", "plan"]


def test_meaning_changes_with_conditions_and_limits_and_not_with_wording_or_layout(tmp_path: Path) -> None:
    reworded = PLAN.replace("Hold the review", "Hold it soon").replace("Plan last reviewed", "Reviewed")
    laid_out = PLAN.replace("age between 16 and 20 and", "AGE  between 16\\n and 20 AND")
    relimited = PLAN.replace('"6 months"', '"5 months"')
    rewritten = PLAN.replace("due_on < as_at", "due_on <= as_at")

    before, same, also, limit, condition = (
        load(write(tmp_path / str(n), plan=text))
        for n, text in enumerate((PLAN, reworded, laid_out, relimited, rewritten))
    )

    assert before.find("plan").meaning == same.find("plan").meaning == also.find("plan").meaning
    assert before.fingerprint == same.fingerprint == also.fingerprint
    assert len({before.fingerprint, limit.fingerprint, condition.fingerprint}) == 3


# A council's own rules


def test_a_councils_rule_of_the_same_id_must_say_that_it_overrides(tmp_path: Path) -> None:
    shipped = write(tmp_path / "rules", plan=PLAN)
    own = write(tmp_path / "own", plan=PLAN)

    (problem,) = problems_of(shipped, own)

    assert problem == (
        'own/plan.toml: name: rules/plan.toml has the same id; choose another, or say "overrides = true" to use '
        "this one instead"
    )


def test_an_override_replaces_the_shipped_rule_and_says_so_where_law_is_changed(tmp_path: Path) -> None:
    shipped = write(tmp_path / "rules", plan=PLAN, neet=NEET)
    own = write(tmp_path / "own", plan="overrides = true\n" + PLAN.replace('"6 months"', '"12 months"'))

    book = load(shipped, own)

    assert book.find("plan").limits["review_within"] == Duration(12, "month")
    assert book.adjustments == (
        '"Pathway plan overdue for review" stands for a legal duty; this authority uses its own version of it.',
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('severity = "high"', 'severity = "low"'),
        ('basis = "law"', 'basis = "practice"'),
        ("[limits]", 'status = "draft"\n[limits]'),
        ("[limits]", "effective_to = 2026-01-31\n[limits]"),
    ],
)
def test_an_override_that_asks_the_same_more_mildly_is_said_too(tmp_path: Path, old: str, new: str) -> None:
    shipped = write(tmp_path / "rules", plan=PLAN)
    same = load(shipped, write(tmp_path / "same", plan="overrides = true\n" + PLAN))
    own = load(shipped, write(tmp_path / "own", plan="overrides = true\n" + PLAN.replace(old, new)))

    assert same.adjustments == ()
    assert "this authority uses its own version of it" in own.adjustments[0]


# The config's adjustments


def test_a_setting_for_an_unknown_rule_or_limit_names_the_nearest(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", plan=PLAN)

    problems = problems_of(rules, plam=RuleSettings(), plan=RuleSettings(limits={"review_wthin": "6 months"}))

    assert set(problems) == {
        'config: rule.plam: no such rule; did you mean "plan"?',
        'config: rule.plan.limits.review_wthin: no such limit; did you mean "review_within"?',
    }


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        (
            {"neet": "6 weeks"},
            'limits.neet: is a duration in words, like "6 weeks"; it must be a list of codes',
        ),
        ({"neet": ("G5", "G9")}, 'limits: the limit "neet": "G9" is not a code of activity'),
        ({"longest_wait": "soon"}, 'limits.longest_wait: "soon" is not a duration'),
        ({"longest_wait": date(2026, 1, 1)}, "limits.longest_wait: is a date; it must be a number"),
    ],
)
def test_a_limit_of_the_wrong_kind_is_refused(tmp_path: Path, limits: dict[str, object], fault: str) -> None:
    rules = write(tmp_path / "rules", neet=NEET)

    (problem,) = problems_of(rules, neet=RuleSettings(limits=limits))  # type: ignore[arg-type]

    assert problem.startswith("config: rule.neet.")
    assert fault in problem


def test_a_rule_of_practice_is_adjusted_without_a_reason(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", neet=NEET, plan=PLAN)
    settings = RuleSettings(severity="low", limits={"neet": ("G4", "G5"), "longest_wait": 18})

    book = load(rules, neet=settings)

    assert book.find("neet").severity == "low"
    assert book.find("neet").limits == {"neet": ("G4", "G5"), "longest_wait": 18}
    assert book.find("neet").meaning != load(rules).find("neet").meaning
    assert book.adjustments == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"enabled": False}, "it is not checked here"),
        ({"severity": "medium"}, "its severity here is medium, not high"),
        ({"limits": {"review_within": "8 months"}}, "review within is 8 months here, not 6 months"),
        ({"limits": {"review_within": "183 days"}}, "review within is 183 days here, not 6 months"),
    ],
)
def test_loosening_law_needs_a_reason_and_a_name_and_is_put_in_words(
    tmp_path: Path, settings: dict[str, object], says: str
) -> None:
    rules = write(tmp_path / "rules", plan=PLAN)

    problems = problems_of(rules, plan=RuleSettings(**settings))  # type: ignore[arg-type]
    book = load(rules, plan=RuleSettings(**settings, reason="Pilot.", approved_by="A Director"))  # type: ignore[arg-type]

    assert len(problems) == 2
    assert problems[0].startswith(f"config: rule.plan.reason: missing; this rule stands for law and {says}")
    assert problems[1].startswith("config: rule.plan.approved_by: missing")
    assert book.adjustments == (
        f'"Pathway plan overdue for review" stands for a legal duty; {says}: Pilot (approved by A Director).',
    )


@pytest.mark.parametrize("settings", [{"severity": "critical"}, {"limits": {"review_within": "5 months"}}], ids=str)
def test_tightening_law_needs_no_reason(tmp_path: Path, settings: dict[str, object]) -> None:
    rules = write(tmp_path / "rules", plan=PLAN)

    book = load(rules, plan=RuleSettings(**settings))  # type: ignore[arg-type]

    assert book.adjustments == ()
    assert [rule.id for rule in book.rules] == ["plan"]


def test_a_rule_switched_off_is_gone_and_the_reason_for_that_is_told(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", neet=NEET, plan=PLAN)

    book = load(rules, neet=RuleSettings(enabled=False))

    assert [rule.id for rule in book.rules] == ["plan"]
    assert book.switched_off == ("neet",)
    with pytest.raises(Problems, match="neet: no such rule; the config switches it off"):
        book.find("neet")


SECRET = 'sensitive = true\nshown_as = "cover"\n' + PLAN.replace("Pathway plan", "Prison plan")


def test_what_is_said_of_a_sensitive_rule_in_a_message_about_all_does_not_name_it(tmp_path: Path) -> None:
    rules = write(tmp_path / "rules", plan=SECRET, cover=PLAN)

    book = load(rules, plan=RuleSettings(enabled=False, reason="Pilot", approved_by="A Director"))

    assert book.adjustments == (
        "A rule that messages do not name stands for a legal duty; it is not checked here: "
        "Pilot (approved by A Director).",
    )


def test_a_rule_knows_which_sensitive_ones_it_stands_for(tmp_path: Path) -> None:
    book = load(write(tmp_path / "rules", plan=SECRET, cover=PLAN))

    assert (book.find("cover").stands_for, book.find("plan").stands_for) == (("plan",), ())


def changed(text: str, **keys: str) -> str:
    """The rule with other values of some keys, or with more keys."""
    for key, value in keys.items():
        line = f"{key} = {value}"
        text, found = re.subn(rf"^{key} = .*$", lambda _, line=line: line, text, flags=re.MULTILINE)
        text = text if found else f"{line}\n{text}"
    return text


@pytest.mark.parametrize(
    ("cover", "fault"),
    [
        (changed(PLAN, severity='"medium"'), '"cover" is medium where this rule is high'),
        (changed(PLAN, applies_to='"age < 18 and pathway_plan_review_date is not null"'), "is not asked at 18, 19"),
        (changed(PLAN, escalate="false"), "never goes above the leads"),
        (changed(PLAN, recording="true"), "may be said once of the whole service"),
        (changed(PLAN, status='"draft"'), "is not asked whenever this rule is"),
        (changed(PLAN, effective_to="2030-01-01"), "is not asked whenever this rule is"),
        (changed(SECRET, shown_as='"plain"'), "is sensitive itself"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_a_cover_that_can_be_told_from_the_sensitive_rule_is_refused(tmp_path: Path, cover: str, fault: str) -> None:
    problems = problems_of(write(tmp_path / "rules", plan=SECRET, cover=cover, plain=PLAN))

    problem = next(problem for problem in problems if problem.startswith("rules/plan.toml: shown_as: "))
    assert fault in problem
    assert problem.endswith("; name one that fits, like plain")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [({"severity": "critical"}, '"cover" is critical'), ({"enabled": False}, 'no rule "cover" is in use')],
)
def test_the_settings_do_not_tell_a_sensitive_rule_from_its_cover(
    tmp_path: Path, settings: dict[str, object], fault: str
) -> None:
    rules = write(tmp_path / "rules", plan=SECRET, cover=PLAN)

    problems = problems_of(rules, cover=RuleSettings(**settings, reason="Pilot", approved_by="A Director"))  # type: ignore[arg-type]

    assert any(fault in problem for problem in problems)


def test_every_shipped_rule_that_is_sensitive_has_a_cover_asked_at_the_same_ages() -> None:
    book = open_shipped()
    sensitive = [rule for rule in book.rules if rule.sensitive]

    assert len(sensitive) >= 10
    for rule in sensitive:
        cover = book.find(rule.shown_as or "")
        assert (cover.severity, cover.sensitive) == (rule.severity, False)
        assert find_ages(rule) <= find_ages(cover)
    assert {book.find(rule).shown_as for rule in ("over-21-vulnerable", "closed-vulnerable")} == {"combined-risk"}


@pytest.mark.parametrize(
    ("rule", "ages"),
    [("parent-plan", "21-24"), ("transition-decision", "17"), ("custody-contact", "16-24"), ("homeless", "16-24"),
     ("eligible-adviser", "16-17"), ("over-21-offer", "21-24"), ("pa-allocated", "16-20")],
)  # fmt: skip
def test_the_ages_at_which_a_rule_is_asked_are_read_from_it(rule: str, ages: str) -> None:
    first, _, last = ages.partition("-")

    assert find_ages(open_shipped().find(rule)) == set(range(int(first), int(last or first) + 1))
