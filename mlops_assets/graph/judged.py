"""Which model a week is judged by: whoever answered its requests, else the leader that stood as the week began.

Its reference profile, its validation rows and its answers all come from its own trained model, as it is stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow.compute as pc

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.cohort import ANSWERS
from mlops_assets.core.versions import JSON
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of
from mlops_assets.graph.leader import REACH
from mlops_assets.graph.recording import Books
from mlops_assets.graph.steps import refusals
from mlops_assets.graph.storage import Made, Store, Upstream
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.ref import Ref

Work = Callable[..., Artifact]  # (use case, week, what is read, which model, its parts) -> the report
PARTS = ("model", "encoder", "profile", "evidence", "validation")
# what a step reads to know which model it judges by
READS = {
    "answered": Reads(artifact="predictions", load="existing"),
    "entries": Reads(artifact="registry_entry", start=-REACH, end=-1, load="latest"),
}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The model version a week is judged by, and the publication of its training.

    `answered`: how many of the week's logged answers were its own as champion; 0 where nothing was served.
    """

    name: str
    answered: int
    ref: Ref

    @property
    def input(self) -> dict[str, str]:
        """The training as an input of an action."""
        return {f"{self.ref.asset}@{self.ref.partition}": self.ref.data_version}

    @property
    def about(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"model": self.name, "model_partition": self.ref.partition, "answered": self.answered,
                "model_digest": self.ref.parts["model"].version,
                "reference": self.ref.parts["profile"].version}  # fmt: skip


def judged_by(use_case: UseCase, store: AssetStore, records: Records, read: Mapping[str, Upstream]) -> Judged | None:
    """The model to judge a week by; None where no model led before it and none answered.

    `read` are the weeks of `READS`. Raises DataError where that version has no lineage or no stored training.
    """
    version, answered = _champion(read["answered"], use_case.drift.min_rows)
    if not version:
        entries = read["entries"].artifacts(("entry",))
        leader = next(iter(entries.values())).records["entry"]["leader"] if entries else None
        if leader is None:
            return None
        version, answered = int(leader["version"]), 0
    row = records.lineage.get(use_case.name, version)
    if row is None:
        raise DataError(f"{use_case.name}@{version} has no lineage: `mlops doctor` tells which versions have.")
    ref = store.find(f"{use_case.name}/trained_model", row.partition, data_version=row.trained_model)
    if ref is None:
        raise DataError(f"{row.name}: its training {row.trained_model[:12]} is not in the store: bring it back.")
    return Judged(name=row.name, answered=answered, ref=ref)


def report_of(
    context: dg.AssetExecutionContext, step: Step, store: Store, records: Books, work: Work, **more: JSON
) -> Made:
    """The report of the run's week, known or made now: `work` is given the model it judges by.

    `more` is what the work depends on beside the declaration and what is read.
    """
    with refusals(), records.opened() as books:
        partition = partition_of(context, step.use_case)
        read = step.upstream(store.assets, partition)
        judged = judged_by(step.use_case, store.assets, books, read)
        action = step.action(partition, report_inputs(read, judged), more)

        def make() -> Artifact:
            model = store.assets.load_ref(judged.ref, parts=PARTS) if judged else None
            return work(step.seen, partition, read, judged.about if judged else None, model, **more)

        return once(context, store.assets, action, make)


def report_inputs(read: Mapping[str, Any], judged: Judged | None) -> dict[str, str]:
    """The inputs of a report: what is read, with the training it judges by in the place of the entry that names it."""
    entry = set(read["entries"].versions)
    inputs = {at: version for at, version in inputs_of(read).items() if at not in entry}
    return inputs | (judged.input if judged else {})


def _champion(answers: Upstream, least: int) -> tuple[int, int]:
    """The model version that gave most of the champion's answers, and how many; (0, 0) where they are too few."""
    for artifact in answers.artifacts().values():
        log = artifact.tables[ANSWERS]
        own = log.filter(pc.and_(pc.equal(log["arm"], "champion"), pc.greater(log["version"], 0)))
        if own.num_rows >= least:
            counted = own.group_by("version").aggregate([([], "count_all")]).to_pylist()
            most = max(counted, key=lambda row: (row["count_all"], row["version"]))
            return int(most["version"]), int(most["count_all"])
    return 0, 0
