"""The text of a message in the Markdown of GOV.UK Notify, so that headings, bullets and ids read as they were meant.

Notify makes an e-mail of its own from the text: it joins no lines, turns an indent of four into a block without
spaces, and reads some characters as markup. Our text is wrapped at a width, so a line that ends because the next word
would not fit is joined to the next.
"""

import re
from collections.abc import Iterator

RULE = re.compile(r"[-=]{3,}")
BULLET = re.compile(r"[-*•] +")
COLUMNS = re.compile(r"(?<=\S) {2,}(?=\S)")
BLOCK_START = re.compile(r"(#|>|\+|=|~{3}|-{3}|_{3}|\d+\.)")
UNREADABLE_START = re.compile(r"\^+")
ADDRESS = re.compile(r"(https?://\S+)")


def write_for_notify(text: str, width: int) -> str:
    """Write ``text``, wrapped at ``width`` columns, for a personalisation value of an e-mail template."""
    written: list[str] = []
    in_list = False
    for indent, bullet, line in _join(_find_headings(text.splitlines()), width):
        if line.startswith("## ") and indent < 0:
            written += ["", line, ""]
            in_list = False
        elif not line:
            written.append("")
            in_list = False
        else:
            if bool(bullet) != in_list and (bullet or indent == 0):
                written.append("")
            in_list = bool(bullet) or (in_list and indent > 0)
            written.append(("* " if bullet else "") + _escape(COLUMNS.sub(" · ", line)))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(written)).strip() + "\n"


def _find_headings(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """Yield each line, and whether it is a heading; the rule under one is left out."""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        above = lines[number - 1] if number else ""
        if RULE.fullmatch(line) and above.strip() and len(line) == len(above):
            continue
        yield bool(line.strip() and RULE.fullmatch(below) and len(below) == len(line)), line


def _join(lines: Iterator[tuple[bool, str]], width: int) -> Iterator[tuple[int, str, str]]:
    """Yield whole sentences: indent (-1 for a heading), bullet and words, with lines that were only wrapped joined."""
    held: tuple[int, str, str] | None = None
    last = ""
    for heading, line in lines:
        block = _read_line(line, heading=heading)
        if held and _goes_on(held, last, block, width):
            held = (held[0], held[1], f"{held[2]} {block[2]}")
        else:
            if held:
                yield held
            held = block
        last = line
    if held:
        yield held


def _read_line(line: str, *, heading: bool) -> tuple[int, str, str]:
    words = line.strip()
    if heading:
        return -1, "", f"## {_escape(words)}"
    bullet = BULLET.match(words)
    mark = bullet.group() if bullet else ""
    return len(line) - len(line.lstrip()), mark, words[len(mark) :]


def _goes_on(held: tuple[int, str, str], last: str, block: tuple[int, str, str], width: int) -> bool:
    """Return whether a block is the rest of the one before, which was only wrapped: its first word did not fit."""
    (above, _, before), (indent, bullet, words) = held, block
    if bullet or not before or not words or min(above, indent) < 0:
        return False
    wrapped = len(last) + 1 + len(words.split(maxsplit=1)[0]) > width
    return wrapped and not COLUMNS.search(words) and not COLUMNS.search(before)


def _escape(line: str) -> str:
    """Escape characters that are markup to Notify; web addresses are left alone, because it makes links of them."""
    parts = ADDRESS.split(line)
    parts[::2] = [re.sub(r"([\\\[\]])", r"\\\1", part) for part in parts[::2]]
    whole = "".join(parts)
    whole = UNREADABLE_START.sub("", whole) if UNREADABLE_START.match(whole) else whole
    if start := BLOCK_START.match(whole):
        mark = start.group()
        place = len(mark) - 1 if mark[0].isdigit() else 0
        whole = f"{whole[:place]}\\{whole[place:]}"
    return whole
