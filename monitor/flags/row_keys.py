"""The key that each row of an exception list carries, so that an answer comes back to the flag it was written beside.

A key names the flag and the list's date, and is sealed with a secret of the database: one that was changed, or moved to
the row of another person or rule, is known at once. It says too how the flag stood, so that an answer to what is no
longer so is known as well.
"""

import datetime as dt
import hashlib
import hmac
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """What a key that fits its row says: which flag, on which list, and how it stood."""

    flag_id: int
    list_as_at: dt.date
    mark: str


def mark_flag(secret: bytes, severity: str, in_breach_since: dt.date | None, because: str | None) -> str:
    """Return how a flag stands as a short mark: it changes with how severe it is, since when, and why.

    It is made with the secret: by a plain hash, a reader of an e-mail could find out why by trying likely reasons.
    """
    facts = json.dumps([severity, in_breach_since and in_breach_since.isoformat(), because])
    return hmac.new(secret, facts.encode(), hashlib.sha256).hexdigest()[:10]


def find_flag_id(text: str) -> int | None:
    """Return the flag that a key speaks of, which nothing proves yet; None where it is no key."""
    first = text.partition(".")[0]
    return int(first) if first.isdecimal() and first.isascii() and len(first) < 16 else None


def make_key(secret: bytes, key: Key, *, person_id: str, rule: str) -> str:
    """Return the key as it is written into a row."""
    plain = f"{key.flag_id}.{key.list_as_at:%Y%m%d}.{key.mark}"
    return f"{plain}.{_seal(secret, plain, person_id, rule)}"


def open_key(secret: bytes, text: str, *, person_id: str, rule: str) -> Key | None:
    """Return what a row's key says; None where it does not belong to this row as it stands."""
    plain, _, seal = text.strip().rpartition(".")
    if not hmac.compare_digest(seal.encode(), _seal(secret, plain, person_id, rule).encode()):
        return None
    flag_id, day, mark = plain.split(".")
    return Key(int(flag_id), dt.date.fromisoformat(day), mark)


def _seal(secret: bytes, plain: str, person_id: str, rule: str) -> str:
    return hmac.new(secret, json.dumps([plain, person_id, rule]).encode(), hashlib.sha256).hexdigest()[:32]
