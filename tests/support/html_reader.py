"""What a page holds, as a browser would take it: the attributes of its elements, and its words."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """The elements and the words of a page, or of a part of one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[dict[str, str | None]] = []
        self._words: list[str] = []
        self._styles = 0
        self.feed(page)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(dict(attributes))
        self._styles += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._styles -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._styles:
            self._words.append(data)
