"""The shipped templates compiled when the wheel is built: the same words, and used only while their source is."""

import shutil
import tomllib
from pathlib import Path

import pytest

from monitor.config.settings import SHIPPED
from monitor.messages import compiled_templates, samples
from monitor.messages.parts import WrittenMessage
from monitor.messages.templates import (
    AS_THEY_ARE,
    COMPILED,
    STOCK,
    Templates,
    compile_shipped,
    open_templates,
    read_templates,
    render,
)


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """What a wheel keeps: the shipped templates, and beside them the compiled ones."""
    shutil.copytree(STOCK / "templates", tmp_path / "stock" / "templates")
    compile_shipped(tmp_path / "stock" / COMPILED, tmp_path / "stock")
    return tmp_path / "stock"


def find_compiled(templates: Templates, stock: Path) -> set[str]:
    """Find the templates that are loaded as Python source."""
    names = {path.name for path in (stock / "templates").iterdir() if path.suffix not in AS_THEY_ARE}
    return {name for name in names if (templates.environment.get_template(name).filename or "").endswith(".py")}


def write_all(templates: Templates) -> list[WrittenMessage]:
    return [render(digest, templates) for digest in samples.make()]


def test_every_template_is_compiled_and_says_the_same(stock: Path) -> None:
    templates = read_templates(stock=stock)
    uncompiled = read_templates(stock=_without_compiled(stock))

    assert len(find_compiled(templates, stock)) == len(list((stock / COMPILED).glob("tmpl_*.py"))) > 20
    assert find_compiled(uncompiled, stock) == set()
    assert write_all(templates) == write_all(uncompiled)


def test_a_template_changed_since_is_compiled_from_its_source(stock: Path) -> None:
    changed = stock / "templates" / "lead.txt"
    changed.write_text(changed.read_text(encoding="utf-8") + "\nA line of its own.\n", encoding="utf-8")

    templates = read_templates(stock=stock)

    assert "lead.txt" not in find_compiled(templates, stock)
    assert "lead.html" in find_compiled(templates, stock)
    assert "A line of its own." in write_all(templates)[0].text


def test_another_version_of_jinja_compiles_from_source(stock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = write_all(read_templates(stock=stock))

    monkeypatch.setattr(compiled_templates.jinja2, "__version__", "3.2.0")
    templates = read_templates(stock=stock)

    assert find_compiled(templates, stock) == set()
    assert write_all(templates) == expected


def test_a_councils_own_template_stands_before_the_compiled_one(stock: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(stock / "templates" / "phrases.txt", own)
    (own / "lead.subject.txt").write_text("In our own words\n", encoding="utf-8")

    mails, shipped_mails = write_all(read_templates(own, stock)), write_all(read_templates(stock=stock))

    assert "In our own words" in mails[0].subject
    assert [(mail.text, mail.html) for mail in mails] == [(mail.text, mail.html) for mail in shipped_mails]


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="only an installed wheel has compiled templates")
def test_the_installed_monitor_uses_what_was_compiled_with_it() -> None:
    templates = open_templates()

    assert len(find_compiled(templates, STOCK)) == len(list((STOCK / COMPILED).glob("tmpl_*.py"))) > 20


def _without_compiled(stock: Path) -> Path:
    plain = stock.with_name("plain")
    shutil.copytree(stock / "templates", plain / "templates")
    return plain


def test_the_wheel_is_built_with_the_versions_it_runs_with() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))

    needed = {line for line in project["build-system"]["requires"] if not line.startswith("hatchling")}

    assert needed <= set(project["project"]["dependencies"])
