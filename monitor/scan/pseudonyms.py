"""Pseudonyms: a keyed hash of each id, with a key of its own for each authority, so that two councils' are no match.

A pseudonym is HMAC-SHA256 of the id in hexadecimal. An authority's key is HMAC-SHA256 of its name under the key that
the settings lead to. SQL has no HMAC, so the key is given as the two blocks of bytes that HMAC makes of it.
"""

import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

from monitor.errors import Problems

BLOCK = 64
"""Bytes that SHA-256 takes in at a time."""
SHORTEST = 32
"""Characters of a key: fewer could be tried out."""
REMEDY = "make one with: openssl rand -hex 32"


def read_key(variable: str | None, file: Path | None, environ: Mapping[str, str]) -> bytes:
    """Return the key from the environment variable or the file; raises ``Problems``, which never quote it."""
    if variable is not None:
        place = f"pseudonym_key_env: the environment variable {variable}"
        key = environ.get(variable, "")
    else:
        place = f"pseudonym_key_file: {file}"
        try:
            key = Path(str(file)).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise Problems([f"scan.{place}: cannot be read as text; {REMEDY}"]) from None
    key = key.strip()
    if not key:
        raise Problems([f"scan.{place} holds no key; {REMEDY}"])
    if len(key) < SHORTEST:
        raise Problems([f"scan.{place} holds a key of fewer than {SHORTEST} characters; {REMEDY}"])
    return key.encode()


def make_pads(key: bytes, authorities: Iterable[str]) -> dict[str, tuple[bytes, bytes]]:
    """Return for each authority the blocks that go before the id, and before the hash of both."""
    return {authority: _pads(hmac.digest(key, authority.encode(), "sha256")) for authority in authorities}


def _pads(key: bytes) -> tuple[bytes, bytes]:
    block = key.ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
