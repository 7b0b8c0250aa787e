"""Records of a tiny prediction log: champion 1 and challenger 2 of one rollout, one row a request."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_assets.stores.serving.predictions import Answered, Labelled, Mirrored, PredictionLog

ROLLOUT, DAY = "1-2", timedelta(days=1)
AS_OF = datetime(2013, 7, 3, 8, tzinfo=UTC)
AS_OF_US = int(AS_OF.timestamp() * 1_000_000)


def answered(id: str, **changed: Any) -> Answered:
    """The champion's answer 0.25 in the canary, changed as asked."""
    told: dict[str, Any] = {
        "id": id, "request": id, "row": 0, "unit": "N836UA", "rollout": ROLLOUT, "epoch": 3, "stage": "CANARY",
        "share": 0.05, "assigned": "champion", "version": 1, "champion": 1, "challenger": 2, "as_of_us": AS_OF_US,
        "received_us": AS_OF_US + 10, "answered_us": AS_OF_US + 900, "score": 0.25, "status": "ok", "reason": "",
        "latency_us": 300, "challenger_bad": "", "bad": "", "features": '{"carrier":"UA","distance":719}',
    }  # fmt: skip
    return Answered(**(told | changed))


def mirrored(id: str, **changed: Any) -> Mirrored:
    """The challenger's 0.5 beside it."""
    told: dict[str, Any] = {
        "id": id,
        "version": 2,
        "arm": "challenger",
        "score": 0.5,
        "bad": "",
        "latency_us": 400,
        "at_us": AS_OF_US + 99,
    }
    return Mirrored(**(told | changed))


def labelled(id: str, label: float = 1.0) -> Labelled:
    """What turned out to be true two days later."""
    return Labelled(id=id, label=label, known_us=AS_OF_US + 1, arrived_us=AS_OF_US + 2)


def put(log: PredictionLog, *records: Any) -> list[str]:
    """Hand records in and wait; what became of each."""
    return [outcome.told.value for outcome in log.put(records).result(30)]
