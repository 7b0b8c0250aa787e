"""A page as a browser takes it apart: its elements, its texts, and that every element is closed in its turn."""

from html.parser import HTMLParser

_VOID = {"meta", "link", "img"}


class Seen(HTMLParser):
    """Elements with their attributes, and the texts, of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode())
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def skeleton(self) -> list[tuple[str, list[str]]]:
        """The elements with the names of their attributes: what no text may change."""
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]
