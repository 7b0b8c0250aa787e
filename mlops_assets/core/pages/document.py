"""The frame of a report: one HTML document that stands alone, and the parts every report is put together from.

It loads nothing and runs nothing, and says so to the browser: only the style sheet by its hash, only pictures that are
in the file. Pictures stand in it as images, where an SVG can neither run a script nor load a thing.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

from mlops_assets.core.pages.markup import NOTHING, Html, el, joined, raw
from mlops_assets.core.pages.style import STYLE

_MARK = "<!doctype html><!-- mlops_assets: a report -->"


def policy_of(style: str) -> str:
    """What a page with this style sheet lets the browser do: show it, and pictures that are in the file."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


POLICY = policy_of(STYLE)


def document(title: str, *sections: Html, more_style: str = "") -> bytes:
    """The whole file, UTF-8. The same title and sections give the same bytes. `more_style` goes on the style sheet.

    >>> is_report(document("a", el("p", "b")))
    True
    """
    head = joined(
        raw('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        raw(f'<meta http-equiv="Content-Security-Policy" content="{policy_of(STYLE + more_style)}">'),
        raw('<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'),
        raw('<link rel="icon" href="data:,">'),
        el("title", title),
        el("style", raw(STYLE + more_style)),
    )
    body = el("main", *sections)
    return f'{_MARK}<html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def is_report(data: bytes) -> bool:
    """Whether these are the first bytes, or all, of a report's page: a file that may be written anew."""
    return data.startswith(_MARK.encode())


def section(title: str, *content: Html, class_: str | None = None) -> Html:
    """A part of the page under its title."""
    return el("section", el("h2", title), *content, class_=class_)


def header(about: str, verdict: Html, sentence: str, facts: str) -> Html:
    """The top of the page: what it is about, what was found, what of."""
    return el(
        "header",
        el("p", about, class_="about"),
        el("h1", verdict, " ", sentence),
        el("p", facts, class_="facts") if facts else NOTHING,
    )


def pill(word: str, sign: str, kind: str) -> Html:
    """A verdict: a sign and a word, so that it does not hang on its colour."""
    return el("span", f"{sign} {word}", class_=f"pill {kind}")


def bullets(items: list[Html]) -> Html:
    """A list of sentences."""
    return el("ul", *(el("li", item) for item in items))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Rows under their heads, the first cell naming the row; on a narrow screen the others say their own heads."""
    head = el("tr", *(el("th", head, scope="col") for head in heads))
    body = [
        el(
            "tr",
            el("td", row[0], class_="name"),
            *(el("td", said, data_head=head) for head, said in zip(heads[1:], row[1:], strict=True)),
        )
        for row in rows
    ]
    return el("table", el("thead", head), el("tbody", *body))


def pictures(plots: Mapping[str, bytes], captions: Mapping[str, str]) -> Html:
    """The plots (name -> SVG): those with a caption first, in its order, then the rest by name. Empty: nothing."""
    ordered = [name for name in captions if name in plots] + sorted(set(plots) - set(captions))
    figures = [_figure(plots[name], captions.get(name, name.replace("_", " "))) for name in ordered]
    return section("Plots", *figures) if figures else NOTHING


def _figure(svg: bytes, caption: str) -> Html:
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return el("figure", el("figcaption", caption), el("img", src=source, alt=caption))


def definitions(terms: Mapping[str, str]) -> Html:
    """What the words of the page mean."""
    return section(
        "What the words mean",
        el("dl", *(el(tag, text) for pair in terms.items() for tag, text in zip(("dt", "dd"), pair, strict=True))),
    )


def number(value: float | None, digits: str = ".2f") -> str:
    """A figure as it is shown; a dash where there is none.

    >>> number(0.123), number(None), number(0.5, "+.1f")
    ('0.12', '–', '+0.5')
    """
    return "–" if value is None else format(value, digits)


def percent(share: float | None) -> str:
    """A share (0 .. 1) as a percentage that is never rounded to none or all.

    >>> " ".join(map(percent, (0.0, 0.0004, 0.034, 0.4, 0.9999, 1.0, None))).replace("\N{NO-BREAK SPACE}", "")
    '0% <0.1% 3.4% 40% >99% 100% –'
    """
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "<0.1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return ">99\N{NO-BREAK SPACE}%"
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%" if 0 < share < 0.0995 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
