"""A replay's policies side by side, beside what they are held against; what each changes, and what each cost."""

from collections.abc import Sequence

from mlops_assets.core.account import Account, Against, Policy
from mlops_assets.core.gain import NEVER, best_against, never_again, share_of_gain, standing_figure, standing_since
from mlops_assets.core.pages.document import number, section
from mlops_assets.core.pages.markup import NOTHING, Html, el, named

_NUMBERS = ("trainings", "rollouts", "finalized", "rolled_back", "shadow", "exposed", "harmed", "failed")
_HEADS = {"rolled_back": "rolled back", "shadow": "shadow calls", "exposed": "exposed answers",
          "harmed": "harmed answers", "failed": "failed requests"}  # fmt: skip
_COSTS = (
    ("runs", "runs of jobs"),
    ("failed_runs", "of these, runs that failed"),
    ("trainings", "models trained"),
    ("rollouts", "rollouts opened"),
    ("finalized", "challengers that became champion"),
    ("rolled_back", "challengers taken out again"),
    ("shadow", "answers of a challenger that nobody waited for"),
    ("exposed", "answers users got from a challenger before it was champion"),
    ("harmed", "of these, answers of challengers that were then rolled back"),
    ("failed", "requests that got no answer"),
)


def compared(account: Account) -> Html:
    """One row for each policy, then one for each comparator; the best policy's figure is bold."""
    names = metric_names(account)
    heads = ("policy", *map(metric_said, names), "share of the gain", *(_HEADS.get(one, one) for one in _NUMBERS))
    best = best_policy(account)
    rows = [
        _row(heads, one, account, names, [f"{getattr(one.costs, cost):,}" for cost in _NUMBERS], one is best, None)
        for one in account.policies
    ]
    rows += [
        _row(heads, one, account, names, [f"{one.trainings:,}", *["–"] * (len(_NUMBERS) - 1)], False,
             "against" if at else "against first")
        for at, one in enumerate(account.against)
    ]  # fmt: skip
    head = el("tr", *(el("th", said, scope="col") for said in heads))
    held = best_against(account)
    note = NOTHING
    if held is not None and never_again(account) is not None:
        note = el(
            "p", "Share of the gain: how much of the way a policy went from ", named(NEVER), " (0 %) to ",
            named(held.name), " (100 %). What the policies are held against was put in place at once, without gate, "
            "shadow or canary: it shows what was to be had, not what may be dared.", _counted(account),
            class_="facts",
        )  # fmt: skip
    return section("Side by side", el("table", el("thead", head), el("tbody", *rows)), note)


def _counted(account: Account) -> str:
    since = standing_since(account)
    if since is None:
        return ""
    return (
        f" It is counted from {since} on, when every policy had a champion of its own: before, the declared baseline "
        "answered, which is the price of proof."
    )


def changed(account: Account) -> Html:
    """What each policy changes of the use case as it is declared."""
    items = [
        el("li", named(one.name), ": ", *(_changes(one) if one.changes else ["the use case as it is declared"]))
        for one in account.policies
    ]
    return section("What each policy changes", el("ul", *items)) if items else NOTHING


def costs(account: Account) -> Html:
    """What each policy cost: one row for each kind of cost."""
    if not account.policies:
        return NOTHING
    heads = ("what", *(one.name for one in account.policies))
    rows = [(said, *(f"{getattr(one.costs, cost):,}" for one in account.policies)) for cost, said in _COSTS]
    seconds = [one.costs.seconds for one in account.policies]
    rows.append(("minutes of the replay's wall time", *(f"{one / 60:.1f}" if one else "–" for one in seconds)))
    top = el("tr", *(el("th", named(head), scope="col") for head in heads))
    body = [
        el("tr", el("td", row[0], class_="name"),
           *(el("td", cell, data_head=head) for head, cell in zip(heads[1:], row[1:], strict=True)))
        for row in rows
    ]  # fmt: skip
    return section("What it cost", el("table", el("thead", top), el("tbody", *body)))


def best_policy(account: Account) -> Policy | None:
    """The policy that did best by the account's metric, the first of equals; None where none has a figure.

    From when every policy had a champion of its own, as the gain is counted; over the whole replay where none had.
    """
    figures = [standing_figure(account, one) for one in account.policies]
    if None in figures:
        figures = [one.metrics.get(account.metric) for one in account.policies]
    known = [(one, figure) for one, figure in zip(account.policies, figures, strict=True) if figure is not None]
    sign = 1 if account.higher else -1
    return max(known, key=lambda one: sign * one[1], default=(None, 0.0))[0]


def metric_names(account: Account) -> list[str]:
    """The metric that promotion goes by, then every other that a policy has."""
    return list(dict.fromkeys([account.metric, *(name for one in account.policies for name in one.metrics)]))


def metric_said(name: str) -> str:
    """A metric as it is called in a sentence.

    >>> metric_said("log_loss"), metric_said("auc")
    ('log loss', 'AUC')
    """
    return "AUC" if name == "auc" else name.replace("_", " ")


def shared(share: float | None) -> str:
    """A share of the gain as it is shown: below 0 and above 1 there are some too.

    >>> shared(0.891), shared(-0.2), shared(None)
    ('89\xa0%', '-20\xa0%', '–')
    """
    return "–" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def gained(account: Account, policy: Policy) -> str:
    """The end of a sentence: how much of the gain a policy kept; nothing where that cannot be said."""
    share, best = share_of_gain(account, policy), best_against(account)
    if share is None or best is None:
        return ""
    since, figure = standing_since(account), standing_figure(account, policy)
    said = "" if since is None or figure is None else f"; from {since} on, with champions of its own, {figure:.4g}"
    return said + (f", worse than {NEVER}" if share < 0 else f", {shared(share)} of the gain of “{best.name}”")


def _changes(policy: Policy) -> Sequence[str]:
    parts = [(el("code", field), " = ", el("code", value)) for field, value in sorted(policy.changes.items())]
    return [piece for at, part in enumerate(parts) for piece in ((", ",) if at else ()) + part]


def _row(
    heads: Sequence[str],
    one: Policy | Against,
    account: Account,
    names: Sequence[str],
    numbers: Sequence[str],
    best: bool,
    kind: str | None,
) -> Html:
    cells = [*(number(one.metrics.get(name), ".4g") for name in names), shared(share_of_gain(account, one)), *numbers]
    looks = ["own" if best and not at else "none" if said == "–" else None for at, said in enumerate(cells)]
    tail = [
        el("td", said, data_head=head, class_=look) for head, said, look in zip(heads[1:], cells, looks, strict=True)
    ]
    return el("tr", el("td", named(one.name), class_="name"), *tail, class_=kind)
