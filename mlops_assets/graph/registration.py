"""What MLflow is told of a training: one run with everything about it, one model version that points to the run."""

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.promotion import Judgement
from mlops_assets.core.training_set import Reference
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import record_version
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph.champion import scorer_of
from mlops_assets.graph.tracking import Tracker
from mlops_assets.graph.training import PLOTS
from mlops_assets.stores.provenance import provenance
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.registry import CHALLENGER, CHAMPION, RegisteredVersion


def register(
    tracker: Tracker, use_case: UseCase, trained: Ref, candidate: Artifact, judgement: Judgement, *, run: str
) -> RegisteredVersion:
    """Log the training to its MLflow run, save the model as skops, register it: once, however often it is run."""
    registry = tracker.registry
    rows = Reference.recorded(candidate.records, trained.at)
    evidence: Mapping[str, Any] = candidate.records["evidence"]
    metrics = _metrics(evidence)
    facts, identity = _facts(tracker, use_case, trained, candidate, judgement, run)
    facts |= {"training_set": rows.name, "training_set_data_version": rows.data_version}
    profile = _json(candidate.records["profile"])
    registry.log_training(
        tracker.run_id,
        params={**evidence["params"], "weeks": len(trained.inputs)},
        metrics=metrics,
        tags={**facts, **identity},
        files={
            "evidence.json": _json(evidence),
            "profile.json": profile,
            "inputs.json": _json(dict(trained.inputs)),
            "training_set.json": _json(rows.to_json()),
            **{f"{name}.svg": candidate.blobs[name].data for name in PLOTS},
        },
    )
    model = registry.log_model(
        tracker.run_id,
        estimator=scorer_of(use_case, candidate).estimator,
        encoder=Encoder.from_json(candidate.blobs["encoder"].data),
        trusted=use_case.model.estimator.trusted,
        files={"profile.json": profile},
    )
    return registry.register(use_case.name, model, metrics=metrics, tags=facts, **identity)


def _metrics(evidence: Mapping[str, Any]) -> dict[str, float]:
    named = {f"validation_{name}": value for name, value in evidence["metrics"].items()}
    named |= {f"baseline_{name}": value for name, value in evidence["baseline_metrics"].items()}
    return named | {"calibration_error": evidence["calibration"]["ece"]}


def _facts(
    tracker: Tracker, use_case: UseCase, trained: Ref, candidate: Artifact, judgement: Judgement, run: str
) -> tuple[dict[str, str], dict[str, str]]:
    """What is searched for: tags of the run and of the version, and the identity of the training among them."""
    made = provenance(tracker.root)
    weeks = sorted(at.partition("@")[2] for at in trained.inputs)
    facts = {
        "use_case": use_case.name,
        "trained_model": trained.data_version,
        "trained_on": f"{len(weeks)} weeks, {weeks[0]} .. {weeks[-1]}" if weeks else "no weeks",
        "seed": str(candidate.records["evidence"]["seed"]),
        "python": made.python,
        "platform": made.platform,
        "dagster_run": run,
        "gate": judgement.verdict.value,
        "gate_sentence": judgement.sentence,
        **{f"library/{name}": number for name, number in made.libraries.items()},
    }
    identity = {
        # which data was this model trained on: the hash over the data versions of its weeks
        "data_version": record_version(dict(trained.inputs)),
        "model_digest": candidate.blobs["model"].version,
        "partition": trained.partition,
        "commit": made.commit.sha,
        "dirty": made.commit.dirty_word,
    }
    return facts, identity


def check_standing(tracker: Tracker, use_case: UseCase, champion: Mapping[str, Any]) -> None:
    """Raises DataError unless the tracker has the standing champion under its number: a number names one model."""
    try:
        found = tracker.registry.get(use_case.name, champion["version"])
        known = found.tags.get("model_digest") == champion["model_digest"]
    except DataError:
        known = False
    if not known:
        raise DataError(
            f"the champion {champion['name']} (model digest {champion['model_digest'][:12]}) is not in the tracker "
            "under that number: was its database replaced? Restore it, or register anew, oldest first: "
            f" `mlops backfill {use_case.name} --job train --from {champion['partition']} "
            f"--to {champion['partition']}`."
        )


def move_aliases(tracker: Tracker, version: RegisteredVersion, verdict: Verdict, champion: int | None) -> str:
    """Aliases after a verdict, and in words what they are. `champion` is the version number that stands now, if any.

    PASS: nobody waits. INCONCLUSIVE: this version waits as challenger. FAIL: whoever waits stays. The champion's alias
    is set every time: one that was lost or moved by someone follows the entry again.
    """
    registry = tracker.registry
    if champion is not None:
        registry.set_alias(CHAMPION, registry.get(version.name, champion))
    waiting = registry.get_alias(version.name, CHALLENGER)
    if verdict is Verdict.INCONCLUSIVE:
        registry.set_alias(CHALLENGER, version)
    elif waiting and (verdict is Verdict.PASS or waiting.version == version.version):
        registry.delete_alias(version.name, CHALLENGER)
    named = {alias: registry.get_alias(version.name, alias) for alias in (CHAMPION, CHALLENGER)}
    return ", ".join(f"{alias} is {found.name}@{found.version}" for alias, found in named.items() if found) or "none"


def links(tracker: Tracker, version: RegisteredVersion) -> dict[str, Any]:
    """The pages of the run and of the version in MLflow's own UI (locally: `mlflow ui`, see README)."""
    run = tracker.registry.client.get_run(version.run_id)
    experiment = run.info.experiment_id
    return {
        "MLflow run": dg.MetadataValue.url(f"{tracker.ui}/#/experiments/{experiment}/runs/{version.run_id}"),
        "MLflow model": dg.MetadataValue.url(f"{tracker.ui}/#/models/{version.name}/versions/{version.version}"),
    }


def _json(record: Any) -> bytes:
    """A record as JSON a person can read on the tracker's pages."""
    return json.dumps(record, indent=1, sort_keys=True).encode()
