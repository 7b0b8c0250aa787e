"""The three signals of monitoring and what they mean together: one table, pure and whole.

Data drift, prediction drift and concept drift are told apart on purpose: watching inputs never sees a changed world
that looks the same, watching outcomes never sees a broken feed in time. No signal here acts; `retraining/` decides
whether what a response asks for may happen now.
"""

from dataclasses import dataclass
from enum import Enum


class Data(Enum):
    """What a drift report says of the inputs. FAULT: a feed is broken, whatever else drifted."""

    QUIET = "quiet"
    WATCH = "watch"
    ACT = "act"
    FAULT = "feed fault"
    UNKNOWN = "inconclusive"


class Prediction(Enum):
    """What it says of the model's answers."""

    STABLE = "stable"
    DRIFT = "drift"
    UNKNOWN = "inconclusive"


class Concept(Enum):
    """What a performance report says of realised answers on matured labels."""

    OK = "ok"
    WATCH = "watch"
    DRIFT = "concept drift"
    UNKNOWN = "insufficient labels"


class Response(Enum):
    """What the signals ask for."""

    NOTHING = "nothing"
    WATCH = "watch"
    RETRAIN = "retrain"
    ROLL_BACK = "roll back"
    CHECK_FEED = "check the feed"


@dataclass(frozen=True, kw_only=True)
class Signals:
    """The three signals of one window."""

    data: Data
    prediction: Prediction
    concept: Concept


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response and its reason, one sentence without the names of columns."""

    response: Response
    reason: str


_FED_WRONG = "a feed is broken: a model trained on it, or judged by it, would learn the fault"
_TURNED = "the inputs are as they were, the answers are not, and they are wrong: it is the model, not the world"
_WORLD = "the model is wrong more often than when it was made"
_VIRTUAL = "the inputs have moved and the model is still as right as it was"
_BLIND = "the inputs have moved and no outcome says that the model still holds"
_ODD = "the answers have moved without the inputs: ask what serves them"
_NEAR = "something has moved, less than what asks for a training"
_NOT_PROVEN = "the outcomes look worse than they did, not yet beyond chance"
_UNSEEN = "there is too little to tell"
_CALM = "inputs, answers and outcomes are as they were"


def respond(signals: Signals) -> Answer:
    """What a window's signals ask for; total over all combinations, and the first rule that holds wins.

    1. A broken feed is mended before anything is concluded from it.
    2. Concept drift retrains; with quiet inputs and drifted answers the model itself has changed: roll back.
    3. Inputs that ask to act, or drifted answers, retrain only where no outcome vouches for the model.
    4. Everything else that moved is watched.

    >>> respond(Signals(data=Data.ACT, prediction=Prediction.DRIFT, concept=Concept.OK)).response.value
    'watch'
    """
    data, prediction, concept = signals.data, signals.prediction, signals.concept
    if data is Data.FAULT:
        return Answer(response=Response.CHECK_FEED, reason=_FED_WRONG)
    if concept is Concept.DRIFT:
        if data is Data.QUIET and prediction is Prediction.DRIFT:
            return Answer(response=Response.ROLL_BACK, reason=_TURNED)
        return Answer(response=Response.RETRAIN, reason=_WORLD)
    if data is Data.ACT:
        if concept is Concept.OK:
            return Answer(response=Response.WATCH, reason=_VIRTUAL)
        return Answer(response=Response.RETRAIN, reason=_BLIND)
    if prediction is Prediction.DRIFT:
        return Answer(response=Response.WATCH, reason=_ODD)
    if concept is Concept.WATCH:
        return Answer(response=Response.WATCH, reason=_NOT_PROVEN)
    if data is Data.WATCH:
        return Answer(response=Response.WATCH, reason=_NEAR)
    if data is Data.UNKNOWN or prediction is Prediction.UNKNOWN or concept is Concept.UNKNOWN:
        return Answer(response=Response.WATCH, reason=_UNSEEN)
    return Answer(response=Response.NOTHING, reason=_CALM)


def truth_table() -> list[dict[str, str]]:
    """Every combination of the three signals with its response and reason, as shown to people."""
    rows = []
    for data in Data:
        for prediction in Prediction:
            for concept in Concept:
                answer = respond(Signals(data=data, prediction=prediction, concept=concept))
                rows.append(
                    {
                        "data": data.value,
                        "prediction": prediction.value,
                        "concept": concept.value,
                        "response": answer.response.value,
                        "reason": answer.reason,
                    }
                )
    return rows
