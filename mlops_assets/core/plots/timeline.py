"""The timeline of a replayed policy: who was champion, how challengers climbed, what was alarming, asked and broken."""

from collections.abc import Iterable, Sequence

from mlops_assets.core.account import Policy, Stage, Told, Week
from mlops_assets.core.pages.markup import Html, el
from mlops_assets.core.plots.lanes import LETTER, Axis, Lane, chart, day, short
from mlops_assets.core.plots.marks import kind_of, mark
from mlops_assets.core.rollout.words import BASELINE
from mlops_assets.core.rollout.words import Stage as Word

_BAND, _STAIRS, _ROW = 24, 62, 18  # pixels
_RIM = 4  # pixels left of a text in its band
_THIN = 2.5  # pixels: a step of hours is still seen
_HEAD, _FOOT = 12, 7  # pixels kept free above the stairs for whose they are, below them for what held them
_ASKED = {"retrain_requested": "asked", "retrain_failed": "quality"}
_ENDS = {Word.FINALIZED.value: "stable", Word.ROLLED_BACK.value: "rolled", Word.REJECTED.value: "rejected"}
_CLIMBING = {Word.PREPARING.value: "shadow", Word.SHADOW.value: "shadow", Word.CANARY.value: "canary",
             Word.SOAK.value: "soak"}  # fmt: skip
_HELD = "held"  # the ledger's word, until its next about a rollout
_THAWED = ("resumed", "stage_advanced", "finalized", "rolled_back", "rejected", "restored")


def timeline(policy: Policy, axis: Axis) -> Html:
    """The policy's lanes, one below the other, over the weeks of `axis`. Raises DataError for what is no instant.

    A signal stands in the week it is about, everything else at its instant.
    """
    weeks = policy.weeks
    lanes = [
        Lane(name="champion", height=_BAND, drawn=tuple(_champions(policy.stages, axis)),
             told="the model that stands: 0 is the declared baseline"),
        Lane(name="challenger", height=_STAIRS, drawn=(*_stairs(policy.stages, axis), *_holds(policy.told, axis)),
             told="a rollout's steps, as high as the share of requests it answers"),
        Lane(name="model trained", height=30, drawn=tuple(_trained(policy, axis)),
             told="when a model was registered; hollow: the gate kept it back"),
        Lane(name="retrain asked", height=_ROW, drawn=tuple(_asked(policy.told, axis))),
        _signals("inputs", [(week, week.data, "; ".join(week.faults)) for week in weeks], axis),
        _signals("predictions", [(week, week.prediction, "") for week in weeks], axis),
        _signals("outcomes", [(week, week.concept, "") for week in weeks], axis),
        _signals("what it asks for", [(week, week.response, week.reason) for week in weeks], axis),
        *_sabotaged(policy, axis),
    ]  # fmt: skip
    return chart(axis, lanes, f"Timeline of {policy.name}: {len(policy.versions)} models over {len(weeks)} weeks")


