"""Stage 4, registry: the gate compares, MLflow records, aliases follow the verdict.

The entry of a week says which model is champion from then on, and carries that model with its reference profile. What
stood before is read from the newest earlier entry, never from an alias: the same inputs give the same entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.frames import to_frame
from mlops_assets.core.promotion import Judgement, judge
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.axis import partition_of, partitions_def, window
from mlops_assets.graph.champion import Champion, as_bytes, champion_of, parts_of, scorer_of
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.monitoring import REACH
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store, Upstream
from mlops_assets.graph.training import PLOTS
from mlops_assets.stores.provenance import Provenance, provenance
from mlops_assets.stores.registry import CHALLENGER, CHAMPION, RegisteredVersion, Registry


def tracker_key(use_case: UseCase) -> str:
    """The resource that tracks this use case: each has an MLflow experiment of its own."""
    return f"{use_case.name}_mlflow"


def registry_entry(use_case: UseCase) -> dg.AssetsDefinition:
    """Judge, register, name."""
    axis = partitions_def(use_case.partitions)
    key = dg.AssetKey([use_case.name, "registry_entry"])
    promotion = use_case.promotion

    @dg.asset(
        key=key,
        group_name="registry",
        partitions_def=axis,
        ins={
            "trained": dg.AssetIn(key=[use_case.name, "trained_model"]),
            "features": dg.AssetIn(key=[use_case.name, "feature_table"],
                                   **window(1 - use_case.model.validation_weeks, 0, "every")),
            "earlier": dg.AssetIn(key=key, **window(-REACH, -1, "latest")),
        },
        kinds={"mlflow"},
        retry_policy=TRANSIENT,
        required_resource_keys={tracker_key(use_case), "store"},
        check_specs=[dg.AssetCheckSpec("promotion_gate", asset=key, partitions_def=axis,
                                       description="is the new model better than the champion, by the margin?")],
        description=f"One row is a model version: this week's candidate, registered in MLflow. It becomes champion when "
        f"its {promotion.metric} on the validation rows is better than the champion's by {promotion.margin:g}, beyond "
        "the chance of days; the first candidate must beat the baseline.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, trained: Upstream, features: Upstream, earlier: Upstream) -> Any:
        store: Store = context.resources.store
        with refusals():
            partition = partition_of(context, use_case)
            candidate = trained.one()
            standing = list(earlier.artifacts().values())
            before = champion_of(use_case, standing[0]) if standing else None
            weeks = [to_frame(a.tables[TABLE]) for a in features.artifacts((TABLE,)).values()]
            judgement = _gate(use_case, candidate, before, weeks)
            version = _register(context, use_case, trained, candidate, judgement)
            newest = _is_newest(store, use_case, partition)
            if newest:
                _name(Registry(*_where(context, use_case)), version, judgement.verdict)
        yield dg.AssetCheckResult(
            check_name="promotion_gate", passed=judgement.verdict is Verdict.PASS, description=judgement.sentence,
            severity=dg.AssetCheckSeverity.WARN, metadata=_numbers(judgement),
        )
        yield _result(use_case, partition, candidate, before, standing, judgement, version, newest)

    return asset  # fmt: skip


def _gate(
    use_case: UseCase, candidate: Artifact, before: Champion | None, weeks: list[pd.DataFrame]
) -> Judgement:
    """The candidate against the champion on the candidate's validation rows; against the baseline when none stands."""
    challenger = to_frame(candidate.tables["validation"])
    if before is None:
        rival = to_frame(candidate.tables["baseline"])
    else:
        keys = list(use_case.request_table.key)
        rows = challenger[keys].merge(pd.concat(weeks), on=keys, how="left", validate="one_to_one")
        rival = challenger.assign(prediction=before.scorer.predict(rows))
    return judge(use_case.promotion, challenger, rival, use_case.label.task)


def _where(context: dg.AssetExecutionContext, use_case: UseCase) -> tuple[str, str]:
    tracker = getattr(context.resources, tracker_key(use_case))
    return tracker.tracking_uri, tracker.artifact_root


