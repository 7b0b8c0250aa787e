"""Served equals trained equals the naive engine, whatever happened to the store and in whatever order."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from mlops_assets_tests.stores.online.interleavings import Interleavings

_numbers = count()
CALM = settings(deadline=None, suppress_health_check=list(HealthCheck))


def run(places: Iterator[str], examples: int, steps: int, **how: bool) -> None:
    """So many stores, each at a new place, with so many steps at most."""

    def machine() -> Interleavings:
        return Interleavings(next(places))

    run_state_machine_as_test(machine, settings=settings(CALM, max_examples=examples, stateful_step_count=steps, **how))


def files(folder: Path) -> Iterator[str]:
    return (str(folder / f"{number}.sqlite") for number in _numbers)


def test_a_sqlite_file_answers_like_memory_the_feature_table_and_the_naive_engine(tmp_path: Path) -> None:
    run(files(tmp_path), examples=10, steps=50, derandomize=True)


def test_a_redis_server_answers_like_memory_the_feature_table_and_the_naive_engine(redis_url: str) -> None:
    run((f"{redis_url}?namespace=steps{n}" for n in _numbers), examples=3, steps=40, derandomize=True)


@pytest.mark.slow
def test_a_sqlite_file_answers_like_them_over_thousands_of_steps(tmp_path: Path) -> None:
    run(files(tmp_path), examples=60, steps=60)


@pytest.mark.slow
def test_a_redis_server_answers_like_them_over_thousands_of_steps(redis_url: str) -> None:
    run((f"{redis_url}?namespace=many{n}" for n in _numbers), examples=25, steps=60)
