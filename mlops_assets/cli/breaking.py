"""The two proofs of the demo that break something on purpose, in a world of their own: a file, and a model.

Here belongs what is broken and what must follow. The gate, the rollout and the gateway's parts are the real ones.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.cli.running import QUIET
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare import UseCase
from mlops_assets.graph.jobs import job_name
from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets.graph.steps import why_failed
from mlops_assets.replay.local_slots import Fault, Spoil
from mlops_assets.replay.stretches import stretches
from mlops_assets.replay.tower import Clock, Counts, Tower
from mlops_assets.replay.weeks import Weeks
from mlops_assets.replay.world import World
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.copied import copied
from mlops_assets.stores.landing import Landing
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings

BROKEN_ROWS = 3
EVERY_US = 3_600_000_000  # whoever asks within an hour is asked at once: ten minutes each take twice as long
Told = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is proved: the model `name`, trained on the weeks up to `trained`; it is asked about the weeks `after`."""

    use_case: UseCase
    name: str
    trained: str
    after: Sequence[str]
    places: Settings


def made_anew(world: World, subject: Subject) -> Settings:
    """The world, emptied, with what a run and a rollout need of the subject: store, records, landed files."""
    world.discard()
    places = World.fresh(world.folder, {"proofs": subject.use_case.name}).places
    (world.folder / ".gitignore").write_text("*\n")
    copied(subject.places, places)
    zone = Landing(f"{subject.places.landing.rstrip('/')}/{subject.use_case.name}")
    for table in subject.use_case.tables:
        for week in (subject.trained, *subject.after):
            if zone.has(table.landing, week):
                fetched = zone.fetch(table.landing, week)
                file = Path(places.landing) / subject.use_case.name / fetched.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(fetched.data)
    return places


def refused(subject: Subject, places: Settings) -> tuple[bool, Told]:
    """A week's file lands again without a column, then with rows that cannot be."""
    use_case, week = subject.use_case, subject.trained
    table, store, asset = use_case.request_table, AssetStore(places.store), f"{use_case.name}/validated_dataset"
    file = Path(places.landing) / use_case.name / table.landing.format(partition=week)
    whole, before = pq.read_table(file), store.latest(asset, week)
    column, least = next(
        (c, c.ge) for c in table.columns if c.ge is not None and not c.nullable and c.name not in table.key
    )
    pq.write_table(whole.drop_columns([column.name]), file)
    why = _validate(use_case, places, week)
    stays = before is not None and store.latest(asset, week) == before

    number, kind = whole.column_names.index(column.name), whole.schema.field(column.name)
    values = [least - 1] * BROKEN_ROWS + whole[column.name].to_pylist()[BROKEN_ROWS:]
    pq.write_table(whole.set_column(number, kind, pa.array(values, kind.type)), file)
    failed = _validate(use_case, places, week)
    kept = store.load(f"{use_case.name}/quarantine", week).tables[table.name]
    reasons = sorted(set(kept["reasons"].to_pylist())) or ["none"]
    return bool(why) and stays and not failed and kept.num_rows == BROKEN_ROWS, (
        f"a column lost: {why.partition(': ')[2] or 'published all the same'}",
        f"{BROKEN_ROWS} rows broken: {failed or f'{kept.num_rows} quarantined, the rest published: {reasons[0]}'}",
    )


def rolled_back(subject: Subject, places: Settings) -> tuple[bool, Told]:
    """The real rollout on the weeks the model has not seen, until its first canary, where the model throws."""
    use_case, number = subject.use_case, int(subject.name.partition("@")[2])
    begin = instant_us(use_case.partitions.bounds(subject.after[0])[0])
    with Rollouts(places.serving, use_case.name) as rollouts:
        row = rollouts.open(
            number, use_case.rollout, use_case.label.task, baseline_of=number, who="mlops demo", at_us=begin,
            why="to see it rolled back",
        )  # fmt: skip
    spoils = {number: Spoil(Fault.BROKEN, since=Stage.CANARY)}
    with Tower(use_case, places, Clock(us=begin), name="demo", spoils=spoils) as tower:
        counts = _played(tower, subject, places)
    with closing(PredictionLog(places.serving, use_case, create=False)) as log:
        exposed = log.exposed(str(row.rollout))
    said = {event.kind: event.why for event in counts.events}
    went = Kind.ADVANCED in said and Kind.ROLLED_BACK in said
    return went and counts.answered == counts.asked and not exposed, (
        f"shadow, {subject.after[0]} on: {said.get(Kind.ADVANCED, 'no proof that lets it go on')}",
        f"canary, where it throws: {said.get(Kind.ROLLED_BACK, 'not rolled back')}",
        f"{counts.asked:,} asked, {counts.answered:,} answered, {counts.asked - counts.answered} failed, {exposed} "
        "answered by the broken model",
    )


def _played(tower: Tower, subject: Subject, places: Settings) -> Counts:
    """What became of the requests up to a rollback, or of all."""
    use_case = subject.use_case
    weeks = Weeks(use_case, AssetStore(places.store), Landing(f"{places.landing}/{use_case.name}"))
    seed = use_case.model.seed
    for stretch in stretches(use_case, weeks, subject.after, seed=seed, every_us=EVERY_US):
        if any(event.kind is Kind.ROLLED_BACK for event in tower.play(stretch)):
            break
    return tower.counts


def _validate(use_case: UseCase, places: Settings, week: str) -> str:
    """Run the first two assets of the data job there; why it failed, "" when it did not."""
    defs = dg.Definitions.merge(build_lifecycle(use_case, places), resources(places))
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job_name(use_case.name, "data")).execute_in_process(
            instance=instance, partition_key=week, raise_on_error=False, run_config=QUIET,
            asset_selection=[dg.AssetKey([use_case.name, name]) for name in ("raw_data", "validated_dataset")],
        )  # fmt: skip
    return "" if result.success else why_failed(result.all_events)
