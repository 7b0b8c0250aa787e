"""A surge of missing values, beyond anything a window of the reference had; and the join behind several of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_assets.core.drift.faults.looking import Look, at_least, rest_gone
from mlops_assets.core.drift.faults.words import Fault, FaultKind
from mlops_assets.declare.drift import DriftPolicy

_STOPPED = 0.9  # of the rows missing: a join that finds nothing


@dataclass(frozen=True)
class Surge:
    """A column that went missing: shares of the rows now and, as a rule, before."""

    look: Look
    now: float
    before: float


def surge(look: Look) -> Surge | None:
    """The surge of a column, if the share missing is proven to be above what the reference allows.

    None where the reference's windows were not recorded.
    """
    shares = look.profile.missing_by_window
    if not (shares and look.live.rows):
        return None
    missing = int(look.live.bins[-1])
    if at_least(missing, look.live.rows, look.level) <= allowed(shares, look.policy):
        return None
    return Surge(look, missing / look.live.rows, statistics.median(shares))


def allowed(shares: Sequence[float], policy: DriftPolicy) -> float:
    """The share of missing rows up to which a window is like the reference's, whose shares these are; 0 .. 1.

    The largest of: the second largest there (one window may be a start without history, or a storm), the usual share
    with `fault_missing` of the present values gone, and `fault_missing_sd` robust sd above it. But wherever so few
    values are left as `rest_gone` says, the feed has stopped.

    >>> round(allowed([0.16, 0.17, 0.18, 0.22], DriftPolicy()), 3)
    0.299
    """
    usual = statistics.median(shares)
    spread = 1.4826 * statistics.median(abs(share - usual) for share in shares)
    beyond = max(
        sorted(shares)[-2:][0], 1 - (1 - usual) * (1 - policy.fault_missing), usual + policy.fault_missing_sd * spread
    )
    return min(beyond, rest_gone(max(shares), policy))


def missing_faults(surges: Sequence[Surge]) -> list[Fault]:
    """One fault per column, but one for all columns of one feed that went missing together."""
    by_feed: dict[tuple[str, str], list[Surge]] = {}
    for found in surges:
        feed = found.look.profile.feed
        by_feed.setdefault((feed, "" if feed else found.look.profile.name), []).append(found)
    return [_of_feed(together) for together in by_feed.values()]


def _of_feed(together: list[Surge]) -> Fault:
    together = sorted(together, key=lambda found: found.look.profile.name)
    names = tuple(found.look.profile.name for found in together)
    feed = together[0].look.profile.feed
    source = f" ({feed})" if feed else ""
    now = _shares([found.now for found in together])
    before = _shares([found.before for found in together])
    figures = f"{', '.join(names)}{source}: {now} missing, {before} before"
    if len(together) == 1:
        return Fault(columns=names, kind=FaultKind.MISSING, sentence=f"{figures}: the feed lost its values")
    stopped = min(found.now for found in together) >= _STOPPED
    why = "the join stopped matching" if stopped else "the join matches less than it did"
    return Fault(columns=names, kind=FaultKind.JOIN, sentence=f"{figures}: {why}")


def _shares(shares: list[float]) -> str:
    low, high = f"{100 * min(shares):.0f}", f"{100 * max(shares):.0f}"
    return f"{low} %" if low == high else f"{low}-{high} %"
