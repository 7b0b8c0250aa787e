"""The marks on a replay's pictures: a shape for each kind, told apart without its colour, with a sentence on each."""

from collections.abc import Mapping
from types import MappingProxyType

from mlops_assets.core.pages.markup import Html, el
from mlops_assets.core.signals import Concept, Data, Prediction, Response

# shape -> path around 0 0
_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "calm": "M-1.5 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0z",
        "open": "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
        "watch": "M0-5L5 4H-5z",
        "drift": "M-5-5H5V5H-5z",
        "quality": "M-5-5L5 5M5-5L-5 5",
        "back": "M5-5V5L-5 0z",
        "asked": "M0-6L5 0L0 6L-5 0z",
        "stable": "M-5 0L-1.5 4L5-4",
        "rolled": "M-5-5L5 5M5-5L-5 5",
        "rejected": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zM-3.5 3.5L3.5-3.5",
        "trained": "M-5-4H5L0 5z",
        "short": "M-5-4H5L0 5z",
    }
)
# what a signal or the answer to it says -> its shape; what moved is larger than what did not
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        Data.QUIET.value: "calm",
        Data.WATCH.value: "watch",
        Data.ACT.value: "drift",
        Data.FAULT.value: "quality",
        Data.UNKNOWN.value: "open",
        Prediction.STABLE.value: "calm",
        Prediction.DRIFT.value: "drift",
        Concept.OK.value: "calm",
        Concept.DRIFT.value: "drift",
        Concept.UNKNOWN.value: "open",
        Response.NOTHING.value: "calm",
        Response.RETRAIN.value: "drift",
        Response.ROLL_BACK.value: "back",
        Response.CHECK_FEED.value: "quality",
    }
)


def kind_of(signal: str) -> str:
    """The shape of a signal's value, hollow for one that is not known.

    >>> kind_of("concept drift"), kind_of("?")
    ('drift', 'open')
    """
    return _KINDS.get(signal, "open")


def mark(shape: str, x: float, y: float, told: str) -> Html:
    """The shape at a place, `told` when it is pointed at."""
    return el("path", el("title", told), d=_SHAPES[shape], class_=f"mark {shape}", transform=f"translate({x:g} {y:g})")


def swatch(shape: str) -> Html:
    """The shape for a legend."""
    return el(
        "svg", el("path", d=_SHAPES[shape], class_=f"mark {shape}", transform="translate(8 8)"), width=16, height=16
    )
