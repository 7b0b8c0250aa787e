"""The drift report at work: a week's live inputs against the profile of the model it is judged by.

Nothing here knows a ledger or a lineage, whose tables are no part of what a report depends on.
"""

from collections.abc import Mapping
from typing import Any

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.cohort import Live, enough_answers, live_answers, live_features, never_labelled
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.pages.drift import drift_page
from mlops_assets.core.plots.drift import drift_columns, drift_ranked
from mlops_assets.core.plots.history import drift_history
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.reference import judge_week
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.leader import scorer_of
from mlops_assets.stores.serving.export import feature_columns

VERDICT = "verdict"
HISTORY = 25  # earlier weeks that a page shows


def work(
    use_case: UseCase,
    partition: str,
    read: Mapping[str, Weeks],
    about: Mapping[str, Any] | None,
    model: Artifact | None,
) -> Artifact:
    """The report on a week. `model` is the training it is judged by, `about` says which; None: there is none yet."""
    if model is None or about is None:
        sentence = f"INCONCLUSIVE: no model led before {partition}, so there is no reference to compare with."
        return Artifact(records={VERDICT: {"verdict": "INCONCLUSIVE", "sentence": sentence, "partition": partition}})
    live = live_of(use_case, read, about)
    profile = ReferenceProfile.from_json(model.records["profile"])
    scored = model.records["evidence"]["importances"]
    importances = scored if any(scored.values()) else None  # none stood out: all alike
    report, window = judge_week(use_case, profile, live.features, scorer_of(use_case, model), importances)
    verdict = report.to_json() | {"partition": partition, "source": live.source, **about}
    before = read["before"].artifacts((VERDICT,))
    history = [(week, artifact.records[VERDICT]) for week, artifact in before.items()] + [(partition, verdict)]
    plots = {
        "ranked_plot": drift_ranked(report),
        "columns_plot": drift_columns(profile, report, window),
        "history_plot": drift_history([(week, told) for week, told in history if "columns" in told]),
    }
    page = drift_page({**verdict, "use_case": use_case.name, "leader": about["model"]}, plots, history)
    return Artifact(
        tables={"columns": to_table(report.to_frame())},
        records={VERDICT: verdict},
        blobs=pictures(plots, verdict) | {"page": Blob.of(page, ".html")},
    )


def pictures(plots: Mapping[str, bytes], drawn_from: Mapping[str, Any]) -> dict[str, Blob]:
    """Plots (SVG) as blobs, known by the record they were drawn from."""
    return {name: Blob.picture(svg, name, dict(drawn_from)) for name, svg in plots.items()}


def live_of(use_case: UseCase, read: Mapping[str, Weeks], about: Mapping[str, Any]) -> Live:
    """The week's requests: as logged where enough of them were answered, else the rows of its feature table."""
    table, log = to_frame(read["features"].one().tables[TABLE]), enough_answers(use_case, read["answered"])
    if log is None:
        return live_features(use_case, table)
    version = int(str(about["model"]).partition("@")[2])
    never = never_labelled(use_case, table)
    return live_answers(use_case, log, feature_columns(use_case), version, never=never)
