"""Stage 1, ingest: the landed files as they are, then the gate.

A row that breaks a rule is quarantined and counted; a table that breaks one publishes nothing: the version before
stays the latest and nothing downstream runs.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.core.arrow_types import landed_type
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.validation import RuleOutcome, Validated, rule_names, validate
from mlops_assets.core.validation.events import told_table
from mlops_assets.core.versions import table_version
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.online import FeatureStore
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Store, Upstream
from mlops_assets.graph.types import artifact_type, table_bounds
from mlops_assets.stores.landing import Landing

TOLD = ".events"  # a table of raw data beside the landed one: what single events told of the week


class LandingZone(dg.ConfigurableResource):
    """Where files arrive: `url`/`<use case>`/<the table's landing path>."""

    url: str


def raw_data(use_case: UseCase) -> dg.AssetsDefinition:
    """The landed files of a week, as they are."""
    main = use_case.request_table

    @dg.asset(
        key=[use_case.name, "raw_data"],
        group_name="ingest",
        partitions_def=partitions_def(use_case.partitions),
        kinds={"parquet"},
        retry_policy=TRANSIENT,
        description=f"One row is {main.doc}, exactly as it landed (beside it: "
        + ", ".join(f"{t.name}, one row {t.doc}" for t in use_case.tables if t is not main)
        + "). Nothing is cleaned here; files are hashed as bytes, tables by content.",
        metadata={"landing": {t.name: f"{use_case.name}/{t.landing}" for t in use_case.tables}},
        **showing.owned(use_case),
    )
    def asset(
        context: dg.AssetExecutionContext, landing: LandingZone, feature_store: FeatureStore
    ) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            zone = Landing(f"{landing.url.rstrip('/')}/{use_case.name}")
            told = _told(use_case, feature_store, partition)
            files, tables = {}, {f"{name}{TOLD}": rows for name, rows in told.items()}
            for t in use_case.tables:
                columns = {c.name: landed_type(c) for c in t.columns}
                if t.name in told and not zone.has(t.landing, partition):  # a week that came by events needs no file
                    tables[t.name] = pa.schema(columns).empty_table()
                    continue
                file = zone.read(t.landing, partition, columns=columns)
                tables[t.name] = file.table
                files[t.name] = {"file": file.path, "rows": file.table.num_rows, "bytes": file.bytes,
                                 "sha256": file.sha256}  # fmt: skip
            artifact = Artifact(tables=tables, about={"files": files})
        shown = [{"table": n, **facts, "data version": artifact.part_versions[n]} for n, facts in files.items()]
        return dg.MaterializeResult(
            value=artifact,
            metadata={
                "dagster/row_count": tables[main.name].num_rows,
                "files": showing.records(shown),
                "rows told by events": sum(rows.num_rows for rows in told.values()),
            },
        )

    return asset


def _told(use_case: UseCase, feature_store: FeatureStore, partition: str) -> dict[str, pa.Table]:
    """By table the rows of a week that single events told, where there are any."""
    with feature_store.journal(use_case) as journal:
        states = {t.name: journal.told(t.name, partition) for t in use_case.tables if not t.snapshot}
    return {name: told_table(use_case.table(name), [s.told for s in rows]) for name, rows in states.items() if rows}


