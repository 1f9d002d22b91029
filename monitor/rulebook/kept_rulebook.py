"""The rulebook as it was last checked: kept under the hash of all that it was checked from, so that it is read at once.

A kept rulebook is believed only where its hash is right, nothing in it was changed, and nobody but its owner could have
written it; else the rules are checked anew. The shipped rules are checked when the package is built.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import catalogue, durations
from monitor.config.settings import SHIPPED, RuleSettings, shipped
from monitor.errors import MonitorError, Problems
from monitor.files import make_private_folder, written_whole
from monitor.rights import is_closed
from monitor.rulebook.ledger import LEDGER
from monitor.rulebook.rule_json import read_value, write_value
from monitor.rulebook.rulebook import Rulebook

if TYPE_CHECKING:
    from monitor.config.settings import Config

PACKAGES = ("duckdb", "jinja2", "sqlglot")
"""What a rule is checked with, beside our own code."""
BUILT = SHIPPED / "compiled" / "rulebook.json"
"""The shipped rulebook as it was checked when the package was built."""
MOST_KEPT = 4


def open_rulebook(config: "Config", *, adjusted: bool = True) -> Rulebook:
    """Return the config's rulebook, with or without its adjustments; ``Problems`` lists all that is wrong."""
    return read_rulebook(config.rule_folders(), config.rule if adjusted else {}, config.data_folder)


def open_shipped() -> Rulebook:
    """Return the shipped rulebook, which needs no config."""
    return read_rulebook((shipped("rules"),), {}, None)


def read_rulebook(folders: Sequence[Path], settings: Mapping[str, RuleSettings], data_folder: Path | None) -> Rulebook:
    """Return the rulebook of these folders, kept or checked anew; ``Problems`` lists all that is wrong.

    It is kept in ``data_folder`` for the next time, where that folder is there.
    """
    kept_in = data_folder / "cache" if data_folder is not None else None
    key = find_key(folders, settings)
    if key is None:
        return _check(folders, settings)
    places = [BUILT] if kept_in is None else [BUILT, _place(kept_in, key)]
    for place in places:
        if (rulebook := _read_kept(place, key)) is not None:
            return rulebook
    rulebook = _check(folders, settings)
    if kept_in is not None and kept_in.parent.is_dir() and find_key(folders, settings) == key:
        # A folder that cannot be written costs time, and nothing else.
        with suppress(MonitorError, OSError):
            _keep(kept_in, key, rulebook)
    return rulebook


def find_key(folders: Sequence[Path], settings: Mapping[str, RuleSettings]) -> str | None:
    """Return the hash of all that a rulebook is checked from; None where a folder cannot be read."""
    try:
        files = [
            [folder.name, path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix == ".toml"
        ]
        checked_with = _checked_with()
    except OSError:
        return None
    adjusted = {name: rule.model_dump(mode="json") for name, rule in settings.items()}
    facts = [checked_with, [folder.name for folder in folders], files, adjusted]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def _checked_with() -> list[str]:
    """The code, the catalogue, the ledger of law and the versions that rules are checked with."""
    code = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(str(catalogue.__file__)).parent):
        for path in sorted(folder.iterdir()):
            if path.is_file():
                code.update(path.read_bytes())
    code.update(Path(durations.__file__).read_bytes())
    code.update((shipped("rules") / LEDGER).read_bytes())
    return [*(version(name) for name in PACKAGES), code.hexdigest()]


def _check(folders: Sequence[Path], settings: Mapping[str, RuleSettings]) -> Rulebook:
    # It takes sqlglot, which half of a small command's time would go to.
    from monitor.rulebook.rule_folders import load_rulebook

    return load_rulebook(folders, settings)


def write_built(target: Path) -> None:
    """Write the shipped rulebook, checked, for the package that is being built."""
    folder = shipped("rules")
    key = find_key((folder,), {})
    if key is None:
        raise Problems([f"{folder}: cannot be read"])
    target.write_text(_encode(key, _check((folder,), {})), encoding="utf-8", newline="\n")


# Keeping


def _place(kept_in: Path, key: str) -> Path:
    return kept_in / f"rulebook-{key[:16]}.json"


def _keep(kept_in: Path, key: str, rulebook: Rulebook) -> None:
    make_private_folder(kept_in)
    with written_whole(_place(kept_in, key)) as unfinished:
        unfinished.write_text(_encode(key, rulebook), encoding="utf-8", newline="\n")
    kept = sorted(kept_in.glob("rulebook-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def _read_kept(place: Path, key: str) -> Rulebook | None:
    """The rulebook kept at ``place``; None where there is none, or where it cannot be believed."""
    try:
        if place != BUILT and not (_is_ours_alone(place) and _is_ours_alone(place.parent)):
            return None
        text = place.read_text(encoding="utf-8")
        return _decode(text) if text.startswith(f"{key} ") else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_ours_alone(path: Path) -> bool:
    """Whether only its owner, who runs this, could have written it; on Windows what is in a closed folder is so."""
    if os.name == "nt":
        return is_closed(path if path.is_dir() else path.parent)
    found = path.lstat()
    return not stat.S_ISLNK(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _encode(key: str, rulebook: Rulebook) -> str:
    body = json.dumps(
        [write_value(rulebook.rules), rulebook.switched_off, rulebook.adjustments],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return f"{key} {_digest(body)}\n{body}"


@lru_cache(maxsize=8)
def _decode(text: str) -> Rulebook:
    """Once for each text: the service reads the same one before every step."""
    head, _, body = text.partition("\n")
    if head.partition(" ")[2] != _digest(body):
        raise ValueError("it was changed since it was kept")
    rules, switched_off, adjustments = json.loads(body)
    return Rulebook(read_value(rules), tuple(switched_off), tuple(adjustments))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
