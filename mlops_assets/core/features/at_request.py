"""Features computed from the request's own row: the same function offline and where the model is served.

Here belongs calling it and not trusting it. It sees the columns it declares and nothing else.
"""

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features.keys import whole
from mlops_assets.declare import AtRequest, DataError, Kind, UseCase


def at_request(use_case: UseCase, feature: AtRequest, requests: pa.Table) -> pa.Array:
    """The feature of every request, in their order: shape (requests,), of the feature's declared Arrow type.

    Raises DataError, naming use case and feature, when its function fails or returns another length, another type or
    a float that is not finite.
    """
    where = f"{use_case.name}.features[{feature.name!r}]"
    try:
        values = feature.fn(*(whole(requests[name]) for name in feature.reads))
    except Exception as failed:
        raise DataError(
            f"{where}: its function {feature.fn.__name__!r} failed on {requests.num_rows} rows of "
            f"{list(feature.reads)} with {type(failed).__name__}: {failed}. It must take any validated rows, nulls and "
            "no rows included."
        ) from failed
    values = whole(values) if isinstance(values, pa.ChunkedArray) else values
    if not isinstance(values, pa.Array):
        raise DataError(f"{where}: {feature.fn.__name__!r} returned a {type(values).__name__}, must be an Arrow array.")
    if len(values) != requests.num_rows:
        raise DataError(
            f"{where}: {feature.fn.__name__!r} returned {len(values)} values for {requests.num_rows} requests, must be "
            "one for each row: it is a function of one row, not of all."
        )
    if values.type != ARROW[feature.kind]:
        raise DataError(
            f"{where}: {feature.fn.__name__!r} returned {values.type}, kind {feature.kind.value!r} is "
            f"{ARROW[feature.kind]}: cast it in the function or declare the other kind."
        )
    if feature.kind is Kind.FLOAT and pc.all(pc.is_finite(values)).as_py() is False:
        raise DataError(f"{where}: {feature.fn.__name__!r} returned NaN or infinity, must be finite or null.")
    return values
