"""Stage 4, registry: the gate compares, MLflow records, and who passes is nominated.

The entry of a week says which model leads from then on, and carries that model with its reference profile. What stood
before is read from the newest earlier entry, never from an alias: the same inputs give the same entry. A nomination
makes no model answer anybody: that takes a rollout (`rollout.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.slices import SliceReport
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.judging import entry_artifact, judged
from mlops_assets.graph.leader import ANSWERS
from mlops_assets.graph.recording import Books, is_registered, is_settled, waiting, write_down
from mlops_assets.graph.registration import check_standing, register
from mlops_assets.graph.standing import standing_entry
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store, Upstream
from mlops_assets.graph.tracking import Tracker
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.refs import Ref


def tracker_key(use_case: UseCase) -> str:
    """The resource that tracks this use case: each has an MLflow experiment of its own."""
    return f"{use_case.name}_mlflow"


def registry_step(use_case: UseCase) -> Step:
    """What the verdict on a candidate depends on."""
    return Step(
        use_case=use_case,
        artifact="registry_entry",
        makes=(judged, entry_artifact),
        sees=("name", "partitions", "tables", "requests", "label", "features", *ANSWERS, "promotion"),
        reads={
            "trained": Reads(artifact="trained_model"),
            "features": Reads(artifact="feature_table", start=1 - use_case.model.validation_weeks, load="every"),
        },
    )


def registry_inputs(read: Mapping[str, Upstream], standing: Ref | None) -> dict[str, str]:
    """The inputs of the action: what is read, and the entry that stands."""
    told = {f"{standing.asset}@{standing.partition}": standing.data_version} if standing else {}
    return inputs_of(read) | told


def registry_entry(use_case: UseCase) -> dg.AssetsDefinition:
    """Judge, register, name."""
    axis = partitions_def(use_case.partitions)
    key = dg.AssetKey([use_case.name, "registry_entry"])
    promotion, step = use_case.promotion, registry_step(use_case)

    @dg.asset(
        key=key,
        group_name="registry",
        partitions_def=axis,
        deps=step.deps,
        kinds={"mlflow"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        required_resource_keys={tracker_key(use_case), "store", "records"},
        check_specs=[
            dg.AssetCheckSpec(
                "promotion_gate",
                asset=key,
                partitions_def=axis,
                description="is the new model better than the leader, by the margin?",
            )
        ],
        description="One row is a model version: this week's candidate, registered in MLflow. It becomes leader "
        f"when its {promotion.metric} on the validation rows is better than the leader's by {promotion.margin:g}, "
        "beyond the chance of days; the first candidate must beat the baseline. Unless it is shown to fall "
        "short, it is nominated for a rollout.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        store: Store = context.resources.store
        books: Books = context.resources.records
        with refusals(), books.opened() as records, books.alone(use_case):
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            ref = read["trained"].refs[partition]
            standing = standing_entry(store.assets, use_case, partition, ref.parts["model"].version)
            later = [week for week in store.assets.refs.partitions(step.asset) if week > partition]

            def work() -> Artifact:
                candidate = read["trained"].one()
                entry = store.assets.load_ref(standing) if standing else None
                verdict = judged(step.seen, candidate, entry, read)
                tracker: Tracker = getattr(context.resources, tracker_key(use_case))
                page = books.page(step.asset, partition)
                with waiting(records, use_case, ref, context.run_id):
                    if entry is not None and entry.records["entry"]["leader"] is not None:
                        check_standing(tracker, use_case, entry.records["entry"]["leader"])
                    version = register(
                        tracker, use_case, store.assets, ref, candidate, verdict[0], run=context.run_id, page=page
                    )
                    made = entry_artifact(
                        step.seen, partition, candidate, entry, verdict, version.version, dict(version.tags)
                    )
                    became = write_down(
                        records, store.assets, tracker, ref, made, version, run=context.run_id, page=page, later=later
                    )
                    context.log.info(f"{use_case.name}@{version.version}: {became}")
                return replace(made, about={"mlflow_run": version.run_id, "mlflow_files": version.source})

            def valid(entry: Artifact) -> bool:
                return is_registered(records, entry) and (bool(later) or is_settled(records, entry))

            action = step.action(partition, registry_inputs(read, standing))
            made = once(context, store.assets, action, work, valid=valid, borrow=False)
            made = replace(made, stored=store.publish(made, context.run_id))  # before anyone else judges
            entry: Mapping[str, Any] = made.artifact.records["entry"]
            row = records.lineage.get(use_case.name, int(entry["candidate"].partition("@")[2]))
            aliases = records.aliases(use_case.name)
        judgement: Mapping[str, Any] = entry["judgement"]
        yield dg.AssetCheckResult(
            check_name="promotion_gate",
            passed=judgement["verdict"] == Verdict.PASS.value,
            description=judgement["sentence"],
            severity=dg.AssetCheckSeverity.WARN,
            metadata=_numbers(judgement) | {"slices in words": entry["slices"]["sentence"]},
        )
        yield dg.MaterializeResult(value=made, metadata=_metadata(entry, row, aliases))

    return asset


def _metadata(entry: Mapping[str, Any], row: ModelVersion | None, aliases: Mapping[str, int]) -> dict[str, Any]:
    judgement, slices = entry["judgement"], SliceReport.from_json(entry["slices"])
    shown: dict[str, Any] = {
        "version": entry["candidate"],
        "verdict": judgement["verdict"],
        "in words": judgement["sentence"],
        "leader now": entry["leader"]["name"] if entry["leader"] else "none",
        "aliases": ", ".join(f"{alias} is {number}" for alias, number in aliases.items()) or "none",
        "training set": entry["training_set"],
        "training data version": entry["data_version"],
        "model digest": entry["candidate_digest"],
    }
    told = {"slices in words": slices.sentence, "slices": showing.records(map(_slice, slices.table()))}
    return shown | (_lineage(row) if row else {}) | told


def _slice(row: Mapping[str, Any]) -> dict[str, Any]:
    """In few columns: each takes room from the words."""
    bounds = "" if row["lower"] is None else f"{row['lower']:+.4f} .. {row['upper']:+.4f}"
    named = {name: row[name] for name in ("slice", "says", "rows", "challenger", "champion", "improvement")}
    return named | {"beyond chance": bounds}


def _lineage(row: ModelVersion) -> dict[str, Any]:
    """Which data a model version was trained on, and where else that stands."""
    links = {"MLflow model": row.mlflow_url, "this page": row.dagster_url}
    weeks = [{"week": w["partition"], "role": w["role"], **{n: w[n][:12] for n in _VERSIONS}} for w in row.weeks]
    files = [{"week": f["partition"], "table": f["table"], "file": f["path"], "sha256": f["sha256"][:16]}
             for f in row.files]  # fmt: skip
    measured = {n: showing.number(value) for n, value in row.metrics.items() if n.startswith("validation_")}
    return {
        "which data": showing.records(weeks),
        "the same by": f"mlops trace {row.name}",
        "commit": row.commit,
        **{name: dg.MetadataValue.url(url) for name, url in links.items() if url},
        **measured,
        "files": showing.records(files),
    }


_VERSIONS = ("raw_data", "validated_dataset", "feature_table")


def _numbers(judgement: Mapping[str, Any]) -> dict[str, Any]:
    named = ("challenger", "champion", "improvement", "lower", "upper", "margin")
    return {"in words": judgement["sentence"]} | {n: judgement[n] for n in named if judgement[n] is not None}
