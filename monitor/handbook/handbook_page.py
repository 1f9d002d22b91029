"""Makes the handbook as one HTML file that holds everything it needs and can load nothing else."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING

from monitor.handbook.topics import PAGES, TOPICS, read_topic
from monitor.messages.page_policy import allow

if TYPE_CHECKING:
    from markdown_it.token import Token

OF_A_TOPIC = re.compile(r"monitor help ([a-z-]+)")

FRAME = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{allowed}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>Handbook of the care-leaver monitor</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to main content</a>
<header><p>Care-leaver monitor</p></header>
<div class="frame">
<nav aria-labelledby="contents">
<h2 id="contents">Contents</h2>
<ul>
{contents}
</ul>
</nav>
<main id="main">
<h1>Handbook</h1>
{pages}
</main>
</div>
</body>
</html>
"""


def write_handbook(commands: str) -> str:
    """Return the whole handbook as HTML; ``commands``: what the command line says of its own commands."""
    style = (PAGES / "handbook.css").read_text(encoding="utf-8")
    pages = {name: read_topic(name, commands) for name in TOPICS}
    return FRAME.format(
        allowed=allow(style),
        style=style,
        contents="\n".join(_list_contents(pages)),
        pages="\n".join(
            f'<section aria-labelledby="{name}">\n{_to_html(name, text)}</section>' for name, text in pages.items()
        ),
    )


def _list_contents(pages: Mapping[str, str]) -> Iterator[str]:
    """Yield a line of contents for each page, with its own parts folded away beneath it."""
    for name, text in pages.items():
        title, *parts = re.findall(r"^##? (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
        link = f'<a href="#{name}">{escape(title)}</a>'
        inner = "".join(f'<li><a href="#{_anchor(name, part)}">{_bare(part)}</a></li>' for part in parts)
        yield f"<li>{link}<ul>{inner}</ul></li>" if inner else f"<li>{link}</li>"


def _to_html(name: str, text: str) -> str:
    """Return a page's HTML: its headings one step down and with anchors, its links led within the file."""
    from markdown_it import MarkdownIt  # only here, and slow to load

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    heading = name
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and after is not None:
            heading = after.content
            token.attrSet("id", name if token.tag == "h1" else _anchor(name, heading))
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + 1}"
        if token.type == "inline":
            _lead_within(name, token)
        if token.type == "table_open":
            token.attrSet("aria-label", _bare(heading))
    html = str(markdown.renderer.render(tokens, markdown.options, {}))
    html = re.sub(r"<td><code>\w+", lambda name: name[0].replace("_", "_<wbr>"), html)
    html = html.replace("<table", '<div class="scroll" tabindex="0"><table').replace("</table>", "</table></div>")
    return html.replace("<th></th>", "<td></td>").replace("<pre>", '<pre tabindex="0">')


def _lead_within(name: str, inline: "Token") -> None:
    """Make a link of each mention of a topic, and lead each link of the page to its place in the file."""
    for child in inline.children or []:
        if child.type == "link_open" and str(child.attrGet("href")).startswith("#"):
            child.attrSet("href", f"#{name}-{str(child.attrGet('href'))[1:]}")
        if child.type == "text":
            child.content = child.content.replace("[ ] ", "\u2610 ")
        found = OF_A_TOPIC.fullmatch(child.content) if child.type == "code_inline" else None
        if found and found[1] in TOPICS:
            child.type, child.tag = "html_inline", ""
            child.content = f'<a href="#{found[1]}"><code>{escape(child.content)}</code></a>'


def _anchor(name: str, heading: str) -> str:
    """Return the id of a heading of a page, as GitHub makes it, behind the page's name."""
    words = re.sub(r"[^\w\- ]", "", heading.lower())
    return f"{name}-{words.replace(' ', '-')}"


def _bare(heading: str) -> str:
    return escape(re.sub(r"[`*]", "", heading))
