"""The chain of an automatic retraining, told on the pages of the reports that asked for it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlops_assets.declare import UseCase
from mlops_assets.graph.retraining import RETRAIN, SIGNAL
from mlops_assets.stores.assets import AssetStore

TOLD_ON = ("drift_report", "performance_report", "response")


def tell_chain(
    context: dg.AssetExecutionContext,
    use_case: UseCase,
    store: AssetStore,
    entry: Mapping[str, Any],
    pages: str,
    last: str,
) -> None:
    """Put what became of a retraining on the pages of its cause; nothing in a run that no sensor asked for.

    `entry` is the registry's record of the candidate, `pages` where Dagster's are served, `last` the rollout's newest
    decision.
    """
    key = context.run.tags.get(RETRAIN)
    if key is None:
        return
    week = context.partition_key
    trained = store.latest(f"{use_case.name}/trained_model", week)
    facts: dict[str, Any] = {
        "1 cause": context.run.tags.get("mlops/why", ""),
        "2 claim": f"retrain {key[:16]} of the ledger: mlops history {use_case.name}",
        "3 run": dg.MetadataValue.url(f"{pages}/runs/{context.run_id}"),
        "4 trained model": f"{week}, data version {trained.data_version[:12]}" if trained else "none",
        "5 registry entry": f"{entry['candidate']}: {entry['judgement']['sentence']}",
        "6 rollout": last,
        "page of the entry": dg.MetadataValue.url(
            f"{pages}/assets/{use_case.name}/registry_entry?view=partitions&partition={week}"
        ),
        "the same by": f"mlops trace {entry['candidate']}",
    }
    signal = context.run.tags.get(SIGNAL, "a signal")
    for artifact in TOLD_ON:
        context.log_event(
            dg.AssetObservation(
                asset_key=[use_case.name, artifact],
                partition=week,
                description=f"{signal} retrained it: {entry['candidate']}, {entry['judgement']['verdict']}",
                metadata=facts,
            )
        )
