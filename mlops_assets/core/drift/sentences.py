"""What a column did, in one sentence: the figure, the bound, how far it moved, and where to look first."""

from mlops_assets.core.drift.measured import Measured
from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.core.profile.records import ColumnProfile

_SURGE = 0.05  # a twentieth of the rows gone missing, unseen or out of range is named as the likely cause


def column_sentence(profile: ColumnProfile, figures: Measured, verdict: Verdict, *, watch: bool) -> str:
    """One sentence of one column, the same for the report, the check's message and the plot's reader."""
    name = f"{profile.name!r} [{profile.unit}]" if profile.unit else f"{profile.name!r}"
    if figures.psi is None:
        return f"{name}: no rows to judge"
    against = f"PSI {figures.psi:.2f} against {profile.threshold:.2f} ({_origin(profile)})"
    if verdict is Verdict.DRIFT:
        said = "raises a data-quality alarm, it is declared stable" if profile.stable else "drifted"
        return f"{name} {said}: {against}; {_cause(profile, figures)}"
    if verdict is Verdict.STABLE and not watch:
        return f"{name} is stable: {against}"
    if watch:
        return f"{name} is past its watch level {profile.watch_level:.2f}: {against}; {_cause(profile, figures)}"
    return f"{name} cannot be told: {against}, too few rows for so near a figure"


def _origin(profile: ColumnProfile) -> str:
    if profile.stable:
        return "the plain level of a stable column"
    if profile.restless_window is None:
        return "the floor, for want of reference windows"
    return f"inside the reference at most {profile.restlessness:.2f}, in {profile.restless_window}"


def _cause(profile: ColumnProfile, figures: Measured) -> str:
    """The likeliest reading of the figures, broken feeds before changed worlds."""
    surge = (figures.missing_live or 0.0) - figures.missing_reference
    if abs(surge) > _SURGE:
        return (
            f"missing {figures.missing_live:.0%} of the rows, {figures.missing_reference:.0%} in the reference: "
            "look at the feed or the join that fills it"
        )
    if (figures.unseen or 0.0) > _SURGE:
        return f"{figures.unseen:.0%} of the rows hold values the reference never had: a new category, or a renamed one"
    outside = (figures.below_min or 0.0) + (figures.above_max or 0.0)
    far = "" if figures.moved is None else f", moved {figures.moved.shift_sd:+.2f} sd"
    if outside > _SURGE:
        return f"{outside:.0%} of the rows lie outside the reference's range{far}: check unit and timezone"
    if profile.stable:
        return f"check unit, timezone and nulls of its feed{far}"
    if figures.moved is not None:
        return f"moved {figures.moved.shift_sd:+.2f} sd"
    return "the shares of its categories changed"
