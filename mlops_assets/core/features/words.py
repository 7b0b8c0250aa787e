"""Features in words: one sentence each, for people who read columns and not declarations."""

from collections.abc import Iterable
from datetime import timedelta

from mlops_assets.declare import ALWAYS, AtRequest, Count, Feature, Last, Mean, Rate, UseCase

_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def describe(use_case: UseCase, feature: Feature) -> str:
    """One sentence: what the feature is, over which window, known when; the declared doc in front, the unit behind.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS as flights
    >>> by_name = {f.name: f for f in flights.features}
    >>> describe(flights, by_name["carrier_late_7d"])
    'Share of true late in flights with the same carrier that became known in the 7 days up to asked_utc (known at \
outcome_utc); empty when there is none.'
    >>> describe(flights, by_name["plane_seats"])
    'Seats in planes with the same tailnum, a fact known always.'
    """
    text = _what(use_case, feature)
    if feature.unit:
        text += f", in {feature.unit}"
    if feature.doc:
        return f"{feature.doc[0].upper()}{feature.doc[1:]}: {text}."
    return f"{text[0].upper()}{text[1:]}."


def _what(use_case: UseCase, feature: Feature) -> str:
    as_of = use_case.requests.as_of
    if isinstance(feature, AtRequest):
        doc = (feature.fn.__doc__ or feature.fn.__name__).strip().splitlines()[0].rstrip(".")
        return f"{doc[0].lower()}{doc[1:]} of the request's own {_listed(feature.reads)}, known when asked at {as_of}"
    key = _listed(
        mine if mine == theirs else f"{theirs} (the request's {mine})"
        for mine, theirs in zip(feature.key, feature.table_key, strict=True)
    )
    at = use_case.table(feature.table).known_at[feature.column]
    where = f"{feature.column} in {feature.table} with the same {key}"
    if isinstance(feature, Last):
        if at == ALWAYS or feature.within is None:
            return f"{where}, a fact known always"
        return f"the last {where} that became known in the {_span(feature.within)} up to {as_of} (known at {at})"
    over = f"that became known in the {_span(feature.window)} up to {as_of} (known at {at})"
    if isinstance(feature, Count):
        return f"how many values of {where} there are {over}; 0 when there is none"
    if isinstance(feature, Rate):
        return f"share of true {where} {over}; empty when there is none"
    if isinstance(feature, Mean):
        return f"mean of {where} {over}; empty when there is none"
    return f"sum of {where} {over}; 0 when there is none"


def _listed(several: Iterable[str]) -> str:
    names = list(several)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _span(span: timedelta) -> str:
    for unit, word in _UNITS:
        if span % unit == timedelta(0):
            count = span // unit
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{span.total_seconds():g} seconds"
