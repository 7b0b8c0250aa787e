"""Real processes: a bad challenger hurts nobody, and whatever was answered is in the log, whoever is killed."""

import os
import signal
import threading
from collections import Counter

import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world

FAULTY = ("throws", "nan", "wrong", "short", "crashes", "hangs", "eats", "slow")


@pytest.mark.parametrize("fault", FAULTY)
def test_a_challenger_with_a_fault_costs_no_request(launcher: world.Launcher, found: Settings, fault: str) -> None:
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found, {2: fault}) as served:
        served.until_ready()
        replies = world.asked(served, 80)

    assert Counter(reply.status_code for reply in replies) == {200: 80}
    assert {reply.headers["x-model-version"] for reply in replies} <= (
        {"parcels@1"} if fault != "slow" else {"parcels@1", "parcels@2"}
    )
    assert all(0 <= reply.json()["predictions"][0] <= 1 for reply in replies)


def test_a_challenger_that_cannot_be_loaded_leaves_the_champion_alone(
    launcher: world.Launcher, found: Settings
) -> None:
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found, {2: "refused"}) as served:
        served.until_ready()
        replies = world.asked(served, 40)

    assert Counter(reply.status_code for reply in replies) == {200: 40}


def test_a_worker_that_is_killed_under_load_loses_no_answered_request(
    launcher: world.Launcher, found: Settings
) -> None:
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found) as served:
        served.until_ready()
        answered: list[str] = []
        stop = threading.Event()

        def ask(name: int) -> None:
            number = 0
            while not stop.is_set():
                try:
                    with served.client() as client:
                        while not stop.is_set():
                            id_, number = f"{name}-{number}", number + 1
                            sent = {"dataframe_records": [{**world.ROW, "parcel": number}]}
                            reply = client.post("/invocations", json=sent, headers={"x-request-id": id_})
                            if reply.status_code == 200:
                                answered.append(id_)
                except world.httpx.TransportError:
                    continue

        asking = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
        for one in asking:
            one.start()
        for _ in range(3):
            begun = len(answered)
            world.until(lambda begun=begun: len(answered) > begun + 50)
            (pid,) = served.children()
            os.kill(pid, signal.SIGKILL)
        begun = len(answered)
        world.until(lambda: len(answered) > begun + 50)
        stop.set()
        for one in asking:
            one.join()
        served.stop()
    log = PredictionLog(found.serving, world.use_case())
    lost = [id_ for id_ in answered if log.answered(id_) is None]
    log.close()

    assert lost == []
