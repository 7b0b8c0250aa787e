"""The operator's routes: who may, what happens, what is told of it; and every route that changes anything."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

import mlops_assets.gateway as room
from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.words import Stage
from mlops_assets.gateway import app, operate
from mlops_assets.gateway.context import Gateway
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.gateway.rolling import TOKENS, Client, Rolling, gateway_of


def changing_routes(gateway: Gateway) -> Iterator[str]:
    """Every path at which any room of the gateway takes something else than a question."""
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        made = getattr(importlib.import_module(module.name), "routes", None)
        for route in made(gateway) if callable(made) else ():
            if isinstance(route, Route) and not (route.methods or set()) <= {"GET", "HEAD"}:
                yield route.path
    for path, methods in [*app._HERE.items(), *app._MODEL.items()]:
        if not set(methods) <= {"GET", "HEAD"}:
            yield path


def test_only_predictions_need_no_token(gateway: Gateway) -> None:
    client = Client(gateway)

    assert {path for path in changing_routes(gateway) if client.post(path).status_code != 401} == {
        "/invocations",
        "infer",
    }


WRONG = {
    "none": {},
    "garbled": {"Authorization": "Bearer \x7f\x01nonsense"},
    "expired": {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoib3BlcmF0b3IiLCJleHAiOjF9.c2lnbmF0dXJl"},
    "wrong role": {"Authorization": f"Bearer {TOKENS.feed}"},
    "wrong scheme": {"Authorization": f"Basic {TOKENS.operator}"},
    "in a cookie": {"Cookie": f"token={TOKENS.operator}"},
    "of another site": {"Authorization": f"Bearer {TOKENS.operator}", "Origin": "http://evil.example"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_every_route_that_changes_something_refuses_every_wrong_credential_and_changes_nothing(
    gateway: Gateway, rolling: Rolling, tmp_path: Path, wrong: str
) -> None:
    client, before = Client(gateway), rolling.rollouts.events()
    logged = gateway.log.end()
    for path in changing_routes(gateway):
        if path in ("/invocations", "infer") or (wrong == "wrong role" and path in ("/outcomes", "/events")):
            continue
        asked = [(f"{path}?token={TOKENS.operator}&access_token={TOKENS.operator}", b"{}")]
        for url, body in [*asked, (path, b""), (path, b'{"to": 0}'), (path, b"[" * 100_000)]:
            answer = client.post(url, content=body, headers=WRONG[wrong])

            assert answer.status_code in (401, 403), path
            assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
            assert TOKENS.operator not in answer.text
            assert TOKENS.feed not in answer.text

    assert rolling.rollouts.events() == before
    assert gateway.log.end() == logged
    assert not (tmp_path / "online").exists()


@pytest.mark.parametrize(("command", "kind"), [("pause", Kind.PAUSED), ("abort", Kind.ROLLED_BACK)])
def test_a_command_is_one_event_that_says_who_and_why(
    gateway: Gateway, rolling: Rolling, command: str, kind: Kind
) -> None:
    before = rolling.rollouts.row().epoch

    answer = Client(gateway, role="operator").post(f"/rollout/{command}", json={"why": "a storm comes"})

    (event,) = rolling.rollouts.events(before)
    assert answer.status_code == 200
    assert answer.json()["epoch"] == event.epoch
    assert (event.kind, event.who, event.why) == (kind, "operator at 10.0.0.7", "a storm comes")


def test_a_reason_is_one_printable_line(gateway: Gateway, rolling: Rolling) -> None:
    Client(gateway, role="operator").post("/rollout/pause", json={"why": "\x1b[2Jgone\n\u202eback"})

    assert rolling.rollouts.events()[-1].why == "?[2Jgone??back"


def test_what_is_so_already_is_no_second_event(gateway: Gateway, rolling: Rolling) -> None:
    client = Client(gateway, role="operator")
    client.post("/rollout/pause")
    epoch = rolling.rollouts.row().epoch

    assert client.post("/rollout/pause").json()["epoch"] == epoch


def test_a_rollback_that_is_sent_again_is_done_once(gateway: Gateway, rolling: Rolling) -> None:
    rolling.climb(Stage.FINALIZED)  # version 2, after 1
    client = Client(gateway, role="operator")

    told = [client.post("/rollback", json={"why": "wrong", "once": "the same"}).json() for _ in range(3)]

    assert [row["champion"] for row in told] == [1, 1, 1]
    assert len({row["epoch"] for row in told}) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/rollback", {"to": 7}, 409),
        ("/rollback", {"to": "1"}, 400),
        ("/rollback", {"to": 1, "share": 1.0}, 400),
        ("/rollback", {"why": ""}, 409),
        ("/rollout/pause", {"why": 3}, 400),
        ("/rollout/pause", [], 400),
        ("/rollout/pause", {"why": "x" * 5000}, 413),
        ("/rollout/advance", {}, 404),
        ("/rollout/finalize", {}, 404),
        ("/rollout", {"share": 1.0}, 405),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    gateway: Gateway, rolling: Rolling, path: str, body: object, status: int
) -> None:
    before = rolling.rollouts.events()

    answer = Client(gateway, role="operator").post(path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert rolling.rollouts.events() == before


def test_a_script_that_runs_wild_is_slowed_but_the_way_back_stays_open(gateway: Gateway, rolling: Rolling) -> None:
    client = Client(gateway, role="operator")

    told = [client.post(f"/rollout/{('pause', 'resume')[n % 2]}").status_code for n in range(operate.MOST_A_MINUTE + 3)]

    assert told == [200] * operate.MOST_A_MINUTE + [429] * 3
    assert client.post("/rollout/abort").status_code == 200
    assert rolling.rollouts.row().stage is Stage.ROLLED_BACK


def test_there_is_nothing_to_resume_where_no_rollout_runs(gateway: Gateway, rolling: Rolling) -> None:
    rolling.climb(Stage.FINALIZED)

    answer = Client(gateway, role="operator").post("/rollout/resume")

    assert (answer.status_code, "nothing to resume" in answer.text) == (409, True)


def test_the_state_tells_the_share_in_force_beside_the_one_that_was_decided(gateway: Gateway) -> None:
    told = Client(gateway).get("/rollout").json()

    assert (told["stage"], told["share"]) == ("CANARY", 0.25)
    assert (told["in_force"], told["alive"], told["honoured"]) == (0.0, False, True)  # no controller in this test


def test_a_database_that_does_not_answer_is_503_and_says_when_to_come_back(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    serving.mkdir()
    (serving / "flight_delays.rollout.db").write_bytes(b"not a database, only sixteen bytes and more")

    answer = Client(gateway_of(tmp_path, FLIGHT_DELAYS), role="operator").post("/rollout/abort")

    assert answer.status_code == 503
