"""The gate at work: a candidate against the leader that stands, on the candidate's own validation rows.

Both answer the same rows; the first candidate must beat the baseline. Nothing here knows a tracker or a ledger.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.frames import to_frame
from mlops_assets.core.promotion import Judgement, judge
from mlops_assets.core.slices import SliceReport, slices
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import UseCase
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.leader import leader_of, parts_of


def judged(
    use_case: UseCase, candidate: Artifact, entry: Artifact | None, read: Mapping[str, Weeks]
) -> tuple[Judgement, SliceReport]:
    """The verdict on a candidate against the entry that stands, and its metric slice by slice."""
    weeks = [artifact.tables[TABLE] for artifact in read["features"].artifacts().values()]
    return judge_candidate(use_case, candidate, entry, weeks)


def judge_candidate(
    use_case: UseCase, candidate: Artifact, entry: Artifact | None, weeks: Sequence[pa.Table]
) -> tuple[Judgement, SliceReport]:
    """The verdict on a trained model and its metric slice by slice.

    `entry` is the registry entry that stands, `weeks` the feature tables of the validation weeks. Raises DataError when
    a judged row has no features.
    """
    challenger = to_frame(candidate.tables["validation"])
    features = pd.concat([to_frame(table) for table in weeks], ignore_index=True)
    before = leader_of(use_case, entry) if entry else None
    if before is None:
        rival = to_frame(candidate.tables["baseline"])
    else:
        keys = list(use_case.request_table.key)
        rows = challenger[keys].merge(features, on=keys, how="left", validate="one_to_one")
        rival = challenger.assign(prediction=before.scorer.predict(rows))
    against = f"the leader {before.name}" if before else "the baseline"
    promotion, task = use_case.promotion, use_case.label.task
    verdict = judge(promotion, challenger, rival, task, against=against)
    return verdict, slices(promotion, challenger, rival, features, task)


def entry_artifact(
    use_case: UseCase,
    partition: str,
    candidate: Artifact,
    standing: Artifact | None,
    verdict: tuple[Judgement, SliceReport],
    version: int,
    tags: Mapping[str, str],
) -> Artifact:
    """The entry of a week: the candidate, the verdict, and whoever leads from then on with all its parts.

    `version` and `tags` are those under which the candidate is registered.
    """
    judgement, report = verdict
    name = f"{use_case.name}@{version}"
    before = standing.records["entry"]["leader"] if standing else None
    digest = candidate.blobs["model"].version
    leader, parts = before, parts_of(standing) if standing and before else {"blobs": {}, "records": {}}
    if judgement.verdict is Verdict.PASS:
        leader = {"name": name, "version": version, "partition": partition, "model_digest": digest}
        parts = parts_of(candidate)
    entry = {
        "candidate": name,
        "candidate_digest": digest,
        "data_version": tags["data_version"],
        "training_set": tags["training_set"],
        "features": list(Encoder.from_json(candidate.blobs["encoder"].data).features),
        "against": before["name"] if before else "baseline",
        "judgement": judgement.to_json(),
        "slices": report.to_json(),
        "leader": leader,
    }
    return Artifact(records={"entry": entry, **parts["records"]}, blobs=parts["blobs"])
