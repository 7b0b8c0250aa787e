"""The weeks of a replay, made once for all its policies: the data of every week and the first model, by the real jobs.

What stands here lends to the policies' worlds: there the same work is known, and not done again. It is made anew where
files, code or declaration are others than those it was made from.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mlops_assets.core.versions import record_version
from mlops_assets.declare import DataError
from mlops_assets.graph import clock
from mlops_assets.graph.daemon import Daemon, codes_of, definitions_of, opened
from mlops_assets.graph.jobs import STAGES, job_name
from mlops_assets.replay.landing import land
from mlops_assets.replay.sabotage import Kind
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.weeks import Weeks
from mlops_assets.replay.world import World
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.landing import Landing

Hears = Callable[[str, int, int], None]  # what is done, how many of how many
_MADE = "made.json"  # job and week -> the seal of what it was made from


def prepare(scenario: Scenario, folder: Path, hears: Hears, *, lender: str = "") -> World:
    """The history's world in `folder`, with every week and the first model of the scenario.

    What is known in the store `lender` ("" none), the project's own, is taken from there. Raises DataError for a week
    that is refused, with its reason.
    """
    use_case = scenario.use_case
    world = World(folder, lender)
    if not world.exists():
        world = World.fresh(folder, {"history of": use_case.name}, lender=lender)
    world.fits({"history of": use_case.name})
    places = replace(world.places, landing=scenario.landing)
    defs = definitions_of(use_case, places)
    with world.held(), opened(places.dagster_home) as instance:
        known = _read(folder / _MADE)
        jobs = list(_jobs(scenario, codes_of(defs)))
        due = [(job, week, seal) for job, week, seal in jobs if known.get(f"{job} {week}") != seal]
        daemon = Daemon(defs, instance, (), new_id=lambda: str(uuid.uuid4()))
        for n, (job, week, seal) in enumerate(due):
            hears(f"{job} {week}", n, len(due))
            with clock.at(scenario.lands_at(week)):
                ran = daemon.run(job_name(use_case.name, job), week)
            if not ran.success:
                raise DataError(f"{use_case.name}: {job} of {week} failed, so it cannot be replayed: {ran.error}")
            known[f"{job} {week}"] = seal
            _write(folder / _MADE, known)
        hears("ready", len(due), len(due))
    return world


def weeks_of(scenario: Scenario, history: World, aside: Path) -> Weeks:
    """The weeks as requests see them: the history's, but the sabotaged ones from files of their own in `aside`."""
    spoiled = [deed for deed in scenario.sabotage if deed.kind is Kind.BROKEN_FEED]
    zone = replace(history.places, landing=str(aside))
    for deed in spoiled:
        land(
            scenario.use_case, scenario.zone, zone, deed.week, scenario.lands_at(deed.week), (deed.kind.value,)
        )  # fmt: skip
    return Weeks(
        scenario.use_case,
        AssetStore(history.places.store),
        Landing(f"{aside}/{scenario.use_case.name}"),
        anew={deed.week for deed in spoiled},
    )


def _jobs(scenario: Scenario, codes: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(job, week, seal of what its result depends on): every week's data, which looks back, and the first training."""
    use_case, seal = scenario.use_case, ""
    of = {job: [codes[f"{use_case.name}/{artifact}"] for artifact in STAGES[job]] for job in ("data", "train")}
    for week in scenario.weeks:
        seal = record_version({"before": seal, "files": scenario.files(week), "code": list(of["data"])})
        yield "data", week, seal
        if week == scenario.first:
            yield "train", week, record_version({"data": seal, "code": list(of["train"])})


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def _write(path: Path, known: dict[str, str]) -> None:
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(known, sort_keys=True))
    aside.replace(path)
