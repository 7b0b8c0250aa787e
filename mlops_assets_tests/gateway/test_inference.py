"""The open inference protocol: its paths, its tensors, and no way around the rollout."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets_tests.gateway import world

ROWS = world.rows(3)
TYPES = {"depot": "BYTES", "weight": "FP64", "stops": "INT64", "fragile": "BOOL"}


def tensors(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A request with an input for each feature."""
    return {
        "inputs": [
            {"name": name, "shape": [len(rows)], "datatype": kind, "data": [row[name] for row in rows], **changes}
            for name, kind in TYPES.items()
        ]
    }


@pytest.fixture(scope="module")
def client(
    launcher: world.Launcher, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Version 1 answers, version 2 is in shadow."""
    found = world.copied(registered, tmp_path_factory.mktemp("inference"))
    with world.rolled(found, Stage.SHADOW), launcher.served(found) as served, served.until_ready().client() as client:
        yield client


def test_tensors_are_answered_as_rows_are_and_the_id_comes_back(client: httpx.Client) -> None:
    reply = client.post("/v2/models/parcels/infer", json={"id": "7", **tensors(ROWS)})
    rows = client.post("/invocations", json={"instances": ROWS}).json()["predictions"]

    assert reply.json() == {
        "model_name": "parcels", "model_version": "1", "id": "7",
        "outputs": [{"name": "prediction", "shape": [3], "datatype": "FP64", "data": rows}],
    }  # fmt: skip


def test_the_same_protocol_id_may_come_again_with_another_question(client: httpx.Client) -> None:
    codes = [client.post("/v2/models/parcels/infer", json={"id": "1", **tensors([row])}).status_code for row in ROWS]

    assert codes == [200, 200, 200]


def test_a_column_of_shape_rows_by_one_is_a_column(client: httpx.Client) -> None:
    flat = client.post("/v2/models/parcels/infer", json=tensors(ROWS)).json()["outputs"]
    asked = tensors(ROWS, shape=[3, 1])
    for tensor in asked["inputs"]:
        tensor["data"] = [[value] for value in tensor["data"]]

    assert client.post("/v2/models/parcels/infer", json=asked).json()["outputs"] == flat


@pytest.mark.parametrize("path", ["infer", "ready", ""])
def test_a_version_that_does_not_answer_now_is_not_found(client: httpx.Client, path: str) -> None:
    for version, status in ((1, 200), (2, 404), (0, 404), ("x", 404), ("9" * 40, 404)):
        where = f"/v2/models/parcels/versions/{version}{'/' if path else ''}{path}"
        reply = client.post(where, json=tensors(ROWS)) if path == "infer" else client.get(where)

        assert reply.status_code == status, where


def test_another_model_is_not_found(client: httpx.Client) -> None:
    assert client.post("/v2/models/other/infer", json=tensors(ROWS)).status_code == 404


def test_in_canary_no_version_can_be_asked_for(launcher: world.Launcher, registered: Path, tmp_path: Path) -> None:
    found = world.copied(registered, tmp_path)
    with (
        world.rolled(found, Stage.CANARY, 2),
        launcher.served(found) as served,
        served.until_ready().client() as client,
    ):

        def codes() -> list[int]:
            asked = (f"/v2/models/parcels/versions/{version}/infer" for version in (1, 2))
            return [client.post(path, json=tensors(ROWS)).status_code for path in asked]

        world.until(lambda: codes() == [404, 404])  # until the controller is heard of, version 1 answers alone


BAD: dict[str, dict[str, Any]] = {
    "another type": tensors(ROWS, datatype="COMPLEX"),
    "another shape": tensors(ROWS, shape=[4]),
    "a matrix": tensors(ROWS, shape=[1, 3]),
    "no inputs": {"inputs": []},
    "an input lacks": {"inputs": tensors(ROWS)["inputs"][:2]},
    "an input twice": {"inputs": tensors(ROWS)["inputs"] * 2},
    "another output": {**tensors(ROWS), "outputs": [{"name": "label"}]},
    "no number": {"inputs": [{"name": "weight", "shape": [1], "datatype": "FP64", "data": [{}]}]},
}


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_tensor_is_refused(client: httpx.Client, what: str) -> None:
    reply = client.post("/v2/models/parcels/infer", json=BAD[what])

    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def test_the_server_tells_what_it_is_and_that_it_lives(client: httpx.Client) -> None:
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/parcels", "/v2/models/parcels/ready"):
        assert client.get(path).status_code == 200, path
    told = client.get("/v2/models/parcels").json()

    assert told["versions"] == ["1"]
    assert {tensor["name"]: tensor["datatype"] for tensor in told["inputs"]} == TYPES