def validated_dataset(use_case: UseCase) -> dg.AssetsDefinition:
    """The gate."""
    axis = partitions_def(use_case.partitions)
    key = dg.AssetKey([use_case.name, "validated_dataset"])
    main = use_case.request_table
    specs = [
        dg.AssetCheckSpec(f"{t.name}_{rule}", asset=key, partitions_def=axis, blocking=True,
                          description=f"{rule.replace('_', ' ')} of table {t.name}")
        for t in use_case.tables for rule in rule_names(t)
    ]  # fmt: skip

    @dg.asset(
        key=key,
        group_name="ingest",
        partitions_def=axis,
        ins={"raw": dg.AssetIn(key=[use_case.name, "raw_data"])},
        kinds={"pandera", "parquet"},
        retry_policy=TRANSIENT,
        check_specs=specs,
        dagster_type=artifact_type(
            f"{use_case.name}_validated", {t.name: table_bounds(t) for t in use_case.tables}, "Validated tables"
        ),
        description=f"One row is {main.doc} that keeps every declared rule, with its derived columns. Rows that break "
        "one are quarantined with their reasons; a table that breaks one publishes nothing.",
        metadata=showing.column_schema(showing.table_columns(main)),
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store, raw: Upstream) -> Iterator[Any]:
        with refusals():
            partition = partition_of(context, use_case)
            given = raw.one().tables
            landed = {name: rows for name, rows in given.items() if not name.endswith(TOLD)}
            told = {name.removesuffix(TOLD): rows for name, rows in given.items() if name.endswith(TOLD)}
            tables = validate(use_case, landed, partition, told)
            _keep_quarantine(store, use_case, partition, tables, context.run_id)
        for outcome in (rule for table in tables.values() for rule in table.rules):
            yield _check(outcome, key)
        failed = [f"{r.name}: {r.sentence}" for t in tables.values() for r in t.rules if not r.passed]
        if failed:
            raise dg.Failure(
                description=f"{partition} is not published, the version before stays the latest. " + " ".join(failed),
                metadata={"quarantined rows": _quarantined(tables)},
                allow_retries=False,
            )
        yield dg.MaterializeResult(value=_artifact(tables), metadata=_metadata(use_case, tables))

    return asset


def _artifact(tables: Mapping[str, Validated]) -> Artifact:
    gate = {
        name: {"rules": {r.rule: {"met": r.met, "bound": r.bound} for r in t.rules}, "quarantined": dict(t.by_rule)}
        for name, t in tables.items()
    }
    return Artifact(tables={name: t.clean for name, t in tables.items()}, records={"gate": gate})


def _check(outcome: RuleOutcome, key: dg.AssetKey) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=outcome.name,
        asset_key=key,
        passed=outcome.passed,
        description=outcome.sentence,
        metadata={"met": float(outcome.met), "bound": float(outcome.bound), "in words": outcome.sentence},
    )


def _keep_quarantine(
    store: Store, use_case: UseCase, partition: str, tables: Mapping[str, Validated], run: str
) -> None:
    """Refused rows are kept beside the assets, also when the gate refuses the table: nothing is lost."""
    kept = {name: t.quarantined for name, t in tables.items() if t.quarantined.num_rows}
    store.assets.publish(
        f"{use_case.name}/quarantine", partition, Artifact(tables=kept),
        inputs={}, code={}, run=run, action_key="", created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _metadata(use_case: UseCase, tables: Mapping[str, Validated]) -> dict[str, Any]:
    weekly = {t.name for t in use_case.tables if not t.snapshot}
    shown = [
        {"table": name, "rows": t.clean.num_rows, "quarantined": t.quarantined.num_rows,
         "days of the week seen": round(t.completeness * 7) if name in weekly else None,
         "data version": table_version(t.clean)}
        for name, t in tables.items()
    ]  # fmt: skip
    return {
        "dagster/row_count": tables[use_case.request_table.name].clean.num_rows,
        "rows quarantined": sum(t.quarantined.num_rows for t in tables.values()),
        "tables": showing.records(shown),
        "quarantined rows": _quarantined(tables),
    }


def _quarantined(tables: Mapping[str, Validated], limit: int = 20) -> dg.MetadataValue:
    """The first refused rows and why; all of them are in the store."""
    shown: list[dict[str, Any]] = []
    for name, table in tables.items():
        rows: pa.Table = table.quarantined.slice(0, limit)
        shown.extend(
            {"table": name, "row": r["row"], "reasons": r["reasons"]}
            for r in rows.select(["row", "reasons"]).to_pylist()
        )
    return showing.records(shown[:limit])
