"""Reads a TOML file of settings into its frozen model, every problem reported together."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from monitor.config.fields import Table
from monitor.errors import Problems
from monitor.words import did_you_mean

Settings = TypeVar("Settings", bound=Table)


@dataclass(frozen=True)
class FileNames:
    """What messages name. ``option``: how the file is named on the command line; ``example``: where each key stands."""

    option: str
    example: str


def read_settings(path: Path, model: type[Settings], names: FileNames) -> Settings:
    """Read ``path`` as ``model``; paths in it start from its folder. Raises ``Problems`` naming every mistake."""
    return check_settings(read_toml(path, names), model, path, names)


def check_settings(table: Mapping[str, Any], model: type[Settings], path: Path, names: FileNames) -> Settings:
    """Return the tables of a file as ``model``; ``path`` is where they come from, and what messages name."""
    try:
        return model.model_validate(table, context={"folder": path.absolute().parent})
    except ValidationError as fault:
        faults = fault.errors()
        places = [problem["loc"] for problem in faults]
        raise Problems(
            f"{path}: {_explain(table, problem, _keys_beside(model, problem['loc']), names)}"
            for problem in faults
            # A table that failed leaves its list short; only the fault itself is worth saying.
            if not (problem["type"] == "too_short" and any(place[:1] == problem["loc"] != place for place in places))
        ) from None


def read_toml(path: Path, names: FileNames) -> dict[str, Any]:
    """Read the tables of ``path``; raises ``Problems`` where it is not there, or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Problems([f"{path}: no such file; name one with {names.option}"]) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise Problems([f"{path}: cannot be read as UTF-8 text ({_plain(fault)})"]) from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise Problems([f"{path}: lists or tables too deep; see {names.example}"]) from None
    except ValueError as fault:  # also a number of more digits than Python reads
        raise Problems([f"{path}: not valid TOML: {' '.join(str(fault).split())[:200]}"]) from None


def _plain(fault: Exception) -> str:
    return fault.strerror or type(fault).__name__ if isinstance(fault, OSError) else type(fault).__name__


def _explain(table: Mapping[str, Any], problem: Any, known: list[str], names: FileNames) -> str:
    """Write one pydantic problem in our wording: place, what is wrong, what would be right."""
    where = _place(table, problem["loc"])
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"{where}: missing"
    if kind == "extra_forbidden":
        hint = did_you_mean(str(problem["loc"][-1]), known) or f"; remove it, or see {names.example}"
        return f"{where}: unknown key{hint}"
    if kind == "value_error":
        return f"{where}: {context['error']}" if where else f"{context['error']}"
    if kind == "tuple_type" and isinstance(problem["input"], dict):
        return f"{where}: is one table, and there may be several; write [[{where}]], with two brackets on each side"
    if kind == "literal_error":
        return f"{where}: {_shown(problem['input'])} is not one of {context['expected']}"
    if kind == "too_short":
        return f"{where}: at least one is needed; add a [[{where}]] table"
    return f"{where}: {_shown(problem['input'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _place(table: Mapping[str, Any], loc: tuple[int | str, ...]) -> str:
    """Write ``teams.2.lead`` with tables counted from 1 and named where they have a name or a code."""
    place = ""
    here: Any = table
    for step in loc:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(step, int):
            named = here.get("name") or here.get("code") if isinstance(here, dict) else None
            place += f"[{named or step + 1}]"
        else:
            place += f".{step}"
    return place.removeprefix(".")


def _keys_beside(model: type[Table], loc: tuple[int | str, ...]) -> list[str]:
    """Return the real keys of the table in which an unknown key was written."""
    here: Any = model
    for step in loc[:-1]:
        if step in here.model_fields:
            annotation = here.model_fields[step].annotation
            kinds = [annotation, *getattr(annotation, "__args__", ())]
            here = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Table)), here)
    return [info.alias or name for name, info in here.model_fields.items()]


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
