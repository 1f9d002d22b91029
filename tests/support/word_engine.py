"""What Outlook's Word engine leaves of an e-mail, so that a browser can draw it.

By the published lists: Microsoft's "Word 2007 HTML and CSS Rendering Capabilities in Outlook 2007", and what
caniemail.com has found of Outlook 2007 to 2019 on Windows. Where the two are in doubt, the stricter is taken.
"""

import re
from html import escape
from html.parser import HTMLParser

EVERYWHERE = frozenset(
    {
        "background-color", "color", "direction", "font", "font-family", "font-size", "font-style", "font-weight",
        "letter-spacing", "line-height", "list-style-type", "text-align", "text-decoration", "text-indent",
        "text-transform", "vertical-align", "word-break",
    }
)  # fmt: skip
"""Properties that count on any element."""

CELLS = frozenset({"td", "th"})
WITH_WIDTH = CELLS | {"table", "col", "tr"}
WITH_MARGIN = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"})
BY_ELEMENT = {"padding": CELLS, "margin": WITH_MARGIN, "border": WITH_WIDTH, "width": WITH_WIDTH, "height": WITH_WIDTH}
"""Properties that count on some elements only, with those that begin so (padding-left)."""

PLAIN_SELECTOR = re.compile(r"[a-z0-9]*(?:[.#][\w-]+)?(?: +[a-z0-9]*(?:[.#][\w-]+)?)*", re.IGNORECASE)
"""A selector that counts: elements, classes and ids, and what is inside them; no attribute, no state."""

FOR_WORD = re.compile(r"<!--\[if mso[^\]]*\]>(.*?)<!\[endif\]-->", re.DOTALL)
FOR_OTHERS = re.compile(r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL)
VOID = frozenset({"meta", "br", "hr", "img", "col", "link", "input"})

SAME_PADDING_IN_A_ROW = """
<script>for (const row of document.querySelectorAll("tr")) for (const side of ["paddingTop", "paddingBottom"]) {
  const most = Math.max(...[...row.cells].map(cell => parseFloat(getComputedStyle(cell)[side])));
  for (const cell of row.cells) cell.style[side] = most + "px";
}</script>
"""
"""Every cell of a row gets the greatest padding that one of them has above, and below."""


def reduce_to_word(html: str) -> str:
    """Return the mail as Word reads it: without a doctype, and without every style that it ignores."""
    reader = _Reader()
    reader.feed(FOR_WORD.sub(r"\1", FOR_OTHERS.sub("", html)))
    reader.close()
    return "".join(reader.kept) + SAME_PADDING_IN_A_ROW


def keep_declarations(element: str, style: str) -> str:
    """Return the declarations of a ``style`` attribute that count on this element."""
    kept = []
    for declaration in style.split(";"):
        name, _, value = (part.strip().lower() for part in declaration.partition(":"))
        if (name, value) in (("mso-hide", "all"), ("display", "none")):
            kept.append("display:none")
        elif "important" not in value and not _is_ignored(element, name, value):
            kept.append(f"{name}:{value}")
    return ";".join(kept)


def _is_ignored(element: str, name: str, value: str) -> bool:
    if name in EVERYWHERE:
        return not value or "var(" in value or "rem" in value or "calc(" in value or "rgba" in value
    elements = BY_ELEMENT.get(name.partition("-")[0], frozenset())
    return element not in elements or "auto" in value or name in ("border-radius", "border-spacing")


def keep_rules(sheet: str) -> str:
    """Return the rules of a style sheet that count: no media query, and plain selectors only."""
    without_queries = re.sub(r"@[^{;]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})", "", sheet)
    kept = []
    for selectors, declarations in re.findall(r"([^{}]+)\{([^{}]*)\}", without_queries):
        plain = [each.strip() for each in selectors.split(",") if PLAIN_SELECTOR.fullmatch(each.strip())]
        kept += [f"{each} {{{keep_declarations(each.split()[-1], declarations)}}}" for each in plain]
    return "\n".join(kept)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        given = {name: value or "" for name, value in attrs}
        if "style" in given:
            given["style"] = keep_declarations(tag, given["style"])
        self.kept.append("<" + " ".join([tag, *(f'{name}="{escape(value)}"' for name, value in given.items())]) + ">")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
        if tag not in VOID:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.kept.append(keep_rules(data) if self._in_style else data)

    def handle_entityref(self, name: str) -> None:
        self.kept.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.kept.append(f"&#{name};")
