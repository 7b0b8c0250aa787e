"""A program for tests that train one week in several processes at once."""

from dataclasses import replace
from pathlib import Path

from mlops_assets_tests.graph.lived import WEEK, opened
from mlops_assets_tests.graph.world import reason


def train(folder: str, artifacts: str, seed: int) -> None:
    """Train the week of the world in `folder` with another seed; fails when the run does."""
    with opened(Path(folder), artifacts=artifacts) as world:
        model = replace(world.use_case.model, seed=seed)
        said = reason(world.declaring(replace(world.use_case, model=model)).run("train", WEEK))
    if said:
        raise SystemExit(said)
