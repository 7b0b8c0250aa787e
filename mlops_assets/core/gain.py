"""How much of the gain of training again a policy keeps: its place between never and the best there was to be had."""

from mlops_assets.core.account import Account, Against, Policy

NEVER = "never trained again"  # the comparator that everything is a gain over
_FINAL = "FINALIZED"


def gain_over(account: Account, value: float | None, never: float | None) -> float | None:
    """How much better `value` is than `never`, in units of the account's metric: positive = better; None of None."""
    if value is None or never is None:
        return None
    return value - never if account.higher else never - value


def never_again(account: Account) -> Against | None:
    """The comparator that was never trained again; None where there is none."""
    return next((one for one in account.against if one.name == NEVER), None)


def best_against(account: Account) -> Against | None:
    """The comparator that did best by the account's metric, the first of equals, other than `NEVER`.

    None where there is no other, or none with a figure.
    """
    others = [one for one in account.against if one.name != NEVER and one.metrics.get(account.metric) is not None]
    sign = 1 if account.higher else -1
    return max(others, key=lambda one: sign * (one.metrics[account.metric] or 0.0), default=None)


def standing_since(account: Account) -> str | None:
    """The first week that began when every policy had a champion of its own; None where one never had, or none does.

    Before that the baseline answers users, whatever the policy: what the comparators say then is no policy's doing.
    """
    firsts = [min((s.since for s in one.stages if s.stage == _FINAL), default=None) for one in account.policies]
    if not firsts or None in firsts:
        return None
    latest = max(first for first in firsts if first is not None)[:10]
    return next((week.week for week in account.policies[0].weeks if week.week >= latest), None)


def standing_figure(account: Account, one: Policy | Against) -> float | None:
    """The account's metric from that week on: the mean of weeks by their labelled rows. None where there is none."""
    since, metric = standing_since(account), account.metric
    if since is None:
        return None
    rows = {week.week: week.labelled for week in account.policies[0].weeks if week.week >= since}
    weeks = {w.week: w.metrics for w in one.weeks} if isinstance(one, Policy) else one.weeks
    told = [(rows[week], weeks[week].get(metric)) for week in rows if week in weeks]
    known = [(count, value) for count, value in told if value is not None]
    total = sum(count for count, _ in known)
    return sum(count * value for count, value in known) / total if total else None


def share_of_gain(account: Account, one: Policy | Against) -> float | None:
    """How much of the way from `NEVER` to the best comparator a policy, or a comparator, went by the account's metric.

    Counted from `standing_since` on, over the whole replay where that cannot be said. 0: no better than never trained
    again, 1: as good as the best; below and above where it was worse or better than these. None where a figure is
    missing, or where there was nothing to gain.

    >>> from mlops_assets.core.account import Against
    >>> losses = {NEVER: 0.482, "trained every week": 0.462, "trained once": 0.477}
    >>> against = tuple(Against(name=name, weeks={}, metrics={"log_loss": loss}, trainings=1)
    ...                 for name, loss in losses.items())
    >>> account = Account(use_case="flights", metric="log_loss", higher=False, first="2013-02-25", begin="2013-03-04",
    ...                   end="2013-12-30", seed=1, policies=(), against=against)
    >>> round(share_of_gain(account, against[2]), 6)
    0.25
    """
    never, best, metric = never_again(account), best_against(account), account.metric
    if never is None or best is None:
        return None
    figures = [standing_figure(account, each) for each in (never, best, one)]
    if None in figures:
        figures = [each.metrics.get(metric) for each in (never, best, one)]
    most, gained = (gain_over(account, figure, figures[0]) for figure in figures[1:])
    return None if most is None or gained is None or most <= 0 else gained / most
