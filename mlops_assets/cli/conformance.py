"""`mlops conformance`: the battery of laws on a real week of any use case."""

import os
from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import use_case_named, week


def conformance(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    partition: Annotated[str, typer.Argument(help="the week, a Monday: 2013-02-11")],
    sample: Annotated[int, typer.Option(min=1, help="requests that the row-by-row laws look at")] = 50,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Prove on a validated week that no request is lost, nothing leaks, engines agree, served equals trained."""
    from mlops_assets.conformance import battery
    from mlops_assets.graph.features import history
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    declared = use_case_named(use_case)
    key, store = week(declared, partition), AssetStore(settings(os.environ).store)
    with progress() as bar:
        bar.add_task(f"laws of {declared.name} on {key}", total=None)
        keys = declared.partitions.window(key, -declared.lookback_weeks, 0)
        weeks = {k: store.load(f"{declared.name}/validated_dataset", k).tables for k in keys}
        requests = weeks[key][declared.request_table.name]
        proofs = battery(declared, requests, history(declared, weeks), sample=sample)
    if json:
        as_json([{"law": proof.law, "compared": proof.compared} for proof in proofs])
        return
    for proof in proofs:
        out.print(str(proof))
