"""MLflow's protocol: its own client and its examples work unchanged; what is wrong is told, and how to mend it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets.stores.serving.models import load_version
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets_tests.gateway import world

ROWS = world.rows(5)
NAMES = list(world.ROW)


@pytest.fixture(scope="module")
def served(
    launcher: world.Launcher, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[world.Served]:
    """Version 1 answers, version 2 is in shadow."""
    found = world.copied(registered, tmp_path_factory.mktemp("invocations"))
    with world.rolled(found, Stage.SHADOW), launcher.served(found) as served:
        yield served.until_ready()


@pytest.fixture(scope="module")
def client(served: world.Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def due(served: world.Served, rows: list[dict[str, Any]]) -> list[float]:
    """What the registered model says."""
    loaded = load_version(world.use_case(), 1, served.places)
    return loaded.scorer.predict_encoded(loaded.scorer.encoder.encode_rows(rows)).tolist()


def test_the_stock_client_of_mlflow_is_answered_as_the_registered_model_answers(served: world.Served) -> None:
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", served.port)
    client.wait_server_ready()
    frame = client.invoke(pd.DataFrame(ROWS)).get_predictions()
    rows = client.invoke(ROWS[:1]).get_predictions()

    assert frame[0].tolist() == due(served, ROWS)
    assert rows[0].tolist() == due(served, ROWS[:1])
    assert client.get_version()


def test_the_stock_client_writes_nan_where_a_number_is_missing(served: world.Served) -> None:
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    rows = [{**ROWS[0], "weight": None, "stops": None}, ROWS[1]]
    frame = pd.DataFrame(rows).astype({"weight": float, "stops": float})
    assert frame.isna().sum().sum() == 2
    found = ScoringServerClient("127.0.0.1", served.port).invoke(frame).get_predictions()

    assert found[0].tolist() == due(served, rows)


FORMS: dict[str, Any] = {
    "dataframe_split": {"columns": NAMES, "data": [list(row.values()) for row in ROWS], "index": [0, 1, 2, 3, 4]},
    "dataframe_records": ROWS,
    "instances": ROWS,
    "inputs": {name: [row[name] for row in ROWS] for name in NAMES},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_gives_the_same_answer(served: world.Served, client: httpx.Client, form: str) -> None:
    reply = client.post("/invocations", json={form: FORMS[form]})

    assert reply.json() == {"predictions": due(served, ROWS)}


def test_rows_without_names_are_the_features_in_order(served: world.Served, client: httpx.Client) -> None:
    names = [feature.name for feature in world.use_case().model_features]
    reply = client.post("/invocations", json={"inputs": [[row[name] for name in names] for row in ROWS]})

    assert reply.json() == {"predictions": due(served, ROWS)}


def test_csv_is_taken_with_empty_cells_as_null(served: world.Served, client: httpx.Client) -> None:
    body = pd.DataFrame(ROWS).to_csv(index=False)
    reply = client.post("/invocations", content=body, headers={"content-type": "text/csv; charset=utf-8"})

    assert reply.json() == {"predictions": due(served, ROWS)}


def test_the_answer_tells_its_id_the_version_and_the_arm(client: httpx.Client) -> None:
    reply = client.post("/invocations", json={"instances": [ROWS[0]]}, headers={"x-request-id": "ours-1"})

    told = {name: reply.headers[name] for name in ("x-request-id", "x-model-version", "x-arm")}
    assert told == {"x-request-id": "ours-1", "x-model-version": "parcels@1", "x-arm": "champion"}


def test_a_prediction_is_in_the_log_with_what_it_was_made_from(served: world.Served, client: httpx.Client) -> None:
    client.post("/invocations", json={"instances": ROWS}, headers={"x-request-id": "logged"})

    log = PredictionLog(served.places.serving, world.use_case())
    answers = log.of_request("logged")
    log.close()
    assert [answer.score for answer in answers] == due(served, ROWS)
    assert [answer.id for answer in answers] == [f"logged:{row}" for row in range(5)]
    assert json.loads(answers[0].features) == ROWS[0]


def test_a_request_that_is_sent_again_gets_the_answer_it_got_then(client: httpx.Client) -> None:
    first, again = (
        client.post("/invocations", json={"instances": ROWS}, headers={"x-request-id": "again"}) for _ in range(2)
    )

    assert (first.status_code, first.content) == (again.status_code, again.content)


def test_an_id_of_another_question_is_refused(client: httpx.Client) -> None:
    client.post("/invocations", json={"instances": [ROWS[0]]}, headers={"x-request-id": "taken"})
    other = client.post("/invocations", json={"instances": [ROWS[1]]}, headers={"x-request-id": "taken"})

    assert other.status_code == 409


def test_an_unknown_category_is_missing_and_columns_nobody_reads_are_ignored(client: httpx.Client) -> None:
    some = {**world.ROW, "depot": "the moon"}
    reply = client.post("/invocations", json={"instances": [{**some, "colour": "red"}]})
    null = client.post("/invocations", json={"instances": [{**some, "depot": None}]})

    assert reply.json() == null.json()


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no json": b"{",
    "Infinity": b'{"instances": [{"depot": "north", "weight": Infinity, "stops": 1, "fragile": true}]}',
    "NaN and Infinity": b'{"instances": [{"depot": "a", "weight": NaN, "stops": -Infinity, "fragile": true}]}',
    "beyond a double": b'{"instances": [{"depot": "north", "weight": 1e999, "stops": 1, "fragile": true}]}',
    "400 digits": b'{"instances": [{"depot": "north", "weight": 1%s, "stops": 1, "fragile": true}]}' % (b"0" * 400),
    "a bool for a number": b'{"instances": [{"depot": "north", "weight": true, "stops": 1, "fragile": true}]}',
    "a text for a number": b'{"instances": [{"depot": "north", "weight": "9", "stops": 1, "fragile": true}]}',
    "a number for a bool": b'{"instances": [{"depot": "north", "weight": 9, "stops": 1, "fragile": 1}]}',
    "a list for a value": b'{"instances": [{"depot": ["north"], "weight": 9, "stops": 1, "fragile": true}]}',
    "a lone surrogate": b'{"instances": [{"depot": "\\ud800", "weight": 9, "stops": 1, "fragile": true}]}',
    "no UTF-8": b'{"instances": [{"depot": "\xff", "weight": 9, "stops": 1, "fragile": true}]}',
    "deep": b'{"instances": ' + b"[" * 100_000,
    "a column lacks": b'{"instances": [{"depot": "north", "weight": 9, "stops": 1}]}',
    "a column lacks in a row": b'{"instances": [{"depot": "a", "weight": 9, "stops": 1, "fragile": null}, {}]}',
    "two forms": b'{"instances": [], "inputs": []}',
    "no form": b"{}",
    "no rows": b'{"instances": []}',
    "parameters": b'{"instances": [], "params": {"temperature": 1}}',
    "a list": b"[]",
    "an unknown field": b'{"rows": []}',
    "columns twice": b'{"dataframe_split": {"columns": ["depot", "depot"], "data": [["a", "b"]]}}',
    "rows of two lengths": b'{"dataframe_split": {"columns": ["depot", "stops"], "data": [["a", 1], ["a"]]}}',
    "columns of two lengths": b'{"inputs": {"depot": ["a"], "stops": [1, 2]}}',
    "a moment of no zone": b'{"instances": [{"depot": "a", "weight": 9, "stops": 1, "fragile": null, "asked": "x"}]}',
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_refused_and_told(client: httpx.Client, what: str) -> None:
    reply = client.post("/invocations", content=BAD[what], headers={"content-type": "application/json"})

    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def test_a_refusal_says_where_which_value_which_rule_and_what_to_do(client: httpx.Client) -> None:
    rows = {"columns": ["depot", "stops"], "data": [["a", 1], ["a"]]}
    error = client.post("/invocations", json={"dataframe_split": rows}).json()["error"]

    assert error["where"] == "$.dataframe_split.data[1]"
    assert all(error[part] for part in ("code", "message", "value", "rule", "remedy"))


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded", "application/json; charset=latin-1"])
def test_another_content_type_is_refused(client: httpx.Client, kind: str) -> None:
    reply = client.post("/invocations", content=b"{}", headers={"content-type": kind} if kind else {})

    assert reply.status_code == 415


@pytest.mark.parametrize("id_", ["", "a b", "x" * 101, "a:1", "é"])
def test_an_id_that_cannot_be_a_predictions_is_refused(client: httpx.Client, id_: str) -> None:
    headers = {"x-request-id": id_.encode()}
    reply = client.post("/invocations", json={"instances": ROWS}, headers=headers)  # type: ignore[arg-type]

    assert reply.status_code == 400


def test_more_rows_than_one_request_may_have_are_refused(client: httpx.Client) -> None:
    reply = client.post("/invocations", json={"inputs": {name: [world.ROW[name]] * 10_001 for name in NAMES}})

    assert reply.status_code == 413


def test_ten_thousand_rows_are_answered(served: world.Served, client: httpx.Client) -> None:
    some = world.rows(10_000, seed=4)
    reply = client.post("/invocations", json={"inputs": {name: [row[name] for row in some] for name in NAMES}})

    assert reply.status_code == 200
    np.testing.assert_array_equal(reply.json()["predictions"], due(served, some))
