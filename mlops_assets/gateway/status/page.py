"""The status page: one HTML document, nothing outside of it, the same with and without scripts.

Pure: a `Status` in, text out. What it looks like is `page.css`, that it stays current `page.js`. Colours never stand
alone: whatever they say is said by a word, a sign or a pattern too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.core.pages.markup import Html, el, joined, raw
from mlops_assets.gateway.status.record import LIVE_S, Bar, Decision, Live, Peer, Status, percent, span, version_name

_HERE = Path(__file__).parent
_STYLE = (_HERE / "page.css").read_text(encoding="utf-8")
_SCRIPT = (_HERE / "page.js").read_text(encoding="utf-8")
_AGAIN_S = 5  # a browser without scripts loads the page anew this often
_BOUND = 0.8  # where in an evidence bar its bound stands: what lies beyond is there to be seen too
_SIGNS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "…"}
_PLACES = {"done": "✓", "now": "▶", "ahead": ""}


def page(status: Status, nonce: str) -> str:
    """The whole document; `nonce` lets its own style and script run and no other."""
    head = joined(
        raw('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        raw('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        el("title", _title(status)),
        el("style", raw(_STYLE), nonce=nonce),
        raw(f'<noscript><meta http-equiv="refresh" content="{_AGAIN_S}"></noscript>'),
    )
    body = joined(main(status), raw('<p id="gone" role="alert" hidden></p>'), el("script", raw(_SCRIPT), nonce=nonce))
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def policy(nonce: str) -> str:
    """The Content-Security-Policy under which the page works: itself, its nonce, questions to its own gateway."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def main(status: Status) -> Html:
    """Everything that changes."""
    return el(
        "main",
        el("header", el("h1", status.use_case), el("p", status.standing, class_="standing")),
        _faults(status.faults),
        _section("who", "Who answers", _who(status), _last(status)),
        _section("ladder", "The way to 100 %", _ladder(status), el("p", status.waits_for, class_="waits")),
        _section("evidence", "Evidence", *map(_measure, status.bars)) if status.bars else raw(""),
        _section("live", f"The last {span(LIVE_S)}", _live(status.live)),
        _section("decisions", "Last decisions", _decisions(status)),
        _section("gateways", "Gateways", _peers(status)),
        el("footer", _footer(status)),
        data_title=_title(status),
    )


def _title(status: Status) -> str:
    return f"{'⚠ ' if status.faults else ''}{status.use_case}: {status.stage.lower().replace('_', ' ')}"


def _section(name: str, title: str, *content: Html) -> Html:
    return el("section", el("h2", title, id=f"{name}-title"), *content, id=name, aria_labelledby=f"{name}-title")


def _faults(faults: Sequence[str]) -> Html:
    if not faults:
        return raw("")
    many = "Something is wrong" if len(faults) == 1 else f"{len(faults)} things are wrong"
    return el("div", el("strong", f"⚠ {many}"), el("ul", *(el("li", fault) for fault in faults)), class_="faults",
              role="alert")  # fmt: skip


def _who(status: Status) -> Html:
    rects, at = [], 0.0
    for each in status.answerers:
        rects.append(
            el("rect", x=f"{100 * at:.3f}%", y=0, width=f"{100 * each.share:.3f}%", height="100%", class_=each.arm)
        )
        if each.arm == "challenger":  # a pattern, for who cannot tell the colours
            rects.append(el("rect", x=f"{100 * at:.3f}%", y=0, width=f"{100 * each.share:.3f}%", height="100%",
                            fill="url(#stripes)"))  # fmt: skip
        at += each.share
    told = ", ".join(f"{version_name(each.version)} answers {percent(each.share)}" for each in status.answerers)
    legend = [
        el("li", el("span", class_=f"key {each.arm}"), el("b", percent(each.share)), f" {version_name(each.version)}, ",
           f"the {each.arm}")
        for each in status.answerers
    ]  # fmt: skip
    return joined(
        el("svg", _STRIPES, *rects, class_="shares", role="img", aria_label=told), el("ul", *legend, class_="legend")
    )


_STRIPES = raw(
    '<defs><pattern id="stripes" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="3" height="8" class="stripe"></rect></pattern></defs>'
)


def _ladder(status: Status) -> Html:
    rungs = [
        el(
            "li",
            el("span", _PLACES[rung.place], class_="sign", aria_hidden="true"),
            el("span", rung.name, class_="name"),
            el("span", percent(rung.share) if rung.share else "–", class_="share"),
            class_=rung.place,
            aria_current="step" if rung.place == "now" else None,
        )
        for rung in status.ladder
    ]
    return el("ol", *rungs, class_="ladder")


