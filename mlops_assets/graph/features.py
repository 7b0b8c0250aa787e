"""Stage 2, features: every request of the week with what was known when it was asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.features import describe, feature_table
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store
from mlops_assets.graph.types import artifact_type, feature_bounds

TABLE = "features"  # the one table of the artifact


def feature_step(use_case: UseCase) -> Step:
    """What the feature table depends on."""
    return Step(
        use_case=use_case,
        artifact="feature_table",
        makes=(work,),
        sees=("name", "partitions", "tables", "requests", "label", "features"),
        reads={"validated": Reads(artifact="validated_dataset", start=-use_case.lookback_weeks, load="every")},
    )


def work(use_case: UseCase, partition: str, read: Mapping[str, Weeks]) -> Artifact:
    """The feature table of a week from what the step reads."""
    weeks = {week: artifact.tables for week, artifact in read["validated"].artifacts().items()}
    return make(use_case, partition, weeks)


def make(use_case: UseCase, partition: str, weeks: Mapping[str, Mapping[str, pa.Table]]) -> Artifact:
    """The feature table of the newest of `weeks` (partition -> validated tables). Raises DataError."""
    asked = weeks[partition][use_case.request_table.name]
    table = feature_table(use_case, asked, history(use_case, weeks))
    return Artifact(tables={TABLE: table}, about={"requests": asked.num_rows, "looked_at": [min(weeks), max(weeks)]})


def feature_asset(use_case: UseCase) -> dg.AssetsDefinition:
    """The point-in-time join."""
    axis = partitions_def(use_case.partitions)
    key = dg.AssetKey([use_case.name, "feature_table"])
    requests = use_case.request_table
    step = feature_step(use_case)

    @dg.asset(
        key=key,
        group_name="features",
        partitions_def=axis,
        deps=step.deps,
        code_version=step.code_version,
        kinds={"duckdb", "parquet"},
        retry_policy=TRANSIENT,
        check_specs=[
            dg.AssetCheckSpec(
                "every_request_kept",
                asset=key,
                partitions_def=axis,
                blocking=True,
                description="each validated request stands here exactly once",
            )
        ],
        dagster_type=artifact_type(f"{use_case.name}_features", {TABLE: feature_bounds(use_case)}, "Feature table"),
        description=f"One row is {requests.doc}, with every feature as it was known at `{use_case.requests.as_of}`, "
        f"and the label where there is one. Looks back {use_case.lookback_weeks} weeks.",
        metadata=showing.column_schema(_columns(use_case)),
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store) -> Iterator[Any]:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            action = step.action(partition, inputs_of(read))
            made = once(context, store.assets, action, lambda: work(step.seen, partition, read))
        rows, asked = made.artifact.tables[TABLE].num_rows, made.artifact.about["requests"]
        sentence = f"{rows:,} rows for {asked:,} requests"
        yield dg.AssetCheckResult(
            check_name="every_request_kept",
            passed=rows == asked,
            description=sentence,
            metadata={"rows": rows, "requests": asked},
        )
        if rows != asked:
            raise dg.Failure(description=f"{sentence}: a join lost or doubled some.", allow_retries=False)
        yield _result(use_case, made)

    return asset


def _result(use_case: UseCase, made: Made) -> dg.MaterializeResult:
    table, (first, last) = made.artifact.tables[TABLE], made.artifact.about["looked_at"]
    return dg.MaterializeResult(
        value=made,
        metadata={
            "dagster/row_count": table.num_rows,
            "rows without label": table[use_case.label.column].null_count,
            "weeks looked at": f"{first} .. {last}",
            "in words, coverage, distributions": dg.MetadataValue.asset(
                dg.AssetKey([use_case.name, "feature_catalogue"])
            ),
        },
    )


def history(use_case: UseCase, weeks: Mapping[str, Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    """Each table over all weeks; of a snapshot only the newest week's."""
    newest = max(weeks)
    return {
        t.name: weeks[newest][t.name] if t.snapshot else joined([w[t.name] for w in weeks.values()])
        for t in use_case.tables
    }


def joined(weeks: Sequence[pa.Table]) -> pa.Table:
    """One table over several weeks; a week without late arrivals has no columns for them, and all of it was on time."""
    return pa.concat_tables(weeks, promote_options="default")


def _columns(use_case: UseCase) -> list[tuple[str, str, str]]:
    kinds = use_case.request_table.kinds
    named = {f.name for f in use_case.features}
    asked = dict.fromkeys((*use_case.request_table.key, use_case.requests.as_of))
    own = [(name, kinds[name].value, "the request") for name in asked if name not in named]
    features = [(f.name, use_case.kind_of(f).value, describe(use_case, f)) for f in use_case.features]
    label = use_case.label
    return [*own, *features, (label.column, kinds[label.column].value, f"the label: {label.doc}")]
