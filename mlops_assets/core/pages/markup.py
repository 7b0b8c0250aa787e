"""HTML that cannot be broken by what is in it: every text is escaped where it enters, by construction."""

from html import escape

from mlops_assets.core.pages.visible import visible


class Html(str):
    """Markup; only this file makes it. A plain `str` is text."""

    __slots__ = ()


def el(name: str, *children: str, **attributes: str | int | float | None) -> Html:
    """An element. Children that are not Html are escaped; `class_` and `aria_label` lose and turn their underscores.

    >>> el("p", "a < b", el("b", "!"), class_="x", hidden=None, aria_label='"')
    '<p class="x" aria-label="&quot;">a &lt; b<b>!</b></p>'
    """
    told = "".join(
        f' {key.strip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """Children one after the other, texts escaped."""
    return Html("".join(child if isinstance(child, Html) else _escaped(child) for child in children))


def named(name: str) -> Html:
    """A name out of data: `<bdi>` keeps the direction of its letters from what stands beside it."""
    return el("bdi", name)


def raw(trusted: str) -> Html:
    """Markup of our own, written by hand."""
    return Html(trusted)


NOTHING = raw("")


def _escaped(text: str) -> str:
    return escape(visible(text))
