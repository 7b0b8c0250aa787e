"""A week's files arrive, its partition flows, by itself.

`<use case>_arrivals` watches the landing zone. What lies there when it looks for the first time is old: a year of files
beside a fresh project is history, for `mlops backfill`. From then on every week whose files are all there and have come
or changed is run, oldest first, one at a time: a week looks back at those before it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from blake3 import blake3
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph.clock import now
from mlops_assets.graph.storage import Store
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.settings import Settings

ARRIVED = "mlops/arrived"  # run tag: the use case whose files came
_QUIET_S = 3.0  # a file that was written so short a time ago may be written still


Stamps = Mapping[str, tuple[str, float]]  # table -> the stamp of its file


@dataclass(frozen=True, kw_only=True)
class Files:
    """What lies in the landing zone: by week of the axis, of the snapshots; what may not be looked at, in words; and

    whether the zone is there at all.
    """

    weeks: Mapping[str, Stamps]
    snapshots: Stamps
    refused: tuple[str, ...]
    there: bool


def landed(use_case: UseCase, landing: str) -> Files:
    """The stamps of a use case's files. A file that is refused (a link that leads out) holds up no other."""
    zone = Landing(f"{landing.rstrip('/')}/{use_case.name}")
    axis = set(use_case.partitions.keys(datetime.fromisoformat(now())))
    weeks: dict[str, dict[str, tuple[str, float]]] = {}
    snapshots, refused = {}, []
    for table in use_case.tables:
        for week in ("any",) if table.snapshot else sorted(axis & set(zone.partitions(table.landing))):
            try:
                stamp = zone.stamp(table.landing, week)
            except DataError as error:
                refused.append(str(error))
                continue
            if stamp is not None:
                (snapshots if table.snapshot else weeks.setdefault(week, {}))[table.name] = stamp
    return Files(
        weeks=dict(sorted(weeks.items())), snapshots=snapshots, refused=tuple(refused), there=zone.place.is_folder()
    )


def seal(files: Stamps) -> str:
    """What changes whenever one of the files is written, 16 characters."""
    told = json.dumps({table: stamp for table, (stamp, _) in sorted(files.items())})
    return blake3(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The cursor: what was seen of each week, and of the snapshots, when it was run."""

    weeks: Mapping[str, str]
    snapshots: str

    def text(self) -> str:
        return json.dumps({"weeks": dict(self.weeks), "snapshots": self.snapshots})

    @classmethod
    def of(cls, text: str | None) -> "Seen | None":
        """What `text` wrote; None for what it did not: stock is taken anew."""
        try:
            told = json.loads(text or "")
            return cls(weeks=dict(told["weeks"]), snapshots=str(told["snapshots"]))
        except (ValueError, TypeError, KeyError):
            return None


def arrivals(use_case: UseCase, job: UnresolvedAssetJobDefinition, settings: Settings) -> dg.SensorDefinition:
    """Runs the job of a week whose files have come or changed since the last look; the cursor is what was seen."""
    tables = {table.name for table in use_case.tables if not table.snapshot}

    @dg.sensor(
        name=f"{use_case.name}_arrivals",
        job=job,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A week whose files arrive in the landing zone is made and judged: data, features, reports.",
    )
    def sensor(context: dg.SensorEvaluationContext, store: Store) -> dg.SensorResult | dg.SkipReason:
        files = landed(use_case, settings.landing)
        found = files.weeks
        now_seen = Seen(weeks={week: seal(own) for week, own in found.items()}, snapshots=seal(files.snapshots))
        seen = Seen.of(context.cursor)
        if seen is None and not files.there:
            return dg.SkipReason(f"there is no folder {use_case.name} in the landing zone {settings.landing} yet")
        if seen is None:
            return dg.SensorResult(
                skip_reason=f"{len(found)} weeks of files lay there before this sensor first looked: "
                f"`mlops backfill {use_case.name}` runs them; whatever comes from now on is run by itself",
                cursor=now_seen.text(),
            )
        new = [week for week in found if now_seen.weeks[week] != seen.weeks.get(week)]
        keys = {week: f"{week} {now_seen.weeks[week]} {now_seen.snapshots}" for week in found}
        if now_seen.snapshots != seen.snapshots:  # what a week failed for may be mended
            new = sorted({*new, *(week for week in found if _failed(context.instance, use_case, week, keys[week]))})
        if not new:
            kept = Seen(weeks=seen.weeks, snapshots=now_seen.snapshots)
            reason = "; ".join((f"no file came or changed; {len(found)} weeks are there", *files.refused))
            return dg.SensorResult(skip_reason=reason, cursor=kept.text())
        if running := _running(context.instance, use_case):
            return dg.SkipReason(f"{len(new)} weeks wait, the oldest {new[0]}: that of {running} is being run")
        waits = list(files.refused)
        made = store.assets.refs.partitions(f"{use_case.name}/feature_table")
        for week in new:
            if lacking := sorted(tables - set(found[week])):
                waits.append(f"{week} waits for {', '.join(lacking)}")
            elif any(0 <= time.time() - at < _QUIET_S for _, at in found[week].values()):  # a clock may be ahead
                waits.append(f"{week} is being written")
            elif before := _lacking_before(use_case, week, made):
                waits.append(f"{week} waits for {before}, which it looks back at")
            else:
                last = week == new[-1]
                kept = Seen(
                    weeks={**seen.weeks, week: now_seen.weeks[week]},
                    snapshots=now_seen.snapshots if last else seen.snapshots,
                )
                return dg.SensorResult(
                    run_requests=[
                        dg.RunRequest(
                            run_key=keys[week],
                            partition_key=week,
                            tags={ARRIVED: use_case.name, "mlops/why": f"the files of {week} arrived"},
                        )
                    ],
                    cursor=kept.text(),
                )
        return dg.SkipReason("; ".join(waits))

    return sensor


def _lacking_before(use_case: UseCase, week: str, made: Sequence[str]) -> str:
    """The week right before, where it is not made though others are; "" where nothing is lacking."""
    before = use_case.partitions.shift(week, -1)
    return before if made and min(made) < week and before not in made else ""


def _failed(instance: dg.DagsterInstance, use_case: UseCase, week: str, key: str) -> bool:
    """Whether the newest run of a week's arrival failed, and was another than the one of this key."""
    asked = dg.RunsFilter(tags={ARRIVED: use_case.name, "dagster/partition": week})
    runs = instance.get_runs(asked, limit=1)
    return bool(runs) and runs[0].is_failure_or_canceled and runs[0].tags.get("dagster/run_key") != key


def _running(instance: dg.DagsterInstance, use_case: UseCase) -> str:
    """The week whose arrival is being run, or will be again; "" when none is."""
    asked = dg.RunsFilter(tags={ARRIVED: use_case.name})
    for run in instance.get_runs(asked, limit=5):
        if not run.is_finished or run.is_complete_and_waiting_to_retry:
            return str(run.tags.get("dagster/partition", "a week"))
    return ""
