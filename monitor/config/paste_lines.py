"""Writes a line of the config that somebody can paste: a key and a value, quoted as TOML has them."""

import json


def quote(text: str) -> str:
    """Return a text as a TOML string in double quotes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_line(key: str, value: str) -> str:
    """Return ``"key" = "value"``."""
    return f"{quote(key)} = {quote(value)}"
