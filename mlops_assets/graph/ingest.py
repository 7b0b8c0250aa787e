"""Stage 1, ingest: the landed files as they are, then the gate.

A row that breaks a rule is quarantined and counted; a table that breaks one publishes nothing: the version before
stays the latest and nothing downstream runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
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
from mlops_assets.graph.actions import Reads, Step, inputs_of, once
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.online import FeatureStore
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store
from mlops_assets.graph.types import artifact_type, table_bounds
from mlops_assets.stores.landing import Fetched, Landing

QUARANTINE = "quarantine"  # an artifact beside the assets: the refused rows of a week
TOLD = ".events"  # a table of raw data beside the landed one: what single events told of the week


class LandingZone(dg.ConfigurableResource):
    """Where files arrive: `url`/`<use case>`/<the table's landing path>."""

    url: str


def raw_step(use_case: UseCase) -> Step:
    """What raw data depend on."""
    sees = ("name", "partitions", "tables", "requests")
    return Step(use_case=use_case, artifact="raw_data", makes=(make_raw,), sees=sees)


def make_raw(use_case: UseCase, fetched: Mapping[str, Fetched], told: Mapping[str, pa.Table]) -> Artifact:
    """The landed tables by name from the bytes of their files, and beside them the rows that events told."""
    tables, files = {f"{name}{TOLD}": rows for name, rows in told.items()}, {}
    for t in use_case.tables:
        columns = {c.name: landed_type(c) for c in t.columns}
        if t.name not in fetched:  # a week that came by events needs no file
            tables[t.name] = pa.schema(columns).empty_table()
            continue
        file = fetched[t.name]
        tables[t.name] = file.parsed(columns)
        files[t.name] = {"file": file.path, "rows": tables[t.name].num_rows, "bytes": len(file.data),
                         "sha256": file.sha256}  # fmt: skip
    return Artifact(tables=tables, about={"files": files})


def arrived(
    use_case: UseCase, landing: str, feature_store: FeatureStore, partition: str
) -> tuple[dict[str, Fetched], dict[str, pa.Table]]:
    """By table the file of a week, not parsed yet, and the rows that events told. Raises DataError."""
    zone = Landing(f"{landing.rstrip('/')}/{use_case.name}")
    told = _told(use_case, feature_store, partition)
    fetched = {
        t.name: zone.fetch(t.landing, partition)
        for t in use_case.tables
        if t.name not in told or zone.has(t.landing, partition)
    }
    return fetched, told


def raw_inputs(fetched: Mapping[str, Fetched], told: Mapping[str, pa.Table]) -> dict[str, str]:
    """The inputs of the action: `file <path>` -> sha256 of its bytes, `events <table>` -> version of the rows told."""
    files = {f"file {file.path}": file.sha256 for file in fetched.values()}
    return files | {f"events {name}": table_version(rows) for name, rows in told.items()}


