"""What MLflow is told of a training: one run with everything about it, one model version that points to the run."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.promotion import Judgement
from mlops_assets.core.training_set import Reference
from mlops_assets.core.versions import record_version
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph.leader import scorer_of
from mlops_assets.graph.tracking import Tracker
from mlops_assets.graph.training_page import drawn
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.provenance import provenance
from mlops_assets.stores.records.closure import Closure, closure
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.registry import RegisteredVersion

_STAGES = ("raw_data", "validated_dataset", "feature_table")
_LONGEST_TAG = 4000


def register(
    tracker: Tracker,
    use_case: UseCase,
    store: AssetStore,
    trained: Ref,
    candidate: Artifact,
    judgement: Judgement,
    *,
    run: str,
    page: str,
) -> RegisteredVersion:
    """The version of a training: logged to its MLflow run, saved as skops and registered once, however often it is run.

    `page` is where Dagster shows it. Raises DataError, and whatever MLflow raises when it does not answer.
    """
    registry = tracker.registry
    rows = Reference.recorded(candidate.records, trained.at)
    evidence: Mapping[str, Any] = candidate.records["evidence"]
    metrics, made_from = _metrics(evidence), closure(store, trained)
    facts, identity = _facts(tracker, use_case, trained, candidate, judgement, run)
    before = registry.find(use_case.name, data_version=identity["data_version"], model_digest=identity["model_digest"])
    if before:
        return before[0]
    facts |= {"training_set": rows.name, "training_set_data_version": rows.data_version, "dagster_page": page}
    facts["lineage"] = _lineage(made_from)
    profile = _json(candidate.records["profile"])
    registry.log_training(
        tracker.run_id,
        params={**evidence["params"], "weeks": len(feature_weeks(trained))},
        metrics=metrics,
        tags={**facts, **identity},
        files={
            "evidence.json": _json(evidence),
            "profile.json": profile,
            "inputs.json": _json(dict(trained.inputs)),
            "lineage.json": _json(asdict(made_from)),
            "training_set.json": _json(rows.to_json()),
            **{f"{name}.svg": candidate.blobs[name].data for name in drawn(candidate)},
        },
    )
    model = registry.log_model(
        tracker.run_id,
        estimator=scorer_of(use_case, candidate).estimator,
        encoder=Encoder.from_json(candidate.blobs["encoder"].data),
        trusted=use_case.model.estimator.trusted,
        files={"profile.json": profile},
    )
    registry.finish_run(tracker.run_id)  # before there is a version: whoever is killed now, its run has ended
    return registry.register(use_case.name, model, metrics=metrics, tags=facts, **identity)


def feature_weeks(trained: Ref) -> dict[str, str]:
    """`asset@week` -> data version of the feature tables a model was trained on; its trials are inputs, too."""
    return {at: version for at, version in trained.inputs.items() if at.partition("@")[0].endswith("/feature_table")}


def _lineage(made_from: Closure) -> str:
    """Week by week what was read, short enough for a tag; the whole is the run's lineage.json."""
    weeks = [
        " ".join([week["partition"], *(f"{name} {week[name][:12]}" for name in _STAGES if week[name])])
        for week in made_from.weeks
    ]
    text = "; ".join(weeks)
    return text if len(text) <= _LONGEST_TAG else f"{len(weeks)} weeks, see lineage.json of the run"


def _metrics(evidence: Mapping[str, Any]) -> dict[str, float]:
    named = {f"validation_{name}": value for name, value in evidence["metrics"].items()}
    named |= {f"baseline_{name}": value for name, value in evidence["baseline_metrics"].items()}
    return named | {"calibration_error": evidence["calibration"]["ece"]}


def _facts(
    tracker: Tracker, use_case: UseCase, trained: Ref, candidate: Artifact, judgement: Judgement, run: str
) -> tuple[dict[str, str], dict[str, str]]:
    """What is searched for: tags of the run and of the version, and the identity of the training among them."""
    made = provenance(tracker.root)
    weeks = sorted(at.partition("@")[2] for at in feature_weeks(trained))
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
        "data_version": record_version(feature_weeks(trained)),
        "model_digest": candidate.blobs["model"].version,
        "partition": trained.partition,
        "commit": made.commit.sha,
        "dirty": made.commit.dirty_word,
    }
    return facts, identity


def check_standing(tracker: Tracker, use_case: UseCase, leader: Mapping[str, Any]) -> None:
    """Raises DataError unless the tracker has the standing leader under its number: a number names one model."""
    try:
        found = tracker.registry.get(use_case.name, leader["version"])
        known = found.tags.get("model_digest") == leader["model_digest"]
    except DataError:
        known = False
    if not known:
        raise DataError(
            f"the leader {leader['name']} (model digest {leader['model_digest'][:12]}) is not in the tracker "
            "under that number: was its database replaced? Restore it, or register anew, oldest first: "
            f"`mlops backfill {use_case.name} --job train --anew --from {leader['partition']} "
            f"--to {leader['partition']}`."
        )


def _json(record: Any) -> bytes:
    """A record as JSON a person can read on the tracker's pages."""
    return json.dumps(record, indent=1, sort_keys=True).encode()