def _register(
    context: dg.AssetExecutionContext,
    use_case: UseCase,
    trained: Upstream,
    candidate: Artifact,
    judgement: Judgement,
) -> RegisteredVersion:
    """One MLflow run with everything about this training, and the model version that points to it."""
    tracker = getattr(context.resources, tracker_key(use_case))
    registry = Registry(tracker.tracking_uri, tracker.artifact_root)
    (ref,) = trained.refs().values()
    evidence: Mapping[str, Any] = candidate.records["evidence"]
    made: Provenance = provenance(tracker.root)
    features = ref.inputs  # asset@week -> data version: which data was this model trained on
    facts = {
        "use_case": use_case.name,
        "trained_model": ref.data_version,
        "trained_on": f"{len(features)} weeks, {min(features, default='none')} .. {max(features, default='none')}",
        "seed": str(evidence["seed"]),
        "python": made.python,
        "platform": made.platform,
        "dagster_run": context.run_id,
        "gate": judgement.verdict.value,
        "gate_sentence": judgement.sentence,
        **{f"library/{name}": number for name, number in made.libraries.items()},
    }
    identity = {
        "data_version": training_data_version(features),
        "model_digest": candidate.blobs["model"].version,
        "partition": ref.partition,
        "commit": made.commit.sha,
        "dirty": made.commit.dirty_word,
    }
    metrics = {f"validation_{name}": value for name, value in evidence["metrics"].items()}
    metrics |= {f"baseline_{name}": value for name, value in evidence["baseline_metrics"].items()}
    metrics |= {"calibration_error": evidence["calibration"]["ece"]}
    registry.log_training(
        tracker.run_id,
        params={**evidence["params"], "use_case": use_case.name, "weeks": len(features)},
        metrics=metrics,
        tags={**facts, **identity},
        files={
            "metrics.json": as_bytes(evidence),
            "profile.json": as_bytes(candidate.records["profile"]),
            "inputs.json": as_bytes(dict(features)),
            **{f"{name}.svg": candidate.blobs[name].data for name in PLOTS},
        },
    )
    model = registry.log_model(
        tracker.run_id,
        estimator=scorer_of(use_case, candidate).estimator,
        encoder=Encoder.from_json(candidate.blobs["encoder"].data),
        trusted=use_case.model.estimator.trusted,
        files={"profile.json": as_bytes(candidate.records["profile"])},
    )
    return registry.register(use_case.name, model, metrics=metrics, tags=facts, **identity)


def training_data_version(features: Mapping[str, str]) -> str:
    """The data version of a training set: the hash over the data versions of its weeks."""
    from mlops_assets.core.versions import record_version

    return record_version(dict(features))


def _is_newest(store: Store, use_case: UseCase, partition: str) -> bool:
    """Aliases follow the newest week's entry alone: making an old week anew moves nothing."""
    return max(store.assets.refs.partitions(f"{use_case.name}/registry_entry"), default=partition) <= partition


def _name(registry: Registry, version: RegisteredVersion, verdict: Verdict) -> None:
    """PASS: champion. INCONCLUSIVE: challenger, until more days tell. FAIL: neither."""
    if verdict is Verdict.PASS:
        registry.set_alias(CHAMPION, version)
    standing = registry.get_alias(version.name, CHALLENGER)
    if verdict is Verdict.INCONCLUSIVE:
        registry.set_alias(CHALLENGER, version)
    elif standing is not None:
        registry.delete_alias(version.name, CHALLENGER)


@dataclass(frozen=True)
class _Standing:
    """Who is champion after the verdict, and the parts the entry carries of it."""

    champion: dict[str, Any] | None
    parts: dict[str, Any]


def _after(
    use_case: UseCase, partition: str, candidate: Artifact, standing: list[Artifact], judgement: Judgement,
    version: RegisteredVersion,
) -> _Standing:
    if judgement.verdict is Verdict.PASS:
        name = {
            "name": f"{use_case.name}@{version.version}",
            "version": version.version,
            "partition": partition,
            "model_digest": candidate.blobs["model"].version,
        }
        return _Standing(name, parts_of(candidate))
    if standing and standing[0].records["entry"]["champion"] is not None:
        return _Standing(standing[0].records["entry"]["champion"], parts_of(standing[0]))
    return _Standing(None, {"blobs": {}, "records": {}})  # fmt: skip


def _result(
    use_case: UseCase, partition: str, candidate: Artifact, before: Champion | None, standing: list[Artifact],
    judgement: Judgement, version: RegisteredVersion, newest: bool,
) -> dg.MaterializeResult:
    after = _after(use_case, partition, candidate, standing, judgement, version)
    entry = {
        "candidate": f"{use_case.name}@{version.version}",
        "candidate_digest": candidate.blobs["model"].version,
        "data_version": version.tags["data_version"],
        "against": before.name if before else "baseline",
        "judgement": judgement.to_json(),
        "champion": after.champion,
    }
    artifact = Artifact(
        records={"entry": entry, **after.parts["records"]},
        blobs=after.parts["blobs"],
        about={"mlflow_run": version.run_id, "mlflow_model": version.model_id},
    )
    return dg.MaterializeResult(
        value=artifact,
        metadata={
            "version": f"{use_case.name}@{version.version}",
            "registered": "now" if version.created else "before: the same model from the same data",
            "verdict": judgement.verdict.value,
            "in words": judgement.sentence,
            "champion now": after.champion["name"] if after.champion else "none",
            "aliases moved": newest,
            "training data version": version.tags["data_version"],
            "model digest": candidate.blobs["model"].version,
            "MLflow run": version.run_id,
            "MLflow model": f"models:/{version.name}/{version.version}",
            **{name: value for name, value in version.metrics.items() if name.startswith("validation_")},
            "tags": showing.records({"tag": k, "value": v} for k, v in sorted(version.tags.items())),
        },
    )


def _numbers(judgement: Judgement) -> dict[str, Any]:
    named = {"challenger": judgement.challenger, "champion": judgement.champion, "improvement": judgement.improvement,
             "lower bound": judgement.lower, "upper bound": judgement.upper, "margin": judgement.margin}  # fmt: skip
    return {"in words": judgement.sentence} | {k: v for k, v in named.items() if v is not None}
