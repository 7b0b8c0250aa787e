"""Requests drawn from the gateway's own OpenAPI document, right and wrong ones: never a 5xx, nothing undocumented."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mlops_assets.core.rollout.words import Stage
from mlops_assets_tests.gateway import world

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
UNHURRIED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def served(
    launcher: world.Launcher, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[world.Served]:
    found = world.copied(registered, tmp_path_factory.mktemp("fuzz"))
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found) as served:
        yield served.until_ready()


def drawn(served: world.Served, examples: int) -> int:
    """Ask so many requests of every operation; how many were asked."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            try:
                cases = operation.as_strategy(generation_mode=mode)
            except ValueError:  # nothing can be wrong with a request that takes nothing
                continue

            @settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=UNHURRIED, derandomize=True)
            @given(case=cases)
            def ask(case: schemathesis.Case) -> None:
                nonlocal asked
                asked += 1
                case.call_and_validate(base_url=served.url, checks=CHECKS, timeout=10)

            with suppress(Unsatisfiable):
                ask()
    return asked


def test_drawn_requests_are_answered_as_documented(served: world.Served) -> None:
    assert drawn(served, 8) > 50


@pytest.mark.slow
def test_many_drawn_requests_are_answered_as_documented(served: world.Served) -> None:
    assert drawn(served, 500) > 1_000


def test_random_bytes_are_refused_and_nothing_breaks(served: world.Served) -> None:
    random = np.random.default_rng(5)
    codes = set()
    with httpx.Client(base_url=served.url) as client:
        for path in ("/invocations", "/v2/models/parcels/infer"):
            for size in (0, 1, 7, 100, 5_000):
                for _ in range(10):
                    body = random.bytes(size)
                    codes.add(client.post(path, content=body, headers={"content-type": "application/json"}).status_code)

    assert codes == {400}
