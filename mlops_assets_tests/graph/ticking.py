"""A sensor of a world, asked once: what it wants to run, or why it wants nothing."""

from typing import Any

import dagster as dg

from mlops_assets.graph.recording import Books
from mlops_assets.graph.serving import Serving
from mlops_assets.graph.storage import Store
from mlops_assets_tests.graph.world import World


def tick(world: World, name: str, cursor: str | None = None) -> dg.SensorResult:
    """The result of one tick; a plain skip is a result with a reason."""
    places, root = world.places, str(world.places.root)
    given: dict[str, Any] = {
        "records": Books(where=places.records, pages=places.dagster_ui),
        "serving": Serving(where=places.serving),
        "store": Store(url=places.store, root=root),
    }
    sensor = world.defs.resolve_sensor_def(name)
    wanted = {key: given[key] for key in sensor.required_resource_keys}
    with dg.build_sensor_context(world.instance, cursor=cursor, resources=wanted, definitions=world.defs) as context:
        found: Any = sensor(context)
    if isinstance(found, dg.SkipReason):
        return dg.SensorResult(skip_reason=found)
    return found  # type: ignore[no-any-return]


def why(result: dg.SensorResult) -> str:
    """Why nothing is to be run."""
    reason = result.skip_reason
    return (reason.skip_message if isinstance(reason, dg.SkipReason) else reason) or ""


def weeks(result: dg.SensorResult) -> list[str]:
    """The weeks that are to be run."""
    return [str(request.partition_key) for request in result.run_requests or []]