def letter(at: int) -> str:
    """What a sabotage is called by, in the picture and in its table.

    >>> letter(0), letter(27)
    ('A', 'B2')
    """
    return chr(ord("A") + at % 26) + (str(at // 26 + 1) if at >= 26 else "")


def reigns(stages: Sequence[Stage]) -> list[tuple[int, str]]:
    """(version, since when) of each champion in order of time: each stands until the next, the last one for good."""
    found: list[tuple[int, str]] = []
    for stage in stages:
        champion = stage.version if stage.stage == Word.FINALIZED.value else stage.champion
        if not found or found[-1][0] != champion:
            found.append((champion, stage.since))
    return found


def _champions(stages: Sequence[Stage], axis: Axis) -> Iterable[Html]:
    found = reigns(stages)
    ends = [*(since for _, since in found[1:]), ""]
    for at, ((version, since), end) in enumerate(zip(found, ends, strict=False)):
        left, right = axis.at(since), axis.at(end) if end else float(axis.width)
        name = "baseline" if version == BASELINE else f"v{version}"
        told = f"{name}: champion from {day(since)} {f'to {day(end)}' if end else 'on'}"
        kind = "none" if version == BASELINE else ("one", "other")[at % 2]
        yield _band(left, right, 0, _BAND, f"reign {kind}", told)
        room = right - left >= LETTER * len(name) + _RIM
        yield from _label(name if room else name[:4], left, right, _BAND / 2 + 4, f"on {kind}")


def _stairs(stages: Sequence[Stage], axis: Axis) -> Iterable[Html]:
    """Each rollout as stairs; each ends with a mark."""
    before = None
    for stage in stages:
        left, right = axis.at(stage.since), axis.at(stage.until) if stage.until else float(axis.width)
        share = f" at {stage.share:.0%}" if stage.stage == Word.CANARY.value else ""
        said = f"v{stage.version} {stage.stage}{share}, {day(stage.since)}: {stage.why}"
        if stage.stage in _ENDS:
            yield mark(_ENDS[stage.stage], left + 6, _HEAD + 8, said)
        elif stage.stage != Word.IDLE.value:
            kind = _CLIMBING.get(stage.stage, "other")
            high = round((_STAIRS - _HEAD - _FOOT) * (0.34 + 0.66 * min(max(stage.share, 0.0), 1.0) ** 0.5), 1)
            yield _band(left, max(right, left + _THIN), _STAIRS - _FOOT - high, high, f"step {kind}", said)
            yield from _label(_step(stage), left, right, _STAIRS - _FOOT - 4, f"on {kind}")
        if stage.stage != Word.IDLE.value and stage.version != before:
            yield el("text", f"v{stage.version}", x=left, y=_HEAD - 2, class_="whose")
        before = stage.version


def _step(stage: Stage) -> str:
    return f"{stage.share:.0%}" if stage.stage == Word.CANARY.value else stage.stage.lower()


def _holds(told: Sequence[Told], axis: Axis) -> Iterable[Html]:
    """From each "held" to what ended it."""
    entries = [one for one in told if one.kind == _HELD or one.kind in _THAWED]
    for at, one in enumerate(entries):
        if one.kind == _HELD and (at == 0 or entries[at - 1].kind != _HELD):
            end = next((later.at for later in entries[at + 1 :] if later.kind != _HELD), None)
            left, right = axis.at(one.at), axis.at(end) if end else float(axis.width)
            said = f"held {day(one.at)} {f'to {day(end)}' if end else 'on'}: {one.why}"
            yield _band(left, max(right, left + _THIN), _STAIRS - 5, 5, "held", said)


def _trained(policy: Policy, axis: Axis) -> Iterable[Html]:
    for one in policy.versions:
        x = min(max(axis.at(one.registered_at), 6.0), axis.width - 2.0)
        said = f"v{one.version}, {day(one.registered_at)}, {one.cause}: {one.why} {one.verdict}: {one.judged}"
        yield mark("short" if one.verdict == "FAIL" else "trained", x, 7, said)
        yield el("text", f"v{one.version}", x=x, y=27, class_="under")


def _asked(told: Sequence[Told], axis: Axis) -> Iterable[Html]:
    for one in told:
        if one.kind in _ASKED:
            yield mark(_ASKED[one.kind], max(axis.at(one.at), 6.0), _ROW / 2, f"{day(one.at)}, {one.who}: {one.why}")


def _signals(name: str, signals: Sequence[tuple[Week, str, str]], axis: Axis) -> Lane:
    marks = [
        mark(kind_of(said), axis.at(week.week) + axis.step / 2, _ROW / 2,
             f"{week.week}: {said}{f'; {more}' if more else ''}")
        for week, said, more in signals if said
    ]  # fmt: skip
    return Lane(name=name, height=_ROW, drawn=tuple(marks))


def _sabotaged(policy: Policy, axis: Axis) -> Iterable[Lane]:
    """What was broken on purpose, by letter and kind, in as many rows as keep them apart; no lane where nothing was."""
    ends: list[float] = []
    drawn: list[Html] = []
    for at, one in sorted(enumerate(policy.sabotage), key=lambda found: found[1].week):
        left, said = axis.at(one.week), short(f"{letter(at)} {one.kind.replace('_', ' ')}", 24)
        wide = (LETTER + 0.8) * len(said) + 12
        left = max(min(left, axis.width - wide), 0.0)
        row = next((row for row, end in enumerate(ends) if end <= left), len(ends))
        ends[row : row + 1] = [left + wide]
        told = el("title", f"{letter(at)}, {one.week}, {one.kind}: {one.done} {one.met}")
        box = el("rect", x=left, y=row * _ROW, width=round(wide - 4, 1), height=_ROW - 3, rx=3)
        drawn.append(el("g", told, box, el("text", said, x=left + 5, y=row * _ROW + 11.5), class_="broken"))
    if drawn:
        yield Lane(name="sabotage", height=_ROW * len(ends), drawn=tuple(drawn), told="what was broken on purpose")


def _band(left: float, right: float, top: float, height: float, kind: str, told: str) -> Html:
    return el("rect", el("title", told), x=left, y=top, width=round(right - left, 1), height=height, class_=kind)


def _label(said: str, left: float, right: float, y: float, kind: str) -> Iterable[Html]:
    """The text in its band, where there is room for it."""
    if right - left >= LETTER * len(said) + _RIM:
        yield el("text", said, x=round(left + _RIM, 1), y=y, class_=kind)
