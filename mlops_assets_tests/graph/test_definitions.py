"""The door: what `dagster` loads, both use cases together."""

import dagster as dg

from mlops_assets.definitions import USE_CASES, defs
from mlops_assets.graph.why import steps


def test_all_use_cases_load_together() -> None:
    dg.Definitions.validate_loadable(defs)


def test_dagster_shows_the_code_version_of_every_step() -> None:
    graph = defs.resolve_asset_graph()
    for use_case in USE_CASES:
        for artifact, step in steps(use_case).items():
            assert graph.get(dg.AssetKey([use_case.name, artifact])).code_version == step.code_version


def test_no_step_reaches_the_records() -> None:
    """A key would change with their tables: every model would be trained anew for one more index."""
    for use_case in USE_CASES:
        for artifact, step in steps(use_case).items():
            reached = [name for name in step.action("", {}).code if name.startswith("mlops_assets.stores.records.")]
            assert not reached, artifact
