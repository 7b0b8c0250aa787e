"""What every step of the lifecycle does alike: refuse clearly, retry only what may pass by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.declare import MlopsError

# a busy disk, a locked database, a dropped connection: worth a second and a third try, each a little later
TRANSIENT = dg.RetryPolicy(max_retries=2, delay=1.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def refusals() -> Iterator[None]:
    """Our own errors end the step at once: trying again would meet the same bytes. Others may be retried."""
    try:
        yield
    except MlopsError as error:
        raise dg.Failure(
            description=str(error), metadata={"kind": type(error).__name__}, allow_retries=False
        ) from error
