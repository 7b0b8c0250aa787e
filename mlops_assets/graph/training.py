"""Stage 3, training: weeks of features and labels in, one fitted model with the evidence about it out.

The tracker is not needed here: a model that is trained is stored, whatever MLflow does.
"""

from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.fitting import TrainedModel, fit_rows
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.plots import training as plots
from mlops_assets.core.reference import reference_profile
from mlops_assets.core.training_set import RECORD, Reference, TrainingSet, reference
from mlops_assets.core.training_window import training_window
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.axis import partition_of, partitions_def, window
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Upstream
from mlops_assets.stores.models import dump

PLOTS = ("calibration", "importances", "weekly")  # SVG blobs of the artifact


def trained_model(use_case: UseCase) -> dg.AssetsDefinition:
    """Fit, measure, profile."""
    model = use_case.model

    @dg.asset(
        key=[use_case.name, "trained_model"],
        group_name="training",
        partitions_def=partitions_def(use_case.partitions),
        ins={
            "features": dg.AssetIn(
                key=[use_case.name, "feature_table"], **window(use_case.partitions, 1 - model.max_weeks, 0, "unbroken")
            )
        },
        kinds={"scikitlearn"},
        retry_policy=TRANSIENT,
        description=f"One row of its `validation` table is {use_case.request_table.doc} of the last "
        f"{model.validation_weeks} weeks, judged by a model that never saw it. "
        f"`{model.estimator.path.rsplit('.', 1)[-1]}` on all earlier weeks ({model.min_weeks} at least in all, the "
        f"newest {model.max_rows:,} rows at most), seed {model.seed}; the baseline is "
        f"`{model.baseline.path.rsplit('.', 1)[-1]}` on the same rows.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, features: Upstream) -> dg.MaterializeResult:
        with refusals():
            partition_of(context, use_case)
            read = features.read()
            frames = {ref.partition: to_frame(artifact.tables[TABLE]) for ref, artifact in read}
            train, validation, account = training_window(use_case, frames)
            named = TrainingSet.of(use_case, {ref.partition: ref.data_version for ref, _ in read})
            rows = reference(named, train, validation)
            trained = fit_rows(use_case, train, validation, account)
            profile = reference_profile(use_case, frames, trained.scorer)
            artifact = Artifact(
                tables={"validation": to_table(trained.validation), "baseline": to_table(trained.baseline_validation)},
                records={"evidence": trained.evidence(), "profile": profile.to_json(), RECORD: rows.to_json()},
                blobs={
                    "model": Blob(
                        data=dump(trained.estimator, model.estimator.trusted),
                        version=model_digest(trained.estimator),
                        suffix=".skops",
                    ),
                    "encoder": Blob.of(trained.encoder.to_json(), ".json"),
                    **{
                        name: Blob.picture(svg, name, trained.evidence())
                        for name, svg in _plots(use_case, trained).items()
                    },
                },
            )
        return dg.MaterializeResult(value=artifact, metadata=_metadata(use_case, trained, rows, artifact))

    return asset


def _plots(use_case: UseCase, trained: TrainedModel) -> dict[str, bytes]:
    label, metric = use_case.label, trained.metric
    return {
        "calibration": plots.calibration_svg(trained.calibration, task=label.task, unit=label.unit),
        "importances": plots.importances_svg(trained.importances, metric=metric),
        "weekly": plots.weekly_svg(trained.weekly, metric=metric),
    }


def _metadata(use_case: UseCase, trained: TrainedModel, rows: Reference, artifact: Artifact) -> dict[str, Any]:
    compared = [
        {"metric": name, "model": value, "baseline": trained.baseline_metrics[name]}
        for name, value in trained.metrics.items()
    ]
    ranked = sorted(trained.importances.items(), key=lambda item: -item[1])
    return {
        "dagster/row_count": trained.window.train_rows,
        "model digest": artifact.blobs["model"].version,
        "training set": rows.name,
        "training set data version": rows.data_version,
        "as of": rows.training_set.as_of_rule,
        "weeks": f"{trained.window.weeks[0].partition} .. {trained.window.weeks[-1].partition}",
        "train rows": trained.window.train_rows,
        "validation rows": trained.window.validation_rows,
        "rows without label": trained.window.unlabelled,
        "metrics on validation": showing.records(compared),
        f"validation {use_case.promotion.metric}": showing.number(trained.metrics[use_case.promotion.metric]),
        "calibration error": showing.number(trained.calibration.ece),
        "mean prediction": showing.number(trained.calibration.mean_prediction),
        "mean outcome": showing.number(trained.calibration.mean_actual),
        **{f"{name} plot": showing.plot(artifact.blobs[name].data, name) for name in PLOTS},
        "importances": showing.records({"feature": n, "share": f"{v:.1%}"} for n, v in ranked),
        "parameters": showing.records({"parameter": k, "value": str(v)} for k, v in trained.params.items()),
    }
