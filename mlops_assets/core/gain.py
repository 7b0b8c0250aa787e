"""How much of the gain of training again a policy keeps: its place between never and the best there was to be had."""

from mlops_assets.core.account import Account, Against, Policy

NEVER = "never trained again"  # the comparator that everything is a gain over


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


def share_of_gain(account: Account, one: Policy | Against) -> float | None:
    """How much of the way from `NEVER` to the best comparator a policy, or a comparator, went by the account's metric.

    0: no better than never trained again, 1: as good as the best; below and above where it was worse or better than
    these. None where a figure is missing, or where there was nothing to gain.

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
    most = gain_over(account, best.metrics.get(metric), never.metrics.get(metric))
    gained = gain_over(account, one.metrics.get(metric), never.metrics.get(metric))
    return None if most is None or gained is None or most <= 0 else gained / most
