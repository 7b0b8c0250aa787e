"""Stage 2, features: is what is served what was trained on? A check on every feature table.

Requests of the week are served again as of their instants, and each value must equal the feature table's. From the live
online store where it still holds the week's whole history as validated; where it does not (an old week made anew), from
that history projected in memory, and the check says so.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.online import OnlineStore
from mlops_assets.core.online.ordered import moment
from mlops_assets.core.online.series import SERIES, incomplete
from mlops_assets.core.online.skew import projected, served_skew
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.features import TABLE, feature_step, history
from mlops_assets.graph.online import SNAPSHOTS, WEEK, FeatureStore, first_question
from mlops_assets.graph.steps import refusals
from mlops_assets.graph.storage import Store, Upstream
from mlops_assets.stores.refs import Ref

CHECK = "served_check"  # an artifact beside the assets: the outcome of a week that the live store no longer holds
SERVED = 1000  # requests of a week that are served again, evenly over its time


def skew_step(use_case: UseCase) -> Step:
    """What the outcome depends on where the live store cannot be asked: nothing but what is stored."""
    return Step(
        use_case=use_case,
        artifact=CHECK,
        makes=(compared, projected),
        sees=("name", "partitions", "tables", "requests", "label", "features"),
        reads={"features": Reads(artifact="feature_table"), **feature_step(use_case).reads},
    )


def compared(use_case: UseCase, table: pa.Table, past: "History", online: OnlineStore | None) -> dict[str, Any]:
    """The outcome as JSON values; from a store projected in memory where `online` is None."""
    asked = _sample(use_case, past.weeks[max(past.weeks)][use_case.request_table.name])
    keys = list(use_case.request_table.key)
    trained = table.join(asked.select(keys), keys, join_type="inner")
    found = served_skew(use_case, trained, asked, past, online or projected(use_case, past))
    return {
        "judged": found.judged,
        "passed": found.judged and found.first is None,
        "sentence": found.sentence,
        "compared": found.compared,
        "values_differ": found.values_differ,
        "by_feature": [list(pair) for pair in found.by_feature],
    }


def served_equals_trained(use_case: UseCase) -> dg.AssetChecksDefinition:
    """The skew check."""
    step = skew_step(use_case)

    @dg.asset_check(
        name="served_equals_trained",
        asset=dg.AssetKey([use_case.name, "feature_table"]),
        partitions_def=partitions_def(use_case.partitions),
        additional_deps=[dg.AssetKey([use_case.name, name]) for name in ("validated_dataset", "online_features")],
        description=f"{SERVED:,} requests of the week (all, when there are fewer), served from the online store as of "
        "their instants, have the values of the feature table, every one of them, bit for bit",
    )
    def check(context: dg.AssetCheckExecutionContext, store: Store, feature_store: FeatureStore) -> dg.AssetCheckResult:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            past = History(use_case, read["validated"])

            def outcome(online: OnlineStore | None) -> dict[str, Any]:
                return compared(step.seen, read["features"].one().tables[TABLE], past, online)

            with feature_store.store(use_case) as online:
                lacks = _lacks(use_case, online, read["validated"].refs, partition)
                if lacks:  # from what is stored alone, so it is worked out once
                    action = step.action(partition, inputs_of(read))
                    made = once(context, store.assets, action, lambda: Artifact(records={CHECK: outcome(None)}))
                    store.publish(made, context.run.run_id)
                    found: dict[str, Any] = made.artifact.records[CHECK]
                else:
                    found = outcome(online)
        sentence = (f"Projected from the validated history, since {lacks}. " if lacks else "") + found["sentence"]
        return dg.AssetCheckResult(
            passed=found["passed"],
            description=sentence,
            severity=dg.AssetCheckSeverity.ERROR if found["judged"] else dg.AssetCheckSeverity.WARN,
            metadata={
                "in words": sentence,
                "values compared": found["compared"],
                "values that differ": found["values_differ"],
                "by feature": showing.records({"feature": n, "values that differ": c} for n, c in found["by_feature"]),
            },
        )

    return check


class History(Mapping[str, pa.Table]):
    """The validated tables of a window, read when the first is asked for."""

    def __init__(self, use_case: UseCase, validated: Upstream) -> None:
        self._use_case, self._validated = use_case, validated

    @cached_property
    def weeks(self) -> dict[str, Mapping[str, pa.Table]]:
        return {week: artifact.tables for week, artifact in self._validated.artifacts().items()}

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        return history(self._use_case, self.weeks)

    def __getitem__(self, name: str) -> pa.Table:
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _sample(use_case: UseCase, requests: pa.Table) -> pa.Table:
    """At most SERVED requests, evenly over the time at which they were asked."""
    ordered = requests.sort_by([(name, "ascending") for name in (use_case.requests.as_of, *use_case.request_table.key)])
    places = np.unique(np.linspace(0, max(requests.num_rows - 1, 0), min(SERVED, requests.num_rows)).astype(np.int64))
    return ordered.take(pa.array(places, pa.int64()))


def _lacks(use_case: UseCase, online: OnlineStore, weeks: Mapping[str, Ref], partition: str) -> str:
    """What of the validated weeks the live online store does not hold, in words; empty when it holds them all."""
    absent = [week for week, ref in weeks.items() if online.note(WEEK + week) != ref.data_version]
    if absent:
        return f"the online store does not hold {', '.join(absent)} as validated"
    short = [name for name, week in incomplete(use_case, online.note(SERIES)).items() if not week or week > min(weeks)]
    if short:
        return f"the online store was filled by another declaration: {short[0]!r} is not there from {min(weeks)} on"
    if online.kept_since is not None and online.kept_since > first_question(use_case, partition):
        return f"the online store keeps history since {moment(online.kept_since).isoformat()} only"
    snapshots = json.loads(online.note(SNAPSHOTS) or "{}").get("week", partition)
    return f"the online store holds the snapshots of {snapshots}" if snapshots != partition else ""
