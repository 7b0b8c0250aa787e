"""Stage 2, features: what the gate let through, brought to the online store.

Look-ups go on while it runs: every chunk of keys is seen whole or not at all, as of any instant. Killed half way, the
same run again does what is left. A week made anew takes away what the version before had brought.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import dagster as dg

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.online import OnlineStore, reaches
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.core.online.series import changes, online_series
from mlops_assets.core.online.totals import Applied
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.actions import ANEW, Reads, Step, inputs_of
from mlops_assets.graph.axis import partition_of, partitions_def
from mlops_assets.graph.steps import TRANSIENT, refusals
from mlops_assets.graph.storage import Made, Store
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.feature_store import feature_store, online_url, open_journal
from mlops_assets.stores.journal import Journal
from mlops_assets.stores.online import open_online
from mlops_assets.stores.refs import Ref
from mlops_assets.stores.write_path import WritePath

ACTION = "action "  # note, before the week: the key of the action that brought it
SNAPSHOTS = "snapshots"  # note: the week whose snapshots are applied, and their version
WEEK = "week "  # note, before the week: the data version of the validated week that is applied


class FeatureStore(dg.ConfigurableResource):
    """The online side: `online` is a folder or the URL of a server, `journals` a folder."""

    online: str
    journals: str

    @contextmanager
    def journal(self, use_case: UseCase) -> Iterator[Journal]:
        with closing(open_journal(self.journals, use_case)) as journal:
            yield journal

    @contextmanager
    def store(self, use_case: UseCase) -> Iterator[OnlineStore]:
        with closing(open_online(online_url(self.online, use_case))) as store:
            yield store

    @contextmanager
    def write_path(self, use_case: UseCase, assets: AssetStore) -> Iterator[tuple[WritePath, OnlineStore]]:
        with feature_store(use_case, online=self.online, journals=self.journals, assets=assets) as opened:
            yield opened


def online_step(use_case: UseCase) -> Step:
    """What is brought online depends on. That it was brought the online store itself says, by the action's key."""
    return Step(
        use_case=use_case,
        artifact="online_features",
        makes=(_record, changes),
        sees=("name", "partitions", "tables", "requests", "features"),
        reads={"validated": Reads(artifact="validated_dataset")},
    )


def online_features(use_case: UseCase) -> dg.AssetsDefinition:
    """Materialize to online."""
    step = online_step(use_case)

    @dg.asset(
        key=[use_case.name, "online_features"],
        group_name="features",
        partitions_def=partitions_def(use_case.partitions),
        deps=step.deps,
        kinds={"sqlite"},
        retry_policy=TRANSIENT,
        code_version=step.code_version,
        description="The week's values in the online store, as running totals by key: what a request is answered from, "
        "as of any instant, by the same declaration as the feature table.",
        metadata={"series": showing.records(_series(use_case))},
        **showing.owned(use_case),
    )
    def asset(context: dg.AssetExecutionContext, store: Store, feature_store: FeatureStore) -> dg.MaterializeResult:
        with refusals():
            partition = partition_of(context, use_case)
            read = step.upstream(store.assets, partition)
            ref, action = read["validated"].refs[partition], step.action(partition, inputs_of(read))
            applied = Applied()
            with feature_store.write_path(use_case, store.assets) as (way, online):
                applied += way.catch_up()
                there = context.run.tags.get(ANEW) != "true" and _is_online(use_case, online, ref, action)
                for done, of, part in () if there else _landing(use_case, way, online, store.assets, ref, action):
                    applied += part
                    context.log.info(f"{done:,} of {of:,} keys of {partition} are online")
                pruned = online.prune(first_question(use_case, partition), reaches(use_case))
                kept, since = online.entries(), online.kept_since
        return dg.MaterializeResult(
            value=Made(artifact=Artifact(records={"applied": _record(use_case, ref.data_version)}), action=action),
            metadata={
                "events new": applied.added,
                "events there already": applied.known,
                "events taken back": applied.removed,
                "events pruned": pruned,
                "events kept": kept,
                "answers questions since": moment(since).isoformat() if since is not None else "ever",
            },
        )

    return asset


def _is_online(use_case: UseCase, online: OnlineStore, ref: Ref, action: Action) -> bool:
    """True when the store says that it holds this version of the week, brought by this very action.

    What it says is not looked through: the check `served_equals_trained` does, and a run tagged `mlops/anew` brings the
    week again.
    """
    held = json.loads(online.note(SNAPSHOTS) or "{}")
    newest = held.get("week", "") > ref.partition or held.get("version") == ref.data_version
    if any(table.snapshot for table in use_case.tables) and not newest:
        return False
    return (online.note(WEEK + ref.partition), online.note(ACTION + ref.partition)) == (ref.data_version, action.key)


def _landing(
    use_case: UseCase, way: WritePath, online: OnlineStore, assets: AssetStore, ref: Ref, action: Action
) -> Iterator[tuple[int, int, Applied]]:
    """The week's rows in place of those applied for it before; snapshots only when no later week's are applied."""
    asset, week, artifact = ref.asset, ref.partition, assets.load_ref(ref)
    weekly = {t.name for t in use_case.tables if not t.snapshot}
    before = online.note(WEEK + week)
    old = assets.load(asset, week, data_version=before).tables if before else {}
    landed = {name: artifact.tables[name] for name in weekly}
    corrected = {name: rows for name, rows in old.items() if name in weekly}
    notes = {WEEK + week: ref.data_version, ACTION + week: action.key}
    held = json.loads(online.note(SNAPSHOTS) or "{}")
    if len(weekly) < len(use_case.tables) and held.get("week", "") <= week:
        snapshots = assets.load(asset, held["week"], data_version=held["version"]).tables if held else {}
        landed |= {name: rows for name, rows in artifact.tables.items() if name not in weekly}
        corrected |= {name: rows for name, rows in snapshots.items() if name not in weekly}
        notes[SNAPSHOTS] = json.dumps({"week": week, "version": ref.data_version})
    return way.land(week, dict(sorted(landed.items())), corrected, notes)


def first_question(use_case: UseCase, week: str) -> int:
    """The earliest instant (us since 1970) at which a request of the week may be asked."""
    return instant_us(use_case.partitions.bounds(week)[0] - use_case.requests.ahead)


def _record(use_case: UseCase, validated: str) -> dict[str, Any]:
    return {"validated": validated, "series": [s.name for s in _kept(use_case)]}


def _kept(use_case: UseCase) -> list[Any]:
    return sorted({s.name: s for s in online_series(use_case).values()}.values(), key=lambda s: s.name)


def _series(use_case: UseCase) -> list[dict[str, Any]]:
    return [
        {"series": s.name, "looks back": "always" if s.reach_us is None else f"{s.reach_us / 3.6e9:g} h"}
        for s in _kept(use_case)
    ]
