"""Real processes: a bad challenger hurts nobody, and whatever was answered is in the log, whoever is killed."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from statistics import median

import pytest

from mlops_assets.core.rollout.words import Stage
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
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


class Load:
    """Clients that ask one row at a time, each id once, until they are stopped; `answered` are the ids of a 200."""

    def __init__(self, served: world.Served, clients: int = 8) -> None:
        self._served, self._stop = served, threading.Event()
        self.answered: dict[str, float] = {}
        self._asking = [threading.Thread(target=self._ask, args=(name,)) for name in range(clients)]
        for one in self._asking:
            one.start()

    def _ask(self, name: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with self._served.client() as client:
                    while not self._stop.is_set():
                        id_, number = f"{name}-{number}", number + 1
                        sent = {"dataframe_records": [{**world.ROW, "parcel": number}]}
                        reply = client.post("/invocations", json=sent, headers={"x-request-id": id_})
                        if reply.status_code == 200:
                            self.answered[id_] = reply.json()["predictions"][0]
            except world.httpx.TransportError:
                continue

    def more(self, count: int = 50) -> float:
        """Wait until so many more were answered; the seconds until the first."""
        begun, began = len(self.answered), time.monotonic()
        world.until(lambda: len(self.answered) > begun, 30, every=0.002)
        first = time.monotonic() - began
        world.until(lambda: len(self.answered) > begun + count, 30)
        return first

    def lost(self) -> list[str]:
        """Stop; the ids whose answer is not in the log as it was given."""
        self._stop.set()
        for one in self._asking:
            one.join()
        self._served.stop()
        log = PredictionLog(self._served.places.serving, world.use_case())
        wrong = []
        for id_, score in self.answered.items():
            stored = log.answered(id_)
            if stored is None or stored.score != score:
                wrong.append(id_)
        log.close()
        return wrong


def test_a_worker_that_is_killed_under_load_loses_no_answered_request(
    launcher: world.Launcher, found: Settings
) -> None:
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found) as served:
        load = Load(served.until_ready())
        for _ in range(3):
            load.more()
            (pid,) = served.children()
            os.kill(pid, signal.SIGKILL)
        load.more()

        assert load.lost() == []


@pytest.mark.slow
def test_fifty_kills_of_any_process_lose_no_answer_and_raise_no_share(
    launcher: world.Launcher, found: Settings, record_property: Callable[[str, object], None]
) -> None:
    """Workers with their controllers and log writers, nurseries, slots of either model; drawn by a seed."""
    random, seconds = Random(20130101), []
    with world.rolled(found, Stage.CANARY, 2), launcher.served(found, workers=2) as served:
        load = Load(served.until_ready())
        with Rollouts(found.serving, world.use_case().name) as rollouts:
            before = rollouts.standing().row
            for _ in range(50):
                load.more(20)
                time.sleep(random.random() / 4)
                os.kill(random.choice(descendants(served, served.pid)), signal.SIGKILL)
                seconds.append(load.more(1))
            after = rollouts.standing().row  # judges every certificate again
            events = rollouts.events(before.epoch)
        lost = load.lost()
    record_property("seconds to an answer", f"median {median(seconds):.2f}, at most {max(seconds):.2f}")
    assert lost == [] and len(load.answered) > 1_000
    assert after.share <= before.share or any(event.kind.increases for event in events)
    assert after.champion in (before.champion, before.challenger)


def descendants(served: world.Served, pid: int) -> list[int]:
    """Every process below one."""
    found = []
    for child in served.children(pid):
        try:
            found += [child, *descendants(served, child)]
        except OSError:  # it has just ended
            continue
    return found
