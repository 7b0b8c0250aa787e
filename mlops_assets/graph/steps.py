"""What every step of the lifecycle does alike: refuse clearly, retry only what may pass by itself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from mlops_assets.declare import MlopsError

# a busy disk, a locked database, a dropped connection: worth a second and a third try, each a little later
TRANSIENT = dg.RetryPolicy(max_retries=2, delay=1.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


class TrackerDown(Exception):
    """The tracker cannot be reached; worth another try. It says what becomes of the training."""


@contextmanager
def refusals() -> Iterator[None]:
    """Our own errors end the step at once: trying again would meet the same bytes. Others may be retried."""
    try:
        yield
    except MlopsError as error:
        raise dg.Failure(
            description=str(error), metadata={"kind": type(error).__name__}, allow_retries=False
        ) from error


def why_failed(events: Iterable[dg.DagsterEvent]) -> str:
    """Which step of a run failed first, and the innermost reason; Dagster hides it behind "exceeded max_retries"."""
    for event in events:
        if event.event_type not in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_UP_FOR_RETRY):
            continue
        data: Any = event.event_specific_data
        failure = getattr(data, "user_failure_data", None)
        if failure is not None and failure.description:
            return f"{event.step_key}: {failure.description}"
        error = data.error
        while error is not None and error.cause is not None and error.cls_name != TrackerDown.__name__:
            error = error.cause
        return f"{event.step_key}: {error.message.strip() if error else 'failed'}"
    return ""
