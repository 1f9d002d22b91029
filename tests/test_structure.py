"""The plan of the house, held: names that occur once, packages that hold no logic, floors that are few."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).parent.parent / "monitor"
MOST_FOLDERS = 23
MOST_GROUND_MODULES = 9


def modules() -> Iterator[Path]:
    return (path for path in HOUSE.rglob("*.py") if path.name != "__init__.py" and "shipped" not in path.parts)


def test_a_file_name_occurs_once() -> None:
    counted = Counter(path.name for path in modules())

    assert [name for name, count in counted.items() if count > 1] == []


def test_a_public_class_name_occurs_once() -> None:
    counted = Counter(
        node.name
        for path in modules()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, count in counted.items() if count > 1] == []


def test_a_package_holds_a_docstring_and_no_logic() -> None:
    with_logic = []
    for path in HOUSE.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if len(body) != 1 or ast.get_docstring(ast.Module(body, [])) is None:
            with_logic.append(path.relative_to(HOUSE).as_posix())

    assert with_logic == []


def test_the_top_of_the_house_stays_small() -> None:
    folders = [path for path in HOUSE.iterdir() if path.is_dir() and (path / "__init__.py").is_file()]
    ground = [path for path in HOUSE.glob("*.py") if path.name != "__init__.py"]

    assert len(folders) <= MOST_FOLDERS
    assert len(ground) <= MOST_GROUND_MODULES


def test_the_workspace_and_the_store_have_one_name_each() -> None:
    forbidden = {"con", "conn"}
    found = [
        f"{path.relative_to(HOUSE)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.arg) and node.arg in forbidden)
        or (isinstance(node, ast.Name) and node.id in forbidden)
    ]

    assert found == []


def test_the_readme_says_where_every_folder_and_ground_module_is() -> None:
    readme = (HOUSE.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Where things are")[1].split("\n## ")[0]
    rows = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))

    named = {name.removeprefix("monitor/").rstrip("/") for name in re.findall(r"`([^`]+)`", rows)}
    there = {path.name for path in HOUSE.iterdir() if (path / "__init__.py").is_file()}
    ground = {path.name for path in HOUSE.glob("*.py") if path.name != "__init__.py"}

    assert named - {"rules", "templates", "tests/support", "queries"} == there | ground
