"""Stage 4, registry: the gate compares, MLflow records, aliases follow the verdict.

The entry of a week says which model is champion from then on, and carries that model with its reference profile. What
stood before is read from the newest earlier entry, never from an alias: the same inputs give the same entry.
"""

from collections.abc import Iterator
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
from mlops_assets.graph.champion import Champion, champion_of, parts_of
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.registration import check_standing, links, move_aliases, register
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store, Upstream
from mlops_assets.graph.tracking import Tracker
from mlops_assets.stores.registry import RegisteredVersion

REACH = 52  # weeks a champion may have stood without a candidate


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
            "features": dg.AssetIn(
                key=[use_case.name, "feature_table"],
                **window(use_case.partitions, 1 - use_case.model.validation_weeks, 0, "every"),
            ),
        },
        kinds={"mlflow"},
        retry_policy=TRANSIENT,
        required_resource_keys={tracker_key(use_case), "store"},
        check_specs=[
            dg.AssetCheckSpec(
                "promotion_gate",
                asset=key,
                partitions_def=axis,
                description="is the new model better than the champion, by the margin?",
            )
        ],
        description="One row is a model version: this week's candidate, registered in MLflow. It becomes champion "
        f"when its {promotion.metric} on the validation rows is better than the champion's by {promotion.margin:g}, "
        "beyond the chance of days; the first candidate must beat the baseline.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, trained: Upstream, features: Upstream) -> Iterator[Any]:
        store: Store = context.resources.store
        with refusals():
            partition = partition_of(context, use_case)
            ((ref, candidate),) = trained.read()
            weeks_before = use_case.partitions.window(partition, -REACH, -1)
            standing = list(trained.beside("/".join(key.path), weeks_before, "latest").artifacts().values())
            before = champion_of(use_case, standing[0]) if standing else None
            weeks = [to_frame(a.tables[TABLE]) for a in features.artifacts().values()]
            judgement = _gate(use_case, candidate, before, weeks)
            tracker: Tracker = getattr(context.resources, tracker_key(use_case))
            if before is not None:
                check_standing(tracker, use_case, before.entry["champion"])
            version = register(tracker, use_case, ref, candidate, judgement, run=context.run_id)
            after = _after(use_case, partition, candidate, standing, judgement, version)
            later = [week for week in store.assets.refs.partitions("/".join(key.path)) if week > partition]
            if later:  # making an old week anew moves no alias
                aliases = (
                    f"untouched: {len(later)} later entries stand, the next of {later[0]}; make them anew in order"
                )
            else:
                number = after.champion["version"] if after.champion else None
                aliases = move_aliases(tracker, version, judgement.verdict, number)
        yield dg.AssetCheckResult(
            check_name="promotion_gate",
            passed=judgement.verdict is Verdict.PASS,
            description=judgement.sentence,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=_numbers(judgement),
        )
        shown = {"aliases": aliases, **links(tracker, version)}
        yield _result(use_case, candidate, before, after, judgement, version, shown)

    return asset


def _gate(use_case: UseCase, candidate: Artifact, before: Champion | None, weeks: list[pd.DataFrame]) -> Judgement:
    """The candidate against the champion on the candidate's validation rows; against the baseline when none stands."""
    challenger = to_frame(candidate.tables["validation"])
    if before is None:
        rival = to_frame(candidate.tables["baseline"])
    else:
        keys = list(use_case.request_table.key)
        rows = challenger[keys].merge(pd.concat(weeks), on=keys, how="left", validate="one_to_one")
        rival = challenger.assign(prediction=before.scorer.predict(rows))
    against = f"the champion {before.name}" if before else "the baseline"
    return judge(use_case.promotion, challenger, rival, use_case.label.task, against=against)


@dataclass(frozen=True)
class _Standing:
    """Who is champion after the verdict, and the parts the entry carries of it."""

    champion: dict[str, Any] | None
    parts: dict[str, Any]


def _after(
    use_case: UseCase,
    partition: str,
    candidate: Artifact,
    standing: list[Artifact],
    judgement: Judgement,
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
    return _Standing(None, {"blobs": {}, "records": {}})


def _result(
    use_case: UseCase,
    candidate: Artifact,
    before: Champion | None,
    after: _Standing,
    judgement: Judgement,
    version: RegisteredVersion,
    shown: dict[str, Any],
) -> dg.MaterializeResult:
    entry = {
        "candidate": f"{use_case.name}@{version.version}",
        "candidate_digest": candidate.blobs["model"].version,
        "data_version": version.tags["data_version"],
        "training_set": version.tags["training_set"],
        "features": list(Encoder.from_json(candidate.blobs["encoder"].data).features),
        "against": before.name if before else "baseline",
        "judgement": judgement.to_json(),
        "champion": after.champion,
    }
    artifact = Artifact(
        records={"entry": entry, **after.parts["records"]},
        blobs=after.parts["blobs"],
        about={"mlflow_run": version.run_id, "mlflow_files": version.source},
    )
    return dg.MaterializeResult(
        value=artifact,
        metadata={
            "version": f"{use_case.name}@{version.version}",
            "registered": "now" if version.created else "before: the same model from the same data",
            "verdict": judgement.verdict.value,
            "in words": judgement.sentence,
            "champion now": after.champion["name"] if after.champion else "none",
            "training data version": version.tags["data_version"],
            "training set": version.tags["training_set"],
            "model digest": candidate.blobs["model"].version,
            **shown,
            **{
                name: showing.number(value) for name, value in version.metrics.items() if name.startswith("validation_")
            },
            "tags": showing.records({"tag": k, "value": v} for k, v in sorted(version.tags.items())),
        },
    )


def _numbers(judgement: Judgement) -> dict[str, Any]:
    named = {"challenger": judgement.challenger, "champion": judgement.champion, "improvement": judgement.improvement,
             "lower bound": judgement.lower, "upper bound": judgement.upper, "margin": judgement.margin}  # fmt: skip
    return {"in words": judgement.sentence} | {k: v for k, v in named.items() if v is not None}
