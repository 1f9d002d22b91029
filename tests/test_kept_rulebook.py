"""A checked rulebook is kept and read again, and believed only as its owner kept it, for the very same files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.posix import WINDOWS, needs_posix

from monitor.config.settings import RuleSettings, shipped
from monitor.errors import Problems
from monitor.rulebook import kept_rulebook, questions
from monitor.rulebook.kept_rulebook import find_key, read_rulebook
from monitor.rulebook.ledger import LEDGER
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook

RULES = shipped("rules")
ADJUSTED = {
    "contact-overdue": RuleSettings(severity="low", reason="Trial", approved_by="Head of service"),
    "neet": RuleSettings(enabled=False),
}


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and nothing made with the package that could be read in its place."""
    monkeypatch.setattr(kept_rulebook, "BUILT", tmp_path / "no-such-file")
    kept_rulebook._decode.cache_clear()
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def own_rules(tmp_path: Path) -> Path:
    """A council's folder with one shipped rule in it."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "plan-overdue-here.toml").write_bytes((RULES / "contact-overdue.toml").read_bytes())
    return folder


def kept_files(data_folder: Path) -> list[Path]:
    return sorted((data_folder / "cache").glob("*"))


def all_sql(rulebook: Rulebook) -> list[str]:
    return [
        sql
        for rule in rulebook.rules
        for sql in (
            questions.outcome_sql(rule, frozenset(rule.needs)),
            questions.outcome_sql(rule, frozenset()),
            questions.due_on_sql(rule),
            questions.because_sql(rule),
            questions.reasons_sql(rule),
        )
    ]


def was_read(folders: tuple[Path, ...], data_folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> bool:
    """Whether the rulebook comes from what is kept; it is checked anew, and the same, if not."""
    checked: list[object] = []
    plain = load_rulebook(folders, settings)  # type: ignore[arg-type]
    with monkeypatch.context() as watched:
        watched.setattr(kept_rulebook, "_check", lambda *asked: checked.append(asked) or load_rulebook(*asked))
        assert read_rulebook(folders, settings, data_folder) == plain  # type: ignore[arg-type]
    return not checked


@pytest.mark.parametrize("settings", [{}, ADJUSTED])
def test_what_is_kept_asks_and_says_the_very_same(data_folder: Path, settings: dict[str, RuleSettings]) -> None:
    checked = load_rulebook((RULES,), settings)
    read_rulebook((RULES,), settings, data_folder)
    kept = read_rulebook((RULES,), settings, data_folder)

    assert kept == checked
    assert kept.fingerprint == checked.fingerprint
    assert all_sql(kept) == all_sql(checked)
    assert [rule.columns for rule in kept.rules] == [rule.columns for rule in checked.rules]
    assert [rule.examples for rule in kept.rules] == [rule.examples for rule in checked.rules]
    for rule, twin in zip(kept.rules, checked.rules, strict=True):
        assert [condition.tree for condition in rule.conditions] == [condition.tree for condition in twin.conditions]


def test_it_is_kept_for_its_owner_alone_and_read_the_next_time(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_read((RULES,), data_folder, monkeypatch)
    (kept,) = kept_files(data_folder)
    if not WINDOWS:
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert was_read((RULES,), data_folder, monkeypatch)


def test_another_process_reads_it_without_the_parser(data_folder: Path) -> None:
    read_rulebook((RULES,), {}, data_folder)
    asked = f"""
