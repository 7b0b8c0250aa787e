"""Features in words: one sentence each, for people who read columns and not declarations."""

from collections.abc import Iterable
from datetime import timedelta

from mlops_assets.declare import AtRequest, Count, Feature, Last, Mean, Rate, UseCase

_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def describe(use_case: UseCase, feature: Feature) -> str:
    """One sentence: what the feature is, over which window, known when; the declared doc in front, the unit behind.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS as flights
    >>> by_name = {f.name: f for f in flights.features}
    >>> describe(flights, by_name["carrier_late_7d"])
    'Share of late among the flights with the same carrier, over what became known (at outcome_utc) in the 7 days up \
to asked_utc; empty when nothing did.'
    >>> describe(flights, by_name["plane_seats"])
    'The seats in planes with the same tailnum, a fact known always.'
    """
    text = _what(use_case, feature)
    if not isinstance(feature, AtRequest) and feature.missing is not None:
        text = text.removesuffix("; empty when nothing did") + f"; {feature.missing!r} where nothing is known"
    text += f", in {feature.unit}" if feature.unit else ""
    return f"{feature.doc}: {text}." if feature.doc else f"{text[0].upper()}{text[1:]}."


def _what(use_case: UseCase, feature: Feature) -> str:
    as_of = use_case.requests.as_of
    if isinstance(feature, AtRequest):
        rule = (feature.fn.__doc__ or feature.fn.__name__).strip().splitlines()[0].rstrip(".")
        return f"from the request's own {_listed(feature.reads)} when asked (at {as_of}): {rule[0].lower()}{rule[1:]}"
    key = _listed(
        mine if mine == theirs else f"{theirs} as the request's {mine}"
        for mine, theirs in zip(feature.key, feature.table_key, strict=True)
    )
    at, column = use_case.table(feature.table).known_at[feature.column], feature.column
    of = f"{feature.table} with the same {key}"
    if isinstance(feature, Last):
        if feature.within is None:
            return f"the {column} in {of}, a fact known always"
        return f"the last {column} in {of}, known (at {at}) in the {_span(feature.within)} up to {as_of}"
    over = f"over what became known (at {at}) in the {_span(feature.window)} up to {as_of}"
    if isinstance(feature, Count):
        return f"how many {column} there are in {of}, {over}; 0 when nothing did"
    if isinstance(feature, Rate):
        return f"share of {column} among the {of}, {over}; empty when nothing did"
    if isinstance(feature, Mean):
        return f"mean of {column} in {of}, {over}; empty when nothing did"
    return f"sum of {column} in {of}, {over}; 0 when nothing did"


def _listed(several: Iterable[str]) -> str:
    names = list(several)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _span(span: timedelta) -> str:
    for unit, word in _UNITS:
        if span % unit == timedelta(0):
            count = span // unit
            return word if count == 1 else f"{count} {word}s"
    return f"{span.total_seconds():g} seconds"