def raw_data(use_case: UseCase) -> dg.AssetsDefinition:
    """The landed files of a week, as they are."""
    main = use_case.request_table
    step = raw_step(use_case)

    @dg.asset(
        key=[use_case.name, "raw_data"],
        group_name="ingest",
        partitions_def=partitions_def(use_case.partitions),
        kinds={"parquet"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        description=f"One row is {main.doc}, exactly as it landed (beside it: "
        + ", ".join(f"{t.name}, one row {t.doc}" for t in use_case.tables if t is not main)
        + "). Nothing is cleaned here; files are hashed as bytes, tables by content.",
        metadata={"landing": {t.name: f"{use_case.name}/{t.landing}" for t in use_case.tables}},
        **showing.owned(use_case),
    )
    def asset(
        context: dg.AssetExecutionContext, landing: LandingZone, feature_store: FeatureStore, store: Store
    ) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            fetched, told = arrived(use_case, landing.url, feature_store, partition)
            action = step.action(partition, raw_inputs(fetched, told))
            made = once(context, store.assets, action, lambda: make_raw(step.seen, fetched, told))
        tables, versions = made.artifact.tables, made.artifact.part_versions
        files: Mapping[str, Mapping[str, Any]] = made.artifact.about["files"]
        return dg.MaterializeResult(
            value=made,
            metadata={
                "dagster/row_count": tables[main.name].num_rows,
                "files": showing.records({"table": n, **f, "data version": versions[n]} for n, f in files.items()),
                "rows told by events": sum(rows.num_rows for name, rows in tables.items() if name.endswith(TOLD)),
            },
        )

    return asset


def _told(use_case: UseCase, feature_store: FeatureStore, partition: str) -> dict[str, pa.Table]:
    """By table the rows of a week that single events told, where there are any."""
    with feature_store.journal(use_case) as journal:
        states = {t.name: journal.told(t.name, partition) for t in use_case.tables if not t.snapshot}
    return {name: told_table(use_case.table(name), [s.told for s in rows]) for name, rows in states.items() if rows}


def validated_step(use_case: UseCase) -> Step:
    """What validated data depend on."""
    return Step(
        use_case=use_case,
        artifact="validated_dataset",
        makes=(make_validated, _clean),
        sees=("name", "partitions", "tables", "requests"),
        reads={"raw": Reads(artifact="raw_data")},
    )


def make_validated(use_case: UseCase, partition: str, raw: Mapping[str, pa.Table]) -> dict[str, Validated]:
    """The verdict on every table of a week: of its landed rows, and those that events told beside them."""
    landed = {name: rows for name, rows in raw.items() if not name.endswith(TOLD)}
    told = {name.removesuffix(TOLD): rows for name, rows in raw.items() if name.endswith(TOLD)}
    return validate(use_case, landed, partition, told)


def validated_dataset(use_case: UseCase) -> dg.AssetsDefinition:
    """The gate."""
    axis = partitions_def(use_case.partitions)
    key = dg.AssetKey([use_case.name, "validated_dataset"])
    main = use_case.request_table
    step = validated_step(use_case)
    specs = [
        dg.AssetCheckSpec(f"{t.name}_{rule}", asset=key, partitions_def=axis, blocking=True,
                          description=f"{rule.replace('_', ' ')} of table {t.name}")
        for t in use_case.tables for rule in rule_names(t)
    ]  # fmt: skip

    @dg.asset(
        key=key,
        group_name="ingest",
        partitions_def=axis,
        deps=step.deps,
        kinds={"pandera", "parquet"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        check_specs=specs,
        dagster_type=artifact_type(
            f"{use_case.name}_validated", {t.name: table_bounds(t) for t in use_case.tables}, "Validated tables"
        ),
        description=f"One row is {main.doc} that keeps every declared rule, with its derived columns. Rows that break "
        "one are quarantined with their reasons; a table that breaks one publishes nothing.",
        metadata=showing.column_schema(showing.table_columns(main)),
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store) -> Iterator[Any]:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            action = step.action(partition, inputs_of(read))
            refused = replace(action, asset=f"{use_case.name}/{QUARANTINE}")

            def work() -> Artifact:
                tables = make_validated(step.seen, partition, read["raw"].one().tables)
                # refused rows are kept beside the assets, also when the gate refuses the table: nothing is lost
                kept = {name: t.quarantined for name, t in tables.items() if t.quarantined.num_rows}
                store.publish(Made(artifact=Artifact(tables=kept), action=refused), context.run_id)
                return _clean(tables)

            made = once(context, store.assets, action, work, beside=(refused,))
            quarantined = store.assets.load(refused.asset, partition).tables
        outcomes = [RuleOutcome(**outcome) for outcome in made.artifact.about["rules"]]
        for outcome in outcomes:
            yield _check(outcome, key)
        failed = [f"{outcome.name}: {outcome.sentence}" for outcome in outcomes if not outcome.passed]
        if failed:
            raise dg.Failure(
                description=f"{partition} is not published, the version before stays the latest. " + " ".join(failed),
                metadata={"quarantined rows": _quarantined(quarantined)},
                allow_retries=False,
            )
        yield dg.MaterializeResult(value=made, metadata=_metadata(use_case, made.artifact, quarantined))

    return asset


def _clean(tables: Mapping[str, Validated]) -> Artifact:
    gate = {
        name: {"rules": {r.rule: {"met": r.met, "bound": r.bound} for r in t.rules}, "quarantined": dict(t.by_rule)}
        for name, t in tables.items()
    }
    days = {name: round(t.completeness * 7) for name, t in tables.items()}
    rules = [asdict(rule) for t in tables.values() for rule in t.rules]
    return Artifact(
        tables={name: t.clean for name, t in tables.items()},
        records={"gate": gate},
        about={"rules": rules, "days_seen": days},
    )


def _check(outcome: RuleOutcome, key: dg.AssetKey) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=outcome.name,
        asset_key=key,
        passed=outcome.passed,
        description=outcome.sentence,
        metadata={"met": float(outcome.met), "bound": float(outcome.bound), "in words": outcome.sentence},
    )


def _metadata(use_case: UseCase, clean: Artifact, quarantined: Mapping[str, pa.Table]) -> dict[str, Any]:
    weekly = {t.name for t in use_case.tables if not t.snapshot}
    refused = {name: rows.num_rows for name, rows in quarantined.items()}
    shown = [
        {"table": t.name, "rows": clean.tables[t.name].num_rows, "quarantined": refused.get(t.name, 0),
         "days of the week seen": clean.about["days_seen"][t.name] if t.name in weekly else None,
         "data version": clean.part_versions[t.name]}
        for t in use_case.tables
    ]  # fmt: skip
    return {
        "dagster/row_count": clean.tables[use_case.request_table.name].num_rows,
        "rows quarantined": sum(refused.values()),
        "tables": showing.records(shown),
        "quarantined rows": _quarantined(quarantined),
    }


def _quarantined(tables: Mapping[str, pa.Table], limit: int = 20) -> dg.MetadataValue:
    """The first refused rows and why; all of them are in the store."""
    shown: list[dict[str, Any]] = []
    for name, rows in tables.items():
        shown.extend(
            {"table": name, "row": r["row"], "reasons": r["reasons"]}
            for r in rows.slice(0, limit).select(["row", "reasons"]).to_pylist()
        )
    return showing.records(shown[:limit])
