"""What the page of a trained model shows, drawn from the artifact alone."""

from collections.abc import Mapping
from typing import Any

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.training_set import Reference
from mlops_assets.graph import showing

PLOTS = ("trials", "calibration", "importances", "weekly")  # SVG blobs of the artifact


def training_metadata(artifact: Artifact) -> dict[str, Any]:
    """Everything a person wants to know of a trained model, from what is stored of it."""
    evidence: Mapping[str, Any] = artifact.records["evidence"]
    rows, window, calibration = Reference.recorded(artifact.records, ""), evidence["window"], evidence["calibration"]
    compared = [
        {"metric": name, "model": value, "baseline": evidence["baseline_metrics"][name]}
        for name, value in evidence["metrics"].items()
    ]
    ranked = sorted(evidence["importances"].items(), key=lambda item: -item[1])
    return {
        "dagster/row_count": window["train_rows"],
        "model digest": artifact.blobs["model"].version,
        "training set": rows.name,
        "training set data version": rows.data_version,
        "as of": rows.training_set.as_of_rule,
        "weeks": f"{window['weeks'][0]['partition']} .. {window['weeks'][-1]['partition']}",
        "train rows": window["train_rows"],
        "validation rows": window["validation_rows"],
        "rows without label": window["unlabelled"],
        "metrics on validation": showing.records(compared),
        f"validation {evidence['metric']}": showing.number(evidence["metrics"][evidence["metric"]]),
        "calibration error": showing.number(calibration["ece"]),
        "mean prediction": showing.number(calibration["mean_prediction"]),
        "mean outcome": showing.number(calibration["mean_actual"]),
        **_trials(evidence["search"]),
        **{f"{name} plot": showing.plot(artifact.blobs[name].data, name) for name in drawn(artifact)},
        "importances": showing.records({"feature": n, "share": f"{v:.1%}"} for n, v in ranked),
        "parameters": showing.records({"parameter": k, "value": str(v)} for k, v in evidence["params"].items()),
    }


def _trials(search: Mapping[str, Any] | None) -> dict[str, Any]:
    if search is None:
        return {}
    rows = [
        {"trial": t["trial"], t["metric"]: t["value"], "chosen": t["trial"] == search["chosen"],
         "changed": ", ".join(f"{k}={v}" for k, v in t["changed"].items()) or "as declared", "failure": t["failure"]}
        for t in search["trials"]
    ]  # fmt: skip
    return {"trials": showing.records(rows), "chosen trial": search["chosen"]}


def drawn(artifact: Artifact) -> list[str]:
    """The names of the pictures a trained model carries."""
    return [name for name in PLOTS if name in artifact.blobs]