import sys
from pathlib import Path
from monitor.rulebook import kept_rulebook, questions
kept_rulebook.BUILT = Path("no-such-file")
rules = kept_rulebook.read_rulebook((Path({str(RULES)!r}),), {{}}, Path({str(data_folder)!r})).rules
assert [questions.outcome_sql(rule, frozenset(rule.needs)) for rule in rules]
print("sqlglot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_another_file_setting_or_version_is_checked_anew(
    data_folder: Path, own_rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_read((own_rules,), data_folder, monkeypatch)
    assert was_read((own_rules,), data_folder, monkeypatch)

    changed = {"plan-overdue-here": RuleSettings(severity="critical")}
    assert not was_read((own_rules,), data_folder, monkeypatch, **changed)
    assert was_read((own_rules,), data_folder, monkeypatch, **changed)

    rule = own_rules / "plan-overdue-here.toml"
    rule.write_text(rule.read_text(encoding="utf-8") + "\n# A note.\n", encoding="utf-8")
    assert not was_read((own_rules,), data_folder, monkeypatch)

    (own_rules / "second.toml").write_bytes(rule.read_bytes())
    assert not was_read((own_rules,), data_folder, monkeypatch)

    monkeypatch.setattr(kept_rulebook, "version", lambda name: "another")
    kept_rulebook._checked_with.cache_clear()
    assert not was_read((own_rules,), data_folder, monkeypatch)
    kept_rulebook._checked_with.cache_clear()


def test_another_ledger_of_law_is_another_rulebook(
    own_rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a council that leaves the shipped rules out, and the ledger's folder with them."""
    key = find_key((own_rules,), {})
    (tmp_path / "rules").mkdir()
    ledger = (RULES / LEDGER).read_text(encoding="utf-8")
    (tmp_path / "rules" / LEDGER).write_text(ledger.replace('grade = "B"', 'grade = "A"'), encoding="utf-8")
    monkeypatch.setattr(kept_rulebook, "shipped", lambda name: tmp_path / name)
    kept_rulebook._checked_with.cache_clear()

    assert find_key((own_rules,), {}) not in (key, None)

    kept_rulebook._checked_with.cache_clear()


def test_a_rule_that_became_wrong_is_still_refused(data_folder: Path, own_rules: Path) -> None:
    read_rulebook((own_rules,), {}, data_folder)
    (own_rules / "plan-overdue-here.toml").write_text("title = 3", encoding="utf-8")
    with pytest.raises(Problems, match=r"plan-overdue-here\.toml: title"):
        read_rulebook((own_rules,), {}, data_folder)


def weaken(kept: Path) -> None:
    """Change what a rule asks, as somebody would who wanted nobody to be flagged."""
    text = kept.read_text(encoding="utf-8")
    assert '"gte"' in text
    kept.write_text(text.replace('"gte"', '"lt"'), encoding="utf-8")


DAMAGE = {
    "changed": weaken,
    "cut short": lambda kept: kept.write_bytes(kept.read_bytes()[:-200]),
    "empty": lambda kept: kept.write_bytes(b""),
    "not text": lambda kept: kept.write_bytes(b"\xff\xfe\x00"),
    "of another shape": lambda kept: _write_signed(kept, json.dumps([[{"Rule": [1]}], [], []])),
    "of another kind": lambda kept: _write_signed(kept, json.dumps({"rules": []})),
    "a folder": lambda kept: (kept.unlink(), kept.mkdir()),
}
FOREIGN = {
    "writable by others": lambda kept: kept.chmod(0o666),
    "readable by others": lambda kept: kept.chmod(0o644),
    "in a folder writable by others": lambda kept: kept.parent.chmod(0o777),
    "a link": lambda kept: (kept.rename(kept.parent.parent / "elsewhere"), kept.symlink_to("../elsewhere")),
}


def _write_signed(kept: Path, body: str) -> None:
    """Write a body with a head that fits it, as a fault of our own could."""
    key = kept.read_text(encoding="utf-8").split(" ")[0]
    kept.write_text(f"{key} {kept_rulebook._digest(body)}\n{body}", encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_made_anew(damage: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_rulebook((RULES,), {}, data_folder)
    (kept,) = kept_files(data_folder)
    DAMAGE[damage](kept)
    assert not was_read((RULES,), data_folder, monkeypatch)


@needs_posix("file modes")
@pytest.mark.parametrize("fault", FOREIGN)
def test_what_others_could_have_written_is_not_believed(
    fault: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_rulebook((RULES,), {}, data_folder)
    (kept,) = kept_files(data_folder)
    FOREIGN[fault](kept)
    assert not was_read((RULES,), data_folder, monkeypatch)


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_folder / "cache").write_text("a file, where the folder should be")
    assert not was_read((RULES,), data_folder, monkeypatch)
    assert not was_read((RULES,), data_folder / "not-there", monkeypatch)
    assert not (data_folder / "not-there").exists()


def test_only_the_last_few_are_kept(data_folder: Path, own_rules: Path) -> None:
    for severity in ("critical", "high", "medium", "low", "data"):
        read_rulebook((own_rules,), {"plan-overdue-here": RuleSettings(severity=severity)}, data_folder)
    newest = find_key((own_rules,), {"plan-overdue-here": RuleSettings(severity="data")})
    names = [path.name for path in kept_files(data_folder)]
    assert len(names) == kept_rulebook.MOST_KEPT
    assert f"rulebook-{str(newest)[:16]}.json" in names


def test_the_rulebook_made_with_the_package_is_the_shipped_one(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "rulebook.json"
    kept_rulebook.write_built(built)
    monkeypatch.setattr(kept_rulebook, "BUILT", built)
    assert was_read((RULES,), data_folder, monkeypatch)
    assert kept_files(data_folder) == []


@pytest.mark.skipif(not kept_rulebook.SHIPPED.is_dir(), reason="only an installed wheel has a rulebook made with it")
def test_the_installed_monitor_reads_the_rulebook_that_was_checked_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rulebook, "_check", lambda *asked: pytest.fail("checked anew"))
    assert kept_rulebook.open_shipped() == load_rulebook((RULES,), {})
