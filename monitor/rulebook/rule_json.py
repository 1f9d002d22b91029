"""Checked rules as JSON holds them, and back."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from types import MappingProxyType
from typing import Any

from monitor.durations import Duration
from monitor.rulebook.condition import Condition, Tree
from monitor.rulebook.ledger import Provision
from monitor.rulebook.rule import Example, Rule
from monitor.rulebook.wording import Placeholder, Wording

KINDS = (Rule, Example, Condition, Wording, Placeholder, Duration, Provision)
CLASSES: Mapping[str, Any] = {one.__name__: one for one in KINDS}
NAMES: Mapping[str, tuple[str, ...]] = {
    name: tuple(field.name for field in fields(kind)) for name, kind in CLASSES.items()
}


def write_value(value: Any) -> Any:
    """Return a rule, or any value of one, as JSON holds it; raise ``KeyError`` for what no rule holds."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Tree):
        return {"Tree": _write_tree(value)}
    if isinstance(value, tuple):
        return [write_value(item) for item in value]
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Mapping):
        return {"map": {name: write_value(item) for name, item in value.items()}}
    name = type(value).__name__
    return {name: [write_value(getattr(value, field)) for field in NAMES[name]]}


def read_value(written: Any) -> Any:
    """Return what ``write_value`` wrote; raise ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
    if isinstance(written, list):
        return tuple([read_value(item) for item in written])
    if not isinstance(written, dict):
        return written
    ((name, held),) = written.items()
    if name == "Tree":
        return _read_tree(held)
    if name == "date":
        return date.fromisoformat(held)
    if name == "map":
        return MappingProxyType({key: read_value(item) for key, item in held.items()})
    return CLASSES[name](**dict(zip(NAMES[name], [read_value(item) for item in held], strict=True)))


def _write_tree(tree: Tree) -> list[Any]:
    return [tree.kind, tree.word, [_write_tree(part) for part in tree.parts]]


def _read_tree(written: list[Any]) -> Tree:
    kind, word, parts = written
    return Tree(kind, word, tuple([_read_tree(part) for part in parts]))
