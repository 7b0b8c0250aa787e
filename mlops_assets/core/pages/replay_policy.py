"""One policy of a replay on its page: what it did in a sentence, the three pictures, the tables behind them."""

from collections.abc import Iterable

from mlops_assets.core.account import Account, Policy
from mlops_assets.core.metrics import METRIC
from mlops_assets.core.pages import replay_tables as tables
from mlops_assets.core.pages.document import number
from mlops_assets.core.pages.markup import NOTHING, Html, el, named
from mlops_assets.core.pages.replay_compared import gained, metric_names, metric_said
from mlops_assets.core.plots import live, marks
from mlops_assets.core.plots.drawing import words
from mlops_assets.core.plots.heatmap import HEAT, by_drift, heat_map
from mlops_assets.core.plots.lanes import Axis
from mlops_assets.core.plots.timeline import timeline

_SHOWN = 25  # columns of the heat map that are not folded, and of each picture below them
_BANDS = {"reign none": "baseline is champion", "reign one": "a model is champion", "step shadow": "shadow",
          "step canary": "canary, as high as its share", "step soak": "soak: it answers all",
          "held": "held"}  # fmt: skip
_MARKS = {
    "stable": "became champion", "rolled": "rolled back", "rejected": "rejected", "trained": "model trained",
    "short": "trained, kept back by the gate", "asked": "retrain asked", "calm": "as it was",
    "watch": "something moved", "drift": "drift, or: retrain", "quality": "feed fault, or: check the feed",
    "back": "roll back", "open": "too little to tell",
}  # fmt: skip


def policy_section(account: Account, policy: Policy, axis: Axis) -> Html:
    """The policy from its sentence to its last week. Raises DataError for what is no instant."""
    names = metric_names(account)
    return el(
        "section",
        el("h2", named(policy.name)),
        el("p", told(account, policy)),
        *(_timeline(policy, axis) if policy.weeks or policy.stages or policy.versions else ()),
        *(_live(account, policy, axis) if policy.weeks else ()),
        *_drift(policy, axis),
        *_part("What was broken on purpose", tables.sabotaged(policy) if policy.sabotage else NOTHING),
        *_part("Models", tables.versions(policy) if policy.versions else NOTHING),
        *_part("Decisions", tables.decisions(policy) if policy.told else NOTHING),
        tables.folded(
            f"All {len(policy.weeks)} weeks", tables.weeks(policy, {name: metric_said(name) for name in names})
        ) if policy.weeks else NOTHING,
        el("p", "The ledger's last entry has the hash ", el("code", policy.ledger), class_="facts")
        if policy.ledger else NOTHING,
        class_="policy",
    )  # fmt: skip


def told(account: Account, policy: Policy) -> str:
    """What the policy did, in a sentence."""
    costs, value = policy.costs, policy.metrics.get(account.metric)
    answered = sum(week.answered for week in policy.weeks)
    figures = "no label yet" if value is None else f"{metric_said(account.metric)} {number(value, '.4g')}"
    return (
        f"{_many(answered, 'request')} answered over {_many(len(policy.weeks), 'week')}, "
        f"{figures}{gained(account, policy)}: "
        f"{_many(costs.trainings, 'training')}, {_many(costs.rollouts, 'rollout')}, {costs.finalized:,} became "
        f"champion, {costs.rolled_back:,} rolled back."
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _part(title: str, *content: Html) -> Iterable[Html]:
    return (el("h3", title), *content) if any(content) else ()


def _timeline(policy: Policy, axis: Axis) -> Iterable[Html]:
    picture = timeline(policy, axis)
    items = [
        (el("svg", el("rect", width=16, height=12, y=2, class_=kind), width=16, height=16), said)
        for kind, said in _BANDS.items() if f'class="{kind}"' in picture
    ]  # fmt: skip
    items += [(marks.swatch(kind), said) for kind, said in _MARKS.items() if f'class="mark {kind}"' in picture]
    note = "Signals stand in the week they are about, all else at its instant. Point at a mark for its sentence."
    return _part("Timeline", el("p", note, class_="facts"), picture, _legend(items))


def _live(account: Account, policy: Policy, axis: Axis) -> Iterable[Html]:
    items = [(live.swatch(line, policy.name), line.name) for line in live.lines_of(account)]
    better = "higher" if account.higher else "lower"
    note = (
        f"On the answers users got, once their labels had matured; {better} is better. Upright lines: a model became "
        "champion. Gaps: no labels."
    )
    name = account.metric
    picture = live.live_metric(account, policy, axis, words(name) if name in METRIC else name)
    return _part(f"Live {metric_said(name)}, week by week", el("p", note, class_="facts"), picture, _legend(items))


def _drift(policy: Policy, axis: Axis) -> Iterable[Html]:
    columns = by_drift(policy.weeks)
    if not columns:
        return ()
    parts = [columns[at : at + _SHOWN] for at in range(0, len(columns), _SHOWN)]
    rest = [heat_map(policy.weeks, part, axis, faults=False) for part in parts[1:]]
    note = (
        "Each column's distance (PSI) over its own threshold; the number says in how many weeks it drifted. The most "
        "often first."
    )
    items = [
        (el("svg", el("rect", width=16, height=12, y=2, class_=kind), width=16, height=16), said)
        for _, kind, said in HEAT
    ]
    return _part(
        "Drift of the inputs",
        el("p", note, class_="facts"),
        heat_map(policy.weeks, parts[0], axis, faults=True),
        tables.folded(f"{_many(len(columns) - _SHOWN, 'column')} more", *rest) if rest else NOTHING,
        _legend(items),
    )


def _legend(items: Iterable[tuple[Html, str]]) -> Html:
    return el("ul", *(el("li", picture, el("span", said)) for picture, said in items), class_="legend")
