"""Stage 3, training: weeks of features and labels in, one fitted model with the evidence about it out.

Each trial of the declared search is a Dagster step of its own, and so is the fit: whatever was finished is taken from
the store, by a retry, by a re-execution and by a wholly new run. Inside a long fit checkpoints are kept.
The tracker is not needed here: a model that is trained is stored, whatever MLflow does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.checkpoints import Checkpoints
from mlops_assets.core.fitting import TrainedModel, fit_rows
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.plots import training as plots
from mlops_assets.core.plots.trials import trials_svg
from mlops_assets.core.probe import probe
from mlops_assets.core.reference import reference_profile
from mlops_assets.core.search import Trial, TrialResult, run_trial_rows, trials
from mlops_assets.core.training_set import RECORD, TrainingSet, reference
from mlops_assets.core.training_window import training_window
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, once, stored
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store, Upstream
from mlops_assets.graph.training_page import training_metadata
from mlops_assets.stores.checkpoints import StoredCheckpoints
from mlops_assets.stores.models import dump
from mlops_assets.stores.provenance import KERNELS, cpu_kernels
from mlops_assets.stores.ref import Ref

TRIAL = "trial"  # an artifact beside the assets: `<use case>/trial@<week>.<key of the trial>`

ROWS = ("name", "partitions", "tables", "requests", "label", "features", "promotion.metric", "promotion.block")
# of the model, what every trial depends on; which others there are is not among it
MODEL = ("estimator", "baseline", "seed", "min_weeks", "max_weeks", "max_rows", "validation_weeks", "excluded",
         "threads", "checkpoint_every")  # fmt: skip

# of the drift policy, what a reference profile is built by; when a report is alarmed is no part of a model
PROFILE = tuple(f"drift.{name}" for name in ("floor", "watch", "calibration", "min_rows", "stable_watch",
                                             "stable_alarm", "ks", "min_reference_windows"))  # fmt: skip


def _features(use_case: UseCase) -> dict[str, Reads]:
    return {"features": Reads(artifact="feature_table", start=1 - use_case.model.max_weeks, load="unbroken")}


def trial_step(use_case: UseCase) -> Step:
    """What a trial depends on, beside its own parameters."""
    model = tuple(f"model.{name}" for name in (*MODEL, *(("search.tuning_weeks",) if use_case.model.search else ())))
    return Step(use_case=use_case, artifact=TRIAL, makes=(make_trial,), sees=(*ROWS, *model), reads=_features(use_case))


def training_step(use_case: UseCase) -> Step:
    """What a trained model depends on; the results of its trials are inputs, too."""
    return Step(
        use_case=use_case,
        artifact="trained_model",
        makes=(make,),
        sees=(*ROWS, "model", *PROFILE),
        reads=_features(use_case),
    )


def trial_action(step: Step, features: Upstream, partition: str, trial: Trial) -> Action:
    """The action of one trial of a week (`step`: `trial_step`): what it depends on beside is its parameters."""
    return step.action(f"{partition}.{trial.key}", features.versions, trial_facts(trial))


def trial_facts(trial: Trial) -> dict[str, Any]:
    """What the configuration of a trial is beside the declaration."""
    return {"trial": trial.key, **{f"trial.{name}": value for name, value in trial.params.items()}}


def make_trial(use_case: UseCase, weeks: Mapping[str, pa.Table], trial: Trial, checkpoints: Checkpoints) -> Artifact:
    """The result of one trial on feature tables by partition."""
    train, _, window = training_window(use_case, {week: to_frame(table) for week, table in weeks.items()})
    result = run_trial_rows(use_case, train, window, trial, checkpoints=checkpoints)
    return Artifact(records={TRIAL: result.to_json()})


def make(
    use_case: UseCase,
    weeks: Mapping[str, tuple[str, pa.Table]],
    results: Sequence[Mapping[str, Any]],
    checkpoints: Checkpoints,
) -> Artifact:
    """The model of the last of `weeks` (partition -> data version, feature table), after its trials' `results`."""
    model = use_case.model
    frames = {week: to_frame(table) for week, (_, table) in weeks.items()}
    train, validation, account = training_window(use_case, frames)
    named = TrainingSet.of(use_case, {week: version for week, (version, _) in weeks.items()})
    rows = reference(named, train, validation)
    tried = [TrialResult.from_json(model, result) for result in results]
    trained = fit_rows(use_case, train, validation, account, results=tried, checkpoints=checkpoints)
    profile, evidence = reference_profile(use_case, frames, trained.scorer), trained.evidence()
    return Artifact(
        tables={
            "validation": to_table(trained.validation),
            "baseline": to_table(trained.baseline_validation),
            "probe": to_table(probe(validation.frame, trained.scorer, trained.baseline)),
        },
        records={"evidence": evidence, "profile": profile.to_json(), RECORD: rows.to_json()},
        blobs={
            "model": Blob(
                data=dump(trained.estimator, model.estimator.trusted),
                version=model_digest(trained.estimator),
                suffix=".skops",
            ),
            "baseline_model": Blob(
                data=dump(trained.baseline.estimator, model.baseline.trusted),
                version=model_digest(trained.baseline.estimator),
                suffix=".skops",
            ),
            "encoder": Blob.of(trained.encoder.to_json(), ".json"),
            **{name: Blob.picture(svg, name, evidence) for name, svg in _plots(use_case, trained).items()},
        },
    )


def _kept(store: Store, action: Action, use_case: UseCase, context: dg.OpExecutionContext) -> StoredCheckpoints:
    """Where a fit keeps how far it has come; it tells the run's log."""
    place, trusted = store.assets.objects.place, use_case.model.estimator.trusted
    return StoredCheckpoints(place, action.key, trusted=trusted, tell=context.log.warning)


