"""Stage 2, features: the catalogue of a week, for people. What each feature is, how it looked, which models read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.catalogue import catalogue, distributions, in_runs, used_by
from mlops_assets.core.plots.features import features_svg
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.features import TABLE
from mlops_assets.graph.leader import REACH
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store

# of the stored table, beside the definition: how it is declared, what was met
FIGURES = (
    "feature", "sort", "type", "unit", "table", "key", "known_at", "window", "age_limit", "stable",
    "least", "median", "greatest", "distinct",
)  # fmt: skip
BEFORE = 4  # weeks back in which an earlier feature table is looked for, to compare coverage with


def catalogue_step(use_case: UseCase) -> Step:
    """What the catalogue depends on: also on texts for people."""
    return Step(
        use_case=use_case,
        artifact="feature_catalogue",
        makes=(work,),
        sees=("name", "partitions", "tables", "requests", "label", "features", "model.excluded"),
        docs=True,
        reads={
            "features": Reads(artifact="feature_table"),
            "earlier": Reads(artifact="feature_table", start=-BEFORE, end=-1, load="latest"),
            "entries": Reads(artifact="registry_entry", start=-REACH, load="existing"),
        },
    )


def work(use_case: UseCase, partition: str, read: Mapping[str, Weeks]) -> Artifact:
    """The catalogue of a week from what the step reads."""
    earlier = [(week, artifact.tables[TABLE]) for week, artifact in read["earlier"].artifacts().items()]
    table = read["features"].one().tables[TABLE]
    return make(use_case, partition, table, earlier[-1] if earlier else None, _entries(read["entries"]))


def _entries(entries: Weeks) -> dict[str, Mapping[str, Any]]:
    return {week: artifact.records["entry"] for week, artifact in entries.artifacts(("entry",)).items()}


def make(
    use_case: UseCase,
    partition: str,
    table: pa.Table,
    before: tuple[str, pa.Table] | None,
    entries: Mapping[str, Mapping[str, Any]],
) -> Artifact:
    """The catalogue of a week's feature table, with the one `before` (week, table) and the registry's entries."""
    models = _models(entries)
    listed = catalogue(use_case, table, before[1] if before else None)
    drawn = distributions(use_case, table)
    svg = features_svg(
        drawn,
        units={feature.name: feature.unit for feature in use_case.features},
        used=models.read_by_leader if models.leader else [f.name for f in use_case.model_features],
        title=f"Week {partition}, {table.num_rows:,} rows: shares of the rows with a value; blue is read by "
        + (f"the leader {models.leader}" if models.leader else "the model declared"),
    )
    return Artifact(
        tables={"features": listed},
        records={"distributions": drawn},
        blobs={"plot": Blob.picture(svg, "features", drawn)},
        about={
            "used_by": {n: models.of(n) for n in drawn},
            "leader": models.leader,
            "before": before[0] if before else None,
        },
    )


def feature_catalogue(use_case: UseCase) -> dg.AssetsDefinition:
    """The catalogue of a week."""
    step = catalogue_step(use_case)

    @dg.asset(
        key=[use_case.name, "feature_catalogue"],
        group_name="features",
        partitions_def=partitions_def(use_case.partitions),
        deps=step.deps,
        kinds={"matplotlib"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        description="One row is a feature: its definition in words, when it is known, over which window, by which key; "
        "how often it had a value in this week and in the one before; which registered model versions read it. One "
        "picture shows how the values of each lay. Which models read a feature is no part of the data version: it "
        "changes without the week.",
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            action = step.action(partition, inputs_of(read))
            made = once(context, store.assets, action, lambda: work(step.seen, partition, read))
            models = _models(_entries(read["entries"]))
        return dg.MaterializeResult(value=made, metadata=_metadata(use_case, made, models))

    return asset


@dataclass(frozen=True)
class _Models:
    """Registered versions by number with the features each reads, and the leader, `flight_delays@3`, if any."""

    name: str
    versions: Mapping[int, tuple[str, ...]]
    leader: str | None

    def of(self, feature: str) -> list[str]:
        """The names of the versions that read it."""
        return [f"{self.name}@{number}" for number in used_by(self.versions, feature)]

    @property
    def read_by_leader(self) -> tuple[str, ...]:
        return self.versions.get(int(self.leader.partition("@")[2]), ()) if self.leader else ()


def _models(entries: Mapping[str, Mapping[str, Any]]) -> _Models:
    """What the entries, oldest first, say; the last one names the leader. Raises DataError for one of older code."""
    versions: dict[int, tuple[str, ...]] = {}
    name, leader = "", None
    for week, entry in entries.items():
        name, _, number = str(entry["candidate"]).partition("@")
        if "features" not in entry:
            raise DataError(
                f"{name}/registry_entry@{week} was made before entries named the features of their model: "
                f"`mlops backfill {name} --job train --from {week} --to {week}`."
            )
        versions[int(number)] = tuple(entry["features"])
        leader = entry["leader"]["name"] if entry["leader"] else None
    return _Models(name, versions, leader)


def _metadata(use_case: UseCase, made: Made, models: _Models) -> dict[str, Any]:
    listed, before = made.artifact.tables["features"], made.artifact.about["before"]
    stored = {row["feature"]: row for row in listed.to_pylist()}
    rows = [stored[feature.name] for feature in use_case.features]  # as declared
    return {
        "catalogue": showing.records(_line(row, models, before) for row in rows),
        "distributions": showing.plot(made.artifact.blobs["plot"].data, "the values of each feature in this week"),
        "declared and met": showing.records({name: row[name] for name in FIGURES} for row in rows),
        "dagster/row_count": listed.num_rows,
        "leader": models.leader or "none yet",
        "model versions": in_runs(sorted(models.versions)) or "none yet",
    }


def _line(row: Mapping[str, Any], models: _Models, before: str | None) -> dict[str, Any]:
    """In few columns: each takes room from the definition."""
    leader = ", leader" if row["feature"] in models.read_by_leader else ""
    return {
        "feature": row["feature"],
        "known": _percent(row["coverage"]),
        f"known {before or 'before'}": _percent(row["coverage_before"]),
        "read by version": (in_runs(used_by(models.versions, row["feature"])) or "none") + leader,
        "definition": row["definition"],
    }


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
