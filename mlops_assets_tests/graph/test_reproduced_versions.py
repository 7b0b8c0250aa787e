"""Every registered version of two use cases is made again; a linear one on another kernel, too, as far as BLAS goes."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.declare import DriftPolicy, UseCase
from mlops_assets.graph.reproduction import Code, reproduce
from mlops_assets.stores.recorded_model import registered
from mlops_assets.stores.records.tracing import question
from mlops_assets.stores.settings import settings
from mlops_assets.use_cases.parking import PARKING
from mlops_assets_tests.graph import world as thin
from mlops_assets_tests.graph.world import World, reason, small_world

LANDING = Path(__file__).parents[2] / "data" / "landing"
SEEDS = (7, 20130101, 4_000_000_000)
EVERY = 7  # one version in so many is made again with two threads instead of one


def parking() -> UseCase:
    """The car parks, with a model that fits in no time."""
    estimator = replace(PARKING.model.estimator, params={**PARKING.model.estimator.params, "max_iter": 20})
    return replace(
        PARKING,
        model=replace(PARKING.model, estimator=estimator, min_weeks=2, search=None),
        drift=DriftPolicy(min_reference_windows=2),
    )


@contextmanager
def parking_world(folder: Path, use_case: UseCase) -> Iterator[World]:
    """A world of the shipped car parks."""
    places = settings({"MLOPS_DATA": str(folder), "MLOPS_LANDING": str(LANDING)})
    with dg.DagsterInstance.ephemeral(tempdir=str(folder / "dagster")) as instance:
        yield World.of(folder, use_case, places, instance)


def trained(world: World, weeks: tuple[str, ...], first: int, wanted: int) -> dict[int, World]:
    """Version -> the world that declares it: models of the weeks from place `first` on, each week with every seed."""
    for week in weeks:
        assert reason(world.run("data", week)) == ""
    branches = [
        world.declaring(replace(world.use_case, model=replace(world.use_case.model, seed=seed))) for seed in SEEDS
    ]
    made = [(branch, week) for week in weeks[first:] for branch in branches][:wanted]
    for branch, week in made:
        assert reason(branch.run("train", week)) == ""
    return {number: branch for number, (branch, _) in enumerate(made, start=1)}


@pytest.mark.slow
@pytest.mark.parametrize(("of_flights", "of_parking"), [(2, 3), pytest.param(9, 11, marks=pytest.mark.campaign)])
def test_registered_models_of_two_use_cases_are_all_reproduced(
    tmp_path: Path, of_flights: int, of_parking: int
) -> None:
    verdicts, digests = {}, set()
    weeks = PARKING.partitions.keys()[:5]
    with small_world(tmp_path / "flights") as flights, parking_world(tmp_path / "parking", parking()) as cars:
        for world, branches in (
            (flights, trained(flights, thin.WEEKS, 2, of_flights)),
            (cars, trained(cars, weeks, 1, of_parking)),
        ):
            for number, branch in branches.items():
                threads = 2 if number % EVERY == 0 else None
                name = f"{world.use_case.name}@{number}"
                model = registered(question(name), world.places)
                made = reproduce(branch.use_case, model, world.places, threads=threads, code=Code.HERE)
                verdicts[name] = (made.verdict, made.reasons)
                digests.add(made.digest_here)

    assert set(verdicts.values()) == {("PASS", ())}
    assert len(verdicts) == len(digests) == of_flights + of_parking


LINEAR = """
import json, sys
from dataclasses import replace
from pathlib import Path
from mlops_assets.declare import Estimator
from mlops_assets.graph.reproduction import Code, reproduce
from mlops_assets.stores.recorded_model import registered
from mlops_assets.stores.records.tracing import question
from mlops_assets_tests.graph.test_reproduced_versions import parking, parking_world
from mlops_assets_tests.graph.world import reason
use_case, (what, folder) = parking(), sys.argv[1:]
ridge = Estimator(path="sklearn.linear_model.Ridge", params={"alpha": 0.5})
lacking = tuple(f"ratio_{hours}h" for hours in (1, 2, 4, 24, 168)) + ("car_park",)  # a linear model takes no nulls
use_case = replace(use_case, model=replace(use_case.model, estimator=ridge, excluded=lacking))
weeks = use_case.partitions.keys()[:2]
with parking_world(Path(folder), use_case) as world:
    if what == "train":
        steps = (("data", weeks[0]), ("data", weeks[1]), ("train", weeks[1]))
        said = [reason(world.run(job, week)) for job, week in steps]
        sys.exit("".join(said) or None)
    model = registered(question("parking@1"), world.places)
    print(json.dumps(reproduce(use_case, model, world.places, code=Code.HERE).to_json()))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Haswell and Nehalem are kernels of x86")
def test_a_linear_model_is_reproduced_on_other_kernels_within_the_tolerance_and_on_its_own_to_the_bit(
    tmp_path: Path,
) -> None:
    def run(what: str, kernel: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", LINEAR, what, str(tmp_path)], capture_output=True, text=True, timeout=240,
            env={**os.environ, "OPENBLAS_CORETYPE": kernel}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("train", "Haswell")
    own, other = (json.loads(run("reproduce", kernel).splitlines()[-1]) for kernel in ("Haswell", "Nehalem"))

    assert (own["verdict"], other["verdict"]) == ("PASS", "PASS")
    assert "bit for bit" in own["sentence"]
    assert other["digest_here"] != other["digest_recorded"]
    assert "on other CPU kernels, allowed is 1e-09" in other["sentence"]