class NamedByKey(dg.ConfigurableIOManager):
    """Hands a trial its key, which Dagster keeps with the step: nothing is stored, so nothing can be lost."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        pass

    def load_input(self, context: dg.InputContext) -> str | None:
        return context.upstream_output.mapping_key if context.upstream_output else None


def trained_model(use_case: UseCase) -> dg.AssetsDefinition:
    """Search, fit, measure, profile."""
    model, trial_of, step = use_case.model, trial_step(use_case), training_step(use_case)
    declared = {trial.key: trial for trial in trials(model)}

    def tried(context: dg.OpExecutionContext, store: Store, features: Upstream, action: Action, one: Trial) -> Ref:
        """The publication of a trial, taken from the store or done now."""
        kept = _kept(store, action, use_case, context)

        def work() -> Artifact:
            weeks = {week: artifact.tables[TABLE] for week, artifact in features.artifacts().items()}
            return make_trial(trial_of.seen, weeks, one, kept)

        made = once(context, store.assets, action, work)
        ref = store.publish(made, context.run_id)
        kept.clear()
        result = made.artifact.records[TRIAL]
        context.log.info(f"{one.key}: {result['metric']} {result['value']}" + (" (reused)" if made.known else ""))
        return ref

    @dg.op(
        name=f"{use_case.name}_plan_trials",
        ins={"features": dg.In(dg.Nothing)},
        out=dg.DynamicOut(str, io_manager_key="trial_keys"),
        retry_policy=TRANSIENT,
        description="One step for each trial of the declared search.",
    )
    def plan(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
        with refusals():
            partition_of(context, use_case)
        for key in declared:
            yield dg.DynamicOutput(key, mapping_key=key)

    @dg.op(
        name=f"{use_case.name}_trial",
        out=dg.Out(dg.Nothing),
        retry_policy=TRANSIENT,
        description="Fits one set of hyperparameters without the tuning weeks and measures it on them.",
    )
    def trial(context: dg.OpExecutionContext, store: Store, key: str) -> None:
        with refusals():
            partition = partition_of(context, use_case)
            features = trial_of.upstream(store.assets, partition)["features"]
            action = trial_action(trial_of, features, partition, declared[key])
            tried(context, store, features, action, declared[key])

    @dg.op(
        name=f"{use_case.name}_fit",
        ins={"trials": dg.In(dg.Nothing)},
        retry_policy=TRANSIENT,
        description="Fits the chosen hyperparameters on all training rows and judges them on the validation weeks.",
    )
    def fit(context: dg.OpExecutionContext, store: Store) -> dg.Output[Made]:
        with refusals():
            partition = partition_of(context, use_case)
            features = step.upstream(store.assets, partition)["features"]
            # a re-execution of a run that was killed leaves out the trials that had not begun: they are done here
            results = []
            for one in declared.values():
                known = stored(store.assets, wanted := trial_action(trial_of, features, partition, one))
                results.append(known[0] if known else tried(context, store, features, wanted, one))
            named = {f"{ref.asset}@{ref.partition}": ref.data_version for ref in results}
            action = step.action(partition, features.versions | named)
            kept = _kept(store, action, use_case, context)

            def work() -> Artifact:
                weeks = {
                    week: (features.refs[week].data_version, artifact.tables[TABLE])
                    for week, artifact in features.artifacts().items()
                }
                told = [store.assets.load_ref(ref).records[TRIAL] for ref in results]
                return replace(
                    make(step.seen, weeks, told, kept),
                    about={KERNELS: list(cpu_kernels()), "threads": model.threads},
                )

            made = replace(once(context, store.assets, action, work), published=kept.clear)
        return dg.Output(made, metadata=training_metadata(made.artifact))

    @dg.graph_asset(
        key=[use_case.name, "trained_model"],
        group_name="training",
        partitions_def=partitions_def(use_case.partitions),
        ins={"features": dg.AssetIn(key=[use_case.name, "feature_table"], dagster_type=dg.Nothing)},
        kinds={"scikitlearn"},
        code_version=step.code_version,
        description=f"One row of its `validation` table is {use_case.request_table.doc} of the last "
        f"{model.validation_weeks} weeks, judged by a model that never saw it. "
        f"`{model.estimator.path.rsplit('.', 1)[-1]}` on all earlier weeks ({model.min_weeks} at least in all, the "
        f"newest {model.max_rows:,} rows at most), seed {model.seed}; the baseline is "
        f"`{model.baseline.path.rsplit('.', 1)[-1]}` on the same rows."
        + (f" Chosen among {len(declared)} trials on the weeks before those." if declared else ""),
        **showing.owned(use_case),
    )
    def asset(features: Any) -> Any:
        # Dagster wants definitions of one name once; a step is shown by its alias
        if not declared:
            return fit.alias("fit")(features)
        keys = plan.alias("plan_trials")(features)
        return fit.alias("fit")(keys.map(trial.alias("trial")).collect())

    return asset


def _plots(use_case: UseCase, trained: TrainedModel) -> dict[str, bytes]:
    label, metric = use_case.label, trained.metric
    searched = {} if trained.search is None else {"trials": trials_svg(trained.search)}
    return searched | {
        "calibration": plots.calibration_svg(trained.calibration, task=label.task, unit=label.unit),
        "importances": plots.importances_svg(trained.importances, metric=metric),
        "weekly": plots.weekly_svg(trained.weekly, metric=metric),
    }
