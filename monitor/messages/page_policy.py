"""What a page that is opened from a file may do: use its own style and script, each by its hash, and nothing else."""

import base64
import hashlib
import re


def hash_allowed(text: str) -> str:
    """Return how a page says that it may use this style or script, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def allow(style: str, script: str | None = None) -> str:
    """Return the policy of a page with this style and this script, or none: no network, no form, no other code."""
    scripts = f" script-src {hash_allowed(script)};" if script is not None else ""
    return f"default-src 'none'; style-src {hash_allowed(style)};{scripts} base-uri 'none'; form-action 'none'"


def quoted_style(marking: str, heading: str) -> str:
    """Return the words that a style prints at the top of each sheet: margins take words from nowhere else."""
    return f':root {{ --marking: "{_quoted(marking)}"; --heading: "{_quoted(heading)}"; }}\n'


def _quoted(text: str) -> str:
    """Text for a string in a style sheet: whatever could end it, or the style, is written by its number."""
    return re.sub(r"[^0-9A-Za-z ,.-]", lambda found: f"\\{ord(found[0]):x} ", text)
