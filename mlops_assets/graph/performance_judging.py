"""The performance report at work: a week's answers against their outcomes, and against what validation promised."""

from collections.abc import Mapping
from typing import Any

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.frames import to_frame
from mlops_assets.core.pages.performance import performance_page
from mlops_assets.core.performance import Detector, Level, reference_level
from mlops_assets.core.performance import performance_report as report_on
from mlops_assets.core.plots.performance import performance_history, realised_calibration
from mlops_assets.core.signals import Concept
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph.drift_judging import HISTORY, live_of, pictures
from mlops_assets.graph.leader import scorer_of

REPORT = "verdict"


def work(
    use_case: UseCase,
    partition: str,
    read: Mapping[str, Weeks],
    about: Mapping[str, Any] | None,
    model: Artifact | None,
    *,
    mature: bool,
) -> Artifact:
    """The report on a week's cohort. `model` is the training that is judged, `about` says which; None: none is."""
    matures_at = use_case.partitions.bounds(partition)[1] + use_case.label.maturity
    if model is None or about is None:
        sentence = f"{Concept.UNKNOWN.value}: no model led before {partition}, so nobody's answers can be judged."
        return Artifact(
            records={REPORT: {"state": Concept.UNKNOWN.value, "sentence": sentence, "partition": partition}}
        )
    level = reference_level(use_case.concept, use_case.label.task, to_frame(model.tables["validation"]))
    before = {week: artifact.records[REPORT] for week, artifact in read["before"].artifacts((REPORT,)).items()}
    carried, gap = _carried(use_case, partition, before, about, level)
    live = live_of(use_case, read, about)
    report = report_on(
        use_case,
        live.cohort(use_case, scorer_of(use_case, model)),
        model=str(about["model"]),
        level=level,
        before=carried,
        reference_metrics=model.records["evidence"]["metrics"],
        matured=mature,
        matures_at=matures_at.isoformat(),
    )
    told = report.to_json() | {"partition": partition, "source": live.source, "gap_in_evidence": gap, **about}
    history = [(week, record) for week, record in before.items() if "level" in record] + [(partition, told)]
    label = use_case.label
    drawn = {
        "history_plot": performance_history(history),
        "calibration_plot": realised_calibration(told, task=label.task, unit=label.unit),
    }
    page = performance_page({**told, "use_case": use_case.name}, drawn)
    return Artifact(
        records={REPORT: told},
        blobs=pictures(drawn, told) | {"page": Blob.of(page, ".html")},
    )


def _carried(
    use_case: UseCase,
    partition: str,
    before: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
    level: Level,
) -> tuple[Detector | None, str]:
    """The evidence of the newest report before, where it judged the same training by the same policy; and any gap."""
    if not before:
        return None, ""
    week, record = list(before.items())[-1]
    if record.get("model_digest") != about["model_digest"]:
        return None, ""
    carried = Detector.from_json(record["detector"])
    if not carried.continues(use_case.concept, level):
        return None, ""
    lost = [key for key in use_case.partitions.window(partition, -HISTORY, -1) if key > week]
    gap = f"no report of {', '.join(lost)}: what was answered then is not in the evidence" if lost else ""
    return carried, gap