def _measure(bar: Bar) -> Html:
    sign = el("span", f"{_SIGNS.get(bar.verdict, '?')} {bar.verdict}", class_=f"verdict {bar.verdict}")
    seen = f"{bar.count:,} seen"
    if bar.challenger is not None or bar.champion is not None:
        seen = f"challenger {_number(bar.challenger)}, champion {_number(bar.champion)}, {seen}"
    return el(
        "article",
        el("h3", bar.name.replace("_", " "), " ", sign),
        el("p", seen, class_="numbers"),
        _toward("enough to go on", bar.toward_pass, "pass"),
        _toward("enough to roll back", bar.toward_fail, "fail"),
        el("p", bar.sentence, class_="sentence"),
        class_="measure",
    )  # fmt: skip


def _toward(goal: str, way: float, kind: str) -> Html:
    """A bar that fills toward its bound, the upright line."""
    filled = min(max(way, 0.0) * _BOUND, 1.0)
    told = goal if way >= 1 else f"{100 * min(max(way, 0.0), 0.99):.0f} % of what is {goal}"
    svg = el(
        "svg",
        el("rect", x=0, y="20%", width="100%", height="60%", class_="track"),
        el("rect", x=0, y="20%", width=f"{100 * filled:.2f}%", height="60%", class_=kind),
        el("rect", x=f"{100 * _BOUND:.0f}%", y=0, width=2, height="100%", class_="bound"),
        class_="toward",
        role="img",
        aria_label=told,
    )
    return el("div", svg, el("span", told, class_="told"), class_="bar")


def _live(arms: Sequence[Live]) -> Html:
    rows = [
        [f"{arm.arm}{', in shadow' if arm.mirrored else ''} ({version_name(arm.version)})",
         f"{arm.calls:,}", percent(arm.bad_share),
         f"{arm.p50_ms:.3g} ms", f"{arm.p99_ms:.3g} ms"]
        for arm in arms
    ]  # fmt: skip
    return _table(("arm", "calls", "bad", "p50", "p99"), rows, "Nobody has asked.")


def _last(status: Status) -> Html:
    if not status.decisions:
        return raw("")
    last = status.decisions[0]
    ago = span((status.at_us - last.at_us) / 1e6)
    return el("p", f"Last decision, {ago} ago: {_kind(last)} by {last.who}. {last.why}", class_="last")


def _kind(decision: Decision) -> str:
    return decision.kind.lower().replace("_", " ")


def _decisions(status: Status) -> Html:
    return el("ol", *(_decision(one, status.at_us) for one in status.decisions), class_="decisions")


def _decision(one: Decision, now_us: int) -> Html:
    at = datetime.fromtimestamp(one.at_us // 1_000_000, UTC)
    ago = f"{span((now_us - one.at_us) / 1e6)} ago"
    when = el("time", ago, datetime=at.isoformat(), title=f"{at:%Y-%m-%d %H:%M:%S} UTC")
    told = el("p", el("b", _kind(one)), " · ", when, f" · by {one.who} · epoch {one.epoch}", class_="when")
    return el("li", told, el("p", one.why, class_="why"))


def _peers(status: Status) -> Html:
    rows = [[peer.name, _epoch(peer, status.epoch), peer.sign, _slots(peer)] for peer in status.peers]
    return _table(("gateway", "epoch", "heard", "models"), rows, "No gateway has been heard of.")


def _epoch(peer: Peer, epoch: int) -> str:
    return str(peer.epoch) if peer.epoch >= epoch else f"{peer.epoch} ({epoch - peer.epoch} behind)"


def _slots(peer: Peer) -> str:
    return "; ".join(f"{version_name(version)} {state}" for version, state in sorted(peer.slots.items())) or "none"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], otherwise: str) -> Html:
    if not rows:
        return el("p", otherwise, class_="none")
    body = [
        el(
            "tr",
            *(
                el(
                    "td",
                    cell.replace(" ms", "\N{NO-BREAK SPACE}ms").replace(" %", "\N{NO-BREAK SPACE}%"),
                    data_head=head,
                )
                for head, cell in zip(heads, row, strict=True)
            ),
        )
        for row in rows
    ]
    head = el("thead", el("tr", *(el("th", head, scope="col") for head in heads)))
    return el("table", head, el("tbody", *body))


def _footer(status: Status) -> Html:
    at = datetime.fromtimestamp(status.at_us // 1_000_000, UTC)
    heard = "nobody controls it" if status.controller_s is None else (
        f"controlled by {status.controller}, heard of {span(status.controller_s)} ago")  # fmt: skip
    waiting = f" · waiting: {', '.join(map(version_name, status.waiting))}" if status.waiting else ""
    return el(
        "p", f"As of {at:%Y-%m-%d %H:%M:%S} UTC · epoch {status.epoch} · {heard}{waiting} · ",
        el("a", "the same as JSON", href="status.json"),
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
